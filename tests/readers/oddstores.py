"""Key stores part by part: every attribute, bag, cipher and alias spelled in the ways that a writer might choose."""

from __future__ import annotations

import hashlib
import struct

from cryptography.hazmat.primitives import serialization

from reroot.truststores import _der, _pbe, _pfx

from .keystores import PASSWORD, WHITENER
from .shapes import Authority, pkcs7, workshop

Safe = tuple[list[bytes], bytes]
"""Bags, and the algorithm that encrypts them; b"" for none."""


def attribute(kind: str, *values: bytes) -> bytes:
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(kind), _der.tlv(_der.SET, *values))


def bmp(text: str) -> bytes:
    return _der.tlv(_der.BMP, text.encode("utf-16-be"))


def named(text: str) -> bytes:
    return attribute(_pfx.FRIENDLY_NAME, bmp(text))


def key_id(value: bytes) -> bytes:
    return attribute(_pfx.LOCAL_KEY_ID, _der.tlv(_der.OCTETS, value))


def trusted(*uses: str) -> bytes:
    return attribute(_pfx.TRUSTED_USAGE, *map(_der.encode_oid, uses or (_pfx.ANY_USAGE,)))


def bag(kind: str, value: bytes, attributes: tuple[bytes, ...]) -> bytes:
    held = (_der.tlv(_der.SET, *attributes),) if attributes else ()
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(kind), _der.tlv(0xA0, value), *held)


def certificate(der: bytes, *attributes: bytes, kind: str = _pfx.X509) -> bytes:
    held = _der.tlv(_der.SEQUENCE, _der.encode_oid(kind), _der.tlv(0xA0, _der.tlv(_der.OCTETS, der)))
    return bag(_pfx.CERT_BAG, held, attributes)


def pkcs8(of: Authority) -> bytes:
    return of.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def key(of: Authority, *attributes: bytes, password: str = PASSWORD) -> bytes:
    algorithm = _pbe.modern(1000)
    hidden = _der.tlv(_der.OCTETS, _pbe.cipher_for(algorithm, password)(pkcs8(of), True))
    return bag(_pfx.SHROUDED, _der.tlv(_der.SEQUENCE, algorithm, hidden), attributes)


def store(*safes: Safe, mac: str = "sha256", rounds: int = 1000, salt: bytes = b"12345678", password: str = PASSWORD) -> bytes:
    made = [_pfx.safe(bags, algorithm, password) for bags, algorithm in safes]
    return _pfx.assemble(made, _pfx.Mac(mac, salt, rounds, b"") if mac else None, password)


SHA1, SHA224, SHA384, SHA512 = (f"1.2.840.113549.2.{n}" for n in (7, 8, 10, 11))
AES = {name: f"2.16.840.1.101.3.4.1.{n}" for name, n in (("128", 2), ("192", 22), ("256", 42))}


def pbes2(
    hash: str | None = "1.2.840.113549.2.9", cipher: str = AES["256"], *, vector: int = 16, size: int | None = 32, salt: int = 8
) -> bytes:
    parts = [_der.tlv(_der.OCTETS, bytes(salt)), _der.encode_integer(1000)]
    parts += [] if size is None else [_der.encode_integer(size)]
    parts += [] if hash is None else [_der.tlv(_der.SEQUENCE, _der.encode_oid(hash), b"\5\0")]
    derivation = _der.tlv(_der.SEQUENCE, _der.encode_oid(_pbe.PBKDF2), _der.tlv(_der.SEQUENCE, *parts))
    scheme = _der.tlv(_der.SEQUENCE, _der.encode_oid(cipher), _der.tlv(_der.OCTETS, b"i" * vector))
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(_pbe.PBES2), _der.tlv(_der.SEQUENCE, derivation, scheme))


