//! Evidence that a log has equivocated: two checkpoints that it signed, and that no one tree has both
//! of. The form is this project's own; no C2SP specification has one.
//!
//! ```text
//! "tlog-fork/v1\n" ‖ ("prefix " ‖ base64(root) ‖ "\n" ‖ (base64(hash) ‖ "\n")*)? ‖ "\n"
//! ‖ first checkpoint with its signatures ‖ "\n" ‖ second checkpoint with its signatures
//! ```
//!
//! Attack: an accusation that anyone can make up. Two checkpoints of one size and two roots need
//! nothing more. Of two sizes, a proof that does *not* verify shows nothing, for anyone can write
//! one. What shows it is a proof that does: that the larger tree begins with a tree of the smaller
//! one's size (`prefix`) whose root is another than the one the log signed.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{ParseCheckpointError, SignedCheckpoint};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::limits::{FORK_BYTES_MAX, PROOF_HASHES_MAX};
use crate::proof::{field, parse_hashes};
use crate::tree::{ProofError, verify_consistency};

/// The first line.
const HEADER: &str = "tlog-fork/v1\n";

/// Two checkpoints of one log that do not go together, the smaller first. Prints as it was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    first: SignedCheckpoint,
    second: SignedCheckpoint,
    prefix: Option<Prefix>,
}

/// How the second checkpoint's tree begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix {
    root: Hash,
    proof: Vec<Hash>,
}

/// What a fork's evidence shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkVerdict {
    /// The log signed two trees that no one log has both of. Nothing else is needed to see it.
    Proven,
    /// The log signed both, and nothing here shows that one does not follow from the other. It can
    /// settle that with a consistency proof, if there is one.
    Suspected,
}

impl Fork {
    /// Two checkpoints; the smaller becomes the first.
    pub fn new(one: SignedCheckpoint, other: SignedCheckpoint) -> Self {
        let (first, second) = if one.size() <= other.size() {
            (one, other)
        } else {
            (other, one)
        };
        Self {
            first,
            second,
            prefix: None,
        }
    }

    /// With how the second checkpoint's tree begins: the `root` that it has at the first one's size,
    /// and the consistency proof from there.
    ///
    /// # Errors
    /// More hashes than any proof has.
    pub fn with_prefix(self, root: Hash, proof: Vec<Hash>) -> Result<Self, ParseForkError> {
        if proof.len() > PROOF_HASHES_MAX {
            return Err(ParseForkError::Prefix);
        }
        Ok(Self {
            prefix: Some(Prefix { root, proof }),
            ..self
        })
    }

    /// Reads evidence. Nothing is verified.
    ///
    /// # Errors
    /// Anything that would not print as the same bytes; a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseForkError> {
        use ParseForkError::{Checkpoints, Header, Order, Prefix, TooLarge};
        if bytes.len() > FORK_BYTES_MAX {
            return Err(TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Header)?;
        let rest = text.strip_prefix(HEADER).ok_or(Header)?;
        let (prefix, rest) = match field(rest, "prefix ") {
            Some((root, rest)) => {
                let root = root.parse().map_err(|_| Prefix)?;
                let (proof, rest) = parse_hashes(rest).ok_or(Prefix)?;
                (Some((root, proof)), rest)
            }
            None => (None, rest.strip_prefix('\n').ok_or(Prefix)?),
        };
        // A checkpoint's text has no empty line: the first stands before its signatures, the second
        // between the notes.
        let (at, _) = rest.match_indices("\n\n").nth(1).ok_or(Checkpoints)?;
        let (first, second) = rest.split_at_checked(at + 1).ok_or(Checkpoints)?;
        let second = second.strip_prefix('\n').ok_or(Checkpoints)?;
        let first = SignedCheckpoint::parse(first.as_bytes())?;
        let second = SignedCheckpoint::parse(second.as_bytes())?;
        if first.size() > second.size() {
            return Err(Order);
        }
        let fork = Self::new(first, second);
        match prefix {
            Some((root, proof)) => fork.with_prefix(root, proof),
            None => Ok(fork),
        }
    }

    /// The smaller checkpoint.
    pub const fn first(&self) -> &SignedCheckpoint {
        &self.first
    }

    /// The larger checkpoint, or one of the same size.
    pub const fn second(&self) -> &SignedCheckpoint {
        &self.second
    }

