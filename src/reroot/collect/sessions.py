"""
Who connects, and how? The sessions of many servers, sampled over one connection each and folded into identities.

This is the question of ``pg_stat_ssl`` joined with ``pg_stat_activity``, asked again and again. It shows encryption, never
whether a client verifies; behind a pooler it shows the pooler; and a connection that comes and goes between two samples is not
seen (the server's log sees it). Needs no right but ``pg_monitor`` or ``pg_read_all_stats``. A server that does not answer is a
``Missed``, and is tried again at the next sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

from ..errors import ReachError
from ..model import Evidence, Strength
from ._backend import Backend, Source
from ._enforcement import Enforcement, enforcement, learn_patterns
from ._fold import LOCAL, Folded, How, Identity, Sample, Session, Tally, Window
from ._outgoing import Outgoing, outgoing

__all__ = [
    "LOCAL", "Enforcement", "Folded", "How", "Identity", "Missed", "Outgoing", "Sample", "Session", "Source", "Tally", "Window",
    "observe", "to_evidence",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Missed:
    """A look at a server that failed, and why."""

    server: str
    at: datetime
    why: str
    hint: str = ""


Observed = Sample | Enforcement | Outgoing | Missed


def observe(sources: Sequence[Source], *, every: float = 5.0, lasting: float = 0.0, timeout: float = 10.0) -> Iterator[Observed]:
    """Samples of all servers as they come, *every* so many seconds, for *lasting* seconds; 0 is one look at each.

    Each server also yields an ``Enforcement`` whenever it is connected to, an ``Outgoing`` for everything by which it connects to
    others, and a ``Missed`` for each look that fails. Closing the generator ends the connections.
    """
    found: SimpleQueue[Observed | None] = SimpleQueue()
    stop = Event()
    watches = [Thread(target=_watch, args=(s, every, lasting, timeout, found, stop), daemon=True) for s in sources]
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
        for watch in watches:
            watch.join(timeout)


def _watch(
    source: Source, every: float, lasting: float, timeout: float, found: SimpleQueue[Observed | None], stop: Event
) -> None:
    """One server's thread: connect when not connected, look, wait for the next moment."""
    backend: Backend | None = None
    known: Enforcement | None = None
    begin = monotonic()
    try:
        while True:
            try:
                if backend is None:
                    backend = Backend(source, timeout=timeout)
                    known = enforcement(backend)
                    found.put(known)
                    for one in outgoing(backend):
                        found.put(one)
                sample = backend.sample()
                if known is not None:
                    learn_patterns(backend, known, tuple({s.identity for s in sample.sessions}))
                found.put(sample)
            except ReachError as error:
                found.put(Missed(source.name, datetime.now(UTC), error.message, error.hint))
                if backend is not None and backend.connection.closed:
                    backend = None
            elapsed = monotonic() - begin
            following = (elapsed // every + 1) * every
            if following > lasting or stop.wait(following - elapsed):
                return
    finally:
        if backend is not None:
            backend.close()
        found.put(None)


def to_evidence(folded: Folded, enforced: Mapping[str, Enforcement]) -> Iterator[Evidence]:
    """One piece of evidence for each identity and way to connect: kind ``session``, observed.

    Facts: the identity's fields, ``encryption`` (``tls``, ``gss``, ``plaintext``, ``local``), ``protocol``, ``cipher``,
    ``sessions``, ``first_seen``, ``last_seen``, ``newest`` (start of the latest session) and ``accepts``: which logins the
    server takes from it, None when that is not known.
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
        yield Evidence("session", subject, "pg_stat_activity", tally.last_seen, Strength.OBSERVED, facts)
