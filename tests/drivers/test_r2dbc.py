"""R2DBC PostgreSQL: each row of its table, known from its source only."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, rows_have_sources, said

U = "r2dbc:postgresql://u:hunter2@db.corp.test:5432/app"
ROWS = [
    (U, {}, "plain"),
    (f"{U}?sslMode=prefer", {}, "prefer plain-ok"),
    (f"{U}?sslMode=allow", {}, "allow plain-ok"),
    (f"{U}?sslMode=require&sslRootCert=/r.pem", {}, "tls"),
    (f"{U}?sslMode=REQUIRE", {}, "tls"),
    (f"{U}?sslMode=verify-ca&sslRootCert=/r.pem", {}, "tls chain setting"),
    (f"{U}?sslMode=VERIFY_FULL&sslRootCert=/r.pem", {}, "tls full setting"),
    (f"{U}?sslMode=verify-full", {}, "tls full cacerts"),
    (f"{U}?sslmode=verify-full&sslRootCert=/r.pem", {}, "tls full setting"),
    (f"{U}?ssl=true", {}, "tls full cacerts"),
    (f"{U}?ssl=true&sslMode=require", {}, "tls"),
    (U.replace("r2dbc:", "r2dbcs:", 1), {}, "tls full cacerts"),
    (f"{U}?ssl=false", {}, "plain"),
    (f"{U}?sslMode=none", {}, "error"),
    (f"{U}?sslMode=require&sslMode=verify-full", {}, "undecidable"),
    (f"{U}?sslMode=verify-full&sslRootCert=certs/root.pem", {}, "undecidable"),
    (f"{U}?sslMode=tunnel", {}, "undecidable"),
    (U.replace("db.corp.test", "10.0.0.1") + "?sslMode=verify-full&sslRootCert=/r.pem", {}, "undecidable"),
    (f"{U}?sslMode=require", {"sslMode": "disable"}, "plain"),
    (f"{U}?sslMode=verify-full&sslRootCert=/r.pem", {"sslHostnameVerifier": "x"}, "undecidable"),
    (U.replace("r2dbc:", "r2dbc:pool:") + "?sslMode=require", {}, "tls"),
    (None, {"host": "db", "sslMode": "require"}, "tls"),
    ("r2dbc:mysql://db/app", {}, "error"),
    ("jdbc:postgresql://db/app", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_a_mode_means_what_r2dbc_makes_of_it(dsn, options, expected):
    assert said(client("r2dbc", "1.0.7", dsn, options=options, runtime={"java": "17"})) == expected


def test_versions_outside_the_rules_are_none_and_sources_are_said():
    driver = drivers.find("r2dbc")
    assert driver.possible(Given("r2dbc", "2.0")) == ()
    assert driver.proven == ()
    given = client("r2dbc", "1.0.7", f"{U}?ssl=true", runtime={"java": "17"})
    assert rows_have_sources("r2dbc", given)
    assert "hunter2" not in repr(driver.read(given))


def test_several_hosts_are_several_endpoints():
    given = client("r2dbc", "1.0.7", "r2dbc:postgresql:failover://a:1,b,[::1]:3/app")
    assert [(e.host, e.port) for e in drivers.find("r2dbc").read(given).endpoints] == [("a", "1"), ("b", "5432"), ("::1", "3")]
