"""Metabase: each row of its table, known from its source only; pgJDBC beneath it was run."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

AT = {"host": "db.corp.test", "port": 5432, "dbname": "app", "user": "u", "password": "hunter2"}
ROWS = [
    (None, AT, "plain"),
    (None, AT | {"ssl": False, "ssl-mode": "verify-full"}, "plain"),
    (None, AT | {"ssl": True}, "tls"),
    (None, AT | {"ssl": True, "ssl-mode": "verify-full", "ssl-root-cert-path": "/r.pem"}, "tls full setting"),
    (None, AT | {"ssl": True, "ssl-mode": "verify-ca", "ssl-root-cert-value": "x"}, "undecidable"),
    (None, AT | {"additional-options": "sslmode=require"}, "tls"),
    ("postgres://db.corp.test/app?sslmode=require", {}, "tls"),
    ("jdbc:postgresql://db.corp.test/app?ssl=true&sslrootcert=/r.pem", {}, "tls full setting"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_details_mean_what_pgjdbc_makes_of_them(dsn, options, expected):
    assert said(client("metabase", "0.50", dsn, options=options, runtime={"pgjdbc": "42.7.4", "java": "17"})) == expected
