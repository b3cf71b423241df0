"""Sequelize: each row of its table. Run with Sequelize 6.37 on pg 8.23 and Node.js 20: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import TEXT, client, said

H = "postgres://u:hunter2@db.corp.test/app"
ROWS = [
    (H, {}, {}, "plain"),
    (H, {"ssl": True}, {}, "plain"),
    (H, {"dialectOptions": {"ssl": True}}, {}, "tls full bundled"),
    (H, {"dialectOptions": {"ssl": {"require": True, "rejectUnauthorized": False}}}, {}, "tls"),
    (H, {"dialectOptions": {"ssl": {"ca": TEXT}}}, {}, "tls full setting"),
    (f"{H}?sslmode=require", {"dialectOptions": {"ssl": {"rejectUnauthorized": False}}}, {}, "tls full bundled"),
    (f"{H}?ssl=true", {}, {}, "tls full bundled"),
    (f"{H}?sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "tls full setting"),
    (H, {}, {"PGSSLMODE": "require"}, "tls full bundled"),
    (None, {"host": "db", "ssl": True}, {}, "plain"),
    (None, {"host": "db", "dialectOptions": {"ssl": True}}, {}, "tls full bundled"),
    (None, {"dialectOptions": {"ssl": False}}, {"PGSSLMODE": "require"}, "plain"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_only_dialect_options_reach_the_driver(dsn, options, env, expected):
    given = client("sequelize", "6.37.8", dsn, options=options, env=env, runtime={"pg": "8.23.1", "pg-connection-string": "2.14.1"})
    assert said(given) == expected


def test_the_ssl_that_has_no_effect_is_kept_as_unknown():
    given = client("sequelize", "6.37.8", None, options={"host": "db", "ssl": True}, runtime={"pg": "8.23.1"})
    assert drivers.find("sequelize").read(given).unknown


def test_versions_outside_the_rules_are_none():
    assert drivers.find("sequelize").possible(Given("sequelize", "7.0.0")) == ()