    /// What the evidence shows of the log whose key this is.
    ///
    /// # Errors
    /// Nothing against that log: not its checkpoints, one and the same, one follows from the other,
    /// or a proof that is none.
    pub fn verify(&self, key: &VerifierKey) -> Result<ForkVerdict, ForkError> {
        for checkpoint in [&self.first, &self.second] {
            if checkpoint.origin() != key.name().as_str() || !checkpoint.verify(key) {
                return Err(ForkError::NotTheLogs);
            }
        }
        let (old, new) = (self.first.size(), self.second.size());
        let (old_root, new_root) = (self.first.root(), self.second.root());
        if old == new {
            return if old_root == new_root {
                Err(ForkError::Consistent)
            } else {
                Ok(ForkVerdict::Proven)
            };
        }
        if old == 0 {
            return Err(ForkError::Consistent);
        }
        let Some(prefix) = &self.prefix else {
            return Ok(ForkVerdict::Suspected);
        };
        verify_consistency(old, new, &prefix.proof, &prefix.root, &new_root)?;
        if prefix.root == old_root {
            Err(ForkError::Consistent)
        } else {
            Ok(ForkVerdict::Proven)
        }
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        if let Some(prefix) = &self.prefix {
            writeln!(f, "prefix {}", prefix.root)?;
            for hash in &prefix.proof {
                writeln!(f, "{hash}")?;
            }
        }
        write!(f, "\n{}\n{}", self.first, self.second)
    }
}

impl FromStr for Fork {
    type Err = ParseForkError;

    fn from_str(text: &str) -> Result<Self, ParseForkError> {
        Self::parse(text.as_bytes())
    }
}

/// Why evidence shows nothing against a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForkError {
    /// A checkpoint has another origin, or is not signed by the log's key.
    #[error("checkpoints are not both signed by the log")]
    NotTheLogs,
    /// One tree begins with the other.
    #[error("checkpoints are of one log that only grew")]
    Consistent,
    /// What is said of how the second tree begins does not follow from the proof.
    #[error("beginning of the second checkpoint's tree is not proven")]
    Prefix(#[from] ProofError),
}

