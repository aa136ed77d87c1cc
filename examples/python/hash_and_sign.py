"""Hashes and signs a message, derives a key from a password, and encodes the results."""

import base64
import hashlib
import hmac
import zlib


def run(input):
    message, key = input["message"].encode(), input["key"].encode()
    signature = hmac.new(key, message, "sha256")
    derived = hashlib.pbkdf2_hmac("sha256", key, b"salt", 1000, 16)
    return {
        "digests": {name: hashlib.new(name, message).hexdigest() for name in ("md5", "sha1", "sha256", "sha3_256", "blake2b")},
        "crc32": zlib.crc32(message),
        "signature": base64.urlsafe_b64encode(signature.digest()).decode(),
        "verified": hmac.compare_digest(signature.hexdigest(), hmac.digest(key, message, "sha256").hex()),
        "derived_key": derived.hex(),
    }
