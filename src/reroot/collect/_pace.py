"""
Whose turn it is: work waiting by host, let out no faster than its host can bear.

A PostgreSQL server forks for every connection; with its half of the handshake that costs it 3 to 6 ms of CPU (`bench/probe.py
--real`, 15.18 and 17.10, RSA-2048), so who asks fast is a load. Time is passed in, in seconds of a clock that never goes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Generic, TypeVar

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Pace:
    """How one host is treated: so many at once, so many a second, after the first *burst* that need not wait.

    The default asks a host for at most 20 handshakes a second: about a tenth of one of its cores.
    """

    at_once: int = 4
    per_second: float = 20.0
    burst: int = 10


@dataclass(slots=True)
class _Host(Generic[Job]):
    jobs: deque[Job]
    out: int = 0
    due: float = float("-inf")
    """When the next job would be due if the pace had been kept exactly; the burst is how far ahead one may be."""


class Waiting(Generic[Job]):
    """Jobs by host. ``take`` gives the next one that may start; ``back`` says that one of a host has ended."""

    def __init__(self, pace: Pace, host_of: Callable[[Job], str]) -> None:
        self._interval = 1.0 / pace.per_second
        self._ahead = (pace.burst - 1) * self._interval
        self._at_once = pace.at_once
        self._host_of = host_of
        self._hosts: dict[str, _Host[Job]] = {}
        self._ready: list[tuple[float, int, str]] = []
        self._order = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, job: Job) -> None:
        name = self._host_of(job)
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(deque())
        host.jobs.append(job)
        self._count += 1
        if len(host.jobs) == 1 and host.out < self._at_once:
            self._queue(name, host)

    def take(self, now: float) -> Job | None:
        """The next job that may start at *now*, None when all must wait."""
        if not self._ready or self._ready[0][0] > now:
            return None
        name = heappop(self._ready)[2]
        host = self._hosts[name]
        host.due = max(host.due, now) + self._interval
        host.out += 1
        self._count -= 1
        job = host.jobs.popleft()
        if host.jobs and host.out < self._at_once:
            self._queue(name, host)
        return job

    def back(self, job: Job) -> None:
        """A job taken before has ended."""
        host = self._hosts[self._host_of(job)]
        host.out -= 1
        if host.jobs and host.out == self._at_once - 1:
            self._queue(self._host_of(job), host)

    def next_at(self) -> float | None:
        """When ``take`` may succeed next, without a job coming back first."""
        return self._ready[0][0] if self._ready else None

    def _queue(self, name: str, host: _Host[Job]) -> None:
        self._order += 1
        heappush(self._ready, (host.due - self._ahead, self._order, name))
