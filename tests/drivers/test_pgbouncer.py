"""PgBouncer as a client of its servers: each row of its table. Run with 1.18: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from reroot.pki.judge import check_name
from tests.drivers.tables import client, said

INI = """[databases]
app = host=db.corp.test port=5432 password=hunter2
* = host=other
[pgbouncer]
server_tls_sslmode = verify-full
server_tls_ca_file = /r.pem
auth_type = scram-sha-256
"""
ROWS = [
    ("1.18", "host=db", {}, "plain"),
    ("1.19.1", "host=db", {}, "plain"),
    ("1.20", "host=db", {}, "prefer plain-ok"),
    ("1.24.1", "host=db", {"server_tls_sslmode": "allow"}, "prefer plain-ok"),
    ("1.18", "host=db", {"server_tls_sslmode": "require", "server_tls_ca_file": "/missing.pem"}, "tls"),
    ("1.18", "host=db", {"server_tls_sslmode": "verify-ca", "server_tls_ca_file": "/r.pem"}, "tls chain setting"),
    ("1.18", "host=db", {"server_tls_sslmode": "verify-full", "server_tls_ca_file": "/r.pem"}, "tls full setting"),
    ("1.18", "host=db", {"server_tls_sslmode": "verify-full"}, "tls full system"),
    ("1.18", "host=db", {"server_tls_sslmode": "verify-full", "server_tls_ca_file": "/missing.pem"}, "tls blocked"),
    ("1.18", "host=db", {"server_tls_sslmode": "Require "}, "tls"),
    ("1.18", "host=db", {"server_tls_sslmode": "verify_full"}, "error"),
    ("1.18", "host=db sslmode=verify-full", {}, "error"),
    ("1.18", "host=db pool_size=5 application_name=x", {"server_tls_sslmode": "require"}, "tls"),
    ("1.24.1", "app", {"config": INI}, "tls full setting"),
    ("1.24.1", "absent", {"config": INI}, "tls full setting"),
    ("1.24.1", "absent", {"config": INI.replace("* =", "b =")}, "error"),
]


@pytest.mark.parametrize(("version", "dsn", "options", "expected"), ROWS)
def test_server_tls_settings_mean_what_this_version_makes_of_them(version, dsn, options, expected):
    assert said(client("pgbouncer", version, dsn, options=options, runtime={"openssl": "3.0.19"})) == expected


def test_versions_outside_the_rules_are_none_and_no_password_is_shown():
    driver = drivers.find("pgbouncer")
    assert driver.possible(Given("pgbouncer", "2.0")) == ()
    assert "hunter2" not in repr(driver.read(client("pgbouncer", "1.24.1", "app", options={"config": INI})))


@pytest.mark.parametrize(
    ("names", "common_name", "host", "fits"),
    [
        (("db.corp.test",), "x", "db.corp.test", True),
        (("other.corp.test",), "db.corp.test", "db.corp.test", True),
        (("*.corp.test",), "x", "db.corp.test", True),
        (("*.corp.test",), "x", "a.db.corp.test", False),
        (("*.test",), "x", "corp.test", False),
        (("10.0.0.1",), "x", "10.0.0.1", True),
        (("db.corp.test",), "10.0.0.1", "10.0.0.1", True),
        (("db.corp.test",), "x", "db.corp.test.", False),
    ],
)
def test_its_own_matcher_falls_back_to_the_common_name_whatever_the_san_holds(names, common_name, host, fits):
    from reroot.lab import ca
    from tests.machine import served

    leaf = ca.leaf(ca.root("corp"), *names, subject=common_name)
    assert (not check_name("libtls", served(leaf)[0], host)) is fits
