//! Keys of notes: their names, their one-line text form, and the kinds of signatures that this crate
//! makes and verifies (c2sp.org/signed-note, c2sp.org/tlog-cosignature).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::encoding::{from_base64, to_base64};
use crate::limits::{NAME_BYTES_MAX, PUBLIC_KEY_BYTES_MAX};
use crate::{ed25519, ml_dsa44};

/// The type bytes of signed-note and tlog-cosignature.
const ED25519: u8 = 0x01;
const ED25519_COSIGNATURE: u8 = 0x04;
const ML_DSA44_COSIGNATURE: u8 = 0x06;

/// The name of a key: whose it is, by convention a URL without a scheme. Not empty, at most 255
/// bytes, without Unicode spaces, `+` and control characters (signed-note, *format*).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = ParseKeyNameError;

    fn from_str(text: &str) -> Result<Self, ParseKeyNameError> {
        let is_wrong = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        if text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains(is_wrong) {
            return Err(ParseKeyNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<str> for KeyName {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

/// A text is not the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key name: expected 1 to 255 bytes without spaces, `+` and control characters")]
pub struct ParseKeyNameError;

/// What a key's signatures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: Ed25519 over the time and the note's text, `cosignature/v1`.
    Ed25519Cosignature,
    /// 0x06: ML-DSA-44 over the cosigner's name, the time, and the checkpoint's origin, size and
    /// root, `subtree/v1`.
    MlDsa44Cosignature,
    /// Another type byte. Kept, and never verified: signatures of unknown keys are ignored.
    Unknown(u8),
}

impl KeyKind {
    /// The signature type identifier.
    pub const fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => ED25519,
            Self::Ed25519Cosignature => ED25519_COSIGNATURE,
            Self::MlDsa44Cosignature => ML_DSA44_COSIGNATURE,
            Self::Unknown(byte) => byte,
        }
    }

    /// Whether its signatures say at what time the signer held the tree for the log's largest: what
    /// a witness' have to.
    pub const fn is_cosignature(self) -> bool {
        matches!(self, Self::Ed25519Cosignature | Self::MlDsa44Cosignature)
    }
}

/// A key that verifies notes. Its text form is the *vkey* of signed-note: name, `+`, key id in eight
/// lower-case hex digits, `+`, base64 of the type byte and the public key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: u32,
    public: Public,
}

/// A public key, by kind.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Public {
    Ed25519(ed25519::PublicKey),
    Ed25519Cosignature(ed25519::PublicKey),
    MlDsa44Cosignature(ml_dsa44::PublicKey),
    Unknown(u8, Vec<u8>),
}

impl VerifierKey {
    /// A log's key, 0x01.
    pub fn ed25519(name: KeyName, key: ed25519::PublicKey) -> Self {
        Self::new(name, Public::Ed25519(key))
    }

    /// A witness' key, 0x04. One key of a cosigner is for one name: what it signs does not say whose
    /// it is.
    pub fn ed25519_cosigner(name: KeyName, key: ed25519::PublicKey) -> Self {
        Self::new(name, Public::Ed25519Cosignature(key))
    }

    /// A witness' key, 0x06.
    pub fn ml_dsa44_cosigner(name: KeyName, key: ml_dsa44::PublicKey) -> Self {
        Self::new(name, Public::MlDsa44Cosignature(key))
    }

    fn new(name: KeyName, public: Public) -> Self {
        let mut key = Self {
            name,
            id: 0,
            public,
        };
        key.id = key_id(&key.name, key.kind(), key.public_bytes());
        key
    }

    /// Whose it is.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The first four bytes of SHA-256(name ‖ 0x0A ‖ type byte ‖ public key), big-endian. Short: it
    /// names a key, it does not stand for one.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What its signatures are.
    pub const fn kind(&self) -> KeyKind {
        match &self.public {
            Public::Ed25519(_) => KeyKind::Ed25519,
            Public::Ed25519Cosignature(_) => KeyKind::Ed25519Cosignature,
            Public::MlDsa44Cosignature(_) => KeyKind::MlDsa44Cosignature,
            Public::Unknown(byte, _) => KeyKind::Unknown(*byte),
        }
    }

