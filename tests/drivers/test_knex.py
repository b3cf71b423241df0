"""Knex: each row of its table. Run with Knex 3.3 on pg 8.23 and Node.js 20: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import TEXT, client, said

H = "postgres://u:hunter2@db.corp.test/app"
ROWS = [
    (H, {}, {}, "plain"),
    (f"{H}?sslmode=require", {}, {}, "tls full bundled"),
    (f"{H}?sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "tls full setting"),
    # Knex' own parser is 2.6: it knows no uselibpqcompat, whatever pg's copy knows.
    (f"{H}?uselibpqcompat=true&sslmode=require", {}, {}, "tls full bundled"),
    (f"{H}?sslmode=no-verify", {}, {}, "tls"),
    ("postgis://u@db/app?sslmode=verify-full", {}, {}, "plain"),
    ("postgis://u@db/app?ssl=true", {}, {}, "tls full bundled"),
    ("db.sqlite", {}, {}, "plain"),
    (H, {}, {"PGSSLMODE": "require"}, "tls full bundled"),
    (None, {"host": "db", "ssl": {"ca": TEXT}}, {}, "tls full setting"),
    (None, {"host": "db", "ssl": {"rejectUnauthorized": False}}, {}, "tls"),
    (None, {"connectionString": f"{H}?uselibpqcompat=true&sslmode=require"}, {}, "tls"),
    (None, {"connectionString": f"{H}?sslmode=require", "ssl": {"rejectUnauthorized": False}}, {}, "tls full bundled"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_a_string_is_parsed_by_knex_and_an_object_by_pg(dsn, options, env, expected):
    given = client("knex", "3.3.0", dsn, options=options, env=env, runtime={"pg": "8.23.1", "pg-connection-string": "2.14.1"})
    assert said(given) == expected


def test_versions_outside_the_rules_are_none():
    assert drivers.find("knex").possible(Given("knex", "0.95.0")) == ()
    assert drivers.find("knex").possible(Given("knex", "3.3.0", runtime={"pg": "9.0.0"})) == ()
