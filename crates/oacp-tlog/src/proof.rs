//! Proofs of logging that stand alone: `.tlog-proof` files (c2sp.org/tlog-proof).
//!
//! ```text
//! "c2sp.org/tlog-proof@v1\n" ‖ ("extra " ‖ base64 ‖ "\n")? ‖ "index " ‖ decimal ‖ "\n"
//! ‖ (base64(hash) ‖ "\n")* ‖ "\n" ‖ checkpoint with its signatures, verbatim
//! ```

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{ParseCheckpointError, SignedCheckpoint};
use crate::encoding::{NUMBER_MAX, from_base64, from_decimal, to_base64};
use crate::hash::Hash;
use crate::limits::{PROOF_BYTES_MAX, PROOF_EXTRA_BYTES_MAX, PROOF_HASHES_MAX};
use crate::tree::{ProofError, verify_inclusion};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// That an entry is in a log: its index, the hashes up to the root, and the checkpoint with all its
/// signatures. Prints as it was parsed.
///
/// Nothing in it is verified by parsing. Two things are needed: [`TlogProof::verify`] with the hash of
/// the entry, and [`Policy::check`](crate::Policy::check) on the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl TlogProof {
    /// Puts a proof together, without verifying it.
    ///
    /// # Errors
    /// An index beyond 2^63 − 1, or more hashes than any proof has.
    pub fn new(
        index: u64,
        hashes: Vec<Hash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, ParseTlogProofError> {
        if index > NUMBER_MAX {
            return Err(ParseTlogProofError::Index);
        }
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(ParseTlogProofError::Hashes);
        }
        Ok(Self {
            extra: None,
            index,
            hashes,
            checkpoint,
        })
    }

    /// The same with extra data, which nothing signs.
    ///
    /// # Errors
    /// More than [`PROOF_EXTRA_BYTES_MAX`] bytes.
    pub fn with_extra(self, extra: Vec<u8>) -> Result<Self, ParseTlogProofError> {
        if extra.len() > PROOF_EXTRA_BYTES_MAX {
            return Err(ParseTlogProofError::Extra);
        }
        Ok(Self {
            extra: Some(extra),
            ..self
        })
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// Anything that would not print as the same bytes; a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseTlogProofError> {
        use ParseTlogProofError::{Extra, Hashes, Header, Index, TooLarge};
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Header)?;
        let mut rest = text.strip_prefix(HEADER).ok_or(Header)?;
        let mut extra = None;
        if let Some((value, after)) = field(rest, "extra ") {
            // Looked at before it is decoded.
            if value.len() > PROOF_EXTRA_BYTES_MAX.div_ceil(3) * 4 {
                return Err(Extra);
            }
            extra = Some(from_base64(value).ok_or(Extra)?);
            rest = after;
        }
        let (value, rest) = field(rest, "index ").ok_or(Index)?;
        let index = from_decimal(value).ok_or(Index)?;
        let (hashes, rest) = parse_hashes(rest).ok_or(Hashes)?;
        let checkpoint = SignedCheckpoint::parse(rest.as_bytes())?;
        let proof = Self::new(index, hashes, checkpoint)?;
        extra.map_or(Ok(proof.clone()), |extra| proof.with_extra(extra))
    }

    /// Verifies that an entry of this hash is at [`TlogProof::index`] in the checkpoint's tree. Says
    /// nothing of who signed the checkpoint.
    ///
    /// # Errors
    /// It does not follow from the proof.
    pub fn verify(&self, leaf: &Hash) -> Result<(), ProofError> {
        let (size, root) = (self.checkpoint.size(), self.checkpoint.root());
        verify_inclusion(self.index, size, leaf, &self.hashes, &root)
    }

    /// Data that came along. Nothing signs it, and nothing here reads it.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The entry's index in the log, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, leaf's sibling first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The checkpoint, with all its signatures.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }
}

/// The value of a line that begins with `name`, and what follows the line.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(name)?.split_once('\n')
}

