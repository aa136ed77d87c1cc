//! What an export shows: that its entries are all there, what they say of each other, and what was
//! not checked.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Withheld;
use crate::id::{ExecutionId, LogOrigin};
use crate::key::KeyId;
use crate::limits::EXPORT_FINDINGS_MAX;
use crate::report::Verdict;

/// What came of reading an export to its end. The JSON form is stable: fields are added, never
/// renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// The log's.
    pub origin: LogOrigin,
    /// The first index.
    pub from: u64,
    /// One past the last index: the checkpoint's size.
    pub to: u64,
    /// The checkpoint's root, in base64.
    pub root: String,
    /// Whether every entry of the range is there, in its place.
    pub complete: Verdict,
    /// Whether the log that the trust file names signed the checkpoint, and who cosigned it.
    pub published: Verdict,
    /// Whether the envelopes that are there were signed by who may sign them.
    pub signed: Verdict,
    /// Whether each key's statements follow each other, and none is missing between them.
    pub chained: Verdict,
    /// Entries with their envelope.
    pub payloads: u64,
    /// Entries whose envelope the exporter left out.
    pub redacted: u64,
    /// Entries whose envelope the log does not have any more.
    pub pruned: u64,
    /// What came of the envelopes.
    pub signatures: Signatures,
    /// Keys of sandboxes: that signed statements, or were delegated to.
    pub keys: u64,
    /// Statements that contradict others of their key.
    pub contradictions: Findings<Contradiction>,
    /// Places where a statement names one before it that is not in the range.
    pub missing: Findings<Missing>,
    /// Places where numbers are missing, and whether statements are cannot be told: the envelope
    /// behind them is withheld.
    pub untold: Findings<Missing>,
    /// Executions that were announced, and of which no end is in the range.
    pub unfinished: Findings<Unfinished>,
    /// What nobody checked.
    pub not_checked: Vec<String>,
}

/// What came of the envelopes that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signatures {
    /// Judged as a log has to judge them, and taken.
    pub verified: u64,
    /// By a key of a node that is not trusted, or that no delegation in the range is to.
    pub unknown_key: u64,
    /// Of a type or version that is not known here.
    pub unreadable: u64,
    /// Such as no log should have taken.
    pub wrong: Findings<WrongEntry>,
}

/// How many, and the first of them: at most [`EXPORT_FINDINGS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings<T> {
    /// How many.
    pub count: u64,
    /// The first ones.
    pub first: Vec<T>,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self {
            count: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Findings<T> {
    pub(super) fn push(&mut self, finding: T) {
        self.count += 1;
        if self.first.len() < EXPORT_FINDINGS_MAX {
            self.first.push(finding);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// An envelope such as no log should have taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongEntry {
    /// Of the entry.
    pub index: u64,
    /// A stable word: that of [`EntryError::code`](crate::EntryError::code), or `leaf_mismatch`.
    pub code: String,
    /// For people.
    pub reason: String,
}

/// A statement that contradicts another one of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// The key.
    pub key_id: KeyId,
    /// The statement's number.
    pub sequence: u64,
    /// Of the entry that was met later.
    pub index: u64,
    /// In what.
    pub why: Why,
}

/// In what a statement contradicts another one of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// An earlier entry has the same number: the signer said two things under it.
    Repeated,
    /// It, or the statement with the next number, names another one as the one before.
    BreaksChain,
    /// One with a lower number closed the key's chain.
    AfterClose,
}

/// Numbers of a key for which there is no statement in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The key.
    pub key_id: KeyId,
    /// The number of the statement before. `None`: the delegation comes before.
    pub after: Option<u64>,
    /// The number of the statement behind, which names another one as the one before it.
    pub before: u64,
}

/// An execution that was announced, and of which no end is in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Of the entry that announces it.
    pub index: u64,
}

impl ExportReport {
    /// Whether something was checked and does not hold.
    pub fn has_failed(&self) -> bool {
        [&self.complete, &self.published, &self.signed, &self.chained]
            .into_iter()
            .any(|verdict| matches!(verdict, Verdict::Fail { .. }))
    }

    pub(super) fn count_withheld(&mut self, withheld: Withheld) {
        match withheld {
            Withheld::Redacted => self.redacted += 1,
            Withheld::Pruned => self.pruned += 1,
        }
    }
}

impl fmt::Display for WrongEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.reason.escape_debug())
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::Repeated => "was given before, by another entry",
            Why::BreaksChain => "does not stand in one chain with the number beside it",
            Why::AfterClose => "comes after the one that closed the chain",
        };
        let Self {
            key_id,
            sequence,
            index,
            ..
        } = self;
        write!(f, "entry {index}: number {sequence} of key {key_id} {why}")
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: before number {}", self.key_id, self.before)?;
        match self.after {
            Some(after) => write!(f, ", after number {after}"),
            None => f.write_str(", after the delegation"),
        }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: execution {}", self.index, self.execution_id)
    }
}

impl fmt::Display for ExportReport {
    /// For a terminal, without colours. Words that a stranger chose are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Complete         {}", self.complete)?;
        writeln!(f, "Published        {}", self.published)?;
        writeln!(f, "Signatures       {}", self.signed)?;
        writeln!(f, "Chains           {}", self.chained)?;
        list(f, "Such as no log should hold", &self.signatures.wrong)?;
        list(f, "Contradictions", &self.contradictions)?;
        list(f, "Statements that are missing", &self.missing)?;
        list(f, "Numbers that are missing", &self.untold)?;
        list(f, "Begun, and no end in the range", &self.unfinished)?;
        if !self.not_checked.is_empty() {
            writeln!(f, "\nNot checked:")?;
        }
        for text in &self.not_checked {
            writeln!(f, "  - {}", text.escape_debug())?;
        }
        Ok(())
    }
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    findings: &Findings<T>,
) -> fmt::Result {
    /// More are for programs.
    const SHOWN: usize = 20;
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}:")?;
    for finding in findings.first.iter().take(SHOWN) {
        writeln!(f, "  - {finding}")?;
    }
    match findings.count.checked_sub(SHOWN as u64) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(f, "  - and {more} more"),
    }
}
