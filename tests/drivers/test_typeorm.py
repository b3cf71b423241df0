"""TypeORM: each row of its table. Run with TypeORM 1.1 on pg 8.23 and Node.js 20: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import TEXT, client, said

H = "postgres://u:hunter2@db.corp.test/app"
ROWS = [
    (H, {}, "plain"),
    (f"{H}?sslmode=require", {}, "tls full bundled"),
    (f"{H}?sslmode=require", {"ssl": {"rejectUnauthorized": False}}, "tls full bundled"),
    (H, {"ssl": {"rejectUnauthorized": False}}, "tls"),
    (H, {"ssl": True}, "tls full bundled"),
    (H, {"ssl": True, "extra": {"ssl": {"ca": TEXT}}}, "tls full setting"),
    (H, {"extra": {"ssl": {"rejectUnauthorized": False}}}, "tls"),
    (H, {"extra": "odd"}, "error"),
    (None, {"url": f"{H}?sslmode=verify-full"}, "tls full bundled"),
    (None, {"host": "db", "username": "u", "ssl": {"ca": TEXT}}, "tls full setting"),
    (None, {"host": "db", "replication": {"master": {"host": "m", "ssl": True}, "slaves": []}}, "tls full bundled"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_extra_wins_over_ssl_and_the_url_over_both(dsn, options, expected):
    given = client("typeorm", "1.1.1", dsn, options=options, runtime={"pg": "8.23.1", "pg-connection-string": "2.14.1"})
    assert said(given) == expected


def test_versions_outside_the_rules_are_none():
    assert drivers.find("typeorm").possible(Given("typeorm", "0.2.45")) == ()
