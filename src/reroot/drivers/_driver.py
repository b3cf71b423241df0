"""What one driver file must say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from ..model import Given, Settings, TrustPolicy


@dataclass(frozen=True)
class Driver:
    """A driver: how it reads its settings, and what it will therefore check. It never checks itself.

    ``versions`` says in words which versions the rules hold for, ``proven`` against which they were run in this project, and
    ``measured`` with which the rows were measured by hand; a driver with neither is known from its source only.
    ``possible`` narrows a client whose driver or runtime version is not known to every version it may be, and is empty
    when the version stands outside the rules. ``read`` gives the effective settings and raises ``SettingsError`` where
    the driver itself would refuse them. ``policy`` is the table: what these settings make the driver check.
    """

    name: str
    title: str
    source: str
    versions: str
    proven: tuple[str, ...]
    possible: Callable[[Given], tuple[Given, ...]]
    read: Callable[[Given], Settings]
    policy: Callable[[Given, Settings], TrustPolicy]
    measured: tuple[str, ...] = ()

    @property
    def known_by(self) -> str:
        """How it is known, in a few words for a table."""
        parts = [", ".join(self.proven), f"measured by hand: {', '.join(self.measured)}" if self.measured else ""]
        return "; ".join(part for part in parts if part) or "source only"


def major(version: str | None) -> int | None:
    """The first number of a version; libpq's own ``150018`` form gives 15."""
    numbers = numbered(version)
    if not numbers:
        return None
    return numbers[0] // 10000 if numbers[0] >= 90000 else numbers[0]


@lru_cache(maxsize=1024)
def numbered(version: str | None) -> tuple[int, ...]:
    """A version as numbers, up to the first part that is none: ``42.7.4.jre7`` gives (42, 7, 4)."""
    found = []
    for part in (version or "").strip().lstrip("vV").split("."):
        digits = "".join(c for c in part if c.isdigit())
        if not digits or not part[0].isdigit():
            break
        found.append(int(digits if part.isdigit() else _leading(part)))
        if not part.isdigit():
            break
    return tuple(found)


def _leading(part: str) -> str:
    return part[: next(i for i, c in enumerate(part) if not c.isdigit())]