def pkcs12_files() -> dict[str, bytes]:
    w = workshop()
    a, b, rsa, leaf = w.a.der, w.b.der, w.rsa.der, w.leaf.der
    lock, yes, other = _pbe.modern(1000), trusted(), attribute("1.2.3.4.5", _der.tlv(_der.UTF8, b"x"))
    one = [certificate(a, named("a"), yes)]
    own = key(w.leaf, named("one"), key_id(b"1"))
    garbage = b"\x30\x03\x02\x01\x01"

    def bags(*held: bytes) -> bytes:
        return store((list(held), lock))

    def beside(keys: list[bytes], *held: bytes) -> bytes:
        return store((keys, b""), (list(held), lock))

    good = bags(*one)
    found = {
        "trusted for servers, for clients": bags(
            certificate(a, named("a"), trusted("1.3.6.1.5.5.7.3.1")), certificate(b, named("b"), trusted("1.3.6.1.5.5.7.3.2"))
        ),
        "trusted for two uses": bags(certificate(a, named("a"), trusted("1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"))),
        "trusted for an empty set": bags(certificate(a, named("a"), attribute(_pfx.TRUSTED_USAGE)), certificate(b, named("b"), yes)),
        "trusted for a text": bags(certificate(a, named("a"), attribute(_pfx.TRUSTED_USAGE, _der.tlv(_der.UTF8, b"x")))),
        "empty names": bags(certificate(a, named(""), yes), certificate(b, named(""), yes)),
        "name in UTF-8": bags(certificate(a, attribute(_pfx.FRIENDLY_NAME, _der.tlv(_der.UTF8, b"abc")), yes)),
        "name without a value": bags(certificate(a, attribute(_pfx.FRIENDLY_NAME), yes)),
        "name twice": bags(certificate(a, named("x"), named("y"), yes), certificate(b, named("y"), yes)),
        "name with two values": bags(certificate(a, attribute(_pfx.FRIENDLY_NAME, bmp("a"), bmp("b")), yes)),
        "name of odd bytes": bags(certificate(a, attribute(_pfx.FRIENDLY_NAME, _der.tlv(_der.BMP, b"\0a\0")), yes)),
        "names beyond ASCII": bags(
            certificate(a, named("\U0001f512"), yes), certificate(b, named("ä"), yes), certificate(rsa, named("Ä"), yes)
        ),
        "Turkish names": bags(certificate(a, named("I"), yes), certificate(b, named("i"), yes), certificate(rsa, named("İ"), yes)),
        "no attributes": bags(certificate(a), certificate(b)),
        "another attribute": bags(certificate(a, named("a"), yes, other)),
        "another attribute, empty": bags(certificate(a, named("a"), yes, attribute("1.2.3.4.5"))),
        "SDSI certificate": bags(certificate(b"\x16\x01a", named("a"), yes, kind="1.2.840.113549.1.9.22.2"), *one),
        "nested bags": bags(bag("1.2.840.113549.1.12.10.1.6", _der.tlv(_der.SEQUENCE, *one), ()), certificate(b, named("b"), yes)),
        "plain beside encrypted": store((one, b""), ([certificate(b, named("b"), yes)], lock)),
        "plain, with its integrity": store((one, b"")),
        "plain, without": store((one, b""), mac=""),
        "encrypted, without integrity": store((one, lock), mac=""),
        "no safes": store(),
        "empty safes": store(([], lock), ([], b"")),
        "two keys": beside(
            [own, key(w.a, named("two"), key_id(b"2"))],
            certificate(leaf, named("one"), key_id(b"1")), certificate(a, named("two"), key_id(b"2")), certificate(b),
        ),
        "two keys of one id": beside(
            [own, key(w.a, named("two"), key_id(b"1"))],
            certificate(leaf, named("one"), key_id(b"1")), certificate(a, named("two"), key_id(b"1")),
        ),
        "key without id": beside([key(w.leaf, named("one"))], certificate(leaf, named("one"))),
        "key without id and name": beside([key(w.leaf)], certificate(leaf), certificate(a)),
        "certificates before the key": store(([certificate(leaf, key_id(b"1")), certificate(a)], lock), ([own], b"")),
        "certificates before a key without id": store(([certificate(leaf), certificate(a)], lock), ([key(w.leaf)], b"")),
        "key, then a root of its name": beside([own], certificate(leaf, key_id(b"1")), certificate(a, named("one"), yes)),
        "root, then a key of its name": store(
            ([certificate(leaf, key_id(b"1")), certificate(a, named("one"), yes)], lock), ([own], b"")
        ),
        "key not encrypted": beside(
            [bag(_pfx.KEY_BAG, pkcs8(w.leaf), (named("one"), key_id(b"1")))], certificate(leaf, key_id(b"1")), *one
        ),
        "key of another password": beside(
            [key(w.leaf, named("one"), key_id(b"1"), password="other")], certificate(leaf, key_id(b"1")), *one
        ),
        "key inside the encrypted safe": bags(own, certificate(leaf, key_id(b"1")), *one),
        "own certificate trusted": beside([own], certificate(leaf, named("one"), key_id(b"1"), yes)),
        "one certificate three times": bags(*one, certificate(a, named("b"), yes), certificate(a, named("c"))),
        "trusted and not, of one name": bags(*one, certificate(b, named("a"))),
        "garbage for a certificate": bags(certificate(garbage, named("a"), yes), certificate(b, named("b"), yes)),
        "garbage that is not trusted": bags(certificate(garbage), *one),
        "bytes behind the certificate": bags(certificate(a + b"\0\0", named("a"), yes)),
        "PEM inside": bags(certificate(w.a.pem, named("a"), yes)),
        "one round": store((one, lock), rounds=1),
        "integrity without salt": store((one, lock), salt=b""),
        "integrity with a long salt": store((one, lock), salt=b"x" * 200),
        "empty password": store((one, lock), password=""),
        "empty password, no integrity": store((one, lock), password="", mac=""),
        "long password": store((one, lock), password="x" * 200),
        "short salt": store((one, pbes2(salt=4))),
        "AES-128": store((one, pbes2(cipher=AES["128"], size=16))),
        "AES-192": store((one, pbes2(cipher=AES["192"], size=24))),
        "3DES under PBES2": store((one, pbes2(cipher=_pbe.TRIPLE_DES, vector=8, size=24))),
        "default hash": store((one, pbes2(hash=None))),
        "no key size": store((one, pbes2(size=None))),
        "bytes at the end": good + b"x" * 5,
        "version 4": good.replace(b"\2\1\3", b"\2\1\4", 1),
        "zero before": b"\0" + good,
    }  # fmt: skip
    found |= {f"integrity by {name}": store((one, lock), mac=name) for name in ("sha1", "sha224", "sha384", "sha512")}
    found |= {f"derived by {hash}": store((one, pbes2(hash))) for hash in (SHA1, SHA224, SHA384, SHA512)}
    return {f"p12 {name}": content for name, content in found.items()}


