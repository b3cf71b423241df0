"""What is asked of the evidence again and again, answered from its sums: who connects how, when, who was turned away, who looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..model import Evidence, Strength
from ._sums import HOURS, IDENTITIES, REFUSALS, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select

MOST = 200


def identities(rotation: str, server: str = "", encryption: str = "", since: str = "", limit: int | None = MOST) -> Select[Any]:
    """Who connected how, the latest first."""
    t = IDENTITIES.c
    found = select(IDENTITIES).where(t.rotation == rotation).order_by(t.last.desc(), t.key).limit(limit)
    for column, value in ((t.server, server), (t.encryption, encryption)):
        if value:
            found = found.where(column == value)
    return found.where(t.last >= since) if since else found


def hours(rotation: str, server: str = "", since: str = "") -> Select[Any]:
    """How many sessions by encryption, and refusals by bearing, in each hour; of all servers or of one. By source: they overlap."""
    t = HOURS.c
    found = select(t.hour, t.what, t.source, t.number).where(t.rotation == rotation, t.server == server, t.hour >= since)
    return found.order_by(t.hour, t.what, t.source)


def refusals(rotation: str, server: str = "", since: str = "", limit: int = MOST) -> Select[Any]:
    """Who was turned away, the latest first."""
    t = REFUSALS.c
    found = select(REFUSALS).where(t.rotation == rotation).order_by(t.last.desc(), t.key).limit(limit)
    found = found.where(t.server == server) if server else found
    return found.where(t.last >= since) if since else found


def windows(rotation: str) -> Select[Any]:
    """When each server was looked at, and by what."""
    return select(WINDOWS).where(WINDOWS.c.rotation == rotation).order_by(WINDOWS.c.server, WINDOWS.c.source)


def as_evidence(row: Mapping[str, Any]) -> Evidence:
    """A sum as one piece of evidence, as if it had been seen at once."""
    from datetime import datetime

    facts = {k: v for k, v in row.items() if k not in ("key", "rotation", "number", "first", "last", "source")}
    if "user" in row:
        facts |= {"sessions": row["number"], "first_seen": row["first"], "last_seen": row["last"]}
    else:
        facts |= {"looks": row["number"], "first": row["first"], "last": row["last"]}
    kind = "session" if "user" in row else "window"
    return Evidence(kind, row["server"], row["source"], datetime.fromisoformat(row["last"]), Strength.OBSERVED, facts)
