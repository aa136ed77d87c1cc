mod chains;

use super::*;
use crate::fixture::{self, Case, ORIGIN, key, log_signer};
use crate::{
    Begin, Close, Delegation, Digest, Entry, ExecutionId, ExecutionStatement, Leaf, LeafKind,
    Origin, Outcome, PAYLOAD_TYPE, Require, Revoked, SandboxId, SecretKey, Trust, TrustedNode,
    Verdict,
};
use oacp_tlog::{Checkpoint, CompactRange, Policy, SignedCheckpoint, leaf_hash};
use proptest::prelude::*;

/// A log of the fixture's origin.
#[derive(Clone, Default)]
struct Log(Vec<(Leaf, Envelope)>);

impl Log {
    fn push(&mut self, envelope: Envelope) {
        let entry = Entry::parse_unverified(&envelope.to_json()).unwrap();
        self.0.push((*entry.leaf(), envelope));
    }

    fn range(&self, size: u64) -> CompactRange {
        let leaves = self.0.iter().take(size as usize);
        leaves
            .map(|(leaf, _)| leaf_hash(&leaf.to_bytes()))
            .collect()
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let checkpoint = Checkpoint::new(ORIGIN, size, self.range(size).root()).unwrap();
        SignedCheckpoint::sign(&checkpoint, &log_signer(ORIGIN, 3))
    }

    fn export(&self) -> Vec<Vec<u8>> {
        self.export_from(0, None, |_| None)
    }

    fn export_from(
        &self,
        from: u64,
        since: Option<SignedCheckpoint>,
        withheld: impl Fn(u64) -> Option<Withheld>,
    ) -> Vec<Vec<u8>> {
        let until = self.checkpoint(self.0.len() as u64);
        let (mut writer, line) =
            ExportWriter::new(self.range(from), since.as_ref(), until).unwrap();
        let mut lines = vec![line];
        for (index, (leaf, envelope)) in (0..).zip(&self.0).skip(from as usize) {
            assert_eq!(writer.next(), index);
            let payload = withheld(index).map_or(Payload::Envelope(envelope), Payload::Withheld);
            lines.push(writer.entry(&leaf.to_bytes(), payload).unwrap());
        }
        lines.push(writer.finish().unwrap());
        lines
    }

    fn report(&self) -> ExportReport {
        read(&self.export()).unwrap()
    }
}

/// Trust in node 1 and log 3.
fn trust() -> Trust {
    let policy = Policy::parse(fixture::log_policy_alone().as_bytes()).unwrap();
    fixture::trust().with_log_policy(policy).unwrap()
}

fn read(lines: &[Vec<u8>]) -> Result<ExportReport, ExportError> {
    read_with(lines, &trust())
}

fn read_with(lines: &[Vec<u8>], trust: &Trust) -> Result<ExportReport, ExportError> {
    let mut reader = ExportReader::new(trust);
    for line in lines {
        reader.line(line)?;
    }
    reader.finish()
}

/// A sandbox, and the chain of its statements.
struct Sandbox {
    key: SecretKey,
    delegation: Delegation,
    sequence: u64,
    previous: Digest,
}

impl Sandbox {
    fn new(seed: u8) -> Self {
        let case = Case::new();
        let delegation = Delegation {
            sandbox_id: SandboxId::new(1, [seed; 10]),
            key: key(seed).public(),
            ..case.delegation
        };
        Self {
            key: key(seed),
            previous: delegation.sign(&key(1)).pae_digest(),
            delegation,
            sequence: 0,
        }
    }

    fn delegation(&self) -> Envelope {
        self.delegation.sign(&key(1))
    }

    fn step(&mut self, envelope: Envelope) -> Envelope {
        self.sequence += 1;
        self.previous = envelope.pae_digest();
        envelope
    }

    fn statement(&self, run: u8) -> ExecutionStatement {
        ExecutionStatement {
            sandbox_id: self.delegation.sandbox_id,
            execution_id: fixture::execution(run),
            log: None,
            sequence: self.sequence,
            previous: self.previous,
            ..fixture::statement()
        }
    }

    fn execution(&mut self, run: u8) -> Envelope {
        let payload = self.statement(run).to_payload();
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload, &self.key);
        self.step(envelope)
    }

    fn begin(&mut self, run: u8) -> Envelope {
        let begin = Begin {
            sandbox_id: self.delegation.sandbox_id,
            execution_id: fixture::execution(run),
            sequence: self.sequence,
            previous: self.previous,
            ..fixture::begin()
        };
        self.step(begin.sign(&self.key))
    }

    fn close(&mut self) -> Envelope {
        let close = Close {
            sandbox_id: self.delegation.sandbox_id,
            sequence: self.sequence,
            last_sequence: self.sequence.checked_sub(1),
            previous: self.previous,
            ..fixture::close()
        };
        self.step(close.sign(&self.key))
    }
}

