"""
What do servers serve? Our handshake with many servers at once: the chain, protocol and cipher of each, or why not.

One thread, one selector and one TLS context do the work; ``_conversation`` says what is said, ``_pace`` whose turn it is,
``_names`` turns names into addresses. Nothing is raised for a server: every answer, also none, is a ``Probed``.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from ..model import Evidence, Strength
from ..pki.certificate import Certificate
from ._conversation import Answer, Seen, context, converse
from ._names import Names, literal
from ._pace import Pace, Waiting
from ._target import Target, parse_target

__all__ = ["Answer", "Pace", "Probed", "Target", "parse_target", "probe", "to_evidence"]

LOOK_AHEAD = 10_000
"""How many targets are taken from the source before their turn, so that a slow host does not hold up the others."""
PARTING = 2.0
"""Seconds that a server gets to hang up after the farewell; its answer is known by then."""


@dataclass(frozen=True, slots=True)
class Probed:
    """One answer from one address of a target.

    ``chain`` is what was served, DER, leaf first, unchecked; ``protocol`` and ``cipher`` are what was agreed with our OpenSSL.
    Without TLS, ``why`` says the cause and ``hint`` the next move.
    """

    target: Target
    address: str
    answer: Answer
    seen_at: datetime
    protocol: str = ""
    cipher: str = ""
    chain: tuple[bytes, ...] = ()
    why: str = ""
    hint: str = ""

    @property
    def where(self) -> str:
        """The target, with the address in brackets where it says something new."""
        return str(self.target) if self.address in ("", self.target.host) else f"{self.target} ({self.address})"

    @property
    def has_answered(self) -> bool:
        """Whether the server's TLS is now known: it served a chain, or said that it has no TLS."""
        return self.answer in (Answer.TLS, Answer.NO_TLS)


def probe(
    targets: Iterable[Target],
    *,
    timeout: float = 5.0,
    concurrency: int = 200,
    direct: bool = False,
    server_name: str | None = None,
    pace: Pace = Pace(),  # noqa: B008 (frozen)
) -> Iterator[Probed]:
    """Shake hands with every address of every target, in whatever order they answer.

    *timeout* is for one whole answer, in seconds; *concurrency* is the number of open connections; *direct* starts TLS without
    asking (PostgreSQL 17 and later); *server_name* is sent as SNI in place of the target's host. Targets that come twice are
    probed once. Time that the caller spends between two answers is not counted against the servers.
    """
    return _Probing(targets, timeout, concurrency, direct, server_name, pace).run()


@dataclass(frozen=True, slots=True)
class _Job:
    target: Target
    address: str


class _Flight:
    """One open connection: its socket, its conversation, and what it is doing."""

    __slots__ = ("dialling", "job", "parting", "sock", "talk")

    def __init__(self, job: _Job, sock: socket.socket, talk: Generator[bytes, bytes, Seen]) -> None:
        self.job = job
        self.sock = sock
        self.talk = talk
        self.dialling = True
        self.parting = False


