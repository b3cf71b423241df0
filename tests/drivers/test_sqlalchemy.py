"""SQLAlchemy: each row of its table. Run with 2.1.9 over psycopg2, psycopg, asyncpg and pg8000: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

AT = "u:hunter2@db.corp.test/app"
PYTHON = {"python": "3.11.7", "openssl": "3.0.19", "libpq": "17", "asyncpg": "0.32.0", "pg8000": "1.31.6"}
CONTEXT = {"from": "create_default_context", "cafile": "/r.pem"}
ROWS = [
    (f"postgresql://{AT}", {}, {}, "prefer plain-ok"),
    (f"postgresql://{AT}?sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "tls full setting"),
    (f"postgresql+psycopg2://{AT}?sslmode=require", {}, {}, "tls"),
    (f"postgresql+psycopg2://{AT}?ssl=true", {}, {}, "error"),
    (f"postgresql+psycopg2://{AT}?sslmode=disable&sslmode=require", {}, {}, "error"),
    (f"postgresql+psycopg://{AT}?sslmode=require", {"sslmode": "disable"}, {}, "plain"),
    (f"postgresql+psycopg://{AT}", {"connect_args": {"sslmode": "disable"}}, {}, "plain"),
    (f"postgres://{AT}", {}, {}, "error"),
    (f"postgresql+asyncpg://{AT}", {}, {}, "prefer plain-ok"),
    (f"postgresql+asyncpg://{AT}?ssl=require", {}, {}, "tls"),
    (f"postgresql+asyncpg://{AT}?ssl=verify-full", {}, {"PGSSLROOTCERT": "/r.pem"}, "tls full env"),
    (f"postgresql+asyncpg://{AT}?ssl=true", {}, {}, "error"),
    (f"postgresql+asyncpg://{AT}?sslmode=require", {}, {}, "error"),
    (f"postgresql+asyncpg://{AT}?sslrootcert=/r.pem", {}, {}, "error"),
    (f"postgresql+asyncpg://{AT}?prepared_statement_cache_size=0", {}, {}, "prefer plain-ok"),
    (f"postgresql+asyncpg://{AT}", {"ssl": True}, {}, "tls full system"),
    (f"postgresql+asyncpg://{AT}", {"ssl_context": CONTEXT}, {}, "tls full setting"),
    (f"postgresql+pg8000://{AT}", {}, {}, "prefer plain-ok"),
    (f"postgresql+pg8000://{AT}?sslmode=require", {}, {}, "error"),
    (f"postgresql+pg8000://{AT}", {"ssl_context": True}, {}, "tls"),
    (f"postgresql+pg8000://{AT}", {"ssl_context": CONTEXT}, {}, "tls full setting"),
    (f"cockroachdb://{AT}", {}, {}, "undecidable"),
    ("not a url", {}, {}, "error"),
    ("postgresql+psycopg2://u@%2Fvar%2Frun/app", {}, {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_a_url_means_what_the_driver_beneath_makes_of_its_arguments(dsn, options, env, expected):
    assert said(client("sqlalchemy", "2.1", dsn, options=options, env=env, runtime=PYTHON)) == expected


def test_the_default_driver_changed_with_2_1():
    """psycopg 3 goes on to the next host after a TLS error, psycopg2 does not."""
    driver = drivers.find("sqlalchemy")
    given = {v: client("sqlalchemy", v, f"postgresql://{AT}", runtime=PYTHON) for v in ("2.0", "2.1")}
    assert {v: driver.policy(g, driver.read(g)).next_host for v, g in given.items()} == {"2.0": False, "2.1": True}


def test_psycopg_3_came_with_2_0():
    assert said(client("sqlalchemy", "1.4", f"postgresql+psycopg://{AT}", runtime=PYTHON)) == "error"


def test_the_version_of_the_driver_beneath_counts_and_where_it_is_not_known_all_are_asked():
    driver = drivers.find("sqlalchemy")
    given = Given("sqlalchemy", "2.0", {"python": "3.11.7"}, f"postgresql+pg8000://{AT}", {"ssl_context": True}, home="/nobody")
    assert {one.runtime["pg8000"] for one in driver.possible(given)} == {"1.31", "1.30"}
    assert driver.possible(Given("sqlalchemy", "1.3", dsn=f"postgresql://{AT}")) == ()


def test_no_password_is_shown():
    given = client("sqlalchemy", "2.1", f"postgresql+psycopg2://{AT}", runtime=PYTHON)
    assert "hunter2" not in repr(drivers.find("sqlalchemy").read(given))


@pytest.mark.parametrize("text", ["x" * 2_000_000, "postgresql://" + ":" * 99999, "postgresql://\0@", "a://" + "[" * 9999, "postgresql://" + "@" * 9999])
def test_hostile_strings_are_errors_or_settings_and_nothing_else(text):
    assert said(client("sqlalchemy", "2.1", text, runtime=PYTHON))
