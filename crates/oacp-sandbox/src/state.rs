//! What the host keeps for one run, and the functions that a guest can call.
//!
//! Only what is written here, and the parts of WASI that are listed in [`linker`], can be reached from a guest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oacp::capability::{Denial, Grant};
use oacp::event::{CallOutcome, Event, LogLevel};
use tokio::task::JoinSet;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{ResourceLimiter, StoreContextMut, Trap};
use wasmtime_wasi::p2::bindings as wasi;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::clock::Clock;
use crate::limits;
use crate::random::Randomness;
use crate::run::{Bounds, LogLine};
use crate::tape::{Halt, Side, Tape};
use crate::tools::{self, ToolFailure, Tools};

/// What the host knows of one run.
pub(crate) struct State {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) clock: Clock,
    pub(crate) random: Randomness,
    pub(crate) tape: Tape,
    /// Why the host ended the run, if it did.
    pub(crate) halt: Option<Halt>,
    pub(crate) memory: Memory,
    pub(crate) port: Port,
    pub(crate) stdout: MemoryOutputPipe,
    pub(crate) stderr: MemoryOutputPipe,
    metered: bool,
    bounds: Bounds,
    /// When the run began.
    begun: Instant,
    host_calls: u32,
    /// Fuel that was left when the guest last yielded in a host call.
    fuel_at_yield: u64,
    grant: Grant,
    tools: Tools,
    log_bytes: usize,
    observer: Option<Observer>,
}

