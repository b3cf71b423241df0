"""Who connects how is told as the server knows it; our own sessions are not in it, and what is hidden is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.collect._backend import Backend
from reroot.collect._enforcement import enforcement
from reroot.collect._outgoing import elsewhere, outgoing
from reroot.collect._source import Source
from reroot.collect.sessions import (
    Counted,
    Enforcement,
    Folded,
    Hourly,
    How,
    Identity,
    Missed,
    Sample,
    Session,
    counted_in,
    observe,
    to_evidence,
)
from reroot.errors import InputError, ReachError
from reroot.lab import ca
from reroot.lab.postgres import Installation, Postgres, installations
from reroot.model import Accepts

ROOT = ca.root("session root")
LEAF = ca.leaf(ROOT, "127.0.0.1")
PAIR = (ca.bundle(LEAF, ROOT), LEAF.key_pem)


@pytest.fixture(scope="module", params=installations(), ids=lambda i: f"postgresql-{i.major}")
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    installation: Installation = request.param
    with Postgres(PAIR, installation=installation) as running:
        with psycopg.connect(at(running), autocommit=True) as admin:
            admin.execute("create role watcher login in role pg_monitor; create role stranger login")
            admin.execute("create database app")
        yield running


def at(server: Postgres, **options: object) -> str:
    given = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": "postgres"} | options
    return psycopg.conninfo.make_conninfo("", **given)


@pytest.fixture
def clients(server: Postgres) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(clients: ExitStack, server: Postgres, **options: object) -> psycopg.Connection:
    return clients.enter_context(psycopg.connect(at(server, **options)))


def watching(server: Postgres, clients: ExitStack, **options: object) -> Backend:
    backend = Backend(Source(at(server, user="watcher", **options)))
    clients.callback(backend.close)
    return backend


def ways(sample: Sample) -> dict[tuple[str, str, str, str], tuple[str, int, int]]:
    return {
        (s.identity.user, s.identity.database, s.identity.application, s.identity.address): (s.how.encryption, s.open, s.begun)
        for s in sample.sessions
        if s.identity.application
    }


# ── one look ─────────────────────────────────────────────────────────────────────────────────────


def test_sessions_are_told_by_who_and_how(server, clients):
    for _ in range(2):
        connect(clients, server, dbname="app", application_name="orders", sslmode="require")
    connect(clients, server, application_name="nightly", sslmode="disable")
    connect(clients, server, application_name="admin", host=str(server.folder))
    sample = watching(server, clients).sample()
    assert ways(sample) == {
        ("postgres", "app", "orders", "127.0.0.1"): ("tls", 2, 2),
        ("postgres", "postgres", "nightly", "127.0.0.1"): ("plaintext", 1, 1),
        ("postgres", "postgres", "admin", "local"): ("plaintext", 1, 1),
    }
    (tls,) = {s.how for s in sample.sessions if s.how.encryption == "tls"}
    assert tls.protocol == "TLSv1.3"
    assert tls.cipher.startswith("TLS_")
    assert sample.hidden == 0


def test_a_session_is_counted_as_begun_once_and_another_one_after_it_too(server, clients):
    connect(clients, server, application_name="twice")
    watch = watching(server, clients)
    who = ("postgres", "postgres", "twice", "127.0.0.1")
    assert ways(watch.sample(full=True))[who] == ("tls", 1, 1)
    assert ways(watch.sample(full=True))[who] == ("tls", 1, 0)
    connect(clients, server, application_name="twice")
    assert ways(watch.sample(full=True))[who] == ("tls", 2, 1)
    assert ways(watch.sample(full=True))[who] == ("tls", 2, 0)


def test_between_two_full_looks_only_who_is_new_is_told_and_counted_once(server, clients):
    watch = watching(server, clients)
    connect(clients, server, application_name="there")
    first = watch.sample()
    assert first.full
    assert ways(first)["postgres", "postgres", "there", "127.0.0.1"] == ("tls", 1, 1)
    assert ways(watch.sample()) == {}
    new = connect(clients, server, application_name="new", sslmode="disable")
    glance = watch.sample()
    assert not glance.full
    assert ways(glance) == {("postgres", "postgres", "new", "127.0.0.1"): ("plaintext", 1, 1)}
    assert ways(watch.sample()) == {}
    new.execute("set application_name = 'renamed'")
    whole = watch.sample(full=True)
    assert ways(whole)["postgres", "postgres", "there", "127.0.0.1"] == ("tls", 1, 0)
    assert ("postgres", "postgres", "renamed", "127.0.0.1") in ways(whole)


def test_when_many_are_new_the_next_look_is_a_full_one_and_after_a_while_too(server, clients, monkeypatch):
    watch = watching(server, clients)
    assert [watch.sample().full for _ in range(2)] == [True, False]
    known = sum(map(len, watch.recent.values()))
    monkeypatch.setattr("reroot.collect._backend.MANY_NEW", known + 1)
    for _ in range(2):
        connect(clients, server, application_name="many")
    assert [watch.sample().full for _ in range(2)] == [False, True]
    monkeypatch.setattr("reroot.collect._backend.MANY_NEW", 1000)
    assert not watch.sample().full
    monkeypatch.setattr("reroot.collect._backend.IN_FULL", timedelta())
    assert watch.sample().full


def test_a_user_without_the_right_is_told_how_much_is_hidden(server, clients):
    connect(clients, server, application_name="orders")
    backend = Backend(Source(at(server, user="stranger")))
    clients.callback(backend.close)
    sample = backend.sample()
    assert sample.hidden >= 1
    assert sample.sessions == ()


def test_a_database_that_is_made_while_we_watch_gets_its_name(server, clients):
    watch = watching(server, clients)
    watch.sample()
    with psycopg.connect(at(server), autocommit=True) as admin:
        admin.execute("create database late")
    late = connect(clients, server, dbname="late", application_name="late")
    assert [s.identity.database for s in watch.sample().sessions if s.identity.application == "late"] == ["late"]
    late.close()


def test_names_that_are_no_utf_8_are_shown_as_escapes(server, clients):
    with psycopg.connect(at(server), autocommit=True) as admin:
        admin.execute("create database ascii template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'")
    with psycopg.connect(at(server, dbname="ascii", client_encoding="LATIN1"), autocommit=True) as odd:
        odd.execute('create role "m\xfcller"')
        try:
            assert "m\\xfcller" in _roles(watching(server, clients, dbname="ascii"))
            assert "m\\xfcller" in _roles(watching(server, clients))
        finally:
            odd.execute('drop role "m\xfcller"')


def _roles(watch: Backend) -> list[str]:
    return [name for _, name in watch.ask("select oid, rolname from pg_roles")]


def test_our_own_session_reads_only_and_survives_a_look_that_takes_too_long(server, clients):
    watch = watching(server, clients)
    settings = dict(watch.ask("select name, setting from pg_settings"))
    assert settings["default_transaction_read_only"] == "on"
    assert settings["statement_timeout"] == "2000"
    watch.connection.execute("set statement_timeout = 20")
    with pytest.raises(ReachError, match="statement timeout"):
        watch.ask("select pg_sleep(60)")
    watch.connection.execute("set statement_timeout = 2000")
    assert watch.sample().server == watch.source.name


# ── many looks ───────────────────────────────────────────────────────────────────────────────────


def test_a_server_is_looked_at_again_and_again_and_the_source_ends(server, clients):
    connect(clients, server, application_name="again")
    looks = observe([Source(at(server, user="watcher"))], every=0.1, lasting=60)
    assert isinstance(next(looks), Enforcement)
    samples = [next(s for s in looks if isinstance(s, Sample)) for _ in range(3)]
    looks.close()
    folded = Folded(samples)
    (who,) = (w for w in folded.identities if w.application == "again")
    (tally,) = folded.ways(who).values()
    assert (tally.sessions, tally.samples, tally.most) == (1, 1, 1)
    assert [sample.full for sample in samples] == [True, False, False]
    assert [n for _, n in tally.hours] == [1]


def test_a_server_that_is_not_there_is_told_and_holds_up_nobody(server):
    seen = list(observe([Source("host=127.0.0.1 port=1"), Source(at(server))]))
    (missed,) = (s for s in seen if isinstance(s, Missed))
    assert missed.server == "127.0.0.1:1"
    assert "refused" in missed.why
    assert missed.hint
    assert [type(s) for s in seen if isinstance(s, Enforcement | Sample)] == [Enforcement, Sample]


def test_a_server_that_restarts_is_missed_and_watched_again():
    with Postgres(PAIR) as server:
        looks = observe([Source(at(server))], every=0.1, lasting=60)
        assert isinstance(next(looks), Enforcement)
        assert isinstance(next(looks), Sample)
        server.restart()
        kinds = []
        for seen in looks:
            kinds.append(type(seen))
            if Missed in kinds and kinds[-2:] == [Enforcement, Sample]:
                break
        looks.close()
    assert kinds.index(Missed) < kinds.index(Enforcement)


def test_a_wrong_password_is_named_and_not_shown(server):
    with Postgres(PAIR, "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n") as guarded:
        (missed,) = observe([Source(at(guarded, password="hunter2"))])
    assert isinstance(missed, Missed)
    assert "password authentication failed" in missed.why
    assert "hunter2" not in repr(missed)


@pytest.mark.parametrize(
    "dsn",
    ["host=db passwordhunter2", "postgresql://u:hunter2@[db/x", "host=db password='hunter2", "postgresql://u:p@h/d?hunter2=1"],
)
def test_a_connection_string_that_cannot_be_read_is_not_repeated(dsn):
    with pytest.raises(InputError) as caught:
        Source(dsn)
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_a_source_is_shown_without_its_password():
    source = Source("postgresql://u:hunter2@db.example.com:6432/d")
    assert "hunter2" not in repr(source) + str(vars(source))
    assert source.name == "db.example.com:6432"
    assert source.without_password("bad\n hunter2") == "bad; ***"


def test_sessions_that_were_counted_are_not_counted_again_when_only_we_were_cut_off(server, clients):
    for _ in range(3):
        connect(clients, server, application_name="pool")
    with psycopg.connect(at(server), autocommit=True) as admin:
        looks = observe([Source(at(server, user="watcher"))], every=0.1, lasting=60)
        samples = [next(s for s in looks if isinstance(s, Sample))]
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'")
        assert isinstance(next(s for s in looks if isinstance(s, Missed)), Missed)
        connect(clients, server, application_name="pool")
        # The next connection begins with a full look.
        samples.append(next(s for s in looks if isinstance(s, Sample)))
        looks.close()
    folded = Folded(samples)
    (tally,) = (t for (who, _), t in folded.tallies.items() if who.application == "pool")
    assert (tally.sessions, tally.most) == (4, 4)


@pytest.mark.parametrize(("earlier", "begun"), [(timedelta(), 0), (timedelta(days=1), 1)], ids=["the same", "restarted"])
def test_a_watch_that_goes_on_from_the_ledger_counts_only_what_is_new(server, clients, earlier, begun):
    connect(clients, server, application_name="old")
    (counted,) = counted_in(to_evidence(Folded([watching(server, clients).sample()]), {})).values()
    later = Counted(counted.started - earlier, counted.last + timedelta(hours=1))
    backend = Backend(Source(at(server, user="watcher")), later)
    clients.callback(backend.close)
    assert ways(backend.sample())["postgres", "postgres", "old", "127.0.0.1"] == ("tls", 1, begun)


# ── whether TLS is insisted on ───────────────────────────────────────────────────────────────────


def test_without_the_right_to_read_the_rules_the_answer_is_unknown_with_its_reason(server, clients):
    known = enforcement(watching(server, clients))
    assert known.everyone is None
    assert "permission denied" in known.why
    assert known.takes(Identity("s", "d", "u", "", "127.0.0.1"))[0] is None


def test_a_server_without_tls_is_told():
    with Postgres(accepts=Accepts.NO_TLS) as plain:
        backend = Backend(Source(at(plain)))
        assert enforcement(backend).everyone is Accepts.NO_TLS
        backend.close()


@pytest.mark.parametrize(("value", "expected"), [("1", Accepts.HOSTSSL), ("on", Accepts.HOSTSSL), ("0", Accepts.HOST)])
def test_where_rds_says_it_the_setting_counts(value, expected):
    with Postgres(PAIR, settings={"rds.force_ssl": value}) as server:
        backend = Backend(Source(at(server)))
        known = enforcement(backend)
        backend.close()
    assert (known.source, known.everyone) == ("rds.force_ssl", expected)


# ── where the servers themselves connect to ──────────────────────────────────────────────────────


def test_a_subscription_and_a_foreign_server_are_told_without_their_secrets(server, clients):
    with psycopg.connect(at(server, dbname="app"), autocommit=True) as admin:
        admin.execute(
            "create subscription orders connection 'host=db2 sslmode=require user=rep password=hunter2 sslpassword=hunter3'"
            " publication all_of_it with (connect = false)"
        )
        admin.execute("create foreign data wrapper postgres_fdw")
        admin.execute("create server billing foreign data wrapper postgres_fdw options (host 'db3', sslmode 'verify-full')")
        backend = Backend(Source(at(server, dbname="app")))
        clients.callback(backend.close)
        try:
            found = {o.kind: o for o in outgoing(backend)}
        finally:
            admin.execute("alter subscription orders set (slot_name = none)")
            admin.execute("drop subscription orders; ")
            admin.execute("drop foreign data wrapper postgres_fdw cascade")
    assert found["subscription"].settings == {"host": "db2", "sslmode": "require", "user": "rep"}
    assert (found["foreign-server"].name, found["foreign-server"].settings["sslmode"]) == ("billing", "verify-full")
    assert "hunter" not in repr(found)


def test_foreign_servers_and_mappings_of_other_databases_are_told_too(server, clients):
    with psycopg.connect(at(server, dbname="app"), autocommit=True) as admin:
        admin.execute("create foreign data wrapper postgres_fdw")
        admin.execute("create server billing foreign data wrapper postgres_fdw options (host 'db3', sslmode 'prefer')")
        admin.execute("create user mapping for watcher server billing options (user 'reader', password 'hunter2')")
        backend = Backend(Source(at(server)))
        clients.callback(backend.close)
        try:
            mine = [o for o in outgoing(backend) if o.kind != "subscription"]
            found = {(o.database, o.kind): o for o in elsewhere(backend)}
        finally:
            admin.execute("drop foreign data wrapper postgres_fdw cascade")
    assert not mine
    assert found["app", "foreign-server"].settings == {"host": "db3", "sslmode": "prefer"}
    mapping = found["app", "user-mapping"]
    assert (mapping.name, mapping.settings, mapping.why) == ("watcher@billing", {"user": "reader"}, "")
    assert "hunter" not in repr(found)


def test_mappings_that_are_not_shown_are_named_with_the_reason(server, clients):
    with psycopg.connect(at(server, dbname="app"), autocommit=True) as admin:
        admin.execute("create foreign data wrapper postgres_fdw; create server b foreign data wrapper postgres_fdw")
        admin.execute("create user mapping for postgres server b options (user 'reader')")
        try:
            (mapping,) = (o for o in elsewhere(watching(server, clients)) if o.kind == "user-mapping")
        finally:
            admin.execute("drop foreign data wrapper postgres_fdw cascade")
    assert (mapping.name, mapping.settings) == ("postgres@b", {})
    assert "shown only to the owner" in mapping.why


def test_a_database_that_lets_us_not_in_is_told(server, clients):
    with psycopg.connect(at(server), autocommit=True) as admin:
        admin.execute("create database closed; ")
        admin.execute("revoke connect on database closed from public")
        try:
            told = [o for o in elsewhere(watching(server, clients)) if o.database == "closed"]
        finally:
            admin.execute("drop database closed")
    assert [o.why for o in told if "permission denied" in o.why]


class Standby(Postgres):
    def wait_for_log(self, pattern: str, *, since: int = 0, timeout: float = 60.0) -> str:
        return super().wait_for_log(pattern.replace("accept conn", "accept (?:read-only )?conn"), since=since, timeout=timeout)


def test_a_standby_says_whom_it_follows_and_how():
    """Its settings are read where it is not connected: a primary that is away is followed again when it is back."""
    with Standby(PAIR) as standby:
        with psycopg.connect(at(standby), autocommit=True) as admin:
            admin.execute("alter system set primary_conninfo = 'host=127.0.0.1 port=1 password=hunter2 sslmode=verify-ca'")
        (standby.data / "standby.signal").touch()
        standby.restart()
        backend = Backend(Source(at(standby)))
        try:
            found = {o.kind: o for o in outgoing(backend)}
        finally:
            backend.close()
    assert found["standby"].settings == {"host": "127.0.0.1", "port": "1", "sslmode": "verify-ca"}


def test_what_may_not_be_read_is_said(server, clients):
    found = {o.kind: o for o in outgoing(watching(server, clients))}
    assert "permission denied" in found["subscription"].why


# ── folding ──────────────────────────────────────────────────────────────────────────────────────

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SAMPLES = st.lists(
    st.builds(
        lambda server, minutes, sessions, hidden: Sample(
            server,
            NOON + timedelta(minutes=minutes),
            tuple(
                Session(Identity(server, "d", user, "a", "h"), How(protocol), n, begun, NOON, NOON + timedelta(minutes=later))
                for (user, protocol), (n, begun, later) in sessions.items()
            ),
            hidden,
        ),
        st.sampled_from(["one", "two"]),
        st.integers(0, 300),
        st.dictionaries(
            st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["", "TLSv1.3"])),
            st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9)),
            max_size=4,
        ),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(SAMPLES, st.randoms())
def test_a_fold_does_not_mind_the_order_and_loses_nothing(samples, random):
    folded = Folded(samples)
    shuffled = list(samples)
    random.shuffle(shuffled)
    again = Folded(shuffled)
    assert (folded.tallies, folded.windows) == (again.tallies, again.windows)
    assert sum(t.sessions for t in folded.tallies.values()) == sum(s.begun for sample in samples for s in sample.sessions)
    assert sum(n for t in folded.tallies.values() for _, n in t.hours) == sum(t.sessions for t in folded.tallies.values())
    assert sum(w.samples for w in folded.windows.values()) == len(samples)


def test_evidence_says_how_and_what_the_server_takes():
    who, local = Identity("one", "d", "ann", "a", "10.0.0.1"), Identity("one", "d", "ann", "a", "local")
    sample = Sample("one", NOON, (Session(who, How("TLSv1.3", "X"), 2, 2, NOON, NOON), Session(local, How(), 1, 1, NOON, NOON)))
    first, second, window = to_evidence(Folded([sample]), {"one": Enforcement("one", "rds.force_ssl", Accepts.HOSTSSL)})
    assert (first.kind, first.subject, first.seen_at) == ("session", "ann@d from 10.0.0.1 on one", NOON)
    assert (first.facts["encryption"], first.facts["sessions"], first.facts["accepts"]) == ("tls", 2, "hostssl")
    assert second.facts["encryption"] == "local"
    assert (window.kind, window.facts["looks"], window.facts["first"]) == ("window", 1, NOON.isoformat())


@given(SAMPLES)
def test_folds_by_the_hour_add_up_to_the_whole_also_when_they_could_not_be_kept(samples):
    hourly, half = Hourly(), len(samples) // 2
    for sample in samples[:half]:
        hourly.add(sample)
    taken = hourly.take()
    for sample in samples[half:]:
        hourly.add(sample)
    hourly.give_back(taken)
    hours, whole = hourly.take(), Folded(samples)
    for hour, folded in hours.items():
        assert {s.at.isoformat()[:13] for s in samples if s.server in folded.windows} >= {hour}
        assert all(h == hour for t in folded.tallies.values() for h, _ in t.hours)
    assert sum((f for f in hours.values()), Folded()).tallies == whole.tallies
    assert sum((f for f in hours.values()), Folded()).windows == whole.windows


def test_an_answer_that_nobody_thought_of_is_told_and_does_not_end_the_watch(server, monkeypatch):
    usual, odd = Backend.sample, iter([ValueError("year 20261 is out of range")])

    def sample(self: Backend, *, full: bool = False) -> Sample:
        for error in odd:
            raise error
        return usual(self, full=full)

    monkeypatch.setattr(Backend, "sample", sample)
    looks = observe([Source(at(server))], every=0.1, lasting=60)
    seen = []
    for one in looks:
        seen.append(one)
        if isinstance(one, Sample):
            break
    looks.close()
    (missed,) = (one for one in seen if isinstance(one, Missed))
    assert missed.why == "ValueError: its answer was not understood"


def test_the_servers_log_knows_the_watch_from_its_login_on():
    with Postgres(PAIR) as server:
        list(observe([Source(at(server))]))
        assert "application_name=reroot observe" in server.wait_for_log("connection authorized: user=.*application_name=")
