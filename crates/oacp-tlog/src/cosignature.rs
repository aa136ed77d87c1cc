//! Signatures over checkpoints by each kind of key, with the time that cosigners state
//! (c2sp.org/tlog-cosignature).
//!
//! ```text
//! 0x01   Ed25519 over the note's text
//! 0x04   time (8 bytes, big-endian) ‖ Ed25519 over "cosignature/v1\ntime " ‖ decimal time ‖ "\n" ‖ the note's text
//! 0x06   time (8 bytes, big-endian) ‖ ML-DSA-44 over "subtree/v1\n\0" ‖ len(1) ‖ cosigner's name ‖ time (8)
//!        ‖ len(1) ‖ origin ‖ start = 0 (8) ‖ size (8) ‖ root (32)
//! ```

use crate::checkpoint::SignedCheckpoint;
use crate::encoding::NUMBER_MAX;
use crate::key::{KeyName, Public, Secret, SignerKey, VerifierKey};
use crate::note::NoteSignature;

/// A witness' statement that at `time_s` (seconds since 1970) this was the largest tree it had seen of
/// the log, and consistent with all before. Whether that is true is for the caller to know: see
/// [`judge`](crate::witness::judge). Times beyond 2^63 − 1 are taken as that.
///
/// A key that makes no cosignatures (0x01) signs the text alone.
pub fn cosign(checkpoint: &SignedCheckpoint, key: &SignerKey, time_s: u64) -> NoteSignature {
    sign(checkpoint, key, time_s)
}

pub(crate) fn sign(checkpoint: &SignedCheckpoint, key: &SignerKey, time_s: u64) -> NoteSignature {
    let time_s = time_s.min(NUMBER_MAX);
    let text = checkpoint.note().text();
    let timed = |signature: &[u8]| [&time_s.to_be_bytes(), signature].concat();
    let bytes = match key.secret() {
        Secret::Ed25519(secret) => secret.sign(text.as_bytes()).to_vec(),
        Secret::Ed25519Cosignature(secret) => {
            timed(&secret.sign(ed25519_message(text, time_s).as_bytes()))
        }
        Secret::MlDsa44Cosignature(secret) => {
            let message = ml_dsa44_message(key.name(), checkpoint, time_s);
            timed(secret.sign(&message).as_slice())
        }
    };
    NoteSignature::new(key.name().clone(), key.id(), bytes)
}

/// The time in seconds since 1970 that this key's cosignature states, if there is one and all of this
/// key's are good; of several, the earliest that states one. 0 states no time, and is what a key
/// without times (0x01) gives.
///
/// `None`: no signature of this key, or a bad one, or a key of an unknown kind.
pub fn verified_time(checkpoint: &SignedCheckpoint, key: &VerifierKey) -> Option<u64> {
    let mut earliest = None;
    for signature in checkpoint.note().signatures_of(key) {
        let time_s = verify(checkpoint, key, signature)?;
        earliest = match (earliest, time_s) {
            (Some(before), 0) => Some(before),
            (Some(before), _) if before != 0 => Some(time_s.min(before)),
            _ => Some(time_s),
        };
    }
    earliest
}

/// The time of one signature that is this key's and good.
fn verify(
    checkpoint: &SignedCheckpoint,
    key: &VerifierKey,
    signature: &NoteSignature,
) -> Option<u64> {
    let text = checkpoint.note().text();
    let timed = || {
        let (time_s, signature) = signature.bytes().split_first_chunk::<8>()?;
        let time_s = u64::from_be_bytes(*time_s);
        (time_s <= NUMBER_MAX).then_some((time_s, signature))
    };
    let (time_s, is_good) = match key.public() {
        Public::Ed25519(public) => {
            let signature = signature.bytes().try_into().ok()?;
            (0, public.verify(text.as_bytes(), signature))
        }
        Public::Ed25519Cosignature(public) => {
            let (time_s, signature) = timed()?;
            let message = ed25519_message(text, time_s);
            let signature = signature.try_into().ok()?;
            (time_s, public.verify(message.as_bytes(), signature))
        }
        Public::MlDsa44Cosignature(public) => {
            let (time_s, signature) = timed()?;
            let message = ml_dsa44_message(key.name(), checkpoint, time_s);
            (time_s, public.verify(&message, signature.try_into().ok()?))
        }
        Public::Unknown(..) => return None,
    };
    is_good.then_some(time_s)
}