/// Why bytes are not the evidence of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseForkError {
    /// Larger than [`FORK_BYTES_MAX`].
    #[error("evidence is larger than {FORK_BYTES_MAX} bytes")]
    TooLarge,
    /// The first line is another.
    #[error("not evidence of a fork: the first line is not `tlog-fork/v1`")]
    Header,
    /// Not a root and at most [`PROOF_HASHES_MAX`] hashes, or no empty line behind them.
    #[error("beginning is not a root, at most {PROOF_HASHES_MAX} hashes and an empty line")]
    Prefix,
    /// Not two notes.
    #[error("evidence has not two checkpoints")]
    Checkpoints,
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] ParseCheckpointError),
    /// The larger one stands first.
    #[error("the larger checkpoint stands first")]
    Order,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Leaves, leaf, log_key, pq_witness, witness};

    fn verify(fork: &Fork) -> Result<ForkVerdict, ForkError> {
        assert_eq!(Fork::parse(fork.to_string().as_bytes()).as_ref(), Ok(fork));
        fork.verify(&log_key().verifier())
    }

    #[test]
    fn two_roots_of_one_size_are_proof() {
        let (tree, other) = (Leaves::new(9), Leaves::forked_at(9, 4));
        let cosigned = tree.cosigned(9, &[(&witness(1), 7), (&pq_witness(2), 8)]);
        let fork = Fork::new(cosigned, other.checkpoint(9));
        assert_eq!(verify(&fork), Ok(ForkVerdict::Proven));
        let same = Fork::new(tree.checkpoint(9), tree.checkpoint(9));
        assert_eq!(verify(&same), Err(ForkError::Consistent));
    }

    #[test]
    fn of_two_sizes_it_takes_how_the_larger_begins() {
        let (tree, other) = (Leaves::new(9), Leaves::forked_at(9, 4));
        for old in 5..9 {
            let fork = Fork::new(other.checkpoint(9), tree.checkpoint(old));
            assert_eq!((fork.first().size(), fork.second().size()), (old, 9));
            assert_eq!(verify(&fork), Ok(ForkVerdict::Suspected));
            let proof = other.consistency(old, 9);
            let proven = fork
                .clone()
                .with_prefix(other.root(old), proof.clone())
                .unwrap();
            assert_eq!(verify(&proven), Ok(ForkVerdict::Proven));
            // What does not verify shows nothing: anyone could have written it.
            let made_up = [
                fork.clone().with_prefix(leaf(0), proof.clone()),
                fork.clone().with_prefix(tree.root(old), proof.clone()),
                fork.clone()
                    .with_prefix(other.root(old), tree.consistency(old, 9)),
                fork.clone().with_prefix(other.root(old), vec![]),
            ];
            for fork in made_up {
                assert!(matches!(verify(&fork.unwrap()), Err(ForkError::Prefix(_))));
            }
        }
        // Up to where they part, one follows from the other.
        for old in 1..=4 {
            let fork = Fork::new(tree.checkpoint(old), other.checkpoint(9));
            let fork = fork
                .with_prefix(other.root(old), other.consistency(old, 9))
                .unwrap();
            assert_eq!(verify(&fork), Err(ForkError::Consistent));
        }
        let empty = Fork::new(tree.checkpoint(0), other.checkpoint(9));
        assert_eq!(verify(&empty), Err(ForkError::Consistent));
    }

    #[test]
    fn nobody_else_can_be_blamed() {
        let (tree, other) = (Leaves::new(9), Leaves::forked_at(9, 4));
        let fork = Fork::new(tree.checkpoint(9), other.checkpoint(9));
        let by = |name: &str, seed| crate::SignerKey::ed25519(name.parse().unwrap(), &[seed; 32]);
        let stranger = by(crate::fixture::ORIGIN, 9);
        assert_eq!(
            fork.verify(&stranger.verifier()),
            Err(ForkError::NotTheLogs)
        );
        // One of the two by another key.
        let forged = crate::SignedCheckpoint::sign(other.checkpoint(9).checkpoint(), &stranger);
        assert_eq!(
            verify(&Fork::new(tree.checkpoint(9), forged)),
            Err(ForkError::NotTheLogs)
        );
        // Two logs of one key are two logs.
        let elsewhere = crate::Checkpoint::new("example.com/other", 9, other.root(9)).unwrap();
        let elsewhere = crate::SignedCheckpoint::sign(&elsewhere, &log_key());
        assert_eq!(
            verify(&Fork::new(tree.checkpoint(9), elsewhere)),
            Err(ForkError::NotTheLogs)
        );
        // A witness has signed both, too: it is not the log.
        let both = [&tree, &other].map(|tree| tree.cosigned(9, &[(&witness(1), 7)]));
        let [one, two] = both;
        let fork = Fork::new(one, two);
        assert_eq!(
            fork.verify(&witness(1).verifier()),
            Err(ForkError::NotTheLogs)
        );
        assert_eq!(verify(&fork), Ok(ForkVerdict::Proven));
    }

    #[test]
    fn what_is_no_evidence_is_refused() {
        use ParseForkError::*;
        let (tree, other) = (Leaves::new(9), Leaves::forked_at(9, 4));
        let fork = Fork::new(tree.checkpoint(6), other.checkpoint(9));
        let fork = fork
            .with_prefix(other.root(6), other.consistency(6, 9))
            .unwrap();
        let good = fork.to_string();
        assert!(good.starts_with("tlog-fork/v1\nprefix "), "{good}");
        let replaced = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            good.replacen(from, to, 1)
        };
        let (first, second) = (
            tree.checkpoint(6).to_string(),
            other.checkpoint(9).to_string(),
        );
        let cases = [
            (String::new(), Header),
            (replaced("/v1", "/v2"), Header),
            (replaced("prefix ", "Prefix "), Prefix),
            (replaced("prefix ", "prefix  "), Prefix),
            (replaced("\n\nexample", "\nexample"), Prefix),
            ("tlog-fork/v1\n".to_owned(), Prefix),
            (format!("tlog-fork/v1\n{first}"), Prefix),
            (format!("tlog-fork/v1\n\n{first}"), Checkpoints),
            (
                format!("tlog-fork/v1\n\n{first}{second}"),
                Checkpoint(ParseCheckpointError::Note(crate::ParseNoteError::Signature)),
            ),
            (format!("tlog-fork/v1\n\n{second}\n{first}"), Order),
            (
                format!("{good}\n{first}"),
                Checkpoint(ParseCheckpointError::Extension),
            ),
            (format!("{good}{}", " ".repeat(FORK_BYTES_MAX)), TooLarge),
        ];
        for (text, error) in cases {
            assert_eq!(Fork::parse(text.as_bytes()), Err(error), "{text}");
        }
        assert!(
            Fork::new(tree.checkpoint(6), other.checkpoint(9))
                .with_prefix(leaf(0), vec![leaf(0); 64])
                .is_err()
        );
    }
}
