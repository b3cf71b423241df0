"""
The stage: a PostgreSQL server without a database, that presents chains and watches what clients do.

One thread serves every guest; what is said is ``_guest``'s affair. Whoever comes too often, stays too long, or is
not on the list is turned away, and the others do not notice.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import os
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple, Self

from ...errors import InputError, ReachError
from ...rehearsal import Ending, Reaction
from ._guest import Casting, Guest

if TYPE_CHECKING:
    from .through import Passed, Passing

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
CHUNK = 16_384
PARTING = 1.0
"""Seconds that a client gets to read the last word and hang up."""
LAST_WORDS = frozenset({Ending.LOGIN, Ending.PLAINTEXT, Ending.NOT_POSTGRESQL})
"""Endings after which the client has something to read, that closing at once could take from it."""
NEVER, LONGEST = float("inf"), 3600.0
READABLE, WRITABLE = select.POLLIN, select.POLLOUT
MOST = 512
"""Descriptors that are looked at in one look around."""
KNOWN_ADDRESSES = 4096
"""How many addresses the rate limit remembers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``connections`` open at once, ``per_address`` of them from one address, ``per_second`` new ones of one address with a
    burst of as many; ``patience`` in seconds for one whole guest."""

    connections: int = 2_500
    per_address: int = 2_500
    per_second: float = 500.0
    patience: float = 15.0


class Met(NamedTuple):
    """One guest that has left: who, when, and what it did. ``who`` is what ``identify`` said of it when it came; ``passed`` is what
    becomes of one that went on to the real server."""

    address: str
    port: int
    seconds: float
    reaction: Reaction
    who: object = None
    passed: Passed | None = None

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Stage:
    """Listens while the block lasts. ``told`` is called once for each guest, from within ``play``."""

    def __init__(
        self,
        cast: Casting,
        told: Callable[[Met], None],
        *,
        limits: Limits = Limits(),
        allow: Sequence[Network] = LOOPBACK,
        identify: Callable[[str, int], object] | None = None,
    ) -> None:
        self.cast = cast
        self.told = told
        self.limits = limits
        self.allow = tuple(allow)
        self.identify = identify
        self.turned_away = 0
        self.served = 0
        self._poll = Poll()
        self._listeners: list[socket.socket] = []
        self._calls: dict[int, Callable[[], None]] = {}
        self._seats: dict[int, _Seat] = {}
        self._holding: dict[int, _Seat] = {}
        self._parting: deque[tuple[float, _Seat]] = deque()
        self._from: dict[str, _Visits] = {}
        self._deaf_until = 0.0
        self._due = NEVER  # never later than the next moment at which something has to be done
        self._passing: list[tuple[Passing, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for seat in list(self._seats.values()):
            self._leave(seat)
        for listener in self._listeners:
            listener.close()
        self._poll.close()
        for passing, _address in self._passing:
            passing.break_off()
        for passing, _address in self._passing:
            passing.join()

    def listen(self, host: str, port: int) -> tuple[str, int]:
        """Opens a door; gives the address and port it got."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError as error:
            listener.close()
            raise ReachError(
                f"cannot listen on `{host}:{port}`: {error.strerror}", hint="is the address this machine's, and the port free?"
            ) from error
        return self.adopt(listener)

    def adopt(self, listener: socket.socket) -> tuple[str, int]:
        """Takes over a bound socket."""
        listener.listen(1024)
        listener.setblocking(False)
        with suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what it accepts inherits it
        self._listeners.append(listener)
        self.watch(listener.fileno(), partial(self._accept, listener))
        host, port = listener.getsockname()[:2]
        return host, port

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Calls *call* from within ``play`` whenever *fd* is readable."""
        self._calls[fd] = call
        self._poll.add(fd)

    def forget(self, fd: int) -> None:
        if self._calls.pop(fd, None) is not None:
            self._poll.remove(fd)

    @property
    def guests(self) -> int:
        """Who is here, and who was sent on and has not ended yet."""
        return len(self._seats) + sum(passing.is_alive() for passing, _ in self._passing)

    def play(self, until: float) -> None:
        """Serves whoever comes, until the clock (``time.monotonic``) shows *until*."""
        while (now := monotonic()) < until:
            self.turn(until - now)

    def turn(self, most: float) -> None:
        """One look around, of at most that many seconds."""
        left = self._due - monotonic()
        if left < most:
            most = left if left > 0.0 else 0.0
        for fd, mask in self._poll.wait(most if most < LONGEST else LONGEST, MOST):
            if (seat := self._seats.get(fd)) is not None:
                self._serve(seat, mask)
            elif (call := self._calls.get(fd)) is not None:  # else gone, by what an earlier one of this look around brought about
                call()
        if self._passing:
            self._count_the_passed()
        if monotonic() >= self._due:
            self._keep_time(monotonic())

    # ── the door ─────────────────────────────────────────────────────────────────────────────────

    def _accept(self, listener: socket.socket) -> None:
        """One at a time: whoever else waits is heard of in the next look around.

        ``accept`` makes an object that costs more than all that is done with it; ``_accept`` is what it is made of, in every Python 3.
        """
        try:
            fd, where = listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self.forget(listener.fileno())  # a full table would wake us without end
                self._deaf_until = monotonic() + 0.1
                self._due = min(self._due, self._deaf_until)
            return
        host, port = where[0], where[1]
        now = monotonic()
        visits = self._from.get(host)
        if visits is None:
            visits = self._new_visits(host, now)
        if not self._welcome(host, visits, now):
            self.turned_away += 1
            os.close(fd)
            return
        os.set_blocking(fd, False)
        seat = _Seat(host, port, self.cast)
        seat.fd, seat.deadline = fd, now + self.limits.patience
        seat.unsent, seat.waits_to_write, seat.who = b"", False, None
        if self.identify is not None:
            seat.who = self.identify(host, port)
        visits.open += 1
        self._seats[fd] = seat
        self._poll.add(fd)
        if seat.deadline < self._due:
            self._due = seat.deadline

    def _welcome(self, host: str, visits: _Visits, now: float) -> bool:
        if len(self._seats) + len(self._passing) >= self.limits.connections or visits.open >= self.limits.per_address:
            return False
        if visits.allowed is None:
            address = ipaddress.ip_address(host.partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None)
            visits.allowed = any((mapped or address) in network for network in self.allow)
        return visits.allowed and visits.take(self.limits.per_second, now)

    def _new_visits(self, host: str, now: float) -> _Visits:
        if len(self._from) >= KNOWN_ADDRESSES:
            idle = next((h for h, v in self._from.items() if not v.open), None)
            if idle is not None:
                del self._from[idle]
        made = self._from[host] = _Visits(self.limits.per_second, now)
        return made

    # ── guests ───────────────────────────────────────────────────────────────────────────────────

    def _serve(self, seat: _Seat, mask: int) -> None:
        try:
            if mask & WRITABLE:
                self._send(seat)
                if mask == WRITABLE:
                    return
            data = os.read(seat.fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if seat.reaction is not None:
            if not data:
                self._leave(seat)
            return
        seat.take(data)
        if seat.reaction is not None or seat.outgoing or seat.hold_ends is not None or self._holding:
            self._follow(seat, not data)

    def _follow(self, seat: _Seat, gone: bool = False) -> None:
        """After the guest has moved: say what is to be said, mind the hold, see it off."""
        if seat.outgoing and not gone:
            self._send(seat)
        if seat.hold_ends is not None:
            self._holding[seat.fd] = seat
            self._due = min(self._due, seat.hold_ends)
        elif self._holding:
            self._holding.pop(seat.fd, None)
        reaction = seat.reaction
        if reaction is None:
            return
        self.served += 1
        passed = self._pass_on(seat) if seat.onward is not None and not gone else None
        self.told(Met(seat.address, seat.port, time(), reaction, seat.who, passed))
        if passed is not None:
            return
        if gone or reaction.ending not in LAST_WORDS:
            self._leave(seat)
            return
        with suppress(OSError):
            seat.hang_up()
        until = monotonic() + PARTING
        self._parting.append((until, seat))
        self._due = min(self._due, until)

    def _pass_on(self, seat: _Seat) -> Passed:
        """From here on a thread of its own serves this session; it counts as its address's until it ends."""
        from .through import Passed, Passing, Side

        onward = seat.onward
        assert onward is not None
        memory = onward.engine.surrender() if onward.engine is not None else (None, ssl.MemoryBIO(), ssl.MemoryBIO())
        side = Side(socket.socket(fileno=seat.fd), *memory)
        side.unsent, passed = seat.unsent, Passed()
        del self._seats[seat.fd]
        self._holding.pop(seat.fd, None)
        self._poll.remove(seat.fd)
        passing = Passing(side, onward.opening, onward.upstream, passed)
        self._passing.append((passing, seat.address))
        passing.start()
        return passed

    def _send(self, seat: _Seat) -> None:
        unsent = seat.unsent + seat.outgoing
        seat.outgoing = b""
        try:
            sent = os.write(seat.fd, unsent) if unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(unsent)  # its end is seen by the next read
        seat.unsent = unsent[sent:]
        if seat.waits_to_write != bool(seat.unsent):
            seat.waits_to_write = bool(seat.unsent)
            self._poll.also_writable(seat.fd, seat.waits_to_write)

    def _leave(self, seat: _Seat) -> None:
        if self._seats.get(seat.fd) is not seat:
            return  # it has left, and its number may be another's by now
        self._from[seat.address].open -= 1
        self._holding.pop(seat.fd, None)
        self._poll.closing(seat.fd)
        with suppress(OSError):
            os.close(seat.fd)
        del self._seats[seat.fd]  # last: who counts the guests from outside finds nothing left to be done for it

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    def _next_moment(self) -> float:
        """When something is due. Seats are in the order in which they were taken, and all get the same patience."""
        moments = [s.hold_ends for s in self._holding.values() if s.hold_ends is not None]
        moments += [seat.deadline for seat in itertools.islice(self._seats.values(), 1)]
        moments += [until for until, _ in itertools.islice(self._parting, 1)]
        moments += [self._deaf_until] * bool(self._deaf_until)
        return min(moments, default=NEVER)

    def _keep_time(self, now: float) -> None:
        """Does what is due. Who leaves in time leaves its moment behind, so there may be nothing to do."""
        if self._deaf_until and now >= self._deaf_until:
            self._deaf_until = 0.0
            for listener in self._listeners:
                if listener.fileno() not in self._calls:
                    self.watch(listener.fileno(), partial(self._accept, listener))
        for seat in [s for s in self._holding.values() if s.hold_ends is not None and s.hold_ends <= now]:
            seat.go_on()
            self._follow(seat)
        while self._parting and self._parting[0][0] <= now:
            self._leave(self._parting.popleft()[1])
        while self._seats and (seat := next(iter(self._seats.values()))).deadline <= now:
            if seat.reaction is None:
                seat.give_up()
                self._follow(seat, True)
            else:
                self._leave(seat)
        self._due = self._next_moment()

    def _count_the_passed(self) -> None:
        for passing, address in [p for p in self._passing if not p[0].is_alive()]:
            self._passing.remove((passing, address))
            self._from[address].open -= 1