/// The lines up to the first empty one as hashes, and what follows that. `None`: other lines, or more
/// than [`PROOF_HASHES_MAX`].
pub(crate) fn parse_hashes(text: &str) -> Option<(Vec<Hash>, &str)> {
    let mut hashes = Vec::new();
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n')?;
        rest = after;
        if line.is_empty() {
            return Some((hashes, rest));
        }
        if hashes.len() >= PROOF_HASHES_MAX {
            return None;
        }
        hashes.push(line.parse().ok()?);
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes
            .iter()
            .try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = ParseTlogProofError;

    fn from_str(text: &str) -> Result<Self, ParseTlogProofError> {
        Self::parse(text.as_bytes())
    }
}

/// Why bytes are not a `.tlog-proof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTlogProofError {
    /// Larger than [`PROOF_BYTES_MAX`].
    #[error("proof is larger than {PROOF_BYTES_MAX} bytes")]
    TooLarge,
    /// The first line is another.
    #[error("not a proof: the first line is not `c2sp.org/tlog-proof@v1`")]
    Header,
    /// Not base64, or more than [`PROOF_EXTRA_BYTES_MAX`] bytes.
    #[error("proof's extra data is not base64 of at most {PROOF_EXTRA_BYTES_MAX} bytes")]
    Extra,
    /// No index line, or not a decimal of at most 2^63 − 1.
    #[error("proof's index is not a decimal of at most 2^63 - 1")]
    Index,
    /// A line that is no hash, more than [`PROOF_HASHES_MAX`], or no empty line behind them.
    #[error("proof's hashes are not at most {PROOF_HASHES_MAX} lines of base64 and an empty line")]
    Hashes,
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] ParseCheckpointError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Leaves, leaf, log_key, witness};
    use crate::limits::NOTE_BYTES_MAX;

    fn proof(index: u64, size: u64) -> TlogProof {
        let tree = Leaves::new(size);
        let hashes = tree.inclusion(index, size);
        TlogProof::new(index, hashes, tree.cosigned(size, &[(&witness(1), 7)])).unwrap()
    }

    #[test]
    fn the_form_to_the_byte() {
        let proof = proof(2, 5);
        let hashes: String = proof
            .hashes()
            .iter()
            .map(|hash| format!("{hash}\n"))
            .collect();
        let checkpoint = proof.checkpoint().to_string();
        assert_eq!(
            proof.to_string(),
            format!("c2sp.org/tlog-proof@v1\nindex 2\n{hashes}\n{checkpoint}")
        );
        assert_eq!(proof.hashes().len(), 3);
        let extra = proof.with_extra(b"age".to_vec()).unwrap();
        assert_eq!(
            extra.to_string(),
            format!("c2sp.org/tlog-proof@v1\nextra YWdl\nindex 2\n{hashes}\n{checkpoint}")
        );
        // A tree of one leaf has a proof without hashes.
        let one = self::proof(0, 1).to_string();
        assert!(
            one.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/log\n1\n"),
            "{one}"
        );
    }

    #[test]
    fn a_proof_is_of_one_entry_at_one_place() {
        let proof = proof(2, 5);
        assert_eq!(proof.verify(&leaf(2)), Ok(()));
        assert_eq!(proof.verify(&leaf(3)), Err(ProofError::Root));
        let moved = |index| {
            TlogProof::new(index, proof.hashes().to_vec(), proof.checkpoint().clone()).unwrap()
        };
        assert!(moved(3).verify(&leaf(2)).is_err());
        assert_eq!(
            moved(5).verify(&leaf(2)),
            Err(ProofError::OutOfRange { index: 5, size: 5 })
        );
        assert!(proof.checkpoint().verify(&log_key().verifier()));
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        use ParseTlogProofError::*;
        let good = proof(2, 5).with_extra(b"age".to_vec()).unwrap().to_string();
        let replaced = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            good.replacen(from, to, 1)
        };
        let hash = format!("{}\n", leaf(0));
        let cases = [
            (String::new(), Header),
            (replaced("@v1", "@v2"), Header),
            (replaced("c2sp", " c2sp"), Header),
            (replaced("@v1\n", "@v1\r\n"), Header),
            (replaced("@v1\n", "@v1\n\n"), Index),
            (replaced("extra YWdl\n", "extra YWdl\nextra YWdl\n"), Index),
            (replaced("extra YWdl\n", "Extra YWdl\n"), Index),
            (replaced("extra YWdl\n", "extra\n"), Index),
            (replaced("extra YWdl\n", "extra YWd\n"), Extra),
            (replaced("extra YWdl\n", "extra  YWdl\n"), Extra),
            (
                replaced("YWdl", &"A".repeat(PROOF_EXTRA_BYTES_MAX * 4 / 3 + 8)),
                Extra,
            ),
            (replaced("index 2\n", ""), Index),
            (replaced("index 2", "index 02"), Index),
            (replaced("index 2", "index +2"), Index),
            (replaced("index 2", "index  2"), Index),
            (replaced("index 2", "index 2 "), Index),
            (replaced("index 2", "index"), Index),
            (replaced("index 2", "index 9223372036854775808"), Index),
            (
                replaced("index 2\n", "index 2\n\n"),
                Checkpoint(ParseCheckpointError::Size),
            ),
            (replaced("index 2\n", "index 2\nAAAA\n"), Hashes),
            (replaced("index 2\n", &format!("index 2\n {hash}")), Hashes),
            (
                replaced("index 2\n", &format!("index 2\n{}", hash.repeat(64))),
                Hashes,
            ),
            (replaced("\n\nexample", "\nexample"), Hashes),
            (
                replaced("\n\nexample", "\n\n\nexample"),
                Checkpoint(ParseCheckpointError::Origin),
            ),
            (
                good.trim_end().to_owned(),
                Checkpoint(ParseCheckpointError::Note(crate::ParseNoteError::Signature)),
            ),
            (
                format!("{good}\n"),
                Checkpoint(ParseCheckpointError::Note(crate::ParseNoteError::Unsigned)),
            ),
            ("c2sp.org/tlog-proof@v1\nindex 2\n".to_owned(), Hashes),
            ("c2sp.org/tlog-proof@v1\nindex 2".to_owned(), Index),
            ("c2sp.org/tlog-proof@v1\n".to_owned(), Index),
            (format!("{good}{}", " ".repeat(PROOF_BYTES_MAX)), TooLarge),
        ];
        for (text, error) in cases {
            assert_eq!(TlogProof::parse(text.as_bytes()), Err(error), "{text:.300}");
        }
        assert_eq!(TlogProof::parse(b"\xff"), Err(Header));
        let checkpoint = proof(0, 1).checkpoint;
        assert_eq!(
            TlogProof::new(1 << 63, vec![], checkpoint.clone()),
            Err(Index)
        );
        assert_eq!(
            TlogProof::new(0, vec![leaf(0); 64], checkpoint.clone()),
            Err(Hashes)
        );
        let full = TlogProof::new(0, vec![leaf(0); 63], checkpoint).unwrap();
        assert_eq!(
            full.clone().with_extra(vec![0; PROOF_EXTRA_BYTES_MAX + 1]),
            Err(Extra)
        );
        // The parts' limits fit within the whole's.
        let full = full
            .with_extra(vec![0; PROOF_EXTRA_BYTES_MAX])
            .unwrap()
            .to_string();
        assert!(full.len() + NOTE_BYTES_MAX < PROOF_BYTES_MAX + 1000);
        assert!(TlogProof::parse(full.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn text_round_trips(size in 1..100_u64, a: u64, extra: Option<Vec<u8>>) {
            let mut proof = proof(a % size, size);
            if let Some(extra) = extra {
                proof = proof.with_extra(extra).unwrap();
            }
            prop_assert_eq!(TlogProof::parse(proof.to_string().as_bytes()), Ok(proof.clone()));
            prop_assert_eq!(proof.verify(&leaf(a % size)), Ok(()));
        }

        /// Whatever is taken prints as it was given.
        #[test]
        fn one_spelling(at: prop::sample::Index, byte in 0..128_u8) {
            let mut bytes = proof(2, 5).with_extra(b"age".to_vec()).unwrap().to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(proof) = TlogProof::parse(&bytes) {
                prop_assert_eq!(proof.to_string().into_bytes(), bytes);
            }
        }
    }
}
