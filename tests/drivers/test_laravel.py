"""Laravel: each row of its table. Run with Laravel 8.83 on PHP 8.2 and libpq 15: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, rows_have_sources, said

LIBPQ = {"libpq": "15.18", "openssl": "3.0.19"}
AT = {"driver": "pgsql", "host": "db", "port": "5432", "database": "app", "username": "u", "password": "hunter2"}
NEW = AT | {"charset": "utf8", "prefix": "", "search_path": "public", "sslmode": "prefer"}
URL = "postgres://u:hunter2@db.corp.test/app"
ROWS = [
    pytest.param(None, AT, {}, "prefer plain-ok", id="nothing said is libpq's default"),
    pytest.param(None, AT, {"PGSSLMODE": "require"}, "tls", id="nothing said leaves it to the environment"),
    pytest.param(None, NEW, {"PGSSLMODE": "require"}, "prefer plain-ok", id="a new application's prefer wins over the environment"),
    pytest.param(None, AT | {"sslmode": "verify-full", "sslrootcert": "/r.pem"}, {}, "tls full setting", id="sslrootcert reaches libpq"),
    pytest.param(None, AT | {"sslmode": "require", "sslrootcert": "/r.pem"}, {}, "tls chain setting", id="require with a file checks the chain"),
    pytest.param(None, AT | {"sslmode": "verify-full", "sslrootcert": "/my r.pem"}, {}, "error", id="a blank ends a path"),
    pytest.param(None, AT | {"sslmode": None}, {"PGSSLMODE": "disable"}, "plain", id="null is not given"),
    pytest.param(URL, NEW, {}, "prefer plain-ok", id="a URL without words leaves the entry's"),
    pytest.param(f"{URL}?sslmode=verify-full&sslrootcert=/r.pem", NEW, {}, "tls full setting", id="a URL wins over the entry"),
    pytest.param(None, NEW | {"url": f"{URL}?sslmode=require"}, {}, "tls", id="a URL in the entry is read"),
    pytest.param(None, NEW | {"url": ""}, {}, "prefer plain-ok", id="an empty URL is none"),
    pytest.param(f"{URL}?sslmode=null", NEW, {"PGSSLMODE": "require"}, "tls", id="a null in a URL takes the entry's away"),
    pytest.param(f"{URL}?sslmode=Require", NEW, {}, "error", id="a mode that libpq does not know is refused"),
    pytest.param(f"{URL}?sslmode=%22require%22", NEW, {}, "undecidable", id="a JSON string in a URL is not read here"),
    pytest.param(f"{URL}?host[]=a&host[]=b", NEW, {}, "undecidable", id="an array in a URL is not read here"),
    pytest.param("mysql://db/app", NEW, {}, "error", id="another database"),
    pytest.param("postgres:///app", NEW, {}, "error", id="PHP has no URL without a host"),
    pytest.param(None, AT | {"host": ["db"]}, {}, "prefer plain-ok", id="a list of one host"),
    pytest.param(None, AT | {"host": ["a", "b"]}, {}, "undecidable", id="of several hosts one is taken by chance"),
    pytest.param(None, AT | {"read": {"host": ["a"]}}, {}, "undecidable", id="connections for reading have settings of their own"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_an_entry_means_what_libpq_makes_of_it(dsn, options, env, expected):
    assert said(client("laravel", "8.83.26", dsn, options=options, env=env, runtime=LIBPQ)) == expected


def test_words_that_do_not_reach_libpq_are_kept_as_unknown_and_no_password_is_shown():
    given = client("laravel", "11.0", options=NEW | {"sslcrl": "/c.pem", "url": URL}, runtime=LIBPQ)
    settings = drivers.find("laravel").read(given)
    assert settings.unknown == {"charset": "utf8", "prefix": "", "search_path": "public", "sslcrl": "/c.pem"}
    assert "hunter2" not in repr(settings)
    assert rows_have_sources("laravel", given)


def test_versions_outside_the_rules_are_none():
    assert drivers.find("laravel").possible(Given("laravel", "5.8")) == ()
    assert drivers.find("laravel").possible(Given("laravel", "13.0")) == ()
