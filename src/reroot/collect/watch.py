"""
After a cut-over: who turns away, who is gone, who lost TLS? What the rotation's gate reads, beside what was usual before.

A server is never quiet: health checks open the port and leave, somebody's tool has never trusted the root. So nothing is an alarm by
itself. What an address did before the cut-over and what it does since are compared as two stretches of one rate (the exact conditional
test of two Poisson counts), and a client that still logs in over TLS is not called gone. A step from TLS to plaintext needs no
statistics: one session is enough.

Nobody heard of is nobody known: clients that have not connected since are counted, never called fine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import comb
from threading import Event as Alarm
from time import monotonic

from ..logs import Bearing, Event, Rollup, Row, bearing
from ..rotation import Answer
from .ingest import Follower

UNLIKELY = 1e-6
"""How unlikely more refusals than before must be to count: less than one false alarm in a thousand cut-overs of busy servers."""

FEWEST = {Bearing.DISTRUST: 2, Bearing.UNDECIDABLE: 4}
"""Fewer of them are never enough: a client that cannot connect tries again."""

BEFORE_THE_CALL = 15.0
"""Seconds between a cut-over and the question what became of the clients; what was logged in them belongs to the time after."""


@dataclass(frozen=True, order=True)
class Concern:
    """One reason to go back. ``kind`` is ``refuses`` (the certificate), ``gone`` (leaves without a word) or ``lost-tls``."""

    kind: str
    server: str
    who: str
    text: str
    before: int
    since: int


@dataclass(frozen=True)
class Verdict:
    """What became of the clients of one server: ``back`` of ``known`` ones have logged in over TLS since."""

    concerns: tuple[Concern, ...]
    known: int
    back: int

    def __str__(self) -> str:
        if self.concerns:
            return "; ".join(c.text for c in self.concerns[:5]) + (
                f"; and {len(self.concerns) - 5} more" if len(self.concerns) > 5 else ""
            )
        return f"{self.back} of {self.known} clients have connected with TLS since; the others have not been heard of"


def compare(before: Rollup, before_seconds: float, since: Rollup, since_seconds: float, server: str | None = None) -> Verdict:
    """What is different *since*, on *server* or on all; both rollups settled, both stretches with their length in seconds."""
    old, new = _Seen(before, server), _Seen(since, server)
    concerns = [*_turned_away(old, new, before_seconds, since_seconds), *_lost_tls(old, new)]
    back = old.encrypted.keys() & new.encrypted.keys()
    return Verdict(tuple(sorted(concerns)), len(old.encrypted), len(back))


class _Seen:
    """A rollup by what is compared: refusals by address, logins by identity."""

    def __init__(self, rollup: Rollup, server: str | None) -> None:
        self.refusals: Counter[tuple[str, str, Bearing]] = Counter()
        self.causes: dict[tuple[str, str, Bearing], str] = {}
        self.logins: Counter[tuple[str, str]] = Counter()
        self.encrypted: Counter[tuple[str, ...]] = Counter()
        self.plain: Counter[tuple[str, ...]] = Counter()
        for row, tally in (*rollup.rows.items(), *rollup.silent()):
            if server is not None and row.server != server:
                continue
            if row.event == Event.SESSION.value:
                way = {"tls": self.encrypted, "plaintext": self.plain}.get(row.encryption)
                if way is not None:
                    way[_identity(row)] += tally.number
                if row.encryption == "tls":
                    self.logins[row.server, row.address] += tally.number
            elif row.event != Event.RECEIVED.value:
                key = (row.server, row.address, bearing(row.cause))
                self.refusals[key] += tally.number
                self.causes[key] = row.cause


def _identity(row: Row) -> tuple[str, ...]:
    return row.server, row.user, row.database, row.application, row.address


def _turned_away(old: _Seen, new: _Seen, before_seconds: float, since_seconds: float) -> list[Concern]:
    share = since_seconds / (before_seconds + since_seconds) if before_seconds + since_seconds else 1.0
    found = []
    for (server, address, meaning), times in new.refusals.items():
        usual = old.refusals[server, address, meaning]
        if times < FEWEST.get(meaning, times + 1):
            continue
        was_client = old.logins[server, address] > 0
        # An alert says what it means: from one who used to log in and never sent any, it needs no statistics.
        is_plain = meaning is Bearing.DISTRUST and was_client and not usual
        if not is_plain and at_least(times, usual + times, share) >= UNLIKELY:
            continue
        if meaning is Bearing.UNDECIDABLE and (new.logins[server, address] or not was_client):
            continue
        cause = new.causes[server, address, meaning]
        kind = "refuses" if meaning is Bearing.DISTRUST else "gone"
        text = f"{address or 'unknown'}: {cause} ({times} times since, {usual} before)"
        found.append(Concern(kind, server, address, text, usual, times))
    return found


def _lost_tls(old: _Seen, new: _Seen) -> list[Concern]:
    found = []
    # A container comes back under another address; what it calls itself stays.
    by_name_tls, by_name_plain = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for counts, sums in ((old.encrypted, by_name_tls), (old.plain, by_name_plain)):
        for identity, times in counts.items():
            sums[identity[:4]] += times
    addresses = {(identity[0], identity[4]) for identity in (*old.encrypted, *old.plain)}
    for identity, times in new.plain.items():
        server, user, database, application, address = identity
        is_new = (server, address) not in addresses
        was, plain = (
            (by_name_tls[identity[:4]], by_name_plain[identity[:4]]) if is_new else (old.encrypted[identity], old.plain[identity])
        )
        if was and not plain:
            who = f"{user}@{database}" + (f" ({application})" if application else "")
            text = f"{who} from {address or 'unknown'}: {times} sessions in plaintext, where all {was} before had TLS"
            found.append(Concern("lost-tls", server, address, text, was, times))
    return found


def at_least(times: int, of: int, share: float) -> float:
    """The chance that of *of* events, each falling into a stretch with the chance *share*, at least *times* do."""
    if times <= 0:
        return 1.0
    # The tail is summed where it is short; 2,000 events settle any question of ours.
    if of > 2000:
        scale = of / 2000
        times, of = int(times / scale), 2000
    return min(1.0, sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(times, of + 1)))


class LogWatch:
    """Watches servers' logs through a rotation; ``clients`` is what ``app.fleet_of`` takes as *watch*.

    *usual* is what the logs said before, over *usual_seconds*. *seconds* is how long one look lasts when nothing happens; a concern
    ends it at once.
    """

    def __init__(
        self, follower: Follower, usual: Rollup, usual_seconds: float, *, seconds: float = 60.0, every: float = 1.0
    ) -> None:
        self._follower = follower
        self._usual = usual
        self._usual_seconds = usual_seconds
        self._seconds = seconds
        self._every = every
        self._recent: list[tuple[float, Rollup]] = []
        self._pause = Alarm()

    def stop(self) -> None:
        self._pause.set()

    def note(self) -> None:
        """Take what was logged until now for usual: to be called right before a cut-over, where the watch ran long before it."""
        self._usual += self._follower.poll()

    def clients(self, server: str) -> tuple[Answer, str]:
        """What became of the clients of *server* since its cut-over: OK, FAILED with the reasons, UNSURE when its log says nothing."""
        began = monotonic()
        since = Rollup()
        while True:
            since += self._follower.poll()
            elapsed = monotonic() - began
            seen = compare(self._usual.settled(), self._usual_seconds, since.settled(), elapsed + BEFORE_THE_CALL, server)
            if seen.concerns:
                return Answer.FAILED, str(seen)
            if elapsed >= self._seconds or self._pause.wait(min(self._every, self._seconds - elapsed)):
                # Our own probe leaves a line: a log that says nothing at all is not the log of this server.
                return (Answer.OK, str(seen)) if since.notes.bytes else (Answer.UNSURE, "its log has not moved since")
