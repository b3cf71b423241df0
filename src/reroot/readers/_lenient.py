"""
Certificates with the parts taken off that one stack does not look at, so that a stricter parser can judge the rest.

Java keeps the values in a name as they are, whatever they say; Go reads them as strings. Both pass over what stands behind the
last field of several structures. Source: jdk sun/security/x509/X509CertInfo.java, X500Name.java, AVA.java, Extension.java;
go/src/crypto/x509/parser.go. Measured with Java 17 and Go 1.19 to 1.27 over certificates with bits flipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from ..truststores import _der

NAME = _der.tlv(_der.SEQUENCE, _der.tlv(_der.SET, _der.tlv(_der.SEQUENCE, _der.encode_oid("2.5.4.3"), _der.tlv(_der.UTF8, b"x"))))
BOOLEAN, BIT_STRING = 0x01, 0x03
TRUE = bytes((BOOLEAN, 1, 0xFF))
USELESS = re.compile(rb"(?:\A|[\0-\x7f])\x80")
"""A number of an object identifier that begins with nothing."""
UNIQUE_IDS = (0x81, 0x82, 0xA1, 0xA2)
EXTENSIONS = 0xA3

Value = Callable[[int, bytes], bool]
"""Whether a value of this tag and content may stand in a name."""


def as_java(der: bytes) -> bytes | None:
    """*der* for a strict parser to judge in Java's place; None where Java refuses a name."""
    return _stripped(der, lambda _tag, _body: True, ava_ends=True, any_true=True, spki_ends=True)


def as_go(der: bytes, version: tuple[int, ...] = ()) -> bytes | None:
    """… and in Go's place."""
    value = _go_value if version >= (1, 27) else _go_string_25 if version >= (1, 25) else _go_string
    return _stripped(der, value, ava_ends=False, any_true=False, spki_ends=False)


def _stripped(der: bytes, value: Value, *, ava_ends: bool, any_true: bool, spki_ends: bool) -> bytes | None:
    try:
        outer = _der.value(der)
        parts = _der.children(der, outer)
        signed = parts[0]
        fields = _values(der, signed.body, signed.end)
        sound = {outer.tag, signed.tag} == {_der.SEQUENCE} and _is_minimal(der, outer) and _is_minimal(der, signed)
        at = 1 if fields[0].tag == 0xA0 else 0
        issuer, subject, spki = fields[at + 2], fields[at + 4], fields[at + 5]
        if not sound or outer.end != len(der) or len(parts) != 3 or not all(_is_minimal(der, f) for f in fields[: at + 6]):
            return der
    except (ValueError, IndexError):
        return der
    if not all(_is_name(der, name, value, ava_ends=ava_ends) for name in (issuer, subject)):
        return None
    if _breaks_off(der, fields, spki, signed) and (ava_ends or der[fields[-1].end] in (*UNIQUE_IDS, EXTENSIONS)):
        return None
    raw = [der[f.start : f.end] for f in fields]
    for number, name in ((at + 2, issuer), (at + 4, subject)):
        raw[number] = NAME if name.end > name.body else raw[number]
    if not spki_ends:
        raw[at + 5] = _first(der, spki, 2)
    rest = [r for r, f in zip(raw[at + 6 :], fields[at + 6 :], strict=True) if f.tag in UNIQUE_IDS]
    rest += [_extensions(der, f, any_true=any_true) for f in fields[at + 6 :] if f.tag == EXTENSIONS][:1]
    made = _der.tlv(_der.SEQUENCE, *raw[: at + 6], *rest)
    return _der.tlv(_der.SEQUENCE, made, *(der[p.start : p.end] for p in parts[1:]))


def _breaks_off(der: bytes, fields: list[_der.Value], spki: _der.Value, signed: _der.Value) -> bool:
    """Whether what stands behind the key is no value, though it is looked at: up to the extensions, or what is in their place."""
    return fields[-1].end < signed.end and all(f.tag in UNIQUE_IDS for f in fields if f.start >= spki.end)


def _values(der: bytes, at: int, end: int) -> list[_der.Value]:
    """The values side by side, as far as there are any."""
    found: list[_der.Value] = []
    with suppress(ValueError):
        found.extend(_der.values(der, at, end))
    return found


