//! The messages by which entries are uploaded to a mirror: a cosigner that stores and serves what it
//! cosigns (c2sp.org/tlog-mirror, as of its revision 0838f7b4; that specification is not stable yet).
//!
//! ```text
//! request = len(2) ‖ origin ‖ start (8) ‖ end (8) ‖ len(2) ‖ ticket ‖ package*     all big-endian
//! package = (len(2) ‖ entry)* ‖ number of hashes (1) ‖ hash (32)*
//! info    = decimal size ‖ "\n" ‖ decimal next entry ‖ "\n" ‖ base64(ticket) ‖ "\n"
//! ```
//!
//! A request can be long: it is read as it comes, head first, then package by package, each verified
//! before the next is read ([`Package::verify`]). `add-checkpoint` is the witness' (see
//! [`witness`](crate::witness)). Storing, tickets' contents and `sign-subtree` are out of scope.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::encoding::{NUMBER_MAX, from_base64, from_decimal, to_base64};
use crate::entry::{EntryTooLong, encode_entry, split_entry};
use crate::hash::{Hash, leaf_hash};
use crate::limits::{NAME_BYTES_MAX, PROOF_HASHES_MAX, TICKET_BYTES_MAX, TILE_WIDTH_MAX};
use crate::tree::{CompactRange, ProofError, verify_subtree_consistency};

/// The content type of an upload.
pub const ENTRIES_CONTENT_TYPE: &str = "application/octet-stream";
/// The content type of [`MirrorInfo`], the body of a 202 and a 409.
pub const INFO_CONTENT_TYPE: &str = "text/x.tlog.mirror-info";

/// The folder under which a mirror serves its copy of a log: SHA-256 of the origin, lower-case hex.
pub fn origin_hash(origin: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(origin).into();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the body of `POST <submission prefix>/add-entries` begins with: which entries of which log
/// follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadHead {
    origin: String,
    start: u64,
    end: u64,
    ticket: Vec<u8>,
}

impl UploadHead {
    /// The entries from `start` to `end` of the log `origin`, where `end` is the size of a
    /// checkpoint that the mirror holds, and `ticket` what it gave along, or nothing.
    ///
    /// # Errors
    /// The numbers are reversed or beyond 2^63 − 1; a limit.
    pub fn new(
        origin: &str,
        start: u64,
        end: u64,
        ticket: Vec<u8>,
    ) -> Result<Self, ParseUploadError> {
        if origin.is_empty() || origin.len() > NAME_BYTES_MAX {
            return Err(ParseUploadError::Origin);
        }
        if start > end || end > NUMBER_MAX {
            return Err(ParseUploadError::Range);
        }
        if ticket.len() > TICKET_BYTES_MAX {
            return Err(ParseUploadError::Ticket);
        }
        Ok(Self {
            origin: origin.to_owned(),
            start,
            end,
            ticket,
        })
    }

