"""postgres_fdw: libpq inside a server, of any version unless one is named."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

ROWS = [
    (None, {"host": "db", "dbname": "app"}, "prefer plain-ok"),
    (None, {"host": "db", "sslmode": "verify-full", "sslrootcert": "/r.pem", "fetch_size": "100"}, "tls full setting"),
    ("host=db sslmode=require", {}, "tls"),
    ("host=db sslmode=disable", {}, "plain"),
    ("host=db ssl=true", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_settings_mean_what_libpq_makes_of_them(dsn, options, expected):
    assert said(client("postgres-fdw", "15", dsn, options=options, runtime={"libpq": "15"})) == expected


def test_the_version_of_the_server_says_nothing_of_its_libpq():
    assert len(drivers.find("postgres-fdw").possible(Given("postgres-fdw", "15"))) == 7
