//! Every limit of this crate, with its unit and what it defends against. Schemas, sources and packages are strangers' words.

use oacp::limits::JsonLimits;

/// Bytes of a schema as compact JSON. Attack: memory by a huge schema, at every load.
pub const SCHEMA_BYTES_MAX: usize = 256 << 10;

/// Nested arrays and objects of a schema. Attack: stack overflow.
pub const SCHEMA_DEPTH_MAX: usize = 32;

/// Schemas within a schema.
pub const SCHEMA_NODES_MAX: usize = 4096;

/// Schemas that one value may be judged by, a schema counted as often as it is reached. Attack: a few references that double each other.
pub const SCHEMA_WIDTH_MAX: usize = 4096;

/// References and combinations (`allOf`, …) one within the other, at one value. Attack: stack overflow.
pub const SCHEMA_CHAIN_MAX: usize = 64;

/// `pattern` and `patternProperties` of a schema. Attack: memory by compiled automata.
pub const SCHEMA_PATTERNS_MAX: usize = 64;

/// Bytes of one regular expression.
pub const SCHEMA_PATTERN_BYTES_MAX: usize = 1024;

/// Bytes of one compiled regular expression, and as many for its cache. Attack: `(a{99}){99}`.
pub const SCHEMA_PATTERN_COMPILED_BYTES_MAX: usize = 1 << 20;

/// `unevaluatedProperties` and `unevaluatedItems` of a schema. Attack: each judges again what stands beside it.
pub const SCHEMA_UNEVALUATED_MAX: usize = 4;

/// A value that is validated: arguments, a result.
pub const VALUE: JsonLimits = JsonLimits {
    bytes_max: 16 << 20,
    depth_max: oacp::limits::JSON_DEPTH_MAX,
};

/// Steps of validating one value: about one for each pair of a schema and a value that meet. A step takes 10 to 100 ns. Attack: a schema
/// that takes hours over a value that is cheap to send.
pub const VALIDATION_STEPS_MAX: u64 = 10_000_000;

/// Schemas and values, one within the other, in validating. Attack: stack overflow.
pub const VALIDATION_DEPTH_MAX: usize = 512;

/// Steps up to which a value that does not conform is explained in full; about 100 bytes each for as long as that takes. Beyond, it is
/// refused without saying where.
pub const EXPLANATION_STEPS_MAX: u64 = 400_000;

/// Violations that are listed of one value; the others are counted.
pub const VIOLATIONS_MAX: usize = 16;

/// Bytes of a value, a name or a place as a violation shows it.
pub const VIOLATION_TEXT_BYTES_MAX: usize = 160;

/// Bytes of a package's name; with a dot and a function's name of 63 it is within a tool's 128.
pub const PACKAGE_NAME_BYTES_MAX: usize = 64;

/// Tools of one package. Attack: a package that floods an agent's choice, and the store.
pub const TOOLS_MAX: usize = 128;

/// Packages in a store.
pub const PACKAGES_MAX: usize = 10_000;

/// Agents in a store.
pub const AGENTS_MAX: usize = 10_000;

/// What a file says of itself, as the sandbox gives it back. Attack: a guest's words, without end.
pub const ANSWER: JsonLimits = JsonLimits {
    bytes_max: 16 << 20,
    depth_max: oacp::limits::JSON_DEPTH_MAX,
};

/// Remarks of one kind that are kept of what a package says of itself.
pub const REMARKS_MAX: usize = 256;

/// Bytes of one text of a remark.
pub const REMARK_TEXT_BYTES_MAX: usize = 1024;

/// Bytes of a package's record in the store: 128 tools of 64 KiB.
pub const RECORD: JsonLimits = JsonLimits {
    bytes_max: 8 << 20,
    depth_max: oacp::limits::JSON_DEPTH_MAX,
};

/// Bytes of a source as the store keeps it, base64 of [`SOURCE_BYTES_MAX`](oacp::limits::SOURCE_BYTES_MAX) with its paths.
pub const STORED_SOURCE: JsonLimits = JsonLimits {
    bytes_max: 64 << 20,
    depth_max: 4,
};

/// Bytes of a component.
pub const COMPONENT_BYTES_MAX: usize = 128 << 20;

/// Bytes of a version, a place of origin, a signer's name.
pub const RECORD_TEXT_BYTES_MAX: usize = 4 << 10;

/// Needs that are listed of one package, and places of one need.
pub const NEEDS_MAX: usize = 256;

/// Places that are listed of one need; the others are counted.
pub const NEED_PLACES_MAX: usize = 8;

/// Bytes of a host, a path or a name as a source has it in a literal.
pub const NEED_TEXT_BYTES_MAX: usize = 256;

/// Bytes that are asked for at once of a file that is fetched: at most so many are lost with a connection, and a line of 35 KB a second has
/// them within an exchange's 30 seconds.
pub const PIECE_BYTES: u64 = 1 << 20;

/// Pieces of a download beyond those that its size needs. Attack: a server that answers with a byte each time.
pub const SHORT_PIECES_MAX: u64 = 256;

/// Times that a request is sent whose connection breaks.
pub const ATTEMPTS_MAX: usize = 3;

/// Redirects of one request. Attack: a server that sends whoever asks it in a circle.
pub const REDIRECTS_MAX: usize = 5;

/// A manifest of a registry; the OCI specification asks of registries to take 4 MiB, and a tool's has one layer. Attack: memory by a huge one.
pub const OCI_MANIFEST: JsonLimits = JsonLimits {
    bytes_max: 1 << 20,
    depth_max: oacp::limits::JSON_DEPTH_MAX,
};

/// A registry's answer to who asks for a token.
pub const OCI_TOKEN: JsonLimits = JsonLimits {
    bytes_max: 64 << 10,
    depth_max: oacp::limits::JSON_DEPTH_MAX,
};

/// Signatures that are looked at of one artefact, each a request. Attack: a tag with ten thousand of them.
pub const SIGNATURES_MAX: usize = 32;

/// What cosign signs, or its signature of a file.
pub const COSIGN_PAYLOAD: JsonLimits = JsonLimits {
    bytes_max: 64 << 10,
    depth_max: oacp::limits::JSON_DEPTH_MAX,
};

/// Bytes of an envelope that holds a release.
pub const RELEASE_BYTES_MAX: usize = 64 << 10;
