"""What a ClientHello tells of a client: the name it asks for, its TLS versions, and a fingerprint of how its TLS stack speaks."""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import NamedTuple

TLS_1_2, TLS_1_3 = 0x0303, 0x0304
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS, _PRE_SHARED_KEY, _KEY_SHARE = 0, 16, 43, 41, 51
_TELLING = frozenset({_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS, _KEY_SHARE})
_EXTENSION = struct.Struct("!HH")
_RECORD = struct.Struct("!BHHI")
_HEAD = 9
"""Bytes of a record's header and of the header of the message in it."""
KNOWN_SHAPES = 256
"""How many hellos that differ in more than their random numbers are kept, with what was made of them."""
MAX_NAME = 255
"""Longest host name that is kept."""
_GREASE = frozenset(0x0A0A + 0x1010 * i for i in range(16))


class Hello(NamedTuple):
    """``fingerprint`` names the TLS stack and its settings: cipher suites and extensions in order, without what changes from
    one connection to the next."""

    name: str = ""
    protocols: tuple[str, ...] = ()
    versions: frozenset[int] = frozenset()
    fingerprint: str = ""

    @property
    def takes_1_2(self) -> bool:
        return TLS_1_2 in self.versions

    @property
    def takes_1_3(self) -> bool:
        return TLS_1_3 in self.versions


def read_hello(data: bytes) -> Hello | None:
    """The ClientHello at the start of a TLS stream (RFC 8446, section 4.1.2); None where it is not whole in *data*, or damaged."""
    try:
        kind, _, length, message = _RECORD.unpack_from(data)
        end = _HEAD + (message & 0xFFFFFF)
        if kind == 0x16 and message >> 24 == 1 and end <= 5 + length <= len(data):
            return _read(data[_HEAD:end])  # in one record, as nearly all are
        return _read(_handshake(data))
    except (IndexError, ValueError, struct.error):
        return None


def _handshake(data: bytes) -> bytes:
    """The first handshake message's body, put together from as many records as it takes."""
    body, at = b"", 0
    while True:
        if data[at] != 0x16 or len(data) < at + 5:
            raise ValueError
        length = data[at + 3] << 8 | data[at + 4]
        body += data[at + 5 : at + 5 + length]
        if len(data) < at + 5 + length:
            raise ValueError
        at += 5 + length
        if len(body) >= 4:
            wanted = int.from_bytes(body[1:4], "big")
            if body[0] != 1:
                raise ValueError
            if len(body) >= 4 + wanted:
                return body[4 : 4 + wanted]


class _Shape(NamedTuple):
    """A hello that was read: everything in it that is read again next time, which is all but three random values."""

    share: int
    rest: int
    before: bytes
    after: bytes
    hello: Hello


_shapes: dict[tuple[int, int, bytes], _Shape] = {}


def _read(body: bytes) -> Hello:
    """A TLS stack says the same each time but for its random numbers: those of the head, its session's and the key share."""
    at = 35 + body[34]
    kind = len(body), at, body[:2]
    known = _shapes.get(kind)
    if known is not None and body[at : known.share] == known.before and body[known.rest :] == known.after:
        return known.hello
    share, rest, hello = _walk(body, at)
    if len(_shapes) >= KNOWN_SHAPES:  # a stranger chooses how many there are
        _shapes.clear()
    _shapes[kind] = _Shape(share, rest, body[at:share], body[rest:], hello)
    return hello


def _walk(body: bytes, at: int) -> tuple[int, int, Hello]:
    """From the cipher suites *at* on: what it says, and where the key share starts and ends."""
    size = body[at] << 8 | body[at + 1]
    suites = body[at + 2 : at + 2 + size]
    at += 2 + size
    at += 1 + body[at]
    end = at + 2 + (body[at] << 8 | body[at + 1])
    at += 2
    kinds = []
    share = rest = len(body)
    name, versions = "", b""
    protocols: tuple[str, ...] = ()
    unpack = _EXTENSION.unpack_from
    while at + 4 <= end:
        kind, length = unpack(body, at)
        kinds.append(kind)
        at += 4 + length
        if kind not in _TELLING:
            continue
        if kind == _KEY_SHARE:
            share, rest = at - length, at
        elif kind == _ALPN:
            protocols = _words(body[at - length + 2 : at])
        elif kind == _SUPPORTED_VERSIONS:
            versions = body[at - length + 1 : at]
        elif length > 5:
            start = at - length + 5
            name = body[start : start + min(body[start - 2] << 8 | body[start - 1], MAX_NAME)].decode("ascii", "replace")
    return share, rest, Hello(name, protocols, _versions(versions or body[:2]), _fingerprint(suites, tuple(kinds)))


# What was made of one hello is kept for the next. Bounded: a stranger chooses.


@lru_cache(maxsize=256)
def _fingerprint(suites: bytes, kinds: tuple[int, ...]) -> str:
    kept = [n for n in _numbers(suites) if n not in _GREASE], [k for k in kinds if k not in _GREASE and k != _PRE_SHARED_KEY]
    return hashlib.sha256(repr(kept).encode()).hexdigest()[:12]


@lru_cache(maxsize=64)
def _versions(data: bytes) -> frozenset[int]:
    return frozenset(_numbers(data))


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])


@lru_cache(maxsize=64)
def _words(data: bytes) -> tuple[str, ...]:
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]].decode("ascii", "replace"))
        at += 1 + data[at]
    return tuple(found)
