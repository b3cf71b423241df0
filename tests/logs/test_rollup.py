"""Lines of PostgreSQL 11 to 18 and what is told from them; that any split and any order of merging tells the same; that names cannot lie."""

from __future__ import annotations

import functools
import json
import operator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot.errors import InputError
from reroot.logs import CSV, JSON, RDS, Bearing, Event, Rollup, bearing, layout, rollup, scanner, sniff
from reroot.logs._clock import Clock
from reroot.logs._rollup import Notes

DEBIAN = "%m [%p] %q%u@%d "
TLS13 = "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)"
TLS12_11 = "SSL enabled (protocol=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384, bits=256, compression=off)"
AT = "2026-11-23 10:15:00 UTC"


def rds(
    message: str, severity: str = "LOG", host: str = "10.0.0.7(51000)", who: str = "[unknown]@[unknown]", pid: int = 70
) -> bytes:
    return f"{AT}:{host}:{who}:[{pid}]:{severity}:  {message}\n".encode()


def one(chunk: bytes, how: str = RDS) -> tuple[object, ...]:
    """The only row that is no arrival, without server, hour and what is empty."""
    found = rollup(chunk, how).settled()
    (row,) = (r for r in found.rows if r.event != Event.RECEIVED.value)
    return row[2:]


AUTHORIZED = [
    ("user=app database=orders", ("plaintext", "", "", "")),
    (f"user=app database=orders {TLS12_11}", ("tls", "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", "")),
    (f"user=app database=orders application_name=web {TLS13}", ("tls", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "web")),
    ("user=app database=orders application_name=sidekiq 6.5 [4 of 10]", ("plaintext", "", "", "sidekiq 6.5 [4 of 10]")),
    ("user=app database=orders GSS (authenticated=yes, encrypted=yes, principal=app@EXAMPLE)", ("gss", "", "", "")),
    ("user=app database=orders GSS (authenticated=yes, encrypted=no, deleg_credentials=no, principal=app@EXAMPLE)", ("plaintext", "", "", "")),
    (f"user=app database=orders {TLS13} GSS (authenticated=yes, encrypted=no, principal=a@E)", ("tls", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), AUTHORIZED, ids=[w[:60] for w, _ in AUTHORIZED])
def test_a_login_is_read_as_every_version_writes_it(words, expected):
    encryption, protocol, cipher, application = expected
    row = one(rds(f"connection authorized: {words}", who="app@orders"))
    assert row == ("10.0.0.7", "app", "orders", application, "session", encryption, protocol, cipher, "")


def test_a_standby_is_a_client_too():
    row = one(rds(f"replication connection authorized: user=repl application_name=standby1 {TLS13}", who="repl@[unknown]"))
    assert row[:4] == ("10.0.0.7", "repl", "", "standby1")
    assert row[5] == "tls"


def test_over_a_unix_socket_there_is_no_plaintext_to_worry_about():
    row = one(rds("connection authorized: user=app database=orders", host="[local]", who="app@orders"))
    assert (row[0], row[5]) == ("local", "local")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("tlsv1 alert unknown ca", Bearing.DISTRUST),
        ("sslv3 alert certificate unknown", Bearing.DISTRUST),
        ("ssl/tls alert certificate unknown", Bearing.DISTRUST),
        ("sslv3 alert bad certificate", Bearing.DISTRUST),
        ("ssl/tls alert bad certificate", Bearing.DISTRUST),
        ("sslv3 alert certificate expired", Bearing.DISTRUST),
        ("EOF detected", Bearing.UNDECIDABLE),
        ("Connection reset by peer", Bearing.UNDECIDABLE),
        ("wrong version number", Bearing.OTHER),
        ("no shared cipher", Bearing.OTHER),
        ("tlsv1 alert protocol version", Bearing.OTHER),
    ],
)
def test_a_failed_handshake_keeps_its_words_and_their_meaning(reason, expected):
    row = one(rds("connection received: host=10.0.0.7 port=51000") + rds(f"could not accept SSL connection: {reason}"))
    assert (row[0], row[4], row[-1]) == ("10.0.0.7", "failed", reason)
    assert bearing(reason) is expected


