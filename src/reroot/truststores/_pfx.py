"""
The inside of a PKCS#12 file (RFC 7292): safes, bags and the integrity value, each with its place.

    PFX  ─ AuthenticatedSafe ─ safe ─ bag (certificate, key, …) with attributes (friendly name, local key id, trusted for)
         └ MacData
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from . import _der, _pbe
from ._format import Limits

DATA, ENCRYPTED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.6"
KEY_BAG, SHROUDED, CERT_BAG, CRL_BAG, SECRET_BAG = (f"1.2.840.113549.1.12.10.1.{n}" for n in range(1, 6))
X509 = "1.2.840.113549.1.9.22.1"
FRIENDLY_NAME, LOCAL_KEY_ID = "1.2.840.113549.1.9.20", "1.2.840.113549.1.9.21"
TRUSTED_USAGE, ANY_USAGE = "2.16.840.1.113894.746875.1.1", "2.5.29.37.0"
"""Oracle's attribute: without it Java takes no certificate of a PKCS#12 file for trusted (jdk PKCS12KeyStore.java)."""


TYPES = {FRIENDLY_NAME: _der.BMP, LOCAL_KEY_ID: _der.OCTETS, TRUSTED_USAGE: _der.OID}
TOTAL = 2
"""How often the limit of rounds one file may ask for in all its parts."""
SAFES = 32
"""Encrypted parts that are opened; tools write one or two."""


@dataclass(frozen=True, slots=True)
class Safe:
    """One ContentInfo of the authenticated safe: its own bytes, and what is inside. ``algorithm`` is b"" when not encrypted."""

    raw: bytes
    algorithm: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Mac:
    """The integrity value: its hash, salt and rounds."""

    name: str
    salt: bytes
    rounds: int
    value: bytes
    supported: bool = True


@dataclass(frozen=True, slots=True)
class Pfx:
    """The outer structure, nothing decrypted."""

    safes: tuple[Safe, ...]
    signed: bytes
    """What the integrity value is made over."""
    mac: Mac | None


@dataclass(frozen=True, slots=True)
class Bag:
    """One bag: ``raw`` its bytes, ``certificate`` the DER inside a certificate bag, ``trusted`` Java's attribute.

    ``odd`` says that a known part of it is of another type than it should be.
    """

    raw: bytes
    kind: str
    certificate: bytes | None = None
    name: str | None = None
    key_id: bytes | None = None
    trusted: bool = False
    odd: bool = False


def parse(content: bytes, *, any_version: bool = False) -> Pfx:
    """The outer structure; nothing is decrypted. ``ValueError`` when it is none, or not of version 3."""
    try:
        return _parse(content, any_version)
    except ValueError:
        return _parse(_der.flat(content), any_version)


def _parse(data: bytes, any_version: bool) -> Pfx:
    outer = _der.expect(data, 0, len(data), _der.SEQUENCE)
    version, safe, *rest = _der.children(data, outer)
    if _der.integer(data, version) != 3 and not any_version:
        raise ValueError("is not version 3 of PKCS#12")
    kind, body = _content(data, safe)
    if kind != DATA:
        raise ValueError("is protected by a public key")
    octets = _der.expect(data, body.body, body.end, _der.OCTETS)
    signed = data[octets.body : octets.end]
    inner = _der.expect(signed, 0, len(signed), _der.SEQUENCE)
    safes = tuple(_safe(signed, part) for part in _der.children(signed, inner))
    if sum(bool(safe.algorithm) for safe in safes) > SAFES:
        raise _pbe.Unsupported(f"holds more than {SAFES} encrypted parts, which is the limit")
    made = Pfx(safes, signed, _mac(data, rest[0]) if rest else None)
    asked = _rounds(made)
    if max(asked, default=0) <= Limits.ITERATIONS < sum(asked) / TOTAL:
        raise _pbe.Unsupported(
            f"asks for {sum(asked)} rounds of key derivation in all; {TOTAL * Limits.ITERATIONS} are the limit"
        )
    return made


def rounds_of(content: bytes) -> int:
    """How many rounds of key derivation a file asks for in all; 0 when it is no PKCS#12 file that can be read."""
    try:
        return sum(_rounds(parse(content)))
    except ValueError:
        return 0


