//! What a report says of logging and of time.

use super::{Grade, Verdict};
use crate::begin::Begin;
use crate::event::Event;
use crate::logged::{LogCheck, Logged, TimeCheck};
use crate::verified::Verified;

impl Verified {
    pub(super) fn logged_verdict(&self) -> Verdict {
        let reason = match (&self.log, &self.statement().log) {
            (LogCheck::Logged(logged), _) => {
                return Verdict::Pass {
                    detail: shown(logged),
                };
            }
            (LogCheck::NoPolicy, _) => {
                "its proofs lead to checkpoints of a log, and no log is trusted".to_owned()
            }
            (LogCheck::NoProof, Some(log)) => {
                format!("it is for the log `{log}`, and no proof that it is there is in the bundle")
            }
            (LogCheck::NoProof, None) => "it is for no log, and there is no log proof".to_owned(),
        };
        Verdict::NotChecked { reason }
    }

    pub(super) fn time_verdict(&self) -> Verdict {
        let signed = self.statement().timestamp;
        match self.time {
            TimeCheck::NotWitnessed => Verdict::NotChecked {
                reason: match self.log {
                    LogCheck::NoPolicy => {
                        "no witness is trusted; the timestamp is the node's own".to_owned()
                    }
                    _ => "no witness's time is in the bundle; the timestamp is the node's own"
                        .to_owned(),
                },
            },
            TimeCheck::Holds { witnessed } => {
                let after_s = (witnessed.unix_ms() - signed.unix_ms()).max(0) / 1000;
                let bound = match self.time_bound_s {
                    Some(bound) => format!("of at most {bound} s"),
                    None => "and no bound is required".to_owned(),
                };
                Verdict::Pass {
                    detail: format!(
                        "signed at {signed} by the node's clock; witnesses had seen it in the log by {witnessed}, {after_s} s later, {bound}"
                    ),
                }
            }
            TimeCheck::Before { witnessed } => Verdict::Fail {
                detail: format!(
                    "signed at {signed} by the node's clock, and witnesses had seen it in the log by {witnessed}, before that"
                ),
            },
            TimeCheck::AfterDelegation { witnessed } => Verdict::NotChecked {
                reason: format!(
                    "witnesses had seen it in the log by {witnessed}, when the key's delegation had ended: nothing shows that it was signed before"
                ),
            },
            // A bound that is required and exceeded is a refusal; there is no such report.
            TimeCheck::BeyondBound { witnessed } => Verdict::Fail {
                detail: format!(
                    "signed at {signed} by the node's clock, and witnesses had seen it in the log only by {witnessed}"
                ),
            },
        }
    }

    /// Was it captured while running, or assembled after?
    pub(super) fn captured(&self) -> (Grade, String) {
        let Some((logged, begin)) = self.begun() else {
            return (
                Grade::Assertion,
                "the signer says while running; no log entry precedes it".to_owned(),
            );
        };
        let index = logged.index();
        if !self.begun_under_witnesses() {
            return (
                Grade::Assertion,
                format!(
                    "the signer says while running; the log has its begin at index {begin}, before it at {index}"
                ),
            );
        }
        let seed = match self.begin().and_then(|begin| begin.seed_commitment) {
            Some(_) => "agent, input, rights and seed",
            None => "agent, input and rights",
        };
        (
            Grade::Recheckable,
            format!(
                "{seed} were settled at index {begin} of the log, by a checkpoint that witnesses cosigned, before the statement came into it at {index}; whether the same was run before that, nothing shows"
            ),
        )
    }

    /// Would an omission be visible?
    pub(super) fn omission(&self) -> (Grade, String) {
        let within = match (self.events(), self.disclosed()) {
            (Some(_), _) => "within this run: no event can be left out after signing",
            (None, Some(_)) => "no: which events are withheld is visible, what they are is not",
            (None, None) => "no: the events are not in the bundle",
        };
        if self.begun().is_none() {
            let grade = match self.events() {
                Some(_) => Grade::Assertion,
                None => Grade::NoInformation,
            };
            let whole = match self.events() {
                Some(_) => ". A run that was left out as a whole is not visible",
                None => ", and a run that was left out as a whole is not visible",
            };
            return (grade, format!("{within}{whole}"));
        }
        let grade = match self.events() {
            Some(_) if self.begun_under_witnesses() => Grade::Recheckable,
            _ => Grade::Assertion,
        };
        (
            grade,
            format!(
                "{within}. A run that was begun in the log and left out is visible there; one that was not begun there is not"
            ),
        )
    }

    /// What happened when recording or delivery failed?
    pub(super) fn undelivered(&self) -> (Grade, String) {
        match self.begun() {
            None => (
                Grade::NoInformation,
                "without a log entry at the begin, a run whose statement was never delivered leaves no trace"
                    .to_owned(),
            ),
            // That the signer's other runs are begun like this one is its practice, and no more.
            Some((_, begin)) => (
                Grade::Assertion,
                format!(
                    "this run was begun in the log, at index {begin}: without its statement, it would stand there as begun and not ended"
                ),
            ),
        }
    }

