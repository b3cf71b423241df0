"""DBeaver: each row of its table, known from its source only; pgJDBC beneath it was run."""

from __future__ import annotations

import pytest

from tests.drivers.tables import client, said

URL = "jdbc:postgresql://db.corp.test/app"
ROWS = [
    (URL, {}, "prefer plain-ok"),
    (URL, {"sslMode": "verify-full"}, "prefer plain-ok"),
    (URL, {"ssl": True, "sslMode": "require"}, "tls"),
    (URL, {"ssl": True, "sslMode": "", "ssl.ca.cert": "/r.pem"}, "tls full setting"),
    (URL, {"ssl": True, "sslMode": "verify-ca", "sslRootCert": "/r.pem"}, "tls chain setting"),
    (URL, {"ssl": True, "ssl.truststore": "x.jks"}, "undecidable"),
    (None, {"host": "db", "port": 5433, "database": "app", "ssl": True, "sslMode": "disable"}, "plain"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_the_ssl_tab_means_what_pgjdbc_makes_of_it(dsn, options, expected):
    assert said(client("dbeaver", "24", dsn, options=options, runtime={"pgjdbc": "42.7.4", "java": "17"})) == expected
