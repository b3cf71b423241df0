"""
PostgreSQL's first bytes, both ways: what a client may open a connection with, and a server's error.

Pure: bytes in, values out. Source: "Message Formats" of the PostgreSQL manual, ``src/include/libpq/pqcomm.h`` and
``src/backend/tcop/backend_startup.c`` (PostgreSQL 18). Whoever reads a socket keeps what has come so far and asks
``read_opening`` or ``read_error`` again until they no longer answer None.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .errors import InputError

ALPN = "postgresql"
"""The one application protocol of direct TLS (IANA's registry; PostgreSQL 17 and later)."""

SSL_CODE = 80877103
GSSENC_CODE = 80877104
CANCEL_CODE = 80877102
PROTOCOL_3_0 = (3, 0)
PROTOCOL_3_2 = (3, 2)

ACCEPTED = b"S"
REFUSED = b"N"
"""A server's one-byte answers to SSLRequest. To GSSENCRequest, ``G`` stands for yes."""

MAX_OPENING = 10_000
"""Longest start-up packet a server takes, in bytes (``MAX_STARTUP_PACKET_LENGTH``)."""
MAX_ERROR = 30_000
"""Longest error a client believes before it knows the server, in bytes (libpq's ``pqGetErrorNotice3`` limit)."""
MAX_CANCEL_KEY = 256
"""Longest cancellation key of protocol 3.2, in bytes; protocol 3.0 has 4."""

_HEAD = struct.Struct("!II")
_LENGTH = struct.Struct("!I")
_TLS_HANDSHAKE = 0x16


@dataclass(frozen=True, slots=True)
class SSLRequest:
    """The client asks for TLS; one byte answers."""


@dataclass(frozen=True, slots=True)
class GSSENCRequest:
    """The client asks for GSSAPI encryption; one byte answers."""


@dataclass(frozen=True, slots=True)
class DirectTLS:
    """The client speaks TLS from its first byte; nothing of it is consumed."""


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The client wants another session's statement cancelled; ``key`` is that session's secret."""

    pid: int
    key: bytes

    def __repr__(self) -> str:
        return f"CancelRequest(pid={self.pid}, key=***)"


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """The client logs in. ``parameters`` as sent, in order; bytes that are no UTF-8 survive as surrogates."""

    parameters: tuple[tuple[str, str], ...]
    protocol: tuple[int, int] = PROTOCOL_3_0

    def get(self, name: str, default: str = "") -> str:
        """The last value given for *name*, as the server takes it."""
        return next((value for key, value in reversed(self.parameters) if key == name), default)


Opening = SSLRequest | GSSENCRequest | DirectTLS | CancelRequest | StartupMessage


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A server's error: pairs of field letter and text, in order (``S`` severity, ``C`` SQLSTATE, ``M`` message …)."""

    fields: tuple[tuple[str, str], ...]

    def field(self, letter: str) -> str:
        return next((text for key, text in self.fields if key == letter), "")

    @property
    def severity(self) -> str:
        """Not translated where the server says it (``V``, PostgreSQL 9.6 and later), else as the server's language has it."""
        return self.field("V") or self.field("S")

    @property
    def sqlstate(self) -> str:
        return self.field("C")

    @property
    def message(self) -> str:
        return self.field("M")


def ssl_request() -> bytes:
    return _HEAD.pack(8, SSL_CODE)


def gssenc_request() -> bytes:
    return _HEAD.pack(8, GSSENC_CODE)


def cancel_request(pid: int, key: bytes) -> bytes:
    if not 4 <= len(key) <= MAX_CANCEL_KEY:
        raise InputError(f"a cancellation key has 4 to {MAX_CANCEL_KEY} bytes, not {len(key)}")
    return _HEAD.pack(12 + len(key), CANCEL_CODE) + _LENGTH.pack(pid) + key


def startup(parameters: tuple[tuple[str, str], ...], protocol: tuple[int, int] = PROTOCOL_3_0) -> bytes:
    """A start-up packet; names and values must not hold NUL, names must not be empty."""
    if any(not name or "\0" in name or "\0" in value for name, value in parameters):
        raise InputError("a start-up parameter has no name or holds a NUL character")
    body = b"".join(_text(name) + _text(value) for name, value in parameters) + b"\0"
    if 8 + len(body) > MAX_OPENING:
        raise InputError(f"the start-up packet has {8 + len(body)} bytes, a server takes {MAX_OPENING}")
    return _HEAD.pack(8 + len(body), protocol[0] << 16 | protocol[1]) + body


def error_response(fields: tuple[tuple[str, str], ...]) -> bytes:
    """An ErrorResponse; letters are single ASCII characters, texts must not hold NUL."""
    if any(len(letter) != 1 or not "!" <= letter <= "~" or "\0" in text for letter, text in fields):
        raise InputError("an error field has no letter of its own or holds a NUL character")
    body = b"".join(letter.encode() + _text(text) for letter, text in fields) + b"\0"
    return b"E" + _LENGTH.pack(4 + len(body)) + body


def read_opening(data: bytes) -> tuple[Opening, int] | None:
    """What a client opens with and how many bytes of *data* that took; None while more must come.

    Raises ``InputError`` as soon as the bytes cannot become an opening that a PostgreSQL server would take.
    """
    if data and data[0] == _TLS_HANDSHAKE:
        return _DIRECT
    if len(data) < 4:
        return None
    (length,) = _LENGTH.unpack_from(data)
    if not 8 <= length <= MAX_OPENING:
        raise InputError(f"no PostgreSQL client: its start-up packet claims {length} bytes", hint=f"a server takes {MAX_OPENING}")
    if len(data) < 8:
        return None
    (code,) = _LENGTH.unpack_from(data, 4)
    if code in _REQUESTS:
        if length != 8:
            raise InputError(f"a request of {length} bytes where 8 are the rule")
        return _REQUESTS[code], 8
    if code != CANCEL_CODE and code >> 16 != 3:
        raise InputError(f"unsupported frontend protocol `{code >> 16}.{code & 0xFFFF}`", hint="PostgreSQL 14 and later speak 3")
    if len(data) < length:
        return None
    if code == CANCEL_CODE:
        return _read_cancel(data[8:length]), length
    return StartupMessage(_read_parameters(data[8:length]), (code >> 16, code & 0xFFFF)), length


def read_error(data: bytes) -> ErrorResponse | None:
    """The ErrorResponse at the start of *data*, in protocol 3 or in protocol 2's bare text; None while more must come.

    A server that cannot fork answers in protocol 2 whatever it was asked in (``report_fork_failure_to_client``).
    """
    if data[:1] not in (b"", b"E"):
        raise InputError("not an error response")
    if len(data) < 5:
        return None
    (length,) = _LENGTH.unpack_from(data, 1)
    if not 4 < length <= MAX_ERROR:
        return _read_old_error(data)
    if len(data) < 1 + length:
        return None
    body, fields, at = data[5 : 1 + length], [], 0
    while at < len(body) and body[at]:
        end = body.find(b"\0", at + 1)
        if end < 0:
            raise InputError("an error response whose last field does not end")
        fields.append((chr(body[at]), _decode(body[at + 1 : end])))
        at = end + 1
    if at != len(body) - 1:
        raise InputError("an error response that does not end where it says")
    return ErrorResponse(tuple(fields))


_DIRECT: tuple[Opening, int] = (DirectTLS(), 0)
_REQUESTS: dict[int, Opening] = {SSL_CODE: SSLRequest(), GSSENC_CODE: GSSENCRequest()}


def _read_cancel(body: bytes) -> CancelRequest:
    if not 8 <= len(body) <= 4 + MAX_CANCEL_KEY:
        raise InputError(f"a cancel request with {len(body)} bytes of process and key")
    return CancelRequest(_LENGTH.unpack_from(body)[0], body[4:])


def _read_parameters(body: bytes) -> tuple[tuple[str, str], ...]:
    words = body.split(b"\0")
    # A packet ends with an empty name and its NUL: split leaves two empty words there, and pairs before them.
    if len(words) < 2 or words[-1] or words[-2] or len(words) % 2 or not all(words[:-2:2]):
        raise InputError("a start-up packet whose parameters do not end where it does")
    return tuple((_decode(words[i]), _decode(words[i + 1])) for i in range(0, len(words) - 2, 2))


def _read_old_error(data: bytes) -> ErrorResponse | None:
    end = data.find(b"\0", 1, MAX_ERROR)
    if end < 0:
        if len(data) > MAX_ERROR:
            raise InputError(f"an error response longer than {MAX_ERROR} bytes")
        return None
    return ErrorResponse((("M", _decode(data[1:end]).rstrip("\n")),))


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