    /// What was not checked of the log and of the sandbox's chain of statements.
    pub(super) fn not_checked_of_log(&self) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        let mut add = |text: &str| list.push(text.to_owned());
        match &self.log {
            LogCheck::NoProof => add("that it was logged: there is no log proof"),
            LogCheck::NoPolicy => add("that it was logged: no log is trusted"),
            LogCheck::Logged(logged) => {
                if logged.witnesses().is_empty() {
                    add("that others were shown the same log: no witness cosigned it");
                }
                if self.begin().is_some() && logged.begin_index().is_none() {
                    add("that its begin was logged");
                }
            }
        }
        let sequence = self.statement().sequence;
        let is_next = |begin: &&Begin| begin.sequence.checked_add(1) == Some(sequence);
        match self.begin().filter(is_next).map(|begin| begin.sequence) {
            Some(0) => {}
            Some(_) => {
                add("the sandbox's statement before the begin, which is not in the bundle");
            }
            None if sequence == 0 => {}
            None => add("the sandbox's previous statement, which is not in the bundle"),
        }
        let commits = self
            .begin()
            .is_some_and(|begin| begin.seed_commitment.is_some());
        if commits && !self.shows_start() {
            add("the seed against what the begin commits to: event 0 is withheld");
        }
        list
    }

    /// What nothing in a bundle can show of the signer's other runs.
    pub(super) fn not_checked_of_others(&self) -> &'static [&'static str] {
        match self.begun() {
            None => &["whether other runs were begun and never stated"],
            Some(_) => &[
                "whether other runs were begun in the log and never stated: it was not searched",
                "whether other runs were never begun in the log",
            ],
        }
    }

    /// The execution's place in a trusted log, and its begin's before it.
    fn begun(&self) -> Option<(&Logged, u64)> {
        let logged = self.logged()?;
        Some((logged, logged.begin_index()?))
    }

    fn begun_under_witnesses(&self) -> bool {
        self.logged()
            .is_some_and(|logged| logged.begun_under_witnesses)
    }

    fn shows_start(&self) -> bool {
        let disclosed = self.disclosed().and_then(|events| events.get(&0));
        let first = self.events().and_then(<[Event]>::first).or(disclosed);
        matches!(first, Some(Event::Start { .. }))
    }
}

