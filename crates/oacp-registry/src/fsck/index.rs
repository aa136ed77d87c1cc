//! The index, row by row.

use std::io;

use oacp::leaf::Leaf;

use super::segments::Bundle;
use super::{Check, Severity};
use crate::head::Head;
use crate::index::{Audit, Audited, IndexError};
use crate::log::INDEX;
use crate::segment::SEGMENTS;

/// Rows of which the same is to be said.
#[derive(Default)]
struct Rows {
    first: u64,
    count: u64,
}

impl Rows {
    fn add(&mut self, first: u64, count: u64) {
        if self.count == 0 {
            self.first = first;
        }
        self.count += count;
    }
}

/// What is wrong with the rows.
#[derive(Default)]
struct Wrong {
    missing: Rows,
    rotten: Rows,
    hidden: Rows,
    foreign: Rows,
}

impl Check<'_> {
    /// Compares every row with its leaf, and looks for it as a repetition of its entry would.
    pub(super) fn index(&mut self, head: &Head) -> io::Result<()> {
        let path = self.storage.root().join(INDEX);
        if !path.exists() {
            self.note(INDEX, "is not there; opening the log makes it");
            return Ok(());
        }
        let audit = match Audit::open(&path) {
            Ok(audit) => audit,
            Err(IndexError::Unusable { reason }) => {
                self.note(INDEX, format!("{reason}; opening the log makes it anew"));
                return Ok(());
            }
            Err(error) => {
                self.note(INDEX, format!("could not be checked: {error}"));
                return Ok(());
            }
        };
        let remedy = self.remedy();
        let (mut next, mut wrong, mut bundle) = (0, Wrong::default(), None);
        loop {
            match audit.rows(next) {
                Ok(rows) if rows.is_empty() => break,
                Ok(rows) => {
                    for row in &rows {
                        self.row(row, next, &mut wrong, &mut bundle)?;
                        next = row.index.saturating_add(1);
                    }
                }
                Err(IndexError::Unusable { reason }) => {
                    let what = format!(
                        "cannot be read from the row of entry {next} on: {reason}; {remedy}"
                    );
                    self.damage(INDEX, what);
                    break;
                }
                Err(error) => {
                    let what =
                        format!("could not be checked from the row of entry {next} on: {error}");
                    self.note(INDEX, what);
                    break;
                }
            }
            (self.progress)(next.min(head.size()), head.size());
        }
        if next > head.size() {
            let what = format!("has {next} rows, the log has {} entries", head.size());
            self.damage(INDEX, what);
        }
        for (rows, what) in [
            (wrong.missing, "missing"),
            (wrong.rotten, "not what was written"),
            (wrong.hidden, "not found by the id of its entry"),
            (wrong.foreign, "of another entry"),
        ] {
            let Rows { first, count } = rows;
            match count {
                0 => {}
                1 => self.damage(
                    INDEX,
                    format!("the row of entry {first} is {what}; {remedy}"),
                ),
                _ => self.damage(
                    INDEX,
                    format!(
                        "of {count} rows, the first that of entry {first}, each is {what}; {remedy}"
                    ),
                ),
            }
        }
        Ok(())
    }

    /// What helps.
    fn remedy(&self) -> &'static str {
        let mut findings = self.report.findings.iter();
        let is_in_segments = findings.any(|finding| {
            finding.severity == Severity::Damage && finding.file.starts_with(SEGMENTS)
        });
        match is_in_segments {
            true => "it cannot be made anew while a segment is damaged: restore that first",
            false => "`oacp log reindex` makes the index anew",
        }
    }

    fn row(
        &self,
        row: &Audited,
        expected: u64,
        wrong: &mut Wrong,
        bundle: &mut Option<Bundle>,
    ) -> io::Result<()> {
        let index = row.index;
        if index > expected {
            wrong.missing.add(expected, index - expected);
        }
        if !row.is_found {
            wrong.hidden.add(index, 1);
        }
        let Some(located) = row.located else {
            wrong.rotten.add(index, 1);
            return Ok(());
        };
        if !self.is_comparable(index) {
            return Ok(());
        }
        let leaf = self.entry(index, bundle)?;
        if let Some(leaf) = leaf.and_then(|leaf| Leaf::parse(leaf).ok())
            && (leaf.kind != located.kind || !located.may_be(&leaf.pae))
        {
            wrong.foreign.add(index, 1);
        }
        Ok(())
    }
}
