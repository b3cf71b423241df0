"""Vert.x's PostgreSQL client: each row of its table, known from its source only."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, rows_have_sources, said

U = "postgresql://u:hunter2@db.corp.test:5432/app"
PEM = {"trustCertificates": "/r.pem"}
HTTPS = {"hostnameVerificationAlgorithm": "HTTPS"}
ROWS = [
    (U, {}, {}, "plain"),
    (U, {}, {"PGSSLMODE": "require"}, "tls chain cacerts"),
    (f"{U}?sslmode=disable", {}, {"PGSSLMODE": "require"}, "plain"),
    (f"{U}?sslmode=prefer", {}, {}, "prefer chain cacerts falls plain-ok"),
    (f"{U}?sslmode=prefer", {"trustAll": True}, {}, "prefer plain-ok"),
    (f"{U}?sslmode=allow", {"trustAll": True}, {}, "allow plain-ok"),
    (f"{U}?sslmode=require", {}, {}, "tls chain cacerts"),
    (f"{U}?sslmode=require", {"trustAll": True}, {}, "tls"),
    (f"{U}?sslmode=require", PEM, {}, "tls chain setting"),
    (f"{U}?sslmode=verify-ca", PEM, {}, "tls chain setting"),
    (f"{U}?sslmode=verify-ca", {}, {}, "refused"),
    (f"{U}?sslmode=verify-full", PEM, {}, "refused"),
    (f"{U}?sslmode=verify-full", PEM | HTTPS, {}, "tls full setting"),
    (f"{U}?sslmode=VERIFY_FULL", PEM | HTTPS, {}, "tls full setting"),
    (f"{U}?sslmode=verify-full", HTTPS, {}, "refused"),
    (f"{U}?sslmode=verify-full", HTTPS | {"trustOptions": {"path": "x.jks"}}, {}, "undecidable"),
    (f"{U}?sslmode=require", {"trustCertificates": "/missing.pem"}, {}, "tls blocked"),
    (f"{U}?sslmode=nonsense", {}, {}, "error"),
    ("mysql://db/app", {}, {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_a_mode_means_what_vertx_makes_of_it(dsn, options, env, expected):
    assert said(client("vertx", "4.5.1", dsn, options=options, env=env, runtime={"java": "17"})) == expected


def test_versions_outside_the_rules_are_none_and_sources_are_said():
    driver = drivers.find("vertx")
    assert [driver.possible(Given("vertx", v)) for v in ("3.9", "6.0")] == [(), ()]
    given = client("vertx", "5.0", f"{U}?sslmode=require", runtime={"java": "17"})
    assert rows_have_sources("vertx", given)
    assert "hunter2" not in repr(driver.read(given))
