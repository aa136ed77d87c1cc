//! Compiling a component in a process of its own.
//!
//! The attack first: a component of a few kilobytes can take the compiler minutes and gigabytes. So what a stranger wrote is compiled by a
//! process whose time and memory are limited, and which can die. That is all that the process is for: it is no sandbox
//! around a compiler that somebody has taken over, since what it makes is run.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::engine::{Meter, config};
use crate::limits::{COMPILED_BYTES_MAX, COMPONENT_BYTES_MAX};
use crate::program::ProgramError;

/// Where components are compiled. The language runtimes that this program carries are known, and are always compiled in process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, without limits: for components that somebody trusts.
    #[default]
    InProcess,
    /// In a process of its own for each.
    Process {
        /// The program, of the same build as this one, that does nothing but call [`compile_child`].
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
        /// Where it is stopped.
        limits: CompileLimits,
    },
}

/// What compiling one component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Seconds of wall time.
    pub seconds_max: u64,
    /// Bytes of address space of the process, its code included.
    pub memory_bytes_max: u64,
}

impl Default for CompileLimits {
    /// A minute, 4 GiB.
    fn default() -> Self {
        Self {
            seconds_max: 60,
            memory_bytes_max: 4 << 30,
        }
    }
}

/// Why the compiler's process made nothing. That the bytes are no component is a [`ProgramError::Compile`], here as in process.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The process cannot be started.
    #[error("the compiler `{}` cannot be started", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its time is spent.
    #[error("the component takes more than {0} s to compile: it is too large, or made to be")]
    TooSlow(u64),
    /// Its memory is spent.
    #[error(
        "the component takes more than {} MiB of memory to compile: it is too large, or made to be",
        .0 >> 20
    )]
    TooMuchMemory(u64),
    /// What it made is larger than it may be.
    #[error("compiled, the component has more than {COMPILED_BYTES_MAX} bytes")]
    TooLarge,
    /// It died.
    #[error("the compiler died of the component ({status}): {said}")]
    Crashed {
        /// How.
        status: ExitStatus,
        /// Its last words, one line, without control characters.
        said: String,
    },
}

/// The compiled component, or in the inner error why it is none.
pub(crate) type Compiled = Result<Vec<u8>, String>;

const REQUEST: u64 = u64::from_le_bytes(*b"OACPcmp1");
const REPLY: u64 = u64::from_le_bytes(*b"OACPcwa1");
const COMPILED: u64 = 0;
const REFUSED: u64 = 1;

/// Processors that compile one component. More threads take more address space, and one component has not all of the machine.
const THREADS_MAX: usize = 4;

/// Bytes of what a dying compiler says.
const SAID_BYTES_MAX: u64 = 16 << 10;

fn put(to: &mut impl Write, words: &[u64]) -> io::Result<()> {
    words
        .iter()
        .try_for_each(|word| to.write_all(&word.to_le_bytes()))
}

fn take(from: &mut impl Read) -> io::Result<u64> {
    let mut word = [0; 8];
    from.read_exact(&mut word)?;
    Ok(u64::from_le_bytes(word))
}

fn take_bytes(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Compiles `wasm` in a process of its own.
pub(crate) fn compile(
    program: &PathBuf,
    arguments: &[String],
    limits: CompileLimits,
    meter: Meter,
    wasm: &[u8],
) -> Result<Compiled, CompileError> {
    let start = |source| CompileError::Start {
        program: program.clone(),
        source,
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(THREADS_MAX));
    let mut command = Command::new(program);
    // Nothing of this process's environment is a compiler's business.
    #[cfg(unix)]
    command.env_clear();
    let mut child = command
        .args(arguments)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(start(io::ErrorKind::BrokenPipe.into()));
    };
    let deadline = Instant::now() + Duration::from_secs(limits.seconds_max);
    let cpu_seconds = limits.seconds_max.saturating_mul(threads as u64);
    thread::scope(|scope| {
        scope.spawn(move || {
            // A process that died does not read; how it died says why.
            let request = [
                REQUEST,
                meter as u64,
                cpu_seconds,
                limits.memory_bytes_max,
                wasm.len() as u64,
            ];
            let _ = put(&mut stdin, &request).and_then(|()| stdin.write_all(wasm));
        });
        let said = scope.spawn(move || last_words(stderr));
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            let _ = sender.send(read_reply(stdout));
        });
        let reply = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        // The others' threads end with the process, whose pipes they hold.
        let ended = end(&mut child, deadline);
        let said = said.join().unwrap_or_default();
        match (reply, ended) {
            (Ok(Ok(reply)), _) => reply,
            (_, Ended::Stopped) => Err(CompileError::TooSlow(limits.seconds_max)),
            (_, Ended::ByItself(status)) => Err(judge(status, said, limits)),
        }
    })
}

enum Ended {
    ByItself(ExitStatus),
    /// It had to be killed.
    Stopped,
}

/// Waits for the process until the deadline, then kills it.
fn end(child: &mut Child, deadline: Instant) -> Ended {
    const LOOK: Duration = Duration::from_millis(5);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ended::ByItself(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Ended::Stopped;
            }
        }
    }
}

