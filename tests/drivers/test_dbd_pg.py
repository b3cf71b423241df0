"""Perl's DBD::Pg: each row of its table. Run with 3.16.0 on libpq 15: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, said

ROWS = [
    ("dbi:Pg:dbname=app;host=db", {}, {}, "prefer plain-ok"),
    ("dbi:Pg:database=app;host=db;sslmode=require", {}, {}, "tls"),
    ("dbi:Pg:db = app;host=db;sslmode=verify-full;sslrootcert=/r.pem", {}, {}, "tls full setting"),
    ("dbi:Pg:dbname='a;b';host=db;sslmode=disable", {}, {}, "plain"),
    ("dbi:Pg:dbname=app;sslmode=Require", {}, {}, "error"),
    ("DBI:Pg:dbname=app", {}, {}, "prefer plain-ok"),
    ("dbi:pg:dbname=app", {}, {}, "error"),
    ("dbi:SQLite:x", {}, {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_a_data_source_means_what_libpq_makes_of_it(dsn, options, env, expected):
    assert said(client("dbd-pg", "3.16.0", dsn, options=options, env=env, runtime={"libpq": "15.18"})) == expected


def test_user_and_password_come_from_dbi_where_none_are_given():
    given = client("dbd-pg", "3.16.0", "dbi:Pg:host=db", env={"DBI_USER": "me", "DBI_PASS": "hunter2"}, runtime={"libpq": "15.18"})
    settings = drivers.find("dbd-pg").read(given)
    assert settings.get("user") == "me"
    assert "hunter2" not in repr(settings)
