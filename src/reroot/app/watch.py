"""
Who watches the clients while servers are cut over: their servers' own logs, where the inventory says that they can be read here.

What a log said until now is what is usual; a server is cut over right after its log was read to its end. The provider of RDS reads its
instances' logs by itself (``Provider.refused``), so those need no ``log``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from ..collect.ingest import Follower, Piece, Ways, find, read
from ..collect.inventory import Inventory
from ..collect.watch import LogWatch
from ..errors import InputError
from ..logs import Rollup, total
from ..rotation import Act, Answer, Step
from .fleet import Fleet, Watch, nobody_watches

BASELINE_BYTES = 64 << 20
"""Of each file the last so many bytes tell what is usual: hours, of a busy server."""
BASELINE_SECONDS = 7 * 24 * 3600
"""Files that were not written to for longer tell nothing of how it is now."""


@contextmanager
def watching(inventory: Inventory, *, seconds: float = 60.0, every: float = 1.0) -> Iterator[LogWatch | None]:
    """A watch of every server that has a ``log``; None where none has. ``InputError`` where one cannot be read: before anything is done."""
    logs = {s.name: str(inventory.base / s.log) for s in inventory.servers if s.log}
    if not logs:
        yield None
        return
    usual, spans = baseline(logs)
    with Follower([f"{name}={path}" for name, path in logs.items()]) as follower:
        yield LogWatch(follower, usual, spans, seconds=seconds, every=every)


def baseline(logs: Mapping[str, str], ways: Ways | None = None) -> tuple[Rollup, dict[str, float]]:
    """What the logs of servers said until now, and over how many seconds for each."""
    found, spans, now = [], dict[str, float](), time.time()
    for name, path in logs.items():
        rollups = []
        for log in find([f"{name}={path}"]):
            try:
                size, changed = os.path.getsize(log.path), os.path.getmtime(log.path)
                with open(log.path, "rb"):
                    pass
            except OSError as error:
                raise InputError(f"the log of `{name}` cannot be read: {error.strerror}", where=log.path) from None
            if now - changed <= BASELINE_SECONDS:
                rollups.append(read(Piece(log, max(size - BASELINE_BYTES, 0)), ways or Ways()).rollup)
        one = total(rollups)
        found.append(one)
        first = min((tally.first for tally in one.rows.values()), default="")
        spans[name] = max(now - datetime.fromisoformat(first).replace(tzinfo=UTC).timestamp(), 0.0) if first else 0.0
    return total(found), spans


def watch_of(watch: LogWatch | None, inventory: Inventory) -> Watch:
    """What ``fleet_of`` takes as *watch*: a server without a log has nobody who watches."""
    if watch is None:
        return nobody_watches
    with_log = {s.name for s in inventory.servers if s.log}

    def clients(server: str) -> tuple[Answer, str]:
        return watch.clients(server) if server in with_log else nobody_watches(server)

    return clients


def heeding(fleet: Fleet, watch: LogWatch | None) -> Fleet:
    """*fleet*, with a watch that is told right before a server is cut over, and when it was taken back."""
    if watch is None:
        return fleet

    def act(step: Step) -> tuple[str, ...]:
        if step.act is Act.CUT_OVER:
            watch.note(step.subject)
        notes = fleet.act(step)
        if step.act is Act.ROLL_BACK:
            watch.forget(step.subject)
        return notes

    return replace(fleet, act=act)
