"""Kafka Connect's JDBC connectors: pgJDBC, which was run."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

URL = "jdbc:postgresql://db.corp.test/app"
ROWS = [
    ({"connection.url": URL, "connection.password": "hunter2"}, "prefer plain-ok"),
    ({"connection.url": f"{URL}?sslmode=verify-full&sslrootcert=/r.pem"}, "tls full setting"),
    ({"connection.url": URL, "connection.sslmode": "require", "connection.attempts": "3"}, "tls"),
    ({"connection.url": "jdbc:mysql://db/app"}, "error"),
    ({}, "error"),
]


@pytest.mark.parametrize(("options", "expected"), ROWS)
def test_a_connector_means_what_pgjdbc_makes_of_it(options, expected):
    assert said(client("kafka-connect", "10.7", options=options, runtime={"pgjdbc": "42.7.4", "java": "17"})) == expected
