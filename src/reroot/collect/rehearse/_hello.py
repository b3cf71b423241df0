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
_HEAD = 9
"""Bytes of a record's header and of the header of the message in it."""
_SESSION = _HEAD + 34
"""Where the session's number starts, after the version and a random number."""
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
    known = _shapes.get(data[: _HEAD + 2])
    if known is not None:
        suites, share, rest, before, after, hello = known
        if data[suites:share] == before and data[rest:] == after and data[_SESSION] == suites - _SESSION - 1:
            return hello
    try:
        body = _handshake(data)
        share, rest, hello = _walk(body)
    except (IndexError, ValueError, struct.error):
        return None
    if data[_HEAD:] == body:  # in one record, as nearly all are
        _keep(data, share + _HEAD, rest + _HEAD, hello)
    return hello


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


# A TLS stack says the same each time but for three random values: its own, its session's and the key share. By the headers of record
# and message, which tell the length, and the version: where the suites, the share and the rest start, what is there, what it says.
_shapes: dict[bytes, tuple[int, int, int, bytes, bytes, Hello]] = {}


def _keep(data: bytes, share: int, rest: int, hello: Hello) -> None:
    if len(_shapes) >= KNOWN_SHAPES:  # a stranger chooses how many there are
        _shapes.clear()
    suites = _SESSION + 1 + data[_SESSION]
    _shapes[data[: _HEAD + 2]] = suites, share, rest, data[suites:share], data[rest:], hello


def _walk(body: bytes) -> tuple[int, int, Hello]:
    """What it says, and where the key share starts and ends."""
    at = 35 + body[34]
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
