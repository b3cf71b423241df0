"""libpq: each row of its table, with what proved it."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.errors import SettingsError
from reroot.lab import ca
from reroot.model import Ask, Check, Given, OnDistrust, RootsFrom
from tests.machine import machine

ROOT = ca.root("corp-root").cert_pem
FILES = {
    "/r.pem": ROOT,
    "/home/.postgresql/root.crt": ROOT,
    "/etc/ssl/certs/ca-certificates.crt": ROOT,
    "/home/.pg_service.conf": b"""# comment
[other]
sslmode=disable
[orders]
host=db.corp.test
sslmode=verify-full
sslmode=disable
sslrootcert=/r.pem
[spaced]
sslmode = require
[nested]
service=orders
""",
    "/etc/pg/pg_service.conf": b"[shared]\nhost=shared.corp.test\n",
    "/client/postgresql.crt": ROOT,
}
DRIVER = drivers.find("libpq")


def client(dsn: str | None = None, version: str = "17", home: str | None = "/empty", **more: object) -> Given:
    return Given("libpq", version, dsn=dsn, home=home, files=machine(FILES), **more)


def policy(given: Given):
    return DRIVER.policy(given, DRIVER.read(given))


N, C, F = Check.NOTHING, Check.CHAIN, Check.CHAIN_AND_HOST

# mode, then ask, check and what happens on distrust: without any root file, with a default file, with sslrootcert.
# Run with libpq 15.18, 17.11 and 18.6: tests/real.
MODES = [
    ("disable", Ask.NEVER, N, N, N, OnDistrust.FAIL),
    ("allow", Ask.IF_NEEDED, N, C, C, OnDistrust.FAIL),
    ("", Ask.IF_OFFERED, N, C, C, OnDistrust.PLAINTEXT),
    ("prefer", Ask.IF_OFFERED, N, C, C, OnDistrust.PLAINTEXT),
    ("require", Ask.ALWAYS, N, C, C, OnDistrust.FAIL),
    ("verify-ca", Ask.ALWAYS, N, C, C, OnDistrust.FAIL),
    ("verify-full", Ask.ALWAYS, N, F, F, OnDistrust.FAIL),
]


@pytest.mark.parametrize(("mode", "ask", "none", "default", "setting", "distrust"), MODES, ids=[m[0] or "unset" for m in MODES])
@pytest.mark.parametrize("version", ["12", "15", "18"])
def test_a_mode_means_what_the_root_file_makes_of_it(version, mode, ask, none, default, setting, distrust):
    dsn = f"host=db {f'sslmode={mode}' if mode else ''} "
    without = policy(client(dsn, version))
    assert (without.ask, without.on_distrust) == (ask, distrust)
    assert without.check is none
    assert (without.blocked is not None) == mode.startswith("verify")
    assert policy(client(dsn, version, home="/home")).check is default
    assert policy(client(dsn + "sslrootcert=/r.pem", version)).check is setting


@pytest.mark.parametrize(
    ("dsn", "more", "origin", "path"),
    [
        pytest.param("sslmode=require sslrootcert=/r.pem", {}, RootsFrom.SETTING, "/r.pem", id="setting"),
        pytest.param("sslmode=require", {"env": {"PGSSLROOTCERT": "/r.pem"}}, RootsFrom.ENVIRONMENT, "/r.pem", id="environment"),
        pytest.param(
            "sslmode=require", {"home": "/home"}, RootsFrom.DEFAULT_FILE, "/home/.postgresql/root.crt", id="default-file"
        ),
        pytest.param(
            "sslrootcert=''", {"home": "/home"}, RootsFrom.DEFAULT_FILE, "/home/.postgresql/root.crt", id="empty-is-default"
        ),
        pytest.param("sslrootcert=system", {}, RootsFrom.SYSTEM, "/etc/ssl/certs/ca-certificates.crt", id="system"),
        pytest.param(
            "sslrootcert=system", {"env": {"SSL_CERT_FILE": "/r.pem"}}, RootsFrom.SYSTEM, "/r.pem", id="system-by-variable"
        ),
        pytest.param("sslrootcert=system", {"version": "15"}, RootsFrom.SETTING, "system", id="before-16-a-file-of-that-name"),
        pytest.param("service=orders", {"home": "/home"}, RootsFrom.SETTING, "/r.pem", id="service-file"),
    ],
)
def test_roots_come_from_where_libpq_takes_them(dsn, more, origin, path):
    roots = policy(client(f"host=db {dsn}", **more)).roots
    assert (roots.origin, roots.path) == (origin, path)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"dsn": "sslmode=disable sslmode=require"}, "require", id="last-duplicate-wins"),
        pytest.param({"dsn": "service=orders sslmode=require"}, "require", id="string-beats-service"),
        pytest.param({"dsn": "service=orders", "env": {"PGSSLMODE": "disable"}}, "verify-full", id="service-beats-environment"),
        pytest.param({"dsn": "service=orders"}, "verify-full", id="in-a-service-the-first-wins"),
        pytest.param({"dsn": "", "env": {"PGSERVICE": "orders"}}, "verify-full", id="service-by-variable"),
        pytest.param({"dsn": "", "env": {"PGREQUIRESSL": "1"}}, "require", id="old-variable"),
        pytest.param({"dsn": "", "env": {"PGREQUIRESSL": "1", "PGSSLMODE": "disable"}}, "disable", id="old-variable-loses"),
        pytest.param({"dsn": "sslrootcert=system"}, "verify-full", id="system-implies-verify-full"),
        pytest.param({"dsn": "sslrootcert=system", "version": "15"}, "", id="but-not-before-16"),
        pytest.param({"dsn": "postgresql://db/x?ssl=true"}, "require", id="jdbc-style-in-a-uri"),
        pytest.param({"options": {"sslmode": "verify-ca"}}, "verify-ca", id="options"),
    ],
)
def test_precedence_is_libpqs(more, expected):
    assert DRIVER.read(client(home="/home", **more)).get("sslmode") == expected


@pytest.mark.parametrize(
    ("dsn", "version", "message"),
    [
        pytest.param("sslmode=maybe", "17", 'invalid sslmode value: "maybe"', id="mode"),
        pytest.param("sslmode=verify_full", "17", 'invalid sslmode value: "verify_full"', id="mode-with-underscore"),
        pytest.param("sslmode=", "17", 'invalid sslmode value: ""', id="empty-mode"),
        pytest.param("ssl=true", "17", 'invalid connection option "ssl"', id="unknown-option"),
        pytest.param("sslcrldir=/x", "13", 'invalid connection option "sslcrldir"', id="option-of-a-later-version"),
        pytest.param("sslrootcert=system sslmode=require", "16", "weak sslmode", id="weak-with-system"),
        pytest.param("sslnegotiation=direct", "17", "weak sslmode", id="weak-with-direct"),
        pytest.param("sslnegotiation=maybe", "17", "invalid sslnegotiation value", id="negotiation"),
        pytest.param("gssencmode=maybe", "17", "invalid gssencmode value", id="gss"),
        pytest.param("channel_binding=maybe", "17", "invalid channel_binding value", id="channel-binding"),
        pytest.param("ssl_min_protocol_version=TLSv9", "17", 'invalid "ssl_min_protocol_version" value', id="protocol"),
        pytest.param("ssl_max_protocol_version=TLSv1.1", "17", "invalid SSL protocol version range", id="protocol-range"),
        pytest.param("host=a,b hostaddr=127.0.0.1", "17", "could not match 2 host names to 1 hostaddr values", id="host-count"),
        pytest.param("host=a,b,c port=1,2", "17", "could not match 2 port numbers to 3 hosts", id="port-count"),
        pytest.param("host=a port=x", "17", 'invalid integer value "x" for connection option "port"', id="port"),
        pytest.param("host=a port=70000", "17", 'invalid port number: "70000"', id="port-range"),
        pytest.param("service=absent", "17", 'definition of service "absent" not found', id="service"),
        pytest.param("service=spaced", "17", "syntax error in service file", id="blanks-around-the-equals-sign"),
        pytest.param("service=nested", "17", "nested service specifications not supported", id="nested-service"),
        pytest.param("host=a\0b", "17", "NUL", id="nul"),
        pytest.param("x" * 1_000_001, "17", "longer than", id="megabytes"),
    ],
)
def test_what_libpq_refuses_is_refused(dsn, version, message):
    with pytest.raises(SettingsError) as caught:
        DRIVER.read(client(dsn, version, home="/home"))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        pytest.param("host=a,b port=1,2", [("a", "", "1"), ("b", "", "2")], id="two-hosts"),
        pytest.param("host=a,b port=1", [("a", "", "1"), ("b", "", "1")], id="one-port"),
        pytest.param("host=a hostaddr=127.0.0.1", [("a", "127.0.0.1", "5432")], id="name-and-address"),
        pytest.param("hostaddr=127.0.0.1", [("", "127.0.0.1", "5432")], id="address-alone"),
        pytest.param("postgresql://a:1,b:2/", [("a", "", "1"), ("b", "", "2")], id="uri"),
        pytest.param("postgresql://[::1]:1/", [("::1", "", "1")], id="ipv6"),
    ],
)
def test_endpoints_are_libpqs(dsn, expected):
    assert [(e.host, e.address, e.port) for e in DRIVER.read(client(dsn)).endpoints] == expected


@pytest.mark.parametrize(
    ("dsn", "more", "code"),
    [
        pytest.param("sslmode=require gssencmode=require", {}, "gss-required", id="gss-without-a-ticket"),
        pytest.param("sslmode=verify-full", {"env": {"KRB5CCNAME": "/t"}}, "gss-may-replace-tls", id="gss-with-a-ticket"),
        pytest.param(
            "sslmode=require sslcert=/client/postgresql.crt", {}, "client-key-missing", id="client-certificate-without-key"
        ),
        pytest.param("sslmode=require sslcertmode=require", {}, "client-certificate-request", id="client-certificate-required"),
        pytest.param("sslmode=require require_auth=none", {}, "require-auth", id="authentication-required"),
        pytest.param("sslmode=require", {"home": None}, "home-unknown", id="no-home"),
        pytest.param(
            "sslmode=require ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.1",
            {},
            "protocol-too-old",
            id="old-tls",
        ),
    ],
)
def test_what_stands_in_the_way_is_named(dsn, more, code):
    found = policy(client(f"host=db {dsn}", **more))
    assert code in {r.code for r in (found.refused, found.undecidable, found.blocked) if r is not None}


@pytest.mark.parametrize(("version", "names"), [("12", "libpq-14"), ("14", "libpq-14"), ("15", "libpq"), ("18", "libpq")])
def test_names_are_matched_by_the_versions_own_rules(version, names):
    assert policy(client("host=db sslmode=verify-full sslrootcert=/r.pem", version)).names == names


@pytest.mark.parametrize("key", ["password", "sslpassword"])
def test_a_password_is_never_shown(key):
    settings = DRIVER.read(client(f"host=db {key}=hunter2"))
    assert "hunter2" not in repr(settings)
    assert settings.get(key) == "***"


@pytest.mark.parametrize(
    ("driver", "more", "expected"),
    [
        pytest.param("psql", {"dsn": "orders"}, {"dbname": "orders"}, id="psql-takes-a-database-name"),
        pytest.param("psql", {"options": {"host": "", "sslmode": "disable"}}, {"sslmode": "disable"}, id="psql-drops-an-empty-option"),
        pytest.param(
            "psycopg2", {"options": {"database": "x", "host": "h"}}, {"dbname": "x", "host": "h"}, id="psycopg2-renames"
        ),
        pytest.param(
            "psycopg2", {"dsn": "sslmode=disable", "options": {"sslmode": "require"}}, {"sslmode": "require"}, id="keywords-win"
        ),
        pytest.param(
            "psycopg", {"options": {"conninfo": "host=h", "autocommit": True}}, {"host": "h"}, id="psycopg-own-arguments"
        ),
        pytest.param(
            "pgadmin",
            {"options": {"Name": "x", "Host": "h", "SSLMode": "require"}},
            {"host": "h", "sslmode": "require"},
            id="old",
        ),
        pytest.param(
            "pgadmin",
            {"options": {"Host": "h", "SSLMode": "prefer", "ConnectionParameters": {"sslmode": "verify-full"}}},
            {"host": "h", "sslmode": "verify-full"},
            id="pgadmin-connection-parameters",
        ),
        pytest.param(
            "pgadmin",
            {"options": {"Host": "h", "SSLRootCert": "/none.pem"}},
            {"host": "h"},
            id="pgadmin-drops-a-file-that-is-not-there",
        ),
        pytest.param(
            "pgadmin",
            {"options": {"Host": "h", "SSLRootCert": "/r.pem"}},
            {"host": "h", "sslrootcert": "/r.pem"},
            id="pgadmin-file",
        ),
    ],
)
def test_what_is_linked_to_libpq_has_its_own_way_to_write(driver, more, expected):
    rules = drivers.find(driver)
    given = Given(driver, runtime={"libpq": "17"}, home="/empty", files=machine(FILES), **more)
    assert {name: s.text for name, s in rules.read(given).values.items()} == expected
