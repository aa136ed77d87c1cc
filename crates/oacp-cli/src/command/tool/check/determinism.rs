//! Whether an example always comes out alike, and if not, by what.

use oacp::Verified;
use oacp::replay::{ReplayVerdict, Replayed};
use oacp::tool::Definition;
use oacp_gateway::{Execution, re_execute_all};
use oacp_sandbox::Patience;
use serde::Serialize;

use super::super::trial::{CLOCK_START_MS, Start, Trial};
use crate::failure::Failure;
use crate::tool::Workbench;
use crate::tool::example::Example;

/// How often a recording is run again, and how often the tool is run anew.
pub(super) const TIMES: usize = 10;

/// Bytes of an event or an output that are shown.
const SHOWN_BYTES: usize = 160;

/// What came of running one example again.
#[derive(Serialize)]
pub(super) struct Determinism {
    /// Replays of its recording that were confirmed, of [`TIMES`].
    pub(super) confirmed: usize,
    /// Of the first replay that was not: where it diverged, or why it cannot be had.
    pub(super) not_confirmed: Option<String>,
    /// Where a fresh run from the same seed and clock first differed: what the tool reads from outside did.
    pub(super) differs: Option<Difference>,
    /// What else the result depends on.
    pub(super) depends_on: Vec<Source>,
}

/// Where two runs first differ.
#[derive(Serialize)]
pub(super) struct Difference {
    /// The number of the event. `None`: every event is the same, and the output differs.
    pub(super) event: Option<usize>,
    /// What one run has there, in short.
    pub(super) one: String,
    /// What another has.
    pub(super) another: String,
}

/// What a result can depend on besides the arguments, when everything outside stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    Randomness,
    Clock,
}

impl Determinism {
    /// Of an example that was run.
    pub(super) fn of(
        trial: &Trial<'_>,
        (example, definition): (&Example, &Definition),
        first: &Execution,
        apart: &Workbench,
    ) -> Result<Self, Failure> {
        let recorded = trial.verified(first)?;
        let mut determinism = Self {
            confirmed: 0,
            not_confirmed: None,
            differs: None,
            depends_on: Vec::new(),
        };
        for _ in 0..TIMES {
            match replayed(&recorded, apart) {
                None => determinism.confirmed += 1,
                not => determinism.not_confirmed = determinism.not_confirmed.or(not),
            }
        }
        let run = |start| trial.call(definition, &example.arguments, start);
        for _ in 0..TIMES {
            if let Some(again) = run(Start::default())?.execution {
                determinism.differs = difference(&recorded, &trial.verified(&again)?);
            }
            if determinism.differs.is_some() {
                return Ok(determinism);
            }
        }
        let other_seed = Start {
            seed: [1; 32],
            ..Start::default()
        };
        let other_time = Start {
            // Another second, minute, hour, day, month and year.
            clock_ms: CLOCK_START_MS + 1000 * (1 + 60 + 3600 + 86_400 * (366 + 32)),
            ..Start::default()
        };
        for (source, start) in [
            (Source::Randomness, other_seed),
            (Source::Clock, other_time),
        ] {
            if run(start)?
                .execution
                .is_some_and(|other| other.output != first.output)
            {
                determinism.depends_on.push(source);
            }
        }
        Ok(determinism)
    }
}

/// Runs the recording again, and those of the tools that it called. `None`: all is confirmed.
fn replayed(recorded: &Verified, apart: &Workbench) -> Option<String> {
    let replayed = re_execute_all(
        recorded,
        &apart.engine,
        &apart.languages,
        Patience::default(),
        &|_| {},
    );
    not_confirmed(&apart.executor.block_on(replayed))
}

fn not_confirmed(replayed: &Replayed) -> Option<String> {
    match &replayed.verdict {
        ReplayVerdict::Confirmed { .. } => replayed.children.iter().find_map(not_confirmed),
        ReplayVerdict::Diverged {
            at,
            recorded,
            replayed,
        } => Some(format!(
            "diverged at {at}: recorded {recorded}, replayed {replayed}"
        )),
        ReplayVerdict::Unverifiable { reason } | ReplayVerdict::NotChecked { reason } => {
            Some(format!("cannot be run again: {reason}"))
        }
    }
}

/// Where two runs first differ, if they do.
fn difference(one: &Verified, other: &Verified) -> Option<Difference> {
    let events = |of: &Verified| -> Vec<Vec<u8>> {
        let recording = of.recording().into_iter();
        recording
            .flat_map(|recording| recording.events().map(<[u8]>::to_vec))
            .collect()
    };
    let (events, others) = (events(one), events(other));
    let length = events.len().max(others.len());
    let differing = (0..length).find(|index| events.get(*index) != others.get(*index));
    let of = |event: Option<usize>, one: Option<&[u8]>, another: Option<&[u8]>| Difference {
        event,
        one: shown(one),
        another: shown(another),
    };
    match differing {
        Some(index) => {
            let at = |events: &[Vec<u8>]| events.get(index).cloned();
            Some(of(
                Some(index),
                at(&events).as_deref(),
                at(&others).as_deref(),
            ))
        }
        None if one.output() != other.output() => Some(of(None, one.output(), other.output())),
        None => None,
    }
}

/// The beginning of an event or an output.
fn shown(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "nothing: it has ended".to_owned();
    };
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if text.len() > SHOWN_BYTES {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES));
        text.push('…');
    }
    text
}
