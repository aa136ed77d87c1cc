"""Reads the envelope with securesystemslib and the statement with in-toto-attestation. Usage: verify.py FOLDER..."""

import base64
import copy
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf.json_format import ParseDict, ParseError
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementProto
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

surprises = checks = 0


def check(what: str, holds: bool) -> None:
    global checks, surprises
    checks += 1
    surprises += not holds
    print(f"{'ok' if holds else 'NOT OK':6} {what}")


def key_id(key) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def verifies(envelope: dict, key: SSlibKey) -> bool:
    # `from_dict` alters what it is given.
    try:
        return bool(Envelope.from_dict(copy.deepcopy(envelope)).verify([key], 1))
    except VerificationError:
        return False


def validates(statement: dict) -> bool:
    try:
        Statement.copy_from_pb(ParseDict(statement, StatementProto())).validate()
        return True
    except (ParseError, ValueError):
        return False


def flipped(text: str, index: int) -> str:
    """Base64 of the same bytes but for one bit."""
    raw = bytearray(base64.b64decode(text, validate=True))
    raw[index] ^= 1
    return base64.b64encode(raw).decode()


def signature(folder: pathlib.Path) -> None:
    envelope = json.loads((folder / "dsse.json").read_bytes())
    public = load_pem_public_key((folder / "key.pem").read_bytes())
    key = SSlibKey.from_crypto(public, key_id(public))
    name = f"{folder.name}: securesystemslib"
    check(f"{name} verifies the envelope", verifies(envelope, key))

    [claimed] = envelope["signatures"]
    altered = {
        "its payload's first byte changed": {"payload": flipped(envelope["payload"], 0)},
        "its payload's last byte changed": {"payload": flipped(envelope["payload"], -1)},
        "another payload type": {"payloadType": "application/json"},
        "the signature's R changed": {"signatures": [{**claimed, "sig": flipped(claimed["sig"], 0)}]},
        "the signature's S changed": {"signatures": [{**claimed, "sig": flipped(claimed["sig"], 32)}]},
        "no signature": {"signatures": []},
    }
    for what, change in altered.items():
        check(f"{name} refuses it with {what}", not verifies({**envelope, **change}, key))
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    check(f"{name} refuses it under another key", not verifies(envelope, SSlibKey.from_crypto(other, key_id(other))))
    posing = SSlibKey.from_crypto(other, claimed["keyid"])
    check(f"{name} refuses it under another key of the same id", not verifies(envelope, posing))


def statement(folder: pathlib.Path) -> None:
    # What is printed ends with a newline of the program's own.
    payload = (folder / "statement.json").read_bytes().removesuffix(b"\n")
    envelope = json.loads((folder / "dsse.json").read_bytes())
    bundle = json.loads((folder / "bundle.json").read_bytes())
    check(f"{folder.name}: the statement is what the envelope signs", payload == base64.b64decode(envelope["payload"]))

    name = f"{folder.name}: in-toto-attestation"
    claimed = json.loads(payload)
    check(f"{name} validates the statement", validates(claimed))
    [subject] = claimed["subject"]
    output = base64.b64decode(bundle["blobs"]["sha256:" + subject["digest"]["sha256"]])
    check(f"{folder.name}: the subject is the output", hashlib.sha256(output).hexdigest() == subject["digest"]["sha256"])

    altered = {
        "another type": {"_type": "https://in-toto.io/Statement/v0.1"},
        "no subject": {"subject": []},
        "a subject without digest": {"subject": [{**subject, "digest": {}}]},
        "no predicate type": {"predicateType": ""},
        "no predicate": {"predicate": {}},
        "an unknown field": {"signature": ""},
    }
    for what, change in altered.items():
        check(f"{name} refuses it with {what}", not validates({**claimed, **change}))


for folder in map(pathlib.Path, sys.argv[1:]):
    signature(folder)
    statement(folder)
print(f"Python: {checks - surprises} passed, {surprises} failed")
sys.exit(surprises != 0 or checks == 0)
