//! Every limit of reading JavaScript, with its unit and what it defends against.

/// Bytes of a file that is parsed: the entry, what types and functions are taken from, every file of TypeScript. Others are carried along
/// unread. Attack: the parser's time and memory, and a stack that is as large as the file needs.
pub(super) const PARSED_BYTES_MAX: usize = 1 << 20;

/// Bytes of stack for each byte of a file. The parser and the visitors descend at most once a byte, and take up to 2 KiB (measured over every
/// construct that nests, in debug and release builds).
pub(super) const STACK_BYTES_PER_BYTE: usize = 4 << 10;

/// Bytes of stack besides.
pub(super) const STACK_BYTES: usize = 32 << 20;

/// Brackets, type arguments, conditions and arrows, one within the other. Attack: the parser tries some of them twice, so its time and memory
/// grow with the square of the depth.
pub(super) const NESTING_MAX: usize = 200;

/// Nesting that costs nothing.
pub(super) const NESTING_FREE: usize = 12;

/// Tokens, each counted as often as it is nested beyond [`NESTING_FREE`]. Attack: many deep places, which cost up to 100 bytes each count.
pub(super) const NESTING_WEIGHT_MAX: usize = 2_000_000;

/// Types, one within the other, and names followed from type to type or from file to file.
pub(super) const TYPE_DEPTH_MAX: usize = 32;

/// Steps of turning one function's types into schemas. Attack: a few types that double each other.
pub(super) const TYPE_STEPS_MAX: usize = 20_000;

/// Types with names that one function's input or output refers to.
pub(super) const TYPES_MAX: usize = 256;

/// Levels of JSON from which a type that is used once gets a name of its own, not to break the limit of a schema.
pub(super) const INLINE_DEPTH_MAX: usize = 26;

/// Nested values in a literal.
pub(super) const LITERAL_DEPTH_MAX: usize = 32;

/// Bytes of what is quoted from a file in a message.
pub(super) const QUOTED_BYTES_MAX: usize = 80;

/// Bytes of a function's name: with a package's of 64 and a dot it is a tool's of 128.
pub(super) const FUNCTION_BYTES_MAX: usize = 63;
