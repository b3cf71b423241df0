"""Grafana: each row of its table, known from its source only."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

ROWS = [
    ({"url": "db:5432"}, "tls"),
    ({"url": "db:5432", "sslmode": "disable"}, "plain"),
    ({"url": "db:5432", "sslmode": "require", "sslRootCertFile": "/r.pem"}, "tls chain setting"),
    ({"url": "db:5432", "sslmode": "verify-ca", "sslRootCertFile": "/r.pem"}, "tls chain setting"),
    ({"url": "db:5432", "sslmode": "verify-full", "sslRootCertFile": "/r.pem"}, "tls full setting"),
    ({"url": "db:5432", "sslmode": "verify-full"}, "error"),
    ({"url": "db:5432", "sslmode": "verify-full", "tlsConfigurationMethod": "file-content"}, "undecidable"),
    ({"url": "db:5432", "sslmode": "prefer"}, "error"),
    ({"host": "db:5432", "ssl_mode": "verify-full", "ca_cert_path": "/r.pem"}, "tls full setting"),
    ({"host": "db", "ssl_mode": "disable"}, "plain"),
]


@pytest.mark.parametrize(("options", "expected"), ROWS)
def test_a_data_source_means_what_lib_pq_makes_of_it(options, expected):
    assert said(client("grafana", "10.4", options=options, runtime={"lib-pq": "1.12.3"})) == expected
