//! Checkpoints: a log's name, size and root, signed (c2sp.org/tlog-checkpoint).
//!
//! ```text
//! text = origin ‖ "\n" ‖ size ‖ "\n" ‖ base64(root) ‖ "\n" ‖ (extension ‖ "\n")*
//! ```

use std::fmt;
use std::str::FromStr;

use crate::cosignature;
use crate::encoding::{NUMBER_MAX, from_decimal};
use crate::hash::Hash;
use crate::key::{SignerKey, VerifierKey};
use crate::limits::NAME_BYTES_MAX;
use crate::note::{NoteSignature, ParseNoteError, SignedNote};

/// A log at a size: the text of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The log `origin` at `size` leaves with this `root`; no extension lines, which
    /// tlog-checkpoint advises against.
    ///
    /// # Errors
    /// The origin is empty, longer than 255 bytes or has a control character; the size is beyond 2^63
    /// − 1; a tree without leaves has another root than [`Hash::EMPTY_TREE`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, ParseCheckpointError> {
        Self::with_extensions(origin.to_owned(), size, root, Vec::new())
    }

    fn with_extensions(
        origin: String,
        size: u64,
        root: Hash,
        extensions: Vec<String>,
    ) -> Result<Self, ParseCheckpointError> {
        if !is_origin(&origin) {
            return Err(ParseCheckpointError::Origin);
        }
        if size > NUMBER_MAX {
            return Err(ParseCheckpointError::Size);
        }
        if size == 0 && root != Hash::EMPTY_TREE {
            return Err(ParseCheckpointError::EmptyTree);
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }

    /// Whose log: a unique name, by convention a URL without a scheme.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Lines that mean nothing here. An ML-DSA-44 signature does not cover them.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// What a length byte can say, and a line can hold.
fn is_origin(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte >= 0x20)
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = ParseCheckpointError;

    fn from_str(text: &str) -> Result<Self, ParseCheckpointError> {
        use ParseCheckpointError::{Extension, Lines, Origin, Root, Size};
        let text = text.strip_suffix('\n').ok_or(Lines)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(Lines);
        let origin = Some(line()?).filter(|line| is_origin(line)).ok_or(Origin)?;
        let size = from_decimal(line()?).ok_or(Size)?;
        let root = line()?.parse().map_err(|_| Root)?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let is_wrong = |line: &String| line.is_empty() || line.bytes().any(|byte| byte < 0x20);
        if extensions.iter().any(is_wrong) {
            return Err(Extension);
        }
        Self::with_extensions(origin.to_owned(), size, root, extensions)
    }
}

