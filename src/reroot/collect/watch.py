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
from collections.abc import Callable, Mapping
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
        return f"{self.back} of {self.known} {'client has' if self.known == 1 else 'clients have'} connected with TLS since; the others have not been heard of"


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

    *usual* is what the logs said before, over *usual_seconds* (of all, or of each server). ``note`` is called right before a cut-over,
    ``forget`` when it is taken back. *seconds* is how long one look lasts when nothing happens; a concern ends it at once.
    """

    def __init__(
        self,
        follower: Follower,
        usual: Rollup,
        usual_seconds: float | Mapping[str, float],
        *,
        seconds: float = 60.0,
        every: float = 1.0,
    ) -> None:
        self._follower = follower
        self._usual = usual
        self._usual_seconds = usual_seconds
        self._seconds = seconds
        self._every = every
        self._since: dict[str, Rollup] = {}
        self._cut_at: dict[str, float] = {}
        self._moved: set[str] = set()
        self._watched_from = monotonic()
        self._pause = Alarm()

    def stop(self) -> None:
        self._pause.set()

    def note(self, server: str | None = None) -> None:
        """*server*, or each, is about to be cut over: what its log said until now is usual, what it says from now on is not."""
        self._read()
        for name in [server] if server is not None else list(self._since):
            self._usual += self._since.pop(name, Rollup())
        if server is not None:
            self._since[server] = Rollup()
            self._cut_at[server] = monotonic()
            self._moved.discard(server)

    def forget(self, server: str) -> None:
        """*server* is taken back: what its log said since its cut-over says nothing of how it usually is."""
        self._read()
        self._since.pop(server, None)
        self._cut_at.pop(server, None)

    def clients(self, server: str) -> tuple[Answer, str]:
        """What became of the clients of *server* since its cut-over: OK, FAILED with the reasons, UNSURE when its log says nothing."""
        if server not in self._cut_at:
            # A rotation that goes on after a crash looks at clients of a server that was cut over before we watched.
            self._since.setdefault(server, Rollup())
            self._cut_at[server] = monotonic() - BEFORE_THE_CALL
        until = monotonic() + self._seconds
        while True:
            self._read()
            now = monotonic()
            seen = compare(
                self._usual.settled(),
                self._usual_of(server),
                self._since[server].settled(),
                now - self._cut_at[server],
                server,
            )
            if seen.concerns:
                return Answer.FAILED, str(seen)
            if now >= until or self._pause.wait(min(self._every, max(until - now, 0.0))):
                # Our own probe leaves a line: a log that says nothing at all is not the log of this server.
                return (Answer.OK, str(seen)) if server in self._moved else (Answer.UNSURE, "its log has not moved since")

    def _usual_of(self, server: str) -> float:
        """Seconds in which what is usual of *server* was logged: before we came, and from then to its cut-over."""
        before = self._usual_seconds
        known = before.get(server, 0.0) if isinstance(before, Mapping) else before
        return known + max(self._cut_at[server] - self._watched_from, 0.0)

    def _read(self) -> None:
        """What is new goes to the servers that it is about: to what they did since their cut-over, where they were cut over."""
        found = self._follower.poll()
        self._moved |= self._follower.moved
        for server in self._since:
            self._since[server] += part(found, {server}.__contains__)
        self._usual += part(found, lambda name: name not in self._since)


def part(rollup: Rollup, is_wanted: Callable[[str], bool]) -> Rollup:
    """What a rollup says of some servers; its notes are of the whole, and left out."""
    return Rollup(
        {row: tally for row, tally in rollup.rows.items() if is_wanted(row.server)},
        {head: n for head, n in rollup.heads.items() if is_wanted(head.server)},
        {tail: n for tail, n in rollup.tails.items() if is_wanted(tail.server)},
    )
