"""
Samples → who connects how: identities, by the way they connect and by the hour. Pure.

A sample sees only what is open at that moment. So a fold says what was seen and when it was looked; whoever is not in it may
still exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

LOCAL = "local"
"""Stands for the address of a session over a unix socket, where PostgreSQL has no TLS and needs none."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """Who connects, as the server knows it. ``server`` is the name that we gave it; ``kind`` is PostgreSQL's ``backend_type``."""

    server: str
    database: str
    user: str
    application: str
    address: str
    kind: str = "client backend"


@dataclass(frozen=True, slots=True, order=True)
class How:
    """By which encryption: a TLS version and cipher, GSSAPI, or neither."""

    protocol: str = ""
    cipher: str = ""
    gss: bool = False

    @property
    def encryption(self) -> str:
        """``tls``, ``gss`` or ``plaintext``."""
        return "tls" if self.protocol else "gss" if self.gss else "plaintext"


@dataclass(frozen=True, slots=True)
class Session:
    """All sessions of one identity that connect in one way, at one moment.

    ``open`` is how many there are; ``begun`` how many of them were not there at the sample before (all, in a first sample);
    ``oldest`` and ``newest`` are their ``backend_start``.
    """

    identity: Identity
    how: How
    open: int
    begun: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one server, at ``at`` by the server's own clock. ``hidden`` counts sessions that our role may not see.

    ``started`` is when the server was started: after a failover, or a restart, it is another moment. Where it is not ``full``,
    ``sessions`` are only those that were not there at the look before.
    """

    server: str
    at: datetime
    sessions: tuple[Session, ...]
    hidden: int = 0
    started: datetime | None = None
    full: bool = True


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one identity was seen connecting in one way.

    ``sessions`` is how many different sessions were seen, ``most`` how many at once, ``newest`` the start of the latest.
    ``hours`` maps the hour (``2026-11-23T10``, UTC) to the sessions first seen in it.
    """

    sessions: int
    samples: int
    most: int
    first_seen: datetime
    last_seen: datetime
    oldest: datetime
    newest: datetime
    hours: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: object) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(
            self.sessions + other.sessions,
            self.samples + other.samples,
            max(self.most, other.most),
            min(self.first_seen, other.first_seen),
            max(self.last_seen, other.last_seen),
            min(self.oldest, other.oldest),
            max(self.newest, other.newest),
            _add(self.hours, other.hours),
        )


@dataclass(frozen=True, slots=True)
class Window:
    """When one server was looked at, and how often; ``hidden`` is the most sessions that were not visible at once.

    ``starts`` are the different starts of the server that were seen: more than one tells of a restart or a failover.
    """

    first: datetime
    last: datetime
    samples: int
    hidden: int
    starts: tuple[datetime, ...] = ()

    def __add__(self, other: object) -> Window:
        if not isinstance(other, Window):
            return NotImplemented
        first, last = (self, other) if self.last <= other.last else (other, self)
        starts = tuple(dict.fromkeys((*first.starts, *last.starts)))
        return Window(
            min(self.first, other.first), last.last, self.samples + other.samples, max(self.hidden, other.hidden), starts
        )


class Folded:
    """Who connected how, over all samples added so far."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.tallies: dict[tuple[Identity, How], Tally] = {}
        self.windows: dict[str, Window] = {}
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        at, window = sample.at, self.windows.get(sample.server)
        look = Window(at, at, 1, sample.hidden, (sample.started,) if sample.started else ())
        self.windows[sample.server] = look if window is None else window + look
        hour = at.isoformat()[:13]
        for session in sample.sessions:
            key = (session.identity, session.how)
            begun = ((hour, session.begun),) if session.begun else ()
            more = Tally(session.begun, 1, session.open, at, at, session.oldest, session.newest, begun)
            self.tallies[key] = self.tallies[key] + more if key in self.tallies else more

    def __add__(self, other: object) -> Folded:
        if not isinstance(other, Folded):
            return NotImplemented
        both = Folded()
        both.tallies, both.windows = dict(self.tallies), dict(self.windows)
        for key, tally in other.tallies.items():
            both.tallies[key] = both.tallies[key] + tally if key in both.tallies else tally
        for server, window in other.windows.items():
            both.windows[server] = both.windows[server] + window if server in both.windows else window
        return both

    def ways(self, identity: Identity) -> dict[How, Tally]:
        """Every way in which one identity was seen to connect."""
        return {how: tally for (who, how), tally in sorted(self.tallies.items()) if who == identity}

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(sorted({who for who, _ in self.tallies}))


class Hourly:
    """Folds by the hour of the servers' own clocks, until they are taken."""

    def __init__(self) -> None:
        self.hours: dict[str, Folded] = {}

    def add(self, sample: Sample) -> None:
        self.hours.setdefault(sample.at.isoformat()[:13], Folded()).add(sample)

    def take(self) -> dict[str, Folded]:
        taken, self.hours = self.hours, {}
        return dict(sorted(taken.items()))

    def give_back(self, hours: dict[str, Folded]) -> None:
        """What was taken could not be kept: it stays, with what was added meanwhile."""
        for hour, more in self.hours.items():
            hours[hour] = hours[hour] + more if hour in hours else more
        self.hours = hours


def _add(hours: tuple[tuple[str, int], ...], more: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if not more:
        return hours
    counts = dict(hours)
    for hour, n in more:
        counts[hour] = counts.get(hour, 0) + n
    return tuple(sorted(counts.items()))
