"""A word that a driver does not know: passed over, called an error, or handed to the server. Rows run in tests/real (stray.py)."""

from __future__ import annotations

import psycopg
import pytest

from reroot.drivers import _parameters
from reroot.lab.postgres import Postgres, installations
from reroot.model import Accepts
from tests.drivers.tables import client, said

U = "postgres://u@db.corp.test/app"
VERIFIED = f"{U}?sslmode=verify-full&sslrootcert=/r.pem"
ROWS = [
    pytest.param("asyncpg", "0.30", f"{VERIFIED}&sslmod=require", {}, "refused", id="asyncpg-sends-a-typo-to-the-server"),
    pytest.param("asyncpg", "0.30", f"{VERIFIED}&pgbouncer=true", {}, "refused", id="asyncpg-sends-another-drivers-word"),
    pytest.param("asyncpg", "0.30", f"{VERIFIED}&statement_timeout=5000", {}, "", id="asyncpg-sends-a-parameter"),
    pytest.param("asyncpg", "0.30", f"{VERIFIED}&tcp_user_timeout=5", {}, "", id="asyncpg-sends-libpqs-word-that-the-server-has-too"),
    pytest.param("asyncpg", "0.30", f"{VERIFIED}&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", {}, "refused", id="asyncpg-no-version-left"),
    pytest.param("lib-pq", "1.10.7", f"{VERIFIED}&TimeZone=UTC&my.own=1", {}, "", id="lib-pq-parameters-in-any-case-and-an-extensions"),
    pytest.param("lib-pq", "1.10.7", f"{VERIFIED}&pool_timeout=3", {}, "refused", id="lib-pq-another-drivers-word"),
    pytest.param("lib-pq", "1.10.7", f"{VERIFIED}&passfile=/p", {}, "refused", id="lib-pq-knew-no-passfile"),
    pytest.param("lib-pq", "1.10.7", f"{VERIFIED}&connect_timeout=abc", {}, "error", id="lib-pq-timeout-is-a-number"),
    pytest.param("lib-pq", "1.12.3", f"{VERIFIED}&ssl_max_protocol_version=TLSv1.1", {}, "blocked", id="lib-pq-too-old-a-protocol"),
    pytest.param("pgx", "4.15.0", f"{VERIFIED}&default_query_exec_mode=exec", {}, "refused", id="pgx-4-without-the-word-of-5"),
    pytest.param("pgx", "5.7.4", f"{VERIFIED}&default_query_exec_mode=exec&pool_max_conns=2", {}, "", id="pgx-5-and-its-pool"),
    pytest.param("postgres-js", "3.4.5", f"{U}?sslmode=verify-full&serverVersion=15", {}, "refused", id="postgres-js-another-drivers-word"),
    pytest.param("postgres-js", "3.4.5", f"{U}?ssl=verify-full&sslmode=", {}, "", id="postgres-js-drops-what-is-empty"),
    pytest.param("psqlpy", "0.13.1", None, {"ca_file": "/r.pem", "sslmode": "require"}, "error", id="psqlpy-takes-its-own-arguments-only"),
    pytest.param("aiopg", "1.4", "host=db sslmode=verify-full sslrootcert=/r.pem connect_timeout=abc", {}, "", id="aiopg-waits-by-itself"),
    pytest.param("ruby-pg", "1.4", "host=db sslmode=verify-full sslrootcert=/r.pem connect_timeout=abc", {}, "", id="ruby-waits-by-itself"),
    pytest.param("psycopg2", "2.9", "host=db sslmode=verify-full sslrootcert=/r.pem connect_timeout=abc", {}, "error", id="psycopg2-waits-in-libpq"),
    pytest.param("pgadmin", "9.18", None, {"Host": "db", "SSLMode": "verify-full", "SSLRootCert": "/r.pem", "sslmod": "x"}, "", id="pgadmin-passes-it-over"),
    pytest.param("pgjdbc", "42.7.4", "jdbc:postgresql://db/app?sslmode=verify-full&sslrootcert=/r.pem&sslmod=x", {}, "", id="pgjdbc-passes-it-over"),
    pytest.param("pgjdbc", "42.7.4", "jdbc:postgresql://db/app?sslmode=require&sslfactory=", {}, "blocked", id="pgjdbc-factory-without-a-name"),
    pytest.param("pgjdbc", "42.7.4", "jdbc:postgresql://db/app", {"service": "absent", "sslmode": "verify-full", "sslrootcert": "/r.pem"}, "", id="pgjdbc-service-is-the-urls-alone"),
    pytest.param("pgjdbc", "42.2.8", "jdbc:postgresql://db/app?targetServerType=primary", {}, "error", id="pgjdbc-before-primary"),
    pytest.param("postgres-fdw", "15", None, {"host": "db", "sslmode": "", "client_encoding": "UTF8"}, "error", id="postgres-fdw-keeps-words-for-itself"),
    pytest.param("sqlx", "0.8", f"{VERIFIED}&sslcert=/c.pem", {}, "blocked", id="sqlx-certificate-without-its-key"),
    pytest.param("pdo", "8.2", "pgsql:host=db;sslmode=verify-full;sslrootcert=", {"username": "app"}, "error", id="pdo-an-empty-word-swallows-the-user"),
    pytest.param("pdo", "8.2", "pgsql:host=db;sslmode=verify-full;sslrootcert=/r.pem;connect_timeout=abc", {}, "", id="pdo-writes-a-timeout-of-its-own"),
    pytest.param("dbd-pg", "3.16", "dbi:Pg:host=db;sslmode=verify-full;sslrootcert=", {"username": "app"}, "error", id="dbd-pg-an-empty-word-swallows-the-user"),
    pytest.param("dbd-pg", "3.16", "dbi:Pg:host=db;sslmode=verify-full;sslrootcert=/r.pem", {"username": "app"}, "", id="dbd-pg-with-a-user"),
]  # fmt: skip
SETTABLE = ("user", "superuser", "backend", "superuser-backend")
RUNTIME = {"libpq": "15", "tls": "rustls", "pgconn": "1.14.3"}


@pytest.mark.parametrize(("driver", "version", "dsn", "options", "expected"), ROWS)
def test_a_word_too_many_does_what_this_driver_makes_of_it(driver, version, dsn, options, expected):
    found = said(client(driver, version, dsn, options=options, runtime=RUNTIME))
    assert found == expected if expected == "error" else expected in found.split() if expected else found.split()[:2] == ["tls", "full"]


@pytest.fixture(scope="module", params=installations(), ids=lambda i: f"postgresql-{i.major}")
def where(request):
    with Postgres(accepts=Accepts.NO_TLS, installation=request.param, name="words") as server:
        yield f"host={server.folder} port={server.port} user=postgres dbname=postgres"


def test_a_server_takes_in_the_start_up_packet_what_the_table_says_and_nothing_else(where):
    with psycopg.connect(where) as session:
        known = session.execute("select lower(name), context from pg_settings where name not like '%.%'").fetchall()
    assert {name for name, context in known if context in SETTABLE} - _parameters.SETTABLE <= {"extension_destdir"}  # Debian's own
    assert {name for name, context in known if context not in SETTABLE} & _parameters.SETTABLE == set()


@pytest.mark.parametrize("name", ["sslmod", "pgbouncer", "ssl", "port", "passfile"])
def test_a_server_ends_the_login_that_carries_a_word_the_table_does_not_have(where, name):
    assert not _parameters.taken(name)
    with pytest.raises(psycopg.OperationalError, match=r"unrecognized configuration parameter|cannot be changed"):
        psycopg.connect(f"{where} options='-c {name}=1'")
