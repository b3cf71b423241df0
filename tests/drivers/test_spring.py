"""Spring Boot: each row of its table; pgJDBC beneath it was run, R2DBC was not."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, said

JDBC = "jdbc:postgresql://db.corp.test/app"
ROWS = [
    (JDBC, {}, "prefer plain-ok"),
    (None, {"spring.datasource.url": f"{JDBC}?sslmode=require", "spring.datasource.password": "hunter2"}, "tls"),
    (None, {"spring": {"datasource": {"url": JDBC, "hikari": {"data-source-properties": {"sslmode": "disable"}}}}}, "plain"),
    (f"{JDBC}?sslmode=require", {"spring.datasource.hikari.data-source-properties.sslmode": "disable"}, "tls"),
    (None, {"spring.r2dbc.url": "r2dbc:postgresql://db/app?sslMode=require"}, "tls"),
    (None, {"spring": {"r2dbc": {"url": "r2dbc:postgresql://db/app", "properties": {"sslMode": "verify-full", "sslRootCert": "/r.pem"}}}}, "tls full setting"),
    ("r2dbc:postgresql://db/app", {}, "plain"),
    (None, {}, "error"),
    ("jdbc:mysql://db/app", {}, "error"),
]  # fmt: skip


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_properties_mean_what_the_driver_beneath_makes_of_them(dsn, options, expected):
    assert said(client("spring", "3.3", dsn, options=options, runtime={"pgjdbc": "42.7.4", "r2dbc": "1.0.7", "java": "17"})) == expected


def test_no_password_is_shown():
    options = {"spring.datasource.url": JDBC, "spring.datasource.password": "hunter2"}
    given = client("spring", "3.3", options=options, runtime={"pgjdbc": "42.7.4"})
    assert "hunter2" not in repr(drivers.find("spring").read(given))
