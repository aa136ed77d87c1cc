//! The permission map for people and programs: what a package's text uses, beside what it asks for and what it is granted.

use oacp::capability::{Capabilities, GuestPath};
use oacp_tool::needs::{self, Covered, Need, Needs, PermissionMap, Right, Row, Works};
use serde::Serialize;

use crate::console::{DIM, YELLOW};
use crate::escape::visible;

/// A column is not made wider than this; what is longer moves what follows it.
const COLUMN_MAX: usize = 40;

/// A package's rights.
#[derive(Serialize)]
pub(crate) struct Permissions<'a> {
    #[serde(flatten)]
    map: PermissionMap,
    /// What cannot work, whatever is granted, and what to do instead.
    cannot_work: Vec<&'a Need>,
    #[serde(skip)]
    has_manifest: bool,
}

impl<'a> Permissions<'a> {
    /// `asked` is what its manifest asks for; `None` if it has none. Relative paths of the package's text start at `base`.
    pub(crate) fn of(
        needs: &'a Needs,
        asked: Option<&Capabilities>,
        granted: &Capabilities,
        base: &GuestPath,
    ) -> Self {
        let nothing = Capabilities::default();
        Self {
            map: needs::map(needs, asked.unwrap_or(&nothing), granted, base),
            cannot_work: needs.impossible().collect(),
            has_manifest: asked.is_some(),
        }
    }

    /// A line for each right, then one for each thing that cannot work.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = self.rights();
        lines.extend(self.cannot_work.iter().map(|need| cannot_work(need)));
        lines
    }

    /// A line for each right.
    pub(crate) fn rights(&self) -> Vec<String> {
        let rows: Vec<_> = self
            .map
            .rows
            .iter()
            .map(|row| (row, columns(row)))
            .collect();
        let width = |of: fn(&(String, String)) -> &String| {
            let widths = rows.iter().map(|(_, columns)| of(columns).chars().count());
            widths.max().unwrap_or_default().min(COLUMN_MAX)
        };
        let (what_width, use_width) = (width(|columns| &columns.0), width(|columns| &columns.1));
        let mut lines = Vec::new();
        for (row, (what, used)) in &rows {
            let mut state = granted(row).to_owned();
            if self.has_manifest {
                state = format!("{}, {state}", asked(row.asked));
            }
            let is_odd = match row.why {
                Some(_) => row.granted == Covered::No,
                None => row.granted != Covered::No && row.capability != Right::Secrets,
            };
            let style = if is_odd { YELLOW } else { DIM };
            lines.push(format!(
                "  {:<10} {what:<what_width$}  {used:<use_width$}  {style}{state}{style:#}",
                row.capability.to_string()
            ));
        }
        lines
    }
}

/// What it is for, and where it is used.
fn columns(row: &Row) -> (String, String) {
    let used = match &row.why {
        Some(why) => format!("used at {}", visible(why)),
        None if row.capability == Right::Secrets => "put in outside of the sandbox".to_owned(),
        None => "not seen to be used".to_owned(),
    };
    (visible(&row.what).to_string(), used)
}

fn asked(asked: Covered) -> &'static str {
    match asked {
        Covered::Yes => "asked for",
        Covered::Some => "some asked for",
        Covered::No => "not asked for",
    }
}

fn granted(row: &Row) -> &'static str {
    match row.granted {
        Covered::Yes => "granted",
        // Which one is used is computed.
        Covered::Some => "some granted",
        Covered::No => "not granted",
    }
}

fn cannot_work(need: &Need) -> String {
    let instead = match &need.works {
        Works::No { instead } => instead.as_str(),
        Works::Yes => "",
    };
    format!(
        "  {YELLOW}cannot work{YELLOW:#}: {} ({}): {}",
        visible(&need.what),
        visible(&need.why()),
        visible(instead)
    )
}
