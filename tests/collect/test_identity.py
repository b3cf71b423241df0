"""Who was seen, joined to who is declared: nobody is lost, and nobody who was not seen is called fine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from reroot.cli import coverage as command
from reroot.collect.identity import Client, Rule, Seen, behind, clients_of, cover, seen_in, windows_in
from reroot.collect.inventory import read
from reroot.collect.machine import machine
from reroot.errors import InputError
from reroot.lab import ca
from reroot.ledger import open_ledger
from reroot.model import Evidence, Strength

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def evidence(
    user: str,
    application: str = "",
    address: str = "10.0.0.1",
    server: str = "db1",
    encryption: str = "tls",
    source: str = "server log",
) -> Evidence:
    facts = {
        "server": server, "database": "d", "user": user, "application": application, "address": address, "encryption": encryption,
        "sessions": 2, "first_seen": "2026-11-23T09:00:00+00:00", "last_seen": "2026-11-23T10:00:00+00:00",
    }  # fmt: skip
    return Evidence("session", user, source, NOW, Strength.OBSERVED, facts)


ORDERS = Client("orders", "payments", ("db1", "db2"), (Rule(user="orders"),))
REPORT = Client("report", "bi", ("db1",), (Rule(user="report*", address="10.0.0.0/8"),))


def test_known_strangers_and_unseen_are_told_apart():
    pieces = [evidence("orders", encryption="plaintext"), evidence("orders", source="pg_stat_activity"), evidence("ghost")]
    found = cover(seen_in(pieces), [ORDERS, REPORT], windows_in(pieces))
    assert [(s.user, s.encryptions, s.sessions) for s in found.known["orders"]] == [("orders", ("plaintext", "tls"), 4)]
    assert [s.user for s in found.undeclared] == ["ghost"]
    assert found.unseen == (("orders", "db2"), ("report", "db1"))
    assert found.why_unseen("db2") == "nobody has looked at `db2`: not known whether it connects"
    assert found.why_unseen("db1").startswith("not seen on `db1` from 2026-11-23 09:00 to 2026-11-23 10:00 UTC: not known")
    assert found.windows["db1"].sources == ("pg_stat_activity", "server log")
    assert not found.is_complete


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule(user="app"), True), (Rule(user="ap?"), True), (Rule(user="other"), False), (Rule(application="web-*"), True),
        (Rule(address="10.0.0.0/8"), True), (Rule(address="10.1.2.3"), True), (Rule(address="192.168.0.0/16"), False),
        (Rule(user="app", database="x"), False), (Rule(), True),
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_says_by_what_a_client_is_recognised(rule, matches):
    assert rule.matches(Seen("db1", "app", "d", "web-7", "10.1.2.3")) is matches


def test_a_rule_with_an_impossible_network_is_refused():
    with pytest.raises(InputError):
        Rule(address="10.0.0.0/99")


def test_the_rule_that_says_more_wins_and_a_draw_is_told():
    general, narrow = (
        Client("a", "", ("db1",), (Rule(user="app"),)),
        Client("b", "", ("db1",), (Rule(user="app", application="web"),)),
    )
    found = cover(seen_in([evidence("app", "web"), evidence("app", "cron")]), [general, narrow], {})
    assert [(n, [s.application for s in seen]) for n, seen in found.known.items()] == [("a", ["cron"]), ("b", ["web"])]
    twin = Client("c", "", ("db1",), (Rule(user="app"),))
    assert list(cover(seen_in([evidence("app")]), [general, twin], {}).shared.values()) == [("a", "c")]


def test_a_client_is_not_recognised_on_a_server_that_it_does_not_reach():
    assert cover(seen_in([evidence("report", server="db2")]), [REPORT], {}).undeclared


def test_an_empty_rule_recognises_nobody():
    assert cover(seen_in([evidence("app")]), [Client("a", "", ("db1",), (Rule(),))], {}).undeclared


def test_poolers_are_named_and_looked_behind_where_they_tell():
    (seen,) = seen_in([evidence("app", "pgbouncer")])
    assert seen.pooler == "PgBouncer"
    assert behind(Seen("db1", "app", "d", "web - 10.0.4.4:51000", "10.0.0.1")) == Seen("db1", "app", "d", "web", "10.0.4.4")
    assert behind(Seen("db1", "app", "d", "web - fe80::1:51000", "10.0.0.1")) == Seen("db1", "app", "d", "web", "fe80::1")
    assert behind(Seen("db1", "app", "d", "DBeaver 23.1.0 - Main", "10.0.0.1")) is None
    assert [s.address for s in seen_in([evidence("app", "web - 10.0.4.4:51000")])] == ["10.0.4.4"]


def test_our_own_watch_is_no_stranger():
    assert not cover(seen_in([evidence("watcher", "reroot observe")]), [], {}).undeclared


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    for name in ("old", "next"):
        (tmp_path / f"{name}.pem").write_bytes(ca.bundle(ca.root(f"{name} root")))
    (tmp_path / "reroot.toml").write_text(
        """
