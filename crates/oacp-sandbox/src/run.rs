//! One run of a program: a fresh instance, its limits, and how it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oacp::capability::{Denial, Grant, GuestPath};
use oacp::event::{Event, LogLevel, Seed};
use oacp::id::ToolName;
use oacp::outcome::Outcome;
use oacp::recording::{Recording, SaltKey};
use oacp::source::Source;
use oacp::tool::ExportName;
use serde_json::json;
use thiserror::Error;
use tokio::sync::Notify;
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::denials::Ask;
use crate::egress::Egress;
use crate::engine::{Engine, Meter};
use crate::files::Write;
use crate::instance::{Ending, Entry, Guest, Instance};
use crate::limits::{self, Limits};
use crate::program::Program;
use crate::state::{Ended, Observer, Setup, State};
use crate::tape::{Halt, RecordedCall, Recorder, Side, Tape};
use crate::tools::Tools;

/// What to run, with which rights, on which input, from which seed and instant.
pub struct Job {
    /// The component: a language runtime, a compiled agent, or one that offers tools.
    pub program: Program,
    /// The agent's source, if the program is a language runtime.
    pub source: Option<Arc<Source>>,
    /// The function to call, if the program offers tools. `None`: the program's own `run`.
    pub export: Option<ExportName>,
    /// A JSON text, handed to the agent as it is; of a function that is called, the object of its arguments.
    pub input: String,
    /// What the agent may do.
    pub grant: Grant,
    /// The tools there are.
    pub tools: Tools,
    /// The way to the network. `None`: every request fails.
    pub egress: Option<Egress>,
    /// To which a guest's relative paths are relative.
    pub working_directory: GuestPath,
    /// Files and directories of the host that no guest sees, whatever is granted: keys, the files of secrets, other runs.
    pub withheld: Vec<PathBuf>,
    /// Environment variables that may be granted.
    pub environment: BTreeMap<String, String>,
    /// Is asked about what is not granted. `None`: it is denied.
    pub ask: Option<Ask>,
    /// Where the run is stopped.
    pub limits: Limits,
    /// From which all of the guest's randomness follows.
    pub seed: Seed,
    /// The guest's wall clock at its start, in milliseconds since 1970.
    pub clock_start_ms: u64,
    /// The key of the recording's salts: 32 fresh random bytes, never derived from the seed.
    pub salt_key: SaltKey,
    /// Is told each log line as it is recorded.
    pub observer: Option<Observer>,
    /// Ends the run early.
    pub cancel: Cancel,
}

/// A log line on its way to an [`Observer`]. It is the guest's text: escape control characters before showing it.
#[derive(Clone, Copy, Debug)]
pub struct LogLine<'a> {
    /// Which tools it came through, the one that was called from outside first. Empty: it is the run's own.
    pub tools: &'a [ToolName],
    /// How grave the guest says it is.
    pub level: LogLevel,
    /// The line, without its end.
    pub message: &'a str,
}

/// Ends a run from outside: its outcome is then `cancelled`.
#[derive(Clone, Default)]
pub struct Cancel(Arc<(AtomicBool, Notify)>);

impl Cancel {
    /// Ends the run, now or as soon as it begins.
    pub fn cancel(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    async fn cancelled(&self) {
        let notified = self.0.1.notified();
        if !self.0.0.load(Ordering::Acquire) {
            notified.await;
        }
    }
}

/// What happened. Every outcome is a value here, a trap and a spent limit included.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub outcome: Outcome,
    /// The result's JSON text; if there is none, the JSON of [`Failure`].
    pub output: Vec<u8>,
    /// What went wrong, if the outcome is not `ok`.
    pub failure: Option<Failure>,
    /// What crossed the boundary.
    pub recording: Recording,
    /// The calls of tools that are in it, in order, denied ones included.
    pub tool_calls: Vec<RecordedCall>,
    /// The denials that are in it, in order.
    pub denials: Vec<Denial>,
    /// What the run changed in files, and whether that was carried out. Empty unless the outcome is `ok`.
    pub writes: Vec<Write>,
    /// What the run used.
    pub usage: Usage,
}

/// Why a run has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line.
    pub message: String,
    /// The guest's stack trace, or empty.
    pub trace: String,
    /// The agent's own file and line.
    pub location: Option<(String, u32)>,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            trace: String::new(),
            location: None,
        }
    }

    /// As the output of a run that has no result.
    pub fn to_json(&self, outcome: Outcome) -> Vec<u8> {
        let location = self
            .location
            .as_ref()
            .map(|(file, line)| json!({ "file": file, "line": line }));
        let error = json!({
            "error": {
                "location": location,
                "message": self.message,
                "outcome": outcome,
                "trace": self.trace,
            }
        });
        error.to_string().into_bytes()
    }
}