def test_a_reset_counts_before_the_login_only():
    words = "could not receive data from client: Connection reset by peer"
    assert one(rds(words))[-1] == "Connection reset by peer"
    assert not rollup(rds(words, who="app@orders"), RDS).rows


@pytest.mark.parametrize(
    ("message", "encryption", "meaning"),
    [
        (
            'no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", no encryption',
            "plaintext",
            Bearing.PLAINTEXT,
        ),
        ('no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", SSL off', "plaintext", Bearing.PLAINTEXT),
        (
            'pg_hba.conf rejects connection for host "10.0.0.7", user "app", database "orders", SSL encryption',
            "tls",
            Bearing.OTHER,
        ),
        ('no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", SSL on', "tls", Bearing.OTHER),
    ],
)
def test_a_refused_login_says_how_it_came(message, encryption, meaning):
    row = one(rds(message, "FATAL", who="app@orders"))
    assert row[:6] == ("10.0.0.7", "app", "orders", "", "refused", encryption)
    assert bearing(row[-1]) is meaning
    assert "app" not in row[-1]


def test_an_end_that_came_after_the_login_is_no_refusal():
    chunk = rds("terminating connection due to administrator command", "FATAL", who="app@orders")
    chunk += rds('role "x" cannot be dropped because some objects depend on it', "FATAL", who="app@orders")
    assert not rollup(chunk, RDS).rows


def test_whoever_comes_and_leaves_without_a_word_is_named_undecidable():
    chunk = rds("connection received: host=10.0.0.7 port=1") * 3 + rds(f"connection authorized: user=app database=orders {TLS13}")
    ((row, tally),) = rollup(chunk, RDS).settled().silent()
    assert (row.address, tally.number, bearing(row.cause)) == ("10.0.0.7", 2, Bearing.UNDECIDABLE)


# ── the other layouts ────────────────────────────────────────────────────────────────────────────


def debian(pid: int, message: str, severity: str = "LOG", who: str = "[unknown]@[unknown]", at: str = "10:15:00") -> bytes:
    return f"2026-11-23 {at}.123 UTC [{pid}] {who} {severity}:  {message}\n".encode()


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


def csv(
    message: str, user: str = '"app"', severity: str = "LOG,00000", host: str = '"10.0.0.7:51000"', application: str = ""
) -> bytes:
    quoted = message.replace('"', '""')
    return (
        f'2026-11-23 10:15:00.123 UTC,{user},"orders",70,{host},6560.46,2,"authentication",2026-11-23 10:14:59 UTC,3/2,0,{severity},'
        f'"{quoted}",,,,,,,,,"{application}","client backend",,0\n'
    ).encode()


def test_csvlog_is_read_with_its_quotes():
    row = one(csv(f'connection authorized: user=a"b database=orders application_name=x",y {TLS13}'), CSV)
    assert row[:6] == ("10.0.0.7", 'a"b', "orders", 'x",y', "session", "tls")
    refused = one(
        csv('no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", no encryption', severity="FATAL,28000"), CSV
    )
    assert refused[1:6] == ("app", "orders", "", "refused", "plaintext")
    assert one(csv("connection authorized: user=a database=b", host='"::1:5432"'), CSV)[0] == "::1"


def json_line(message: str, **more: object) -> bytes:
    line = {
        "timestamp": "2026-11-23 10:15:00.123 UTC", "user": "app", "dbname": "orders", "pid": 70, "remote_host": "10.0.0.7",
        "remote_port": 5, "session_id": "6560.46", "line_num": 2, "ps": "authentication", "session_start": "2026-11-23 10:14:59 UTC",
        "vxid": "3/2", "txid": 0, "error_severity": "LOG", "message": message, "backend_type": "client backend", "query_id": 0,
    }  # fmt: skip
    return (json.dumps(line | more, separators=(",", ":"), ensure_ascii=False) + "\n").encode()


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