    /// The public key without its type byte. Two verifier keys with the same bytes are one key, in
    /// whichever role and under whichever name.
    pub fn public_bytes(&self) -> &[u8] {
        match &self.public {
            Public::Ed25519(key) | Public::Ed25519Cosignature(key) => key.as_bytes(),
            Public::MlDsa44Cosignature(key) => key.as_bytes(),
            Public::Unknown(_, bytes) => bytes,
        }
    }

    pub(crate) const fn public(&self) -> &Public {
        &self.public
    }
}

/// The key id that signed-note recommends, and tlog-cosignature demands.
fn key_id(name: &KeyName, kind: KeyKind, public: &[u8]) -> u32 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name.as_str())
        .chain_update([b'\n', kind.type_byte()])
        .chain_update(public)
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

impl FromStr for VerifierKey {
    type Err = ParseVerifierKeyError;

    fn from_str(text: &str) -> Result<Self, ParseVerifierKeyError> {
        use ParseVerifierKeyError::{Ed25519, Id, Length, NotAVerifierKey, TooLong};
        // Name, id and separators, and four base64 digits for three bytes.
        if text.len() > NAME_BYTES_MAX + 16 + PUBLIC_KEY_BYTES_MAX * 4 / 3 {
            return Err(TooLong);
        }
        // Base64 has `+`, too: it is the rest.
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(NotAVerifierKey);
        let name: KeyName = part()?.parse().map_err(ParseVerifierKeyError::Name)?;
        let id = parse_key_id(part()?).ok_or(NotAVerifierKey)?;
        let bytes = from_base64(part()?).ok_or(NotAVerifierKey)?;
        let (kind, bytes) = bytes.split_first().ok_or(NotAVerifierKey)?;
        let ed25519 = || {
            let bytes = bytes.try_into().map_err(|_| Length(*kind))?;
            ed25519::PublicKey::from_bytes(bytes).map_err(Ed25519)
        };
        let public = match *kind {
            ED25519 => Public::Ed25519(ed25519()?),
            ED25519_COSIGNATURE => Public::Ed25519Cosignature(ed25519()?),
            ML_DSA44_COSIGNATURE => {
                let bytes = bytes.try_into().map_err(|_| Length(*kind))?;
                Public::MlDsa44Cosignature(ml_dsa44::PublicKey::from_bytes(bytes))
            }
            kind if bytes.is_empty() => return Err(Length(kind)),
            // Its id may follow another rule (0x02's does): it is kept as given.
            kind => {
                let public = Public::Unknown(kind, bytes.to_vec());
                return Ok(Self { name, id, public });
            }
        };
        let key = Self::new(name, public);
        if key.id == id {
            Ok(key)
        } else {
            Err(Id {
                given: id,
                computed: key.id,
            })
        }
    }
}

