"""psqlODBC: each row of its table. Every connection string was given to psqlODBC 13.02 on libpq 15: the outcome is the one measured."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import LOOK, client, said
from tests.machine import machine

B = "Driver={PostgreSQL Unicode};Servername=db.corp.test;Port=5432;Database=app;Uid=u;Pwd={hunter;2}"
LIBPQ = {"libpq": "15.18", "openssl": "3.0.19"}
ROWS = [
    ("", "plain"),
    (";SSLmode=", "plain"),
    (";SSLmode=require", "tls"),
    (";SSLmode=Require", "plain"),
    (";SSLmode=REQUIRE", "plain"),
    (";SSLmode=r", "tls"),
    (";SSLmode=x", "plain"),
    (";SSLmode=no-verify", "plain"),
    (";SSLmode= require", "plain"),
    (";SSLmode={require}", "plain"),
    (";sslmode=require", "tls"),
    (";CA=r", "tls"),
    (";CA=vf", "tls blocked"),
    (";SSLmode=verify-full", "tls blocked"),
    (";SSLmode=vc", "tls blocked"),
    (";SSLmode=v", "error"),
    (";SSLmode=verify_full", "error"),
    (";SSLmode=allow", "allow plain-ok"),
    (";SSLmode=prefer", "prefer plain-ok"),
    (";SSLmode=p", "prefer plain-ok"),
    (";SSLmode=require;SSLmode=disable", "plain"),
    (";SSLmode=disable;SSLmode=require", "tls"),
    (";sslmode=verify-full;pqopt={sslrootcert=/r.pem}", "tls full setting"),
    (";sslmode=verify-full;pqopt=sslrootcert=/r.pem", "tls full setting"),
    (";sslmode=verify-full;sslrootcert=/r.pem", "tls blocked"),
    (";pqopt={sslmode=verify-full sslrootcert=/r.pem}", "error"),
    (";sslmode=verify-full;pqopt={sslmode=verify-full sslrootcert=/r.pem}", "tls full setting"),
    (";pqopt={sslmode=require}", "error"),
    (";sslmode=require;pqopt={host=localhost}", "error"),
    (";sslmode=require;pqopt={nonsense=1}", "error"),
    (";sslmode=require;pqopt={bad", "error"),
    (";sslmode=require;pqopt={hostaddr=127.0.0.1}", "tls"),
    (";sslmode=require;Bogus=1", "tls"),
]


@pytest.mark.parametrize(("more", "expected"), ROWS)
def test_a_connection_string_means_what_psqlodbc_makes_of_it(more, expected):
    assert said(client("psqlodbc", "13.02", B + more, runtime=LIBPQ)) == expected


@pytest.mark.parametrize(
    ("more", "env", "expected"),
    [("", {"PGSSLMODE": "require"}, "plain"), (";sslmode=verify-full", {"PGSSLROOTCERT": "/r.pem"}, "tls full env")],
)
def test_its_default_stands_before_pgsslmode_and_other_variables_count(more, env, expected):
    assert said(client("psqlodbc", "13.02", B + more, env=env, runtime=LIBPQ)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("DSN=orders", "tls"), ("DSN=orders;SSLmode=disable", "plain"), ("DSN=absent", "error")],
)
def test_a_data_source_is_found_in_odbc_ini_and_the_string_wins(text, expected):
    ini = b"[Orders]\nServername = db.corp.test\nSSLmode = require\nPassword = hunter2\n"

    def look(path):
        return machine({"/home/.odbc.ini": ini})(path) if path.endswith("odbc.ini") else LOOK(path)

    given = Given("psqlodbc", "13.02", LIBPQ, text, home="/home", files=look)
    assert said(given).removesuffix(" chain default") == expected


def test_what_is_not_known_is_kept_and_no_password_is_shown():
    given = client("psqlodbc", "13.02", B + ";Bogus=1", runtime=LIBPQ)
    settings = drivers.find("psqlodbc").read(given)
    assert settings.unknown == {"Bogus": "1"}
    assert "hunter" not in repr(settings)


@pytest.mark.parametrize("text", [";" * 9999, "={" * 999, "a={" + "}" * 999, "x=" * 99999, "=;{};\0", "Driver={" * 500])
def test_hostile_strings_are_errors_or_settings_and_nothing_else(text):
    assert said(client("psqlodbc", "13.02", text, runtime=LIBPQ))
