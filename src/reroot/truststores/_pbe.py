"""
Password-based encryption and integrity of PKCS#12 files.

Source: RFC 7292 appendices B and C, RFC 8018 (PBES2), RFC 2268 (RC2). Rounds are looked at before they are run.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import lru_cache

from . import _der
from ._format import Limits

PBES2, PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
PBMAC1 = "1.2.840.113549.1.5.14"
HASHES = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
HMACS = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
AES = {"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
TRIPLE_DES = "1.2.840.113549.3.7"
LEGACY = {
    "1.2.840.113549.1.12.1.3": ("3des", 24),
    "1.2.840.113549.1.12.1.4": ("3des", 16),
    "1.2.840.113549.1.12.1.5": ("rc2", 16),
    "1.2.840.113549.1.12.1.6": ("rc2", 5),
}
LEGACY_3DES = "1.2.840.113549.1.12.1.3"
BLOCK = {"sha1": 64, "sha224": 64, "sha256": 64, "sha384": 128, "sha512": 128}


class WrongPassword(ValueError):
    """What was decrypted is no padding, or the integrity value differs."""


class Unsupported(ValueError):
    """An algorithm that this code does not know, or more rounds than it will run."""


def rounds(count: int) -> int:
    """*count*, when it is a number of rounds that will be run."""
    if not 1 <= count <= Limits.ITERATIONS:
        raise Unsupported(f"asks for {count} rounds of its password's key derivation; {Limits.ITERATIONS} are the limit")
    return count


def bmp(password: str) -> bytes:
    """A password as PKCS#12 wants it: UTF-16BE with two zero bytes."""
    return password.encode("utf-16-be", "surrogatepass") + b"\0\0"


@lru_cache(maxsize=64)
def derive(secret: bytes, salt: bytes, count: int, purpose: int, size: int, name: str) -> bytes:
    """The key derivation of RFC 7292 B.2. *purpose*: 1 encryption key, 2 initial vector, 3 integrity key."""
    block, new = BLOCK[name], getattr(hashlib, name)
    rounds(count)
    fill = _filled(salt, block) + _filled(secret, block)
    made = b""
    while len(made) < size:
        digest = new(bytes((purpose,)) * block + fill).digest()
        for _ in range(count - 1):
            digest = new(digest).digest()
        made += digest
        extra = int.from_bytes(_filled(digest, block)[:block], "big") + 1
        fill = b"".join(
            ((int.from_bytes(fill[i : i + block], "big") + extra) % (1 << 8 * block)).to_bytes(block, "big")
            for i in range(0, len(fill), block)
        )
    return made[:size]