/// Eight lower-case hex digits.
fn parse_key_id(text: &str) -> Option<u32> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 8 && text.bytes().all(is_hex))
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind().type_byte()];
        bytes.extend_from_slice(self.public_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, to_base64(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// Why a text is not a verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseVerifierKeyError {
    /// Not name, id and key.
    #[error("not a verifier key: expected a name, `+`, eight lower-case hex digits, `+`, base64")]
    NotAVerifierKey,
    /// Longer than any key.
    #[error("verifier key is too long")]
    TooLong,
    /// The name.
    #[error(transparent)]
    Name(ParseKeyNameError),
    /// The id is not that of the name and key: one of the three was altered.
    #[error("key id is `{given:08x}`, the name and key have `{computed:08x}`")]
    Id {
        /// As written.
        given: u32,
        /// As it has to be.
        computed: u32,
    },
    /// The public key has another length than its kind's.
    #[error("public key of type 0x{0:02x} has another length than that type's")]
    Length(u8),
    /// The public key is not one.
    #[error(transparent)]
    Ed25519(ed25519::KeyError),
}

/// A key that signs notes.
#[derive(Debug)]
pub struct SignerKey {
    name: KeyName,
    id: u32,
    secret: Secret,
}

/// A secret key, by kind.
#[derive(Debug)]
pub(crate) enum Secret {
    Ed25519(ed25519::SecretKey),
    Ed25519Cosignature(ed25519::SecretKey),
    MlDsa44Cosignature(ml_dsa44::SecretKey),
}

impl SignerKey {
    /// A log's key, 0x01, from 32 random bytes. The caller overwrites its own copy, here and below.
    pub fn ed25519(name: KeyName, seed: &[u8; 32]) -> Self {
        Self::new(name, Secret::Ed25519(ed25519::SecretKey::from_bytes(seed)))
    }

    /// A witness' key, 0x04. One seed for one name.
    pub fn ed25519_cosigner(name: KeyName, seed: &[u8; 32]) -> Self {
        let key = ed25519::SecretKey::from_bytes(seed);
        Self::new(name, Secret::Ed25519Cosignature(key))
    }

    /// A witness' key, 0x06.
    pub fn ml_dsa44_cosigner(name: KeyName, seed: &[u8; 32]) -> Self {
        let key = ml_dsa44::SecretKey::from_seed(seed);
        Self::new(name, Secret::MlDsa44Cosignature(key))
    }

    fn new(name: KeyName, secret: Secret) -> Self {
        let mut key = Self {
            name,
            id: 0,
            secret,
        };
        key.id = key.verifier().id();
        key
    }

    /// The key that verifies what this one signs.
    pub fn verifier(&self) -> VerifierKey {
        let name = self.name.clone();
        match &self.secret {
            Secret::Ed25519(key) => VerifierKey::ed25519(name, key.public()),
            Secret::Ed25519Cosignature(key) => VerifierKey::ed25519_cosigner(name, key.public()),
            Secret::MlDsa44Cosignature(key) => VerifierKey::ml_dsa44_cosigner(name, key.public()),
        }
    }

    /// Whose it is.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// See [`VerifierKey::id`].
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What its signatures are.
    pub const fn kind(&self) -> KeyKind {
        match self.secret {
            Secret::Ed25519(_) => KeyKind::Ed25519,
            Secret::Ed25519Cosignature(_) => KeyKind::Ed25519Cosignature,
            Secret::MlDsa44Cosignature(_) => KeyKind::MlDsa44Cosignature,
        }
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{log_key, pq_witness, witness};

    /// The example of Go's note package, and the key of Go's checksum database.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SUMDB: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

    fn parse(text: &str) -> Result<VerifierKey, ParseVerifierKeyError> {
        text.parse()
    }

    #[test]
    fn published_keys() {
        for text in [PETER, SUMDB] {
            let key = parse(text).unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(key.kind(), KeyKind::Ed25519);
        }
        assert_eq!(parse(PETER).unwrap().id(), 0xc74f_20a3);
    }

    #[test]
    fn every_kind_round_trips() {
        let kinds = [log_key(), witness(1), pq_witness(1)];
        let bytes = [0x01, 0x04, 0x06];
        for (key, byte) in kinds.iter().zip(bytes) {
            let verifier = key.verifier();
            assert_eq!(parse(&verifier.to_string()).as_ref(), Ok(&verifier));
            assert_eq!(verifier.kind().type_byte(), byte);
            assert_eq!(verifier.kind(), key.kind());
            assert_eq!((verifier.name(), verifier.id()), (key.name(), key.id()));
            assert_eq!(verifier.kind().is_cosignature(), byte != 0x01);
        }
        // One public key under two types has two ids.
        let name: KeyName = "a".parse().unwrap();
        let (one, other) = (
            SignerKey::ed25519(name.clone(), &[1; 32]),
            SignerKey::ed25519_cosigner(name, &[1; 32]),
        );
        assert_ne!(one.id(), other.id());
        assert_eq!(
            one.verifier().public_bytes(),
            other.verifier().public_bytes()
        );
        // A kind that is not known here is kept as it is, whatever its id.
        let unknown = format!("a+00000000+{}", to_base64(&[0x02, 7, 7]));
        let key = parse(&unknown).unwrap();
        assert_eq!(key.kind(), KeyKind::Unknown(2));
        assert_eq!(key.to_string(), unknown);
    }

    #[test]
    fn what_is_no_verifier_key_is_refused() {
        use ParseVerifierKeyError::*;
        let weak = [&[1_u8, 1][..], &[0; 31]].concat();
        let cases = [
            ("", Name(ParseKeyNameError)),
            ("a", NotAVerifierKey),
            ("a+c74f20a3", NotAVerifierKey),
            ("a+c74f20a3+", NotAVerifierKey),
            ("+c74f20a3+ARpc", Name(ParseKeyNameError)),
            ("a b+c74f20a3+ARpc", Name(ParseKeyNameError)),
            ("a+c74f20a+ARpc", NotAVerifierKey),
            ("a+c74f20a30+ARpc", NotAVerifierKey),
            ("a++74f20a3+ARpc", NotAVerifierKey),
            ("a+C74F20A3+ARpc", NotAVerifierKey),
            ("a+c74f20a3+ARpc", Length(1)),
            ("a+c74f20a3+BBpc", Length(4)),
            ("a+c74f20a3+Bhpc", Length(6)),
            ("a+c74f20a3+Ag==", Length(2)),
            ("a+c74f20a3+ARp", NotAVerifierKey),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        for text in [
            PETER.replace("Peter", "peter"),
            PETER.replace("c74f", "c74e"),
        ] {
            assert!(matches!(parse(&text), Err(Id { .. })), "{text}");
        }
        assert_eq!(
            parse(&format!("a+c74f20a3+{}", to_base64(&weak))),
            Err(Ed25519(ed25519::KeyError::Weak))
        );
        assert_eq!(
            parse(&format!("a+c74f20a3+{}", "A".repeat(6000))),
            Err(TooLong)
        );
        for text in [
            format!("{PETER}\n"),
            format!(" {PETER}"),
            format!("{PETER}="),
        ] {
            assert!(parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn names() {
        for right in ["a", "example.com/log", "Ü", "a=b", &"x".repeat(255)] {
            assert!(right.parse::<KeyName>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            " ",
            "a b",
            "a+b",
            "a\u{a0}b",
            "a\u{2003}b",
            "a\nb",
            "a\u{85}b",
            "a\0b",
            "a\u{1b}[m",
            &"x".repeat(256),
        ] {
            assert!(wrong.parse::<KeyName>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn keys_go_from_thread_to_thread() {
        fn assert_send_and_sync<T: Send + Sync>() {}
        assert_send_and_sync::<SignerKey>();
        assert_send_and_sync::<VerifierKey>();
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", witness(1));
        assert!(
            shown.contains("SecretKey(…)") && !shown.contains("101"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_none(text in "[a-c/]{1,3}[+][0-9a-f]{8}[+][A-Za-z0-9+/]{4,8}={0,2}") {
            if let Ok(key) = parse(&text) {
                prop_assert_eq!(key.to_string(), text);
            }
        }

        #[test]
        fn ids_are_those_of_the_oracle(name in "[a-zü/.]{1,20}", seed: [u8; 32]) {
            let key = SignerKey::ed25519(name.parse().unwrap(), &seed).verifier();
            let encoded = [&[1], key.public_bytes()].concat();
            prop_assert_eq!(key.id(), signed_note::key_id(&name, &encoded));
            prop_assert!(signed_note::StandardVerifier::new(&key.to_string()).is_ok());
        }
    }
}