def _rounds(pfx: Pfx) -> list[int]:
    found = [_pbe.rounds_in(safe.algorithm) for safe in pfx.safes if safe.algorithm]
    return found if pfx.mac is None else [*found, pfx.mac.rounds]


def _content(data: bytes, found: _der.Value) -> tuple[str, _der.Value]:
    parts = _der.children(data, found)
    if len(parts) != 2 or parts[0].tag != _der.OID or parts[1].tag != 0xA0:
        raise ValueError("is no PKCS#12 file")
    return _der.oid(data[parts[0].body : parts[0].end]), parts[1]


def _safe(data: bytes, found: _der.Value) -> Safe:
    kind, body = _content(data, found)
    raw = data[found.start : found.end]
    if kind == DATA:
        octets = _der.expect(data, body.body, body.end, _der.OCTETS)
        return Safe(raw, b"", data[octets.body : octets.end])
    if kind != ENCRYPTED:
        raise ValueError("is protected by a public key")
    encrypted = _der.expect(data, body.body, body.end, _der.SEQUENCE)
    _, what = _der.children(data, encrypted)
    _, algorithm, octets = _der.children(data, what)
    if octets.tag not in (0x80, 0xA0):
        raise ValueError("is no PKCS#12 file")
    hidden = data[octets.body : octets.end]
    if octets.tag == 0xA0:
        hidden = b"".join(hidden[part.body : part.end] for part in _der.values(hidden, 0, len(hidden)))
    return Safe(raw, data[algorithm.start : algorithm.end], hidden)


def _mac(data: bytes, found: _der.Value) -> Mac:
    digest, salt, *count = _der.children(data, found)
    algorithm, value = _der.children(data, digest)
    name = _der.children(data, algorithm)[0]
    dotted = _der.oid(data[name.body : name.end])
    times = _der.integer(data, count[0]) if count else 1
    known = _pbe.HASHES.get(dotted, "")
    return Mac(known, data[salt.body : salt.end], times, data[value.body : value.end], bool(known))


def verifies(pfx: Pfx, password: str) -> bool:
    """Whether the integrity value is right under *password*; an empty password has two spellings, and both are tried."""
    if pfx.mac is None:
        return True
    if not pfx.mac.supported:
        raise _pbe.Unsupported("protects its integrity in a way that is not known")
    secrets = [_pbe.bmp(password), b""] if not password else [_pbe.bmp(password)]
    return any(
        hmac.compare_digest(_pbe.mac(pfx.signed, pfx.mac.name, pfx.mac.salt, pfx.mac.rounds, s), pfx.mac.value) for s in secrets
    )


def opened(safe: Safe, password: str | None) -> bytes | None:
    """The SafeContents inside; None when it is encrypted and there is no password; ``WrongPassword`` when it does not fit.

    The empty password has two spellings in PKCS#12, and both are tried.
    """
    if not safe.algorithm:
        return safe.content
    if password is None:
        return None
    try:
        plain = _pbe.cipher_for(safe.algorithm, password)(safe.content, False)
        if password or _der.whole(plain):
            return plain
    except _pbe.WrongPassword:
        if password:
            raise
    return _pbe.cipher_for(safe.algorithm, password, zeroed=True)(safe.content, False)


def bags(contents: bytes, *, empty_attributes: bool = False) -> list[Bag]:
    """The bags of one SafeContents. ``ValueError`` for an attribute without a value, unless *empty_attributes* are let be."""
    outer = _der.expect(contents, 0, len(contents), _der.SEQUENCE)
    found = _der.children(contents, outer)
    if len(found) > Limits.CERTIFICATES:
        raise ValueError(f"holds more than {Limits.CERTIFICATES} entries")
    return [_bag(contents, part, empty_attributes) for part in found]


