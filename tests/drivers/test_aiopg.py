"""aiopg: each row of its table. Run with 1.4.0 on psycopg2 2.9: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, policy, said

ROWS = [
    ("host=db", {}, "/nobody", "prefer plain-ok"),
    ("host=db", {}, "/home", "prefer chain default plain-ok"),
    ("host=db sslmode=require", {"timeout": 3, "echo": True}, "/nobody", "tls"),
    ("host=db sslmode=verify-full sslrootcert=/r.pem", {"minsize": 1, "maxsize": 2}, "/nobody", "tls full setting"),
    ("host=db", {"sslmode": "disable"}, "/nobody", "plain"),
    ("host=db ssl=true", {}, "/nobody", "error"),
]


@pytest.mark.parametrize(("dsn", "options", "home", "expected"), ROWS)
def test_settings_mean_what_psycopg2_makes_of_them_but_for_second_attempts(dsn, options, home, expected):
    assert said(client("aiopg", "1.4.0", dsn, home, options=options, runtime={"libpq": "17"})) == expected


def test_it_never_gets_as_far_as_a_second_attempt():
    found = policy(client("aiopg", "1.4.0", "host=db", "/home", runtime={"libpq": "17"}))
    assert not found.on_rejection
    assert "silent-plaintext-fallback" not in {r.code for r in found.reasons}
    assert drivers.find("aiopg").proven