fn shown(logged: &Logged) -> String {
    let place = format!(
        "at index {} of `{}`, by a checkpoint of {} entries that the log signed",
        logged.index(),
        logged.origin(),
        logged.size()
    );
    match logged.witnesses() {
        [] => format!("{place} and no witness cosigned"),
        [one] => format!("{place} and the witness `{one}` cosigned"),
        witnesses => format!(
            "{place} and {} witnesses cosigned: `{}`",
            witnesses.len(),
            witnesses.join("`, `")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, FullCase, WITNESSED_S};
    use crate::proofs::Proven;
    use crate::replay::ReplayVerdict;
    use crate::report::Report;
    use crate::statement::Level;
    use crate::trust::{Origin, Require, Revoked, Trust, TrustedNode};
    use crate::verify::Expectation;
    use oacp_tlog::Policy;

    fn report(verified: &Verified) -> Report {
        verified.report(&ReplayVerdict::NotChecked {
            reason: "no runtime".to_owned(),
        })
    }

    fn altered(alter: impl FnOnce(&mut FullCase)) -> Report {
        let mut full = FullCase::new();
        full.case.statement.level = Level::Execution;
        alter(&mut full);
        let bundle = full.bundle();
        let verified = bundle.verify(
            &fixture::log_trust(),
            &Expectation::default(),
            fixture::now(),
        );
        report(&verified.unwrap())
    }

    fn has(report: &Report, line: &str) -> bool {
        report.not_checked.iter().any(|text| text.starts_with(line))
    }

    #[test]
    fn a_log_shows_that_it_was_published_and_when_it_had_been_seen() {
        let verified = fixture::full_verified();
        let text = report(&verified).to_string();
        let expected = "Logged           pass         at index 9 of `log.example/1`, by a checkpoint of 11 entries that the log signed and the witness `w1` cosigned\nTime validity    pass         signed at 2026-11-22T20:14:05.123Z by the node\\'s clock; witnesses had seen it in the log by 2026-11-22T20:14:06.000Z, 0 s later, and no bound is required\n";
        assert!(text.contains(expected), "{text}");
        let logged = verified.logged().unwrap();
        assert_eq!((logged.index(), logged.size()), (9, 11));
        assert_eq!(
            (logged.begin_index(), logged.delegation_index()),
            (Some(5), Some(3))
        );
        assert_eq!(logged.witnesses(), ["w1"]);
        let witnessed = logged.witness_time().unwrap();
        assert_eq!(witnessed.unix_ms(), WITNESSED_S as i64 * 1000);

        let report = report(&verified);
        for (question, grade) in [
            (1, Grade::Recheckable),
            (3, Grade::Recheckable),
            (4, Grade::Assertion),
        ] {
            let question = &report.questions[question];
            assert_eq!(question.grade, grade, "{question:?}");
        }
        for line in ["that ", "the sandbox's", "the seed"] {
            assert!(!has(&report, line), "{line}: {:?}", report.not_checked);
        }
        assert!(has(
            &report,
            "whether other runs were never begun in the log"
        ));
    }

    #[test]
    fn without_a_log_it_says_so() {
        let report = report(&fixture::verified());
        assert!(matches!(report.logged, Verdict::NotChecked { .. }));
        assert!(has(&report, "that it was logged: there is no log proof"));
        assert!(
            report.questions[1]
                .answer
                .ends_with("no log entry precedes it")
        );
        assert_eq!(report.questions[4].grade, Grade::NoInformation);
    }

    #[test]
    fn a_log_without_witnesses_is_its_own_word() {
        let full = FullCase::new();
        let log = full.log();
        let mut bundle = full.case.bundle().with_begin(full.begin_envelope());
        for (of, index) in [
            (Proven::Delegation, fixture::DELEGATION_INDEX),
            (Proven::Begin, fixture::BEGIN_INDEX),
            (Proven::Execution, fixture::EXECUTION_INDEX),
        ] {
            let proof = log.proof(index, log.checkpoint(11));
            bundle.add_proof(of, proof).unwrap();
        }
        let policy = Policy::parse(fixture::log_policy_alone().as_bytes()).unwrap();
        let trust = fixture::trust().with_log_policy(policy).unwrap();
        let verified = bundle
            .verify(&trust, &Expectation::default(), fixture::now())
            .unwrap();
        let report = report(&verified);
        let Verdict::Pass { detail } = &report.logged else {
            panic!("{:?}", report.logged)
        };
        assert!(detail.ends_with("and no witness cosigned"), "{detail}");
        assert!(has(&report, "that others were shown the same log"));
        assert!(matches!(report.time_validity, Verdict::NotChecked { .. }));
        for question in [1, 3, 4] {
            assert_eq!(report.questions[question].grade, Grade::Assertion);
        }
    }

    #[test]
    fn a_begin_that_was_seen_only_with_the_end_is_graded_lower() {
        let report = altered(|full| full.begin_at = Some((11, WITNESSED_S)));
        assert_eq!(report.questions[1].grade, Grade::Assertion);
        assert!(report.questions[1].answer.contains("at index 5"));
    }

    #[test]
    fn what_is_missing_of_the_chain_is_named() {
        let unproven = altered(|full| full.begin_at = None);
        assert!(has(&unproven, "that its begin was logged"));
        assert_eq!(unproven.questions[4].grade, Grade::NoInformation);
        let later = altered(|full| {
            full.begin.sequence = 4;
            full.case.statement.sequence = 5;
            full.case.statement.previous = full.begin_envelope().pae_digest();
        });
        assert!(has(&later, "the sandbox's statement before the begin"));
        let apart = altered(|full| full.case.statement.sequence = 2);
        assert!(has(&apart, "the sandbox's previous statement"));
        let full = FullCase::new();
        let redacted = full.bare().verify(
            &fixture::log_trust(),
            &Expectation::default(),
            fixture::now(),
        );
        assert!(has(&report(&redacted.unwrap()), "the seed against"));
        assert!(!has(
            &report(&fixture::verified()),
            "the sandbox's previous statement"
        ));
    }

    #[test]
    fn a_time_that_does_not_hold_is_no_pass() {
        let before = altered(|full| full.execution_at = Some((11, WITNESSED_S - 2)));
        assert!(matches!(before.time_validity, Verdict::Fail { .. }));
        let after = altered(|full| full.execution_at = Some((11, WITNESSED_S + 7200)));
        assert!(matches!(after.time_validity, Verdict::NotChecked { .. }));
    }

    #[test]
    fn without_a_policy_proofs_show_nothing() {
        let mut full = FullCase::new();
        full.case.statement.level = Level::Execution;
        let verified =
            full.bundle()
                .verify(&fixture::trust(), &Expectation::default(), fixture::now());
        let verified = verified.unwrap();
        assert_eq!(verified.logged(), None);
        let report = report(&verified);
        assert!(matches!(report.logged, Verdict::NotChecked { .. }));
        assert!(matches!(report.time_validity, Verdict::NotChecked { .. }));
        assert!(has(&report, "that it was logged: no log is trusted"));
    }

    #[test]
    fn a_revoked_node_is_named_even_where_it_is_still_trusted() {
        let node = TrustedNode {
            revoked: Some(Revoked {
                tree_size: 10,
                log: None,
            }),
            ..fixture::trusted(1)
        };
        let trust = Trust::new(vec![node], Require::default(), Origin::File).unwrap();
        let policy = Policy::parse(fixture::log_policy().as_bytes()).unwrap();
        let verified = FullCase::new().bare().verify(
            &trust.with_log_policy(policy).unwrap(),
            &Expectation::default(),
            fixture::now(),
        );
        let warnings = report(&verified.unwrap()).warnings;
        assert!(
            warnings[0].contains("is revoked from index 10"),
            "{warnings:?}"
        );
    }
}
