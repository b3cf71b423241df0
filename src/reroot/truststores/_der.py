"""The little of ASN.1 that trust stores need: tag, length, value; lengths are checked before anything is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

SEQUENCE, SET, INTEGER, OCTETS, OID, BMP, UTF8 = 0x30, 0x31, 0x02, 0x04, 0x06, 0x1E, 0x0C
NESTING = 32
"""Deepest nesting that is followed."""


ELEMENTS = 200_000
"""Most parts of an indefinite encoding."""


class Value(NamedTuple):
    """One value at ``start`` of ``data``: its bytes are ``data[start:end]``, its content ``data[body:end]``."""

    tag: int
    start: int
    body: int
    end: int


def value(data: bytes, at: int = 0, limit: int | None = None) -> Value:
    """The value that begins at *at* and ends at or before *limit*; ``ValueError`` when there is none."""
    limit = len(data) if limit is None else limit
    if at + 2 > limit:
        raise ValueError("ends in the middle of a tag")
    tag, size, body = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise ValueError("has a tag of several bytes")
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or body + count > limit:
            raise ValueError("has a length that cannot be read")
        size = int.from_bytes(data[body : body + count], "big")
        body += count
    if body + size > limit:
        raise ValueError("ends before its length")
    return Value(tag, at, body, body + size)


def values(data: bytes, at: int, limit: int) -> Iterator[Value]:
    """The values side by side from *at* to *limit*."""
    while at < limit:
        found = value(data, at, limit)
        yield found
        at = found.end


def children(data: bytes, parent: Value) -> list[Value]:
    return list(values(data, parent.body, parent.end))


def expect(data: bytes, at: int, limit: int, tag: int) -> Value:
    found = value(data, at, limit)
    if found.tag != tag:
        raise ValueError(f"holds tag {found.tag:#04x} where {tag:#04x} belongs")
    return found


def flat(data: bytes) -> bytes:
    """*data* with indefinite lengths and divided octet strings (BER, as some tools write PKCS#12) made definite."""
    made, _ = definite(data, 0)
    return made


def definite(data: bytes, at: int) -> tuple[bytes, int]:
    """The value at *at* in definite form, and where it ended."""
    return _definite(data, at, len(data), 0, [ELEMENTS])


def _definite(data: bytes, at: int, limit: int, depth: int, budget: list[int]) -> tuple[bytes, int]:
    budget[0] -= 1
    if depth > NESTING or budget[0] < 0:
        raise ValueError("is nested too deeply, or has too many parts")
    if at + 2 > limit:
        raise ValueError("ends in the middle of a tag")
    tag = data[at]
    indefinite = data[at + 1] == 0x80
    if not indefinite:
        found = value(data, at, limit)
        if not tag & 0x20:
            return data[found.start : found.end], found.end
        at, stop, end = found.body, found.end, found.end
    else:
        if not tag & 0x20:
            raise ValueError("has a length that cannot be read")
        at, stop, end = at + 2, limit, -1
    parts = []
    while at < stop:
        if indefinite and data[at : at + 2] == b"\0\0":
            end = at + 2
            break
        part, at = _definite(data, at, stop, depth + 1, budget)
        parts.append(part)
    if end < 0:
        raise ValueError("has no end mark")
    if tag == (OCTETS | 0x20):
        return tlv(OCTETS, *(part[value(part).body :] for part in parts)), end
    return tlv(tag, *parts), end


def tlv(tag: int, *parts: bytes) -> bytes:
    """The DER of one value."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def oid(content: bytes) -> str:
    """Dotted form of an object identifier's content bytes."""
    numbers, current = [], 0
    for byte in content:
        current = current << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(current)
            current = 0
    if not numbers or content[-1] & 0x80 or len(content) > 64:
        raise ValueError("has an object identifier that cannot be read")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


@lru_cache(maxsize=256)
def encode_oid(dotted: str) -> bytes:
    """The DER of an object identifier."""
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray()
    for number in (40 * first + second, *rest):
        chunk = [number & 0x7F]
        while number := number >> 7:
            chunk.append(number & 0x7F | 0x80)
        out += bytes(reversed(chunk))
    return tlv(OID, bytes(out))


def integer(data: bytes, found: Value) -> int:
    if found.tag != INTEGER or found.end == found.body:
        raise ValueError("holds no number where one belongs")
    return int.from_bytes(data[found.body : found.end], "big", signed=True)


def encode_integer(number: int) -> bytes:
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def whole(data: bytes) -> bool:
    """Whether *data* is exactly one constructed sequence."""
    try:
        found = value(data)
    except ValueError:
        return False
    return found.tag == SEQUENCE and found.end == len(data)