/// What a run used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Fuel, if it was counted.
    pub fuel: Option<u64>,
    /// The most bytes of linear memory at a time.
    pub memory_bytes_peak: u64,
    /// Time spent computing, waiting left out.
    pub computing: Duration,
    /// Time from start to end.
    pub wall: Duration,
}

/// Why a job cannot be begun. What goes wrong later is an [`Outcome`].
#[derive(Debug, Error)]
pub enum JobError {
    /// The input is not a JSON text.
    #[error("the input is not JSON")]
    Input(#[source] serde_json::Error),
    /// The input is larger than [`INPUT_BYTES_MAX`](limits::INPUT_BYTES_MAX).
    #[error("the input has {0} bytes, the limit is {max}", max = limits::INPUT_BYTES_MAX)]
    InputTooLarge(usize),
    /// A language runtime without a source.
    #[error("`{0}` is a language runtime: it needs a source to run")]
    NoSource(oacp::digest::Digest),
    /// A compiled agent, or a component that offers tools, with a source.
    #[error("`{0}` is a compiled component: it takes no source")]
    SourceGiven(oacp::digest::Digest),
    /// A component that offers tools, and no word on which of them.
    #[error("`{program}` is no agent: say which of its functions to call: {offered}")]
    NoExport {
        /// The component.
        program: oacp::digest::Digest,
        /// What it offers.
        offered: String,
    },
    /// There is no such function.
    #[error("`{program}` offers no function `{export}`; it offers: {offered}")]
    UnknownExport {
        /// The component.
        program: oacp::digest::Digest,
        /// What was asked for.
        export: ExportName,
        /// What it offers.
        offered: String,
    },
    /// The engine could not make an instance.
    #[error("the engine cannot make an instance")]
    Instance(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Runs a job to its end.
///
/// Must be called within a Tokio runtime with time enabled.
///
/// # Errors
///
/// When the job cannot be begun.
pub async fn run(engine: &Engine, job: Job) -> Result<Run, JobError> {
    run_in(&mut None, engine, job).await
}

/// [`run`] in the instance that is there, with what it remembers of the calls before; without one in a fresh one, which is then there. After
/// a run that the host ended, or that crashed, none is: it could not be called again. Nor is one of a function of which
/// [`Program::can_be_kept`] is false.
///
/// # Errors
///
/// As of [`run`].
pub async fn run_in(
    kept: &mut Option<Instance>,
    engine: &Engine,
    job: Job,
) -> Result<Run, JobError> {
    if job.input.len() > limits::INPUT_BYTES_MAX {
        return Err(JobError::InputTooLarge(job.input.len()));
    }
    serde_json::from_str::<serde::de::IgnoredAny>(&job.input).map_err(JobError::Input)?;
    let Job {
        program,
        source,
        export,
        input,
        grant,
        tools,
        egress,
        working_directory,
        withheld,
        environment,
        ask,
        limits,
        seed,
        clock_start_ms,
        salt_key,
        observer,
        cancel,
    } = job;
    let mut recording = Recording::new(salt_key);
    let bounds = Bounds {
        computing: Some(Duration::from_millis(limits.computing_ms_max())),
        timeout: Some(Duration::from_millis(limits.timeout_ms)),
        cancel,
    };
    let setup = Setup {
        metered: engine.meter() == Meter::Fuel,
        bounds,
        grant,
        tools,
        egress,
        working_directory: working_directory.clone(),
        withheld,
        environment,
        ask,
        seed: *seed.as_bytes(),
        clock_start_ms,
        memory_bytes_max: limits.memory_bytes_max,
        observer,
        tape: {
            recording.push(&Event::Start {
                seed,
                clock_start_ms,
                working_directory,
            });
            Tape::new(Side::Record(Recorder::new(recording)))
        },
    };
    let (end, ended) = execute(
        engine,
        &program,
        Entry::Run {
            source: source.as_deref(),
            export: export.as_ref(),
        },
        &input,
        limits.fuel,
        setup,
        kept,
    )
    .await?;
    let Side::Record(recorder) = ended.side else {
        unreachable!("the tape was made for recording, above")
    };
    let End {
        outcome,
        output,
        failure,
        usage,
        writes,
    } = end;
    Ok(Run {
        outcome,
        output,
        failure,
        recording: recorder.recording,
        tool_calls: recorder.calls,
        denials: recorder.denials,
        writes,
        usage,
    })
}

/// The wall-clock bounds of a run. A replay has its verifier's only.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub(crate) computing: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel: Cancel,
}

/// How a run or a replay ended.
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) output: Vec<u8>,
    pub(crate) failure: Option<Failure>,
    pub(crate) usage: Usage,
    pub(crate) writes: Vec<Write>,
}