fn read_reply(mut stdout: impl Read) -> io::Result<Result<Compiled, CompileError>> {
    let (magic, kind, length) = (take(&mut stdout)?, take(&mut stdout)?, take(&mut stdout)?);
    if magic != REPLY {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if length > COMPILED_BYTES_MAX as u64 {
        return Ok(Err(CompileError::TooLarge));
    }
    let bytes = take_bytes(&mut stdout, length)?;
    match kind {
        COMPILED => Ok(Ok(Ok(bytes))),
        REFUSED => Ok(Ok(Err(String::from_utf8_lossy(&bytes).into_owned()))),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// What it said, as far as it is kept; the rest is read and forgotten, so that it can go on.
fn last_words(mut stderr: impl Read) -> String {
    let mut said = Vec::new();
    let _ = (&mut stderr).take(SAID_BYTES_MAX).read_to_end(&mut said);
    let _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&said).into_owned()
}

/// Of what it died.
fn judge(status: ExitStatus, said: String, limits: CompileLimits) -> CompileError {
    // How Rust's allocator ends a process; it has no status of its own.
    if said.contains("memory allocation of") || is_killed(status) {
        return CompileError::TooMuchMemory(limits.memory_bytes_max);
    }
    if is_out_of_time(status) {
        return CompileError::TooSlow(limits.seconds_max);
    }
    let said = said
        .lines()
        .rfind(|line| !line.trim().is_empty() && !line.starts_with("note:"));
    let said = said.unwrap_or("it said nothing").chars().take(256);
    let said = said.map(|c| if c.is_control() { '\u{fffd}' } else { c });
    CompileError::Crashed {
        status,
        said: said.collect(),
    }
}

/// Linux kills who takes the last memory of the machine.
#[cfg(unix)]
fn is_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(rustix::process::Signal::KILL.as_raw())
}

#[cfg(unix)]
fn is_out_of_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
fn is_killed(_: ExitStatus) -> bool {
    false
}

#[cfg(not(unix))]
fn is_out_of_time(_: ExitStatus) -> bool {
    false
}

/// What the process of [`Compiler::Process`] does, from its start to its end: limits itself, reads a component from standard input, and
/// writes what was compiled to standard output. It opens no file.
///
/// Anything but success means that the caller of this program is another than [`Engine`](crate::Engine) of the same build, or gone.
pub fn compile_child() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody else can be told.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(stdin: &mut impl Read, stdout: &mut impl Write) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    if take(stdin)? != REQUEST {
        return Err(invalid());
    }
    let meter = match take(stdin)? {
        word if word == Meter::Fuel as u64 => Meter::Fuel,
        word if word == Meter::None as u64 => Meter::None,
        _ => return Err(invalid()),
    };
    let (cpu_seconds, memory_bytes) = (take(stdin)?, take(stdin)?);
    // From here on nothing that is read is trusted.
    limit(cpu_seconds, memory_bytes)?;
    let length = take(stdin)?;
    if length > COMPONENT_BYTES_MAX as u64 {
        return Err(invalid());
    }
    let wasm = take_bytes(stdin, length)?;
    let engine = wasmtime::Engine::new(&config(meter)).map_err(io::Error::other)?;
    match engine.precompile_component(&wasm) {
        Ok(compiled) => {
            put(stdout, &[REPLY, COMPILED, compiled.len() as u64])?;
            stdout.write_all(&compiled)?;
        }
        Err(error) => {
            let mut why = format!("{error:#}");
            why.truncate(why.floor_char_boundary(SAID_BYTES_MAX as usize));
            put(stdout, &[REPLY, REFUSED, why.len() as u64])?;
            stdout.write_all(why.as_bytes())?;
        }
    }
    stdout.flush()
}

#[cfg(unix)]
fn limit(cpu_seconds: u64, memory_bytes: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Its three pipes, and what the standard library reads to count processors.
    const FILES_MAX: u64 = 16;
    let lower = |resource, max: u64| {
        let max = getrlimit(resource).maximum.map_or(max, |now| now.min(max));
        let limit = Rlimit {
            current: Some(max),
            maximum: Some(max),
        };
        setrlimit(resource, limit)
    };
    // No image of it is left, no file grows.
    lower(Resource::Core, 0)?;
    lower(Resource::Fsize, 0)?;
    lower(Resource::Nofile, FILES_MAX)?;
    lower(Resource::Cpu, cpu_seconds)?;
    #[cfg(not(any(target_os = "openbsd", target_vendor = "apple")))]
    lower(Resource::As, memory_bytes)?;
    // Elsewhere address space cannot be limited; the time still is.
    #[cfg(any(target_os = "openbsd", target_vendor = "apple"))]
    let _ = memory_bytes;
    Ok(())
}

#[cfg(not(unix))]
fn limit(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}

/// Refuses by its first bytes what is no component, in words that say what it is.
pub(crate) fn check_kind(wasm: &[u8]) -> Result<(), ProgramError> {
    let found = match wasm {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            "a core module: make a component of it (`wasm-tools component new`, or build for wasm32-wasip2)"
        }
        [0, b'a', b's', b'm', ..] => "WebAssembly of another version",
        [] => "empty",
        _ => "not WebAssembly",
    };
    Err(ProgramError::Kind { found })
}

/// Wasmtime's words for what is no component, or is one of the future.
pub(crate) fn refused(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ProgramError {
    let why = why.into();
    let mut texts = vec![why.to_string()];
    let mut source = why.source();
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    match texts
        .iter()
        .any(|text| text.contains("component model async"))
    {
        true => ProgramError::Asynchronous,
        false => ProgramError::Compile(why),
    }
}
