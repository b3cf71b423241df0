"""
Samples → who connects how: identities, by the way they connect and by the hour. Pure.

A sample sees only what is open at that moment. So a fold says what was seen and when it was looked; whoever is not in it may
still exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    """One look at one server, at ``at`` by the server's own clock. ``hidden`` counts sessions that our role may not see."""

    server: str
    at: datetime
    sessions: tuple[Session, ...]
    hidden: int = 0


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


@dataclass(frozen=True, slots=True)
class Window:
    """When one server was looked at, and how often; ``hidden`` is the most sessions that were not visible at once."""

    first: datetime
    last: datetime
    samples: int
    hidden: int


class Folded:
    """Who connected how, over all samples added so far."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.tallies: dict[tuple[Identity, How], Tally] = {}
        self.windows: dict[str, Window] = {}
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        at, window = sample.at, self.windows.get(sample.server)
        if window is None:
            self.windows[sample.server] = Window(at, at, 1, sample.hidden)
        else:
            self.windows[sample.server] = Window(
                min(window.first, at), max(window.last, at), window.samples + 1, max(window.hidden, sample.hidden)
            )
        hour = at.isoformat()[:13]
        for session in sample.sessions:
            key = (session.identity, session.how)
            seen = self.tallies.get(key)
            begun = ((hour, session.begun),) if session.begun else ()
            if seen is None:
                self.tallies[key] = Tally(session.begun, 1, session.open, at, at, session.oldest, session.newest, begun)
                continue
            self.tallies[key] = replace(
                seen,
                sessions=seen.sessions + session.begun,
                samples=seen.samples + 1,
                most=max(seen.most, session.open),
                first_seen=min(seen.first_seen, at),
                last_seen=max(seen.last_seen, at),
                oldest=min(seen.oldest, session.oldest),
                newest=max(seen.newest, session.newest),
                hours=_add(seen.hours, begun),
            )

    def ways(self, identity: Identity) -> dict[How, Tally]:
        """Every way in which one identity was seen to connect."""
        return {how: tally for (who, how), tally in sorted(self.tallies.items()) if who == identity}

    @property
    def identities(self) -> tuple[Identity, ...]:
        return tuple(sorted({who for who, _ in self.tallies}))


def _add(hours: tuple[tuple[str, int], ...], more: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if not more:
        return hours
    counts = dict(hours)
    for hour, n in more:
        counts[hour] = counts.get(hour, 0) + n
    return tuple(sorted(counts.items()))