/// How the guest came back to the host.
enum Return {
    Result(Result<String, Ending>),
    Trap(wasmtime::Error),
    /// Wall time or computing time is spent: in milliseconds, how much there was.
    TimedOut(u128),
    Cancelled,
    /// By the host; the state says why.
    Halted,
}

/// Calls a guest to its end: in the instance that is there, or in a fresh one; and leaves the instance there if it can be called again.
pub(crate) async fn execute(
    engine: &Engine,
    program: &Program,
    entry: Entry<'_>,
    input: &str,
    fuel: u64,
    setup: Setup,
    kept: &mut Option<Instance>,
) -> Result<(End, Ended), JobError> {
    let metered = setup.metered;
    let bounds = setup.bounds.clone();
    let mut instance = match kept.take().filter(|instance| instance.is_of(program)) {
        Some(mut instance) => {
            instance.begin(setup);
            instance
        }
        None => Instance::new(engine, program, setup),
    };
    if metered {
        instance.refuel(fuel)?;
    }
    let begun = Instant::now();
    let mut computing = Duration::ZERO;
    let returned = {
        let guest = instance.call(entry, input)?;
        drive(guest, &bounds, &mut computing).await
    };
    let fuel_left = if metered { instance.fuel_left() } else { 0 };
    // Whoever was cut off in the middle cannot be called again.
    let has_returned = matches!(returned, Return::Result(_));
    let state = instance.state();
    // A replay that the verifier stopped has not come to the end, where this was recorded.
    let is_stopped = matches!(
        state.halt,
        Some(Halt::TimedOut(_) | Halt::Cancelled | Halt::Diverged { .. } | Halt::Withheld(_))
    ) || match &returned {
        Return::TimedOut(_) | Return::Cancelled => true,
        Return::Trap(trap) => trap.downcast_ref() == Some(&Trap::StackOverflow),
        _ => false,
    };
    if !is_stopped || matches!(state.tape.side, Side::Record(_)) {
        flush(state);
    }
    let (mut outcome, mut output, mut failure) = judge(returned, state, fuel);
    let mut writes = Vec::new();
    // Only what ended well is carried out: before the statement, which says what came of it.
    if outcome == Outcome::Ok {
        match state.write_back() {
            Ok(carried_out) => writes = carried_out,
            Err(halt) => {
                state.halt = Some(halt);
                (outcome, output, failure) = judge(Return::Halted, state, fuel);
            }
        }
    }
    let usage = Usage {
        fuel: metered.then_some(fuel - fuel_left),
        memory_bytes_peak: state.memory.bytes_peak as u64,
        computing,
        wall: begun.elapsed(),
    };
    let output = match &failure {
        Some(failure) => failure.to_json(outcome),
        None => output,
    };
    // A call that it left open would be answered in the middle of the next.
    let is_idle = state.port.is_idle() && state.http.is_idle();
    let ended = state.end();
    if has_returned && is_idle && ended.halt.is_none() && instance.is_live() {
        *kept = Some(instance);
    }
    let end = End {
        outcome,
        output,
        failure,
        usage,
        writes,
    };
    Ok((end, ended))
}

/// Polls the guest to its end, or to a bound. The guest yields every few milliseconds, so a bound is met on time.
async fn drive(mut guest: Guest<'_>, bounds: &Bounds, computing: &mut Duration) -> Return {
    let counted = std::future::poll_fn(|context| {
        let begun = Instant::now();
        let poll = guest.as_mut().poll(context);
        *computing += begun.elapsed();
        match (poll, bounds.computing) {
            (std::task::Poll::Ready(Ok(result)), _) => {
                std::task::Poll::Ready(Return::Result(result))
            }
            (std::task::Poll::Ready(Err(trap)), _) => std::task::Poll::Ready(Return::Trap(trap)),
            (std::task::Poll::Pending, Some(bound)) if *computing > bound => {
                std::task::Poll::Ready(Return::TimedOut(bound.as_millis()))
            }
            (std::task::Poll::Pending, _) => std::task::Poll::Pending,
        }
    });
    let timeout = async {
        match bounds.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
        Return::TimedOut(bounds.timeout.unwrap_or_default().as_millis())
    };
    let cancelled = async {
        bounds.cancel.cancelled().await;
        Return::Cancelled
    };
    tokio::select! {
        biased;
        returned = cancelled => returned,
        returned = counted => returned,
        returned = timeout => returned,
    }
}

