"""GORM: pgx beneath, of the version that its driver brings. Not run: what it hands to pgx is proven with pgx."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

ROWS = [
    ("1.4.0", {"DSN": "host=db sslmode=require sslrootcert=/r.pem"}, "tls chain setting"),
    ("1.5.9", {"DSN": "host=db sslrootcert=system"}, "tls full system"),
    ("1.4.0", {"DSN": "host=db sslrootcert=system"}, "error"),
    ("1.5.9", {"DSN": "host=db", "PreferSimpleProtocol": True}, "prefer plain-ok"),
    ("1.5.9", {"DSN": "host=db", "DriverName": "cloudsqlpostgres"}, "undecidable"),
    ("1.5.9", {"Conn": "x"}, "undecidable"),
]


@pytest.mark.parametrize(("version", "options", "expected"), ROWS)
def test_gorm_is_pgx(version, options, expected):
    assert said(client("gorm", version, options=options)) == expected


def test_gorms_version_decides_between_pgx_4_and_5():
    possible = drivers.find("gorm").possible
    assert {g.runtime["pgx"][0] for g in possible(Given("gorm", "1.4.0"))} == {"4"}
    assert {g.runtime["pgx"][0] for g in possible(Given("gorm", "1.5.0"))} == {"5"}
    assert possible(Given("gorm", "0.9.0")) == ()
