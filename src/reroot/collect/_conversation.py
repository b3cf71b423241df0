"""
One probe as a conversation: yields bytes to send, is sent bytes that came, returns what was seen. No socket in sight.

The end is polite, because a server's log is evidence elsewhere and a probe must not spoil it. Measured with PostgreSQL 15.18 and
17.10, TLS 1.2 and 1.3: leaving before Finished logs ``could not accept SSL connection: EOF detected``; leaving after it without
close_notify logs ``could not receive data from client: Connection reset by peer``; a Terminate message logs ``invalid length of
startup packet``. Finished and close_notify in one go, then waiting for the server to hang up, logs nothing.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from .. import wire
from ..errors import InputError

MAX_HANDSHAKE = 512 * 1024
"""Most bytes a server may send before its handshake is given up on."""


class Answer(Enum):
    """What a server answered to being asked for TLS."""

    TLS = "tls"
    NO_TLS = "no-tls"
    ERROR = "server-error"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed-out"
    UNRESOLVED = "unresolved"
    NOT_POSTGRESQL = "not-postgresql"
    HANDSHAKE_FAILED = "handshake-failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """The answer; with TLS also the chain as served (DER, leaf first); else why, and what to do about it.

    ``farewell`` is what is still to be sent before the connection's write side is closed.
    """

    answer: Answer
    protocol: str = ""
    cipher: str = ""
    chain: tuple[bytes, ...] = ()
    why: str = ""
    hint: str = ""
    farewell: bytes = b""


def context(*, direct: bool = False) -> ssl.SSLContext:
    """A context that checks nothing and refuses nothing: the probe looks, ``verdict`` judges.

    Old protocols and weak keys are let in on purpose, since a server that has them must be seen, not skipped.
    """
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.verify_mode = ssl.CERT_NONE
    bare.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    bare.set_ciphers("DEFAULT:@SECLEVEL=0")
    bare.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    bare.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if direct:
        bare.set_alpn_protocols([wire.ALPN])
    return bare


def converse(tls_context: ssl.SSLContext, server_name: str | None, *, direct: bool) -> Generator[bytes, bytes, Seen]:
    """Ask for TLS, shake hands, read the chain. Is sent ``b""`` when the server has hung up.

    Between question and handshake at most one byte may come: more would be read as if it were protected (CVE-2021-23222).
    """
    if not direct:
        reply = yield wire.ssl_request()
        if reply != wire.ACCEPTED:
            return (yield from _no_handshake(reply))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    first, received = b"", 0
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            data = yield outgoing.read()
            received += len(data)
            if not data:
                return _hung_up(direct, received)
            if received > MAX_HANDSHAKE:
                return Seen(Answer.HANDSHAKE_FAILED, why=f"the server sent more than {MAX_HANDSHAKE >> 10} KiB of handshake")
            first = first or data
            incoming.write(data)
        except ssl.SSLError as error:
            return _failed(error, first, outgoing.read(), direct=direct)
    chain = served_chain(tls)
    with suppress(ssl.SSLError):  # our close_notify is written, theirs has not come yet
        tls.unwrap()
    cipher = tls.cipher()
    seen = Seen(
        Answer.TLS, protocol=tls.version() or "", cipher=cipher[0] if cipher else "", chain=chain, farewell=outgoing.read()
    )
    if direct and tls.selected_alpn_protocol() != wire.ALPN:
        return Seen(
            Answer.NOT_POSTGRESQL,
            seen.protocol,
            seen.cipher,
            chain,
            why=f"speaks TLS, but does not agree to the protocol `{wire.ALPN}`",
            hint="PostgreSQL 17 and later take direct TLS; ask an older one without `--direct`",
            farewell=seen.farewell,
        )
    return seen


if sys.version_info >= (3, 13):

    def served_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
        """The chain as the server sent it, DER, leaf first."""
        return tuple(tls.get_unverified_chain())

else:

    def served_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
        """The chain as the server sent it, DER, leaf first."""
        der = 2  # _ssl.ENCODING_DER; the public call came with Python 3.13
        return tuple(c.public_bytes(der) for c in tls._sslobj.get_unverified_chain() or ())  # type: ignore[attr-defined]


GREETINGS = (
    (b"SSH-", "an SSH server"),
    (b"HTTP/", "a web server"),
    (b"220", "a mail or FTP server"),
    (b"\x15\x03", "a TLS server that wants TLS from the first byte"),
    (b"-ERR", "a Redis server"),
)

HINTS = {
    "wrong version number": "not TLS: something between may be meddling with the connection",
    "unsupported protocol": "this machine's OpenSSL does not speak the server's TLS version",
}


def _no_handshake(reply: bytes) -> Generator[bytes, bytes, Seen]:
    """What anything but a bare ``S`` means."""
    if reply == wire.REFUSED:
        return Seen(Answer.NO_TLS, why="the server does not offer TLS", hint="`ssl = on` in `postgresql.conf`, then a reload")
    if not reply:
        hint = "is this PostgreSQL, and is there a server behind the balancer?"
        return Seen(Answer.NOT_POSTGRESQL, why="hung up without an answer", hint=hint)
    if reply[:1] == b"E":
        return (yield from _server_error(reply))
    speaker = next((what for start, what in GREETINGS if reply.startswith(start)), "")
    if not speaker and reply[:1] in (wire.ACCEPTED, wire.REFUSED):
        more = len(reply) - 1
        return Seen(
            Answer.NOT_POSTGRESQL,
            why=f"sent {more} more byte{'s' * (more != 1)} with its answer, before any encryption",
            hint="something between may be meddling with the connection",
        )
    why = f"answered like {speaker}" if speaker else f"answered {reply[:16]!r}"
    return Seen(Answer.NOT_POSTGRESQL, why=why, hint="try `--direct`" if reply.startswith(b"\x15\x03") else "check the port")


def _server_error(data: bytes) -> Generator[bytes, bytes, Seen]:
    try:
        while (error := wire.read_error(data)) is None:
            more = yield b""
            if not more:
                break
            data += more
    except InputError as bad:
        return Seen(Answer.NOT_POSTGRESQL, why=bad.message, hint="check the port")
    text = error.message if error else data[1:].decode("utf-8", "replace").strip("\0\n")
    return Seen(Answer.ERROR, why=f"the server said: {text[:300]}", hint="see the server's own log")


def _hung_up(direct: bool, received: int) -> Seen:
    if direct and not received:
        return Seen(
            Answer.HANDSHAKE_FAILED,
            why="hung up on direct TLS",
            hint="PostgreSQL 17 and later take direct TLS; ask an older one without `--direct`",
        )
    return Seen(Answer.HANDSHAKE_FAILED, why="hung up during the handshake", hint="see the server's own log")


def _failed(error: ssl.SSLError, first: bytes, alert: bytes, *, direct: bool) -> Seen:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if direct and first[:1] not in (b"\x15", b"\x16"):
        why, hint = "does not speak TLS from the first byte", "ask without `--direct`"
        return Seen(Answer.NOT_POSTGRESQL, why=why, hint=hint, farewell=alert)
    hint = HINTS.get(reason, "see the server's own log")
    return Seen(Answer.HANDSHAKE_FAILED, why=f"TLS handshake: {reason}", hint=hint, farewell=alert)
