"""
Through the stage to a real server, for programs that must get past the handshake to behave: migrations, health checks.

TLS ends at the stage, with the chain of the act; the start-up packet and all that follows goes on to the real server over TLS or
without. Only the next chain's act goes through, so that the program does its work once. What authentication forbids is told by
``look_ahead`` before the program starts.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from ... import wire
from ...errors import InputError, ReachError
from ._login import BINDS, PLUS, SECRETS, Login, Refusal, fatal

TIMEOUT = 10.0
CHUNK = 65_536
MAX_UNSENT = 1 << 20
"""As much as is kept for a side that does not read; then nothing more is taken from the other."""
PASSES_FOR_KNOWN = "name its roots (`--through-roots FILE`), so that it is known whose server it is"


@dataclass(frozen=True, eq=False)
class Upstream:
    """The real server. With ``roots`` its certificate and name are checked; ``plain`` goes on without TLS."""

    host: str
    port: int
    roots: bytes = b""
    plain: bool = False
    context: ssl.SSLContext = field(init=False, repr=False)

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols([wire.ALPN])
        if not self.roots:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        else:
            try:
                context.load_verify_locations(cadata=self.roots.decode("ascii", "replace"))
            except ssl.SSLError:
                raise InputError("no roots in PEM in the file of `--through-roots`") from None
        object.__setattr__(self, "context", context)

    @property
    def is_known(self) -> bool:
        """Whether it is sure who answers: its certificate is checked, or it is this machine."""
        return bool(self.roots and not self.plain) or _is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Side:
    """One end of a session: a socket, with TLS on it or without."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLObject | None, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self.sock, self.tls, self.incoming, self.outgoing = sock, tls, incoming, outgoing
        self.unsent = b""

    def take(self) -> bytes | None:
        """What has come, in clear; None at the end."""
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return b""
        if self.tls is None:
            return data or None
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()
        return self.rest()

    def rest(self) -> bytes | None:
        """What had come before and was not read yet."""
        if self.tls is None:
            return b""
        found = b""
        while True:
            try:
                plain = self.tls.read(CHUNK)
            except ssl.SSLWantReadError:
                return found
            except ssl.SSLError:
                return found or None
            if not plain:
                return found or None
            found += plain

    def put(self, data: bytes) -> None:
        if self.tls is None:
            self.unsent += data
            return
        if data:
            self.tls.write(data)
        self.unsent += self.outgoing.read()

    def send(self) -> None:
        with suppress(BlockingIOError):
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]

    def end(self) -> None:
        """The last word, and the end."""
        with suppress(OSError):
            if self.tls is not None:
                with suppress(ssl.SSLError):
                    self.tls.unwrap()
                self.unsent += self.outgoing.read()
            self.sock.settimeout(1.0)
            self.sock.sendall(self.unsent)
        self.sock.close()


def reach(upstream: Upstream) -> Side:
    """The way to the real server, with TLS where it has it; a server without TLS is taken only on this machine or if told to."""
    try:
        sock = socket.create_connection((upstream.host, upstream.port), TIMEOUT)
    except OSError as error:
        raise ReachError(f"`{upstream}` cannot be reached: {error.strerror or error}") from None
    try:
        side = Side(sock, None, ssl.MemoryBIO(), ssl.MemoryBIO())
        if not upstream.plain:
            sock.sendall(wire.ssl_request())
            answer = sock.recv(1)
            if answer == wire.ACCEPTED:
                _shake(side, upstream)
            elif answer != wire.REFUSED or not _is_loopback(upstream.host):
                raise ReachError(f"`{upstream}` has no TLS", hint="`--through-plain`, if the way to it may be read by others")
        return side
    except ReachError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise ReachError(f"`{upstream}` broke off: {error.strerror or error}") from None


def _shake(side: Side, upstream: Upstream) -> None:
    tls = upstream.context.wrap_bio(side.incoming, side.outgoing, server_hostname=upstream.host)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            side.sock.sendall(side.outgoing.read())
            data = side.sock.recv(CHUNK)
            if not data:
                raise ReachError(f"`{upstream}` hung up during the handshake") from None
            side.incoming.write(data)
        except ssl.SSLError as error:
            with suppress(OSError):
                side.sock.sendall(side.outgoing.read())
            why = getattr(error, "verify_message", "") or error.reason or "TLS failed"
            raise ReachError(
                f"`{upstream}` is not taken: {why}", hint="are these its roots, and is this the name in its certificate?"
            ) from None
        else:
            side.sock.sendall(side.outgoing.read())
            side.tls = tls
            return


# ── before ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Ahead:
    """What the server asks of a login, seen before the program starts: ``notes`` are for people."""

    asks: str
    over_tls: bool
    binds: bool
    notes: tuple[str, ...] = ()


