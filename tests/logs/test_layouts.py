"""The ways in which a server writes its log, and how each is recognised and read."""

from __future__ import annotations

import functools
import operator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from reroot.errors import InputError
from reroot.logs import CSV, JSON, RDS, layout, rollup, sniff
from reroot.logs._clock import Clock
from tests.logs.lines import DEBIAN, TLS13, csv, debian, json_line, one, rds


def test_without_an_address_lines_are_tied_by_process():
    chunk = debian(5, "connection received: host=10.0.0.5 port=1") + debian(6, "connection received: host=10.0.0.6 port=1")
    chunk += debian(6, f"connection authorized: user=b database=d {TLS13}", who="b@d")
    chunk += debian(5, "could not accept SSL connection: tlsv1 alert unknown ca")
    rows = {r.address: r for r in rollup(chunk, DEBIAN).settled().rows if r.event != "received"}
    assert rows["10.0.0.6"].user == "b"
    assert rows["10.0.0.5"].cause == "tlsv1 alert unknown ca"


def test_a_connection_is_tied_across_files_but_never_to_one_that_is_long_gone():
    head = debian(5, "connection received: host=10.0.0.5 port=1")
    login = debian(5, "connection authorized: user=b database=d", who="b@d", at="10:15:09")
    late = debian(5, "connection authorized: user=b database=d", who="b@d", at="11:15:09")
    for chunks in ([head, login], [login, head]):
        (row,) = (r for r in functools.reduce(operator.add, [rollup(c, DEBIAN) for c in chunks]).settled().rows if r.user)
        assert row.address == "10.0.0.5"
    (row,) = (r for r in (rollup(head, DEBIAN) + rollup(late, DEBIAN)).settled().rows if r.user)
    assert row.address == ""


def test_a_process_number_that_is_used_again_belongs_to_the_next_client():
    chunk = debian(5, "connection received: host=10.0.0.5 port=1") + debian(5, "connection received: host=10.0.0.9 port=1")
    chunk += debian(5, "connection authorized: user=b database=d", who="b@d")
    (row,) = (r for r in rollup(chunk, DEBIAN).settled().rows if r.user)
    assert row.address == "10.0.0.9"


def test_csvlog_is_read_with_its_quotes():
    row = one(csv(f'connection authorized: user=a"b database=orders application_name=x",y {TLS13}'), CSV)
    assert row[:6] == ("10.0.0.7", 'a"b', "orders", 'x",y', "session", "tls")
    refused = one(
        csv('no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", no encryption', severity="FATAL,28000"), CSV
    )
    assert refused[1:6] == ("app", "orders", "", "refused", "plaintext")
    assert one(csv("connection authorized: user=a database=b", host='"::1:5432"'), CSV)[0] == "::1"


def test_jsonlog_is_read_with_its_escapes():
    row = one(json_line(f'connection authorized: user=a\\b database=orders application_name=x","y\té {TLS13}'), JSON)
    assert row[:6] == ("10.0.0.7", "a\\b", "orders", 'x","y\té', "session", "tls")
    refused = one(
        json_line('no pg_hba.conf entry for host "h", user "app", database "d", no encryption', error_severity="FATAL"), JSON
    )
    assert refused[1:6] == ("app", "d", "", "refused", "plaintext")


def test_syslog_is_read_around_the_prefix_and_gets_its_year():
    clock = Clock(ZoneInfo("Europe/Berlin"), datetime(2027, 1, 2, tzinfo=UTC))
    how = layout("syslog:%q%u@%d %r ", clock)
    line = f"Dec 31 23:59:58 db1 postgres[70]: [3-1] app@orders 10.0.0.7(51000) LOG:  connection authorized: user=app database=orders {TLS13}\n"
    ((row, tally),) = rollup(line.encode(), how).rows.items()
    assert (row.hour, row.address, row.user, tally.first) == ("2026-12-31T22", "10.0.0.7", "app", "2026-12-31T22:59:58")
    piece = line.replace("[3-1]", "[3-2]").encode()
    assert not rollup(piece, how).rows
    assert rollup(piece, how).notes.quoted == 1
    modern = line.replace("Dec 31 23:59:58", "2026-11-23T10:15:00.123456+01:00").encode()
    assert next(iter(rollup(modern, "syslog:%q%u@%d %r ").rows)).hour == "2026-11-23T09"


PREFIXES = [
    ("%m [%p] ", "2026-11-23 10:15:00.123 UTC [70] "),
    ("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "2026-11-23 10:15:00 UTC [70]: [2-1] user=app,db=orders,app=[unknown],client=10.0.0.7 "),
    ("%n %r %u %5p ", "1795428900.123 10.0.0.7(51000) app    70 "),
    ("<%t %h %-10u %d %e %x %c %s %b %Q %%>", "<2026-11-23 10:15:00 UTC 10.0.0.7 app        orders 00000 0 6560.46 2026-11-23 10:14:59 UTC client backend 0 %>"),
    ("%t:%r:%u@%d:[%p]:", "2026-11-23 10:15:00 UTC:fe80::1%eth0(51000):app@orders:[70]:"),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "begin"), PREFIXES, ids=[p for p, _ in PREFIXES])
def test_any_prefix_that_tells_enough_is_read(prefix, begin):
    line = f"{begin}LOG:  connection authorized: user=app database=orders {TLS13}\n".encode()
    ((row, _),) = rollup(line, prefix).settled().rows.items()
    assert (row.user, row.encryption, row.hour) == ("app", "tls", "2026-11-23T10")
    assert row.address in ("10.0.0.7", "fe80::1%eth0", "")


@pytest.mark.parametrize("prefix", ["%p ", "", "%t ", "%t %u@%d ", "%t [%z]"])
def test_a_prefix_that_tells_too_little_is_refused_with_what_is_needed(prefix):
    with pytest.raises(InputError):
        layout(prefix)


def test_a_zone_that_may_be_several_is_asked_for_not_guessed():
    line = rds("connection authorized: user=a database=b").replace(b"UTC", b"CST")
    with pytest.raises(InputError, match="can mean several"):
        rollup(line, RDS)
    ((row, _),) = rollup(line, layout(RDS, Clock(ZoneInfo("Asia/Shanghai")))).rows.items()
    assert row.hour == "2026-11-23T02"


@pytest.mark.parametrize(
    ("chunk", "spelling"),
    [
        (rds("x"), RDS),
        (debian(5, "x"), DEBIAN),
        (csv("x"), CSV),
        (json_line("x"), JSON),
        (b"2026-11-23 10:15:00.123 UTC [70] LOG:  x\n", "%m [%p] "),
        (b"hello world\n" * 20, None),
        (bytes(range(256)) * 40, None),
    ],
    ids=["rds", "debian", "csvlog", "jsonlog", "postgres", "text", "rubbish"],
)
def test_the_usual_layouts_are_recognised_and_nothing_else(chunk, spelling):
    assert sniff(chunk) == spelling


@pytest.mark.parametrize(("line", "spelling"), [(csv, CSV), (json_line, JSON)], ids=[CSV, JSON])
def test_a_log_in_fields_is_recognised_without_a_try_of_every_prefix(line, spelling):
    layout.cache_clear()
    statement = line("duration: 1 ms  statement: SELECT\n  a connection \nFROM b\n2 lines")
    assert sniff(line("checkpoint complete") + statement * 20) == spelling
    assert layout.cache_info().misses == 1