class _Seat(Guest):
    """A guest with its socket, a bare descriptor."""

    __slots__ = ("deadline", "fd", "unsent", "waits_to_write", "who")

    fd: int
    deadline: float
    unsent: bytes
    waits_to_write: bool
    who: object

    def hang_up(self) -> None:
        """Nothing more is said; what it still says is read."""
        sock = socket.socket(fileno=self.fd)
        try:
            sock.shutdown(socket.SHUT_WR)
        finally:
            sock.detach()


class Poll:
    """Which descriptors have something: epoll where there is one, else poll. ``closing`` is for those that are about to be closed,
    which takes them out of an epoll; ``wait`` takes seconds, and how many descriptors are enough."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._poll = select.poll() if self._epoll is None else self._epoll
        self.wait: Callable[[float, int], list[tuple[int, int]]] = self._wait if self._epoll is None else self._epoll.poll

    def add(self, fd: int) -> None:
        self._poll.register(fd, READABLE)

    def also_writable(self, fd: int, wanted: bool) -> None:
        self._poll.modify(fd, READABLE | WRITABLE * wanted)

    def remove(self, fd: int) -> None:
        self._poll.unregister(fd)

    def closing(self, fd: int) -> None:
        if self._epoll is None:
            self._poll.unregister(fd)

    def _wait(self, seconds: float, most: int) -> list[tuple[int, int]]:
        return self._poll.poll(seconds * 1e3)[:most]

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()


class _Visits:
    """One address at the door: how many of it are inside, and a bucket that fills with time."""

    __slots__ = ("allowed", "at", "left", "open")

    def __init__(self, burst: float, now: float) -> None:
        self.open = 0
        self.left = burst
        self.at = now
        self.allowed: bool | None = None

    def take(self, per_second: float, now: float) -> bool:
        left, most = self.left + (now - self.at) * per_second, per_second if per_second > 1.0 else 1.0
        self.left = left = left if left < most else most
        self.at = now
        if left < 1:
            return False
        self.left = left - 1
        return True


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """``10.0.0.0/8``, ``192.0.2.7`` …"""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise InputError(f"not an address or network: {error}", hint="write `10.1.0.0/16` or `192.0.2.7`") from None
