//! Every limit of the registry, with its unit and what it defends against.

/// Bytes of envelopes that wait for their flush. Beyond it, appending waits. Attack: memory, by appending faster than the disk writes.
pub const POOL_BYTES_MAX: u32 = 16 << 20;

/// Entries of one flush: what one batch costs in memory and time.
pub const BATCH_ENTRIES_MAX: usize = 2048;

/// Bytes of envelopes in one flush; a single larger one makes a flush of its own.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// Bytes of one envelope. Attack: one entry that fills the pool.
pub const ENVELOPE_BYTES_MAX: usize = 6 << 20;

/// Bytes of a segment, after which the next begins. What is pruned is whole segments.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// Milliseconds of a segment, after which the next begins: a day. Payloads go at most this much after their time.
pub const SEGMENT_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// Entries whose tiles may be not yet durable: they are made again at start-up, so this bounds how long that takes.
pub const UNSYNCED_ENTRIES_MAX: u64 = 32_768;

/// Rows that wait to be put into the index. Beyond it, flushing waits.
pub const UNINDEXED_ROWS_MAX: usize = 16_384;

/// Delegations that are kept in memory, so that a sandbox's statements need not look for theirs.
pub const DELEGATIONS_KEPT_MAX: usize = 1024;

/// Partial tiles that are kept beside those that are needed, for readers that have a checkpoint of a moment ago.
pub const PARTIALS_KEPT: usize = 256;

/// Entries that one call may append.
pub const APPEND_ENTRIES_MAX: usize = 4096;

/// Entries for which a process that ends makes its tiles durable. Fewer are made again at the next start-up, which costs less.
pub const SETTLE_ENTRIES_MIN: u64 = 256;

/// Bytes of a hold's name.
pub const HOLD_NAME_BYTES_MAX: usize = 256;

/// Holds of a log. Each is looked for in every segment that is pruned.
pub const HOLDS_MAX: usize = 1024;
