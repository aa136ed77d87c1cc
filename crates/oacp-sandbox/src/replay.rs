//! Running a program again against its recording, to see the same output follow.
//!
//! A replay has no tools, no clock and no randomness of its own: all of it is read back. It proves
//! that this output follows from this code and these recorded inputs. It does not prove that the recorded inputs are true.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oacp::capability::Grant;
use oacp::digest::Digest;
use oacp::event::Event;
use oacp::outcome::Outcome;
use oacp::replay::{DivergedAt, FuelCompared, ReplayVerdict};
use oacp::source::Source;
use oacp::tool::ExportName;

use crate::engine::{ENGINE, Engine, Meter};
use crate::instance::{Entry, Instance};
use crate::limits::{self, Limits};
use crate::program::Program;
use crate::run::{Bounds, Cancel, End, execute};
use crate::state::Setup;
use crate::tape::{Halt, Replay, Side, Tape};
use crate::tools::Tools;

/// What a recording says, to be confirmed.
pub struct Claim {
    /// The component that ran.
    pub program: Program,
    /// The agent's source, if the program is a language runtime.
    pub source: Option<Arc<Source>>,
    /// The function that was called, if it was one of several.
    pub export: Option<ExportName>,
    /// The input's JSON text.
    pub input: String,
    /// The grant under which it ran. Calls are judged again.
    pub grant: Grant,
    /// The limits under which it ran.
    pub limits: Limits,
    /// The recorded events, in order.
    pub events: Vec<Vec<u8>>,
    /// The contents that the events name.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// How it is said to have ended.
    pub outcome: Outcome,
    /// The output that is said to have come out.
    pub output: Vec<u8>,
    /// The fuel that is said to have been spent.
    pub fuel: Option<u64>,
    /// The engine that is said to have run it.
    pub engine: String,
}

/// Where a verifier stops a replay. What exceeds it is *unverifiable*, never *diverged*.
#[derive(Clone)]
pub struct Patience {
    /// Wall time, of all calls of an instance together.
    pub timeout: Duration,
    /// Bytes of linear memory.
    pub memory_bytes_max: usize,
    /// Ends the replay early.
    pub cancel: Cancel,
}

impl Default for Patience {
    /// Ten minutes, 4 GiB.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(600),
            memory_bytes_max: 4 << 30,
            cancel: Cancel::default(),
        }
    }
}

/// Runs the claim's program again and compares.
///
/// `engine` should be made for this replay alone, so that nothing is shared with what ran before.
pub async fn replay(engine: &Engine, claim: Claim, patience: Patience) -> ReplayVerdict {
    attempt(engine, claim, patience, &mut None).await
}

/// The calls of one instance, from its first on, made again in their order. Of what follows a call that was not confirmed nothing can be said.
pub async fn replay_calls(
    engine: &Engine,
    claims: Vec<Claim>,
    patience: Patience,
) -> Vec<ReplayVerdict> {
    let mut instance = None;
    let begun = Instant::now();
    let mut verdicts: Vec<ReplayVerdict> = Vec::with_capacity(claims.len());
    for claim in claims {
        let verdict = match verdicts.last() {
            Some(before) if !matches!(before, ReplayVerdict::Confirmed { .. }) => {
                unverifiable("a call before it, of the same instance, was not confirmed")
            }
            Some(_)
                if !instance
                    .as_ref()
                    .is_some_and(|left: &Instance| left.is_of(&claim.program)) =>
            {
                unverifiable("the call before it left no instance that can be called again")
            }
            _ => {
                let mut patience = patience.clone();
                patience.timeout = patience.timeout.saturating_sub(begun.elapsed());
                attempt(engine, claim, patience, &mut instance).await
            }
        };
        verdicts.push(verdict);
    }
    verdicts
}

fn unverifiable(reason: &str) -> ReplayVerdict {
    ReplayVerdict::Unverifiable {
        reason: reason.to_owned(),
    }
}

async fn attempt(
    engine: &Engine,
    claim: Claim,
    patience: Patience,
    kept: &mut Option<Instance>,
) -> ReplayVerdict {
    match compared(engine, claim, patience, kept).await {
        Ok(verdict) => verdict,
        Err(reason) => ReplayVerdict::Unverifiable { reason },
    }
}

