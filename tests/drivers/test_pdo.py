"""PHP PDO: each row of its table. Run with PHP 8.2 on libpq 15: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, said

LIBPQ = {"libpq": "15.18", "openssl": "3.0.19"}
ROWS = [
    ("pgsql:host=db;dbname=app", {}, "prefer plain-ok"),
    ("pgsql:host=db;sslmode=verify-full;sslrootcert=/r.pem", {}, "tls full setting"),
    ("pgsql:host=db sslmode=require", {}, "tls"),
    ("pgsql:host=db;sslmode=require;sslmode=disable", {}, "plain"),
    ("pgsql:host=db;sslmode=verify_full", {}, "error"),
    ("pgsql:host=db;charset=utf8", {}, "error"),
    ("pgsql:host=db;password='a;sslmode=x'", {"user": "u"}, "prefer plain-ok"),
    ("pgsql:host=db", {"username": "u", "password": "hunter2", "ATTR_TIMEOUT": 3}, "prefer plain-ok"),
    ("mysql:host=db", {}, "error"),
    ("host=db", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_a_dsn_means_what_libpq_makes_of_it(dsn, options, expected):
    assert said(client("pdo", "8.2", dsn, options=options, runtime=LIBPQ)) == expected


def test_no_password_is_shown():
    given = client("pdo", "8.2", "pgsql:host=db;password=hunter2", runtime=LIBPQ)
    assert "hunter2" not in repr(drivers.find("pdo").read(given))
