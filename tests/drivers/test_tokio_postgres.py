"""tokio-postgres: each row of its table, from its source."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

ROWS = [
    ("host=db sslmode=disable", {}, "plain"),
    ("host=db", {"tls": "none"}, "plain"),
    ("host=db sslmode=require", {"tls": "none"}, "refused"),
    ("host=db", {}, "undecidable"),
    ("host=db sslmode=require", {"tls": "rustls"}, "undecidable"),
    ("host=db sslmode=require", {"tls": "rustls", "connector": "default"}, "tls full bundled"),
    ("host=db", {"tls": "native-tls", "connector": "default"}, "prefer full system plain-ok"),
    ("host=db sslmode=verify-full", {}, "error"),
    ("host=db sslmode=allow", {}, "error"),
    ("host=db sslrootcert=/r.pem", {}, "error"),
    ("postgres://db/x?sslmode=require", {"tls": "openssl", "connector": "default"}, "tls full system"),
]


@pytest.mark.parametrize(("dsn", "runtime", "expected"), ROWS)
def test_when_is_a_setting_and_what_is_the_connectors_affair(dsn, runtime, expected):
    assert said(client("tokio-postgres", "0.7.12", dsn, runtime=runtime)) == expected


def test_versions_outside_the_rules_are_none():
    assert drivers.find("tokio-postgres").possible(Given("tokio-postgres", "0.6.0")) == ()
