//! What the host keeps for one run, and the functions that a guest can call.
//!
//! Only what is written here, and the parts of WASI that are listed in [`linker`], can be reached from a guest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use oacp::capability::{Denial, Grant, GuestPath};
use oacp::event::{Event, LogLevel};
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime::{ResourceLimiter, StoreContextMut, Trap};
use wasmtime_wasi::p2::bindings as wasi;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::clock::Clock;
use crate::denials::Ask;
use crate::egress::Egress;
use crate::files::Files;
use crate::limits;
use crate::port::{Port, failure};
use crate::random::Randomness;
use crate::run::{Bounds, LogLine};
use crate::tape::{Halt, Replay, Side, Tape};
use crate::tools::Tools;
use crate::wasi_http::Http;

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
    /// Bytes of standard output and error that earlier calls of the instance printed.
    printed_before: (usize, usize),
    metered: bool,
    bounds: Bounds,
    /// When the run began.
    begun: Instant,
    host_calls: u32,
    /// Fuel that was left when the guest last yielded in a host call.
    fuel_at_yield: u64,
    pub(crate) grant: Grant,
    pub(crate) tools: Tools,
    pub(crate) egress: Option<Egress>,
    pub(crate) files: Files,
    pub(crate) http: Http,
    /// What `wasi:cli/environment` says that the program was called with. Empty for all but commands.
    pub(crate) arguments: Vec<String>,
    /// What the embedder offers; the grant decides what of it the guest sees.
    pub(crate) environment: BTreeMap<String, String>,
    /// What the guest saw of it.
    pub(crate) variables: Option<BTreeMap<String, String>>,
    pub(crate) ask: Option<Ask>,
    /// Capability and what was asked, of what somebody who was asked allowed.
    pub(crate) granted: BTreeSet<(String, String)>,
    /// The same, of what was not allowed: nobody is asked twice.
    pub(crate) refused: BTreeSet<(String, String)>,
    pub(crate) latest_denial: Option<(u64, Denial)>,
    log_bytes: usize,
    observer: Option<Observer>,
}

/// Is told each log line when it is recorded.
pub type Observer = Arc<dyn Fn(LogLine<'_>) + Send + Sync>;

/// What a guest's memories take, and whether they were refused more.
pub(crate) struct Memory {
    bytes_max: usize,
    bytes: usize,
    pub(crate) bytes_peak: usize,
    pub(crate) refused: bool,
    /// The host had no memory for what the limit allows.
    pub(crate) host_failed: bool,
}

/// What is left of a call when it has ended.
pub(crate) struct Ended {
    pub(crate) side: Side,
    /// Why the host ended it, if it did.
    pub(crate) halt: Option<Halt>,
    /// The host had no memory for what the limit allows.
    pub(crate) host_failed: bool,
}

pub(crate) struct Setup {
    pub(crate) metered: bool,
    pub(crate) bounds: Bounds,
    pub(crate) tape: Tape,
    pub(crate) grant: Grant,
    pub(crate) tools: Tools,
    pub(crate) egress: Option<Egress>,
    pub(crate) working_directory: GuestPath,
    pub(crate) withheld: Vec<PathBuf>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) ask: Option<Ask>,
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
        let files = Files::new(
            setup.working_directory,
            &setup.grant,
            setup.withheld,
            &setup.tape.side,
        );
        Self {
            wasi: wasi_context(None, &stdout, &stderr),
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
            printed_before: (0, 0),
            metered: setup.metered,
            bounds: setup.bounds,
            begun: Instant::now(),
            host_calls: 0,
            fuel_at_yield: u64::MAX,
            grant: setup.grant,
            tools: setup.tools,
            egress: setup.egress,
            files,
            http: Http::default(),
            arguments: Vec::new(),
            environment: setup.environment,
            variables: None,
            ask: setup.ask,
            granted: BTreeSet::new(),
            refused: BTreeSet::new(),
            latest_denial: None,
            log_bytes: 0,
            observer: setup.observer,
        }
    }

    /// Another call of the same instance. What the guest holds stays: its resources, its memory, the files that only it sees. All else begins
    /// anew, its rights among it.
    pub(crate) fn begin(&mut self, setup: Setup) {
        let (working_directory, withheld) =
            (setup.working_directory.clone(), setup.withheld.clone());
        let (bytes_max, start_ms) = (setup.memory_bytes_max, setup.clock_start_ms);
        let mut next = Self::new(setup);
        std::mem::swap(&mut next.table, &mut self.table);
        std::mem::swap(&mut next.wasi, &mut self.wasi);
        std::mem::swap(&mut next.http, &mut self.http);
        std::mem::swap(&mut next.files, &mut self.files);
        std::mem::swap(&mut next.stdout, &mut self.stdout);
        std::mem::swap(&mut next.stderr, &mut self.stderr);
        next.printed_before = (next.stdout.contents().len(), next.stderr.contents().len());
        std::mem::swap(&mut next.clock, &mut self.clock);
        next.clock.begin(start_ms);
        next.files
            .begin(working_directory, &next.grant, withheld, &next.tape.side);
        next.memory = Memory {
            bytes_max,
            bytes: self.memory.bytes,
            bytes_peak: self.memory.bytes,
            refused: false,
            host_failed: false,
        };
        *self = next;
    }

    /// What was printed past the log interface in this call, by the level of its lines.
    pub(crate) fn printed(&self) -> [(Bytes, LogLevel); 2] {
        let since = |pipe: &MemoryOutputPipe, before: usize| {
            let mut bytes = pipe.contents();
            bytes.split_off(before.min(bytes.len()))
        };
        [
            (since(&self.stdout, self.printed_before.0), LogLevel::Info),
            (
                since(&self.stderr, self.printed_before.1),
                LogLevel::Warning,
            ),
        ]
    }

    /// What the call left behind for whoever made it.
    pub(crate) fn end(&mut self) -> Ended {
        let nothing = Side::Replay(Replay::default());
        Ended {
            side: std::mem::replace(&mut self.tape.side, nothing),
            halt: self.halt.take(),
            host_failed: self.memory.host_failed,
        }
    }

    /// Gives the guest what a command is called with, and room for what it prints.
    pub(crate) fn serve_command(&mut self, arguments: Vec<String>, stdin: String) {
        self.arguments = arguments;
        self.stdout = MemoryOutputPipe::new(limits::COMMAND_OUTPUT_BYTES_MAX);
        self.stderr = MemoryOutputPipe::new(limits::COMMAND_OUTPUT_BYTES_MAX);
        self.wasi = wasi_context(Some(stdin), &self.stdout, &self.stderr);
    }

    /// What was printed to standard output and error, which is then nowhere else.
    pub(crate) fn take_printed(&mut self) -> (Bytes, Bytes) {
        let take = |pipe: &mut MemoryOutputPipe| {
            std::mem::replace(pipe, MemoryOutputPipe::new(0)).contents()
        };
        (take(&mut self.stdout), take(&mut self.stderr))
    }

    /// Ends the run from within a host call: the reason is kept, and the guest is unwound.
    pub(crate) fn halted<T>(&mut self, result: Result<T, Halt>) -> wasmtime::Result<T> {
        result.map_err(|halt| {
            // The first reason is the one.
            self.halt.get_or_insert(halt);
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
                tools: &[],
                level,
                message: &message,
            });
        }
        self.event(&Event::Log { level, message })?;
        Ok(Ok(()))
    }
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