def java_store(*entries: tuple[int, str | bytes, bytes, list[bytes]], magic: int = 0xFEEDFEED, version: int = 2) -> bytes:
    """A JKS or JCEKS file: (1, alias, key, chain) or (2, alias, b"", [certificate])."""
    body = struct.pack(">III", magic, version, len(entries))
    for tag, alias, secret, chain in entries:
        name = alias if isinstance(alias, bytes) else alias.encode()
        body += struct.pack(">IH", tag, len(name)) + name + struct.pack(">q", -5)
        body += struct.pack(">I", len(secret)) + secret + struct.pack(">I", len(chain)) if tag == 1 else b""
        kind = struct.pack(">H", 5) + b"X.509" if version == 2 else b""
        body += b"".join(kind + struct.pack(">I", len(der)) + der for der in chain)
    return body + hashlib.sha1(PASSWORD.encode("utf-16-be") + WHITENER + body).digest()


def java_stores() -> dict[str, bytes]:
    w = workshop()
    a, b, leaf, key_bytes = w.a.der, w.b.der, w.leaf.der, bytes(40)

    def roots(**aliases: bytes) -> bytes:
        return java_store(*((2, alias, b"", [der]) for alias, der in aliases.items()))

    def root(alias: bytes) -> bytes:
        return java_store((2, alias, b"", [a]), (2, "b", b"", [b]))

    own = (1, "own", key_bytes, [leaf, a])
    found = {
        "key and root": java_store(own, (2, "b", b"", [b])),
        "key with a chain of three": java_store((1, "own", key_bytes, [leaf, w.intermediate.der, a])),
        "key without certificates": java_store((1, "own", key_bytes, []), (2, "b", b"", [b])),
        "key with a capital letter": java_store((1, "Own", key_bytes, [leaf]), (2, "b", b"", [b])),
        "key, then a root of its name": java_store((1, "x", key_bytes, [leaf]), (2, "x", b"", [b])),
        "root, then a key of its name": java_store((2, "x", b"", [b]), (1, "x", key_bytes, [leaf])),
        "garbage in a chain": java_store((1, "own", key_bytes, [leaf, b"junk"]), (2, "b", b"", [b])),
        "empty key": java_store((1, "own", b"", [leaf])),
        "alias with a zero": root(b"a\xc0\x80b"),
        "alias that is no text": root(b"a\xffb"),
        "alias cut in a character": root(b"ab\xc3"),
        "alias with a character of four bytes": root("\U0001f512".encode()),
        "alias with a pair of surrogates": root(b"\xed\xa0\xbd\xed\xb4\x92"),
        "umlauts": roots(Ä=a, ä=b),
        "Turkish letters": roots(İ=a, ı=b),
        "sharp s": roots(ẞ=a, ß=b),
        "two certificates in one": roots(a=a + b),
        "PKCS#7 inside": roots(a=pkcs7(a, b)),
        "line end before PEM inside": roots(a=b"\n" + w.a.pem),
        "version 1 with a key": java_store(own, (2, "b", b"", [b]), version=1),
        "JCEKS with a key": java_store(own, (2, "b", b"", [b]), magic=0xCECECECE),
    }
    return {f"jks {name}": content for name, content in found.items()}