/// Two sandboxes side by side, each with a begin, its execution, and a close.
fn log() -> Log {
    let mut log = Log::default();
    let (mut a, mut b) = (Sandbox::new(11), Sandbox::new(12));
    log.push(a.delegation());
    log.push(a.begin(1));
    log.push(b.delegation());
    let late = b.begin(2);
    log.push(b.execution(2));
    log.push(a.execution(1));
    // Of one sandbox, in another order than they were signed.
    log.push(late);
    log.push(a.close());
    log.push(b.close());
    log
}

fn is_pass(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Pass { .. })
}

fn is_fail(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Fail { .. })
}

fn is_not_checked(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::NotChecked { .. })
}

#[test]
fn what_is_all_there_passes() {
    let report = log().report();
    for verdict in [
        &report.complete,
        &report.published,
        &report.signed,
        &report.chained,
    ] {
        assert!(is_pass(verdict), "{report}");
    }
    assert_eq!((report.payloads, report.keys), (8, 2));
    assert_eq!(report.signatures.verified, 8);
    // Its begin came behind its execution, which a log does not let happen to a run at level FULL.
    assert_eq!(report.unfinished.count, 1);
    assert_eq!(
        report.not_checked,
        [
            "runs that were never begun in the log",
            "the truth of what the entries say"
        ]
    );
    let text = report.to_string();
    assert!(
        text.starts_with("Complete         pass         8 entries, each in its place"),
        "{text}"
    );
    let json = serde_json::to_vec(&report).unwrap();
    assert_eq!(
        serde_json::from_slice::<ExportReport>(&json).unwrap(),
        report
    );
}

