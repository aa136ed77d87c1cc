//! Signed notes: a text, and lines of signatures below it (c2sp.org/signed-note).
//!
//! ```text
//! note = text ‖ "\n" ‖ line+        text ends in "\n"
//! line = "— " ‖ key name ‖ " " ‖ base64(key id (4 bytes, big-endian) ‖ signature) ‖ "\n"
//! ```
//!
//! Attacks: a note that two parsers split in two ways; a second spelling of a signed text; a line
//! that makes a verifier work for nothing. So a note is parsed to what prints as the same bytes or it
//! is refused, and the text that is verified is the text that was received.
//!
//! **Lines of one key.** Lines of unknown keys are ignored, however many. Of a known key (the same
//! name and key id) *every* line has to verify, or the note is refused: signed-note demands that a
//! known key's signature be verified, and which of two lines counts must not depend on their order.
//! Two good lines are one signer; of their times, the earlier counts, for both statements are true.

use std::fmt;

use crate::encoding::{from_base64, to_base64};
use crate::key::{KeyName, VerifierKey};
use crate::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A text and its signatures. None of them has been verified. Prints as it was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A text to be signed. INVARIANT: it ends in a line feed, has no other control character, and is
    /// far below the limit.
    pub(crate) const fn unsigned(text: String) -> Self {
        Self {
            text,
            signatures: Vec::new(),
        }
    }

    /// The first signature, of which there is always room.
    pub(crate) fn put_first(&mut self, signature: NoteSignature) {
        self.signatures = vec![signature];
    }

    /// Reads a note with at least one signature.
    ///
    /// # Errors
    /// Anything that would not print as the same bytes; a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseNoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(ParseNoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| ParseNoteError::Text)?;
        if has_control(note) {
            return Err(ParseNoteError::Text);
        }
        // The last empty line separates: the text may have empty lines, signature lines may not.
        let at = note.rfind("\n\n").ok_or(ParseNoteError::Unsigned)?;
        let (text, lines) = note.split_at_checked(at + 1).ok_or(ParseNoteError::Text)?;
        let lines = lines.strip_prefix('\n').ok_or(ParseNoteError::Text)?;
        let signatures = parse_lines(lines)?;
        if signatures.is_empty() {
            return Err(ParseNoteError::Unsigned);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The text with its last line feed, exactly as received: what signatures are over.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The signatures that say they are this key's, by name and id.
    pub fn signatures_of<'a>(
        &'a self,
        key: &'a VerifierKey,
    ) -> impl Iterator<Item = &'a NoteSignature> {
        self.signatures
            .iter()
            .filter(|at| at.key_id == key.id() && at.name == *key.name())
    }

    /// Puts a signature below the others, in place of those of the same name and key id.
    ///
    /// # Errors
    /// The note has as many signatures, or as many bytes, as a parser takes; it stays as it was.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), ParseNoteError> {
        let mut signatures = self.signatures.clone();
        signatures.retain(|at| (&at.name, at.key_id) != (&signature.name, signature.key_id));
        signatures.push(signature);
        let bytes: usize = signatures.iter().map(NoteSignature::line_len).sum();
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(ParseNoteError::TooManySignatures);
        }
        if self.text.len() + 1 + bytes > NOTE_BYTES_MAX {
            return Err(ParseNoteError::TooLarge);
        }
        self.signatures = signatures;
        Ok(())
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}

/// Control characters but the line feed: those below U+0020.
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

/// Signature lines, each with its line feed; none, if `text` is empty. A witness answers with such.
pub(crate) fn parse_lines(text: &str) -> Result<Vec<NoteSignature>, ParseNoteError> {
    let mut signatures = Vec::new();
    for line in text.split_inclusive('\n') {
        if signatures.len() >= NOTE_SIGNATURES_MAX {
            return Err(ParseNoteError::TooManySignatures);
        }
        let line = line.strip_suffix('\n');
        let signature = line.and_then(NoteSignature::parse);
        signatures.push(signature.ok_or(ParseNoteError::Signature)?);
    }
    Ok(signatures)
}

/// A signature line: prints with its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    key_id: u32,
    bytes: Vec<u8>,
}

