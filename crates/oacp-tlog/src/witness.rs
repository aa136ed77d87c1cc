//! What a witness is asked, and how it judges (c2sp.org/tlog-witness).
//!
//! ```text
//! request = "old " ‖ decimal ‖ "\n" ‖ (base64(hash) ‖ "\n")* ‖ "\n" ‖ checkpoint with its signatures
//! answer  = signature line+           409: decimal ‖ "\n"
//! ```
//!
//! A witness cosigns a log's next checkpoint only if it follows from the one it cosigned before. Its
//! promise is worth what its memory is worth: [`judge`] and storing what it gives are one atomic
//! step, and the answer comes after both.

use std::fmt;

use crate::checkpoint::{ParseCheckpointError, SignedCheckpoint};
use crate::encoding::from_decimal;
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::limits::{ADD_CHECKPOINT_BYTES_MAX, COSIGNATURES_BYTES_MAX, PROOF_HASHES_MAX};
use crate::note::{NoteSignature, ParseNoteError, parse_lines};
use crate::proof::{field, parse_hashes};
use crate::tree::{ProofError, verify_consistency};

/// The content type of a 409's body.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// The body of `POST <submission prefix>/add-checkpoint`. Prints as it was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: u64,
    proof: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// Asks to cosign `checkpoint`, given that the witness last cosigned the log's tree of `old_size`
    /// leaves (0: none yet), and the proof that the one begins with the other.
    ///
    /// # Errors
    /// More than 63 hashes.
    pub fn new(
        old_size: u64,
        proof: Vec<Hash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, ParseAddCheckpointError> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(ParseAddCheckpointError::Proof);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint,
        })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// Anything that would not print as the same bytes; a limit. The answer is 400.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseAddCheckpointError> {
        use ParseAddCheckpointError::{OldSize, Proof, TooLarge};
        if bytes.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| OldSize)?;
        let (old_size, rest) = field(text, "old ").ok_or(OldSize)?;
        let old_size = from_decimal(old_size).ok_or(OldSize)?;
        let (proof, rest) = parse_hashes(rest).ok_or(Proof)?;
        let checkpoint = SignedCheckpoint::parse(rest.as_bytes())?;
        Self::new(old_size, proof, checkpoint)
    }

    /// What the log believes the witness cosigned last, in leaves.
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The consistency proof.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// What is to be cosigned.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why bytes are not a request to a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddCheckpointError {
    /// Larger than [`ADD_CHECKPOINT_BYTES_MAX`].
    #[error("request is larger than {ADD_CHECKPOINT_BYTES_MAX} bytes")]
    TooLarge,
    /// No such line, or not a decimal of at most 2^63 − 1.
    #[error("the first line is not `old ` and a decimal of at most 2^63 - 1")]
    OldSize,
    /// A line that is no hash, more than 63, or no empty line behind them.
    #[error("proof is not at most {PROOF_HASHES_MAX} lines of base64 and an empty line")]
    Proof,
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] ParseCheckpointError),
}

/// What a witness knows of a log: the tree that it cosigned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// In leaves.
    pub size: u64,
    /// Of that tree.
    pub root: Hash,
}

/// Judges a request: what the witness knows afterwards, and may then cosign.
///
/// `known` is what it cosigned last for the checkpoint's origin, `None` for nothing yet. `keys` are
/// those of logs that it trusts; those named like the origin are the log's.
///
/// # Errors
/// In the order of the specification: 404, 403, 400, 409, 422. One thing is looked at before its
/// turn: a checkpoint of the known size with another root is [`Refused::RootConflict`] whatever old
/// size the request names, for it proves that the log signed two trees (the status is 409 either way).
pub fn judge(
    known: Option<&Known>,
    request: &AddCheckpoint,
    keys: &[VerifierKey],
) -> Result<Known, Refused> {
    let checkpoint = request.checkpoint();
    let (size, root) = (checkpoint.size(), checkpoint.root());
    let is_origin = |key: &&VerifierKey| key.name().as_str() == checkpoint.origin();
    let mut keys = keys.iter().filter(is_origin).peekable();
    if keys.peek().is_none() {
        return Err(Refused::UnknownOrigin);
    }
    if !keys.any(|key| checkpoint.verify(key)) {
        return Err(Refused::BadSignature);
    }
    if request.old_size > size {
        return Err(Refused::BadRequest {
            old_size: request.old_size,
            size,
        });
    }
    let old = known.copied().unwrap_or(Known {
        size: 0,
        root: Hash::EMPTY_TREE,
    });
    if old.size == size && old.root != root {
        return Err(Refused::RootConflict {
            size,
            known: old.root,
            given: root,
        });
    }
    if request.old_size != old.size {
        return Err(Refused::Conflict { size: old.size });
    }
    let proof = request.proof();
    match verify_consistency(old.size, size, proof, &old.root, &root) {
        // The first checkpoint of a log that the witness sees: taken on trust, without a proof.
        Err(ProofError::FromEmpty) if proof.is_empty() => Ok(()),
        Err(ProofError::FromEmpty) => Err(Refused::Inconsistent(ProofError::TooLong)),
        other => other.map_err(Refused::Inconsistent),
    }?;
    Ok(Known { size, root })
}