# ── what somebody else may have written ──────────────────────────────────────────────────────────

FORGED = f"connection authorized: user=admin database=fake application_name=x {TLS13}"


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


KNOWN = f"connection authorized: user=app database=orders {TLS13}"
CAME = "connection received: host=10.0.0.7 port=51000"


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


def in_zone(line: bytes, zone: str, at: str) -> bytes:
    """The line at another time of its day; the begin of a session, further on in the line, is left as it is."""
    return line.replace(b"10:15:00", at.encode(), 1).replace(b"UTC", zone.encode(), 1)


@pytest.mark.parametrize(
    ("line", "how"),
    [
        (rds(KNOWN, who="app@orders"), RDS),
        (csv(KNOWN), CSV),
        (json_line(KNOWN), JSON),
        (debian(70, KNOWN, who="app@orders"), DEBIAN),
    ],
    ids=["rds", "csvlog", "jsonlog", "by process"],
)
def test_when_clocks_are_set_back_an_hour_that_comes_twice_is_two_hours(line, how):
    chunk = in_zone(line, "-03", "23:10:00") + in_zone(line, "-03", "23:50:00") + in_zone(line, "-04", "23:55:00")
    found = rollup(chunk + in_zone(line, "-04", "23:56:00"), how).settled()
    assert sorted((r.hour, t.number, t.first[11:], t.last[11:]) for r, t in found.rows.items()) == [
        ("2026-11-24T02", 2, "02:10:00", "02:50:00"),
        ("2026-11-24T03", 2, "03:55:00", "03:56:00"),
    ]


@pytest.mark.parametrize("how", [RDS, CSV, JSON])
def test_a_client_is_counted_in_each_hour_however_it_is_known_again(how):
    line = {RDS: rds(KNOWN, who="app@orders"), CSV: csv(KNOWN), JSON: json_line(KNOWN)}[how]
    times = ["10:15:00", "10:59:59", "11:00:00", "11:00:00", "12:30:00", "11:59:00", "99:00:00"]
    found = rollup(b"".join(in_zone(line, "UTC", at) for at in times), how)
    assert {r.hour[11:]: (t.number, t.first[11:], t.last[11:]) for r, t in found.rows.items()} == {
        "10": (2, "10:15:00", "10:59:59"),
        "11": (3, "11:00:00", "11:59:00"),
        "12": (1, "12:30:00", "12:30:00"),
    }
    assert found.notes.unreadable == 1


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


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────


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


def test_a_clock_that_jumps_back_counts_into_the_hour_that_the_line_names():
    early, late = (
        rds("connection authorized: user=a database=b").replace(b"10:15", b"09:59"),
        rds("connection authorized: user=a database=b"),
    )
    found = rollup(early + late + early, RDS).rows
    assert {r.hour: t.number for r, t in found.items()} == {"2026-11-23T09": 2, "2026-11-23T10": 1}


@pytest.mark.parametrize("n", [2_000, 4_000])
def test_a_line_made_to_be_slow_is_read_once(n):
    hostile = rds("@:[1]" * n + "LOG:  connection authorized: user=" * n + "x", who="a@b")
    found = rollup(hostile, RDS)
    assert found.notes.quoted == 1


# ── any split, any order ─────────────────────────────────────────────────────────────────────────

PIDS = st.integers(1, 4)
MINUTES = st.integers(0, 59)