async fn compared(
    engine: &Engine,
    claim: Claim,
    patience: Patience,
    kept: &mut Option<Instance>,
) -> Result<ReplayVerdict, String> {
    if !claim.outcome.reexecutable() {
        return Err(format!(
            "a run that ended as `{}` cannot be re-executed",
            claim.outcome
        ));
    }
    if claim.limits.memory_bytes_max > patience.memory_bytes_max {
        return Err(format!(
            "the run was given {} bytes of memory, this verifier allows {}",
            claim.limits.memory_bytes_max, patience.memory_bytes_max
        ));
    }
    if claim.fuel.is_some() != (engine.meter() == Meter::Fuel) {
        return Err("the run was metered in another way than this verifier's engine".to_owned());
    }
    let Some(Ok(Event::Start {
        seed,
        clock_start_ms,
        working_directory,
    })) = claim.events.first().map(|bytes| Event::parse(bytes))
    else {
        return Err("the recording's first event, with seed and clock, is withheld".to_owned());
    };
    let events = claim.events.len() as u64;
    let bounds = Bounds {
        computing: None,
        timeout: Some(patience.timeout),
        cancel: patience.cancel,
    };
    let setup = Setup {
        metered: engine.meter() == Meter::Fuel,
        bounds,
        tape: Tape::new(Side::Replay(Replay {
            events: claim.events,
            blobs: claim.blobs,
            next: 1,
        })),
        grant: claim.grant,
        tools: Tools::none(),
        egress: None,
        working_directory,
        withheld: Vec::new(),
        environment: BTreeMap::new(),
        ask: None,
        seed: *seed.as_bytes(),
        clock_start_ms,
        memory_bytes_max: claim.limits.memory_bytes_max,
        observer: None,
    };
    let (end, ended) = execute(
        engine,
        &claim.program,
        Entry::Run {
            source: claim.source.as_deref(),
            export: claim.export.as_ref(),
        },
        &claim.input,
        claim.limits.fuel,
        setup,
        kept,
    )
    .await
    .map_err(|e| e.to_string())?;
    if ended.host_failed {
        return Err("this machine has not the memory that the run was given".to_owned());
    }
    match ended.halt {
        Some(Halt::Diverged {
            event,
            recorded,
            replayed,
        }) => {
            return Ok(ReplayVerdict::Diverged {
                at: DivergedAt::Event(event),
                recorded,
                replayed,
            });
        }
        Some(Halt::Withheld(digest)) => {
            return Err(format!("the recording withholds the contents {digest}"));
        }
        Some(Halt::Limit(_) | Halt::Denied(_) | Halt::TimedOut(_) | Halt::Cancelled) | None => {}
    }
    let Side::Replay(tape) = ended.side else {
        unreachable!("the tape was made for replaying, above")
    };
    compare(
        end,
        &claim.outcome,
        &claim.output,
        claim.fuel,
        &claim.engine,
        tape,
        events,
    )
}

fn compare(
    end: End,
    outcome: &Outcome,
    output: &[u8],
    fuel: Option<u64>,
    engine: &str,
    tape: Replay,
    events: u64,
) -> Result<ReplayVerdict, String> {
    // The verifier's own limits say nothing about the run.
    if matches!(
        end.outcome,
        Outcome::TimedOut | Outcome::StackOverflow | Outcome::Cancelled
    ) {
        let reason = end.failure.map_or_else(String::new, |f| f.message);
        return Err(format!("the replay ended as `{}`: {reason}", end.outcome));
    }
    let same_engine = engine == ENGINE;
    // Another engine version may spend fuel differently, so that a run at its limit ends elsewhere.
    if !same_engine && (end.outcome == Outcome::OutOfFuel) != (*outcome == Outcome::OutOfFuel) {
        return Err(format!(
            "the run was of {engine}, this is {ENGINE}: fuel cannot be compared"
        ));
    }
    if end.outcome != *outcome {
        return Ok(ReplayVerdict::Diverged {
            at: DivergedAt::Outcome,
            recorded: outcome.to_string(),
            replayed: end.outcome.to_string(),
        });
    }
    if (tape.next as u64) < events {
        let recorded = tape
            .events
            .get(tape.next)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        return Ok(ReplayVerdict::Diverged {
            at: DivergedAt::Event(tape.next as u64),
            recorded: recorded.unwrap_or_default(),
            replayed: "the replay ends here".to_owned(),
        });
    }
    if end.output != output {
        return Ok(ReplayVerdict::Diverged {
            at: DivergedAt::Output,
            recorded: excerpt(output),
            replayed: excerpt(&end.output),
        });
    }
    let fuel = match (same_engine, fuel, end.usage.fuel) {
        (true, Some(recorded), Some(replayed)) if recorded != replayed => {
            return Ok(ReplayVerdict::Diverged {
                at: DivergedAt::Fuel,
                recorded: recorded.to_string(),
                replayed: replayed.to_string(),
            });
        }
        (true, Some(_), Some(_)) => FuelCompared::Equal,
        (true, ..) => FuelCompared::NotChecked {
            reason: "fuel was not counted".to_owned(),
        },
        (false, ..) => FuelCompared::NotChecked {
            reason: format!("the run was of {engine}, this is {ENGINE}"),
        },
    };
    Ok(ReplayVerdict::Confirmed { fuel })
}

/// As much of an output as a person wants to see.
fn excerpt(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(
        output
            .get(..limits::ERROR_MESSAGE_BYTES_MAX)
            .unwrap_or(output),
    );
    text.into_owned()
}
