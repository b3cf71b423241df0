"""What somebody else may have written, and what cannot be read: counted, and never taken for evidence."""

from __future__ import annotations

import pytest

from reroot.logs import CSV, JSON, RDS, rollup
from tests.logs.lines import AT, CAME, DEBIAN, FORGED, KNOWN, TLS13, csv, debian, json_line, one, rds


@pytest.mark.parametrize(
    ("chunk", "how"),
    [
        (rds(f"duration: 1 ms  statement: SELECT 'LOG:  {FORGED}'", who="a@b"), RDS),
        (rds(f"duration: 1 ms  statement: SELECT 1\n\t-- LOG:  {FORGED}", who="a@b"), RDS),
        (rds(f"duration: 1 ms  statement: SELECT 1\n\t{AT}:9.9.9.9(1):a@b:[1]:LOG:  {FORGED}", who="a@b"), RDS),
        (rds(f"duration: 1 ms  statement: -- :[1]:LOG:  {FORGED}", who="a@b"), RDS),
        (rds('password authentication failed for user "x"', "FATAL", who=f"a@b:[1]:LOG:  {FORGED[:60]}@x"), RDS),
        (rds('password authentication failed for user "x"', "FATAL", who=f"x\n{AT}:9.9.9.9(1):a@b:[1]:LOG:  {FORGED}\n@x"), RDS),
        (debian(5, "duration: 1 ms", who=f"x] LOG:  {FORGED} [9"), DEBIAN),
        (csv(f'SELECT "x\n2026-11-23 10:15:00.123 UTC,,,1,,6.4,1,,2026,,0,LOG,00000,"{FORGED}'), CSV),
        (csv("duration: 1 ms", application=FORGED), CSV),
        (csv(f'","{FORGED}'), CSV),
        (json_line(f'SELECT ","message":"{FORGED}'), JSON),
        (json_line("duration: 1 ms", application_name=FORGED, detail=FORGED), JSON),
        (json_line("x", user=f'","remote_host":"9.9.9.9","message":"{FORGED}'), JSON),
    ],
)
def test_text_of_a_client_is_no_evidence(chunk, how):
    found = rollup(chunk, how).settled()
    assert not [r for r in found.rows if r.event == "session"]


@pytest.mark.parametrize(
    ("true", "quoting", "how"),
    [
        (rds(KNOWN, who="app@orders"), rds(f"SELECT 1 -- :[1]:LOG:  {KNOWN}", "STATEMENT", who="app@orders"), RDS),
        (rds(KNOWN, who="app@orders"), rds(f"duration: 1 ms  statement: SELECT 1 -- LOG:  {KNOWN}", who="app@orders"), RDS),
        (rds(CAME), rds(f'syntax error at or near "LOG:  {CAME}"', "ERROR", who="app@orders"), RDS),
        (csv(KNOWN), csv("duration: 1 ms", application=KNOWN), CSV),
        (csv(KNOWN), csv(f'x",LOG,00000,"{KNOWN}'), CSV),
        (json_line(KNOWN), json_line("duration: 1 ms", detail=KNOWN, application_name=f'","message":"{KNOWN}'), JSON),
    ],
    ids=["statement", "duration", "arrival", "csv application", "csv message", "json"],
)
def test_what_quotes_a_client_that_is_known_already_is_not_counted_for_it(true, quoting, how):
    found = rollup(true + quoting * 3 + true, how)
    assert [t.number for t in found.rows.values()] == [2]


def test_a_message_of_the_server_about_itself_is_no_line_that_could_not_be_read():
    """Its letters stand where those of `connection received` do."""
    chunk = rds('configuration file "/etc/postgresql.conf" contains errors; unaffected changes were applied', host="", who="@")
    assert rollup(chunk * 2, RDS).notes.unreadable == 0


def test_a_forged_line_is_counted_as_doubtful_and_the_true_one_beside_it_is_kept():
    forged = rds("password authentication failed", "FATAL", who=f"x\n{AT}:9.9.9.9(1):a@b:[1]:LOG:  {FORGED}\n@x")
    true = rds(f"connection authorized: user=app database=orders {TLS13}", who="app@orders")
    found = rollup(true + forged + rds("x") + true, RDS)
    assert [(r.address, r.user, t.number) for r, t in found.rows.items()] == [("10.0.0.7", "app", 2)]
    assert found.notes.doubtful == 1


def test_an_application_that_calls_itself_encrypted_is_not_believed_where_it_can_be_told():
    name = "evil SSL enabled (protocol=TLSv1.3, cipher=FAKE, bits=256)"
    assert one(rds(f"connection authorized: user=a database=b application_name={name}"))[3:6] == (name, "session", "plaintext")
    assert one(rds(f"connection authorized: user=a database=b application_name={name} {TLS13}"))[3:6] == (name, "session", "tls")


def test_what_cannot_be_read_is_counted_and_never_guessed():
    good = rds(f"connection authorized: user=app database=orders {TLS13}")
    torn = b"23 10:15:00 UTC:10.0.0.7(5):a@b:[1]:LOG:  connection authorized: user=a database=b\n"
    no_time = good.replace(b"2026-11-23 10", b"2026-99-99 10")
    long = rds("connection authorized: user=a database=b application_name=" + "x" * 5000)
    found = rollup(good + torn + no_time + long + bytes(range(256)) * 9 + b"\n", RDS)
    assert [(r.user, t.number) for r, t in found.rows.items()] == [("app", 1)]
    assert (found.notes.unreadable, found.notes.too_long) == (2, 1)


def test_the_wrong_prefix_finds_nothing_and_says_so():
    found = rollup(rds("connection authorized: user=a database=b"), DEBIAN)
    assert not found.rows
    assert found.notes.unreadable == 1


@pytest.mark.parametrize("n", [2_000, 4_000])
def test_a_line_made_to_be_slow_is_read_once(n):
    hostile = rds("@:[1]" * n + "LOG:  connection authorized: user=" * n + "x", who="a@b")
    found = rollup(hostile, RDS)
    assert found.notes.quoted == 1
