"""The sums of what was seen are what the evidence comes to, however it came in, and old ledgers get them too."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reroot.lab.postgres import Postgres
from reroot.ledger import Ledger, open_ledger
from reroot.ledger import _questions as questions
from reroot.model import Accepts, Evidence, Strength

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def pieces(seed: int, count: int = 120) -> list[Evidence]:
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        at = NOON + timedelta(minutes=chance.randint(0, 300))
        kind = chance.choice(["session", "session", "refusal", "window", "restart"])
        facts: dict[str, object] = {
            "server": chance.choice(["db1", "db2"]), "user": chance.choice(["a", "b"]), "database": "d", "application": "",
            "address": chance.choice(["10.0.0.1", "10.0.0.2"]), "hour": at.isoformat()[:13], "encryption": chance.choice(["tls", "plaintext"]),
            "protocol": "", "first_seen": at.isoformat(), "last_seen": (at + timedelta(minutes=1)).isoformat(),
        }  # fmt: skip
        if kind == "refusal":
            facts |= {
                "cause": chance.choice(["tlsv1 alert unknown ca", "EOF detected"]),
                "bearing": "distrust",
                "times": chance.randint(1, 5),
            }
        elif kind == "window":
            facts = {
                "server": facts["server"],
                "first": at.isoformat(),
                "last": (at + timedelta(hours=1)).isoformat(),
                "looks": 3,
            }
        else:
            facts["sessions"] = chance.randint(0, 9)
        source = chance.choice(["server log", "pg_stat_activity"])
        found.append(Evidence(kind, "somebody", source, at, Strength.OBSERVED, facts))
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres(accepts=Accepts.NO_TLS) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "sqlite":
        place = str(tmp_path / "ledger.sqlite")
    else:
        running: Postgres = request.getfixturevalue("server")
        import psycopg

        name = f"l{random.getrandbits(48):x}"
        with psycopg.connect(f"host=127.0.0.1 port={running.port} user=postgres dbname=postgres", autocommit=True) as admin:
            admin.execute(f"create database {name}")
        place = f"postgresql://postgres@127.0.0.1:{running.port}/{name}"
    with open_ledger(place) as opened:
        yield opened


def test_the_sums_are_those_of_the_evidence_whatever_the_batches(ledger):
    every = pieces(1)
    for begin, end in ((0, 1), (1, 50), (50, 120)):
        ledger.keep("r", tuple(every[begin:end]))
    ledger.keep("other", tuple(pieces(2)))
    sessions = [e for e in every if e.kind == "session"]
    truth: Counter[tuple[object, ...]] = Counter()
    first, last = {}, {}
    for e in sessions:
        key = (e.facts["server"], e.facts["user"], e.facts["address"], e.facts["encryption"], e.source)
        truth[key] += int(str(e.facts["sessions"]))
        first[key] = min(first.get(key, "9"), str(e.facts["first_seen"]))
        last[key] = max(last.get(key, ""), str(e.facts["last_seen"]))
    told = ledger.asked(questions.identities("r", limit=None))
    assert {(t["server"], t["user"], t["address"], t["encryption"], t["source"]): t["number"] for t in told} == dict(truth)
    assert {(t["first"], t["last"]) for t in told} == {(first[k], last[k]) for k in truth}
    assert [t["last"] for t in told] == sorted((t["last"] for t in told), reverse=True)


@pytest.mark.parametrize("of", ["db1", ""], ids=["one", "all"])
def test_hours_refusals_and_windows_are_answered_by_server_and_since(ledger, of):
    every = pieces(3)
    ledger.keep("r", tuple(every))
    mine = [e for e in every if of in ("", e.facts.get("server"))]
    since = "2026-11-23T14"
    truth: Counter[tuple[object, ...]] = Counter()
    for e in mine:
        if e.kind in ("session", "refusal") and str(e.facts["hour"]) >= since:
            what, number = ("encryption", "sessions") if e.kind == "session" else ("bearing", "times")
            truth[e.facts["hour"], e.facts[what], e.source] += int(str(e.facts[number]))
    told = ledger.asked(questions.hours("r", of, since))
    assert {(t["hour"], t["what"], t["source"]): int(t["number"]) for t in told} == dict(truth)
    refused = ledger.asked(questions.refusals("r", of))
    assert sum(t["number"] for t in refused) == sum(int(str(e.facts["times"])) for e in mine if e.kind == "refusal")
    windows = [t for t in ledger.asked(questions.windows("r")) if of in ("", t["server"])]
    looked = [e for e in mine if e.kind in ("window", "session")]
    assert min(t["first"] for t in windows) == min(str(e.facts.get("first") or e.facts["first_seen"]) for e in looked)
    assert max(t["last"] for t in windows) == max(str(e.facts.get("last") or e.facts["last_seen"]) for e in looked)


def test_what_was_sighted_is_told_as_evidence_would_tell_it(ledger):
    from reroot.collect.identity import seen_in, windows_in

    every = pieces(4)
    ledger.keep("r", tuple(every))
    summed = tuple(ledger.sighted("r"))
    assert seen_in(summed) == seen_in(e for e in every if e.kind == "session")
    whole, told = windows_in(every), windows_in(summed)
    assert {s: (w.first, w.last, w.sources) for s, w in told.items()} == {
        s: (w.first, w.last, w.sources) for s, w in whole.items()
    }


def test_a_ledger_of_the_first_version_gets_its_sums_when_it_is_opened(tmp_path):
    import sqlite3

    place, other = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    every = tuple(pieces(5))
    for path in (place, other):
        with open_ledger(str(path)) as ledger:
            ledger.keep("r", every)
    with sqlite3.connect(place) as raw:
        for table in ("sum_identity", "sum_hour", "sum_refusal", "sum_window"):
            raw.execute(f"drop table {table}")
        raw.execute("drop index ix_evidence_rotation_kind")
        raw.execute("update alembic_version set version_num = '0001'")
    raw.close()
    with open_ledger(str(place)) as upgraded, open_ledger(str(other)) as fresh:
        for question in (questions.identities("r"), questions.hours("r"), questions.refusals("r"), questions.windows("r")):
            assert upgraded.asked(question) == fresh.asked(question)
        assert upgraded.evidence("r") == fresh.evidence("r")


def test_sums_and_evidence_are_kept_together_or_not_at_all(tmp_path):
    with open_ledger(str(tmp_path / "l.sqlite")) as ledger:
        broken = Evidence("session", "x", "server log", NOON, Strength.OBSERVED, {"server": "db1", "sessions": "many"})
        with pytest.raises(ValueError, match="many"):
            ledger.keep("r", (*pieces(6), broken))
        assert ledger.evidence("r") == ()
        assert ledger.asked(questions.identities("r")) == ()