impl NoteSignature {
    pub(crate) const fn new(name: KeyName, key_id: u32, bytes: Vec<u8>) -> Self {
        Self {
            name,
            key_id,
            bytes,
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = from_base64(bytes)?;
        let (key_id, bytes) = bytes.split_first_chunk::<4>()?;
        (!bytes.is_empty()).then_some(Self {
            name: name.parse().ok()?,
            key_id: u32::from_be_bytes(*key_id),
            bytes: bytes.to_vec(),
        })
    }

    /// Whose it says it is.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// By which key, it says. See [`VerifierKey::id`].
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signature, without the key id: by kind, 64 bytes, or a time and 64 or 2420.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn line_len(&self) -> usize {
        DASH.len() + self.name.as_str().len() + 2 + (self.bytes.len() + 4).div_ceil(3) * 4
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.to_be_bytes(), self.bytes.as_slice()].concat();
        writeln!(f, "{DASH}{} {}", self.name, to_base64(&bytes))
    }
}

/// Why bytes are not a signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNoteError {
    /// Larger than [`NOTE_BYTES_MAX`].
    #[error("note is larger than {NOTE_BYTES_MAX} bytes")]
    TooLarge,
    /// Not UTF-8, a control character, or a text that does not end in a line feed.
    #[error("note is not text")]
    Text,
    /// No empty line, or nothing below it.
    #[error("note has no signatures")]
    Unsigned,
    /// Below the last empty line stands what is no signature line.
    #[error("note has a line that is not a signature")]
    Signature,
    /// More than [`NOTE_SIGNATURES_MAX`].
    #[error("note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signed_note::{Note, StandardVerifier, VerifierList};

    use super::*;
    use crate::fixture::{Leaves, log_key, pq_witness, witness};

    fn line(name: &str, bytes: &[u8]) -> String {
        format!("— {name} {}\n", to_base64(bytes))
    }

    fn parse(text: &str) -> Result<SignedNote, ParseNoteError> {
        SignedNote::parse(text.as_bytes())
    }

    #[test]
    fn the_example_of_gos_note_package() {
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let (note, key): (_, VerifierKey) = (parse(note).unwrap(), key.parse().unwrap());
        let signature = note.signatures_of(&key).next().unwrap();
        let crate::key::Public::Ed25519(public) = key.public() else {
            panic!()
        };
        let bytes = signature.bytes().try_into().unwrap();
        assert!(public.verify(note.text().as_bytes(), bytes));
    }

    #[test]
    fn the_last_empty_line_separates() {
        let signature = line("a", &[0; 5]);
        for text in [
            "a\n",
            "a\n\nb\n",
            "\n",
            "a\n\n\n",
            "— a AAAA\n",
            "\n\n— a b\n",
        ] {
            let note = parse(&format!("{text}\n{signature}")).unwrap();
            assert_eq!(note.text(), text);
            assert_eq!(note.to_string(), format!("{text}\n{signature}"));
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        use ParseNoteError::*;
        let good = line("a", &[0; 5]);
        let cases = [
            (String::new(), Unsigned),
            ("a\n".to_owned(), Unsigned),
            ("a\n\n".to_owned(), Unsigned),
            (good.clone(), Unsigned),
            (format!("\n{good}"), Unsigned),
            (format!("a\n{good}"), Unsigned),
            (format!("a\r\n\r\n{good}"), Text),
            (format!("a\tb\n\n{good}"), Text),
            (format!("a\0\n\n{good}"), Text),
            (format!("a\n\n{}", good.trim_end()), Signature),
            (format!("a\n\n{good}b\n"), Signature),
            (format!("a\n\n{good} \n"), Signature),
            (format!("a\n\n {good}"), Signature),
            (format!("a\n\n{}", good.replace('—', "-")), Signature),
            (format!("a\n\n{}", good.replace("— ", "—")), Signature),
            (format!("a\n\n{}", good.replace("— ", "—  ")), Signature),
            (format!("a\n\n{}", good.replace(" a ", " a  ")), Signature),
            (format!("a\n\n{}", good.replace(" a ", " a+b ")), Signature),
            (
                format!("a\n\n{}", good.replace(" a ", " a\u{2003}b ")),
                Signature,
            ),
            (
                format!(
                    "a\n\n{}",
                    good.replace(" a ", &format!(" {} ", "x".repeat(256)))
                ),
                Signature,
            ),
            (format!("a\n\n{}", good.replace('=', "")), Signature),
            (format!("a\n\n{}", good.replace('\n', " \n")), Signature),
            (format!("a\n\n{}", line("a", &[0; 4])), Signature),
            (format!("a\n\n{}", line("a", &[])), Signature),
            ("a\n\n— a\n".to_owned(), Signature),
            ("a\n\n— \n".to_owned(), Signature),
            (
                format!("a\n\n{}", good.repeat(NOTE_SIGNATURES_MAX + 1)),
                TooManySignatures,
            ),
            (
                format!("{}\n\n{good}", "a".repeat(NOTE_BYTES_MAX)),
                TooLarge,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(parse(&text), Err(error), "{:.80}", text);
        }
        assert_eq!(
            SignedNote::parse(b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n"),
            Err(Text)
        );
    }

    #[test]
    fn sixteen_of_the_largest_signatures_are_taken() {
        // ML-DSA-87 has 4627 bytes, and signed-note speaks of nearly 5 kB.
        let lines: String = (0..16)
            .map(|n| line(&format!("witness.example/{n}"), &[n; 4 + 8 + 5000]))
            .collect();
        let note = parse(&format!("a\n\n{lines}")).unwrap();
        assert_eq!(note.signatures().len(), 16);
    }

    #[test]
    fn a_signature_takes_the_place_of_its_key() {
        let mut note = parse(&format!("a\n\n{}", line("a", &[0; 5]))).unwrap();
        let signature =
            |name: &str, id, byte| NoteSignature::new(name.parse().unwrap(), id, vec![byte]);
        note.add_signature(signature("b", 0, 1)).unwrap();
        note.add_signature(signature("a", 0, 2)).unwrap();
        note.add_signature(signature("a", 1, 3)).unwrap();
        let bytes: Vec<u8> = note.signatures().iter().map(|at| at.bytes()[0]).collect();
        assert_eq!(bytes, [1, 2, 3]);
        // Full in number, then in bytes: what does not fit leaves the note as it was.
        for n in 2..62 {
            note.add_signature(signature("a", n, 0)).unwrap();
        }
        note.add_signature(signature("c", 0, 0)).unwrap();
        let full = note.clone();
        assert_eq!(
            note.add_signature(signature("d", 0, 0)),
            Err(ParseNoteError::TooManySignatures)
        );
        let large = NoteSignature::new("c".parse().unwrap(), 0, vec![0; NOTE_BYTES_MAX]);
        assert_eq!(note.add_signature(large), Err(ParseNoteError::TooLarge));
        assert_eq!(note, full);
        assert_eq!(parse(&note.to_string()), Ok(note));
    }

    #[test]
    fn the_oracle_reads_and_verifies_what_is_signed_here() {
        let (witness, pq) = (witness(1), pq_witness(2));
        let checkpoint = Leaves::new(5).cosigned(5, &[(&witness, 7), (&pq, 8)]);
        let note = Note::from_bytes(checkpoint.to_string().as_bytes()).unwrap();
        let verifier = StandardVerifier::new(&log_key().verifier().to_string()).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        let (verified, unverified) = note.verify(&known).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 2));
    }

    fn any_note() -> impl Strategy<Value = String> {
        let line = ("[a-zü/]{1,9}", prop::collection::vec(any::<u8>(), 3..12));
        let lines = prop::collection::vec(line, 0..4);
        ("([a-z—\n ]{0,9}\n){1,4}", lines).prop_map(|(text, lines)| {
            let lines: String = lines
                .iter()
                .map(|(name, bytes)| line_of(name, bytes))
                .collect();
            format!("{text}\n{lines}")
        })
    }

    fn line_of(name: &str, bytes: &[u8]) -> String {
        line(name, bytes)
    }

    proptest! {
        /// Notes, and notes with a byte or two altered: what is taken prints as it was, and the oracle
        /// takes it with the same text; what is refused here, the oracle refuses.
        #[test]
        fn verdicts_are_those_of_the_oracle(
            note in any_note(),
            at: prop::sample::Index,
            byte in 0..128_u8,
            alter: bool,
        ) {
            let mut bytes = note.into_bytes();
            if alter {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let (ours, theirs) = (SignedNote::parse(&bytes), Note::from_bytes(&bytes));
            prop_assert_eq!(ours.is_ok(), theirs.is_ok());
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                prop_assert_eq!(ours.to_string().into_bytes(), bytes.clone());
                prop_assert_eq!(ours.text().as_bytes(), theirs.text());
                prop_assert_eq!(theirs.to_bytes(), bytes);
            }
        }
    }
}
