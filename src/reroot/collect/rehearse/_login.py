"""
What a login may say through a stage that stands between a client and its real server, without the sockets: bytes in, bytes out.

Channel binding (RFC 5802, section 6; PostgreSQL's SCRAM-SHA-256-PLUS) ties a login to the server's certificate, and on the stage that
is another one: the mechanism is taken out of the server's list. A client that knows channel binding says so when it picks the plain
mechanism, and a server that had offered the other then refuses it: nobody may stand between. That is seen here and told.

A password in clear, an MD5 of one, or a bearer token is worth stealing: it is let through only where it is known who the server is.
"""

from __future__ import annotations

import struct

from ... import wire

PLUS = b"SCRAM-SHA-256-PLUS"
SECRETS = {3: "a password in clear", 5: "an MD5 password"}
"""Kinds of AuthenticationRequest whose answer is worth stealing."""
SASL, OK = 10, 0
MAX_MESSAGE = 1 << 16
BINDS = (
    "the program supports SCRAM channel binding, and so does the server over TLS: then nobody may stand between them, the stage "
    "neither"
)
_LENGTH = struct.Struct("!I")


class Refusal(Exception):
    """The login cannot go through, whatever the two would say; the text is the reason."""


class Login:
    """One login. ``let_in`` and ``refused`` say how it ended; ``offered`` are the SASL mechanisms that the server named."""

    def __init__(self, *, server_is_known: bool) -> None:
        self.server_is_known = server_is_known
        self.let_in = False
        self.refused: wire.ErrorResponse | None = None
        self.offered: tuple[str, ...] = ()
        self.binds = False
        self._from_server = b""
        self._from_client = b""

    @property
    def is_over(self) -> bool:
        return self.let_in or self.refused is not None

    def server_says(self, data: bytes) -> bytes:
        """What of it goes on to the client."""
        if self.is_over:
            return data
        self._from_server += data
        out = b""
        while not self.is_over and (message := _message(self._from_server)) is not None:
            self._from_server = self._from_server[len(message) :]
            out += self._read(message)
        if self.is_over:
            out, self._from_server = out + self._from_server, b""
        return out

    def client_says(self, data: bytes) -> bytes:
        """All of it goes on to the server."""
        if not self.is_over and PLUS.decode() in self.offered and not self.binds:
            self._from_client += data
            message = _message(self._from_client)
            if message is not None and message[:1] == b"p":
                self.binds = _gs2_flag(message) == b"y"
        return data

    def _read(self, message: bytes) -> bytes:
        if message[:1] == b"E":
            self.refused = wire.read_error(message)
        elif message[:1] == b"R" and len(message) >= 9:
            (kind,) = _LENGTH.unpack_from(message, 5)
            self.let_in = kind == OK
            if kind in SECRETS and not self.server_is_known:
                raise Refusal(f"the server asks for {SECRETS[kind]}, and it is not known whose server it is")
            if kind == SASL:
                return self._mechanisms(message)
        return message

    def _mechanisms(self, message: bytes) -> bytes:
        found = [word for word in message[9:].split(b"\0") if word]
        self.offered = tuple(word.decode("ascii", "replace") for word in found)
        kept = [word for word in found if word != PLUS and (self.server_is_known or word != b"OAUTHBEARER")]
        if not kept:
            raise Refusal(f"the server offers nothing but {', '.join(self.offered)}, which cannot go through a stage")
        body = _LENGTH.pack(SASL) + b"".join(word + b"\0" for word in kept) + b"\0"
        return b"R" + _LENGTH.pack(4 + len(body)) + body


def _message(data: bytes) -> bytes | None:
    """The first whole message of *data*."""
    if len(data) < 5:
        return None
    (length,) = _LENGTH.unpack_from(data, 1)
    if not 4 <= length <= MAX_MESSAGE:
        raise Refusal("what was said during the login is no PostgreSQL message")
    return data[: 1 + length] if len(data) >= 1 + length else None


def _gs2_flag(message: bytes) -> bytes:
    """``y`` in a SASLInitialResponse: the client knows channel binding, and thinks that the server does not."""
    mechanism, _, rest = message[5:].partition(b"\0")
    return rest[4:5] if mechanism.startswith(b"SCRAM-") and len(rest) > 4 else b""


def fatal(text: str) -> bytes:
    return wire.error_response((("S", "FATAL"), ("V", "FATAL"), ("C", "28000"), ("M", text)))
