//! Entry bundles: up to 256 entries in one file, each behind its length (c2sp.org/tlog-tiles, *log
//! entries*).
//!
//! ```text
//! bundle = entry*        entry = length (2 bytes, big-endian) ‖ that many bytes
//! ```

use crate::limits::{ENTRY_BYTES_MAX, TILE_WIDTH_MAX};

/// Appends an entry to a bundle.
///
/// # Errors
/// Longer than 65,535 bytes.
pub fn encode_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle, in order.
///
/// # Errors
/// It ends within an entry; more than 256 entries.
pub fn decode_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() >= usize::from(TILE_WIDTH_MAX) {
            return Err(BundleError::TooMany);
        }
        let (entry, after) = split_entry(rest).ok_or(BundleError::Truncated)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

/// The first entry, and what follows it. `None`: the bytes end within it.
pub(crate) fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// An entry is longer than its length can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry of {0} bytes: at most {max} are allowed", max = ENTRY_BYTES_MAX)]
pub struct EntryTooLong(pub usize);

/// Why bytes are not an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Ends within an entry.
    #[error("entry bundle ends within an entry")]
    Truncated,
    /// More than 256 entries.
    #[error("entry bundle has more than {max} entries", max = TILE_WIDTH_MAX)]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_none_is_refused() {
        for wrong in [&[0][..], &[0, 1], &[0, 0, 0], &[0, 2, 7], &[0xff, 0xff]] {
            assert_eq!(decode_bundle(wrong), Err(BundleError::Truncated));
        }
        assert_eq!(decode_bundle(&[0; 512]).unwrap().len(), 256);
        assert_eq!(decode_bundle(&[0; 514]), Err(BundleError::TooMany));
        let mut bundle = Vec::new();
        assert!(encode_entry(&mut bundle, &[7; 65_535]).is_ok());
        let before = bundle.clone();
        let refused = encode_entry(&mut bundle, &[7; 65_536]);
        assert_eq!(refused, Err(EntryTooLong(65_536)));
        assert_eq!(bundle, before);
    }

    proptest! {
        #[test]
        fn bundles_round_trip(entries in prop::collection::vec(any::<Vec<u8>>(), 0..=256)) {
            let mut bundle = Vec::new();
            for entry in &entries {
                encode_entry(&mut bundle, entry).unwrap();
            }
            prop_assert_eq!(decode_bundle(&bundle).unwrap(), entries);
        }
    }
}
