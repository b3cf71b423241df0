"""Doctrine DBAL: each row of its table. Run with DBAL 3.6 on PHP 8.2 and libpq 15: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import LOOK, client, rows_have_sources, said

LIBPQ = {"libpq": "15.18", "openssl": "3.0.19"}
PDO = {"driver": "pdo_pgsql", "host": "db", "dbname": "app", "user": "u", "password": "hunter2"}
NATIVE = PDO | {"driver": "pgsql"}
FULL = {"sslmode": "verify-full", "sslrootcert": "/r.pem"}
URL = "postgresql://u:hunter2@db.corp.test/app"
ROWS = [
    pytest.param(None, PDO, {}, "prefer plain-ok", id="nothing said is libpq's default"),
    pytest.param(None, PDO | FULL, {}, "tls full setting", id="pdo_pgsql hands sslrootcert on"),
    pytest.param(None, NATIVE | FULL, {}, "tls blocked", id="pgsql drops sslrootcert and finds no file"),
    pytest.param(None, NATIVE | FULL, {"PGSSLROOTCERT": "/r.pem"}, "tls full env", id="pgsql takes the file from the environment"),
    pytest.param(None, NATIVE | {"sslmode": "require", "sslrootcert": "/r.pem"}, {}, "tls", id="pgsql checks nothing with require and a file"),
    pytest.param(None, PDO | {"sslmode": "require", "sslrootcert": "/r.pem"}, {}, "tls chain setting", id="pdo_pgsql checks the chain then"),
    pytest.param(None, PDO | {"sslmode": "verify-full", "sslrootcert": "/my r.pem"}, {}, "error", id="a blank ends a path"),
    pytest.param(f"{URL}?sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "tls full setting", id="a URL's words are parameters"),
    pytest.param(f"{URL}?sslmode=verify-full&sslrootcert=/r.pem", NATIVE, {}, "tls full setting", id="its scheme is PDO, whatever driver says"),
    pytest.param(f"{URL}?sslmode=verify%252Dfull&sslrootcert=/r.pem", {}, {}, "tls full setting", id="it is decoded twice"),
    pytest.param(f"{URL}?sslrootcert=/r%26sslmode%3Drequire", {}, {}, "tls", id="what is decoded once can be words of its own"),
    pytest.param(f"{URL}?x=1", PDO | {"sslmode": "require"}, {}, "tls", id="parameters that a URL does not name stay"),
    pytest.param("pdo-pgsql://db/app", {}, {}, "prefer plain-ok", id="a driver's own name as the scheme"),
    pytest.param("mysql://db/app", {}, {}, "error", id="another database"),
    pytest.param(None, {"host": "db"}, {}, "error", id="no driver is an error"),
    pytest.param(None, PDO | {"primary": {}, "replica": []}, {}, "undecidable", id="a primary and its replicas"),
    pytest.param(None, PDO | {"host": "[::1]"}, {}, "undecidable", id="an address in brackets differs by version"),
    pytest.param(None, PDO | {"driver": "sqlsrv"}, {}, "undecidable", id="a driver that is not ours"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_parameters_mean_what_their_driver_makes_of_them(dsn, options, env, expected):
    assert said(client("doctrine", "3.6.1", dsn, options=options, env=env, runtime=LIBPQ)) == expected


@pytest.mark.parametrize(
    ("version", "options", "expected"),
    [
        pytest.param("3.10.0", {}, {"tls full setting"}, id="to version 3 a table of its own says so"),
        pytest.param("4.2.0", {}, {"tls full setting", "tls blocked"}, id="from 4 the application's map does, which is not known"),
        pytest.param("4.2.0", {"driver": "pgsql"}, {"tls blocked"}, id="unless the driver is named beside it"),
        pytest.param(None, {"driver": "pgsql"}, {"tls full setting", "tls blocked"}, id="without a version it is not known either"),
    ],
)
def test_which_driver_a_url_stands_for_depends_on_the_version(version, options, expected):
    url = f"{URL}?sslmode=verify-full&sslrootcert=/r.pem"
    given = Given("doctrine", version, dsn=url, options=options, home="/nobody", files=LOOK, runtime=LIBPQ)
    assert {said(one) for one in drivers.find("doctrine").possible(given)} == expected


def test_words_that_a_driver_does_not_hand_on_are_kept_as_unknown_and_no_password_is_shown():
    given = client("doctrine", "3.6.1", f"{URL}?serverVersion=15", options=NATIVE | {"charset": "utf8"}, runtime=LIBPQ)
    settings = drivers.find("doctrine").read(given)
    assert settings.unknown == {"charset": "utf8", "serverVersion": "15"}
    assert "hunter2" not in repr(settings)
    assert rows_have_sources("doctrine", given)
    native = client("doctrine", "3.6.1", options=NATIVE | {"sslmode": "require", "sslrootcert": "/r.pem"}, runtime=LIBPQ)
    assert drivers.find("doctrine").read(native).unknown == {"sslrootcert": "/r.pem"}


def test_versions_outside_the_rules_are_none():
    assert drivers.find("doctrine").possible(Given("doctrine", "2.13")) == ()
    assert drivers.find("doctrine").possible(Given("doctrine", "5.0")) == ()
