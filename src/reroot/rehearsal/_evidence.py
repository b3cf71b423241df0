"""
What a rehearsal that was kept means for a verdict: it outranks what the rules foresee, as long as nothing has overtaken it.

It counts for the client that it names, for a server that it was led to, and for the very chain that was presented, until the client's
trust stores or its settings change, and for a week at most. Without the key of that chain a rehearsal has not seen what comes after
the proof (libpq and pgJDBC look at the host name then), so it can say no, and not yes. What rests on a program's own words, or on a
forged leaf, says neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from ..model import Evidence, Foreseen, Outcome, Reason, Strength
from ._acts import Act, Proof
from ._conclusion import SOURCE

FRESH = timedelta(days=7)
BY_THE_ACTS = "the acts"
CONTRADICTED = "rules-contradicted"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a kept rehearsal has shown of one chain."""

    outcome: Outcome
    at: datetime
    how: str


def shown(
    kept: Iterable[Evidence], client: str, server: str, act: Act, chain: Sequence[bytes], now: datetime, since: datetime | None
) -> Shown | None:
    """The latest word on *client* at *server* (``host:port``) with *chain* (DER), if there is one and it still counts.

    *since* is the last change of what the client reads; *act* is ``NEXT``, or ``CURRENT`` for the chain of today.
    """
    found = None
    for evidence in kept:
        if evidence.kind != "rehearsal" or evidence.strength is not Strength.REHEARSED or evidence.subject != client:
            continue
        if not now - FRESH <= evidence.seen_at <= now or (since is not None and evidence.seen_at <= since):
            continue
        one = _read(evidence, server, act, [der.hex() for der in chain])
        if one is not None and (found is None or one.at >= found.at):
            found = one
    return found


def _read(evidence: Evidence, server: str, act: Act, chain: list[str]) -> Shown | None:
    facts = evidence.facts
    concluded, presented = _mapping(facts.get("conclusion")), _mapping(facts.get("presented"))
    if server not in _list(facts.get("servers")) or _list(presented.get(act.value)) != chain:
        return None
    if concluded.get("shown_by") != BY_THE_ACTS:
        return None
    outcome = next((o for o in Outcome if o.value == concluded.get("outcome" if act is Act.NEXT else "outcome_now")), Outcome.UNKNOWN)
    proven = any(
        _mapping(one).get("act") == act.value and _mapping(one).get("proof") == Proof.GIVEN.value for one in _list(facts.get("acts"))
    )
    if outcome is Outcome.UNKNOWN or (outcome is Outcome.VERIFIED and not proven):
        return None
    way = _mapping(facts.get("led_by")).get("way", "")
    return Shown(outcome, evidence.seen_at, f"led by {way}" if way else "on its own way")


def outranks(foreseen: Foreseen, seen: Shown | None) -> Foreseen:
    """*foreseen*, or what was *seen* in its place; where the two contradict each other that is said first."""
    if seen is None or seen.outcome is foreseen.outcome:
        return foreseen
    what = Reason("rehearsed", f"rehearsed at {seen.at:%Y-%m-%d %H:%M} UTC, {seen.how}: `{seen.outcome.value}`", SOURCE)
    if foreseen.outcome is Outcome.UNKNOWN:
        return Foreseen(seen.outcome, (what, *foreseen.reasons))
    text = (
        f"the rules foresaw `{foreseen.outcome.value}`, a rehearsal showed `{seen.outcome.value}`, which counts: the rules or what "
        "they were told are wrong, please report this"
    )
    return Foreseen(seen.outcome, (Reason(CONTRADICTED, text, SOURCE), what, *foreseen.reasons))


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
