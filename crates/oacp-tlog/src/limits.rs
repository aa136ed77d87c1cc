//! Every limit of every parser in this crate, with its unit and what it defends against.
//!
//! All parsers here read what a stranger wrote. A limit that is reached is a refusal, never a
//! truncation. Where a specification demands that so much be accepted, it is named.

/// Leaves of a tree, and the largest index, size, time and number: 2^63 − 1 (tlog-cosignature says
/// so of times). Attack: a number that reads as one value here and as another, negative one
/// elsewhere.
pub const NUMBER_MAX: u64 = crate::encoding::NUMBER_MAX;

/// Bytes of a note with its signatures. Attack: memory by one huge note. Sixteen signatures of
/// nearly 5 kB have to fit (signed-note): about 110 KB in base64.
pub const NOTE_BYTES_MAX: usize = 192 << 10;

/// Signature lines of a note. Attack: many lines of one key, each a verification. At least 16 must be
/// accepted (signed-note).
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// Bytes of a key's name and of a log's origin: what the length byte of a signed message can say
/// (tlog-cosignature, `cosigner_name` and `log_origin`). Attack: a name that two messages share.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of a verifier key's public part, the type byte left out. Attack: a policy of a few huge
/// lines. ML-DSA-87, the largest of its kind, has 2592.
pub const PUBLIC_KEY_BYTES_MAX: usize = 4096;

/// Hashes of an inclusion or consistency proof. No inclusion proof, and no consistency proof in a tree
/// of up to 2^62 leaves, needs more; tlog-witness allows no more. Attack: hashing on and on before the
/// shape is seen to be wrong.
pub const PROOF_HASHES_MAX: usize = 63;

/// Bytes of a `.tlog-proof`: a note, a proof's hashes and the extra data.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + (32 << 10);

/// Bytes of a `.tlog-proof`'s extra data, decoded. Attack: whatever a stranger wants carried along.
pub const PROOF_EXTRA_BYTES_MAX: usize = 16 << 10;

/// Bytes of one entry: its length is two bytes (tlog-tiles).
pub const ENTRY_BYTES_MAX: usize = 0xffff;

/// Hashes of a tile and entries of a bundle (tlog-tiles).
pub const TILE_WIDTH_MAX: u16 = 256;

/// Bytes of a tile's path. The longest has 50. Attack: a long request line, walked.
pub const TILE_PATH_BYTES_MAX: usize = 64;

/// Bytes of a policy. An operator's file, but often fetched. 128 witnesses with ML-DSA-44 keys fit.
pub const POLICY_BYTES_MAX: usize = 512 << 10;

/// Logs of a policy. At least 32 (tlog-policy). Attack: quadratic comparisons, many verifications.
pub const POLICY_LOGS_MAX: usize = 128;

/// Witnesses of a policy. At least 32 (tlog-policy).
pub const POLICY_WITNESSES_MAX: usize = 128;

/// Groups of a policy. At least 32 (tlog-policy).
pub const POLICY_GROUPS_MAX: usize = 128;

/// Bytes of a request to a witness: a checkpoint, a proof's hashes and a line.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = NOTE_BYTES_MAX + (4 << 10);

/// Bytes of a witness' or mirror's answer. Attack: an endless answer to a log that waits for it.
pub const COSIGNATURES_BYTES_MAX: usize = NOTE_BYTES_MAX;

/// Bytes of a mirror's ticket, decoded. A signed checkpoint fits. Attack: a mirror that has its
/// clients carry megabytes.
pub const TICKET_BYTES_MAX: usize = 16 << 10;

/// Entry packages of one upload to a mirror: what tlog-mirror asks clients to keep to.
pub const MIRROR_PACKAGES_MAX: usize = 32;

/// Bytes of the evidence of a fork: two notes, a proof's hashes and two lines.
pub const FORK_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX + (8 << 10);
