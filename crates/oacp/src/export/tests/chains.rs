//! What statements say of each other.

use super::*;
use crate::export::Why;

#[test]
fn a_begin_without_an_end_is_listed() {
    let mut log = Log::default();
    let (mut a, mut b) = (Sandbox::new(11), Sandbox::new(12));
    log.push(a.delegation());
    log.push(b.delegation());
    log.push(a.begin(1));
    log.push(a.begin(2));
    // Another sandbox's word ends nothing.
    log.push(b.execution(1));
    log.push(a.execution(2));
    let report = log.report();
    let execution_id = fixture::execution(1);
    let index = 2;
    assert_eq!(
        report.unfinished.first,
        [Unfinished {
            execution_id,
            index
        }]
    );
    assert!(
        report.to_string().contains("entry 2: execution "),
        "{report}"
    );
    log.push(a.execution(1));
    assert!(log.report().unfinished.is_empty());
    let ends_withheld =
        read(&log.export_from(0, None, |index| (index == 6).then_some(Withheld::Redacted)))
            .unwrap();
    assert_eq!(ends_withheld.unfinished.count, 1);
    assert!(
        ends_withheld
            .not_checked
            .iter()
            .any(|line| line.starts_with("which executions ended")),
        "{ends_withheld}"
    );
}

#[test]
fn two_statements_under_one_number_are_seen() {
    let mut log = log();
    let mut again = Sandbox::new(11);
    again.begin(1);
    log.push(again.execution(7));
    let report = log.report();
    let [found] = report.contradictions.first[..] else {
        panic!("{report}")
    };
    assert_eq!(
        (found.index, found.sequence, found.why),
        (8, 1, Why::Repeated)
    );
    assert!(is_fail(&report.chained) && report.has_failed());
    // It stands in the leaf: no envelope is needed.
    let redacted = read(&log.export_from(0, None, |_| Some(Withheld::Redacted))).unwrap();
    assert_eq!(redacted.contradictions, report.contradictions);
}

#[test]
fn a_statement_that_is_left_out_is_missed() {
    let chain = |left_out: &[usize]| {
        let mut log = Log::default();
        let mut a = Sandbox::new(11);
        let all = [
            a.delegation(),
            a.execution(1),
            a.execution(2),
            a.execution(3),
            a.close(),
        ];
        for (at, envelope) in all.into_iter().enumerate() {
            if !left_out.contains(&at) {
                log.push(envelope);
            }
        }
        log
    };
    let places = |left_out: &[usize]| {
        let report = chain(left_out).report();
        assert_eq!(is_fail(&report.chained), !report.missing.is_empty());
        let first = report.missing.first.iter();
        first
            .map(|missing| (missing.after, missing.before))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&[]), []);
    assert_eq!(places(&[1]), [(None, 1)]);
    assert_eq!(places(&[2]), [(Some(0), 2)]);
    assert_eq!(places(&[2, 3]), [(Some(0), 3)]);
    assert_eq!(places(&[1, 3]), [(None, 1), (Some(1), 3)]);
    // What comes behind the last one is not missed, if nothing closes the chain.
    assert_eq!(places(&[3, 4]), []);
    let open = chain(&[3, 4]).report();
    let not_closed = "what keys signed after, which were not closed in the range: 1".to_owned();
    assert!(open.not_checked.contains(&not_closed), "{open}");

    // Without the envelope behind the gap, nobody says whether a statement is missing there.
    let redacted = chain(&[2]).export_from(0, None, |_| Some(Withheld::Redacted));
    let redacted = read(&redacted).unwrap();
    assert!(redacted.missing.is_empty() && is_not_checked(&redacted.chained));
    assert_eq!(redacted.untold.first[0].before, 2);
}

#[test]
fn a_number_that_nothing_was_signed_under_is_no_omission() {
    let mut log = Log::default();
    let mut a = Sandbox::new(11);
    log.push(a.delegation());
    a.sequence = 7;
    log.push(a.execution(1));
    a.sequence += 3;
    log.push(a.execution(2));
    let report = log.report();
    assert!(
        is_pass(&report.chained) && report.untold.is_empty(),
        "{report}"
    );
}