/// Why a witness does not cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No key is trusted for this origin.
    #[error("log is unknown")]
    UnknownOrigin,
    /// No trusted key of the log signed it.
    #[error("checkpoint is not signed by a known key of its log")]
    BadSignature,
    /// The old size is above the new one.
    #[error("old size {old_size} is above the checkpoint's size {size}")]
    BadRequest {
        /// As asked.
        old_size: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The witness cosigned another size last.
    #[error("size {size} was cosigned last")]
    Conflict {
        /// That size: the log asks again, from there.
        size: u64,
    },
    /// Two trees of one size, both signed by the log: it has equivocated, and the two checkpoints
    /// prove it. Keep both (see [`Fork`](crate::Fork)).
    #[error("another root was cosigned for size {size}")]
    RootConflict {
        /// Of both, in leaves.
        size: u64,
        /// As cosigned.
        known: Hash,
        /// As given now.
        given: Hash,
    },
    /// The tree does not follow from the known one by this proof.
    #[error("checkpoint does not follow from the one cosigned last")]
    Inconsistent(#[source] ProofError),
}

impl Refused {
    /// The HTTP status that the specification demands.
    pub const fn status(&self) -> u16 {
        match self {
            Self::UnknownOrigin => 404,
            Self::BadSignature => 403,
            Self::BadRequest { .. } => 400,
            Self::Conflict { .. } | Self::RootConflict { .. } => 409,
            Self::Inconsistent(_) => 422,
        }
    }

    /// The size that the witness cosigned last: with a line feed the body of a 409, whose content type
    /// is [`SIZE_CONTENT_TYPE`]. `None` for the other statuses.
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::Conflict { size } | Self::RootConflict { size, .. } => Some(*size),
            _ => None,
        }
    }
}

