"""
A rollup → evidence for the ledger: kind ``session`` for logins, ``refusal`` for failed and refused ones, ``log`` for what was read.

``log`` is the memory of ``known``: with it, the same log is not counted twice, whatever it is called by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from ...logs import Event, Row, Tally, bearing
from ...model import Evidence, Strength
from ._objects import Known
from ._run import Ingested
from ._saved import marks

SOURCE = "server log"


def to_evidence(ingested: Ingested, now: datetime) -> Iterator[Evidence]:
    """Everything that a ledger keeps of logs, sessions first. Facts of a session are those of ``sessions.to_evidence``."""
    rollup = ingested.rollup.settled()
    yield from (_evidence(row, tally) for row, tally in sorted(rollup.rows.items()) if row.event != Event.RECEIVED.value)
    yield from (_evidence(row, tally) for row, tally in rollup.silent())
    for log, mark in marks(ingested):
        facts = {"server": log.server, "head": mark.head, "digest": mark.digest, "bytes": mark.bytes}
        yield Evidence("log", log.path, SOURCE, now, Strength.OBSERVED, facts)


def from_evidence(evidence: Iterable[Evidence]) -> tuple[Known, ...]:
    """Which logs were counted already, from evidence of kind ``log``."""
    found = (e.facts for e in evidence if e.kind == "log")
    return tuple(Known(_int(f["head"]), str(f["digest"]), _int(f["bytes"])) for f in found)


def _evidence(row: Row, tally: Tally) -> Evidence:
    is_session = row.event == Event.SESSION.value
    facts: dict[str, object] = {
        "server": row.server,
        "database": row.database,
        "user": row.user,
        "application": row.application,
        "address": row.address,
        "hour": row.hour,
        "encryption": row.encryption,
        "first_seen": _moment(tally.first).isoformat(),
        "last_seen": _moment(tally.last).isoformat(),
    }
    if is_session:
        facts |= {"protocol": row.protocol, "cipher": row.cipher, "sessions": tally.number, "newest": facts["last_seen"]}
    else:
        facts |= {"event": row.event, "cause": row.cause, "bearing": bearing(row.cause).value, "times": tally.number}
    who = f"{row.user}@{row.database or 'replication'}" if row.user else "somebody"
    subject = f"{who} from {row.address or 'unknown'} on {row.server or 'unknown'}"
    return Evidence("session" if is_session else "refusal", subject, SOURCE, _moment(tally.last), Strength.OBSERVED, facts)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _int(value: object) -> int:
    return int(str(value))
