"""
Who connects, and how? The sessions of many servers, sampled over one connection each and folded into identities.

This is the question of ``pg_stat_ssl`` joined with ``pg_stat_activity``, asked again and again. It shows encryption, never
whether a client verifies; behind a pooler it shows the pooler; and a connection that comes and goes between two samples is not
seen (the server's log sees it). ``reroot emit sql-role`` prints the rights that the queries need, one by one. A server that does
not answer is a ``Missed``, and is tried again at the next sample.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

from ..errors import ReachError
from ..model import Evidence, Strength
from ._backend import Backend, Counted
from ._enforcement import Enforcement, enforcement, learn_patterns
from ._fold import LOCAL, Folded, Hourly, How, Identity, Sample, Session, Tally, Window
from ._outgoing import Outgoing, elsewhere, outgoing
from ._source import Source

__all__ = [
    "LOCAL", "Counted", "Enforcement", "Folded", "Hourly", "How", "Identity", "Missed", "Outgoing", "Sample", "Session", "Source",
    "Tally", "Window", "counted_in", "observe", "outgoing_evidence", "to_evidence",
]  # fmt: skip

SOURCE = "pg_stat_activity"
ASK_AGAIN = 3600.0
"""Seconds after which a server is asked again what it insists on and where it connects to."""
LEAVE = 5.0
"""Seconds that all watches together are given to say goodbye: what was seen is to be saved before whoever stops us loses patience."""
SELDOM = 60.0
"""Seconds between two tries at a server that has not answered for long."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A look at a server that failed, and why."""

    server: str
    at: datetime
    why: str
    hint: str = ""


Observed = Sample | Enforcement | Outgoing | Missed


def observe(
    sources: Sequence[Source],
    *,
    every: float = 5.0,
    lasting: float = 0.0,
    timeout: float = 10.0,
    counted: Mapping[str, Counted] | None = None,
) -> Generator[Observed, None, None]:
    """Samples of all servers as they come, *every* so many seconds, for *lasting* seconds; 0 is one look at each, ``inf`` no end.

    Each server also yields an ``Enforcement`` and an ``Outgoing`` for everything by which it connects to others, whenever it is
    connected to and each hour after that, and a ``Missed`` for each look that fails. *counted* says by server which sessions need not be
    counted again. Closing the generator ends the connections.
    """
    found: SimpleQueue[Observed | None] = SimpleQueue()
    stop = Event()
    counted = counted or {}
    watches = [
        Thread(target=_watch, args=(s, every, lasting, timeout, counted.get(s.name), found, stop), daemon=True) for s in sources
    ]
    for watch in watches:
        watch.start()
    running = len(watches)
    try:
        while running:
            seen = found.get()
            if seen is None:
                running -= 1
            else:
                yield seen
    finally:
        stop.set()
        until = monotonic() + LEAVE
        for watch in watches:
            watch.join(max(until - monotonic(), 0.0))


