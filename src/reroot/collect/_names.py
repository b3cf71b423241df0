"""
Host names → addresses, many at a time, without holding up whoever asks.

``getaddrinfo`` blocks and may take its resolver's whole patience; so a few threads call it, and a socket wakes the asker.
The threads are daemons: a name server that never answers does not keep the program from ending.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType

THREADS = 8

Answer = tuple[str, ...] | socket.gaierror | UnicodeError
"""A name's distinct addresses in the resolver's order, or why there are none."""


def literal(host: str) -> str | None:
    """The address that *host* already is, in its shortest spelling; a scope (``fe80::1%eth0``) is kept. None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


class Names:
    """Asks for names in the background; ``wake`` is readable when answers wait."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[str | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, Answer]] = SimpleQueue()
        self._threads = 0
        self.pending = 0
        self.wake, self._bell = socket.socketpair()
        self.wake.setblocking(False)
        self._bell.setblocking(False)

    def __enter__(self) -> Names:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _ in range(self._threads):
            self._questions.put(None)
        self.wake.close()
        self._bell.close()

    def ask(self, name: str) -> None:
        self.pending += 1
        if self._threads < min(self.pending, THREADS):
            self._threads += 1
            Thread(target=self._resolve, name="reroot-names", daemon=True).start()
        self._questions.put(name)

    def answers(self) -> list[tuple[str, Answer]]:
        """What has been answered since the last call."""
        if not self.pending:
            return []
        try:
            while self.wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        found = []
        try:
            while True:
                found.append(self._answers.get_nowait())
        except Empty:
            self.pending -= len(found)
            return found

    def _resolve(self) -> None:
        while (name := self._questions.get()) is not None:
            self._answers.put((name, resolve(name)))
            try:
                self._bell.send(b"!")
            except BlockingIOError:
                pass  # it rings already
            except OSError:
                return  # nobody is listening any more


def resolve(name: str) -> Answer:
    """All TCP addresses of *name* that this machine has a route for, asked for once: resolvers drop what comes too fast."""
    try:
        entries = socket.getaddrinfo(name, None, family=_family(), type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        return error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in entries))


@lru_cache
def _family() -> socket.AddressFamily:
    """The one family that this machine has a route for, else both.

    ``AI_ADDRCONFIG`` asks the same, but finds no name at all where only the loopback interface is up.
    """
    routed = [family for family, outside in OUTSIDE.items() if _has_route(family, outside)]
    return routed[0] if len(routed) == 1 else socket.AF_UNSPEC


OUTSIDE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""An address of the documentation ranges for each family. Nothing is sent to it."""


def _has_route(family: socket.AddressFamily, outside: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((outside, 9))
    except OSError:
        return False
    return True
