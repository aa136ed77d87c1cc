//! Every limit of every parser in this crate, with its unit and what it defends against.
//!
//! All parsers here read what a stranger wrote. A limit that is reached is a refusal, never a
//! truncation.

/// How large and how deep a JSON text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Bytes of the text, checked before the first byte is read. Attack: memory by a huge text.
    pub bytes_max: usize,
    /// Nested arrays and objects; at most [`JSON_DEPTH_MAX`] is useful. Attack: stack overflow by
    /// `[[[[…`.
    pub depth_max: usize,
}

/// Nested arrays and objects in any JSON text. Attack: stack overflow. (`serde_json` itself stops
/// at 128.)
pub const JSON_DEPTH_MAX: usize = 64;

/// The largest integer, either sign, that every JSON implementation reads alike: 2^53 − 1 (RFC
/// 7493, 2.2). Attack: a number that reads as one value here and as another in a browser.
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Bytes of a bundle. Attack: memory by one huge file. It has to hold a language runtime (about 40
/// MiB, base64).
pub const BUNDLE: JsonLimits = JsonLimits {
    bytes_max: 256 << 20,
    depth_max: JSON_DEPTH_MAX,
};

/// Bytes of an envelope that travels alone; its payload is base64.
pub const ENVELOPE: JsonLimits = JsonLimits {
    bytes_max: 6 << 20,
    depth_max: JSON_DEPTH_MAX,
};

/// Bytes of a statement. Attack: a payload that is cheap to send and dear to walk. 10,000 tool
/// calls fit.
pub const STATEMENT: JsonLimits = JsonLimits {
    bytes_max: 4 << 20,
    depth_max: JSON_DEPTH_MAX,
};

/// Bytes of one event. Attack: contents smuggled past the blobs. A log line of
/// [`LOG_MESSAGE_BYTES_MAX`] fits, each of its bytes escaped as six.
pub const EVENT: JsonLimits = JsonLimits {
    bytes_max: 512 << 10,
    depth_max: JSON_DEPTH_MAX,
};

/// Bytes of one line of an export: an envelope, and its leaf. Attack: a line without end.
pub const EXPORT_LINE: JsonLimits = JsonLimits {
    bytes_max: ENVELOPE.bytes_max + (64 << 10),
    depth_max: JSON_DEPTH_MAX,
};

/// Keys whose statements are followed through an export; about 100 bytes each. Attack, as of the
/// four below: memory by an export of any length. What goes beyond is reported as not checked.
pub const EXPORT_KEYS_MAX: usize = 1 << 18;

/// Runs of consecutive numbers, of all keys of an export; about 100 bytes each.
pub const EXPORT_RUNS_MAX: usize = 1 << 18;

/// Runs of consecutive numbers of one key. Attack: numbers in an order that costs time, too.
pub const EXPORT_KEY_RUNS_MAX: usize = 1 << 10;

/// Delegations that an export is judged by; the latest ones. A key is used for a day.
pub const EXPORT_DELEGATIONS_MAX: usize = 1 << 16;

/// Bytes of those delegations' payloads.
pub const EXPORT_DELEGATION_BYTES_MAX: usize = 128 << 20;

/// Executions of an export that were announced and have not ended.
pub const EXPORT_BEGINS_MAX: usize = 1 << 16;

/// Findings of one kind that an export's report lists; the others are counted.
pub const EXPORT_FINDINGS_MAX: usize = 1000;

/// Bytes of a trust file. An operator's file, but often fetched.
pub const TRUST: JsonLimits = JsonLimits {
    bytes_max: 4 << 20,
    depth_max: JSON_DEPTH_MAX,
};

/// Bytes of a log's leaf. It has no text of free length; the limit is for what pretends to be one.
pub const LEAF: JsonLimits = JsonLimits {
    bytes_max: 512,
    depth_max: 2,
};

/// Events of a recording. Attack: a tree of empty leaves.
pub const EVENTS_MAX: usize = 1 << 20;

/// Hashes of a disclosed event's path: a tree of [`EVENTS_MAX`] leaves is so high. Attack: hashing
/// for what leads nowhere.
pub const DISCLOSED_PATH_MAX: usize = EVENTS_MAX.ilog2() as usize;

/// Log proofs of one envelope of a bundle. Attack: a signature to check for every few bytes.
pub const PROOFS_MAX: usize = 64;

/// Bytes of one log proof in a bundle: 63 hashes, and a checkpoint with a score of the largest
/// cosignatures.
pub const PROOF_BYTES_MAX: usize = 64 << 10;

/// Blobs of a bundle. Attack: a map of small entries.
pub const BLOBS_MAX: usize = 1 << 20;

/// Bytes of a tool's name as the guest said it, in UTF-8. Attack: a name used as a store.
pub const ASKED_NAME_BYTES_MAX: usize = 128;

/// Bytes of the name of a component's function.
pub const EXPORT_NAME_BYTES_MAX: usize = 512;

/// Bytes of what agents are told of a tool. Attack: text that floods a model's context.
pub const TOOL_DESCRIPTION_BYTES_MAX: usize = 16 << 10;

/// Bytes of a tool's definition, as canonical JSON. Attack: a schema that is dear to compile.
pub const TOOL_DEFINITION_BYTES_MAX: usize = 512 << 10;

/// Bytes of an agent's name, and of a check's.
pub const AGENT_NAME_BYTES_MAX: usize = 64;

/// Bytes of an agent's definition, as canonical JSON: two schemas, and the digests of its tools.
pub const AGENT_DEFINITION_BYTES_MAX: usize = 1 << 20;

/// Checks of an agent. Attack: executions after each run, without end.
pub const AGENT_CHECKS_MAX: usize = 16;

/// Bundles within one bundle, of the executions that it called; each of them may hold others. Attack:
/// signatures to check by the thousand.
pub const CHILDREN_MAX: usize = 1 << 14;

/// How deep bundles stand within bundles. Attack: stack overflow.
pub const CHILDREN_DEPTH_MAX: usize = 8;

/// Bytes of a tool's name (MCP).
pub const TOOL_NAME_BYTES_MAX: usize = 128;

/// Bytes of a sandbox's name: a DNS label's.
pub const SANDBOX_NAME_BYTES_MAX: usize = 63;

/// Bytes of a nonce, an audience, a principal, a log's origin. Attack: text that floods a report.
pub const TEXT_BYTES_MAX: usize = 256;

/// Bytes of one log line. Attack: a recording filled by a loop around `log`.
pub const LOG_MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Bytes of a denial's single texts. Attack: a guest's own words, repeated to an operator's
/// terminal.
pub const DENIAL_TEXT_BYTES_MAX: usize = 4 << 10;

/// Lines of a denial's fix.
pub const DENIAL_FIX_MAX: usize = 16;

/// Calls in one `wait`. Attack: an event of unbounded width.
pub const WAIT_CALLS_MAX: usize = 1 << 14;

/// Files of a source. Attack: inodes and map entries.
pub const SOURCE_FILES_MAX: usize = 4096;

/// Bytes of one source file.
pub const SOURCE_FILE_BYTES_MAX: usize = 8 << 20;

/// Bytes of all files of a source.
pub const SOURCE_BYTES_MAX: usize = 32 << 20;

/// Bytes of a source path.
pub const SOURCE_PATH_BYTES_MAX: usize = 1024;

/// Bytes of one segment of a source path: what common file systems take.
pub const SOURCE_PATH_SEGMENT_BYTES_MAX: usize = 255;

/// Milliseconds that a statement's timestamp may lie ahead of the verifier's clock, for clocks that
/// disagree.
pub const CLOCK_SKEW_MS_MAX: i64 = 5 * 60 * 1000;

/// Nodes of a trust file.
pub const TRUST_NODES_MAX: usize = 4096;

/// Bytes of a path as a guest sees it, and of a pattern: Linux's own. Attack: a path whose judging
/// costs more than its use.
pub const GUEST_PATH_BYTES_MAX: usize = 4096;

/// Bytes of one segment of such a path: what common file systems take.
pub const GUEST_PATH_SEGMENT_BYTES_MAX: usize = 255;

/// Bytes of a URL, also once it is canonical.
pub const URL_BYTES_MAX: usize = 8192;

/// Bytes of a host's name (RFC 1035).
pub const HOST_NAME_BYTES_MAX: usize = 253;

/// Bytes of one label of a host's name (RFC 1035).
pub const HOST_LABEL_BYTES_MAX: usize = 63;

/// Bytes of an environment variable's name, and of a pattern over names.
pub const VARIABLE_NAME_BYTES_MAX: usize = 256;

/// Bytes of a secret's name.
pub const SECRET_NAME_BYTES_MAX: usize = 128;

/// Bytes of the header, the prefix or the parameter that a secret goes to.
pub const SECRET_PLACE_BYTES_MAX: usize = 128;

/// Entries of one list of capabilities. Attack: a grant that is judged at every use.
pub const CAPABILITY_ENTRIES_MAX: usize = 4096;

/// Ceilings side by side. Attack: as above.
pub const CEILINGS_WIDTH_MAX: usize = 8;

/// Ceilings within ceilings. Attack: stack overflow.
pub const CEILINGS_DEPTH_MAX: usize = 8;

/// All ceilings of a grant.
pub const CEILINGS_MAX: usize = 64;

/// Bytes of a method of HTTP.
pub const METHOD_BYTES_MAX: usize = 32;

/// Headers of a request or a response.
pub const HEADERS_MAX: usize = 256;

/// Bytes of a request's headers, names and values. Attack: memory on either side.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes of a request's body.
pub const REQUEST_BODY_BYTES_MAX: usize = 16 << 20;

/// Bytes of a response's status line and headers. Attack: a head without end.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes of a response's body, as received and as decompressed. Attack: a body without end; a few
/// bytes that decompress to many.
pub const RESPONSE_BODY_BYTES_MAX: usize = 16 << 20;

/// Bytes of what a run was allowed for, when somebody was asked (`granted`).
pub const GRANTED_SCOPE_BYTES_MAX: usize = 256;

pub(crate) mod saturated {
    //! Writes a count as an integer that JSON can hold. 2^53 − 1 nanoseconds are 104 days, as fuel
    //! nine million seconds: whatever is larger is written as the largest, so that no writer can
    //! fail on a number.
    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64((*count).min(super::JSON_INTEGER_MAX))
    }

    pub(crate) mod option {
        use serde::Serializer;

        pub(crate) fn serialize<S: Serializer>(
            count: &Option<u64>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match count {
                Some(count) => super::serialize(count, serializer),
                None => serializer.serialize_none(),
            }
        }
    }
}
