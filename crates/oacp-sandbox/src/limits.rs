//! Every limit that a guest meets, in one place, with the attack that it stops.
//!
//! What a caller may choose is in [`Limits`]; what nobody may choose is a constant.

use oacp::limits::{JSON_DEPTH_MAX, JsonLimits};

/// Bytes of one log line. Attack: one line that fills the recording.
pub const LOG_LINE_BYTES_MAX: usize = 64 << 10;

/// Bytes of all log lines of a run. Attack: an endless log fills memory and disk.
pub const LOG_BYTES_MAX: usize = 1 << 20;

/// Bytes of a run's result. Attack: a 1 GiB result is copied to the host, hashed and stored.
pub const RESULT_BYTES_MAX: usize = 16 << 20;

/// Bytes of an error's message. Attack: a failure that is larger than any result may be.
pub const ERROR_MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Bytes of an error's stack trace. Attack: as above.
pub const ERROR_TRACE_BYTES_MAX: usize = 64 << 10;

/// Bytes of one tool call's arguments. Attack: as for the result.
pub const ARGUMENT_BYTES_MAX: usize = 4 << 20;

/// Of one tool call's arguments, where a function of the embedding program reads them.
pub const ARGUMENTS: JsonLimits = JsonLimits {
    bytes_max: ARGUMENT_BYTES_MAX,
    depth_max: JSON_DEPTH_MAX,
};

/// Bytes of one tool call's result. Attack: a tool answers with more than the guest can hold.
pub const TOOL_RESULT_BYTES_MAX: usize = 16 << 20;

/// Tool calls that may be pending at a time. Attack: a million tasks on the host.
pub const CALLS_PENDING_MAX: usize = 256;

/// Calls and denials of a run. Attack: each tool call stands in the statement, which must stay small enough to be parsed by a stranger.
pub const CALLS_MAX: u64 = 10_000;

/// Bytes of one file. Attack: a log of many gigabytes in a granted directory is read into memory.
pub const FILE_BYTES_MAX: usize = 32 << 20;

/// Bytes of all files that a run holds in memory. Attack: many files, each within its own limit.
pub const FILES_BYTES_MAX: usize = 128 << 20;

/// Files and directories that a run looks at. Attack: a walk over a disk.
pub const FILES_KNOWN_MAX: usize = 20_000;

/// Files and directories that are open at a time. Attack: open in a loop, close nothing.
pub const FILES_OPEN_MAX: usize = 256;

/// Names of one directory that are listed. Attack: a directory of millions.
pub const DIRECTORY_ENTRIES_MAX: usize = 10_000;

/// Directories in which a run writes, removes or makes something. Attack: each is held open until all is written.
pub const DIRECTORIES_WRITTEN_MAX: usize = 256;

/// Bytes that one name of a listing takes beside its characters.
pub const DIRECTORY_ENTRY_BYTES: usize = 32;

/// Bytes that one read or write of a stream moves. Attack: a length that makes the host reserve memory.
pub const STREAM_CHUNK_BYTES_MAX: usize = 1 << 20;

/// Bytes of an environment variable's name. Attack: names used as a store, in denials.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of a URL that is none, as it is recorded. Attack: as above.
pub const URL_RECORDED_BYTES_MAX: usize = 2048;

/// Bytes of all headers, and of all request bodies that are not sent, that a guest of `wasi:http` keeps on the host. What is sent and what
/// comes back counts as recorded. Attack: thousands of requests are written, each within its own limit, and none is sent.
pub const HTTP_HELD_BYTES_MAX: usize = 64 << 20;

/// Bytes that one header counts beside its name and value. Attack: headers of no bytes.
pub const HTTP_FIELD_BYTES: usize = 64;

/// Nanoseconds that a guest waits when it only asks whether an HTTP response is there. Attack: asking in a loop, each time an event.
pub const HTTP_LOOK_NS: u64 = 1_000_000;

/// Polls that report something else before a response that is awaited is looked for. Attack: as above.
pub const HTTP_PASSED_OVER_MAX: u32 = 16;

/// Bytes of a run's input. Attack: a caller's input is copied into the guest and kept in the bundle.
pub const INPUT_BYTES_MAX: usize = 16 << 20;

/// Events of a run. Attack: an endless loop of cheap calls fills the recording.
pub const EVENTS_MAX: u64 = 100_000;

/// Bytes of all that is recorded of a run: arguments, results, files, requests, replies, and the events that hold a guest's own words.
/// Attack: many calls, each within its own limit.
pub const RECORDING_BYTES_MAX: usize = 64 << 20;

/// Bytes that one call from the guest may make the host lift out of linear memory. Wasmtime's own default
/// is 128 MiB. Attack: a list of a billion empty strings.
pub const HOSTCALL_BYTES_MAX: usize = 32 << 20;

/// Entries of the host's table of resources (streams, pollables). Wasmtime's own default is a
/// million. Attack: subscribe in a loop, drop nothing.
pub const RESOURCES_MAX: usize = 4096;

/// Bytes of one request for randomness. Attack: a 4 GiB request is served by the host.
pub const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// Elements of all tables together. Attack: tables are memory that a limit on memories does not see.
pub const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Core instances, memories and tables of one component. Attack: each costs address space.
pub const INSTANCES_MAX: usize = 64;

