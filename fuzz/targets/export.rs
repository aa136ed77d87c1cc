//! An export of a log: first the input as the file's lines, then as what a log holds, whose hashes and signatures are made to fit.
//!
//! In the second case each line is a letter for the kind, one for the key, one for what is withheld, and a payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp::export::{Payload, Withheld};
use oacp::{
    Entry, Envelope, ExportReader, ExportReport, ExportWriter, Leaf, LeafKind, Origin,
    PAYLOAD_TYPE, Require, SecretKey, Trust, TrustedNode,
};
use oacp_tlog::{Checkpoint, CompactRange, Policy, SignedCheckpoint, SignerKey, leaf_hash};

const ORIGIN: &str = "log.example/1";

fuzz_target!(|data: &[u8]| {
    let trust = trust();
    let mut reader = ExportReader::new(&trust);
    let mut lines = data.split_inclusive(|byte| *byte == b'\n');
    let refused = lines.any(|line| reader.line(line).is_err());
    let report = reader.finish();
    assert!(!refused || report.is_err(), "a refused line was forgotten");
    if let Ok(report) = report {
        check(&report);
    }

    let entries: Vec<(Leaf, Envelope, Option<Withheld>)> = data
        .split(|byte| *byte == b'\n')
        .filter_map(entry)
        .collect();
    let range: CompactRange = entries
        .iter()
        .map(|(leaf, ..)| leaf_hash(&leaf.to_bytes()))
        .collect();
    let until = Checkpoint::new(ORIGIN, range.size(), range.root()).expect("a small tree");
    let until = SignedCheckpoint::sign(&until, &log());
    let (mut writer, line) =
        ExportWriter::new(CompactRange::new(), None, until).expect("a range from 0");
    let mut reader = ExportReader::new(&trust);
    reader.line(&line).expect("what was written is read");
    for (leaf, envelope, withheld) in &entries {
        let payload = withheld.map_or(Payload::Envelope(envelope), Payload::Withheld);
        let line = writer
            .entry(&leaf.to_bytes(), payload)
            .expect("a leaf and its envelope");
        reader.line(&line).expect("what was written is read");
    }
    let line = writer.finish().expect("the tree's own root");
    reader.line(&line).expect("what was written is read");
    let report = reader.finish().expect("it is at its end");
    assert_eq!(
        report.payloads + report.redacted + report.pruned,
        entries.len() as u64
    );
    let signatures = &report.signatures;
    let judged = signatures.verified
        + signatures.unknown_key
        + signatures.unreadable
        + signatures.wrong.count;
    assert_eq!(judged, report.payloads);
    check(&report);
});

fn check(report: &ExportReport) {
    let json = serde_json::to_vec(report).expect("a report is JSON");
    assert_eq!(
        serde_json::from_slice::<ExportReport>(&json).expect("and read again"),
        *report
    );
    let text = report.to_string();
    assert!(
        !text.contains('\u{1b}'),
        "a stranger's escape sequence reaches the terminal"
    );
}

fn log() -> SignerKey {
    SignerKey::ed25519(ORIGIN.parse().expect("a name"), &[3; 32])
}

fn trust() -> Trust {
    let node = TrustedNode {
        name: "fuzz".to_owned(),
        key: SecretKey::from_bytes(&[1; 32]).public(),
        not_before: None,
        not_after: None,
        revoked: None,
    };
    let trust = Trust::new(vec![node], Require::default(), Origin::File).expect("one node");
    let policy = format!("log {}\nquorum none\n", log().verifier());
    let policy = Policy::parse(policy.as_bytes()).expect("one log");
    trust.with_log_policy(policy).expect("other keys")
}

fn entry(line: &[u8]) -> Option<(Leaf, Envelope, Option<Withheld>)> {
    let [kind, key, withheld, payload @ ..] = line else {
        return None;
    };
    let key = SecretKey::from_bytes(&[key % 4 + 1; 32]);
    let envelope = Envelope::sign(PAYLOAD_TYPE, payload.to_vec(), &key);
    let leaf = match Entry::parse_unverified(&envelope.to_json()) {
        Ok(entry) => *entry.leaf(),
        Err(_) => {
            let kind = LeafKind::ALL[usize::from(*kind) % LeafKind::ALL.len()];
            Leaf::of(
                kind,
                &envelope,
                kind.has_sequence().then_some(payload.len() as u64),
            )
        }
    };
    let withheld = match withheld {
        b'r' => Some(Withheld::Redacted),
        b'p' => Some(Withheld::Pruned),
        _ => None,
    };
    Some((leaf, envelope, withheld))
}
