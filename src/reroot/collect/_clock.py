"""
The clock that waiting goes by, handed in as a value: the wall's, or one that a laboratory moves by itself.

Whoever waits for AWS waits for minutes. By a clock that moves when somebody waits, a night of it is over in minutes, with the
same calls at the same moments.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back. Safe to share between threads."""

    def now(self) -> float: ...

    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Wall:
    """The machine's own."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


WALL = Wall()
