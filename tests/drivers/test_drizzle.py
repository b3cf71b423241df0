"""Drizzle ORM: each row of its table. Run with Drizzle 0.45 on pg 8.23 and postgres.js 3.4: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import TEXT, client, said

H = "postgres://u:hunter2@db.corp.test/app"
PG = {"pg": "8.23.1", "pg-connection-string": "2.14.1"}
JS = {"postgres": "3.4.9"}
ROWS = [
    pytest.param(H, {}, PG, "plain", id="a string on node-postgres asks for no TLS"),
    pytest.param(f"{H}?sslmode=require", {}, PG, "tls full bundled", id="require on node-postgres verifies"),
    pytest.param(f"{H}?sslmode=require", {}, JS, "tls", id="require on postgres.js checks nothing"),
    pytest.param(None, {"connection": f"{H}?sslmode=require"}, PG, "tls full bundled", id="a string as the connection"),
    pytest.param(None, {"connection": {"connectionString": H, "ssl": {"ca": TEXT}}}, PG, "tls full setting", id="an object for node-postgres"),
    pytest.param(None, {"host": "db", "ssl": {"rejectUnauthorized": False}}, PG, "tls", id="what the object holds, given by itself"),
    pytest.param(None, {"connection": {"url": H, "ssl": {"ca": TEXT}}}, JS, "tls full setting", id="an object with a URL for postgres.js"),
    pytest.param(None, {"connection": {"url": f"{H}?sslmode=require"}}, PG, "plain", id="node-postgres knows no word url"),
    pytest.param(H, {"connection": {"ssl": True}}, PG, "plain", id="beside a string no connection is looked at"),
    pytest.param(None, {"connection": 5}, PG, "error", id="a connection that is neither"),
]


@pytest.mark.parametrize(("dsn", "options", "runtime", "expected"), ROWS)
def test_a_connection_means_what_the_package_beneath_makes_of_it(dsn, options, runtime, expected):
    given = Given("drizzle", "0.45.4", dsn=dsn, options=options, runtime=runtime)
    found = drivers.find("drizzle").possible(given)
    assert {said(one) for one in found or (given,)} == {expected}


def test_a_package_that_is_not_known_is_each_of_the_two():
    given = Given("drizzle", "0.45.4", dsn=f"{H}?sslmode=require")
    assert {said(one) for one in drivers.find("drizzle").possible(given)} == {"tls full bundled", "tls"}


def test_no_password_is_shown():
    given = client("drizzle", "0.45.4", H, runtime=PG)
    assert "hunter2" not in repr(drivers.find("drizzle").read(given))


def test_versions_outside_the_rules_are_none():
    assert drivers.find("drizzle").possible(Given("drizzle", "0.20.0", dsn=H)) == ()
    assert drivers.find("drizzle").possible(Given("drizzle", "1.0.0", dsn=H)) == ()
    assert drivers.find("drizzle").possible(Given("drizzle", "0.45.4", dsn=H, runtime={"pg": "9.0.0"})) == ()