class _Probing:
    """One call of ``probe``: the sockets, the clock and the answers that are on their way."""

    def __init__(
        self, targets: Iterable[Target], timeout: float, concurrency: int, direct: bool, server_name: str | None, pace: Pace
    ) -> None:
        self.source = iter(targets)
        self.timeout = timeout
        self.concurrency = concurrency
        self.direct = direct
        self.server_name = server_name
        self.context = context(direct=direct)
        self.waiting: Waiting[_Job] = Waiting(pace, lambda job: job.address)
        self.asked: dict[str, list[Target]] = {}
        self.known: set[_Job] = set()
        self.chains: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
        self.flights: dict[int, _Flight] = {}
        self.deadlines: deque[tuple[float, _Flight]] = deque()
        self.partings: deque[tuple[float, _Flight]] = deque()
        self.found: list[Probed] = []
        self.exhausted = False
        self.paused = 0.0

    def now(self) -> float:
        return monotonic() - self.paused

    def run(self) -> Iterator[Probed]:
        with Names() as self.names, selectors.DefaultSelector() as self.selector:
            self.selector.register(self.names.wake, selectors.EVENT_READ)
            try:
                while True:
                    self.take_in()
                    self.start()
                    if self.found:
                        before = monotonic()
                        yield from self.found
                        self.paused += monotonic() - before
                        self.found.clear()
                    if self.exhausted and not (self.flights or self.waiting or self.names.pending):
                        return
                    for key, _ in self.selector.select(self.patience()):
                        if isinstance(key.data, _Flight):
                            self.step(key.data)
                    self.name_answers()
                    self.give_up()
            finally:
                for flight in self.flights.values():
                    flight.sock.close()

    # ── targets, names, turns ────────────────────────────────────────────────────────────────────

    def take_in(self) -> None:
        while not self.exhausted and len(self.waiting) + self.names.pending < LOOK_AHEAD:
            target = next(self.source, None)
            if target is None:
                self.exhausted = True
            elif address := target.address or literal(target.host):
                self.add(_Job(target, address))
            else:
                asking = self.asked.setdefault(target.host, [])
                asking.append(target)
                if len(asking) == 1:
                    self.names.ask(target.host)

    def name_answers(self) -> None:
        for name, answer in self.names.answers():
            for target in self.asked.pop(name):
                if isinstance(answer, tuple):
                    for address in answer:
                        self.add(_Job(target, address))
                    continue
                cause = answer.strerror if isinstance(answer, socket.gaierror) else "not a host name"
                why = f"the name does not resolve: {cause}"
                self.tell(_Job(target, ""), Seen(Answer.UNRESOLVED, why=why, hint="check the name and the resolver"))

    def add(self, job: _Job) -> None:
        if job not in self.known:
            self.known.add(job)
            self.waiting.put(job)

    def patience(self) -> float | None:
        """How long the selector may sleep."""
        moments = [line[0][0] for line in (self.deadlines, self.partings) if line]
        if len(self.flights) < self.concurrency and (turn := self.waiting.next_at()) is not None:
            moments.append(turn)
        return max(0.0, min(moments) - self.now()) if moments else None

    # ── connections ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        while len(self.flights) < self.concurrency and (job := self.waiting.take(self.now())) is not None:
            try:
                sock = _dial(job)
            except OSError as error:
                self.waiting.back(job)
                if error.errno in (errno.EMFILE, errno.ENFILE) and self.flights:
                    self.concurrency = len(self.flights)  # as many as this process may have open
                    self.waiting.put(job)
                else:
                    self.tell(job, _unreached(error))
                continue
            name = _indication(job.target.host if self.server_name is None else self.server_name)
            flight = _Flight(job, sock, converse(self.context, name, direct=self.direct))
            self.flights[sock.fileno()] = flight
            self.deadlines.append((self.now() + self.timeout, flight))
            self.selector.register(sock, selectors.EVENT_WRITE, flight)

    def step(self, flight: _Flight) -> None:
        sock = flight.sock
        try:
            if flight.dialling:
                if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(error, os.strerror(error))
                flight.dialling = False
                sock.send(next(flight.talk))
                self.selector.modify(sock, selectors.EVENT_READ, flight)
                return
            data = sock.recv(65536)
            if flight.parting:
                if not data:
                    self.close(flight)
            elif reply := flight.talk.send(data):
                sock.send(reply)
        except BlockingIOError:
            pass
        except StopIteration as end:
            self.part(flight, end.value)
        except OSError as error:
            if not flight.parting:
                self.tell(flight.job, _unreached(error) if flight.dialling else _broken(error))
            self.close(flight)

    def part(self, flight: _Flight, seen: Seen) -> None:
        """The answer is known: say farewell, and wait for a PostgreSQL server to hang up first."""
        self.tell(flight.job, seen)
        flight.parting = True
        try:
            if seen.farewell:
                flight.sock.send(seen.farewell)
            flight.sock.shutdown(socket.SHUT_WR)
            if seen.answer not in (Answer.TLS, Answer.NO_TLS):
                return self.close(flight)
            self.partings.append((self.now() + min(PARTING, self.timeout), flight))
        except OSError:
            self.close(flight)

    def give_up(self) -> None:
        now = self.now()
        while self.deadlines and (self.deadlines[0][0] <= now or self.deadlines[0][1].parting):
            flight = self.deadlines.popleft()[1]
            if not flight.parting and flight.sock.fileno() >= 0:
                self.tell(flight.job, self.timed_out(flight))
                self.close(flight)
        while self.partings and (self.partings[0][0] <= now or self.partings[0][1].sock.fileno() < 0):
            flight = self.partings.popleft()[1]
            if flight.sock.fileno() >= 0:
                self.close(flight)

    def timed_out(self, flight: _Flight) -> Seen:
        if flight.dialling:
            return Seen(Answer.TIMED_OUT, why=f"no connection within {self.timeout:g} s", hint="a firewall, or a wrong address?")
        why = f"connected, but no answer within {self.timeout:g} s"
        return Seen(Answer.TIMED_OUT, why=why, hint="is this PostgreSQL? then give it longer with `--timeout`")

    def close(self, flight: _Flight) -> None:
        del self.flights[flight.sock.fileno()]
        self.selector.unregister(flight.sock)
        flight.sock.close()
        self.waiting.back(flight.job)

    def tell(self, job: _Job, seen: Seen) -> None:
        chain = self.chains.setdefault(seen.chain, seen.chain)  # a fleet serves few distinct chains: hold each once
        self.found.append(
            Probed(
                job.target,
                job.address,
                seen.answer,
                datetime.now(UTC),
                seen.protocol,
                seen.cipher,
                chain,
                seen.why,
                seen.hint,
            )
        )


