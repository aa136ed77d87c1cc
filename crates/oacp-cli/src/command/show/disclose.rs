//! `oacp show --disclose`: some events for a reader who is to see no more.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use oacp::bundle::Bundle;
use oacp::limits::EVENTS_MAX;
use serde_json::json;

use super::story::name;
use crate::console::{Console, YELLOW};
use crate::failure::{Exit, Failure, Judge};
use crate::file::{Existing, Readers};
use crate::home::shown;
use crate::{bundle_file, measure};

/// An event by its number, or several: `3`, `5-7`.
#[derive(Clone, Debug)]
pub(super) struct Events(RangeInclusive<u64>);

impl FromStr for Events {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| {
            let number: Option<u64> = text.parse().ok();
            number.filter(|number| *number < EVENTS_MAX as u64)
        };
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err("expected the number of an event, or a range as 3-7".to_owned()),
        }
    }
}

pub(super) fn disclose(
    bundle: &Bundle,
    events: &[Events],
    out: &Path,
    existing: Existing,
    console: &Console,
) -> Result<Exit, Failure> {
    let indexes: BTreeSet<u64> = events.iter().flat_map(|events| events.0.clone()).collect();
    let disclosed = bundle
        .disclose(&indexes)
        .or_usage()
        .or_hint(|| "`oacp show --events` lists the events that the bundle has".to_owned())?;
    // Made to be given to somebody, and not to anybody.
    bundle_file::write(out, &disclosed, existing, Readers::Owner)?;
    let size = std::fs::metadata(out)?.len();
    let private: Vec<String> = disclosed.private().iter().map(|kind| name(*kind)).collect();
    if console.json {
        console.print_json(&json!({
            "bundle": out,
            "size": size,
            "events": indexes,
            "private": private,
        }))?;
    } else {
        console.print(&format!(
            "wrote {} ({}): {} of the run, and of the others only that they are there; it can be verified, and not run again",
            shown(out),
            measure::bytes(size),
            measure::plural(indexes.len() as u64, "event"),
        ))?;
        if indexes.contains(&0) {
            console.note(&format!(
                "{YELLOW}note{YELLOW:#}: event 0 holds the seed: who has it can compute what the agent drew at random"
            ));
        }
    }
    Ok(Exit::Yes)
}