/// Nothing is in it but standard input, empty but for commands, and the two outputs: the rest of WASI is served by OACP or denied.
fn wasi_context(
    stdin: Option<String>,
    stdout: &MemoryOutputPipe,
    stderr: &MemoryOutputPipe,
) -> WasiCtx {
    let mut context = WasiCtx::builder();
    if let Some(stdin) = stdin {
        context.stdin(MemoryInputPipe::new(stdin));
    }
    context
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
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
/// and of wasmtime-wasi what needs no outside: streams and the command line. Sockets
/// are linked because CPython's component does not start without them, and every one is denied.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

    let mut linker = Linker::new(engine);
    let l = &mut linker;
    // Without functions, and imported all the same.
    l.instance("oacp:agent/types@0.1.0")?;
    crate::port::link(l)?;
    crate::files::link(l)?;
    crate::files::link_wasi(l)?;
    crate::environment::link(l)?;
    crate::denials::link(l)?;
    link_log(l)?;
    crate::clock::link(l)?;
    crate::poll::link(l)?;
    crate::wasi_http::link(l)?;
    crate::wasi_logging::link(l)?;
    crate::random::link(l)?;
    wasi::io::error::add_to_linker::<State, HasSelf<ResourceTable>>(l, |s| &mut s.table)?;
    wasi::io::streams::add_to_linker::<State, HasSelf<ResourceTable>>(l, |s| &mut s.table)?;
    wasi::cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    wasi::cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
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

fn link_log(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use crate::program::agent::oacp::agent::log::Level;
    linker.instance("oacp:agent/log@0.1.0")?.func_wrap_async(
        "log",
        |mut store: StoreContextMut<'_, State>, (level, message): (Level, String)| {
            Box::new(async move {
                charge(&mut store, message.len()).await?;
                let level = match level {
                    Level::Debug => LogLevel::Debug,
                    Level::Info => LogLevel::Info,
                    Level::Warning => LogLevel::Warning,
                    Level::Error => LogLevel::Error,
                };
                let logged = store.data_mut().log(level, message)?;
                Ok((logged.map_err(|message| failure("limit", message)),))
            })
        },
    )
}