def _is_minimal(der: bytes, found: _der.Value) -> bool:
    """Whether the length is written in the fewest bytes, as DER wants it."""
    size = found.end - found.body
    return found.body - found.start == (2 if size < 0x80 else 2 + (size.bit_length() + 7) // 8)


def _is_name(der: bytes, name: _der.Value, value: Value, *, ava_ends: bool) -> bool:
    try:
        if name.tag != _der.SEQUENCE or not _is_minimal(der, name):
            return False
        for group in _der.children(der, name):
            if group.tag != _der.SET or not _is_minimal(der, group):
                return False
            for pair in _der.children(der, group):
                kind, held, *_ = _values(der, pair.body, pair.end)
                if pair.tag != _der.SEQUENCE or kind.tag != _der.OID or (held.end < pair.end and ava_ends):
                    return False
                if USELESS.search(der[kind.body : kind.end]) or der[kind.end - 1] & 0x80 or kind.end == kind.body:
                    return False
                if not all(_is_minimal(der, part) for part in (pair, kind, held)) or not value(
                    held.tag, der[held.body : held.end]
                ):
                    return False
    except ValueError:
        return False
    return True


PRINTABLE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?*&")
NUMERIC = frozenset(b"0123456789 ")


def _go_string(tag: int, body: bytes) -> bool:
    """go/src/crypto/x509/parser.go parseASN1String."""
    match tag:
        case 0x14:  # T61String
            return True
        case 0x13:
            return PRINTABLE.issuperset(body)
        case 0x0C:
            try:
                return body.decode() is not None
            except UnicodeDecodeError:
                return False
        case 0x1E:  # BMPString
            return len(body) % 2 == 0
        case 0x16:
            return body.isascii()
        case 0x12:
            return NUMERIC.issuperset(body)
    return False


def _go_string_25(tag: int, body: bytes) -> bool:
    """… since 1.25: halves of pairs and what is no character are refused in a BMPString."""
    return _go_value(tag, body) if tag == 0x1E else _go_string(tag, body)


def _go_value(tag: int, body: bytes) -> bool:
    """… and readASN1Any, since 1.27: what is no string is a value of its own kind, or kept as it is."""
    match tag:
        case 0x14 | 0x13 | 0x0C | 0x16 | 0x12:
            return _go_string(tag, body)
        case 0x1E:
            points = [body[i : i + 2] for i in range(0, len(body.removesuffix(b"\0\0")), 2)]
            return len(body) % 2 == 0 and not any(
                p >= b"\xff\xfe" or b"\xd8" <= p < b"\xe0" or b"\xfd\xd0" <= p < b"\xfd\xf0" for p in points
            )
        case 0x01:
            return body in (b"\0", b"\xff")
        case _:
            return tag not in (_der.INTEGER, BIT_STRING, _der.OID, 0x17, 0x18)


def _first(der: bytes, found: _der.Value, count: int) -> bytes:
    """The first fields of a sequence; all of it where that cannot be told."""
    parts = _values(der, found.body, found.end)
    if len(parts) < count or not _is_minimal(der, found):
        return der[found.start : found.end]
    return _der.tlv(found.tag, *(der[p.start : p.end] for p in parts[:count]))


def _extensions(der: bytes, wrapped: _der.Value, *, any_true: bool) -> bytes:
    """Each extension without what stands behind its value, and with Java's idea of true."""
    raw = der[wrapped.start : wrapped.end]
    try:
        held = _der.expect(der, wrapped.body, wrapped.end, _der.SEQUENCE)
        made = b"".join(_extension(der, one, any_true=any_true) for one in _der.children(der, held))
    except ValueError:
        return raw
    if not (_is_minimal(der, wrapped) and _is_minimal(der, held)):
        return raw
    return _der.tlv(EXTENSIONS, _der.tlv(_der.SEQUENCE, made), der[held.end : wrapped.end] if any_true else b"")


def _extension(der: bytes, one: _der.Value, *, any_true: bool) -> bytes:
    parts = _values(der, one.body, one.end)
    if one.tag != _der.SEQUENCE or not _is_minimal(der, one):
        return der[one.start : one.end]
    kept: list[bytes] = []
    for part in parts:
        raw = der[part.start : part.end]
        if raw in GO_PASSES_OVER and not any_true and not kept:
            raw = _der.tlv(_der.OID, der[part.body : part.end], b"\x7f")
        if part.tag == BOOLEAN and any_true and len(raw) == 3:
            raw = TRUE if raw[2] else b""
        if part.tag == _der.OCTETS and kept:
            kept.append(_held(kept[0], raw, der[part.body : part.end], java=any_true))
            break
        kept.append(raw)
    else:
        return der[one.start : one.end]
    return _der.tlv(_der.SEQUENCE, *kept)


BASIC_CONSTRAINTS, AUTHORITY_KEY = _der.encode_oid("2.5.29.19"), _der.encode_oid("2.5.29.35")
GO_READS_THE_FIRST = {_der.encode_oid(f"2.5.29.{n}") for n in (14, 15, 19, 35, 37)}
"""Key identifiers, key usages, basic constraints: what stands behind the value is passed over."""
GO_PASSES_OVER = {_der.encode_oid(f"2.5.29.{n}") for n in (9, 18, 46)}
"""Extensions that Go does not look into and a stricter parser does; they are given a number that nobody knows."""


def _held(kind: bytes, raw: bytes, held: bytes, *, java: bool) -> bytes:
    """An extension's value without what is passed over: behind it, and behind the fields that are known."""
    first = _values(held, 0, len(held))[:1]
    if kind not in GO_READS_THE_FIRST or not first or (java and (kind != BASIC_CONSTRAINTS or first[0].end < len(held))):
        return raw
    whole = first[0]
    if whole.tag != _der.SEQUENCE or kind not in (BASIC_CONSTRAINTS, AUTHORITY_KEY) or not _is_minimal(held, whole):
        return _der.tlv(_der.OCTETS, held[: whole.end])
    if not java and kind == BASIC_CONSTRAINTS and held[whole.body : whole.body + 1] not in (b"\x01", b"\x02"):
        return _der.tlv(_der.OCTETS, _der.tlv(_der.SEQUENCE))
    parts = _values(held, whole.body, whole.end)
    if len(parts) < 2 and (parts[-1].end if parts else whole.body) < whole.end:
        return raw
    if kind == AUTHORITY_KEY:
        kept = [held[p.start : p.end] for p in parts[:1] if p.tag == 0x80]
        return _der.tlv(_der.OCTETS, _der.tlv(_der.SEQUENCE, *kept))
    kept, parts = (
        ([_truth(held[parts[0].start : parts[0].end], java)], parts[1:]) if parts and parts[0].tag == BOOLEAN else ([], parts)
    )
    kept += [held[p.start : p.end] for p in parts[:1] if p.tag == _der.INTEGER and (kept or not java)]
    if java and kept and parts and parts[0].tag != _der.INTEGER:
        return raw
    return _der.tlv(_der.OCTETS, _der.tlv(_der.SEQUENCE, *kept))


def _truth(raw: bytes, java: bool) -> bytes:
    return TRUE if java and len(raw) == 3 and raw[2] else raw


def critical_alone(der: bytes) -> list[bytes]:
    """The certificate once for each critical extension, with no other."""
    signed, *rest = _der.children(der, _der.value(der))
    fields = _der.children(der, signed)
    before = b"".join(der[f.start : f.end] for f in fields if f.tag != EXTENSIONS)
    tail = b"".join(der[p.start : p.end] for p in rest)
    made = []
    for wrapped in fields:
        if wrapped.tag == EXTENSIONS:
            for one in _der.children(der, _der.value(der, wrapped.body, wrapped.end)):
                if TRUE in der[one.start : one.body + 20]:
                    alone = _der.tlv(EXTENSIONS, _der.tlv(_der.SEQUENCE, der[one.start : one.end]))
                    made.append(_der.tlv(_der.SEQUENCE, _der.tlv(_der.SEQUENCE, before, alone), tail))
    return made


def extensions(der: bytes) -> list[tuple[bytes, bool, bytes]]:
    """Number, whether it is critical, and value of each extension, as they stand there; none where they cannot be told apart."""
    found: list[tuple[bytes, bool, bytes]] = []
    with suppress(ValueError, IndexError):
        signed = _der.children(der, _der.value(der))[0]
        for wrapped in _der.children(der, signed):
            if wrapped.tag == EXTENSIONS:
                for one in _der.children(der, _der.value(der, wrapped.body, wrapped.end)):
                    kind, *rest = _der.children(der, one)
                    critical = any(p.tag == BOOLEAN and any(der[p.body : p.end]) for p in rest)
                    value = der[rest[-1].body : rest[-1].end] if rest else b""
                    found.append((der[kind.start : kind.end], critical, value))
    return found


def is_refused_by_java(der: bytes) -> bool:
    """What X509CertInfo and CertificateExtensions refuse beside parts that cannot be read."""
    held = extensions(der)
    signed = _der.children(der, _der.value(der))[0]
    fields = _der.children(der, signed)
    is_first = fields[0].tag != 0xA0
    issuer = _der.children(der, fields[2 if is_first else 3])
    nobody = all(group.body == group.end for group in issuer)
    return (
        nobody
        or (is_first and len(fields) > 6)
        or len({kind for kind, _, _ in held}) < len(held)
        or any(critical and kind == POLICY_MAPPINGS and not _maps(value) for kind, critical, value in held)
        or any(critical and kind == NETSCAPE_TYPE and not _is_bits(value) for kind, critical, value in held)
    )


def is_refused_by_go(der: bytes, version: tuple[int, ...]) -> bool:
    """Key identifiers that are critical, which parser.go refuses since 1.23; policy mappings, which it reads since 1.24."""
    return version >= (1, 23) and any(
        (critical and kind in KEY_IDENTIFIERS) or (version >= (1, 24) and kind == POLICY_MAPPINGS and not _maps(value))
        for kind, critical, value in extensions(der)
    )


KEY_IDENTIFIERS = {_der.encode_oid("2.5.29.14"), AUTHORITY_KEY}
POLICY_MAPPINGS, NETSCAPE_TYPE = _der.encode_oid("2.5.29.33"), _der.encode_oid("2.16.840.1.113730.1.1")


def _is_bits(value: bytes) -> bool:
    return value[:1] == bytes((BIT_STRING,)) and len(value) > 2 and value[2] < 8


def _maps(value: bytes) -> bool:
    """Pairs of policies."""
    try:
        whole = _der.expect(value, 0, len(value), _der.SEQUENCE)
        pairs = [_der.children(value, pair) for pair in _der.children(value, whole) if pair.tag == _der.SEQUENCE]
        return len(pairs) == len(_der.children(value, whole)) and all([p.tag for p in pair] == [_der.OID] * 2 for pair in pairs)
    except ValueError:
        return False