    /// Reads a head from the first bytes of a body, and says how many bytes it has. `None`: more bytes
    /// are needed.
    ///
    /// # Errors
    /// It is none, whatever follows.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ParseUploadError> {
        let Some((origin_len, rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let origin_len = usize::from(u16::from_be_bytes(*origin_len));
        if origin_len > NAME_BYTES_MAX {
            return Err(ParseUploadError::Origin);
        }
        let parts = || {
            let (origin, rest) = rest.split_at_checked(origin_len)?;
            let (start, rest) = rest.split_first_chunk::<8>()?;
            let (end, rest) = rest.split_first_chunk::<8>()?;
            let (ticket_len, rest) = rest.split_first_chunk::<2>()?;
            Some((origin, start, end, u16::from_be_bytes(*ticket_len), rest))
        };
        let Some((origin, start, end, ticket_len, rest)) = parts() else {
            return Ok(None);
        };
        let ticket_len = usize::from(ticket_len);
        if ticket_len > TICKET_BYTES_MAX {
            return Err(ParseUploadError::Ticket);
        }
        let Some(ticket) = rest.get(..ticket_len) else {
            return Ok(None);
        };
        let origin = std::str::from_utf8(origin).map_err(|_| ParseUploadError::Origin)?;
        let (start, end) = (u64::from_be_bytes(*start), u64::from_be_bytes(*end));
        let head = Self::new(origin, start, end, ticket.to_vec())?;
        let length = 2 + origin_len + 8 + 8 + 2 + ticket_len;
        Ok(Some((head, length)))
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // INVARIANT: both lengths are limited far below 65,536.
        let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        [
            sized(self.origin.as_bytes()),
            self.start.to_be_bytes().to_vec(),
            self.end.to_be_bytes().to_vec(),
            sized(&self.ticket),
        ]
        .concat()
    }

    /// Of which log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The index of the first entry that follows.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// One past the index of the last entry: the size of the checkpoint that they are proven against.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// What the mirror gave along; empty if nothing.
    pub fn ticket(&self) -> &[u8] {
        &self.ticket
    }

    /// The indexes of each package's entries, in order: up to the next multiple of 256 each. A request
    /// has the first few of them, or all.
    pub fn packages(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let (mut at, end) = (self.start, self.end);
        std::iter::from_fn(move || {
            let width = u64::from(TILE_WIDTH_MAX);
            let next = (at - at % width).saturating_add(width).min(end);
            let package = at..next;
            at = next;
            (!package.is_empty()).then_some(package)
        })
    }
}

/// Entries that stand side by side, within one bundle, and the proof that they are the log's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// In order.
    pub entries: Vec<Vec<u8>>,
    /// The subtree consistency proof: from the leaves that begin at the last multiple of 256, to the
    /// tree of [`UploadHead::end`] leaves. See
    /// [`subtree_consistency_proof`](crate::tree::subtree_consistency_proof).
    pub proof: Vec<Hash>,
}

impl Package {
    /// Reads a package of `count` entries from the first bytes, and says how many bytes it has. `None`:
    /// more bytes are needed.
    ///
    /// # Errors
    /// More than 256 entries, or more than 63 hashes.
    pub fn parse(bytes: &[u8], count: usize) -> Result<Option<(Self, usize)>, ParseUploadError> {
        if count > usize::from(TILE_WIDTH_MAX) {
            return Err(ParseUploadError::Range);
        }
        let mut entries = Vec::new();
        let mut rest = bytes;
        for _ in 0..count {
            let Some((entry, after)) = split_entry(rest) else {
                return Ok(None);
            };
            entries.push(entry);
            rest = after;
        }
        let Some((hashes, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let hashes = usize::from(*hashes);
        if hashes > PROOF_HASHES_MAX {
            return Err(ParseUploadError::Proof);
        }
        let Some((proof, rest)) = rest.split_at_checked(hashes * 32) else {
            return Ok(None);
        };
        let (proof, _) = proof.as_chunks::<32>();
        let package = Self {
            entries: entries.into_iter().map(<[u8]>::to_vec).collect(),
            proof: proof.iter().copied().map(Hash::from_bytes).collect(),
        };
        Ok(Some((package, bytes.len() - rest.len())))
    }

    /// Appends the package to a body.
    ///
    /// # Errors
    /// An entry is too long, or the proof has more than 63 hashes; the body is of no use then.
    pub fn encode(&self, body: &mut Vec<u8>) -> Result<(), ParseUploadError> {
        for entry in &self.entries {
            encode_entry(body, entry)?;
        }
        let hashes = u8::try_from(self.proof.len()).ok();
        let hashes = hashes.filter(|hashes| usize::from(*hashes) <= PROOF_HASHES_MAX);
        body.push(hashes.ok_or(ParseUploadError::Proof)?);
        for hash in &self.proof {
            body.extend_from_slice(hash.as_bytes());
        }
        Ok(())
    }

    /// Verifies that the entries are those of the log from index `start` on, in the tree of `size`
    /// leaves with this `root`. `before` are the leaf hashes of those that the mirror has already
    /// between the last multiple of 256 and `start`.
    ///
    /// # Errors
    /// It does not follow from the proof; `before` are not so many. The answer is 422.
    pub fn verify(
        &self,
        start: u64,
        before: &[Hash],
        size: u64,
        root: &Hash,
    ) -> Result<(), ProofError> {
        let aligned = start - start % u64::from(TILE_WIDTH_MAX);
        let end = start.saturating_add(self.entries.len() as u64);
        if start - aligned != before.len() as u64 {
            return Err(ProofError::NotASubtree {
                start: aligned,
                end,
            });
        }
        let mut tree: CompactRange = before.iter().copied().collect();
        tree.extend(self.entries.iter().map(|entry| leaf_hash(entry)));
        verify_subtree_consistency(aligned, end, size, &self.proof, &tree.root(), root)
    }
}

/// Why bytes are not an upload to a mirror. The answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseUploadError {
    /// Empty, longer than 255 bytes, or not UTF-8.
    #[error("origin is not 1 to {NAME_BYTES_MAX} bytes of text")]
    Origin,
    /// Reversed, or beyond 2^63 − 1; or a package with more than 256 entries.
    #[error("no such range of entries")]
    Range,
    /// Longer than [`TICKET_BYTES_MAX`].
    #[error("ticket has more than {TICKET_BYTES_MAX} bytes")]
    Ticket,
    /// More than 63 hashes.
    #[error("proof has more than {PROOF_HASHES_MAX} hashes")]
    Proof,
    /// An entry to be sent is too long.
    #[error(transparent)]
    Entry(#[from] EntryTooLong),
}

/// Where a mirror stands: the body of its 202 and 409. The client goes on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorInfo {
    size: u64,
    next: u64,
    ticket: Vec<u8>,
}

impl MirrorInfo {
    /// A checkpoint of `size` leaves is waiting for entries, from index `next` on.
    ///
    /// # Errors
    /// Numbers beyond 2^63 − 1, or a ticket above its limit.
    pub fn new(size: u64, next: u64, ticket: Vec<u8>) -> Result<Self, ParseMirrorInfoError> {
        let is_some = size <= NUMBER_MAX && next <= NUMBER_MAX && ticket.len() <= TICKET_BYTES_MAX;
        is_some
            .then_some(Self { size, next, ticket })
            .ok_or(ParseMirrorInfoError)
    }