#[test]
fn a_chain_that_is_not_one_is_seen() {
    let mut log = Log::default();
    let mut a = Sandbox::new(11);
    log.push(a.delegation());
    log.push(a.execution(1));
    a.previous = Digest::of(b"another statement under number 0");
    let second = a.execution(2);
    for reversed in [false, true] {
        let mut log = log.clone();
        if reversed {
            let first = log.0.pop().unwrap();
            log.push(second.clone());
            log.0.push(first);
        } else {
            log.push(second.clone());
        }
        let report = log.report();
        let [found] = report.contradictions.first[..] else {
            panic!("{report}")
        };
        assert_eq!((found.index, found.why), (2, Why::BreaksChain));
    }

    let mut closed = Log::default();
    let mut b = Sandbox::new(12);
    closed.push(b.delegation());
    closed.push(b.close());
    closed.push(b.execution(1));
    let report = closed.report();
    let [found] = report.contradictions.first[..] else {
        panic!("{report}")
    };
    assert_eq!((found.index, found.why), (2, Why::AfterClose));
    closed.0.swap(1, 2);
    let report = closed.report();
    assert_eq!(report.contradictions.first[0].why, Why::AfterClose);
}

#[test]
fn what_a_node_ends_is_of_no_chain_of_its_own() {
    let interrupted = |seed: u8, run: u8| {
        let statement = ExecutionStatement {
            outcome: Outcome::Interrupted,
            reexecutable: crate::Reexecutable::No {
                reason: "interrupted".to_owned(),
            },
            ..Sandbox::new(seed).statement(run)
        };
        Envelope::sign(PAYLOAD_TYPE, statement.to_payload(), &key(1))
    };
    let mut log = Log::default();
    // Both have number 0.
    log.push(interrupted(11, 1));
    log.push(interrupted(12, 2));
    log.push(Sandbox::new(13).delegation());
    log.push(interrupted(14, 3));
    for trust in [
        trust(),
        fixture::trust(),
        Trust::new(vec![], Require::default(), Origin::File).unwrap(),
    ] {
        let report = read_with(&log.export(), &trust).unwrap();
        assert!(report.contradictions.is_empty(), "{report}");
        let line = "the place in their chains of statements that nodes signed, or may have: 3";
        assert!(report.not_checked.contains(&line.to_owned()), "{report}");
    }
}

#[test]
fn too_many_gaps_of_one_key_are_not_followed() {
    let mut log = Log::default();
    let envelope = Sandbox::new(11).execution(1);
    let redacted = |_| Some(Withheld::Redacted);
    for n in 0..=crate::limits::EXPORT_KEY_RUNS_MAX as u64 {
        let leaf = Leaf::of(LeafKind::Execution, &envelope, Some(2 * n));
        log.0.push((leaf, envelope.clone()));
    }
    let report = read(&log.export_from(0, None, redacted)).unwrap();
    let line = "the numbers of statements, for too many keys or gaps: 1025".to_owned();
    assert!(report.not_checked.contains(&line), "{report}");
    assert!(is_not_checked(&report.chained) && report.untold.is_empty());
    log.0.pop();
    let report = read(&log.export_from(0, None, redacted)).unwrap();
    assert_eq!(report.untold.count, 1023);
    assert_eq!(
        report.untold.first.len(),
        crate::limits::EXPORT_FINDINGS_MAX
    );
    assert!(report.to_string().contains("and 1003 more"), "{report}");
}

proptest! {
    /// In whatever order entries come, and whichever are left out: what is missing is what a reader
    /// of all of them at once would say.
    #[test]
    fn gaps_are_those_that_are_there(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(), kept in prop::collection::vec(any::<bool>(), 12)) {
        let mut a = Sandbox::new(11);
        let delegation = a.delegation();
        let chain: Vec<Envelope> = (0..12).map(|run| a.execution(run)).collect();
        let mut log = Log::default();
        log.push(delegation);
        for at in order.into_iter().filter(|at| kept[*at]) {
            log.push(chain[at].clone());
        }
        let report = log.report();
        let mut expected = Vec::new();
        let mut before: Option<u64> = None;
        for at in (0..12_u64).filter(|at| kept[*at as usize]) {
            if at != before.map_or(0, |before| before + 1) {
                expected.push((before, at));
            }
            before = Some(at);
        }
        let found: Vec<_> = report.missing.first.iter().map(|missing| (missing.after, missing.before)).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(report.contradictions.is_empty() && report.untold.is_empty());
    }
}
