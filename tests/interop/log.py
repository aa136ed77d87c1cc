"""Reads a log that `oacp` made and witnesses cosigned, with tlog-scales and nothing of OACP's.

Usage: log.py FOLDER, which has `log` (its directory), `copy` (a mirror of it), `url`, `policy`, `earlier` (a checkpoint of before),
`proofs/<index>.tlog-proof` and `bundles/`.
"""

import base64
import dataclasses
import hashlib
import json
import logging
import pathlib
import subprocess
import sys
import time

import requests
from tlog_scales import tiles
from tlog_scales.backend import HttpBackend, LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet
from tlog_scales.tlog import Checkpoint, ConsistencyProof, ConsistencyProofInvalid, InclusionProof, InclusionProofInvalid

folder = pathlib.Path(sys.argv[1]).resolve()
url = (folder / "url").read_text().strip()
surprises = checks = 0
# What does not verify is told in full; here much is not to verify.
logging.getLogger("tlog_scales").setLevel(logging.ERROR)


def check(what: str, holds: bool) -> None:
    global checks, surprises
    checks += 1
    surprises += not holds
    print(f"{'ok' if holds else 'NOT OK':6} {what}")


def is_included(proof: InclusionProof, entry: bytes, root: bytes) -> bool:
    try:
        proof.check(tiles.leaf_hash(entry), root)
        return True
    except InclusionProofInvalid:
        return False


def is_beginning(proof: ConsistencyProof, old: bytes, new: bytes) -> bool:
    try:
        proof.check(old, new)
        return True
    except ConsistencyProofInvalid:
        return False


def flipped(data: bytes, at: int) -> bytes:
    """The same bytes but for one bit."""
    altered = bytearray(data)
    altered[at] ^= 1
    return bytes(altered)