/// Reads the size from a 409's body. `None`: it is none.
pub fn parse_size(body: &[u8]) -> Option<u64> {
    from_decimal(std::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}

/// Reads a witness' answer: one or more signature lines. None has been verified; those of keys that
/// were not asked for are ignored, by the caller.
///
/// # Errors
/// Another line, no line, or a limit.
pub fn parse_cosignatures(body: &[u8]) -> Result<Vec<NoteSignature>, ParseNoteError> {
    if body.len() > COSIGNATURES_BYTES_MAX {
        return Err(ParseNoteError::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| ParseNoteError::Text)?;
    let signatures = parse_lines(text)?;
    if signatures.is_empty() {
        return Err(ParseNoteError::Unsigned);
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SignerKey;
    use crate::cosign;
    use crate::fixture::{Leaves, ORIGIN, leaf, log_key, pq_witness, witness};

    fn request(old_size: u64, proof: &[Hash], checkpoint: SignedCheckpoint) -> AddCheckpoint {
        AddCheckpoint::new(old_size, proof.to_vec(), checkpoint).unwrap()
    }

    fn known(tree: &Leaves, size: u64) -> Known {
        Known {
            size,
            root: tree.root(size),
        }
    }

    /// Every status of the specification, and which one comes first.
    #[test]
    fn a_witness_judges() {
        let (tree, fork) = (Leaves::new(9), Leaves::forked_at(9, 2));
        let keys = [witness(1).verifier(), log_key().verifier()];
        let proof = tree.consistency(5, 9);
        let at = |size| Some(known(&tree, size));
        let stranger = SignerKey::ed25519(ORIGIN.parse().unwrap(), &[9; 32]);
        let by_stranger = SignedCheckpoint::sign(tree.checkpoint(9).checkpoint(), &stranger);
        let elsewhere = crate::Checkpoint::new("example.com/other", 9, tree.root(9)).unwrap();
        let elsewhere = SignedCheckpoint::sign(&elsewhere, &log_key());
        let conflict = |size| Refused::Conflict { size };
        let root_conflict = |size: u64| Refused::RootConflict {
            size,
            known: tree.root(size),
            given: fork.root(size),
        };
        let cases = [
            // Good ones: the first ever, the next, the same again, an empty log.
            (None, request(0, &[], tree.checkpoint(9)), Ok(9)),
            (at(5), request(5, &proof, tree.checkpoint(9)), Ok(9)),
            (at(9), request(9, &[], tree.checkpoint(9)), Ok(9)),
            (None, request(0, &[], tree.checkpoint(0)), Ok(0)),
            (at(0), request(0, &[], tree.checkpoint(0)), Ok(0)),
            (at(0), request(0, &[], tree.checkpoint(9)), Ok(9)),
            // 404 before all else.
            (
                at(5),
                request(10, &[], elsewhere),
                Err(Refused::UnknownOrigin),
            ),
            // 403 before the sizes are looked at.
            (
                at(5),
                request(10, &[], by_stranger.clone()),
                Err(Refused::BadSignature),
            ),
            (
                at(5),
                request(5, &proof, by_stranger),
                Err(Refused::BadSignature),
            ),
            // 400 before 409.
            (
                at(5),
                request(10, &[], tree.checkpoint(9)),
                Err(Refused::BadRequest {
                    old_size: 10,
                    size: 9,
                }),
            ),
            // 409 before the proof is looked at.
            (at(5), request(0, &[], tree.checkpoint(9)), Err(conflict(5))),
            (
                at(5),
                request(4, &proof, tree.checkpoint(9)),
                Err(conflict(5)),
            ),
            (at(5), request(6, &[], fork.checkpoint(9)), Err(conflict(5))),
            (
                at(9),
                request(5, &tree.consistency(5, 8), tree.checkpoint(8)),
                Err(conflict(9)),
            ),
            (
                None,
                request(5, &proof, tree.checkpoint(9)),
                Err(conflict(0)),
            ),
            // Two roots of one size.
            (
                at(9),
                request(9, &[], fork.checkpoint(9)),
                Err(root_conflict(9)),
            ),
            (
                at(9),
                request(9, &proof, fork.checkpoint(9)),
                Err(root_conflict(9)),
            ),
            (
                at(9),
                request(5, &proof, fork.checkpoint(9)),
                Err(root_conflict(9)),
            ),
            // 422.
            (
                at(5),
                request(5, &[], tree.checkpoint(9)),
                Err(Refused::Inconsistent(ProofError::TooShort)),
            ),
            (
                at(5),
                request(5, &fork.consistency(5, 9), fork.checkpoint(9)),
                Err(Refused::Inconsistent(ProofError::OldRoot)),
            ),
            (
                at(9),
                request(9, &proof, tree.checkpoint(9)),
                Err(Refused::Inconsistent(ProofError::TooLong)),
            ),
            (
                None,
                request(0, &proof, tree.checkpoint(9)),
                Err(Refused::Inconsistent(ProofError::TooLong)),
            ),
            (
                None,
                request(0, &proof, tree.checkpoint(0)),
                Err(Refused::Inconsistent(ProofError::TooLong)),
            ),
        ];
        for (number, (known_before, request, expected)) in cases.into_iter().enumerate() {
            let expected = expected.map(|size| known(&tree, size));
            assert_eq!(
                judge(known_before.as_ref(), &request, &keys),
                expected,
                "case {number}"
            );
        }
        let nobody = judge(None, &request(0, &[], tree.checkpoint(9)), &[]);
        assert_eq!(nobody, Err(Refused::UnknownOrigin));
    }

    #[test]
    fn every_refusal_has_its_status() {
        let hash = leaf(0);
        let cases = [
            (Refused::UnknownOrigin, 404, None),
            (Refused::BadSignature, 403, None),
            (
                Refused::BadRequest {
                    old_size: 2,
                    size: 1,
                },
                400,
                None,
            ),
            (Refused::Conflict { size: 7 }, 409, Some(7)),
            (
                Refused::RootConflict {
                    size: 8,
                    known: hash,
                    given: hash,
                },
                409,
                Some(8),
            ),
            (Refused::Inconsistent(ProofError::Root), 422, None),
        ];
        for (refused, status, size) in cases {
            assert_eq!((refused.status(), refused.size()), (status, size));
        }
    }

    #[test]
    fn one_good_signature_of_the_log_is_enough() {
        let tree = Leaves::new(9);
        let old = SignerKey::ed25519(ORIGIN.parse().unwrap(), &[9; 32]);
        let keys = [old.verifier(), log_key().verifier()];
        let mut checkpoint = tree.checkpoint(9);
        assert!(judge(None, &request(0, &[], checkpoint.clone()), &keys).is_ok());
        // One of another key, good or bad, does not spoil it.
        let bad = cosign(&Leaves::forked_at(9, 0).checkpoint(9), &old, 0);
        checkpoint.add_signature(bad).unwrap();
        checkpoint
            .add_signature(cosign(&checkpoint, &witness(1), 7))
            .unwrap();
        assert!(judge(None, &request(0, &[], checkpoint), &keys).is_ok());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        use ParseAddCheckpointError::*;
        let tree = Leaves::new(9);
        let good = request(5, &tree.consistency(5, 9), tree.checkpoint(9)).to_string();
        let replaced = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            good.replacen(from, to, 1)
        };
        let hash = format!("{}\n", leaf(0));
        let cases = [
            (String::new(), OldSize),
            (replaced("old 5", "old 05"), OldSize),
            (replaced("old 5", "old"), OldSize),
            (replaced("old 5", "old  5"), OldSize),
            (replaced("old 5", "Old 5"), OldSize),
            (replaced("old 5", "old -1"), OldSize),
            (replaced("old 5", "old 9223372036854775808"), OldSize),
            (replaced("old 5\n", "old 5\r\n"), OldSize),
            (replaced("old 5\n", "old 5\nAAAA\n"), Proof),
            (
                replaced("old 5\n", &format!("old 5\n{}", hash.repeat(63))),
                Proof,
            ),
            (replaced("\n\nexample", "\nexample"), Proof),
            (
                replaced("\n\nexample", "\n\n\nexample"),
                Checkpoint(ParseCheckpointError::Origin),
            ),
            ("old 5\n".to_owned(), Proof),
            (
                format!("{good}{}", " ".repeat(ADD_CHECKPOINT_BYTES_MAX)),
                TooLarge,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(
                AddCheckpoint::parse(text.as_bytes()),
                Err(error),
                "{text:.200}"
            );
        }
        let full = request(5, &[leaf(0); 63], tree.checkpoint(9));
        assert_eq!(AddCheckpoint::parse(full.to_string().as_bytes()), Ok(full));
        assert!(AddCheckpoint::new(5, vec![leaf(0); 64], tree.checkpoint(9)).is_err());
    }

    #[test]
    fn answers() {
        let checkpoint = Leaves::new(9).checkpoint(9);
        let lines = [
            cosign(&checkpoint, &witness(1), 7),
            cosign(&checkpoint, &pq_witness(2), 7),
        ];
        let body: String = lines.iter().map(NoteSignature::to_string).collect();
        assert_eq!(parse_cosignatures(body.as_bytes()), Ok(lines.to_vec()));
        for wrong in [
            "",
            "\n",
            body.trim_end(),
            &format!("{body}\n"),
            &body.replace('—', "-"),
        ] {
            assert!(parse_cosignatures(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(parse_cosignatures(&[b' '; COSIGNATURES_BYTES_MAX + 1]).is_err());
        assert_eq!(parse_size(b"0\n"), Some(0));
        assert_eq!(parse_size(b"20852014\n"), Some(20_852_014));
        for wrong in [
            &b""[..],
            b"\n",
            b"7",
            b"07\n",
            b"7\n\n",
            b" 7\n",
            b"7\r\n",
            b"-1\n",
            b"\xff\n",
        ] {
            assert_eq!(parse_size(wrong), None);
        }
    }

    proptest! {
        /// A log that tells the truth is cosigned from any size to any other; a log that forked is not,
        /// whatever of its two trees the proof is from.
        #[test]
        fn truth_passes_and_a_fork_does_not(
            a in 1..60_u64,
            b in 1..60_u64,
            at in 0..60_u64,
            other: bool,
        ) {
            let (old, new) = (a.min(b), a.max(b));
            let (tree, fork) = (Leaves::new(new), Leaves::forked_at(new, at));
            let keys = [log_key().verifier()];
            let before = known(&tree, old);
            let honest = request(old, &tree.consistency(old, new), tree.checkpoint(new));
            prop_assert_eq!(judge(Some(&before), &honest, &keys), Ok(known(&tree, new)));
            prop_assert_eq!(AddCheckpoint::parse(honest.to_string().as_bytes()), Ok(honest));
            let proof = if other { fork.consistency(old, new) } else { tree.consistency(old, new) };
            let forked = request(old, &proof, fork.checkpoint(new));
            let verdict = judge(Some(&before), &forked, &keys);
            if at < old {
                prop_assert!(verdict.is_err());
            } else if other || at >= new {
                prop_assert_eq!(verdict, Ok(known(&fork, new)));
            } else {
                prop_assert!(verdict.is_err());
            }
        }
    }
}
