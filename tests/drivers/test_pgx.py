"""pgx: each row of its table. v4 run with 4.15 on Go 1.19 (tests/real); v5 from its source, and measured elsewhere with 5.8.0."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given, Reread
from tests.drivers.tables import client, policy, rows_have_sources, said

# sslmode, then without any root file, with ~/.postgresql/root.crt, with sslrootcert
MODES = [
    ("disable", "plain", "plain", "plain"),
    ("allow", "allow plain-ok", "allow plain-ok", "allow plain-ok"),
    ("", "prefer plain-ok", "prefer plain-ok", "prefer plain-ok"),
    ("prefer", "prefer plain-ok", "prefer plain-ok", "prefer plain-ok"),
    ("require", "tls", "tls chain default", "tls chain setting"),
    ("verify-ca", "tls chain system", "tls chain default", "tls chain setting"),
    ("verify-full", "tls full system", "tls full default", "tls full setting"),
    ("verify_full", "error", "error", "error"),
]


@pytest.mark.parametrize("version", ["4.12.0", "4.15.0", "4.18.3", "5.0.0", "5.8.0", "5.10.0"])
@pytest.mark.parametrize(("mode", "none", "default", "setting"), MODES, ids=[m[0] or "unset" for m in MODES])
def test_prefer_and_allow_never_verify_and_require_does_with_a_root_file(version, mode, none, default, setting):
    written = f"sslmode={mode}" if mode else ""
    assert said(client("pgx", version, f"host=db {written}")) == none
    assert said(client("pgx", version, f"host=db {written}", home="/home")) == default
    assert said(client("pgx", version, f"host=db {written} sslrootcert=/r.pem", home="/home")) == setting


ROWS = [
    ("4.15.0", "host=db sslrootcert=/missing.pem", "error"),
    ("4.15.0", "host=db sslrootcert=/empty.pem", "error"),
    ("4.15.0", "host=db sslmode=disable sslrootcert=/missing.pem", "plain"),
    ("5.8.0", "host=db sslmode=disable sslrootcert=/missing.pem", "error"),
    ("4.15.0", "host=db sslrootcert=system", "error"),
    ("5.6.0", "host=db sslrootcert=system", "error"),
    ("5.7.0", "host=db sslrootcert=system", "tls full system"),
    ("5.7.0", "host=db sslmode=require sslrootcert=system", "tls full system"),
    ("5.7.4", "host=db sslmode=require sslnegotiation=direct", "refused"),
    ("5.7.5", "host=db sslmode=require sslnegotiation=direct", "tls direct"),
    ("5.8.0", "host=db sslnegotiation=direct", "tls direct"),
    ("4.15.0", "host=db ssl=true", "refused"),
    ("4.15.0", "host=db sslcrl=/x", "refused"),
    ("5.8.0", "host=db sslsni=0", "prefer plain-ok"),
    ("4.15.0", "host=/var/run/postgresql sslmode=odd", "plain"),
    ("4.15.0", "postgres://db/x?sslmode=disable&sslmode=verify-full", "plain"),
    ("4.15.0", "postgres://db/x?sslmode=%zz", "prefer plain-ok"),
    ("4.15.0", "host=db sslmode=disable sslmode=verify-full", "tls full system"),
    ("4.15.0", "host=db sslcert=/r.pem", "error"),
    ("4.15.0", "host=db target_session_attrs=odd", "error"),
    ("4.15.0", "host=db port=0", "error"),
    ("4.15.0", "service=orders servicefile=/home/.pg_service.conf", "tls full setting"),
    ("4.15.0", "service=missing servicefile=/home/.pg_service.conf", "error"),
    ("4.15.0", "service=orders servicefile=/home/.pg_service.conf sslmode=disable", "plain"),
    ("5.10.0", "host=db require_auth=scram-sha-256", "refused"),
]


@pytest.mark.parametrize(("version", "dsn", "expected"), ROWS)
def test_what_else_settings_mean(version, dsn, expected):
    assert said(client("pgx", version, dsn)) == expected


def test_the_environment_stands_below_the_string():
    env = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/r.pem"}
    assert said(client("pgx", "4.15.0", "host=db", env=env)) == "tls full env"
    assert said(client("pgx", "4.15.0", "host=db sslmode=disable", env=env)) == "plain"


RETRIES = [("4.15.0", "1.11.0", "allow", False), ("4.18.3", "1.14.3", "allow", True), ("5.4.1", "", "allow", False)]
RETRIES += [("5.4.2", "", "allow", True), ("5.7.2", "", "prefer", False), ("5.7.3", "", "prefer", True)]


@pytest.mark.parametrize(("version", "pgconn", "mode", "retries"), RETRIES)
def test_a_rejected_login_is_tried_the_other_way_by_newer_versions_only(version, pgconn, mode, retries):
    runtime = {"pgconn": pgconn} if pgconn else {}
    assert policy(client("pgx", version, f"host=db sslmode={mode}", runtime=runtime)).on_rejection is retries


def test_a_pool_reads_its_roots_once_and_tries_the_next_host():
    found = policy(client("pgx", "5.8.0", "host=a,b sslmode=verify-full"))
    assert (found.reread, found.next_host) == (Reread.AT_START, True)


def test_versions_outside_the_rules_are_none():
    assert drivers.find("pgx").possible(Given("pgx", "3.6.2")) == ()
    assert drivers.find("pgx").possible(Given("pgx", "5.11.0")) == (), "5.11 reads URLs with a parser of its own"


def test_every_row_names_its_source():
    assert rows_have_sources("pgx", client("pgx", "4.15.0", "host=db"))


@pytest.mark.parametrize(("go", "rules"), [("1.19.8", "go-1.22"), ("1.22.10", "go-1.22"), ("1.23.1", "go"), ("1.27.3", "go"), ("", "go")])
def test_a_bare_star_stands_for_a_name_of_one_label_until_go_1_23(go, rules):
    given = Given("pgx", "4.18.0", {"go": go} if go else {}, "postgres://u@localhost/d?sslmode=verify-full")
    driver = drivers.find("pgx")
    assert driver is not None
    assert driver.policy(given, driver.read(given)).names == rules