/// Records what a component printed by itself, past the log interface: at the end, since only then is it known.
fn flush(state: &mut State) {
    for (bytes, level) in state.printed() {
        for line in String::from_utf8_lossy(&bytes).lines() {
            if !matches!(state.log(level, line.to_owned()), Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// The outcome, the result's text if there is one, and the failure if there is none.
fn judge(returned: Return, state: &State, fuel: u64) -> (Outcome, Vec<u8>, Option<Failure>) {
    let failed = |outcome, failure| (outcome, Vec::new(), Some(failure));
    let returned = match &state.halt {
        Some(Halt::TimedOut(ms)) => Return::TimedOut(*ms),
        Some(Halt::Cancelled) => Return::Cancelled,
        _ => returned,
    };
    match &state.halt {
        Some(Halt::Limit(message)) => {
            return failed(Outcome::GuestError, Failure::new(message.clone()));
        }
        Some(Halt::Denied(message)) => {
            return failed(Outcome::Denied, Failure::new(message.clone()));
        }
        _ => {}
    }
    match returned {
        Return::Result(Ok(output)) if output.len() > limits::RESULT_BYTES_MAX => {
            failed(Outcome::GuestError, Failure::new(too_large(output.len())))
        }
        Return::Result(Ok(output)) => {
            match serde_json::from_str::<serde::de::IgnoredAny>(&output) {
                Ok(_) => (Outcome::Ok, output.into_bytes(), None),
                Err(e) => failed(
                    Outcome::GuestError,
                    Failure::new(format!("the result is not JSON: {e}")),
                ),
            }
        }
        Return::Result(Err(ending)) => {
            let denied = ending
                .denied
                .is_some_and(|call| state.port.denied.contains(&call));
            let outcome = match (denied, state.memory.refused) {
                (true, _) => Outcome::Denied,
                (false, true) => Outcome::OutOfMemory,
                (false, false) => Outcome::GuestError,
            };
            failed(
                outcome,
                Failure {
                    message: bounded(ending.message, limits::ERROR_MESSAGE_BYTES_MAX),
                    trace: bounded(ending.trace, limits::ERROR_TRACE_BYTES_MAX),
                    location: ending.location.map(|l| (bounded(l.file, 1024), l.line)),
                },
            )
        }
        Return::Trap(trap) => {
            let (outcome, message) = judge_trap(&trap, state, fuel);
            failed(outcome, Failure::new(message))
        }
        Return::TimedOut(ms) => failed(
            Outcome::TimedOut,
            Failure::new(format!("the limit of {ms} ms is spent")),
        ),
        Return::Cancelled => failed(Outcome::Cancelled, Failure::new("the run was cancelled")),
        // The halt says more than any outcome; a replay reads it.
        Return::Halted => failed(Outcome::Crashed, Failure::new("the host ended the run")),
    }
}

fn judge_trap(trap: &wasmtime::Error, state: &State, fuel: u64) -> (Outcome, String) {
    if let Some(exit) = trap.downcast_ref::<I32Exit>() {
        return (
            Outcome::GuestError,
            format!("the component exited with status {}", exit.0),
        );
    }
    match trap.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (
            Outcome::OutOfFuel,
            format!("the limit of {fuel} fuel is spent"),
        ),
        Some(Trap::StackOverflow) => (
            Outcome::StackOverflow,
            "the call stack is exhausted".to_owned(),
        ),
        _ if state.memory.refused => (
            Outcome::OutOfMemory,
            "the memory limit is reached".to_owned(),
        ),
        // Wasmtime has no type for this error.
        None if trap.to_string().contains("hostcall")
            || format!("{trap:#}").contains("fuel allocated for hostcalls") =>
        {
            (Outcome::GuestError, too_large(limits::HOSTCALL_BYTES_MAX))
        }
        _ => (
            Outcome::Crashed,
            format!("the component crashed: {}", trap.root_cause()),
        ),
    }
}

fn too_large(bytes: usize) -> String {
    format!(
        "the result has {bytes} bytes or more, the limit is {}",
        limits::RESULT_BYTES_MAX
    )
}

fn bounded(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}
