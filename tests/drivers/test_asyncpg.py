"""asyncpg: each row of its table. Run with 0.21, 0.22, 0.24, 0.25, 0.28, 0.30, 0.31 and 0.32, with and without uvloop: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, rows_have_sources, said

D = "postgresql://u:hunter2@db.corp.test/app"
PYTHON = {"python": "3.11.7", "openssl": "3.0.19"}
CONTEXT = {"from": "create_default_context"}
# version, DSN, options, environment, home → policy
ROWS = [
    ("0.32", D, {}, {}, "/nobody", "prefer plain-ok"),
    ("0.32", D, {}, {}, "/home", "prefer plain-ok"),
    ("0.22", D, {}, {}, "/home", "prefer plain-ok"),
    ("0.21", D, {}, {}, "/home", "plain"),
    ("0.32", f"{D}?sslmode=disable", {}, {}, "/home", "plain"),
    ("0.32", f"{D}?sslmode=allow", {}, {}, "/home", "allow plain-ok"),
    ("0.22", f"{D}?sslmode=allow", {}, {}, "/home", "prefer plain-ok"),
    ("0.32", f"{D}?sslmode=prefer&sslrootcert=/missing.pem", {}, {}, "/home", "prefer plain-ok"),
    ("0.24", f"{D}?sslmode=prefer&sslrootcert=/missing.pem", {}, {}, "/home", "refused"),
    ("0.32", f"{D}?sslmode=require", {}, {}, "/nobody", "tls"),
    ("0.32", f"{D}?sslmode=require", {}, {}, "/home", "tls chain default"),
    ("0.25", f"{D}?sslmode=require", {}, {}, "/home", "tls chain default"),
    ("0.24", f"{D}?sslmode=require", {}, {}, "/home", "tls"),
    ("0.32", f"{D}?sslmode=require&sslrootcert=/r.pem", {}, {}, "/nobody", "tls chain setting"),
    ("0.32", f"{D}?sslmode=require&sslrootcert=/missing.pem", {}, {}, "/nobody", "refused"),
    ("0.32", f"{D}?sslmode=require&sslrootcert=/empty.pem", {}, {}, "/nobody", "refused"),
    ("0.32", f"{D}?sslmode=require&sslrootcert=/folder", {}, {}, "/nobody", "refused"),
    ("0.32", f"{D}?sslmode=require", {}, {"PGSSLROOTCERT": "/r.pem"}, "/nobody", "tls chain env"),
    ("0.32", f"{D}?sslmode=require", {}, {"PGSSLROOTCERT": ""}, "/home", "tls chain default"),
    ("0.32", f"{D}?sslmode=verify-ca", {}, {}, "/home", "tls chain default"),
    ("0.32", f"{D}?sslmode=verify-full", {}, {}, "/home", "tls full default"),
    ("0.32", f"{D}?sslmode=verify_full", {}, {}, "/home", "tls full default"),
    ("0.22", f"{D}?sslmode=verify_full", {}, {}, "/home", "error"),
    ("0.32", f"{D}?sslmode=verify-full", {}, {}, "/nobody", "refused"),
    ("0.22", f"{D}?sslmode=verify-full", {}, {}, "/nobody", "tls full system"),
    ("0.24", f"{D}?sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "/nobody", "tls full setting+system"),
    ("0.22", f"{D}?sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "/nobody", "refused"),
    ("0.32", f"{D}?sslmode=verify-full&sslrootcert=system", {}, {}, "/home", "refused"),
    ("0.32", f"{D}?sslmode=Require", {}, {}, "/home", "error"),
    ("0.32", f"{D}?ssl=true", {}, {}, "/home", "refused"),
    ("0.32", f"{D}?gssencmode=disable", {}, {}, "/home", "refused"),
    ("0.32", f"{D}?application_name=x", {}, {}, "/home", "prefer plain-ok"),
    ("0.32", f"{D}?sslmode", {}, {}, "/home", "error"),
    ("0.32", D, {}, {"PGSSLMODE": "verify-full"}, "/home", "tls full default"),
    ("0.32", f"{D}?sslmode=disable", {}, {"PGSSLMODE": "verify-full"}, "/home", "plain"),
    ("0.32", f"{D}?sslmode=disable&sslmode=require", {}, {}, "/nobody", "tls"),
    ("0.32", f"{D}?sslmode=verify-full", {"ssl": False}, {}, "/home", "plain"),
    ("0.32", f"{D}?sslmode=disable", {"ssl": True}, {}, "/home", "tls full system"),
    ("0.32", f"{D}?sslmode=disable", {"ssl": "verify-ca"}, {}, "/home", "tls chain default"),
    ("0.32", D, {"ssl": 1}, {}, "/home", "error"),
    ("0.32", D, {"ssl_context": CONTEXT}, {}, "/home", "tls full system"),
    ("0.32", D, {"ssl_context": CONTEXT | {"cafile": "/r.pem", "check_hostname": False}}, {}, "/home", "tls chain setting"),
    ("0.32", D, {"ssl_context": CONTEXT | {"check_hostname": False, "verify_mode": "CERT_NONE"}}, {}, "/home", "tls"),
    ("0.32", D, {"ssl_context": CONTEXT | {"verify_mode": "CERT_NONE"}}, {}, "/home", "refused"),
    ("0.32", D, {"ssl_context": CONTEXT | {"cafile": "/missing.pem"}}, {}, "/home", "refused"),
    ("0.32", D, {"ssl_context": {"from": "my_company.tls"}}, {}, "/home", "undecidable"),
    ("0.32", f"{D}?sslnegotiation=direct&sslmode=require", {}, {}, "/nobody", "tls direct"),
    ("0.31", f"{D}?sslnegotiation=direct&sslmode=require", {}, {}, "/nobody", "tls blocked"),
    ("0.32", f"{D}?sslnegotiation=direct", {}, {}, "/nobody", "error"),
    ("0.29", f"{D}?sslnegotiation=direct", {}, {}, "/nobody", "refused"),
    ("0.32", D, {"direct_tls": True, "ssl": "require"}, {}, "/nobody", "tls direct"),
    ("0.25", D, {"direct_tls": True}, {}, "/nobody", "error"),
    ("0.32", f"{D}?sslmode=require&ssl_max_protocol_version=TLSv1.1", {}, {}, "/nobody", "tls blocked"),
    ("0.32", f"{D}?sslmode=require&ssl_max_protocol_version=TLSv9", {}, {}, "/nobody", "error"),
    ("0.32", f"{D}?sslmode=require&sslcert=/missing.crt", {}, {}, "/nobody", "refused"),
    ("0.32", f"{D}?sslmode=require&sslcrl=/junk.pem", {}, {}, "/nobody", "refused"),
    ("0.32", "postgresql:///app?service=orders", {}, {}, "/home", "tls full setting"),
    ("0.30", "postgresql:///app?service=orders", {}, {}, "/home", "refused"),
    ("0.32", "postgresql:///app?service=absent", {}, {}, "/home", "prefer plain-ok"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "dsn", "options", "env", "home", "expected"), ROWS)
def test_a_mode_means_what_this_version_makes_of_it(version, dsn, options, env, home, expected):
    given = client("asyncpg", version, dsn, home, options=options, env=env, runtime=PYTHON)
    assert said(given) == expected


def test_a_socket_speaks_no_tls_but_its_settings_must_hold():
    given = client("asyncpg", "0.32", "postgresql:///app?host=/run/postgresql&sslmode=verify-full", runtime=PYTHON)
    policy = drivers.find("asyncpg").policy(given, drivers.find("asyncpg").read(given))
    assert policy.refused is not None
    assert not policy.socket_is_plain


@pytest.mark.parametrize(("python", "strict"), [("3.12.1", False), ("3.13.0", True)])
def test_only_a_default_context_is_strict_and_only_as_of_python_3_13(python, strict):
    driver = drivers.find("asyncpg")
    for options, expected in (({"ssl": True}, strict), ({"ssl": "require"}, False)):
        given = client("asyncpg", "0.32", D, options=options, runtime={"python": python, "openssl": "3.0.19"})
        stack = driver.policy(given, driver.read(given)).stack
        assert (stack.strict, stack.partial_chain, stack.security_level) == (expected, expected, 2)


def test_versions_outside_the_rules_are_none():
    driver = drivers.find("asyncpg")
    assert [driver.possible(Given("asyncpg", v)) for v in ("0.18.3", "0.33.0", "1.0")] == [(), (), ()]
    assert len(driver.possible(Given("asyncpg"))) > 3


@pytest.mark.parametrize("text", ["postgresql://" + "x" * 2_000_000, "postgresql://\0", "postgresql://h/" + "%" * 9999, "postgresql://" + "[" * 9999, "\ud800://", "postgresql://h?" + "a=1&" * 99999])  # fmt: skip
def test_hostile_strings_are_errors_or_settings_and_nothing_else(text):
    assert said(client("asyncpg", "0.32", text, runtime=PYTHON))


def test_every_row_has_its_source_and_no_password():
    given = client("asyncpg", "0.32", f"{D}?sslmode=require", runtime=PYTHON)
    assert rows_have_sources("asyncpg", given)
    assert "hunter2" not in repr(drivers.find("asyncpg").read(given))
