"""pgJDBC: each row of its table, with what proved it (run with 42.2.8, 42.5.5 and 42.7.4: tests/real)."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.errors import SettingsError
from reroot.lab import ca
from reroot.model import Ask, Check, Given, OnDistrust, RootsFrom
from reroot.roots import collect
from tests.machine import machine

ROOT = ca.root("corp-root").cert_pem
FILES = {
    "/r.pem": ROOT,
    "/jdk/lib/security/cacerts": b"",
    "/home/.postgresql/root.crt": ROOT,
    "/two.pem": b"the first:\n" + ca.root("other-root").cert_pem + ROOT,
    "/home/.pg_service.conf": b"[orders]\nhost=db\nsslmode=verify-ca\nsslrootcert=/r.pem\n",
}
DRIVER = drivers.find("pgjdbc")
URL = "jdbc:postgresql://db.corp.test/app"


def client(query: str = "", version: str | None = "42.7.4", home: str = "/empty", **more: object) -> Given:
    return Given("pgjdbc", version, dsn=URL + query, home=home, files=machine(FILES), **more)


def policy(given: Given):
    return DRIVER.policy(given, DRIVER.read(given))


N, C, F = Check.NOTHING, Check.CHAIN, Check.CHAIN_AND_HOST


@pytest.mark.parametrize(
    ("query", "ask", "check"),
    [
        pytest.param("", Ask.IF_OFFERED, N, id="nothing-set-is-prefer-not-verify-full"),
        pytest.param("?sslmode=disable", Ask.NEVER, N, id="disable"),
        pytest.param("?sslmode=allow", Ask.IF_NEEDED, N, id="allow"),
        pytest.param("?sslmode=prefer", Ask.IF_OFFERED, N, id="prefer"),
        pytest.param("?sslmode=require", Ask.ALWAYS, N, id="require"),
        pytest.param("?sslmode=require&sslrootcert=/r.pem", Ask.ALWAYS, N, id="require-ignores-the-root-file"),
        pytest.param("?sslmode=verify-ca&sslrootcert=/r.pem", Ask.ALWAYS, C, id="verify-ca"),
        pytest.param("?sslmode=Verify-Full&sslrootcert=/r.pem", Ask.ALWAYS, F, id="modes-in-any-case"),
        pytest.param("?ssl=true&sslrootcert=/r.pem", Ask.ALWAYS, F, id="ssl-is-verify-full"),
        pytest.param("?ssl&sslrootcert=/r.pem", Ask.ALWAYS, F, id="ssl-without-a-value"),
        pytest.param("?ssl=false", Ask.IF_OFFERED, N, id="ssl-false-is-prefer"),
        pytest.param("?ssl=1", Ask.IF_OFFERED, N, id="ssl-1-is-prefer"),
        pytest.param("?ssl=true&sslmode=disable", Ask.NEVER, N, id="sslmode-beats-ssl"),
        pytest.param("?sslMode=verify-full", Ask.IF_OFFERED, N, id="names-in-another-case-are-not-seen"),
    ],
)
def test_settings_mean_what_pgjdbc_makes_of_them(query, ask, check):
    found = policy(client(query))
    assert (found.ask, found.check, found.on_distrust) == (ask, check, OnDistrust.FAIL)


@pytest.mark.parametrize(
    ("query", "ask", "check", "origin"),
    [
        pytest.param("", Ask.NEVER, N, RootsFrom.NONE, id="nothing-set-is-no-tls"),
        pytest.param("?ssl=true", Ask.ALWAYS, C, RootsFrom.CACERTS, id="ssl-alone-checks-against-the-runtime-and-no-name"),
        pytest.param("?sslmode=require", Ask.ALWAYS, N, RootsFrom.NONE, id="require"),
        pytest.param("?sslmode=verify-full&sslrootcert=/r.pem", Ask.ALWAYS, F, RootsFrom.SETTING, id="verify-full"),
    ],
)
def test_before_42_2_5_the_older_rules_hold(query, ask, check, origin):
    found = policy(client(query, "42.2.4"))
    assert (found.ask, found.check, found.roots.origin) == (ask, check, origin)


@pytest.mark.parametrize(
    ("query", "check", "origin"),
    [
        pytest.param("?sslmode=require&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory", C, RootsFrom.CACERTS, id="java"),
        pytest.param("?ssl=true&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory", F, RootsFrom.CACERTS, id="java-with-names"),
        pytest.param("?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory", N, RootsFrom.NONE, id="blind"),
        pytest.param(
            "?sslmode=require&sslfactory=org.postgresql.ssl.SingleCertValidatingFactory&sslfactoryarg=file:/r.pem",
            C,
            RootsFrom.SETTING,
            id="single-certificate",
        ),
    ],
)
def test_a_socket_factory_changes_who_is_trusted(query, check, origin):
    found = policy(client(query))
    assert (found.check, found.roots.origin) == (check, origin)


def test_the_blind_factory_still_checks_the_name_of_whoever_answers():
    assert policy(client("?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory")).names == "pgjdbc"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("?ssl=true&sslfactory=com.corp.OwnFactory", "custom-factory", id="factory"),
        pytest.param("?ssl=true&sslhostnameverifier=com.corp.Own", "custom-verifier", id="verifier"),
    ],
)
def test_what_code_decides_is_not_guessed(query, code):
    assert policy(client(query)).undecidable.code == code


def test_a_root_file_that_is_missing_stops_the_connection():
    assert policy(client("?sslmode=verify-ca")).blocked.code == "root-file-missing"


def test_the_default_file_is_used_only_where_something_is_verified():
    assert policy(client("?ssl=true", home="/home")).roots.origin is RootsFrom.DEFAULT_FILE
    assert policy(client("?sslmode=require", home="/home")).roots.origin is RootsFrom.NONE


@pytest.mark.parametrize(
    ("query", "more", "expected"),
    [
        pytest.param("?sslmode=disable&sslmode=require", {}, "require", id="last-duplicate-wins"),
        pytest.param("?sslmode=require", {"options": {"sslmode": "disable"}}, "require", id="url-beats-properties"),
        pytest.param("?service=orders&sslmode=require", {}, "require", id="url-beats-service"),
        pytest.param("?service=orders", {"options": {"sslmode": "disable"}}, "disable", id="properties-beat-service"),
        pytest.param("?service=orders", {}, "verify-ca", id="service"),
        pytest.param("", {"env": {"PGSSLMODE": "verify-full"}}, "", id="the-environment-is-not-read"),
    ],
)
def test_precedence_is_pgjdbcs(query, more, expected):
    assert DRIVER.read(client(query, home="/home", **more)).get("sslmode") == expected


@pytest.mark.parametrize(
    ("dsn", "version"),
    [
        pytest.param("?sslmode=verify_full", "42.7.4", id="mode"),
        pytest.param("?sslmode=", "42.7.4", id="empty-mode"),
        pytest.param("?sslmode=prefer", "42.2.4", id="mode-the-older-driver-does-not-know"),
        pytest.param("?sslmode=REQUIRE", "42.2.4", id="the-older-driver-minds-case"),
        pytest.param("?service=absent", "42.7.4", id="service"),
        pytest.param("?a=%zz", "42.7.4", id="percent-encoding"),
    ],
)
def test_what_pgjdbc_refuses_is_refused(dsn, version):
    with pytest.raises(SettingsError):
        DRIVER.read(client(dsn, version))


@pytest.mark.parametrize(("version", "count"), [("42.7.4", 1), (None, 2), ("9.4.1212", 0), ("42.8.0", 0), ("x", 0)])
def test_versions_outside_the_rules_are_not_answered(version, count):
    assert len(DRIVER.possible(client(version=version))) == count


def test_a_password_is_never_shown():
    assert "hunter2" not in repr(DRIVER.read(client("?user=u&password=hunter2&sslpassword=hunter2")))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        pytest.param({}, "", id="not-found"),
        pytest.param({"env": {"JAVA_HOME": "/jdk"}}, "/jdk/lib/security/cacerts", id="cacerts"),
        pytest.param({"env": {"JAVA_TOOL_OPTIONS": "-Xmx1g -Djavax.net.ssl.trustStore=/t.p12"}}, "/t.p12", id="variable"),
        pytest.param({"options": {"javax.net.ssl.trustStore": "/t.p12"}}, "/t.p12", id="setting"),
        pytest.param({"runtime": {"javax.net.ssl.trustStore": "/t.p12"}}, "/t.p12", id="runtime"),
    ],
)
def test_the_runtimes_trust_store_is_found(more, path):
    query = "?sslmode=require&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
    assert policy(client(query, **more)).roots.path == path


def test_the_factory_for_one_certificate_takes_the_first_of_a_bundle():
    given = client("?sslfactory=org.postgresql.ssl.SingleCertValidatingFactory&sslfactoryarg=file:/two.pem")
    titles = [root.title for root in collect(policy(given), given.files).certificates]
    assert titles == ["other-root"]
