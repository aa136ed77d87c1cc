"""A log that tlog-scales writes, cosigned by a witness of OACP's. Usage: witness.py FOLDER write|cosign URL.

`write` makes the log in FOLDER/foreign, its key from a fixed seed, and prints that key. `cosign` has the witness at URL cosign it while it
grows, and verifies what it answers; FOLDER/witness has the witness's keys, a line each.
"""

import base64
import pathlib
import sys

import requests
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import NoteSignature, PlainEd25519Signer, Vkey, VkeySet
from tlog_scales.tlog import Checkpoint
from tlog_scales.writer import TilesWriter

folder, verb = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
ORIGIN = "foreign.example/log"
signer = PlainEd25519Signer(ORIGIN, bytes(range(32)))
surprises = checks = 0


def check(what: str, holds: bool) -> None:
    global checks, surprises
    checks += 1
    surprises += not holds
    print(f"{'ok' if holds else 'NOT OK':6} {what}")


if verb == "write":
    TilesWriter.create(folder / "foreign", ORIGIN)
    print(signer.vkey.serialize())
    sys.exit()

url = sys.argv[3]
keys = [Vkey.from_string(line) for line in (folder / "witness").read_text().split()]
writer = TilesWriter(folder / "foreign", ORIGIN, 0)
reader = TilesReader(LocalBackend(folder / "foreign"))


def grow(to: int) -> Checkpoint:
    for index in range(writer.size, to):
        writer.add_leaf(f"entry {index}".encode())
    writer.commit([signer])
    return reader.get_checkpoint()


def ask(old: int, checkpoint: Checkpoint, hashes: list[bytes] | None = None) -> requests.Response:
    """c2sp.org/tlog-witness."""
    if hashes is None:
        hashes = [] if old == 0 else reader.get_consistency_proof(old, checkpoint.size).node_hashes
    proof = "".join(base64.b64encode(h).decode() + "\n" for h in hashes)
    body = f"old {old}\n{proof}\n{checkpoint.serialize()}"
    return requests.post(f"{url}/add-checkpoint", data=body.encode())


def cosigned(reply: requests.Response, checkpoint: Checkpoint) -> bool:
    signatures = [NoteSignature.from_line(line) for line in reply.text.splitlines()]
    valid = {key.sig_type for key, _ in VkeySet(*keys).verify(signatures, checkpoint)}
    return reply.status_code == 200 and valid == {4, 6}


def resigned(checkpoint: Checkpoint, root: bytes) -> Checkpoint:
    return Checkpoint.make_signed(ORIGIN, checkpoint.size, root, [signer])


last = 0
for size in [1, 2, 255, 256, 257, 300]:
    checkpoint = grow(size)
    check(f"foreign log: {size} entries after {last} are cosigned", cosigned(ask(last, checkpoint), checkpoint))
    last = size

reply = ask(255, checkpoint)
check("foreign log: from an old size, the witness tells the one that it knows", (reply.status_code, reply.text) == (409, f"{last}\n"))
check("foreign log: with its media type", reply.headers["content-type"] == "text/x.tlog.size")
check("foreign log: the same checkpoint again is cosigned", cosigned(ask(last, checkpoint), checkpoint))
check("foreign log: another root of the same size is refused", ask(last, resigned(checkpoint, bytes(32))).status_code == 409)
larger = Checkpoint.make_signed(ORIGIN, 400, bytes(32), [signer])
check("foreign log: what does not continue it is refused", ask(last, larger, [bytes(32)] * 4).status_code == 422)
stranger = Checkpoint.make_signed(ORIGIN, last, checkpoint.root_hash, [PlainEd25519Signer(ORIGIN, bytes(32))])
check("foreign log: a key that the witness does not know is refused", ask(last, stranger).status_code == 403)
other = Checkpoint.make_signed("other.example/log", last, checkpoint.root_hash, [PlainEd25519Signer("other.example/log", bytes(32))])
check("foreign log: a log that it does not watch is refused", ask(0, other).status_code == 404)

print(f"a foreign log: {checks - surprises} passed, {surprises} failed")
sys.exit(surprises != 0 or checks == 0)
