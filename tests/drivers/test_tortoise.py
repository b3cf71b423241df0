"""Tortoise ORM: each row of its table. Run with 1.1.9 on asyncpg 0.32: tests/real. The psycopg backend is known from its source."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

AT = "u:hunter2@db.corp.test:5432/app"
RUNTIME = {"python": "3.11.7", "openssl": "3.0.19", "asyncpg": "0.32.0", "psycopg": "3.3", "libpq": "17"}
ROWS = [
    (f"asyncpg://{AT}", {}, "prefer plain-ok"),
    (f"asyncpg://{AT}?ssl=require", {}, "tls full system"),
    (f"asyncpg://{AT}?ssl=disable", {}, "tls full system"),
    (f"asyncpg://{AT}?ssl=", {}, "prefer plain-ok"),
    (f"postgres://{AT}?ssl=true", {}, "tls full system"),
    (f"asyncpg://{AT}?sslmode=require", {}, "error"),
    (f"asyncpg://{AT}?minsize=1&maxsize=5&schema=x", {}, "prefer plain-ok"),
    (None, {"host": "db", "user": "u", "ssl": {"from": "create_default_context", "cafile": "/r.pem"}}, "tls full setting"),
    (None, {"credentials": {"host": "db", "ssl": "require"}}, "tls"),
    (f"psycopg://{AT}", {}, "prefer plain-ok"),
    (f"psycopg://{AT}?ssl=true", {}, "tls"),
    (f"psycopg://{AT}?sslmode=require", {}, "error"),
    (None, {"engine": "tortoise.backends.psycopg", "credentials": {"host": "db", "ssl": {"from": "create_default_context"}}}, "tls blocked"),
    ("sqlite://x", {}, "error"),
    ("asyncpg://h:x/db", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_ssl_in_the_url_is_true_whatever_it_says(dsn, options, expected):
    assert said(client("tortoise", "1.1", dsn, options=options, runtime=RUNTIME)) == expected