def _watch(
    source: Source,
    every: float,
    lasting: float,
    timeout: float,
    counted: Counted | None,
    found: SimpleQueue[Observed | None],
    stop: Event,
) -> None:
    """One server's thread: connect when not connected, look, wait for the next moment."""
    backend: Backend | None = None
    known: Enforcement | None = None
    begin, missed, asked = monotonic(), 0, 0.0
    try:
        while True:
            try:
                if backend is None:
                    backend, known = Backend(source, counted, timeout=timeout), None
                is_due = known is None or monotonic() - asked >= ASK_AGAIN
                if known is None or is_due:
                    asked = monotonic()
                    known = enforcement(backend)
                    found.put(known)
                sample = backend.sample()
                counted, missed = backend.counted, 0
                learn_patterns(backend, known, tuple({s.identity for s in sample.sessions}))
                found.put(sample)
                if is_due:
                    # After the look: a server of many databases is not to wait for it.
                    for one in outgoing(backend):
                        found.put(one)
                    for one in elsewhere(backend, timeout):
                        found.put(one)
            except ReachError as error:
                missed += 1
                found.put(Missed(source.name, datetime.now(UTC), error.message, error.hint))
                if backend is not None and backend.connection.closed:
                    backend = None
            except Exception as error:
                # Whatever a server says that nobody thought of: it must not end the watch of it, nor without a word.
                missed += 1
                found.put(Missed(source.name, datetime.now(UTC), f"{type(error).__name__}: its answer was not understood", "tell us"))
                if backend is not None:
                    backend.close()
                    backend = None
            # One that does not answer is asked less and less often: it may be starting, and a login is work for it.
            pause = min(every * 2 ** min(max(missed - 3, 0), 10), max(every, SELDOM))
            elapsed = monotonic() - begin
            following = (elapsed // pause + 1) * pause
            if following > lasting or stop.wait(following - elapsed):
                return
    finally:
        if backend is not None:
            backend.close()
        found.put(None)


def to_evidence(folded: Folded, enforced: Mapping[str, Enforcement], hour: str = "") -> Iterator[Evidence]:
    """One piece of evidence for each identity and way to connect (kind ``session``), and one for each server's window (``window``).

    Facts: the identity's fields, ``hour`` (``""`` where the fold is not of one), ``encryption`` (``tls``, ``gss``, ``plaintext``,
    ``local``), ``protocol``, ``cipher``, ``sessions``, ``first_seen``, ``last_seen``, ``newest`` (start of the latest session) and
    ``accepts``: which logins the server takes from it, None when that is not known. Of a window: ``first``, ``last``, ``looks``,
    ``hidden``, ``started`` and ``starts``: all of them, where the server was restarted or failed over.
    """
    for (who, how), tally in sorted(folded.tallies.items()):
        known = enforced.get(who.server)
        taken = known.takes(who)[0] if known else None
        facts: dict[str, object] = {
            "server": who.server,
            "database": who.database,
            "user": who.user,
            "application": who.application,
            "address": who.address,
            "kind": who.kind,
            "hour": hour,
            "encryption": LOCAL if who.address == LOCAL else how.encryption,
            "protocol": how.protocol,
            "cipher": how.cipher,
            "sessions": tally.sessions,
            "first_seen": tally.first_seen.isoformat(),
            "last_seen": tally.last_seen.isoformat(),
            "newest": tally.newest.isoformat(),
            "accepts": taken.value if taken else None,
        }
        subject = f"{who.user}@{who.database or 'replication'} from {who.address or 'unknown'} on {who.server}"
        yield Evidence("session", subject, SOURCE, tally.last_seen, Strength.OBSERVED, facts)
    for server, window in sorted(folded.windows.items()):
        facts = {
            "server": server,
            "first": window.first.isoformat(),
            "last": window.last.isoformat(),
            "looks": window.samples,
            "hidden": window.hidden,
            "started": window.starts[-1].isoformat() if window.starts else "",
            "starts": [at.isoformat() for at in window.starts],
        }
        yield Evidence("window", server, SOURCE, window.last, Strength.OBSERVED, facts)


def outgoing_evidence(found: Iterable[Outgoing], now: datetime) -> Iterator[Evidence]:
    """Where servers themselves connect to (kind ``outgoing``), with the settings that say how; they are clients too."""
    for one in found:
        facts = {"server": one.server, "kind": one.kind, "name": one.name, "database": one.database, "why": one.why}
        subject = f"{one.kind} {one.name or 'of unknown name'} of {one.server}"
        yield Evidence("outgoing", subject, SOURCE, now, Strength.OBSERVED, {**facts, "settings": dict(one.settings)})


def counted_in(evidence: Iterable[Evidence]) -> dict[str, Counted]:
    """By server, from evidence of kind ``window``: up to when its sessions were counted, for a watch that goes on."""
    found: dict[str, Counted] = {}
    for one in evidence:
        if one.kind != "window" or not one.facts.get("started"):
            continue
        server, last = str(one.facts["server"]), datetime.fromisoformat(str(one.facts["last"]))
        if server not in found or found[server].last < last:
            found[server] = Counted(datetime.fromisoformat(str(one.facts["started"])), last)
    return found
