"""`hashlib.pbkdf2_hmac`, which CPython has only from OpenSSL (RFC 8018, section 5.2)."""

import hashlib


def pbkdf2_hmac(hash_name, password, salt, iterations, dklen=None):
    """Password based key derivation function 2, in Python: some 50 times slower than native code."""
    if not isinstance(hash_name, str):
        raise TypeError(f"argument 'hash_name' must be str, not {type(hash_name).__name__}")
    password, salt = bytes(memoryview(password)), bytes(memoryview(salt))
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    new = hashlib.new(hash_name)
    if dklen is None:
        dklen = new.digest_size
    if dklen < 1:
        raise ValueError("key length must be greater than 0.")
    if len(password) > new.block_size:
        password = hashlib.new(hash_name, password).digest()
    password = password.ljust(new.block_size, b"\0")
    inner, outer = new.copy(), new.copy()
    inner.update(bytes(byte ^ 0x36 for byte in password))
    outer.update(bytes(byte ^ 0x5C for byte in password))

    def keyed(message):
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    derived = b""
    block = 0
    while len(derived) < dklen:
        block += 1
        last = keyed(salt + block.to_bytes(4, "big"))
        mixed = int.from_bytes(last, "big")
        for _ in range(iterations - 1):
            last = keyed(last)
            mixed ^= int.from_bytes(last, "big")
        derived += mixed.to_bytes(new.digest_size, "big")
    return derived[:dklen]


def install():
    """Called once, when the component is built."""
    if not hasattr(hashlib, "pbkdf2_hmac"):
        pbkdf2_hmac.__module__ = "hashlib"
        hashlib.pbkdf2_hmac = pbkdf2_hmac
        hashlib.__all__ = (*hashlib.__all__, "pbkdf2_hmac")