    /// The size of a checkpoint that an upload may end with.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The index of the first entry that the mirror lacks.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// To be sent along with the next upload.
    pub fn ticket(&self) -> &[u8] {
        &self.ticket
    }
}

impl fmt::Display for MirrorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticket = to_base64(&self.ticket);
        writeln!(f, "{}\n{}\n{ticket}", self.size, self.next)
    }
}

impl FromStr for MirrorInfo {
    type Err = ParseMirrorInfoError;

    fn from_str(text: &str) -> Result<Self, ParseMirrorInfoError> {
        let fields = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let size = from_decimal(lines.next()?)?;
            let next = from_decimal(lines.next()?)?;
            let ticket = lines.next()?;
            // Looked at before it is decoded.
            let is_short = ticket.len() <= TICKET_BYTES_MAX.div_ceil(3) * 4;
            let ticket = is_short.then(|| from_base64(ticket)).flatten()?;
            lines.next().is_none().then_some((size, next, ticket))
        };
        let (size, next, ticket) = fields().ok_or(ParseMirrorInfoError)?;
        Self::new(size, next, ticket)
    }
}

/// A text does not say where a mirror stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mirror's info: expected two decimals and a ticket in base64, a line each")]
pub struct ParseMirrorInfoError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{Leaves, leaf};
    use crate::tree::subtree_consistency_proof;

    fn entries(range: Range<u64>) -> Vec<Vec<u8>> {
        range.map(|n| n.to_be_bytes().to_vec()).collect()
    }

    fn package(tree: &Leaves, range: Range<u64>, size: u64) -> Package {
        let aligned = range.start - range.start % 256;
        Package {
            proof: subtree_consistency_proof(aligned, range.end, size, tree).unwrap(),
            entries: entries(range),
        }
    }

    #[test]
    fn the_head_to_the_byte() {
        let head = UploadHead::new("example.com/log", 5, 300, b"t".to_vec()).unwrap();
        let bytes = head.to_bytes();
        let expected = [
            &b"\x00\x0fexample.com/log"[..],
            &[0, 0, 0, 0, 0, 0, 0, 5],
            &[0, 0, 0, 0, 0, 0, 1, 0x2c],
            b"\x00\x01t",
        ];
        assert_eq!(bytes, expected.concat());
        // Every beginning asks for more; what follows is not looked at.
        for length in 0..bytes.len() {
            assert_eq!(UploadHead::parse(&bytes[..length]), Ok(None), "{length}");
        }
        let more = [bytes.as_slice(), b"more"].concat();
        assert_eq!(UploadHead::parse(&more), Ok(Some((head, bytes.len()))));
    }

    #[test]
    fn what_is_no_head_is_refused_as_soon_as_it_shows() {
        use ParseUploadError::*;
        assert_eq!(UploadHead::parse(&[1, 0]), Err(Origin));
        let head = |origin: &[u8], start: u64, end: u64, ticket_len: u16| {
            let origin_len = (origin.len() as u16).to_be_bytes();
            [
                &origin_len,
                origin,
                &start.to_be_bytes(),
                &end.to_be_bytes(),
                &ticket_len.to_be_bytes(),
            ]
            .concat()
        };
        assert_eq!(UploadHead::parse(&head(b"", 0, 0, 0)), Err(Origin));
        assert_eq!(UploadHead::parse(&head(b"\xff", 0, 0, 0)), Err(Origin));
        assert_eq!(UploadHead::parse(&head(b"a", 1, 0, 0)), Err(Range));
        assert_eq!(UploadHead::parse(&head(b"a", 0, 1 << 63, 0)), Err(Range));
        assert_eq!(UploadHead::parse(&head(b"a", 0, 1, 0xffff)), Err(Ticket));
        assert!(UploadHead::parse(&head(b"a", 0, 0, 0)).unwrap().is_some());
    }

    #[test]
    fn packages_end_where_bundles_do() {
        let packages = |start, end| {
            let head = UploadHead::new("a", start, end, vec![]).unwrap();
            let ranges: Vec<_> = head.packages().map(|range| format!("{range:?}")).collect();
            ranges.join(" ")
        };
        assert_eq!(packages(7, 7), "");
        assert_eq!(packages(7, 8), "7..8");
        assert_eq!(packages(0, 256), "0..256");
        assert_eq!(packages(5, 700), "5..256 256..512 512..700");
        assert_eq!(packages(255, 257), "255..256 256..257");
        assert_eq!(
            packages(NUMBER_MAX - 1, NUMBER_MAX),
            "9223372036854775806..9223372036854775807"
        );
    }

    #[test]
    fn an_upload_is_verified_package_by_package() {
        let (size, start) = (700, 5);
        let (tree, fork) = (Leaves::new(size), Leaves::forked_at(size, 300));
        let (root, fork_root) = (tree.root(size), fork.root(size));
        let mut body = UploadHead::new("a", start, size, vec![])
            .unwrap()
            .to_bytes();
        for range in [5..256, 256..512, 512..700] {
            package(&tree, range, size).encode(&mut body).unwrap();
        }
        let (head, mut at) = UploadHead::parse(&body).unwrap().unwrap();
        let mut count = 0;
        for range in head.packages() {
            let width = (range.end - range.start) as usize;
            assert_eq!(Package::parse(&body[at..at + 100], width), Ok(None));
            let (package, length) = Package::parse(&body[at..], width).unwrap().unwrap();
            assert_eq!(package.entries, entries(range.clone()));
            let before: Vec<Hash> = (range.start - range.start % 256..range.start)
                .map(leaf)
                .collect();
            let verify = |package: &Package, before: &[Hash], root: &Hash| {
                package.verify(range.start, before, size, root)
            };
            assert_eq!(verify(&package, &before, &root), Ok(()));
            // Nothing else does: another tree, other entries, fewer, others before.
            assert!(verify(&package, &before, &fork_root).is_err());
            let mut other = package.clone();
            other.entries[0][7] ^= 1;
            assert!(verify(&other, &before, &root).is_err());
            let mut fewer = package.clone();
            fewer.entries.pop();
            assert!(verify(&fewer, &before, &root).is_err());
            assert!(verify(&package, &[before.clone(), vec![leaf(0)]].concat(), &root).is_err());
            if let Some((_, short)) = before.split_last() {
                assert!(verify(&package, short, &root).is_err());
            }
            at += length;
            count += 1;
        }
        assert_eq!((count, at), (3, body.len()));
    }

    #[test]
    fn what_is_no_package_is_refused() {
        let entry = [0, 1, 7];
        assert_eq!(
            Package::parse(&[&entry[..], &[64]].concat(), 1),
            Err(ParseUploadError::Proof)
        );
        assert_eq!(Package::parse(&[], 257), Err(ParseUploadError::Range));
        assert_eq!(Package::parse(&[], 0), Ok(None));
        let one = Package {
            entries: vec![vec![7]],
            proof: vec![],
        };
        assert_eq!(
            Package::parse(&[0, 1, 7, 0, 9], 1),
            Ok(Some((one.clone(), 4)))
        );
        let mut body = vec![];
        let long = Package {
            proof: vec![leaf(0); 64],
            ..one.clone()
        };
        assert_eq!(long.encode(&mut body), Err(ParseUploadError::Proof));
        let huge = Package {
            entries: vec![vec![0; 65_536]],
            proof: vec![],
        };
        assert!(matches!(
            huge.encode(&mut body),
            Err(ParseUploadError::Entry(_))
        ));
        assert!(one.verify(u64::MAX, &[], 1, &leaf(0)).is_err());
    }

    #[test]
    fn infos() {
        let info = MirrorInfo::new(700, 256, b"ticket".to_vec()).unwrap();
        assert_eq!(info.to_string(), "700\n256\ndGlja2V0\n");
        assert_eq!("700\n256\n\n".parse(), MirrorInfo::new(700, 256, vec![]));
        for wrong in [
            "",
            "700\n",
            "700\n256\n",
            "700\n256",
            "700\n256\ndGlja2V0",
            "700\n256\ndGlja2V0\n\n",
            "0700\n256\n\n",
            "700\n256\ndGlja2V\n",
            "700\n\n\n",
        ] {
            assert_eq!(
                wrong.parse::<MirrorInfo>(),
                Err(ParseMirrorInfoError),
                "{wrong:?}"
            );
        }
        assert!(MirrorInfo::new(1 << 63, 0, vec![]).is_err());
        assert!(MirrorInfo::new(0, 0, vec![0; TICKET_BYTES_MAX + 1]).is_err());
        let long = format!("1\n1\n{}\n", "A".repeat(TICKET_BYTES_MAX * 2));
        assert!(long.parse::<MirrorInfo>().is_err());
    }

    #[test]
    fn a_logs_folder() {
        assert_eq!(
            origin_hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    proptest! {
        #[test]
        fn messages_round_trip(
            origin in "[a-z]{1,9}",
            start in 0..1000_u64,
            more in 0..1000_u64,
            ticket: Vec<u8>,
            entries in prop::collection::vec(any::<Vec<u8>>(), 0..9),
            hashes in 0..=63_usize,
        ) {
            let head = UploadHead::new(&origin, start, start + more, ticket.clone()).unwrap();
            let bytes = head.to_bytes();
            prop_assert_eq!(UploadHead::parse(&bytes), Ok(Some((head, bytes.len()))));
            let package = Package { entries, proof: vec![leaf(0); hashes] };
            let mut bytes = Vec::new();
            package.encode(&mut bytes).unwrap();
            let count = package.entries.len();
            prop_assert_eq!(Package::parse(&bytes, count), Ok(Some((package, bytes.len()))));
            let info = MirrorInfo::new(start, more, ticket).unwrap();
            prop_assert_eq!(info.to_string().parse(), Ok(info));
        }
    }
}