def look_ahead(upstream: Upstream, user: str, database: str) -> Ahead:
    """Begin a login as *user*, see what the server asks for, and leave. Without a *user* only the way is tried.

    Raises ``InputError`` where no login can go through a stage.
    """
    side = reach(upstream)
    try:
        login = Login(server_is_known=upstream.is_known)
        over_tls = side.tls is not None
        way = "over TLS" if over_tls else "without TLS"
        if not user:
            return Ahead("unknown", over_tls, False, (f"`{upstream}` answers {way}; what it asks of a login shows when one comes",))
        names = (("user", user), *((("database", database),) if database else ()))
        side.sock.settimeout(TIMEOUT)
        side.put(wire.startup(names))
        side.send()
        first = _first_answer(side)
        try:
            login.server_says(first)
        except Refusal as refusal:
            raise InputError(f"`{upstream}` cannot be gone through to: {refusal}", hint=PASSES_FOR_KNOWN) from None
        if login.refused is not None:
            raise InputError(
                f"`{upstream}` would not let `{user}` in through the stage: {login.refused.message}", hint=_hint(login.refused)
            )
        asks = _asks(first, login)
        binds = PLUS.decode() in login.offered
        notes = [f"`{upstream}` answers {way} and asks `{user}` for {asks}"]
        if binds:
            notes.append(
                "it binds that to its own TLS with whoever can: a program that knows channel binding is refused unless it is told not "
                "to use it (PGCHANNELBINDING=disable is set for programs on libpq), or the stage goes on without TLS "
                "(`--through-plain`)"
            )
        return Ahead(asks, over_tls, binds, tuple(notes))
    except OSError as error:
        raise ReachError(f"`{upstream}` broke off: {error}") from None
    finally:
        side.end()


def _first_answer(side: Side) -> bytes:
    found = b""
    while len(found) < 5 or len(found) < 1 + int.from_bytes(found[1:5], "big"):
        data = side.take()
        if data is None or len(found) > CHUNK:
            raise ReachError("the real server hung up at the start-up packet")
        found += data
    return found


def _asks(first: bytes, login: Login) -> str:
    if login.let_in:
        return "nothing"
    if login.offered:
        return " or ".join(login.offered)
    kind = int.from_bytes(first[5:9], "big")
    return {**SECRETS, 7: "GSSAPI", 9: "SSPI"}.get(kind, f"something else ({kind})")


def _hint(refused: wire.ErrorResponse) -> str:
    if "certificate" in refused.message:
        return "a client's certificate ends where its TLS ends, at the stage: rehearse without `--through`"
    return "it is let in from this machine only if pg_hba.conf says so; TLS from here on is the stage's"


def forbidden(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Why this program's own settings allow nobody between it and its server; ``""`` where nothing of the kind is seen."""
    import re

    demand = re.compile(r"channel_?binding['\"]?\s*[=:]\s*['\"]?require", re.IGNORECASE)
    if env.get("PGCHANNELBINDING", "").lower() == "require" or any(demand.search(w) for w in (*command, *env.values())):
        return "the program demands SCRAM channel binding (`channel_binding=require`)"
    return ""


# ── while it runs ────────────────────────────────────────────────────────────────────────────────


@dataclass(eq=False)
class Passed:
    """What became of one session with the real server."""

    let_in: bool = False
    why: str = ""
    sqlstate: str = ""
    asked: tuple[str, ...] = ()
    over_tls: bool = False


class Passing(Thread):
    """One session, passed on both ways until either side ends it."""

    def __init__(self, client: Side, opening: bytes, upstream: Upstream, passed: Passed) -> None:
        super().__init__(name="reroot through", daemon=True)
        self.client, self.opening, self.upstream, self.passed = client, opening, upstream, passed
        self.server: Side | None = None
        self._login = Login(server_is_known=upstream.is_known)

    def run(self) -> None:
        try:
            self._pass()
        except (ReachError, Refusal) as trouble:
            self._say_no(trouble.message if isinstance(trouble, ReachError) else str(trouble))
        except OSError:
            pass  # one of them is gone, which is how sessions end
        finally:
            self._note()
            for side in (self.server, self.client):
                if side is not None:
                    side.end()

    def _pass(self) -> None:
        client, login = self.client, self._login
        server = self.server = reach(self.upstream)
        self.passed.over_tls = server.tls is not None
        client.sock.setblocking(False)
        server.sock.setblocking(False)
        server.put(self.opening)
        early = client.rest()
        if early:
            server.put(login.client_says(early))
        poll = select.poll()
        pairs = {client.sock.fileno(): (client, server, login.client_says), server.sock.fileno(): (server, client, login.server_says)}
        while True:
            for fd, (side, other, _) in pairs.items():
                side.send()
                poll.register(fd, select.POLLIN * (len(other.unsent) < MAX_UNSENT) | select.POLLOUT * bool(side.unsent))
            for fd, mask in poll.poll():
                side, other, through = pairs[fd]
                if mask & ~select.POLLOUT:
                    data = side.take()
                    if data is None:
                        return
                    other.put(through(data))

    def _say_no(self, why: str) -> None:
        self.passed.why = why
        with suppress(OSError):
            self.client.put(fatal(f"the stage cannot go on: {why}"))

    def _note(self) -> None:
        login, passed = self._login, self.passed
        passed.let_in, passed.asked = login.let_in, login.offered
        if login.refused is not None:
            passed.sqlstate = login.refused.sqlstate
            passed.why = BINDS if login.binds else login.refused.message

    def break_off(self) -> None:
        """Whoever reads or waits in it stops."""
        for side in (self.client, self.server):
            if side is not None:
                with suppress(OSError):
                    side.sock.shutdown(socket.SHUT_RDWR)