def _filled(data: bytes, block: int) -> bytes:
    if not data:
        return b""
    size = block * -(-len(data) // block)
    return (data * -(-size // len(data)))[:size]


Cipher = Callable[[bytes, bool], bytes]


def _pbes2(data: bytes, parameters: _der.Value, password: str) -> Cipher:
    derivation, scheme = (_der.children(data, part) for part in _der.children(data, parameters))
    if _oid(data, derivation[0]) != PBKDF2:
        raise Unsupported("derives its key in a way that is not known")
    salt, count, *rest = _der.children(data, derivation[1])
    name = "sha1"
    size = 0
    for part in rest:
        if part.tag == _der.INTEGER:
            size = _der.integer(data, part)
        elif part.tag == _der.SEQUENCE:
            name = HMACS.get(_oid(data, _der.children(data, part)[0]), "")
    kind = _oid(data, scheme[0])
    if not name or kind not in {*AES, TRIPLE_DES} or scheme[1].tag != _der.OCTETS:
        raise Unsupported("is encrypted in a way that is not known")
    size = AES.get(kind, 24)
    times = rounds(_der.integer(data, count))
    key = _pbkdf2(name, password.encode("utf-8", "surrogatepass"), data[salt.body : salt.end], times, size)
    return _cbc("aes" if kind in AES else "3des", key, data[scheme[1].body : scheme[1].end])


_pbkdf2 = lru_cache(maxsize=64)(hashlib.pbkdf2_hmac)
"""A change opens the same file several times."""


def _legacy(data: bytes, kind: str, parameters: _der.Value, secret: bytes) -> Cipher:
    cipher, size = LEGACY[kind]
    salt, count = _der.children(data, parameters)
    salt_bytes, times = data[salt.body : salt.end], rounds(_der.integer(data, count))
    key = derive(secret, salt_bytes, times, 1, size, "sha1")
    vector = derive(secret, salt_bytes, times, 2, 8, "sha1")
    return _cbc(cipher, key + key[:8] if size == 16 and cipher == "3des" else key, vector)


def cipher_for(algorithm: bytes, password: str, *, zeroed: bool = False) -> Cipher:
    """The cipher that an AlgorithmIdentifier and a password make. *zeroed* stands for the empty password as no bytes at all."""
    outer = _der.value(algorithm)
    parts = _der.children(algorithm, outer)
    kind = _oid(algorithm, parts[0])
    if kind == PBES2:
        return _pbes2(algorithm, parts[1], password)
    if kind in LEGACY:
        return _legacy(algorithm, kind, parts[1], b"" if zeroed else bmp(password))
    raise Unsupported(f"is encrypted in a way that is not known ({kind})")


def rounds_in(algorithm: bytes) -> int:
    """The rounds that an AlgorithmIdentifier names; 0 where it names none that can be read."""
    return described(algorithm)[1]


def described(algorithm: bytes) -> tuple[int, int, str]:
    """Bytes of salt, rounds and cipher of an AlgorithmIdentifier, as far as they can be read."""
    try:
        kind, parameters = _der.children(algorithm, _der.value(algorithm))[:2]
        name = _oid(algorithm, kind)
        if name == PBES2:
            derivation, scheme = _der.children(algorithm, parameters)
            name = _oid(algorithm, _der.children(algorithm, scheme)[0])
            parameters = _der.children(algorithm, derivation)[1]
        salt, count = _der.children(algorithm, parameters)[:2]
        return salt.end - salt.body, _der.integer(algorithm, count), name
    except (ValueError, IndexError):
        return 0, 0, ""


def _cbc(name: str, key: bytes, vector: bytes) -> Cipher:
    def run(data: bytes, encrypt: bool) -> bytes:
        size = 16 if name == "aes" else 8
        if encrypt:
            fill = size - len(data) % size
            return _blocks(name, key, vector, data + bytes((fill,)) * fill, True)
        if not data or len(data) % size or len(vector) != size:
            raise WrongPassword("is not whole blocks")
        plain = _blocks(name, key, vector, data, False)
        fill = plain[-1]
        if not 1 <= fill <= size or plain[-fill:] != bytes((fill,)) * fill:
            raise WrongPassword("does not end as it should")
        return plain[:-fill]

    return run


def _blocks(name: str, key: bytes, vector: bytes, data: bytes, encrypt: bool) -> bytes:
    if name == "rc2":
        from ._rc2 import cbc

        return cbc(key, vector, data, encrypt)
    from cryptography.hazmat.primitives.ciphers import Cipher as Crypto
    from cryptography.hazmat.primitives.ciphers.algorithms import AES as Aes
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    if name == "aes":
        made = Crypto(Aes(key), CBC(vector))
        step = made.encryptor() if encrypt else made.decryptor()
    else:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

        old = Crypto(TripleDES(key), CBC(vector))
        step = old.encryptor() if encrypt else old.decryptor()
    return step.update(data) + step.finalize()


def _oid(data: bytes, found: _der.Value) -> str:
    if found.tag != _der.OID:
        raise ValueError("names no algorithm where one belongs")
    return _der.oid(data[found.body : found.end])


def mac(data: bytes, name: str, salt: bytes, count: int, secret: bytes) -> bytes:
    """The integrity value of PKCS#12 over *data*."""
    size = hashlib.new(name, usedforsecurity=False).digest_size
    return hmac.digest(derive(secret, salt, rounds(count), 3, size, name), data, name)


def fresh(algorithm: bytes) -> bytes:
    """An AlgorithmIdentifier of the same strength with its own salt and vector.

    RC2 gives way to 3DES, which whoever reads RC2 reads too.
    """
    outer = _der.value(algorithm)
    parts = _der.children(algorithm, outer)
    kind = _oid(algorithm, parts[0])
    if kind in LEGACY:
        salt, count = _der.children(algorithm, parts[1])
        size = salt.end - salt.body
        parameters = _der.tlv(
            _der.SEQUENCE, _der.tlv(_der.OCTETS, secrets.token_bytes(max(8, size))), algorithm[count.start : count.end]
        )
        return _der.tlv(_der.SEQUENCE, _der.encode_oid(LEGACY_3DES), parameters)
    derivation, scheme = _der.children(algorithm, parts[1])
    name, parameters_of = _der.children(algorithm, derivation)
    salt, *rest = _der.children(algorithm, parameters_of)
    salted = _der.tlv(
        _der.SEQUENCE,
        _der.tlv(_der.OCTETS, secrets.token_bytes(max(16, salt.end - salt.body))),
        *(algorithm[part.start : part.end] for part in rest),
    )
    cipher, vector = _der.children(algorithm, scheme)
    return _der.tlv(
        _der.SEQUENCE,
        algorithm[parts[0].start : parts[0].end],
        _der.tlv(
            _der.SEQUENCE,
            _der.tlv(_der.SEQUENCE, algorithm[name.start : name.end], salted),
            _der.tlv(
                _der.SEQUENCE,
                algorithm[cipher.start : cipher.end],
                _der.tlv(_der.OCTETS, secrets.token_bytes(vector.end - vector.body)),
            ),
        ),
    )


def modern(count: int = 10_000) -> bytes:
    """PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC: what keytool has written since Java 17."""
    derivation = _der.tlv(
        _der.SEQUENCE,
        _der.encode_oid(PBKDF2),
        _der.tlv(
            _der.SEQUENCE,
            _der.tlv(_der.OCTETS, secrets.token_bytes(20)),
            _der.encode_integer(count),
            _der.encode_integer(32),
            _der.tlv(_der.SEQUENCE, _der.encode_oid("1.2.840.113549.2.9"), b"\5\0"),
        ),
    )
    scheme = _der.tlv(_der.SEQUENCE, _der.encode_oid("2.16.840.1.101.3.4.1.42"), _der.tlv(_der.OCTETS, secrets.token_bytes(16)))
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(PBES2), _der.tlv(_der.SEQUENCE, derivation, scheme))
