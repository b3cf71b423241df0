"""What is written stays written, in order, by one operator at a time, and without a secret."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.errors import GateClosed, InputError, ReachError
from reroot.lab import ca
from reroot.lab.postgres import Postgres
from reroot.ledger import NoLedger, open_ledger
from reroot.ledger._entries import encode
from reroot.ledger.ledger import LEASE, holder_name, is_gone
from reroot.model import Evidence, Secret, Strength

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
ANA, BEN = "ana@elsewhere pid 1 start 5", "ben@elsewhere pid 2 start 6"


@pytest.fixture(scope="module")
def server():
    issued = ca.leaf(ca.root(), "127.0.0.1")
    with Postgres((issued.cert_pem, issued.key_pem), name="ledger") as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "reroot.sqlite")
    running = request.getfixturevalue("server")
    import psycopg

    name = f"ledger_{os.urandom(4).hex()}"
    with psycopg.connect(f"host={running.folder} port={running.port} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"postgresql://postgres@/{name}?host={quote(str(running.folder))}&port={running.port}"


@pytest.fixture
def ledger(place):
    with open_ledger(place) as opened:
        yield opened


def sql(ledger, statement):
    with ledger._engine.begin() as connection:
        return connection.exec_driver_sql(statement)


def test_entries_come_back_in_order_and_chained(ledger):
    lease = ledger.acquire("corp", ANA, NOW)
    for i in range(5):
        ledger.append(lease, 1, "note", {"i": i, "text": "ü ✕", "list": [1, 2.5, None, True]}, NOW)

    entries = ledger.entries("corp")
    assert [e.body["i"] for e in entries] == list(range(5))
    assert [e.previous for e in entries[1:]] == [e.hash for e in entries[:-1]]
    assert entries[0].actor == ANA
    assert ledger.entries("other") == ()


@pytest.mark.parametrize("table", ["journal", "evidence"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET rotation = 'x'", "DELETE FROM {}"])
def test_what_is_written_cannot_be_changed(ledger, table, statement):
    from sqlalchemy.exc import DBAPIError

    lease = ledger.acquire("corp", ANA, NOW)
    ledger.append(lease, 1, "note", {}, NOW)
    ledger.keep("corp", (Evidence("session", "orders", "here", NOW, Strength.OBSERVED),))

    with pytest.raises(DBAPIError, match="append-only"):
        sql(ledger, statement.format(table))


@pytest.mark.parametrize("change", ["body = '{\"i\":9}'", "actor = 'eve'", "at = '2026-01-01T00:00:00+00:00'", "run = 7"])
def test_a_change_behind_the_ledgers_back_is_found(tmp_path, change):
    with open_ledger(tmp_path / "l.sqlite") as ledger:
        lease = ledger.acquire("corp", ANA, NOW)
        for i in range(3):
            ledger.append(lease, 1, "note", {"i": i}, NOW)
        sql(ledger, "DROP TRIGGER journal_no_update")
        sql(ledger, "UPDATE journal SET {} WHERE number = 2".format(change))  # noqa: S608, UP032

        with pytest.raises(InputError, match="entry `2` does not follow"):
            ledger.entries()


def test_a_missing_entry_is_found(tmp_path):
    with open_ledger(tmp_path / "l.sqlite") as ledger:
        lease = ledger.acquire("corp", ANA, NOW)
        for i in range(3):
            ledger.append(lease, 1, "note", {"i": i}, NOW)
        sql(ledger, "DROP TRIGGER journal_no_delete")
        sql(ledger, "DELETE FROM journal WHERE number = 2")

        with pytest.raises(InputError, match="entry `3` does not follow"):
            ledger.entries()


# ── the lease ────────────────────────────────────────────────────────────────────────────────────


def test_two_operators_cannot_act_at_once(ledger):
    ledger.acquire("corp", ANA, NOW)

    with pytest.raises(GateClosed, match="`ana@elsewhere pid 1 start 5` holds the lease"):
        ledger.acquire("corp", BEN, NOW, take_over=True)
    ledger.acquire("another rotation", BEN, NOW)


def test_a_lease_that_ran_out_is_taken_over_only_when_asked(ledger):
    old = ledger.acquire("corp", ANA, NOW)
    later = NOW + LEASE + timedelta(seconds=1)

    with pytest.raises(GateClosed, match="no sign of life"):
        ledger.acquire("corp", BEN, later)
    new = ledger.acquire("corp", BEN, later, take_over=True)
    assert new.fence > old.fence
    with pytest.raises(GateClosed, match="passed to another operator"):
        ledger.append(old, 1, "intent", {}, later)
    with pytest.raises(GateClosed, match="passed to another operator"):
        ledger.check(old, later)
    assert ledger.entries() == ()


def test_each_entry_renews_the_lease(ledger):
    lease = ledger.acquire("corp", ANA, NOW)
    ledger.append(lease, 1, "note", {}, NOW + LEASE)

    with pytest.raises(GateClosed):
        ledger.acquire("corp", BEN, NOW + LEASE + timedelta(seconds=1), take_over=True)


def test_a_lease_given_back_is_free(ledger):
    ledger.release(ledger.acquire("corp", ANA, NOW))

    assert ledger.acquire("corp", BEN, NOW).fence == 2


def test_the_lease_of_a_killed_process_of_this_machine_is_free_at_once(ledger):
    words = [sys.executable, "-c", "from reroot.ledger.ledger import holder_name; print(holder_name(), flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        holder = process.stdout.readline().strip()
        ledger.acquire("corp", holder, NOW)
        assert not is_gone(holder)
        with pytest.raises(GateClosed):
            ledger.acquire("corp", BEN, NOW)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()

    assert is_gone(holder)
    assert not is_gone(holder_name())
    assert ledger.acquire("corp", BEN, NOW).fence == 2


CONTEND = """
import sys
from datetime import UTC, datetime
from reroot.errors import GateClosed
from reroot.ledger import open_ledger
with open_ledger(sys.argv[1]) as ledger:
    print("ready", flush=True)
    input()
    try:
        ledger.acquire("corp", sys.argv[2], datetime(2027, 1, 1, 12, tzinfo=UTC))
        print("got it")
    except GateClosed:
        print("held")
