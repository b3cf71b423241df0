"""`reroot emit sql-role`: the role that it makes can ask all that `reroot observe` asks, and nothing else."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.collect._backend import Backend
from reroot.collect._enforcement import enforcement, learn_patterns
from reroot.collect._outgoing import EVERYWHERE, SHOWN, elsewhere, outgoing
from reroot.collect._source import Source
from reroot.lab.postgres import Postgres, clean_environment, installations
from tests.collect.test_sessions import PAIR, Standby

pytestmark = pytest.mark.real
RULES = "local all all trust\nhostssl /^ap +team 10.0.0.0/8 scram-sha-256\n"

SUBSCRIPTIONS = {
    "plain": ("host=db2 sslmode=require user=rep password=hunter2", {"host": "db2", "sslmode": "require", "user": "rep"}),
    "quoted": (r"password='hun\'ter2 host=spoofed' host = 'db 3' port=1 sslpassword=hunter2", {"host": "db 3", "port": "1"}),
    "narrow": ("user='rep'password='hunter2'host='db4'", {"user": "rep", "host": "db4"}),
    "escaped": (r"password=hun\ ter2\ host=spoofed user=rep", {"user": "rep"}),
    "uri": (
        "postgresql://rep:hun?ter2&host=spoofed@db5:7/app?sslmode=verify-full&password=hunter2&%70assword=hunter2",
        {"host": "db5", "port": "7", "dbname": "app", "user": "rep", "sslmode": "verify-full"},
    ),
    "short uri": ("postgres://db6", {"host": "db6"}),
    "nobody": ("password=hunter2", {}),
}


def role(name="watch", target="self-managed"):
    done = CliRunner().invoke(reroot, ["emit", "sql-role", "--name", name, "--for", target])
    assert done.exception is None
    return done.stdout


def as_(user, server, database="app"):
    return f"host={server.folder} port={server.port} user='{user}' dbname={database}"


@pytest.fixture(scope="module", params=installations(), ids=lambda one: f"PostgreSQL {one.major}")
def prepared(request):
    """A server with subscriptions, a foreign server and rules; the role is made by psql, as a person makes it."""
    psql = next(i for i in (request.param, *installations()) if (i.bin / "psql").exists())
    with Postgres(PAIR, accepts=RULES, installation=request.param, name="role") as server:
        with psycopg.connect(as_("postgres", server, "postgres"), autocommit=True) as admin:
            admin.execute("create database app")
            admin.execute("create database elsewhere")
        with psycopg.connect(as_("postgres", server), autocommit=True) as admin:
            admin.execute("create table secret (x int); create foreign data wrapper postgres_fdw")
            admin.execute("create server billing foreign data wrapper postgres_fdw options (host 'db3')")
            for name, (conninfo, _) in SUBSCRIPTIONS.items():
                text = conninfo.replace("'", "''")
                admin.execute(f"create subscription \"{name}\" connection '{text}' publication p with (connect = false)".encode())
            words = [str(psql.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", as_("postgres", server)]
            environment = clean_environment() | dict(psql.environment())
            done = subprocess.run(words, input=role(), capture_output=True, text=True, env=environment)
            assert (done.returncode, done.stderr) == (0, "")
            yield server, admin


def asked(server, user="watch"):
    """All that one look of `observe` asks; what could not be told, by what it is about, and what could."""
    backend = Backend(Source(as_(user, server)))
    try:
        known = enforcement(backend)
        first, glance = backend.sample(full=True), backend.sample()
        learn_patterns(backend, known, tuple(s.identity for s in first.sessions))
        found = [*outgoing(backend), *elsewhere(backend)]
    finally:
        backend.close()
    missing = {one.kind for one in found if one.why} | ({"rules"} if known.why else set())
    missing |= {"sessions"} if first.hidden or glance.hidden else set()
    return missing, known, first, found


def test_the_role_asks_everything_that_observe_asks_without_an_error(prepared):
    server, _ = prepared
    begin = len(server.log_lines)
    missing, known, first, found = asked(server)
    assert not missing
    assert not [line for line in server.log_lines[begin:] if "ERROR" in line or "FATAL" in line]
    assert [str(rule.kind) for rule in known.rules] == ["local", "hostssl"]
    assert {s.identity.user for s in first.sessions} == {"postgres"}
    is_asked = server.installation.major >= 16  # what a regular expression matches, the server says
    assert known.patterns == ({("^ap", "app"): True, ("^ap", "postgres"): False} if is_asked else {})
    told = {one.name: dict(one.settings) for one in found if one.kind == "subscription"}
    assert told == {name: settings for name, (_, settings) in SUBSCRIPTIONS.items()}
    assert [one.settings["host"] for one in found if one.kind == "foreign-server"] == ["db3"]


def test_the_role_may_do_nothing_else_and_sees_no_password(prepared):
    server, admin = prepared
    with psycopg.connect(as_("watch", server), autocommit=True) as watch:
        for forbidden in ("select * from secret", "select subconninfo from pg_subscription", "create table reroot.t (x int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                watch.execute(forbidden)
        assert "hun" not in repr(watch.execute("select * from reroot.subscriptions()").fetchall())
        assert "hun" not in repr(watch.execute("select * from pg_settings where name = 'primary_conninfo'").fetchall())
    powers = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
    (known,) = admin.execute("select to_jsonb(r) from pg_roles r where rolname = 'watch'").fetchone()
    assert ([power for power in powers if known[power]], known["rolconnlimit"]) == ([], 3)
    member = "select roleid::regrole::text from pg_auth_members where member = 'watch'::regrole order by 1"
    assert admin.execute(member).fetchall() == [("pg_read_all_settings",), ("pg_read_all_stats",)]
    admin.execute("create role other login")
    with psycopg.connect(as_("other", server), autocommit=True) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
        other.execute("select * from reroot.subscriptions()")


@pytest.mark.parametrize(
    ("right", "missing"),
    [
        ("pg_read_all_stats FROM", {"sessions"}),
        ("SELECT ON pg_hba_file_rules FROM", {"rules"}),
        ("EXECUTE ON FUNCTION pg_hba_file_rules() FROM", {"rules"}),
        ("USAGE ON SCHEMA reroot FROM", {"subscription"}),
        ("EXECUTE ON FUNCTION reroot.subscriptions() FROM", {"subscription"}),
    ],
)
def test_no_right_of_it_can_be_left_out(prepared, right, missing):
    server, admin = prepared
    admin.execute(f"REVOKE {right} watch".encode())
    try:
        assert asked(server)[0] == missing
    finally:
        admin.execute(f"GRANT {right.removesuffix('FROM')} TO watch".encode())


@pytest.mark.parametrize("installation", installations(), ids=lambda one: f"PostgreSQL {one.major}")
def test_a_standby_without_its_primary_is_what_the_right_to_settings_is_for(installation):
    with Standby(PAIR, installation=installation) as standby:
        with psycopg.connect(as_("postgres", standby, "postgres"), autocommit=True) as admin:
            admin.execute(role().encode())
            admin.execute("create role bare login; grant pg_read_all_stats to bare")
            admin.execute("alter system set primary_conninfo = 'host=127.0.0.1 port=1 sslmode=verify-ca'")
        (standby.data / "standby.signal").touch()
        standby.restart()
        found = {}
        for user in ("watch", "bare"):
            backend = Backend(Source(as_(user, standby, "postgres")))
            found[user] = next(o for o in outgoing(backend) if o.kind == "standby")
            backend.close()
    assert (found["watch"].settings["sslmode"], found["watch"].why) == ("verify-ca", "")
    assert "pg_read_all_settings" in found["bare"].why


def test_what_was_made_can_be_taken_away_as_it_says(prepared):
    server, _ = prepared
    text = role("gone")
    with psycopg.connect(as_("postgres", server, "elsewhere"), autocommit=True) as admin:
        admin.execute(text.encode())
        admin.execute(text.rpartition("-- undo: ")[2].encode())
        assert admin.execute("select count(*) from pg_roles where rolname = 'gone'").fetchone() == (0,)
        assert admin.execute("select to_regnamespace('reroot')").fetchone() == (None,)


def test_a_function_of_that_name_that_is_not_the_superusers_is_not_called(prepared):
    server, admin = prepared
    admin.execute("create role mallory; grant create on schema reroot to mallory")
    admin.execute("alter function reroot.subscriptions() owner to mallory")
    try:
        missing, *_ = asked(server)
    finally:
        admin.execute("alter function reroot.subscriptions() owner to postgres")
    assert missing == {"subscription"}


def test_the_role_for_rds_asks_for_nothing_that_rds_does_not_lend():
    said = [line for line in role(target="rds").splitlines() if not line.startswith("--")]
    assert said == [
        'CREATE ROLE "watch" LOGIN CONNECTION LIMIT 3;',
        'GRANT pg_read_all_stats TO "watch";',
        'GRANT pg_read_all_settings TO "watch";',
    ]


def test_what_is_shown_of_a_connection_string_is_what_observe_keeps():
    text = role()
    assert all(f"'{word}'" in text for word in SHOWN)
    assert not [word for word in ("password", "sslpassword", "passfile", "sslkey") if f"'{word}'" in text]
    assert "subconninfo" in EVERYWHERE["subscription"]
