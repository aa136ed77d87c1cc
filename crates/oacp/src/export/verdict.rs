//! What is concluded at the end of an export.

use super::begins::Begun;
use super::report::{ExportReport, Signatures};
use super::sequences::Followed;
use crate::report::Verdict;

impl ExportReport {
    /// The verdicts, and what was not checked. `since`: whether the log signed the checkpoint of
    /// the first line; `None`: there is none.
    pub(super) fn conclude(&mut self, followed: Followed, begins: Begun, since: Option<bool>) {
        let count = self.to - self.from;
        self.complete = Verdict::Pass {
            detail: match (self.from, count) {
                (_, 0) => "no entries, and the checkpoint has no others".to_owned(),
                (0, _) => {
                    format!("{count} entries, each in its place: all that the checkpoint has")
                }
                (from, _) => format!(
                    "{count} entries from {from} on, each in its place: all that the checkpoint has beyond the {from} before"
                ),
            },
        };
        self.signed = signed(self);
        self.keys = followed.keys;
        self.contradictions = followed.contradictions;
        self.missing = followed.missing;
        self.untold = followed.untold;
        self.unfinished = begins.unfinished;
        self.chained = chained(self, followed.unfollowed);

        let mut list = Vec::new();
        let mut add = |count: u64, text: &str| {
            if count > 0 {
                list.push(format!("{text}: {count}"));
            }
        };
        add(self.redacted, "envelopes that the exporter left out");
        add(self.pruned, "envelopes that the log does not have any more");
        add(
            self.signatures.unknown_key,
            "signatures of keys that no trusted node's delegation in the range is to",
        );
        add(
            self.signatures.unreadable,
            "envelopes of a type or version that is not known here",
        );
        add(
            followed.beginnings_unknown,
            "what keys signed before, whose delegation is not in the range",
        );
        add(
            followed.ends_unknown,
            "what keys signed after, which were not closed in the range",
        );
        add(
            followed.by_nodes,
            "the place in their chains of statements that nodes signed, or may have",
        );
        add(
            followed.unfollowed,
            "the numbers of statements, for too many keys or gaps",
        );
        add(
            begins.ends_withheld,
            "which executions ended, where the envelope is not there or was not taken",
        );
        add(
            begins.begins_withheld,
            "which executions were begun, where the envelope is not there or was not taken",
        );
        add(
            begins.unfollowed,
            "whether executions ended, for too many that did not",
        );
        if self.from > 0 {
            list.push(format!("the entries before {}", self.from));
        }
        if since == Some(false) {
            list.push(format!(
                "that the log signed the checkpoint of {} entries, with which the export begins",
                self.from
            ));
        }
        list.push("runs that were never begun in the log".to_owned());
        list.push("the truth of what the entries say".to_owned());
        self.not_checked = list;
    }
}

fn signed(report: &ExportReport) -> Verdict {
    let Signatures {
        verified,
        unknown_key,
        unreadable,
        wrong,
    } = &report.signatures;
    if !wrong.is_empty() {
        return Verdict::Fail {
            detail: format!(
                "{} of {} envelopes are such as no log should hold",
                wrong.count, report.payloads
            ),
        };
    }
    match unknown_key + unreadable {
        0 if *verified == 0 => not_checked("there are no envelopes"),
        0 => Verdict::Pass {
            detail: format!("{verified} envelopes, each signed by a key that may sign it"),
        },
        others => not_checked(&format!(
            "{others} of {} envelopes could not be checked; {verified} are signed by a key that may sign them",
            report.payloads
        )),
    }
}

fn chained(report: &ExportReport, unfollowed: u64) -> Verdict {
    let (contradictions, missing) = (report.contradictions.count, report.missing.count);
    if contradictions > 0 {
        return Verdict::Fail {
            detail: format!("{contradictions} statements contradict others of their key"),
        };
    }
    if missing > 0 {
        return Verdict::Fail {
            detail: format!(
                "statements are missing in {missing} places: left out, or logged outside of the range"
            ),
        };
    }
    match (report.keys, report.untold.count, unfollowed) {
        (0, _, 0) => not_checked("there are no statements"),
        (keys, 0, 0) => Verdict::Pass {
            detail: format!(
                "the statements of {keys} keys follow each other, and none is missing between them"
            ),
        },
        (_, 0, _) => not_checked("there are too many keys or gaps to follow all"),
        (_, untold, _) => not_checked(&format!(
            "numbers are missing in {untold} places, and the envelope that would say whether statements are is withheld"
        )),
    }
}

pub(super) fn not_checked(reason: &str) -> Verdict {
    Verdict::NotChecked {
        reason: reason.to_owned(),
    }
}
