"""What a ClientHello tells of a client: the name it asks for, its TLS versions, and a fingerprint of how its TLS stack speaks."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

TLS_1_2, TLS_1_3 = 0x0303, 0x0304
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
_EXTENSION = struct.Struct("!HH")
_GREASE = frozenset(0x0A0A + 0x1010 * i for i in range(16))


@dataclass(frozen=True, slots=True)
class Hello:
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
        return _read(_handshake(data))
    except (IndexError, ValueError, struct.error):
        return None


def _handshake(data: bytes) -> bytes:
    """The first handshake message's body, put together from as many records as it takes."""
    body, at = b"", 0
    while True:
        if data[at] != 0x16 or len(data) < at + 5:
            raise ValueError
        length = int.from_bytes(data[at + 3 : at + 5], "big")
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


def _read(body: bytes) -> Hello:
    legacy = int.from_bytes(body[:2], "big")
    at = 35 + body[34]
    size = int.from_bytes(body[at : at + 2], "big")
    suites = _numbers(body[at + 2 : at + 2 + size])
    at += 2 + size
    at += 1 + body[at]
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    at += 2
    kinds: list[int] = []
    name, versions = "", frozenset({legacy})
    protocols: tuple[str, ...] = ()
    while at + 4 <= end:
        kind, length = _EXTENSION.unpack_from(body, at)
        value = body[at + 4 : at + 4 + length]
        at += 4 + length
        kinds.append(kind)
        if kind == _SERVER_NAME and len(value) > 5:
            name = value[5 : 5 + int.from_bytes(value[3:5], "big")].decode("ascii", "replace")
        elif kind == _ALPN:
            protocols = _words(value[2:])
        elif kind == _SUPPORTED_VERSIONS:
            versions = frozenset(_numbers(value[1:]))
    kept = [n for n in suites if n not in _GREASE], [k for k in kinds if k not in _GREASE and k != 41]
    return Hello(name, protocols, versions, hashlib.sha256(repr(kept).encode()).hexdigest()[:12])


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])


def _words(data: bytes) -> tuple[str, ...]:
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]].decode("ascii", "replace"))
        at += 1 + data[at]
    return tuple(found)
