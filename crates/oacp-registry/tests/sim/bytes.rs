//! A log, read from the bytes of its files by nothing that wrote them: tiles by C2SP tlog-tiles, segments by their description.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oacp::digest::Digest;
use oacp_tlog::checkpoint::SignedCheckpoint;

/// The hash of a tree or a subtree.
pub type Hash = [u8; 32];

/// The visible files of a disk.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

fn sha256(parts: &[&[u8]]) -> Hash {
    *Digest::of(&parts.concat()).as_bytes()
}

/// RFC 6962, 2.1.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256(&[&[0], leaf])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of each of the trees of `0..=n` leaves.
pub fn roots(leaves: &[Hash]) -> Vec<Hash> {
    let mut roots = vec![sha256(&[])];
    // Complete subtrees, the largest first, with their sizes.
    let mut edge: Vec<(usize, Hash)> = Vec::new();
    for leaf in leaves {
        edge.push((1, *leaf));
        while let [.., (a, left), (b, right)] = edge[..]
            && a == b
        {
            edge.truncate(edge.len() - 2);
            edge.push((a + b, node_hash(&left, &right)));
        }
        let (_, mut root) = edge[edge.len() - 1];
        for (_, left) in edge.iter().rev().skip(1) {
            root = node_hash(left, &root);
        }
        roots.push(root);
    }
    roots
}

/// The log as a reader of its directory has it.
pub struct Kept {
    pub checkpoint: SignedCheckpoint,
    pub leaves: Vec<Vec<u8>>,
    /// The root of each size there was.
    pub roots: Vec<Hash>,
    /// By index.
    pub payloads: Vec<Payload>,
}

/// What a segment holds of an entry.
pub struct Payload {
    pub segment: u32,
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// Reads everything under the checkpoint that is given out.
///
/// # Errors
/// What is missing, or is not what the checkpoint says.
pub fn read(files: &Files, root: &Path) -> Result<Kept, String> {
    let file = |name: &str| {
        let bytes = files.get(&root.join(name));
        bytes.ok_or_else(|| format!("`{name}` is missing"))
    };
    let checkpoint = SignedCheckpoint::parse(file("checkpoint")?).map_err(|e| e.to_string())?;
    let size = usize::try_from(checkpoint.size()).unwrap();
    let mut leaves = Vec::new();
    for (name, width) in tiles("entries", size) {
        let bundle = split_bundle(file(&name)?).ok_or_else(|| format!("`{name}` is no bundle"))?;
        if bundle.len() != width {
            return Err(format!("`{name}` has {} entries", bundle.len()));
        }
        leaves.extend(bundle);
    }
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let roots = roots(&hashes);
    if roots[size] != *checkpoint.root().as_bytes() {
        return Err(format!("the root of {size} entries is not the signed one"));
    }
    let mut level = hashes;
    for number in 0.. {
        if level.is_empty() {
            break;
        }
        for (at, (name, width)) in tiles(&number.to_string(), level.len())
            .into_iter()
            .enumerate()
        {
            if *file(&name)? != level[at * 256..at * 256 + width].concat() {
                return Err(format!("`{name}` has other hashes"));
            }
        }
        let full = level.chunks_exact(256);
        level = full.map(|tile| self::roots(tile)[256]).collect();
    }
    let payloads = payloads(files, root, &leaves)?;
    Ok(Kept {
        checkpoint,
        leaves,
        roots,
        payloads,
    })
}

/// The names of a level's tiles, and how much each holds.
fn tiles(level: &str, len: usize) -> Vec<(String, usize)> {
    let tiles = (0..len.div_ceil(256)).map(|n| {
        assert!(n < 1000, "no test makes so many");
        match (len - n * 256).min(256) {
            256 => (format!("tile/{level}/{n:03}"), 256),
            width => (format!("tile/{level}/{n:03}.p/{width}"), width),
        }
    });
    tiles.collect()
}

fn split_bundle(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    Some(entries)
}

/// What the segments hold of the entries, one behind the other.
fn payloads(files: &Files, root: &Path, leaves: &[Vec<u8>]) -> Result<Vec<Payload>, String> {
    let mut payloads: Vec<Payload> = Vec::new();
    for (path, bytes) in files {
        let name = path.strip_prefix(root).ok().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("segments/")?.strip_suffix(".seg"));
        let Some(number) = number else {
            continue;
        };
        let mut rest = bytes.as_slice();
        while payloads.len() < leaves.len()
            && let Some((records, after)) = split_batch(rest, payloads.len() as u64)
        {
            for (offset, leaf, payload) in records {
                // What a failed flush left behind the last batch belongs to nobody.
                let Some(expected) = leaves.get(payloads.len()) else {
                    break;
                };
                if leaf != expected {
                    let at = payloads.len();
                    return Err(format!("{} has another entry {at}", path.display()));
                }
                payloads.push(Payload {
                    segment: number.parse().unwrap(),
                    offset: (bytes.len() - rest.len() + offset) as u64,
                    bytes: payload.to_vec(),
                });
            }
            rest = after;
        }
    }
    if payloads.len() < leaves.len() {
        return Err(format!("the segments end before entry {}", payloads.len()));
    }
    Ok(payloads)
}

/// The byte of the batch at which each begins, its leaf and its payload.
type Records<'a> = Vec<(usize, &'a [u8], &'a [u8])>;

/// A batch that begins with entry `first`, and what follows it.
fn split_batch(bytes: &[u8], first: u64) -> Option<(Records<'_>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(48)?;
    let number = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().unwrap());
    let is_whole = header.starts_with(b"OACPSEG1")
        && number(8) == first
        && header[36..] == sha256(&[&header[..36]])[..12];
    if !is_whole {
        return None;
    }
    let count = u32::from_be_bytes(header[16..20].try_into().unwrap());
    let (mut body, after) = rest.split_at_checked(usize::try_from(number(28)).ok()?)?;
    let mut records = Records::new();
    for index in first..first + u64::from(count) {
        let (lengths, _) = body.split_at_checked(8)?;
        let length = |at: usize| u32::from_be_bytes(lengths[at..at + 4].try_into().unwrap());
        let (leaf, payload) = (length(0) as usize, length(4) as usize);
        let (record, rest) = body.split_at_checked(24 + leaf + payload)?;
        let (checksum, rest) = rest.split_at_checked(12)?;
        if *checksum != sha256(&[&index.to_be_bytes(), record])[..12] {
            return None;
        }
        let (leaf, payload) = record[24..].split_at(leaf);
        records.push((bytes.len() - after.len() - body.len(), leaf, payload));
        body = rest;
    }
    body.is_empty().then_some((records, after))
}
