"""When a rehearsal that was kept counts for a verdict, and when something has overtaken it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.model import Evidence, Foreseen, Outcome, Reason, Strength
from reroot.rehearsal import Act, outranks, shown

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CHAIN, PLACE = (b"leaf", b"root"), "db1:5432"
FACTS = {
    "servers": [PLACE],
    "presented": {"next": [der.hex() for der in CHAIN], "current": [b"old".hex()], "forged": [b"f".hex()]},
    "conclusion": {"outcome": "verified", "outcome_now": "verified", "shown_by": "the acts"},
    "acts": [{"act": "next", "proof": "given"}, {"act": "current", "proof": "given"}],
    "led_by": {"way": "PGHOSTADDR"},
}
KEPT = Evidence("rehearsal", "orders", "rehearse", NOW - timedelta(hours=1), Strength.REHEARSED, FACTS)


def facts(**changed):
    return replace(KEPT, facts={**FACTS, **changed})


def conclusion(**changed):
    return facts(conclusion={**FACTS["conclusion"], **changed})


def ask(kept=KEPT, *, client="orders", server=PLACE, act=Act.NEXT, chain=CHAIN, since=None):
    return shown([kept], client, server, act, chain, NOW, since)


def test_it_counts_for_its_client_its_server_and_its_chain():
    assert ask().outcome is Outcome.VERIFIED
    assert ask(act=Act.CURRENT, chain=(b"old",)).outcome is Outcome.VERIFIED


OVERTAKEN = {
    "another client": {"client": "billing"},
    "another server": {"server": "db2:5432"},
    "another chain": {"chain": (b"leaf",)},
    "another order": {"chain": CHAIN[::-1]},
    "the chain of another act": {"act": Act.CURRENT},
    "a trust store that changed since": {"since": NOW},
    "a trust store that changed at that moment": {"since": KEPT.seen_at},
    "too old": {"kept": replace(KEPT, seen_at=NOW - timedelta(days=8))},
    "from the future": {"kept": replace(KEPT, seen_at=NOW + timedelta(hours=1))},
    "something else that was kept": {"kept": replace(KEPT, kind="session")},
    "declared only": {"kept": replace(KEPT, strength=Strength.DECLARED)},
    "its own words": {"kept": conclusion(shown_by="the program's own words")},
    "cannot be told": {"kept": conclusion(outcome="unknown")},
    "no such outcome": {"kept": conclusion(outcome="splendid")},
    "yes without the key": {"kept": facts(acts=[{"act": "next", "proof": "withheld"}])},
    "no facts": {"kept": replace(KEPT, facts={})},
    "facts of another shape": {"kept": replace(KEPT, facts={"servers": 1, "conclusion": [], "acts": "x", "presented": None})},
}


@pytest.mark.parametrize("words", OVERTAKEN.values(), ids=OVERTAKEN)
def test_it_does_not_count(words):
    assert ask(**words) is None


def test_no_needs_no_key():
    kept = replace(conclusion(outcome="refused"), facts={**conclusion(outcome="refused").facts, "acts": [{"act": "next", "proof": "withheld"}]})
    assert ask(kept).outcome is Outcome.REFUSED


def test_the_latest_counts():
    later = replace(conclusion(outcome="refused"), seen_at=NOW - timedelta(minutes=1))
    for kept in ([KEPT, later], [later, KEPT]):
        assert shown(kept, "orders", PLACE, Act.NEXT, CHAIN, NOW, None).outcome is Outcome.REFUSED


@given(st.sampled_from(Outcome), st.sampled_from([o for o in Outcome if o is not Outcome.UNKNOWN]))
def test_what_was_shown_counts_and_a_contradiction_is_said_first(foreseen, outcome):
    seen = replace(ask(), outcome=outcome)
    before = Foreseen(foreseen, (Reason("x", "why"),))
    after = outranks(before, seen)
    assert after.outcome is outcome
    assert after.reasons[-1] == before.reasons[-1]
    contradicts = foreseen not in (Outcome.UNKNOWN, outcome)
    assert (after.reasons[0].code == "rules-contradicted") is contradicts


def test_nothing_shown_changes_nothing():
    foreseen = Foreseen(Outcome.VERIFIED)
    assert outranks(foreseen, None) is foreseen
