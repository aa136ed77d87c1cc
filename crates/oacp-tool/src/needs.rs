//! The permission map: what a package uses, by its text, beside what it asks for and what it is granted.
//!
//! It is an aid for people, not a boundary. Text does not say what a program does: a name can be computed, a call hidden, an import
//! fetched by another. Whatever this misses, the sandbox denies all the same; whatever it sees is shown so that somebody grants no more
//! than is of use, and learns before the first run what cannot work. So it follows no scopes, types or values: what is hard to tell apart by
//! its text counts as a use where that only adds a row, and as none where it would be said that something cannot work. Names and literals are
//! a stranger's: bounded, without control characters.

mod chain;
mod import;
mod javascript;
mod map;
mod modules;
mod python;
mod token;
mod walk;

use std::collections::BTreeSet;
use std::fmt;

use oacp::source::{Source, SourcePath};
use serde::Serialize;

pub use self::map::{Covered, PermissionMap, Right, Row, map};
use crate::limits::{NEED_PLACES_MAX, NEED_TEXT_BYTES_MAX, NEEDS_MAX};

/// What a package uses, as far as its text says so. Bounded: beyond [`NEEDS_MAX`] nothing is added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Each once, in the order in which it was met.
    pub list: Vec<Need>,
}

/// One thing that a package uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What, as `urllib.request` or `open("/data/a.csv")`.
    pub what: String,
    /// Where; at least one place, at most [`NEED_PLACES_MAX`].
    pub places: Vec<Place>,
    /// How many more places there are.
    pub more: usize,
    /// Which right it would need. `None`: none, or none would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<Wanted>,
    /// Whether it can work at all.
    pub works: Works,
}

/// A place where something is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// In a source.
    Line {
        /// The file.
        file: SourcePath,
        /// Counted from 1.
        line: u32,
    },
    /// An import of a component.
    Import {
        /// Its name.
        import: String,
    },
}

/// A right that would be needed. `None` where the text does not say which: it is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// To read a file or list a directory, by the path as it is written.
    FileRead(Option<String>),
    /// To make, change or remove it.
    FileWrite(Option<String>),
    /// To reach `host:port`.
    Network(Option<String>),
    /// To read an environment variable.
    Env(Option<String>),
    /// To call a tool.
    Tool(Option<String>),
}

/// Whether something can work in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Works {
    /// With the right, if it needs one.
    Yes,
    /// Never.
    No {
        /// What to do instead.
        instead: String,
    },
}

impl Need {
    /// Where, in one line: `main.py:3, lib.py:9 and 2 more`.
    pub fn why(&self) -> String {
        let places: Vec<_> = self.places.iter().map(Place::to_string).collect();
        let places = places.join(", ");
        match self.more {
            0 => places,
            more => format!("{places} and {more} more"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Import { import } => write!(f, "import of `{import}`"),
        }
    }
}

impl Needs {
    /// What a source uses: of its entry, and of the files beside it that this imports. Other languages than Python, JavaScript and
    /// TypeScript are not looked at.
    pub fn of_source(source: &Source) -> Self {
        let mut needs = Self::default();
        let entry = source.entry().as_str();
        match entry.rsplit_once('.').map(|(_, extension)| extension) {
            Some("py") => python::scan(source, &mut needs),
            Some("js" | "mjs" | "ts" | "mts") => javascript::scan(source, &mut needs),
            _ => {}
        }
        needs
    }

    /// What a component uses, by the names of its imports, as `wasi:http/outgoing-handler@0.2.6`.
    pub fn of_imports<'a>(imports: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needs = Self::default();
        for import in imports {
            import::scan(import, &mut needs);
        }
        needs
    }

    /// What cannot work, whatever is granted.
    pub fn impossible(&self) -> impl Iterator<Item = &Need> {
        self.list
            .iter()
            .filter(|need| matches!(need.works, Works::No { .. }))
    }

    /// Why a registered agent that has `tools` is not run: what cannot work, and calls of tools that it does not have. Other rights are no reason: of
    /// these a text says too little, for a file of the agent's own needs none.
    pub fn objections(&self, tools: &BTreeSet<&str>) -> Vec<String> {
        let objection = |need: &Need| match (&need.works, &need.capability) {
            (Works::No { instead }, _) => {
                let (what, why) = (&need.what, need.why());
                Some(format!("`{what}` cannot work ({why}): {instead}"))
            }
            (Works::Yes, Some(Wanted::Tool(Some(name)))) if !tools.contains(name.as_str()) => {
                let why = need.why();
                Some(format!(
                    "it calls the tool `{name}`, which it does not have ({why})"
                ))
            }
            _ => None,
        };
        self.list.iter().filter_map(objection).collect()
    }

    /// Adds a need, or a place to one that is there.
    fn add(&mut self, what: &str, place: Place, capability: Option<Wanted>, works: Works) {
        let what = bounded(what);
        let is_full = self.list.len() == NEEDS_MAX;
        let known = self
            .list
            .iter_mut()
            .find(|need| need.what == what && need.capability == capability && need.works == works);
        match known {
            Some(need) if need.places.contains(&place) => {}
            Some(need) if need.places.len() < NEED_PLACES_MAX => need.places.push(place),
            Some(need) => need.more += 1,
            None if is_full => {}
            None => self.list.push(Need {
                what,
                places: vec![place],
                more: 0,
                capability,
                works,
            }),
        }
    }

    fn wants(&mut self, what: &str, place: Place, capability: Wanted) {
        self.add(what, place, Some(capability), Works::Yes);
    }

    fn cannot(&mut self, what: &str, place: Place, instead: &str) {
        let instead = instead.to_owned();
        self.add(what, place, None, Works::No { instead });
    }
}

/// A stranger's text: cut where it is long, control characters taken out.
fn bounded(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > NEED_TEXT_BYTES_MAX {
            kept.push('…');
            break;
        }
        kept.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    kept
}