def _bag(data: bytes, found: _der.Value, empty_attributes: bool) -> Bag:
    kind, value, *attributes = _der.children(data, found)
    dotted = _der.oid(data[kind.body : kind.end])
    raw = data[found.start : found.end]
    certificate = _certificate(data, value) if dotted == CERT_BAG else None
    name, key_id, trusted = None, None, False
    odd = dotted == CERT_BAG and certificate is None
    for attribute in _der.children(data, attributes[0]) if attributes else ():
        what, held = _der.children(data, attribute)
        members = _der.children(data, held)
        known = _der.oid(data[what.body : what.end])
        if not members and known in (FRIENDLY_NAME, LOCAL_KEY_ID) and not empty_attributes:
            raise ValueError("has an attribute without a value")
        first = data[members[0].body : members[0].end] if members else b""
        odd |= any(member.tag != TYPES.get(known, member.tag) for member in members)
        match known:
            case "1.2.840.113549.1.9.20":
                name = first.decode("utf-16-be", "replace")
            case "1.2.840.113549.1.9.21":
                key_id = first
            case "2.16.840.1.113894.746875.1.1":
                trusted = True
    return Bag(raw, dotted, certificate, name, key_id, trusted, odd)


def _certificate(data: bytes, value: _der.Value) -> bytes | None:
    inner = _der.expect(data, value.body, value.end, _der.SEQUENCE)
    kind, held = _der.children(data, inner)
    if _der.oid(data[kind.body : kind.end]) != X509:
        return None
    octets = _der.expect(data, held.body, held.end, _der.OCTETS)
    return data[octets.body : octets.end]


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


def certificate_bag(der: bytes, alias: str) -> bytes:
    """A certificate that Java takes for trusted, under *alias*."""
    held = _der.tlv(_der.SEQUENCE, _der.encode_oid(X509), _der.tlv(0xA0, _der.tlv(_der.OCTETS, der)))
    name = _der.tlv(_der.BMP, alias.encode("utf-16-be"))
    attributes = _der.tlv(
        _der.SET,
        _attribute(FRIENDLY_NAME, name),
        _attribute(TRUSTED_USAGE, _der.encode_oid(ANY_USAGE)),
    )
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(CERT_BAG), _der.tlv(0xA0, held), attributes)


def _attribute(kind: str, value: bytes) -> bytes:
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(kind), _der.tlv(_der.SET, value))


def safe(raw_bags: list[bytes], algorithm: bytes, password: str) -> bytes:
    """A ContentInfo with these bags, encrypted unless *algorithm* is b""."""
    contents = _der.tlv(_der.SEQUENCE, *raw_bags)
    if not algorithm:
        return _der.tlv(_der.SEQUENCE, _der.encode_oid(DATA), _der.tlv(0xA0, _der.tlv(_der.OCTETS, contents)))
    hidden = _pbe.cipher_for(algorithm, password)(contents, True)
    what = _der.tlv(_der.SEQUENCE, _der.encode_oid(DATA), algorithm, _der.tlv(0x80, hidden))
    body = _der.tlv(_der.SEQUENCE, _der.encode_integer(0), what)
    return _der.tlv(_der.SEQUENCE, _der.encode_oid(ENCRYPTED), _der.tlv(0xA0, body))


def assemble(safes: list[bytes], mac: Mac | None, password: str) -> bytes:
    """The whole file; *mac* says how its integrity is protected, and its value is made anew."""
    signed = _der.tlv(_der.SEQUENCE, *safes)
    content = _der.tlv(_der.SEQUENCE, _der.encode_oid(DATA), _der.tlv(0xA0, _der.tlv(_der.OCTETS, signed)))
    parts = [_der.encode_integer(3), content]
    if mac is not None:
        value = _pbe.mac(signed, mac.name, mac.salt, mac.rounds, _pbe.bmp(password))
        dotted = next(oid for oid, name in _pbe.HASHES.items() if name == mac.name)
        algorithm = _der.tlv(_der.SEQUENCE, _der.encode_oid(dotted), b"\5\0")
        digest = _der.tlv(_der.SEQUENCE, algorithm, _der.tlv(_der.OCTETS, value))
        parts.append(_der.tlv(_der.SEQUENCE, digest, _der.tlv(_der.OCTETS, mac.salt), _der.encode_integer(mac.rounds)))
    return _der.tlv(_der.SEQUENCE, *parts)