@st.composite
def servers(draw: st.DrawFn) -> list[bytes]:
    """A log by process: connections that are received and end in every way, line by line."""
    lines = []
    second = 0
    for _ in range(draw(st.integers(1, 12))):
        pid, host = draw(PIDS), f"10.0.0.{draw(st.integers(1, 3))}"
        second += draw(st.integers(1, 400))
        at = f"{10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        lines.append(debian(pid, f"connection received: host={host} port=1", at=at))
        end = draw(st.sampled_from(["login", "alert", "reset", "hba", "nothing"]))
        if end == "login":
            lines.append(
                debian(
                    pid,
                    f"connection authorized: user=a database=b {draw(st.sampled_from(['', TLS13]))}".rstrip(),
                    at=at,
                    who="a@b",
                )
            )
            if draw(st.booleans()):
                lines.append(debian(pid, "could not receive data from client: Connection reset by peer", at=at, who="a@b"))
        elif end == "alert":
            lines.append(debian(pid, "could not accept SSL connection: tlsv1 alert unknown ca", at=at))
        elif end == "reset":
            lines.append(debian(pid, "could not receive data from client: Connection reset by peer", at=at))
        elif end == "hba":
            lines.append(
                debian(pid, f'no pg_hba.conf entry for host "{host}", user "a", database "b", no encryption', "FATAL", at=at)
            )
        if draw(st.booleans()):
            lines.append(debian(pid, f"duration: 1 ms  statement: SELECT 1\n\t-- LOG:  {FORGED}", at=at, who="a@b"))
    return lines


@settings(max_examples=150, deadline=None)
@given(servers(), st.data())
def test_any_split_and_any_order_of_merging_tell_the_same(lines, data):
    whole = rollup(b"".join(lines), DEBIAN)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    parts = [rollup(b"".join(lines[a:z]), DEBIAN) for a, z in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    shuffled = data.draw(st.permutations(parts))
    middle = data.draw(st.integers(0, len(shuffled)))
    left = functools.reduce(operator.add, shuffled[:middle], Rollup())
    right = functools.reduce(operator.add, shuffled[middle:], Rollup())
    assert (left + right) == (right + left)
    assert (left + right).settled().rows == whole.settled().rows
    assert list((left + right).settled().silent()) == list(whole.settled().silent())
    assert (left + right).notes.bytes == whole.notes.bytes


REPLICA = f"replication connection authorized: user=repl application_name=standby1 {TLS13}"
ALERT = "could not accept SSL connection: tlsv1 alert unknown ca"
NO_ENTRY = 'no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", no encryption'


@pytest.mark.parametrize(
    ("write", "how"),
    [
        (
            lambda text, severity="LOG": rds(text, severity, who="app@orders" if "authorized" in text else "[unknown]@[unknown]"),
            RDS,
        ),
        (lambda text, severity="LOG": csv(text).replace(b",LOG,", b"," + severity.encode() + b","), CSV),
        (lambda text, severity="LOG": json_line(text, error_severity=severity), JSON),
        (lambda text, severity="LOG": debian(70, text, severity), DEBIAN),
    ],
    ids=["rds", "csvlog", "jsonlog", "by process"],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_without_arrivals_everything_else_is_told_as_with_them(write, how, data):
    true = [write(KNOWN), write(CAME), write(REPLICA), write(ALERT), write(NO_ENTRY, "FATAL")]
    false = [
        write(f"duration: 1 ms  statement: SELECT 1 --  {text}") for text in (FORGED, REPLICA, CAME, f"LOG:  {REPLICA}", f"x:[1]:LOG:  {FORGED}")
    ]  # fmt: skip
    chunk = b"".join(data.draw(st.lists(st.sampled_from([*true, *false]), max_size=12)))
    few = scanner(layout(how), arrivals=False)
    few.feed(chunk)
    expected = {row: tally for row, tally in rollup(chunk, how).settled().rows.items() if row.event != Event.RECEIVED.value}
    assert few.finish().settled().rows == expected
    assert {row.event for row in rollup(b"".join(true), how).settled().rows} == {"session", "received", "failed", "refused"}


def test_nothing_added_to_a_rollup_is_the_rollup():
    found = rollup(rds("connection received: host=10.0.0.7 port=1"), RDS)
    assert found + Rollup() == Rollup() + found == found
    assert Notes() + found.notes == found.notes