/// Is told each log line when it is recorded.
pub type Observer = Arc<dyn Fn(LogLine<'_>) + Send + Sync>;

/// The calls between their start and their delivery.
#[derive(Default)]
pub(crate) struct Port {
    next: u64,
    /// Started, not yet delivered.
    pending: BTreeSet<u64>,
    /// Complete, in the order of completion.
    ready: VecDeque<(u64, Answer)>,
    running: JoinSet<Result<Vec<u8>, ToolFailure>>,
    running_ids: BTreeMap<tokio::task::Id, u64>,
    /// Calls that were denied.
    pub(crate) denied: BTreeSet<u64>,
}

enum Answer {
    Result(Vec<u8>),
    Failure { code: &'static str, message: String },
    Denial(Denial),
}

/// What a guest's memories take, and whether they were refused more.
pub(crate) struct Memory {
    bytes_max: usize,
    bytes: usize,
    pub(crate) bytes_peak: usize,
    pub(crate) refused: bool,
    /// The host had no memory for what the limit allows.
    pub(crate) host_failed: bool,
}

pub(crate) struct Setup {
    pub(crate) metered: bool,
    pub(crate) bounds: Bounds,
    pub(crate) tape: Tape,
    pub(crate) grant: Grant,
    pub(crate) tools: Tools,
    pub(crate) seed: [u8; 32],
    pub(crate) clock_start_ms: u64,
    pub(crate) memory_bytes_max: usize,
    pub(crate) observer: Option<Observer>,
}

impl State {
    pub(crate) fn new(setup: Setup) -> Self {
        let stdout = MemoryOutputPipe::new(limits::LOG_BYTES_MAX);
        let stderr = MemoryOutputPipe::new(limits::LOG_BYTES_MAX);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits::RESOURCES_MAX);
        let waits = match setup.tape.side {
            Side::Record(_) => crate::clock::Waits::Really,
            Side::Replay(_) => crate::clock::Waits::Skipped,
        };
        Self {
            // Starts with nothing: no arguments, no environment, no directory, no network, an empty standard input.
            wasi: WasiCtx::builder()
                .stdout(stdout.clone())
                .stderr(stderr.clone())
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build(),
            table,
            clock: Clock::new(setup.clock_start_ms, waits),
            random: Randomness::new(setup.seed),
            tape: setup.tape,
            halt: None,
            memory: Memory {
                bytes_max: setup.memory_bytes_max,
                bytes: 0,
                bytes_peak: 0,
                refused: false,
                host_failed: false,
            },
            port: Port::default(),
            stdout,
            stderr,
            metered: setup.metered,
            bounds: setup.bounds,
            begun: Instant::now(),
            host_calls: 0,
            fuel_at_yield: u64::MAX,
            grant: setup.grant,
            tools: setup.tools,
            log_bytes: 0,
            observer: setup.observer,
        }
    }

    /// Ends the run from within a host call: the reason is kept, and the guest is unwound.
    fn halted<T>(&mut self, result: Result<T, Halt>) -> wasmtime::Result<T> {
        result.map_err(|halt| {
            self.halt = Some(halt);
            wasmtime::Error::msg("the host ended the run")
        })
    }

    /// Ends a run that is out of time or cancelled. Asked at every few host calls, since a guest that lives in host calls, which cost it little
    /// fuel, may not yield for minutes.
    pub(crate) fn within_bounds(&mut self) -> wasmtime::Result<()> {
        self.host_calls = self.host_calls.wrapping_add(1);
        if !self.host_calls.is_multiple_of(limits::HOST_CALLS_UNTIMED) {
            return Ok(());
        }
        let halt = match self.bounds.timeout {
            _ if self.bounds.cancel.is_cancelled() => Halt::Cancelled,
            Some(timeout) if self.begun.elapsed() > timeout => Halt::TimedOut(timeout.as_millis()),
            _ => return Ok(()),
        };
        self.halted(Err(halt))
    }

    /// Records an event. An error ends the run.
    pub(crate) fn event(&mut self, event: &Event) -> wasmtime::Result<u64> {
        let result = self.tape.event(event);
        self.halted(result)
    }

    fn start(&mut self, tool: String, arguments: String) -> wasmtime::Result<u64> {
        let call = self.port.next;
        if call >= limits::CALLS_MAX {
            self.halted(Err(Halt::Limit(format!(
                "the limit of {} tool calls is reached",
                limits::CALLS_MAX
            ))))?;
        }
        self.port.next += 1;
        let answer = self.begin(call, &tool, arguments)?;
        self.port.pending.insert(call);
        if let Some(answer) = answer {
            self.port.ready.push_back((call, answer));
        }
        Ok(call)
    }

    /// Records the call, judges it, and starts the tool. The answer is there at once if the tool need not run.
    fn begin(
        &mut self,
        call: u64,
        tool: &str,
        arguments: String,
    ) -> wasmtime::Result<Option<Answer>> {
        let limit = |message| {
            Ok(Some(Answer::Failure {
                code: "limit",
                message,
            }))
        };
        // What is too large to be recorded is recorded as absent, and refused.
        let too_large = arguments.len() > limits::ARGUMENT_BYTES_MAX;
        let recorded = if too_large { &[] } else { arguments.as_bytes() };
        let content = self.tape.content(recorded);
        let content = self.halted(content)?;
        self.event(&Event::ToolCall {
            call,
            tool: recordable(tool),
            arguments: content,
        })?;
        if too_large {
            return limit(format!(
                "the arguments have {} bytes, the limit is {}",
                arguments.len(),
                limits::ARGUMENT_BYTES_MAX
            ));
        }
        let unknown = || {
            Ok(Some(Answer::Failure {
                code: "unknown_tool",
                message: format!("there is no tool `{}`", tool.escape_debug()),
            }))
        };
        let Ok(name) = tool.parse() else {
            return unknown();
        };
        if let Err(denial) = self.grant.allows_tool(&name) {
            self.event(&Event::Denial {
                call,
                denial: denial.clone(),
            })?;
            self.port.denied.insert(call);
            return Ok(Some(Answer::Denial(denial)));
        }
        if self.port.pending.len() >= limits::CALLS_PENDING_MAX {
            return limit(format!(
                "{} calls are pending, which is the limit",
                limits::CALLS_PENDING_MAX
            ));
        }
        if let Side::Replay(_) = self.tape.side {
            return Ok(None);
        }
        let Some(tool) = self.tools.find(&name) else {
            return unknown();
        };
        let task = self
            .port
            .running
            .spawn(tools::call(tool, arguments.into_bytes()));
        self.port.running_ids.insert(task.id(), call);
        Ok(None)
    }

    /// The next completion of one of `calls`, or none when `deadline` passes. The only place where outside order enters.
    async fn wait(
        &mut self,
        calls: Vec<u64>,
        deadline: Option<u64>,
    ) -> wasmtime::Result<Option<(u64, Answer)>> {
        if let Some(unknown) = calls.iter().find(|call| !self.port.pending.contains(call)) {
            return Err(wasmtime::Error::msg(format!(
                "the guest waits for call {unknown}, which is not pending"
            )));
        }
        if calls.iter().collect::<BTreeSet<_>>().len() < calls.len() {
            return Err(wasmtime::Error::msg(
                "the guest waits for the same call twice",
            ));
        }
        // Each waiting may be recorded, with all that was waited for.
        let counted = self.tape.waits(calls.len());
        self.halted(counted)?;
        if calls.is_empty() {
            let Some(deadline) = deadline else {
                return Err(wasmtime::Error::msg(
                    "the guest waits for nothing, for ever",
                ));
            };
            self.clock.sleep_until(deadline).await;
            return Ok(None);
        }
        let delivered = match self.tape.side {
            Side::Record(_) => self.wait_outside(&calls, deadline).await?,
            Side::Replay(_) => self.wait_recorded(&calls)?,
        };
        if let Some((call, _)) = &delivered {
            self.port.pending.remove(call);
        }
        Ok(delivered)
    }

    async fn wait_outside(
        &mut self,
        calls: &[u64],
        deadline: Option<u64>,
    ) -> wasmtime::Result<Option<(u64, Answer)>> {
        let begun = Instant::now();
        let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.monotonic()));
        let next = self.port.next_of(calls);
        let delivered = match left {
            None => Some(next.await),
            Some(left) => tokio::time::timeout(Duration::from_nanos(left), next)
                .await
                .ok(),
        };
        let elapsed = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        match delivered {
            Some((call, mut answer)) => {
                if !self.tape.fits(answer.bytes()) {
                    let message = format!(
                        "the limit of {} recorded bytes is reached",
                        limits::RECORDING_BYTES_MAX
                    );
                    answer = Answer::Failure {
                        code: "limit",
                        message,
                    };
                }
                // A completion that is delivered came before the deadline, on the guest's clock too.
                let clock_advance_ns = elapsed
                    .min(left.unwrap_or(u64::MAX))
                    .min(CLOCK_ADVANCE_NS_MAX);
                let (outcome, contents) = answer.record();
                let event = |result| Event::Completion {
                    call,
                    outcome,
                    result,
                    clock_advance_ns,
                };
                let recorded = self.tape.completion(&contents, event);
                self.halted(recorded)?;
                self.clock.advance(clock_advance_ns);
                Ok(Some((call, answer)))
            }
            None => {
                let clock_advance_ns = left.unwrap_or(0).min(CLOCK_ADVANCE_NS_MAX);
                self.event(&Event::Deadline {
                    calls: calls.to_vec(),
                    clock_advance_ns,
                })?;
                self.clock.advance(clock_advance_ns);
                Ok(None)
            }
        }
    }

    fn wait_recorded(&mut self, calls: &[u64]) -> wasmtime::Result<Option<(u64, Answer)>> {
        let waiting = format!("the guest waits for calls {calls:?}");
        let outside = self.tape.outside(&waiting);
        let (event, contents) = self.halted(outside)?;
        let delivered = match &event {
            Event::Completion {
                call,
                outcome,
                clock_advance_ns,
                ..
            } if calls.contains(call) => {
                self.clock.advance(*clock_advance_ns);
                let answer = match outcome {
                    CallOutcome::Ok => Some(Answer::Result(contents.to_vec())),
                    CallOutcome::Error => Answer::parse_failure(&contents),
                    // A denial is never taken from the recording: the replay judged the call itself.
                    CallOutcome::Denied => self.port.take_denial(*call),
                };
                answer.map(|answer| Some((*call, answer)))
            }
            Event::Deadline {
                calls: recorded,
                clock_advance_ns,
            } if recorded == calls => {
                self.clock.advance(*clock_advance_ns);
                Some(None)
            }
            _ => None,
        };
        let delivered = delivered.ok_or_else(|| self.tape.diverged_before(&event, waiting));
        self.halted(delivered)
    }

    /// Records one log line.
    pub(crate) fn log(
        &mut self,
        level: LogLevel,
        message: String,
    ) -> wasmtime::Result<Result<(), String>> {
        if message.len() > limits::LOG_LINE_BYTES_MAX {
            return Ok(Err(format!(
                "the log line has {} bytes, the limit is {}",
                message.len(),
                limits::LOG_LINE_BYTES_MAX
            )));
        }
        if self.log_bytes + message.len() > limits::LOG_BYTES_MAX {
            return Ok(Err(format!(
                "the limit of {} bytes of log lines is reached",
                limits::LOG_BYTES_MAX
            )));
        }
        self.log_bytes += message.len();
        if let Some(observer) = &self.observer {
            observer(LogLine {
                level,
                message: &message,
            });
        }
        self.event(&Event::Log { level, message })?;
        Ok(Ok(()))
    }
}

