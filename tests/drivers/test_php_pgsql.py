"""PHP's pg_connect(): libpq's string as it is."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("host=db", "prefer plain-ok"),
        ("host=db sslmode=verify-full sslrootcert=/r.pem", "tls full setting"),
        ("postgresql://db/app?sslmode=require", "tls"),
        ("host=db;sslmode=require", "prefer plain-ok"),
        ("ssl=true", "error"),
    ],
)
def test_a_string_means_what_libpq_makes_of_it(dsn, expected):
    assert said(client("php-pgsql", "8.2", dsn, runtime={"libpq": "15.18"})) == expected
