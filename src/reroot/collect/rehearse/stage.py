"""
The stage: a PostgreSQL server without a database, that presents chains and watches what clients do.

One thread serves every guest; what is said is ``_guest``'s affair. Whoever comes too often, stays too long, or is
not on the list is turned away, and the others do not notice.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Self

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
    at: datetime
    reaction: Reaction
    who: object = None
    passed: Passed | None = None


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
        self._poll.add(listener.fileno(), listener)
        host, port = listener.getsockname()[:2]
        return host, port

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Calls *call* from within ``play`` whenever *fd* is readable."""
        self._poll.add(fd, call)

    def forget(self, fd: int) -> None:
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
        behind = self._poll.behind
        left = self._due - monotonic()
        if left < most:
            most = left if left > 0.0 else 0.0
        for fd, mask in self._poll.wait(most if most < LONGEST else LONGEST):
            what = behind.get(fd)
            if type(what) is _Seat:
                self._serve(what, mask)
            elif isinstance(what, socket.socket):
                self._accept(what)
            elif what is not None:  # gone, by what an earlier one of this look around has brought about
                what()
        if self._passing:
            self._count_the_passed()
        if monotonic() >= self._due:
            self._keep_time(monotonic())

    # ── the door ─────────────────────────────────────────────────────────────────────────────────

    def _accept(self, listener: socket.socket) -> None:
        """One at a time: whoever else waits is heard of in the next look around."""
        try:
            sock, where = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._poll.remove(listener.fileno())  # a full table would wake us without end
                self._deaf_until = monotonic() + 0.1
                self._due = min(self._due, self._deaf_until)
            return
        host, port = where[0], where[1]
        now = monotonic()
        visits = self._visits(host, now)
        if not self._welcome(host, visits, now):
            self.turned_away += 1
            sock.close()
            return
        sock.setblocking(False)
        seat = _Seat(sock, Guest(host, port, self.cast), now + self.limits.patience)
        if self.identify is not None:
            seat.who = self.identify(host, port)
        visits.open += 1
        self._seats[seat.fd] = seat
        self._poll.add(seat.fd, seat)
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

    def _visits(self, host: str, now: float) -> _Visits:
        found = self._from.get(host)
        if found is None:
            if len(self._from) >= KNOWN_ADDRESSES:
                idle = next((h for h, v in self._from.items() if not v.open), None)
                if idle is not None:
                    del self._from[idle]
            found = self._from[host] = _Visits(self.limits.per_second, now)
        return found

    # ── guests ───────────────────────────────────────────────────────────────────────────────────

    def _serve(self, seat: _Seat, mask: int) -> None:
        try:
            if mask & WRITABLE:
                self._send(seat)
                if mask == WRITABLE:
                    return
            data = seat.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        guest = seat.guest
        if guest.reaction is not None:
            if not data:
                self._leave(seat)
            return
        guest.take(data)
        self._follow(seat, not data)

    def _follow(self, seat: _Seat, gone: bool = False) -> None:
        """After the guest has moved: say what is to be said, mind the hold, see it off."""
        guest = seat.guest
        if guest.outgoing and not gone:
            self._send(seat)
        if guest.hold_ends is not None:
            self._holding[seat.fd] = seat
            self._due = min(self._due, guest.hold_ends)
        elif self._holding:
            self._holding.pop(seat.fd, None)
        if guest.reaction is None:
            return
        self.served += 1
        passed = self._pass_on(seat) if guest.onward is not None and not gone else None
        self.told(Met(guest.address, guest.port, datetime.now(UTC), guest.reaction, seat.who, passed))
        if passed is not None:
            return
        if gone or guest.reaction.ending not in LAST_WORDS:
            self._leave(seat)
            return
        with suppress(OSError):
            seat.sock.shutdown(socket.SHUT_WR)
        until = monotonic() + PARTING
        self._parting.append((until, seat))
        self._due = min(self._due, until)

    def _pass_on(self, seat: _Seat) -> Passed:
        """From here on a thread of its own serves this session; it counts as its address's until it ends."""
        from .through import Passed, Passing, Side

        onward = seat.guest.onward
        assert onward is not None
        memory = onward.engine.surrender() if onward.engine is not None else (None, ssl.MemoryBIO(), ssl.MemoryBIO())
        side = Side(seat.sock, *memory)
        side.unsent, passed = seat.unsent, Passed()
        del self._seats[seat.fd]
        self._holding.pop(seat.fd, None)
        self._poll.remove(seat.fd)
        passing = Passing(side, onward.opening, onward.upstream, passed)
        self._passing.append((passing, seat.guest.address))
        passing.start()
        return passed

    def _send(self, seat: _Seat) -> None:
        unsent = seat.unsent + seat.guest.outgoing
        seat.guest.outgoing = b""
        try:
            sent = seat.sock.send(unsent) if unsent else 0
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
        del self._seats[seat.fd]
        self._holding.pop(seat.fd, None)
        self._poll.closing(seat.fd)
        seat.sock.close()
        self._from[seat.guest.address].open -= 1

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    def _next_moment(self) -> float:
        """When something is due. Seats are in the order in which they were taken, and all get the same patience."""
        moments = [s.guest.hold_ends for s in self._holding.values() if s.guest.hold_ends is not None]
        moments += [seat.deadline for seat in itertools.islice(self._seats.values(), 1)]
        moments += [until for until, _ in itertools.islice(self._parting, 1)]
        moments += [self._deaf_until] * bool(self._deaf_until)
        return min(moments, default=NEVER)

    def _keep_time(self, now: float) -> None:
        """Does what is due. Who leaves in time leaves its moment behind, so there may be nothing to do."""
        if self._deaf_until and now >= self._deaf_until:
            self._deaf_until = 0.0
            for listener in self._listeners:
                self._poll.add(listener.fileno(), listener)
        for seat in [s for s in self._holding.values() if s.guest.hold_ends is not None and s.guest.hold_ends <= now]:
            seat.guest.go_on()
            self._follow(seat)
        while self._parting and self._parting[0][0] <= now:
            self._leave(self._parting.popleft()[1])
        while self._seats and (seat := next(iter(self._seats.values()))).deadline <= now:
            if seat.guest.reaction is None:
                seat.guest.give_up()
                self._follow(seat, True)
            else:
                self._leave(seat)
        self._due = self._next_moment()

    def _count_the_passed(self) -> None:
        for passing, address in [p for p in self._passing if not p[0].is_alive()]:
            self._passing.remove((passing, address))
            self._from[address].open -= 1


class _Seat:
    """A guest with its socket."""

    __slots__ = ("deadline", "fd", "guest", "sock", "unsent", "waits_to_write", "who")

    def __init__(self, sock: socket.socket, guest: Guest, deadline: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.guest = guest
        self.deadline = deadline
        self.unsent = b""
        self.waits_to_write = False
        self.who: object = None


class Poll:
    """Which descriptors have something, and what stands ``behind`` them: epoll where there is one, else poll."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._poll = select.poll() if self._epoll is None else self._epoll
        self.behind: dict[int, Any] = {}

    def add(self, fd: int, what: Any) -> None:
        if fd not in self.behind:
            self._poll.register(fd, READABLE)
        self.behind[fd] = what

    def also_writable(self, fd: int, wanted: bool) -> None:
        self._poll.modify(fd, READABLE | WRITABLE * wanted)

    def remove(self, fd: int) -> None:
        if self.behind.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def closing(self, fd: int) -> None:
        """It is about to be closed, which takes it out of an epoll."""
        if self._epoll is None:
            self.remove(fd)
        else:
            self.behind.pop(fd, None)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return self._epoll.poll(seconds, MOST) if self._epoll is not None else self._poll.poll(seconds * 1e3)

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