/// A tool's name as the recording gives it: what no name may contain is a `?` there, so that each call takes little room.
fn recordable(tool: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    tool.chars()
        .take(128)
        .map(|c| if allowed(c) { c } else { '?' })
        .collect()
}

/// What JSON can carry exactly: 2^53 − 1. A hundred days.
const CLOCK_ADVANCE_NS_MAX: u64 = (1 << 53) - 1;

impl Port {
    fn take_denial(&mut self, call: u64) -> Option<Answer> {
        let denied =
            |(id, answer): &(u64, Answer)| *id == call && matches!(answer, Answer::Denial(_));
        let at = self.ready.iter().position(denied)?;
        self.ready.remove(at).map(|(_, answer)| answer)
    }

    async fn next_of(&mut self, calls: &[u64]) -> (u64, Answer) {
        loop {
            if let Some(at) = self.ready.iter().position(|(call, _)| calls.contains(call))
                && let Some(found) = self.ready.remove(at)
            {
                return found;
            }
            let (id, answer) = match self.running.join_next_with_id().await {
                Some(Ok((id, Ok(result)))) => (id, Answer::Result(result)),
                Some(Ok((id, Err(ToolFailure { code, message })))) => {
                    (id, Answer::Failure { code, message })
                }
                Some(Err(e)) => (
                    e.id(),
                    Answer::Failure {
                        code: "tool_error",
                        message: "the tool panicked".to_owned(),
                    },
                ),
                // Every pending call is ready or running, so this is not reached.
                None => std::future::pending().await,
            };
            if let Some(call) = self.running_ids.remove(&id) {
                self.ready.push_back((call, answer));
            }
        }
    }
}

