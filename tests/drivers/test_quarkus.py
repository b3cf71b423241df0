"""Quarkus: each row of its table, known from its documentation only; pgJDBC beneath it was run, Vert.x's client was not."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

Q = "quarkus.datasource."
U = {f"{Q}reactive.url": "postgresql://db.corp.test/app"}
ROWS = [
    (U, "plain"),
    (U | {f"{Q}reactive.postgresql.ssl-mode": "require"}, "tls chain cacerts"),
    (U | {f"{Q}reactive.postgresql.ssl-mode": "require", f"{Q}reactive.trust-all": "true"}, "tls"),
    (U | {f"{Q}reactive.postgresql.ssl-mode": "prefer"}, "prefer chain cacerts falls plain-ok"),
    (U | {f"{Q}reactive.postgresql.ssl-mode": "verify-full", f"{Q}reactive.hostname-verification-algorithm": "HTTPS",
          f"{Q}reactive.trust-certificate-pem.certs": "/r.pem"}, "tls full setting"),
    (U | {f"{Q}reactive.postgresql.ssl-mode": "verify-full", f"{Q}reactive.trust-certificate-pem.certs": "/r.pem"}, "refused"),
    (U | {f"{Q}reactive.postgresql.ssl-mode": "verify-ca", f"{Q}tls-configuration-name": "db"}, "undecidable"),
    ({f"{Q}jdbc.url": "jdbc:postgresql://db.corp.test/app?sslmode=require", f"{Q}username": "u"}, "tls"),
    ({"quarkus": {"datasource": {"jdbc": {"url": "jdbc:postgresql://db.corp.test/app"}}}}, "prefer plain-ok"),
    ({}, "error"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), ROWS)
def test_properties_mean_what_the_client_beneath_makes_of_them(options, expected):
    assert said(client("quarkus", "3.8", options=options, runtime={"pgjdbc": "42.7.4", "vertx": "4.5", "java": "17"})) == expected