def _indication(name: str) -> str | None:
    """*name* as SNI can carry it, None for an address and for what is no host name (RFC 6066, section 3)."""
    if not name or literal(name) is not None or name.startswith("."):
        return None
    try:
        return name if len(name.encode("idna")) < 255 else None
    except UnicodeError:
        return None


def _dial(job: _Job) -> socket.socket:
    host, _, scope = job.address.partition("%")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        where = (host, job.target.port, 0, _scope_id(scope)) if ":" in host else (host, job.target.port)
        code = sock.connect_ex(where)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock


def _scope_id(scope: str) -> int:
    return int(scope) if scope.isdecimal() else socket.if_nametoindex(scope) if scope else 0


def _unreached(error: OSError) -> Seen:
    text = error.strerror or str(error)
    if error.errno == errno.ECONNREFUSED:
        return Seen(Answer.REFUSED, why="the connection was refused", hint="is the server running, and on this port?")
    if error.errno == errno.ETIMEDOUT:
        return Seen(Answer.TIMED_OUT, why="no connection: the system gave up", hint="a firewall, or a wrong address?")
    return Seen(Answer.UNREACHABLE, why=f"no connection: {text}", hint="check the address and the route to it")


def _broken(error: OSError) -> Seen:
    return Seen(Answer.HANDSHAKE_FAILED, why=f"the connection broke: {error.strerror or error}", hint="see the server's own log")


def to_evidence(probed: Probed) -> Evidence:
    """The answer as evidence: kind ``served-chain`` when the server's TLS is known now, else ``unreadable``.

    Facts: ``address``, ``answer``, ``protocol``, ``cipher``, ``fingerprints`` (SHA-256, leaf first) and ``chain`` (DER in
    hexadecimal, leaf first), or ``why``.
    """
    facts: dict[str, object] = {"address": probed.address, "answer": probed.answer.value}
    if probed.answer is Answer.TLS:
        facts |= {
            "protocol": probed.protocol,
            "cipher": probed.cipher,
            "fingerprints": [Certificate(der).fingerprint for der in probed.chain],
            "chain": [der.hex() for der in probed.chain],
        }
    else:
        facts["why"] = probed.why
    kind = "served-chain" if probed.has_answered else "unreadable"
    return Evidence(kind, str(probed.target), "probe", probed.seen_at, Strength.OBSERVED, facts)