/// Bytes of a component that will be compiled. Attack: the compiler's time and memory.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;

/// Bytes that a component may have when it is compiled. Attack: code that is small as WebAssembly and huge as machine code.
pub const COMPILED_BYTES_MAX: usize = 512 << 20;

/// Functions of a component that are offered as tools, and as many that are named as refused. Attack: a list that nobody reads, in the memory of every
/// node.
pub const EXPORTS_MAX: usize = 256;

/// Bytes of a function's input or output schema. Attack: a schema that is dear to read and to compile.
pub const SCHEMA_BYTES_MAX: usize = 128 << 10;

/// Bytes of the schemas of all functions of a component. Attack: many, each within its limit.
pub const SCHEMAS_BYTES_MAX: usize = 4 << 20;

/// Arrays and objects within each other in a schema that follows from a component's types. Attack: as for its bytes.
pub const SCHEMA_DEPTH_MAX: usize = 32;

/// Schemas within such a schema. Attack: as for its bytes.
pub const SCHEMA_PARTS_MAX: usize = 4096;

/// Regular expressions of such a schema; one with more has none. Attack: memory by compiled automata.
pub const SCHEMA_PATTERNS_MAX: usize = 32;

/// Types within each other, of a function that is offered as a tool. Attack: stack overflow by a value.
pub const TYPE_DEPTH_MAX: usize = 32;

/// Types that a function's types are made of, each counted as often as it occurs. Attack: pairs of pairs of pairs share their types in a component, and
/// not in a schema.
pub const TYPE_PARTS_MAX: usize = 4096;

/// Bytes that a call's arguments take as a component's values. Attack: `{}` for a record of a thousand optional fields.
pub const ARGUMENT_VALUES_BYTES_MAX: usize = 64 << 20;

/// Arguments of a command. Attack: millions of empty ones.
pub const COMMAND_ARGUMENTS_MAX: usize = 4096;

/// Bytes that a command that is called as a tool may write to standard output, and as many to standard error. Attack: as for the result.
pub const COMMAND_OUTPUT_BYTES_MAX: usize = 4 << 20;

/// Bytes of the documentation in a component; what is larger is not read. Attack: as for the result.
pub const DOCS_BYTES_MAX: usize = 1 << 20;

/// Bytes of a function's description. Attack: a text that fills a model's context.
pub const DESCRIPTION_BYTES_MAX: usize = oacp::limits::TOOL_DESCRIPTION_BYTES_MAX;

/// Milliseconds of quota in which a component describes itself; ten times as many of wall time. Attack: a component that is only ever asked what it is.
pub const DESCRIBE_MS_MAX: u64 = 1_000;

/// Bytes of linear memory in which a component describes itself. Attack: as above.
pub const DESCRIBE_MEMORY_BYTES_MAX: usize = 256 << 20;

/// Bytes of native stack for WebAssembly frames. Attack: endless recursion; the guard page behind it traps. Large enough that CPython meets
/// its own limit first, which is an exception, and re-executable; pages that are not reached cost nothing.
pub const WASM_STACK_BYTES: usize = 32 << 20;

/// Fuel between two yields to the host's scheduler: some milliseconds. Attack: a busy loop that no timeout can stop.
pub const FUEL_YIELD_INTERVAL: u64 = 10_000_000;

/// Host calls after which the time is asked for: reading a clock costs as much as many a host call. Attack: a guest
/// that lives in host calls, which cost it little fuel, and so does not yield.
pub const HOST_CALLS_UNTIMED: u32 = 16;

/// Fuel that is charged for a call of OACP's own interfaces or of `wasi:random`, whatever it does. Part of the fuel model `oacp-fuel/1`.
pub const FUEL_PER_HOST_CALL: u64 = 1_000;

/// Fuel that is charged for each byte that such a call carries. Part of the fuel model `oacp-fuel/1`.
pub const FUEL_PER_HOST_BYTE: u64 = 1;

/// Nanoseconds by which a guest's clocks advance at each reading.
pub const CLOCK_STEP_NS: u64 = 1_000;

/// Fuel for a millisecond of `cpu_quota_ms`: a fixed, published rate, so that a quota means the
/// same on every machine.
pub const FUEL_PER_QUOTA_MS: u64 = 1_000_000;

/// What a caller may choose for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for the whole run. Under [`Meter::None`](crate::Meter::None) it is not counted.
    pub fuel: u64,
    /// Bytes of linear memory, all memories of the component together.
    pub memory_bytes_max: usize,
    /// Milliseconds of wall time over everything, waiting for tools included.
    pub timeout_ms: u64,
}

impl Default for Limits {
    /// A quota of 10 s, 512 MiB, 30 s.
    fn default() -> Self {
        Self {
            fuel: 10_000 * FUEL_PER_QUOTA_MS,
            memory_bytes_max: 512 << 20,
            timeout_ms: 30_000,
        }
    }
}

impl Limits {
    /// Milliseconds of wall time that the run may compute: four times the quota. A safety
    /// net below the fuel, for a machine on which the published rate is far off.
    pub fn computing_ms_max(&self) -> u64 {
        (self.fuel / FUEL_PER_QUOTA_MS).saturating_mul(4).max(100)
    }
}