[rotation]
name = "r"
old_root = "old.pem"
next_root = "next.pem"
[[server]]
name = "db1"
host = "db1.example"
[[client]]
name = "orders"
owner = "payments"
driver = "psycopg"
dsn = "host={host} user=orders dbname=d password=hunter2 application_name=orders[1]"
reaches = ["db1"]
[[client]]
name = "etl"
driver = "nobody-knows"
reaches = ["db1"]
seen_as = [{ user = "etl", address = "10.0.0.0/8" }]
"""
    )
    return tmp_path


def test_a_client_is_recognised_by_what_its_driver_will_send(fleet):
    orders, etl = clients_of(read(fleet / "reroot.toml"), machine())
    assert orders.rules == (Rule("orders", "d", "orders[[]1]"),)
    assert etl.rules == (Rule("etl", address="10.0.0.0/8"),)
    assert orders.rules[0].matches(Seen("db1", "orders", "d", "orders[1]", ""))


def test_the_command_shows_strangers_and_the_unseen_and_no_secret(fleet):
    with open_ledger(fleet / "reroot.sqlite") as ledger:
        ledger.keep("r", (evidence("orders", "orders[1]"), evidence("ghost")))
    result = CliRunner().invoke(command.COMMAND, ["-i", str(fleet / "reroot.toml")])
    assert result.exit_code == 1
    assert "? unknown  not seen on `db1`" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 of 2 clients seen, 1 stranger, 1 not seen; next: ")
    assert "hunter2" not in result.stdout


def test_a_session_that_two_sources_tell_of_counts_once_and_a_window_tells_that_somebody_looked():
    pieces = [evidence("orders"), evidence("orders", source="pg_stat_activity")]
    assert [s.sessions for s in seen_in(pieces)] == [2]
    facts = {"server": "db2", "first": "2026-11-23T08:00:00+00:00", "last": "2026-11-23T11:00:00+00:00"}
    watched = Evidence("window", "db2", "pg_stat_activity", NOW, Strength.OBSERVED, facts)
    found = cover(seen_in(pieces), [ORDERS], windows_in([*pieces, watched]))
    assert found.why_unseen("db2").startswith("not seen on `db2` from 2026-11-23 08:00 to 2026-11-23 11:00 UTC: ")


def test_who_comes_over_the_socket_alone_is_no_stranger_as_there_is_no_tls_to_rotate(fleet):
    backup = evidence("postgres", encryption="local", address="local")
    found = cover(seen_in([backup, evidence("both", encryption="local"), evidence("both")]), [], {})
    assert [s.user for s in found.local] == ["postgres"]
    assert [s.user for s in found.undeclared] == ["both"]
    with open_ledger(fleet / "reroot.sqlite") as ledger:
        ledger.keep("r", (backup,))
    said = CliRunner().invoke(command.COMMAND, ["-i", str(fleet / "reroot.toml")]).stdout
    assert "1 identity over a unix socket, where there is no TLS to rotate: postgres" in said
    assert said.splitlines()[-1].endswith("0 of 2 clients seen, 0 strangers, 2 not seen; next: look longer for the unseen")


def test_the_windows_are_told_in_the_order_of_the_servers_names(fleet):
    with open_ledger(fleet / "reroot.sqlite") as ledger:
        ledger.keep("r", tuple(evidence("orders", server=name) for name in ("db3", "db1", "db2")))
    said = CliRunner().invoke(command.COMMAND, ["-i", str(fleet / "reroot.toml")]).stdout
    told = [line for line in said.splitlines() if " was looked at by " in line]
    assert [line.split()[0] for line in told] == ["db1", "db2", "db3"]
    assert told[0].endswith(" from 2026-11-23 09:00 to 2026-11-23 10:00 UTC")
    assert told[0].startswith("db1 was looked at by ")


def look(first: str, last: str, server: str = "db1") -> Evidence:
    facts = {"server": server, "first": f"2026-{first}:00+00:00", "last": f"2026-{last}:00+00:00", "looks": 9}
    return Evidence("window", server, "pg_stat_activity", NOW, Strength.OBSERVED, facts)


AWAY = [
    ("none", [look("11-01T08:00", "11-01T09:00"), look("11-01T09:05", "11-01T10:00")], ""),
    ("one", [look("11-01T08:00", "11-01T09:00"), look("11-20T08:00", "11-20T09:00")], " (but nobody looked from 2026-11-01 09:00 to 2026-11-20 08:00)"),
    ("inside another", [look("11-01T08:00", "11-03T09:00"), look("11-01T09:00", "11-01T10:00"), look("11-03T08:00", "11-04T09:00")], ""),
    (
        "two",
        [look("11-04T08:00", "11-04T09:00"), look("11-01T08:00", "11-01T09:00"), look("11-02T08:00", "11-02T09:00")],
        " (but nobody looked from 2026-11-02 09:00 to 2026-11-04 08:00, and once more)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("looks", "said"), [case[1:] for case in AWAY], ids=[case[0] for case in AWAY])
def test_when_nobody_looked_in_between_is_told_with_the_window(looks, said):
    (window,) = windows_in(looks, looks).values()
    begin, end = (str(moment)[:16].replace("T", " ") for moment in (window.first, window.last))
    assert window.said == f"{begin} to {end} UTC{said}"
    assert begin == "2026-11-01 08:00"


def test_a_log_that_spans_it_tells_what_the_watch_did_not_see():
    looks = [look("11-01T08:00", "11-01T09:00"), look("11-20T08:00", "11-20T09:00")]
    facts = {**evidence("orders").facts, "first_seen": "2026-10-30T08:00:00+00:00", "last_seen": "2026-11-21T08:00:00+00:00"}
    log = Evidence("session", "s", "server log", NOW, Strength.OBSERVED, facts)
    assert windows_in([*looks, log], looks)["db1"].away == ()


def test_the_command_says_when_the_watch_was_away(fleet):
    with open_ledger(fleet / "reroot.sqlite") as ledger:
        ledger.keep("r", (look("11-01T08:00", "11-01T09:00"), look("11-20T08:00", "11-20T09:00")))
    said = CliRunner().invoke(command.COMMAND, ["-i", str(fleet / "reroot.toml")]).stdout
    assert said.count("(but nobody looked from 2026-11-01 09:00 to 2026-11-20 08:00)") == 3