#[test]
fn its_lines_are_as_documented() {
    let lines = log().export_from(6, None, |index| (index == 6).then_some(Withheld::Pruned));
    let line = |at: usize| String::from_utf8(lines[at].clone()).unwrap();
    let header = format!(
        r#"{{"type":"{EXPORT_V1}","origin":"{ORIGIN}","from":6,"to":8,"frontier":["{}","{}"]}}"#,
        log().range(6).nodes()[0],
        log().range(6).nodes()[1]
    );
    assert_eq!(line(0), format!("{header}\n"));
    assert!(
        line(1).starts_with(r#"{"index":6,"leaf":"{\"key_id\":\""#),
        "{}",
        line(1)
    );
    assert!(
        line(1).ends_with("\"withheld\":\"pruned\"}\n"),
        "{}",
        line(1)
    );
    assert!(
        line(2).contains(r#""envelope":{"payload":""#),
        "{}",
        line(2)
    );
    assert!(
        line(3).starts_with(r#"{"checkpoint":"log.example/1\n8\n"#),
        "{}",
        line(3)
    );
}

#[test]
fn a_range_stands_on_what_was_before() {
    let log = log();
    for from in 0..=8 {
        let since = Some(log.checkpoint(from));
        for since in [None, since] {
            let report = read(&log.export_from(from, since, |_| None)).unwrap();
            assert!(is_pass(&report.complete) && is_pass(&report.published));
            assert_eq!(report.payloads, 8 - from);
        }
    }
    let report = read(&log.export_from(1, None, |_| None)).unwrap();
    // The delegation of `a` is before the range.
    assert_eq!(report.signatures.unknown_key, 3);
    assert!(
        is_not_checked(&report.signed) && is_pass(&report.chained),
        "{report}"
    );
    assert!(
        report
            .not_checked
            .contains(&"the entries before 1".to_owned())
    );
    // The checkpoint at the beginning is another log's: it leads to the root, and nobody signed it.
    let forged = Checkpoint::new(ORIGIN, 1, log.range(1).root()).unwrap();
    let forged = SignedCheckpoint::sign(&forged, &log_signer(ORIGIN, 9));
    let report = read(&log.export_from(1, Some(forged), |_| None)).unwrap();
    assert!(
        report
            .not_checked
            .iter()
            .any(|line| line.starts_with("that the log signed the checkpoint of 1")),
        "{report}"
    );
}

#[test]
fn without_a_policy_nobody_published_it() {
    let report = read_with(&log().export(), &fixture::trust()).unwrap();
    assert!(is_pass(&report.complete) && is_not_checked(&report.published));
    assert!(!report.has_failed());
    let strict = fixture::log_trust();
    let error = read_with(&log().export(), &strict).unwrap_err();
    assert_eq!(error.code(), "log_policy_unmet");
    assert_eq!(error.kind(), crate::RefusalKind::CouldNotCheck);
}

#[test]
fn who_is_not_trusted_is_not_checked() {
    let report = |nodes: Vec<TrustedNode>, policy: bool| {
        let trust = Trust::new(nodes, Require::default(), Origin::File).unwrap();
        let own = Policy::parse(fixture::log_policy_alone().as_bytes()).unwrap();
        let trust = match policy {
            true => trust.with_log_policy(own).unwrap(),
            false => trust,
        };
        read_with(&log().export(), &trust).unwrap()
    };
    let node = || fixture::trusted(1);
    for (nodes, policy, verified) in [
        (vec![], true, 0),
        (vec![fixture::trusted(5)], true, 0),
        (vec![node()], true, 8),
        // Revoked when the log had five entries: by the index, which a checkpoint has to show.
        (vec![revoked(5)], true, 5),
        (vec![revoked(5)], false, 0),
        (vec![revoked(0)], true, 0),
        (
            vec![TrustedNode {
                not_before: Some(fixture::hours(0)),
                ..node()
            }],
            true,
            0,
        ),
        (
            vec![TrustedNode {
                not_after: Some(fixture::hours(0)),
                ..node()
            }],
            true,
            8,
        ),
    ] {
        let report = report(nodes, policy);
        assert_eq!(report.signatures.verified, verified);
        assert_eq!(report.signatures.unknown_key, 8 - verified);
        assert!(is_pass(&report.chained), "{report}");
        assert!(!report.has_failed());
    }
}

fn revoked(tree_size: u64) -> TrustedNode {
    let log = None;
    TrustedNode {
        revoked: Some(Revoked { tree_size, log }),
        ..fixture::trusted(1)
    }
}

#[test]
fn what_is_withheld_is_said() {
    let log = log();
    let redacted = read(&log.export_from(0, None, |_| Some(Withheld::Redacted))).unwrap();
    assert_eq!((redacted.payloads, redacted.redacted), (0, 8));
    assert!(is_pass(&redacted.complete) && is_not_checked(&redacted.signed));
    // The numbers stand in the leaves, and none is missing.
    assert!(is_pass(&redacted.chained), "{redacted}");
    let has = |text: &str| redacted.not_checked.iter().any(|line| line == text);
    assert!(has("envelopes that the exporter left out: 8"), "{redacted}");

    let pruned = |index| (index < 4).then_some(Withheld::Pruned);
    let pruned = read(&log.export_from(0, None, pruned)).unwrap();
    assert_eq!((pruned.pruned, pruned.payloads), (4, 4));
    assert_eq!(pruned.signatures.unknown_key, 4);
}

#[test]
fn what_no_log_should_hold_is_listed() {
    let with = |alter: fn(&mut Log, &mut Sandbox)| {
        let mut log = Log::default();
        let mut a = Sandbox::new(11);
        log.push(a.delegation());
        alter(&mut log, &mut a);
        let report = log.report();
        assert!(is_pass(&report.complete));
        assert!(is_fail(&report.signed) && report.has_failed(), "{report}");
        let [wrong] = &report.signatures.wrong.first[..] else {
            panic!("{report}")
        };
        assert_eq!(wrong.index, 1);
        wrong.code.clone()
    };
    let sandbox = with(|log, _| {
        let statement = Sandbox::new(12).statement(1).to_payload();
        log.push(Envelope::sign(PAYLOAD_TYPE, statement, &key(11)));
    });
    assert_eq!(sandbox, "sandbox_mismatch");
    let late = with(|log, a| {
        let mut statement = a.statement(1);
        statement.timestamp = fixture::hours(2);
        log.push(Envelope::sign(
            PAYLOAD_TYPE,
            statement.to_payload(),
            &key(11),
        ));
    });
    assert_eq!(late, "timestamp_outside_delegation");
    let other_log = with(|log, a| {
        let mut statement = a.statement(1);
        statement.log = Some("log.example/2".parse().unwrap());
        log.push(Envelope::sign(
            PAYLOAD_TYPE,
            statement.to_payload(),
            &key(11),
        ));
    });
    assert_eq!(other_log, "other_log");
    let by_sandbox = with(|log, _| log.push(Sandbox::new(12).delegation.sign(&key(11))));
    assert_eq!(by_sandbox, "not_by_node");
    // The leaf says another number than what was signed: two statements under one would look like
    // two.
    let leaf = with(|log, a| {
        let envelope = a.execution(1);
        let leaf = Leaf::of(LeafKind::Execution, &envelope, Some(5));
        log.0.push((leaf, envelope));
    });
    assert_eq!(leaf, "leaf_mismatch");

    let mut log = log();
    let later = Envelope::sign(PAYLOAD_TYPE, later_statement(), &key(1));
    let leaf = Leaf::of(LeafKind::Tool, &later, None);
    log.0.push((leaf, later));
    let report = log.report();
    assert_eq!(report.signatures.unreadable, 1);
    assert!(is_not_checked(&report.signed));
}

fn later_statement() -> Vec<u8> {
    br#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"t","digest":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}],"predicateType":"https://oacp.example/later/v1","predicate":{}}"#.to_vec()
}

#[test]
fn what_is_no_export_is_refused() {
    let lines = log().export();
    let code = |at: usize, from: &str, to: &str| {
        let mut lines = lines.clone();
        let text = String::from_utf8(lines[at].clone()).unwrap();
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from}");
        lines[at] = altered.into_bytes();
        read(&lines).unwrap_err().code()
    };
    assert_eq!(code(0, "export/v1", "export/v2"), "unknown_version");
    assert_eq!(
        code(0, "export/v1\",", "export/v2\",\"more\":1,"),
        "unknown_version"
    );
    assert_eq!(code(0, "\"from\"", "\"more\":1,\"from\""), "json_shape");
    assert_eq!(code(0, "\"to\":8", "\"to\":7"), "json_shape");
    assert_eq!(code(0, "\"to\":8", "\"to\":9"), "json_shape");
    assert_eq!(code(0, "\"from\":0", "\"from\":9"), "range");
    assert_eq!(code(0, "\"from\":0", "\"from\":1"), "frontier");
    assert_eq!(code(0, "[]", "[\"AAAA\"]"), "frontier");
    assert_eq!(code(0, "log.example/1", "log.example/2"), "origin_mismatch");
    assert_eq!(code(1, "\"index\":0", "\"index\":1"), "index");
    assert_eq!(code(1, "version\\\":1", "version\\\":2"), "leaf_malformed");
    assert_eq!(code(1, "pae\\\":\\\"", "pae\\\":\\\"0"), "leaf_malformed");
    assert_eq!(
        code(1, ",\"envelope\"", ",\"withheld\":\"pruned\",\"envelope\""),
        "payload"
    );
    assert_eq!(
        code(1, "\"payload\":\"", "\"payload\":\"AAAA"),
        "envelope_mismatch"
    );
    assert_eq!(
        code(1, "\"sig\":\"", "\"sig\":\"AAAA"),
        "envelope_malformed"
    );
    assert_eq!(code(9, "8\\n", "9\\n"), "size_mismatch");
    assert_eq!(
        code(9, "log.example/1\\n8", "log.example/2\\n8"),
        "origin_mismatch"
    );
    assert_eq!(code(9, "\\n8\\n", "\\n8\\nAAAA"), "checkpoint_malformed");

    // Whoever kept the root of another beginning sees it.
    let other = Checkpoint::new(ORIGIN, 4, leaf_hash(b"")).unwrap();
    let other = SignedCheckpoint::sign(&other, &log_signer(ORIGIN, 3));
    let mut lines = log().export_from(4, Some(log().checkpoint(4)), |_| None);
    let mut header: serde_json::Value = serde_json::from_slice(&lines[0]).unwrap();
    header["checkpoint"] = other.to_string().into();
    lines[0] = header.to_string().into_bytes();
    assert_eq!(read(&lines).unwrap_err().code(), "root_mismatch");
}

#[test]
fn after_a_refusal_there_is_no_going_on() {
    let lines = log().export();
    let trust = trust();
    let mut reader = ExportReader::new(&trust);
    reader.line(&lines[0]).unwrap();
    assert_eq!(reader.line(&lines[2]).unwrap_err().code(), "index");
    assert_eq!(reader.line(&lines[1]).unwrap_err(), ExportError::Refused);
    assert_eq!(reader.finish().unwrap_err(), ExportError::Refused);

    let cut = read(&lines[..9]).unwrap_err();
    assert_eq!(cut, ExportError::Truncated { lines: 9 });
    assert_eq!(read(&[]).unwrap_err().code(), "truncated");
    let more = [lines.clone(), vec![lines[9].clone()]].concat();
    assert_eq!(read(&more).unwrap_err().code(), "after_end");
}

#[test]
fn what_a_reader_would_refuse_is_not_written() {
    let log = log();
    let (leaf, envelope) = &log.0[0];
    let writer = |from, size| ExportWriter::new(log.range(from), None, log.checkpoint(size));
    let refused = writer(5, 4).unwrap_err();
    assert_eq!(refused, ExportWriteError::Range { from: 5, to: 4 });
    let since = log.checkpoint(3);
    let refused = ExportWriter::new(log.range(4), Some(&since), log.checkpoint(8));
    assert_eq!(refused.unwrap_err(), ExportWriteError::Since);

    let (mut writer, _) = writer(0, 1).unwrap();
    let other = Payload::Envelope(&log.0[1].1);
    let refused = writer.entry(&leaf.to_bytes(), other).unwrap_err();
    assert_eq!(refused, ExportWriteError::OtherEnvelope { index: 0 });
    assert!(
        writer
            .entry(b"{}", Payload::Withheld(Withheld::Pruned))
            .is_err()
    );
    assert_eq!(writer.next(), 0);
    writer
        .entry(&leaf.to_bytes(), Payload::Envelope(envelope))
        .unwrap();
    let refused = writer.entry(&leaf.to_bytes(), Payload::Envelope(envelope));
    assert_eq!(refused.unwrap_err(), ExportWriteError::TooMany { to: 1 });
    writer.finish().unwrap();

    let (writer, _) = ExportWriter::new(log.range(0), None, log.checkpoint(1)).unwrap();
    let refused = writer.finish().unwrap_err();
    assert_eq!(refused, ExportWriteError::TooFew { next: 0, to: 1 });
    let (mut writer, _) = ExportWriter::new(log.range(0), None, log.checkpoint(1)).unwrap();
    let pruned = Payload::Withheld(Withheld::Pruned);
    writer.entry(&log.0[1].0.to_bytes(), pruned).unwrap();
    assert_eq!(
        writer.finish().unwrap_err(),
        ExportWriteError::Root { to: 1 }
    );
}

/// Any byte of any line.
#[test]
fn no_single_byte_can_be_altered() {
    let mut log = Log::default();
    let mut a = Sandbox::new(11);
    log.push(a.delegation());
    log.push(a.close());
    log.push(Sandbox::new(12).close());
    let lines = log.export_from(1, Some(log.checkpoint(1)), |index| {
        (index == 2).then_some(Withheld::Redacted)
    });
    let report = read(&lines).unwrap();
    let mut altered = lines.clone();
    for (at, line) in lines.iter().enumerate() {
        for (byte, original) in line.iter().enumerate() {
            for value in (0..8).map(|bit| original ^ 1 << bit).chain(*b"\0\"A") {
                altered[at][byte] = value;
                // The beginning's signatures are no one's business but its own line's: see below.
                if let Ok(found) = read(&altered) {
                    let mut found = found;
                    found
                        .not_checked
                        .retain(|line| !line.starts_with("that the log signed"));
                    assert_eq!(found, report, "line {at}, byte {byte} as {value}");
                }
            }
            altered[at][byte] = *original;
        }
    }
}

proptest! {
    /// A line that is left out, there twice, in another place or another log's.
    #[test]
    fn no_line_can_be_dropped_doubled_or_moved(at in 0..10_usize, to in 0..10_usize, from in 0..8_u64) {
        let log = log();
        let lines = log.export_from(from, None, |_| None);
        let (at, to) = (at % lines.len(), to % lines.len());
        let mut dropped = lines.clone();
        let line = dropped.remove(at);
        prop_assert!(read(&dropped).is_err());
        let mut doubled = lines.clone();
        doubled.insert(to, line.clone());
        prop_assert!(read(&doubled).is_err());
        let mut moved = dropped;
        moved.insert(to, line);
        prop_assert_eq!(read(&moved).is_err(), at != to);
        let mut swapped = lines.clone();
        swapped.swap(at, to);
        prop_assert_eq!(read(&swapped).is_err(), at != to);

        // Another log's line, as well signed: its last run is another.
        let mut other = log.clone();
        let mut b = Sandbox::new(13);
        other.0.pop();
        other.push(b.execution(9));
        let other = other.export_from(from, None, |_| None);
        let mut replaced = lines.clone();
        replaced[at] = other[at].clone();
        prop_assert_eq!(read(&replaced).is_err(), lines[at] != other[at]);
    }
}

#[test]
fn an_id_is_that_of_the_execution() {
    let id = fixture::execution(1);
    assert_eq!(ExecutionId::from_bytes(*id.as_bytes()), Some(id));
    assert_eq!(ExecutionId::from_bytes([0; 16]), None);
}