impl Answer {
    /// How an answer stands in the recording.
    fn record(&self) -> (CallOutcome, Vec<u8>) {
        match self {
            Self::Result(bytes) => (CallOutcome::Ok, bytes.clone()),
            Self::Failure { code, message } => {
                let failure = serde_json::json!({ "code": code, "message": message });
                (CallOutcome::Error, failure.to_string().into_bytes())
            }
            Self::Denial(denial) => (CallOutcome::Denied, detail(denial).into_bytes()),
        }
    }

    fn parse_failure(bytes: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        let message = value.get("message")?.as_str()?.to_owned();
        let code = FAILURE_CODES
            .into_iter()
            .find(|code| value.get("code").is_some_and(|c| c == code))?;
        Some(Self::Failure { code, message })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Result(bytes) => bytes.len(),
            Self::Failure { message, .. } => message.len(),
            Self::Denial(_) => 0,
        }
    }

    fn into_outcome(self) -> Result<Vec<u8>, wit::Failure> {
        match self {
            Self::Result(bytes) => Ok(bytes),
            Self::Failure { code, message } => Err(wit::Failure {
                code: code.to_owned(),
                message,
                detail: None,
            }),
            Self::Denial(denial) => Err(wit::Failure {
                code: "denied".to_owned(),
                message: denial
                    .to_string()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                detail: Some(detail(&denial)),
            }),
        }
    }
}

const FAILURE_CODES: [&str; 4] = ["limit", "unknown_tool", "tool_error", "bad_arguments"];