/// What an Ed25519 cosigner signs: two lines and the note's text.
fn ed25519_message(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// What an ML-DSA-44 cosigner signs: `cosigned_message`, from leaf 0 to the checkpoint's size.
fn ml_dsa44_message(name: &KeyName, checkpoint: &SignedCheckpoint, time_s: u64) -> Vec<u8> {
    // INVARIANT: names and origins have 1 to 255 bytes (`KeyName`, `Checkpoint`).
    let short = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [
        b"subtree/v1\n\0".as_slice(),
        &short(name.as_str()),
        &time_s.to_be_bytes(),
        &short(checkpoint.origin()),
        &0_u64.to_be_bytes(),
        &checkpoint.size().to_be_bytes(),
        checkpoint.root().as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::fixture::{Leaves, ORIGIN, log_key, pq_witness, witness};
    use crate::note::SignedNote;

    /// The same text with these signatures.
    fn with(checkpoint: &SignedCheckpoint, signatures: &[&NoteSignature]) -> SignedCheckpoint {
        let lines: String = signatures.iter().map(|line| line.to_string()).collect();
        let note = format!("{}\n{lines}", checkpoint.note().text());
        SignedCheckpoint::parse(note.as_bytes()).unwrap()
    }

    /// A cosignature with a time that it was not made for, or another change of its bytes.
    fn altered(signature: &NoteSignature, change: impl Fn(&mut Vec<u8>)) -> NoteSignature {
        let mut bytes = signature.bytes().to_vec();
        change(&mut bytes);
        NoteSignature::new(signature.name().clone(), signature.key_id(), bytes)
    }

    #[test]
    fn the_signed_messages_to_the_byte() {
        let checkpoint = Leaves::new(5).checkpoint(5);
        let root = checkpoint.root();
        assert_eq!(
            ed25519_message(checkpoint.note().text(), 1_679_315_147),
            format!("cosignature/v1\ntime 1679315147\n{ORIGIN}\n5\n{root}\n")
        );
        let mut message = b"subtree/v1\n\0\x11witness.example/1".to_vec();
        message.extend([0, 0, 0, 0, 0x64, 0x18, 0x53, 0x0b]);
        message.extend(b"\x0fexample.com/log");
        message.extend([0; 8]);
        message.extend([0, 0, 0, 0, 0, 0, 0, 5]);
        message.extend(root.as_bytes());
        let name = "witness.example/1".parse().unwrap();
        assert_eq!(ml_dsa44_message(&name, &checkpoint, 0x6418_530b), message);
    }

    #[test]
    fn what_is_cosigned_verifies_with_its_time() {
        let tree = Leaves::new(5);
        for key in [witness(1), pq_witness(1)] {
            for time_s in [0, 1, 1_795_378_445, NUMBER_MAX] {
                let cosigned = tree.cosigned(5, &[(&key, time_s)]);
                assert_eq!(verified_time(&cosigned, &key.verifier()), Some(time_s));
                assert!(cosigned.verify(&key.verifier()));
                // Signatures do not touch each other.
                assert_eq!(verified_time(&cosigned, &log_key().verifier()), Some(0));
            }
            let signature = cosign(&tree.checkpoint(5), &key, u64::MAX);
            assert_eq!(signature.bytes()[..8], NUMBER_MAX.to_be_bytes());
            assert_eq!(verified_time(&tree.checkpoint(5), &key.verifier()), None);
        }
    }

    #[test]
    fn nothing_else_verifies() {
        let (tree, other) = (Leaves::new(6), Leaves::forked_at(6, 0));
        for key in [witness(1), pq_witness(1)] {
            let good = cosign(&tree.checkpoint(5), &key, 7);
            let verify = |checkpoint: &SignedCheckpoint, signature: &NoteSignature| {
                verified_time(&with(checkpoint, &[signature]), &key.verifier())
            };
            assert_eq!(verify(&tree.checkpoint(5), &good), Some(7));
            assert_eq!(verify(&tree.checkpoint(6), &good), None);
            assert_eq!(verify(&other.checkpoint(5), &good), None);
            let elsewhere = Checkpoint::new("example.com/other", 5, tree.root(5)).unwrap();
            let elsewhere = SignedCheckpoint::sign(&elsewhere, &log_key());
            assert_eq!(verify(&elsewhere, &good), None);
            let broken = [
                altered(&good, |bytes| bytes[7] = 8),
                altered(&good, |bytes| bytes[0] = 0x80),
                altered(&good, |bytes| bytes[8] ^= 1),
                altered(&good, |bytes| bytes.push(0)),
                altered(&good, |bytes| bytes.truncate(bytes.len() - 1)),
                altered(&good, |bytes| bytes.truncate(8)),
                altered(&good, |bytes| bytes.truncate(1)),
                altered(&good, |bytes| drop(bytes.drain(..8))),
            ];
            for signature in broken {
                assert_eq!(verify(&tree.checkpoint(5), &signature), None);
            }
        }
    }

    /// An Ed25519 cosignature does not bind the cosigner's name; an ML-DSA-44 one does.
    #[test]
    fn names_and_kinds_are_apart() {
        let checkpoint = Leaves::new(5).checkpoint(5);
        let renamed = |signature: &NoteSignature, key: &SignerKey| {
            NoteSignature::new(key.name().clone(), key.id(), signature.bytes().to_vec())
        };
        let name: KeyName = "witness.example/other".parse().unwrap();
        let other = SignerKey::ml_dsa44_cosigner(name, &[101; 32]);
        let signature = renamed(&cosign(&checkpoint, &pq_witness(1), 7), &other);
        assert_eq!(
            verified_time(&with(&checkpoint, &[&signature]), &other.verifier()),
            None
        );
        // The same secret as a log's key signs another message.
        let log = SignerKey::ed25519("witness.example/1".parse().unwrap(), &[101; 32]);
        let text = cosign(&checkpoint, &log, 7);
        assert_eq!(text.bytes().len(), 64);
        let as_witness = renamed(&text, &witness(1));
        let timed = altered(&as_witness, |bytes| drop(bytes.splice(..0, [0; 8])));
        for signature in [as_witness, timed] {
            assert_eq!(
                verified_time(&with(&checkpoint, &[&signature]), &witness(1).verifier()),
                None
            );
        }
    }

    #[test]
    fn an_ml_dsa44_signature_covers_no_extension_lines() {
        let checkpoint = Leaves::new(5).checkpoint(5);
        let text = format!("{}x\n", checkpoint.note().text());
        for (key, is_good) in [(witness(1), false), (pq_witness(1), true)] {
            let signature = cosign(&checkpoint, &key, 7);
            let extended =
                SignedCheckpoint::parse(format!("{text}\n{signature}").as_bytes()).unwrap();
            assert_eq!(extended.verify(&key.verifier()), is_good);
        }
    }

    /// Of two lines of one key both have to be good, and the earlier time counts.
    #[test]
    fn two_lines_of_one_key() {
        let checkpoint = Leaves::new(5).checkpoint(5);
        for key in [witness(1), pq_witness(1)] {
            let at = |time_s| cosign(&checkpoint, &key, time_s);
            let time = |lines: &[&NoteSignature]| {
                verified_time(&with(&checkpoint, lines), &key.verifier())
            };
            let (early, late, never) = (at(7), at(9), at(0));
            let bad = altered(&early, |bytes| bytes[20] ^= 1);
            assert_eq!(time(&[&early, &late]), Some(7));
            assert_eq!(time(&[&late, &early]), Some(7));
            assert_eq!(time(&[&late, &late]), Some(9));
            assert_eq!(time(&[&never, &late]), Some(9));
            assert_eq!(time(&[&late, &never, &early]), Some(7));
            assert_eq!(time(&[&never, &never]), Some(0));
            assert_eq!(time(&[&early, &bad]), None);
            assert_eq!(time(&[&bad, &early]), None);
            // A line of the same name and another id is another's.
            let stranger = NoteSignature::new(key.name().clone(), key.id() ^ 1, vec![1]);
            assert_eq!(time(&[&stranger, &late]), Some(9));
        }
    }

    #[test]
    fn a_log_may_sign_as_cosigners_do() {
        let tree = Leaves::new(5);
        let key = SignerKey::ml_dsa44_cosigner(ORIGIN.parse().unwrap(), &[1; 32]);
        let signed = SignedCheckpoint::sign(tree.checkpoint(5).checkpoint(), &key);
        assert!(signed.verify(&key.verifier()));
        assert_eq!(verified_time(&signed, &key.verifier()), Some(0));
        // And with both kinds of keys.
        let mut both = tree.checkpoint(5);
        both.add_signature(cosign(&both, &key, 0)).unwrap();
        assert!(both.verify(&key.verifier()) && both.verify(&log_key().verifier()));
    }

    #[test]
    fn signatures_of_unknown_kinds_never_verify() {
        let key: VerifierKey = "a+00000000+AgcH".parse().unwrap();
        let checkpoint = Leaves::new(5).checkpoint(5);
        let signature = NoteSignature::new("a".parse().unwrap(), 0, vec![7]);
        assert_eq!(verified_time(&with(&checkpoint, &[&signature]), &key), None);
        assert!(SignedNote::parse(checkpoint.to_string().as_bytes()).is_ok());
    }
}