/// A checkpoint with the note that it was read from. Prints as it was parsed.
///
/// Parsing verifies no signature. Whose it is says [`SignedCheckpoint::verify`], whether it is to be
/// trusted [`Policy::check`](crate::Policy::check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: SignedNote,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Reads a signed note whose text is a checkpoint.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseCheckpointError> {
        let note = SignedNote::parse(bytes)?;
        let checkpoint = note.text().parse()?;
        Ok(Self { note, checkpoint })
    }

    /// Signs a checkpoint: the log's own signature. That the key's name is the checkpoint's origin is
    /// the caller's care; no policy accepts anything else.
    ///
    /// A cosigner's key signs with the time 0, by which it says nothing of time; a witness calls
    /// [`cosign`](crate::cosign).
    pub fn sign(checkpoint: &Checkpoint, key: &SignerKey) -> Self {
        let mut signed = Self {
            note: SignedNote::unsigned(checkpoint.to_string()),
            checkpoint: checkpoint.clone(),
        };
        let signature = cosignature::sign(&signed, key, 0);
        signed.note.put_first(signature);
        signed
    }

    /// Adds a signature, in place of one of the same key. Verify it first: a note with a bad
    /// signature of a known key is refused as a whole.
    ///
    /// # Errors
    /// The note is full; it stays as it was.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), ParseNoteError> {
        self.note.add_signature(signature)
    }

    /// Whether this key signed it: there is a signature of this key, and every one is good.
    pub fn verify(&self, key: &VerifierKey) -> bool {
        cosignature::verified_time(self, key).is_some()
    }

    /// What it says.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note.
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// See [`Checkpoint::origin`].
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }

    /// See [`Checkpoint::size`].
    pub const fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// See [`Checkpoint::root`].
    pub const fn root(&self) -> Hash {
        self.checkpoint.root()
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

impl FromStr for SignedCheckpoint {
    type Err = ParseCheckpointError;

    fn from_str(text: &str) -> Result<Self, ParseCheckpointError> {
        Self::parse(text.as_bytes())
    }
}

/// Why bytes are not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCheckpointError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] ParseNoteError),
    /// Fewer than three lines, or the last one does not end.
    #[error("checkpoint has fewer than three lines")]
    Lines,
    /// Empty, longer than 255 bytes, or with control characters.
    #[error("checkpoint's origin is not 1 to 255 bytes of text")]
    Origin,
    /// Not a decimal, or beyond 2^63 − 1.
    #[error("checkpoint's size is not a decimal of at most 2^63 - 1")]
    Size,
    /// Not a hash.
    #[error("checkpoint's root is not 32 bytes in base64")]
    Root,
    /// No leaves, and another root than the one of a tree without leaves.
    #[error("checkpoint's tree is empty and its root is not that of an empty tree")]
    EmptyTree,
    /// An empty extension line.
    #[error("checkpoint has an empty extension line")]
    Extension,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Leaves, ORIGIN, log_key, witness};
    use crate::hash::leaf_hash;

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        use ParseCheckpointError::*;
        let root = leaf_hash(b"");
        let empty = Hash::EMPTY_TREE;
        let cases = [
            (String::new(), Lines),
            ("a\n1\n".to_owned(), Lines),
            (format!("a\n1\n{root}"), Lines),
            (format!("\n1\n{root}\n"), Origin),
            (format!("a\tb\n1\n{root}\n"), Origin),
            (format!("{}\n1\n{root}\n", "a".repeat(256)), Origin),
            (format!("a\n01\n{root}\n"), Size),
            (format!("a\n\n{root}\n"), Size),
            (format!("a\n+1\n{root}\n"), Size),
            (format!("a\n-1\n{root}\n"), Size),
            (format!("a\n 1\n{root}\n"), Size),
            (format!("a\n1 \n{root}\n"), Size),
            (format!("a\n9223372036854775808\n{root}\n"), Size),
            ("a\n1\n\n".to_owned(), Root),
            (format!("a\n1\n{root}=\n"), Root),
            ("a\n1\nAAAA\n".to_owned(), Root),
            (format!("a\n0\n{root}\n"), EmptyTree),
            (format!("a\n1\n{root}\n\n"), Extension),
            (format!("a\n1\n{root}\nx\n\ny\n"), Extension),
            (format!("a\n1\n{root}\nx\r\n"), Extension),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Checkpoint>(), Err(error), "{text:?}");
        }
        for text in [
            format!("a b+c\n0\n{empty}\n"),
            format!("a\n9223372036854775807\n{root}\n"),
            format!("a\n1\n{root}\nx\n y z\n"),
        ] {
            assert_eq!(text.parse::<Checkpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn one_is_made_only_of_what_parses() {
        assert_eq!(
            Checkpoint::new("", 1, leaf_hash(b"")),
            Err(ParseCheckpointError::Origin)
        );
        assert_eq!(
            Checkpoint::new("a\nb", 1, leaf_hash(b"")),
            Err(ParseCheckpointError::Origin)
        );
        assert_eq!(
            Checkpoint::new("a", 1 << 63, leaf_hash(b"")),
            Err(ParseCheckpointError::Size)
        );
        assert_eq!(
            Checkpoint::new("a", 0, leaf_hash(b"")),
            Err(ParseCheckpointError::EmptyTree)
        );
    }

    #[test]
    fn a_signature_is_over_the_text_as_received() {
        let signed = Leaves::new(3).checkpoint(3);
        let text = signed.to_string();
        let again = SignedCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!(again, signed);
        assert_eq!((again.origin(), again.size()), (ORIGIN, 3));
        assert!(again.verify(&log_key().verifier()));
        assert!(!again.verify(&witness(1).verifier()));
        // Nothing of the text can change, and nothing be added.
        for (from, to) in [
            ("\n3\n", "\n2\n"),
            (ORIGIN, "example.com/gol"),
            ("\n\n", "\nx\n\n"),
        ] {
            let altered = text.replacen(from, to, 1);
            let altered = SignedCheckpoint::parse(altered.as_bytes()).unwrap();
            assert!(!altered.verify(&log_key().verifier()), "{altered}");
        }
        let two = format!("{}\n{text}", signed.note().text());
        assert!(SignedCheckpoint::parse(two.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(
            origin in "[a-zü +/—]{1,20}",
            size in 1..=NUMBER_MAX,
            root: [u8; 32],
            extensions in prop::collection::vec("[a-z —]{1,9}", 0..3),
        ) {
            let root = Hash::from_bytes(root);
            let checkpoint = Checkpoint::with_extensions(origin, size, root, extensions).unwrap();
            prop_assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint.clone()));
            let signed = SignedCheckpoint::sign(&checkpoint, &log_key());
            prop_assert_eq!(signed.checkpoint(), &checkpoint);
            prop_assert_eq!(signed.to_string().parse(), Ok(signed));
        }
    }
}
