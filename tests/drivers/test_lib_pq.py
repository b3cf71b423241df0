"""lib/pq: each row of its table. Run with 1.10.7 (Go 1.19) and 1.12.3 (Go 1.27): tests/real. 1.11 from its source."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, policy, rows_have_sources, said

# sslmode, then with 1.10 and with 1.12: without a root file, with ~/.postgresql/root.crt, with sslrootcert
MODES = [
    ("disable", ("plain", "plain", "plain"), ("plain", "plain", "plain")),
    ("allow", ("error", "error", "error"), ("allow plain-ok", "allow chain default plain-ok", "allow chain setting plain-ok")),
    ("prefer", ("error", "error", "error"), ("prefer plain-ok", "prefer chain default falls plain-ok", "prefer chain setting falls plain-ok")),
    ("", ("tls", "tls", "tls full setting"), ("tls", "tls", "tls chain setting")),
    ("require", ("tls", "tls", "tls full setting"), ("tls", "tls chain default", "tls chain setting")),
    ("verify-ca", ("tls full system", "tls full system", "tls full setting"), ("tls chain system", "tls chain default", "tls chain setting")),
    ("verify-full", ("tls full system", "tls full system", "tls full setting"), ("tls full system", "tls full default", "tls full setting")),
    ("odd", ("error", "error", "error"), ("error", "error", "error")),
]


@pytest.mark.parametrize(("mode", "old", "new"), MODES, ids=[m[0] or "unset" for m in MODES])
def test_the_versions_differ_in_what_a_mode_means(mode, old, new):
    written = f"host=db sslmode={mode}" if mode else "host=db"
    for version, expected in (("1.10.7", old), ("1.12.3", new)):
        assert said(client("lib-pq", version, written)) == expected[0]
        assert said(client("lib-pq", version, written, home="/home")) == expected[1]
        assert said(client("lib-pq", version, f"{written} sslrootcert=/r.pem", home="/home")) == expected[2]


ROWS = [
    ("1.10.7", "host=10.0.0.1 sslmode=verify-ca", "tls chain system"),
    ("1.10.7", "host=db sslmode=verify-ca sslsni=0", "tls chain system"),
    ("1.11.2", "host=db sslmode=verify-ca", "tls chain system"),
    ("1.11.2", "host=db sslmode=prefer", "error"),
    ("1.10.7", "host=db sslrootcert=/missing.pem", "tls"),
    ("1.12.3", "host=db sslmode=require sslrootcert=/missing.pem", "tls"),
    ("1.10.7", "host=db sslmode=verify-ca sslrootcert=/missing.pem", "tls blocked"),
    ("1.10.7", "host=db sslrootcert=system", "tls"),
    ("1.12.3", "host=db sslrootcert=system", "tls full system"),
    ("1.12.3", "host=db sslmode=require sslrootcert=system", "error"),
    ("1.12.3", "host=db sslmode=pqgo-own", "undecidable"),
    ("1.10.7", "host=db sslmode=pqgo-own", "error"),
    ("1.10.7", "host=db ssl=true", "refused"),
    ("1.10.7", "host=db sslnegotiation=direct", "refused"),
    ("1.12.3", "host=db sslnegotiation=direct", "tls direct"),
    ("1.12.3", "host=db sslmode=prefer sslnegotiation=direct", "error"),
    ("1.12.3", "host=db sslnegotiation=odd", "error"),
    ("1.10.7", "host=/var/run/postgresql sslmode=verify-full", "plain"),
    ("1.10.7", "postgres://db/x?sslmode=disable&sslmode=verify-full", "plain"),
    ("1.10.7", "postgres://db/x?sslmode=", "tls"),
    ("1.12.3", "service=orders", "tls full setting"),
    ("1.10.7", "host=db sslinline=true sslrootcert=x sslmode=verify-ca", "tls blocked"),
]


@pytest.mark.parametrize(("version", "dsn", "expected"), ROWS)
def test_what_else_settings_mean(version, dsn, expected):
    home = "/home" if dsn.startswith("service") else "/nobody"
    assert said(client("lib-pq", version, dsn, home=home)) == expected


@pytest.mark.parametrize("version", ["1.10.7", "1.11.2", "1.12.3"])
def test_a_variable_that_lib_pq_does_not_support_stops_it(version):
    assert said(client("lib-pq", version, "host=db", env={"PGREQUIRESSL": "1"})) == "error"


def test_pghostaddr_stops_the_old_version_only():
    assert said(client("lib-pq", "1.10.7", "host=db", env={"PGHOSTADDR": "10.0.0.1"})) == "error"
    given = client("lib-pq", "1.12.3", "host=db", env={"PGHOSTADDR": "10.0.0.1"})
    (end,) = drivers.find("lib-pq").read(given).endpoints
    assert (end.host, end.address) == ("db", "10.0.0.1")


def test_allow_tries_tls_when_plaintext_is_rejected_and_prefer_does_not_go_back():
    assert policy(client("lib-pq", "1.12.3", "host=db sslmode=allow")).on_rejection
    assert not policy(client("lib-pq", "1.12.3", "host=db sslmode=prefer")).on_rejection


def test_versions_outside_the_rules_are_none():
    assert drivers.find("lib-pq").possible(Given("lib-pq", "1.10.4")) == ()
    assert drivers.find("lib-pq").possible(Given("lib-pq", "1.13.0")) == (), "the next version prefers"


def test_every_row_names_its_source():
    assert rows_have_sources("lib-pq", client("lib-pq", "1.12.3", "host=db"))
