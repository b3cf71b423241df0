"""Ruby's pg: each row of its table. Run with pg 1.4.5 on libpq 15: tests/real."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

ROWS = [
    (None, {"host": "db"}, "prefer plain-ok"),
    (None, {"host": "db", "sslmode": "verify-full", "sslrootcert": "/r.pem"}, "tls full setting"),
    (None, {"host": "db", "sslmode": None}, "prefer plain-ok"),
    ("host=db sslmode=require", {}, "tls"),
    ("postgresql://db/app?sslmode=require", {"sslmode": "disable"}, "plain"),
    ("db.corp.test", {"sslmode": "require"}, "tls"),
    (None, {"host": "db", "ssl": True}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_a_hash_and_a_string_mean_what_libpq_makes_of_them(dsn, options, expected):
    assert said(client("ruby-pg", "1.4.5", dsn, options=options, runtime={"libpq": "15.18"})) == expected
