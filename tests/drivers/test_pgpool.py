"""Pgpool-II as a client of its backends: each row of its table."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, rows_have_sources, said

CONFIG = "backend_hostname0 = 'db.corp.test'\nbackend_port0 = 5433\nssl = on # yes\nssl_ca_cert = '/r.pem'\n"
ROWS = [
    ({}, "plain"),
    ({"ssl": "off"}, "plain"),
    ({"ssl": "on"}, "prefer plain-ok"),
    ({"ssl": "on", "ssl_ca_cert": "/r.pem"}, "prefer chain setting plain-ok"),
    ({"ssl": "on", "ssl_ca_cert": "/missing.pem"}, "plain"),
    ({"ssl": "on", "ssl_ca_cert_dir": "/etc/ssl/certs"}, "undecidable"),
    ({"ssl": "maybe"}, "error"),
    ({"config": CONFIG}, "prefer chain setting plain-ok"),
    ({"config": "[[["}, "error"),
]


@pytest.mark.parametrize(("options", "expected"), ROWS)
def test_settings_mean_what_pgpool_makes_of_them(options, expected):
    assert said(client("pgpool", "4.5", options=options, runtime={"openssl": "3.0.19"})) == expected


def test_backends_are_its_endpoints():
    given = client("pgpool", "4.5", options={"config": CONFIG})
    assert [(e.host, e.port) for e in drivers.find("pgpool").read(given).endpoints] == [("db.corp.test", "5433")]
    assert rows_have_sources("pgpool", given)