"""


def test_of_four_who_begin_together_one_may_act(place):
    open_ledger(place).close()
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", CONTEND, place, f"op{i}@elsewhere pid {i} start 1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(4)
    ]
    for contender in contenders:
        assert contender.stdout.readline() == "ready\n"
    for contender in contenders:
        contender.stdin.write("\n")
        contender.stdin.flush()
    told = [contender.communicate(timeout=60)[0].strip() for contender in contenders]

    assert sorted(told) == ["got it", "held", "held", "held"]


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────

SECRET = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$!*+", min_size=8, max_size=20).map(lambda s: f"S3c{s}")
QUOTING = [
    "postgresql://ana:{}@db/x",
    "host=db password={} user=ana",
    "host=db password = '{}' user=ana",
    "could not connect: sslpassword={}, sorry",
    '{{"password": "{}"}}',
    "PGPASSWORD={}",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
]


@given(SECRET, st.sampled_from(QUOTING))
def test_a_secret_quoted_by_somebody_elses_text_is_starred(secret, quoting):
    assert secret not in encode({"note": quoting.format(secret), "deep": [{"x": quoting.format(secret)}]})


def test_a_secret_value_is_stars_in_the_file(tmp_path):
    place = tmp_path / "l.sqlite"
    with open_ledger(place) as ledger:
        lease = ledger.acquire("corp", ANA, NOW)
        ledger.append(lease, 1, "note", {"dsn": Secret("hunter2"), "why": "postgres://a:hunter2@h/"}, NOW)
        facts = {"password": Secret("hunter2"), "seen": "password=hunter2"}
        ledger.keep("corp", (Evidence("session", "orders", "here", NOW, Strength.OBSERVED, facts),))
        content = b"".join(p.read_bytes() for p in tmp_path.iterdir())

    assert b"hunter2" not in content
    assert b"***" in content


def test_something_that_is_no_plain_value_is_refused(ledger):
    lease = ledger.acquire("corp", ANA, NOW)

    with pytest.raises(TypeError, match="object is no plain value"):
        ledger.append(lease, 1, "note", {"x": object()}, NOW)
    assert ledger.entries() == ()


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────


def test_evidence_comes_back_as_it_was(ledger):
    kept = tuple(Evidence("session", f"c{i}", "pg_stat_ssl", NOW, Strength.OBSERVED, {"ssl": True, "n": i}) for i in range(3))
    ledger.keep("corp", kept)
    ledger.keep("corp", (Evidence("restart", "c0", "ana", NOW, Strength.DECLARED),))

    assert ledger.evidence("corp", "session") == kept
    assert len(ledger.evidence("corp")) == 4


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def test_a_ledger_opened_twice_is_the_same(place):
    with open_ledger(place) as first:
        first.append(first.acquire("corp", ANA, NOW), 1, "note", {}, NOW)
    with open_ledger(place) as again:
        assert len(again.entries()) == 1


def test_a_damaged_file_is_told_and_left_alone(tmp_path):
    place = tmp_path / "l.sqlite"
    place.write_bytes(b"SQLite format 3\0" + b"x" * 5000)

    with pytest.raises((InputError, ReachError), match="the ledger cannot be used"):
        open_ledger(place)
    assert place.read_bytes().startswith(b"SQLite format 3\0xxx")


def test_a_file_that_is_no_database_is_told(tmp_path):
    place = tmp_path / "notes.txt"
    place.write_text("milk, eggs, a new root certificate\n" * 50)

    with pytest.raises(InputError, match="not a database"):
        open_ledger(place)


def test_another_programs_database_is_not_written_to(tmp_path):
    place = tmp_path / "other.sqlite"
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE invoices (n int)")
    connection.close()

    with pytest.raises(InputError, match="holds something else than a ledger"):
        open_ledger(place)


def test_a_newer_ledger_is_not_touched(tmp_path):
    place = tmp_path / "l.sqlite"
    open_ledger(place).close()
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()

    with pytest.raises(InputError, match="written by a newer reroot"):
        open_ledger(place)


def test_a_locked_ledger_is_told_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr("reroot.ledger.ledger.BUSY_SECONDS", 0.1)
    place = tmp_path / "l.sqlite"
    with open_ledger(place) as ledger:
        holder = sqlite3.connect(place, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ReachError, match="database is locked"):
            ledger.acquire("corp", ANA, NOW)
        holder.close()


@pytest.mark.parametrize("place", ["/nowhere/at/all.sqlite", "mysql://root@x/y", "postgresql://u:hunter2@127.0.0.1:1/x"])
def test_a_place_that_cannot_be_used_is_told_without_its_password(place):
    with pytest.raises((InputError, ReachError)) as raised:
        open_ledger(place)

    assert "hunter2" not in f"{raised.value} {raised.value.where} {raised.value.hint}"


def test_a_ledger_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(InputError, match="there is no ledger"):
        open_ledger(tmp_path / "l.sqlite", create=False)
    assert not list(tmp_path.iterdir())


def _write_until_killed(place, out):
    with open_ledger(place) as ledger:
        lease = ledger.acquire("corp", holder_name(), NOW)
        for i in range(100_000):
            ledger.append(lease, 1, "note", {"i": i}, NOW)
            out.send(i)


@pytest.mark.parametrize("rounds", [3, pytest.param(60, marks=pytest.mark.matrix)])
def test_no_acknowledged_entry_is_lost_when_the_writer_is_killed(tmp_path, rounds):
    place, written = tmp_path / "l.sqlite", 0
    context = multiprocessing.get_context("fork")
    for turn in range(rounds):
        here, there = context.Pipe(duplex=False)
        writer = context.Process(target=_write_until_killed, args=(place, there))
        writer.start()
        there.close()
        acknowledged = 0
        for _ in range(5 + turn % 7):
            here.recv()
            acknowledged += 1
        writer.kill()
        writer.join()
        try:
            while True:
                here.recv()
                acknowledged += 1
        except EOFError:
            pass
        here.close()
        with open_ledger(place) as ledger:
            found = len(ledger.entries())
        assert written + acknowledged <= found <= written + acknowledged + 1
        written = found


@pytest.mark.parametrize("spelling", ["{}", "sqlite:///{}"])
def test_a_file_that_holds_no_ledger_yet_is_none_to_who_only_reads(tmp_path, spelling):
    with pytest.raises(NoLedger, match="there is no ledger"):
        open_ledger(spelling.format(tmp_path / "l.sqlite"), create=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(NoLedger) as raised:
        open_ledger(spelling.format(tmp_path / "empty.sqlite"), create=False)
    assert "begins one" in raised.value.hint
    open_ledger(spelling.format(tmp_path / "empty.sqlite")).close()
    open_ledger(spelling.format(tmp_path / "empty.sqlite"), create=False).close()
