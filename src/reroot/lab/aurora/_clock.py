"""
When things happen in the stand-in: as time goes by, in a thread of its own; or as soon as somebody waits for them.

By a simulated clock a rotation of hours takes minutes: nobody sleeps, and what falls due happens in its order, in the thread of
whoever waits. Whoever is to be measured must wait by the same clock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Protocol

from ...collect._clock import WALL

Act = Callable[[], None]


class Course(Protocol):
    """A clock that acts can be entrusted to; ``mishaps`` says which of them went wrong, and how."""

    mishaps: list[str]

    def now(self) -> float: ...

    def wait(self, seconds: float) -> None: ...

    def later(self, seconds: float, act: Act, *, is_course: bool = True) -> None:
        """Do *act* then. What is no course that was begun, but a date in the calendar, nobody waits for who waits for the end."""

    def settled(self, timeout: float) -> bool:
        """Wait until nothing is under way."""

    def close(self) -> None: ...


class Running:
    """The wall clock, with one thread that does what is due."""

    def __init__(self) -> None:
        self.mishaps: list[str] = []
        self.now, self.wait = WALL.now, WALL.wait
        self._due: list[tuple[float, int, Act, bool]] = []
        self._number = itertools.count()
        self._news = threading.Condition()
        self._over = False
        self._worker = threading.Thread(target=self._work, daemon=True, name="rds-stand-in")
        self._worker.start()

    def later(self, seconds: float, act: Act, *, is_course: bool = True) -> None:
        with self._news:
            heapq.heappush(self._due, (self.now() + seconds, next(self._number), act, is_course))
            self._news.notify_all()

    def settled(self, timeout: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: not any(one[3] for one in self._due), timeout)

    def close(self) -> None:
        with self._news:
            self._over = True
            self._news.notify_all()
        self._worker.join()

    def _work(self) -> None:
        while True:
            with self._news:
                while not self._over and (not self._due or self._due[0][0] > self.now()):
                    self._news.wait(None if not self._due else max(0.0, self._due[0][0] - self.now()))
                if self._over:
                    return
                due = self._due[0]
            _do(due[2], self.mishaps)
            with self._news:
                self._due.remove(due)
                heapq.heapify(self._due)
                self._news.notify_all()


class Simulated:
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.mishaps: list[str] = []
        self._now = 0.0
        self._due: list[tuple[float, int, Act, bool]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._acting = threading.RLock()

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        self._go_to(self._now + seconds)

    def later(self, seconds: float, act: Act, *, is_course: bool = True) -> None:
        with self._lock:
            heapq.heappush(self._due, (self._now + seconds, next(self._number), act, is_course))

    def settled(self, timeout: float) -> bool:
        until = self._now + timeout
        while (following := self._next_course()) is not None and following <= until:
            self._go_to(following)
        return following is None

    def _next_course(self) -> float | None:
        with self._lock:
            return min((at for at, _, _, is_course in self._due if is_course), default=None)

    def close(self) -> None:
        self._due.clear()

    def _go_to(self, until: float) -> None:
        """What is due by then happens at its moment, one after the other, whoever waits."""
        with self._acting:
            while True:
                with self._lock:
                    if not self._due or self._due[0][0] > until:
                        self._now = max(self._now, until)
                        return
                    at, _, act, _ = heapq.heappop(self._due)
                    self._now = max(self._now, at)
                _do(act, self.mishaps)


def _do(act: Act, mishaps: list[str]) -> None:
    try:
        act()
    except Exception as error:  # a server that did not come up must not end the stand-in; tests look here
        mishaps.append(f"{type(error).__name__}: {error}")
