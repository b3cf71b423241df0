"""node-postgres: each row of its table. Run with pg 8.3 to 8.23 and pg-connection-string 2.14, Node.js 20: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given, Reread
from tests.drivers.tables import TEXT, client, policy, rows_have_sources, runtime, said

H = "postgres://u:hunter2@db.corp.test/app"
PG = runtime(node="20.20.2", pg_connection_string="2.14.1")

# connection string, then what it means by default, and with uselibpqcompat=true
URLS = [
    ("", "plain", "plain"),
    ("sslmode=disable", "plain", "plain"),
    ("sslmode=allow", "tls full bundled", "tls full bundled"),
    ("sslmode=prefer", "tls full bundled", "tls"),
    ("sslmode=require", "tls full bundled", "tls"),
    ("sslmode=no-verify", "tls", "tls full bundled"),
    ("sslmode=verify-ca", "tls full bundled", "error"),
    ("sslmode=verify-full", "tls full bundled", "tls full bundled"),
    ("sslmode=verify_full", "tls full bundled", "tls full bundled"),
    ("sslmode=require&sslrootcert=/r.pem", "tls full setting", "tls chain setting"),
    ("sslmode=verify-ca&sslrootcert=/r.pem", "tls full setting", "tls chain setting"),
    ("sslmode=verify-full&sslrootcert=/r.pem", "tls full setting", "tls full setting"),
    ("sslrootcert=/r.pem", "tls full setting", "tls full setting"),
    ("sslrootcert=/empty.pem", "tls full bundled", "tls full bundled"),
    ("sslrootcert=/junk.pem", "tls full setting", "tls full setting"),
    ("sslrootcert=/missing.pem", "error", "error"),
    ("sslrootcert=/folder", "error", "error"),
    ("sslmode=disable&sslrootcert=/missing.pem", "error", "error"),
    ("sslmode=disable&sslmode=verify-full", "tls full bundled", "tls full bundled"),
    ("sslmode=verify-full&sslmode=disable", "plain", "plain"),
    ("ssl=true", "tls full bundled", "tls full bundled"),
    ("ssl=1", "tls full bundled", "tls full bundled"),
    ("ssl=0", "plain", "plain"),
    ("ssl=no-verify", "tls", "tls"),
    ("ssl=false", "tls blocked", "tls blocked"),
    ("ssl=require", "tls blocked", "tls blocked"),
    ("SSLMODE=require", "plain", "plain"),
    ("sslnegotiation=direct", "tls full bundled direct", "tls full bundled direct"),
    ("sslnegotiation=direct&sslmode=disable", "error", "error"),
    ("sslnegotiation=odd", "error", "error"),
]


@pytest.mark.parametrize(("query", "usual", "compatible"), URLS, ids=[u[0] or "nothing" for u in URLS])
def test_a_connection_string_is_verified_unless_it_says_otherwise(query, usual, compatible):
    assert said(client("node-postgres", "8.23.1", f"{H}?{query}", runtime=PG)) == usual
    assert said(client("node-postgres", "8.23.1", f"{H}?uselibpqcompat=true&{query}", runtime=PG)) == compatible


OPTIONS = [
    ({}, "plain"),
    ({"ssl": False}, "plain"),
    ({"ssl": None}, "plain"),
    ({"ssl": True}, "tls full bundled"),
    ({"ssl": {}}, "tls full bundled"),
    ({"ssl": "true"}, "tls full bundled"),
    ({"ssl": "no-verify"}, "tls"),
    ({"ssl": "require"}, "tls blocked"),
    ({"ssl": 1}, "tls blocked"),
    ({"ssl": {"rejectUnauthorized": False}}, "tls"),
    ({"ssl": {"rejectUnauthorized": False, "ca": TEXT}}, "tls"),
    ({"ssl": {"rejectUnauthorized": None}}, "tls full bundled"),
    ({"ssl": {"rejectUnauthorized": "false"}}, "tls full bundled"),
    ({"ssl": {"rejectUnauthorized": 0}}, "tls full bundled"),
    ({"ssl": {"ca": TEXT}}, "tls full setting"),
    ({"ssl": {"ca": [TEXT]}}, "tls full setting"),
    ({"ssl": {"ca": {"file": "/r.pem"}}}, "tls full setting"),
    ({"ssl": {"ca": ""}}, "tls full bundled"),
    ({"ssl": {"ca": []}}, "tls full setting"),
    ({"ssl": {"ca": 1}}, "tls blocked"),
    ({"ssl": {"checkServerIdentity": "() => undefined"}}, "undecidable"),
    ({"ssl": {"checkServerIdentity": "x", "rejectUnauthorized": False}}, "tls"),
    ({"ssl": {"secureContext": "x"}}, "undecidable"),
    ({"ssl": {"maxVersion": "TLSv1.1"}}, "tls blocked"),
    ({"connectionString": f"{H}?sslmode=require", "ssl": {"rejectUnauthorized": False}}, "tls full bundled"),
    ({"connectionString": H, "ssl": {"rejectUnauthorized": False}}, "tls"),
    ({"host": "/var/run/postgresql", "ssl": True}, "refused"),
    ({"host": "/var/run/postgresql"}, "plain"),
]


@pytest.mark.parametrize(("options", "expected"), OPTIONS, ids=[str(o[0])[:45] + f" #{i}" for i, o in enumerate(OPTIONS)])
def test_the_ssl_option_counts_as_node_reads_it(options, expected):
    assert said(client("node-postgres", "8.23.1", options={"host": "db", **options}, runtime=PG)) == expected


ENVIRONMENT = [
    ({"PGSSLMODE": "require"}, {}, "tls full bundled"),
    ({"PGSSLMODE": "prefer"}, {}, "tls full bundled"),
    ({"PGSSLMODE": "no-verify"}, {}, "tls"),
    ({"PGSSLMODE": "allow"}, {}, "plain"),
    ({"PGSSLMODE": "require"}, {"ssl": False}, "plain"),
    ({"PGSSLROOTCERT": "/r.pem"}, {"ssl": True}, "tls full bundled"),
    ({"NODE_EXTRA_CA_CERTS": "/r.pem"}, {"ssl": True}, "tls full env+bundled"),
    ({"NODE_EXTRA_CA_CERTS": "/missing.pem"}, {"ssl": True}, "tls full bundled"),
    ({"NODE_EXTRA_CA_CERTS": "/r.pem"}, {"ssl": {"ca": TEXT}}, "tls full setting"),
    ({"NODE_TLS_REJECT_UNAUTHORIZED": "0"}, {"ssl": True}, "tls"),
    ({"NODE_TLS_REJECT_UNAUTHORIZED": "false"}, {"ssl": True}, "tls full bundled"),
    ({"NODE_TLS_REJECT_UNAUTHORIZED": "0"}, {"ssl": {"rejectUnauthorized": True}}, "tls full bundled"),
    ({"SSL_CERT_FILE": "/r.pem"}, {"ssl": True}, "tls full bundled"),
    ({"SSL_CERT_FILE": "/r.pem", "NODE_OPTIONS": "--use-openssl-ca"}, {"ssl": True}, "tls full system"),
    ({"NODE_OPTIONS": "--use-system-ca"}, {"ssl": True}, "undecidable"),
    ({"PGSSLNEGOTIATION": "direct"}, {"ssl": True}, "tls full bundled direct"),
]


@pytest.mark.parametrize(("env", "options", "expected"), ENVIRONMENT)
def test_the_environment_counts_where_nothing_else_is_said(env, options, expected):
    assert said(client("node-postgres", "8.23.1", options={"host": "db", **options}, env=env, runtime=PG)) == expected


VERSIONS = [
    ("8.3.3", "2.3.0", "sslmode=verify-full", "plain"),
    ("8.3.3", "2.3.0", "sslrootcert=/r.pem", "tls full setting"),
    ("8.4.2", "2.5.0", "sslmode=verify-full", "tls full bundled"),
    ("8.4.2", "2.5.0", "uselibpqcompat=true&sslmode=require", "tls full bundled"),
    ("8.14.1", "2.7.0", "uselibpqcompat=true&sslmode=require", "tls full bundled"),
    ("8.16.3", "2.9.1", "uselibpqcompat=true&sslmode=require", "tls"),
    ("8.4.2", "2.14.1", "ssl=require", "tls full bundled"),
    ("8.21.0", "2.13.0", "sslnegotiation=direct", "plain"),
]


@pytest.mark.parametrize(("pg", "parser", "query", "expected"), VERSIONS)
def test_what_a_string_means_depends_on_the_parsers_version(pg, parser, query, expected):
    assert said(client("node-postgres", pg, f"{H}?{query}", runtime=runtime(pg_connection_string=parser))) == expected


@pytest.mark.parametrize(("version", "verified"), [("8.23.1", "10.0.0.1"), ("8.23.0", "localhost"), ("8.4.2", "localhost")])
def test_an_address_is_verified_as_localhost_before_8_23_1(version, verified):
    given = client("node-postgres", version, options={"host": "10.0.0.1", "ssl": True}, runtime=PG)
    assert drivers.find("node-postgres").read(given).endpoints[0].host == verified


def test_versions_outside_the_rules_are_none():
    possible = drivers.find("node-postgres").possible
    assert possible(Given("node-postgres", "9.0.0")) == ()
    assert possible(Given("node-postgres", "7.18.2")) == ()
    assert possible(Given("node-postgres", "8.16.3", runtime=runtime(pg_connection_string="3.0.0"))) == ()
    assert len(possible(Given("node-postgres", "8.16.3"))) == 2, "a lock file may pin an older parser than a fresh installation gets"


def test_a_file_named_in_the_string_is_read_for_each_connection_and_a_ca_in_code_once():
    assert policy(client("node-postgres", "8.23.1", f"{H}?sslrootcert=/r.pem", runtime=PG)).reread is Reread.EACH_CONNECTION
    assert policy(client("node-postgres", "8.23.1", options={"ssl": {"ca": TEXT}}, runtime=PG)).reread is Reread.AT_START


def test_unknown_options_are_kept_and_passwords_hidden():
    given = client("node-postgres", "8.23.1", f"{H}?sslmode=require&odd=1", options={"ssl": {"passphrase": "hunter2"}, "key": "hunter2"}, runtime=PG)
    settings = drivers.find("node-postgres").read(given)
    assert settings.unknown["odd"] == "1"
    assert "hunter2" not in repr(settings)
    assert rows_have_sources("node-postgres", given)
