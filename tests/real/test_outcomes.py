"""
The rules against reality: for each scenario, what a real driver got from a real server is what the rules foresaw.

Everyday, a few hundred scenarios with the everyday drivers and some with the others; `make matrix` runs thousands with every
driver of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from . import oracle
from .clients import Client, found
from .scenarios import scenarios

EVERYDAY = 300
A_TASTE = 60
FULL = 3000
OLDER = re.compile(r"(asyncpg|pg8000|node-postgres|postgres-js)-\d|.*-go-1\.")
"""Other versions of a driver, or of its Go, see a third of the scenarios, so that a full run stays within a quarter of an hour."""

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("oracle")]


@pytest.fixture(scope="module")
def everyday() -> oracle.Comparison:
    clients = found()[0]
    return _compared(clients, EVERYDAY, {c.name: A_TASTE for c in clients if not c.everyday})


@pytest.fixture(scope="module")
def full() -> oracle.Comparison:
    clients = found()[0]
    return _compared(clients, FULL, {c.name: FULL // 3 for c in clients if OLDER.match(c.name)})


def _compared(clients: list[Client], count: int, share: dict[str, int]) -> oracle.Comparison:
    if not clients:
        pytest.skip("no real client is installed (`tools/clients.sh everyday`)")
    with oracle.Oracle() as lab:
        rows = list(lab.run(clients, scenarios(count), share))
        oracle.foresee(rows)
        return oracle.Comparison(rows)


def _say(comparison: oracle.Comparison, exercised: Callable[[str], None]) -> None:
    for client, rows in comparison.count().items():
        exercised(f"{client}: {rows} rows")


def test_nothing_said_to_be_verified_fails_to_connect(everyday: oracle.Comparison, exercised: Callable[[str], None]) -> None:
    _say(everyday, exercised)
    assert not everyday.false_verified, everyday.groups()


def test_every_silent_fall_to_plaintext_is_foreseen(everyday: oracle.Comparison) -> None:
    assert not everyday.missed_plaintext, everyday.groups()


def test_what_is_foreseen_is_what_happens(everyday: oracle.Comparison) -> None:
    known = everyday.of_known_drivers()
    assert known.decided, "no driver of this run has rules"
    assert not known.wrong, f"\n{known.groups()}\n{known.table()}"


def test_real_clients_answer(everyday: oracle.Comparison) -> None:
    assert not everyday.hung, [r.case["id"] for r in everyday.hung]


@pytest.mark.matrix
def test_the_full_matrix(full: oracle.Comparison, exercised: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    _say(full, exercised)
    with capsys.disabled():
        print(f"\n{full.table()}\n{full.groups()}")
    known = full.of_known_drivers()
    assert not full.false_verified, full.groups()
    assert not full.missed_plaintext, full.groups()
    assert len(known.wrong) <= len(known.decided) * 0.01, known.groups()
    assert len(known.unknown) <= len(known.rows) * 0.05, known.table()