def leaf(envelope: dict, kind: str) -> bytes:
    """The entry that commits to an envelope, by docs/formats.md alone."""
    payload = base64.b64decode(envelope["payload"], validate=True)
    payload_type = envelope["payloadType"].encode()
    pae = b" ".join([b"DSSEv1", str(len(payload_type)).encode(), payload_type, str(len(payload)).encode(), payload])
    [signature] = envelope["signatures"]
    fields = {
        "key_id": signature["keyid"],
        "kind": kind,
        "pae": hashlib.sha256(pae).hexdigest(),
        "sequence": None if kind == "delegation" else json.loads(payload)["predicate"]["sequence"],
        "signature": signature["sig"],
        "version": 1,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def gen_proof(location: str, index: int) -> bytes:
    """What its own command line writes."""
    command = [str(pathlib.Path(sys.executable).with_name("tlog-tiles")), "gen-proof", location, str(index)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def parsed_proof(text: str) -> tuple[InclusionProof, Checkpoint]:
    head, note = text.split("\n\n", 1)
    magic, index, *hashes = head.split("\n")
    assert magic == "c2sp.org/tlog-proof@v1"
    checkpoint = Checkpoint.from_text(note)
    return InclusionProof(int(index.removeprefix("index ")), checkpoint.size, [base64.b64decode(h) for h in hashes]), checkpoint


lines = [line.split() for line in (folder / "policy").read_text().splitlines()]
log_key = next(Vkey.from_string(line[1]) for line in lines if line and line[0] == "log")
witness_keys = [Vkey.from_string(line[2]) for line in lines if line and line[0] == "witness"]
all_keys = VkeySet(log_key, *witness_keys)


def signers(checkpoint: Checkpoint) -> set[tuple[str, int]]:
    return {(key.name, key.sig_type) for key, _ in all_keys.verify(checkpoint.signatures, checkpoint)}


def checkpoint_of(reader: TilesReader, where: str) -> Checkpoint:
    checkpoint = reader.get_checkpoint()
    text = reader.backend.get("checkpoint")
    check(f"{where}: the checkpoint is written as tlog-scales writes it", checkpoint.serialize().encode() == text)
    expected = {(key.name, key.sig_type) for key in [log_key, *witness_keys]}
    check(f"{where}: the log's signature, and cosignatures 0x04 and 0x06, verify", signers(checkpoint) == expected)
    return checkpoint


# What is served, what lies on the disk, and what was copied, are one log.
served = TilesReader(HttpBackend(url))
checkpoint = checkpoint_of(served, "served")
size, root = checkpoint.size, checkpoint.root_hash
check("there is more than one tile", size > 256)
check("the keys are an Ed25519 and an ML-DSA-44 cosigner's", {key.sig_type for key in witness_keys} == {4, 6})
for signature in checkpoint.signatures:
    if (signature.name, signature.key_id) != (log_key.name, log_key.key_id):
        told = int.from_bytes(signature.payload[:8])
        check(f"served: a cosignature of {signature.name} is of these minutes", abs(time.time() - told) < 600)

on_disk = TilesReader(LocalBackend(folder / "log"))
copied = TilesReader(LocalBackend(folder / "copy"))
for where, reader in [("served", served), ("on disk", on_disk), ("copied", copied)]:
    if reader is not served:
        same = checkpoint_of(reader, where)
        check(f"{where}: the checkpoint is the one that is served", (same.size, same.root_hash) == (size, root))
    check(f"{where}: the root follows from the tiles", reader.calculate_root_hash() == root)
    entries = [reader.get_entry(index) for index in range(size)]
    proofs = [reader.get_inclusion_proof(index, size) for index in range(size)]
    included = [is_included(proof, entry, root) for proof, entry in zip(proofs, entries)]
    check(f"{where}: each of {size} entries is included", all(included))
entries = [served.get_entry(index) for index in range(size)]
check("no entry is there twice", len(set(entries)) == size)

# Proofs, by both and to the byte.
for file in sorted((folder / "proofs").iterdir(), key=lambda file: int(file.stem)):
    index, ours = int(file.stem), file.read_bytes()
    check(f"proof of entry {index}: `oacp log entry --proof` writes what gen-proof writes", ours == gen_proof(url, index))
    check(f"proof of entry {index}: it is what is served", ours == requests.get(f"{url}/proof/{index}").content)
    check(f"proof of entry {index}: so it is from the directory", ours == gen_proof(str(folder / "log"), index))

# Growth: by a checkpoint that was kept, and at the edges of tiles.
earlier = Checkpoint.from_text((folder / "earlier").read_text())
check("the earlier checkpoint was cosigned too", signers(earlier) == signers(checkpoint))
check("its root is the one that the tiles have now", served.mth(0, earlier.size) == earlier.root_hash)
for old in sorted({1, 255, 256, 257, earlier.size, size - 1, size} & set(range(1, size + 1))):
    proof = served.get_consistency_proof(old, size)
    hashes = requests.get(f"{url}/consistency?from={old}&to={size}").text.split()
    check(f"from {old} to {size}: the proof that is served is tlog-scales' own", [base64.b64decode(h) for h in hashes] == proof.node_hashes)
    old_root = served.mth(0, old)
    check(f"from {old} to {size}: the log only grew", is_beginning(proof, old_root, root))
    check(f"from {old} to {size}: another root is refused", not is_beginning(proof, flipped(old_root, 0), root))

# Bundles: what is in them is in the log.
for file in sorted((folder / "bundles").iterdir()):
    bundle = json.loads(file.read_bytes())
    for kind, envelope in [("delegation", bundle["delegation"]), ("begin", bundle.get("begin")), ("execution", bundle["envelope"])]:
        if envelope is None:
            continue
        name, entry = f"bundle {file.stem}, {kind}", leaf(envelope, kind)
        texts = bundle["proofs"][kind]
        check(f"{name}: it has a proof", bool(texts))
        for text in texts:
            proof, shown = parsed_proof(text)
            check(f"{name}: the entry is the commitment to its envelope", entries[proof.leaf_index] == entry)
            check(f"{name}: the proof verifies", is_included(proof, entry, shown.root_hash))
            check(f"{name}: its checkpoint is the log's and the witnesses'", signers(shown) == signers(checkpoint))
            check(f"{name}: the log begins so", served.mth(0, shown.size) == shown.root_hash)
            check(f"{name}: another entry is refused", not is_included(proof, flipped(entry, -1), shown.root_hash))

# What was altered is refused.
other = dataclasses.replace(checkpoint, root_hash=flipped(root, 31))
check("a checkpoint with another root has no signature that verifies", signers(other) == set())
other = dataclasses.replace(checkpoint, size=size + 1)
check("a checkpoint with another size has none either", signers(other) == set())
for signature in checkpoint.signatures:
    kept = [other for other in checkpoint.signatures if other is not signature]
    for what, at in [("its first byte", 0), ("its last byte", -1)]:
        altered = dataclasses.replace(signature, payload=flipped(signature.payload, at))
        left = dataclasses.replace(checkpoint, signatures=[altered, *kept])
        check(f"{signature.name}, {signature.key_id:08x}: with {what} changed it does not verify", len(signers(left)) == len(kept))

print(f"tlog-scales: {checks - surprises} passed, {surprises} failed")
sys.exit(surprises != 0 or checks == 0)