fn detail(denial: &Denial) -> String {
    oacp::json::canonicalize(denial)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.bytes = bytes;
        self.bytes_peak = self.bytes_peak.max(bytes);
        Ok(true)
    }

    /// Ends the run: a guest that saw the growth fail would go on otherwise than on a machine with more memory.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.host_failed = true;
        Err(error)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        limits::INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        limits::INSTANCES_MAX
    }

    fn memories(&self) -> usize {
        limits::INSTANCES_MAX
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The generated types of `wit/agent.wit` that cross here.
mod wit {
    pub(super) use crate::program::agent::oacp::agent::log::Level;
    pub(super) use crate::program::agent::oacp::agent::port::Completion;
    pub(super) use crate::program::agent::oacp::agent::types::Failure;
}

/// Takes the price of a host call from the guest's fuel: the same in a run and in its replay.
///
/// Setting the fuel begins Wasmtime's yield interval anew, so a guest that calls often would never yield: it yields here.
pub(crate) async fn charge(
    store: &mut StoreContextMut<'_, State>,
    bytes: usize,
) -> wasmtime::Result<()> {
    if !store.data().metered {
        return Ok(());
    }
    let price = (bytes as u64)
        .saturating_mul(limits::FUEL_PER_HOST_BYTE)
        .saturating_add(limits::FUEL_PER_HOST_CALL);
    let Some(left) = store.get_fuel()?.checked_sub(price) else {
        store.set_fuel(0)?;
        return Err(Trap::OutOfFuel.into());
    };
    store.set_fuel(left)?;
    let state = store.data_mut();
    if state.fuel_at_yield.saturating_sub(left) >= limits::FUEL_YIELD_INTERVAL {
        state.fuel_at_yield = left;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Links what a guest may call: OACP's own interfaces; WASI's clocks, randomness and polling, which are ours;
/// and of wasmtime-wasi what needs no outside: streams and the command line. Files and sockets
/// are linked because CPython's component does not start without them; there is no directory to open, and every socket is denied.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
    use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

    let mut linker = Linker::new(engine);
    let l = &mut linker;
    link_oacp(l)?;
    crate::clock::link(l)?;
    crate::random::link(l)?;
    wasi::io::error::add_to_linker::<State, HasSelf<ResourceTable>>(l, |s| &mut s.table)?;
    wasi::io::streams::add_to_linker::<State, HasSelf<ResourceTable>>(l, |s| &mut s.table)?;
    wasi::cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::filesystem::types::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    wasi::filesystem::preopens::add_to_linker::<State, WasiFilesystem>(l, State::filesystem)?;
    wasi::sockets::network::add_to_linker::<State, WasiSockets>(
        l,
        &Default::default(),
        State::sockets,
    )?;
    wasi::sockets::instance_network::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    wasi::sockets::tcp::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    wasi::sockets::tcp_create_socket::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    wasi::sockets::udp::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    wasi::sockets::udp_create_socket::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    wasi::sockets::ip_name_lookup::add_to_linker::<State, WasiSockets>(l, State::sockets)?;
    Ok(linker)
}

fn link_oacp(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    // `types` holds no functions; the others need the store, to take fuel.
    linker.instance("oacp:agent/types@0.1.0")?;
    linker.instance("oacp:agent/tools@0.1.0")?.func_wrap_async(
        "start",
        |mut store: StoreContextMut<'_, State>, (name, arguments): (String, String)| {
            Box::new(async move {
                charge(&mut store, name.len() + arguments.len()).await?;
                Ok((store.data_mut().start(name, arguments)?,))
            })
        },
    )?;
    linker.instance("oacp:agent/log@0.1.0")?.func_wrap_async(
        "log",
        |mut store: StoreContextMut<'_, State>, (level, message): (wit::Level, String)| {
            Box::new(async move {
                charge(&mut store, message.len()).await?;
                let level = match level {
                    wit::Level::Debug => LogLevel::Debug,
                    wit::Level::Info => LogLevel::Info,
                    wit::Level::Warning => LogLevel::Warning,
                    wit::Level::Error => LogLevel::Error,
                };
                let logged = store.data_mut().log(level, message)?;
                Ok((logged.map_err(|message| wit::Failure {
                    code: "limit".to_owned(),
                    message,
                    detail: None,
                }),))
            })
        },
    )?;
    linker.instance("oacp:agent/port@0.1.0")?.func_wrap_async(
        "wait",
        |mut store: StoreContextMut<'_, State>, (calls, deadline): (Vec<u64>, Option<u64>)| {
            Box::new(async move {
                charge(&mut store, 8 * calls.len()).await?;
                let Some((call, answer)) = store.data_mut().wait(calls, deadline).await? else {
                    return Ok((None,));
                };
                charge(&mut store, answer.bytes()).await?;
                Ok((Some(wit::Completion {
                    call,
                    outcome: answer.into_outcome(),
                }),))
            })
        },
    )
}
