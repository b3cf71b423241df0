"""Django: each row of its table. Run with Django 5.2 on psycopg 3.3, and dj-database-url 3.1: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, policy, said

AT = {"ENGINE": "django.db.backends.postgresql", "NAME": "app", "HOST": "db.corp.test", "PASSWORD": "hunter2"}
URL = "postgres://u:hunter2@db.corp.test:5432/app"
PSYCOPG = {"libpq": "17", "psycopg": "3.3"}
ROWS = [
    (None, AT, "prefer plain-ok"),
    (None, AT | {"OPTIONS": {"sslmode": "require"}}, "tls"),
    (None, AT | {"OPTIONS": {"sslmode": "verify-full", "sslrootcert": "/r.pem", "pool": True}}, "tls full setting"),
    (None, AT | {"OPTIONS": {"ssl": True}}, "error"),
    (None, AT | {"OPTIONS": {"service": "orders"}, "NAME": ""}, "tls full setting"),
    (None, AT | {"NAME": ""}, "error"),
    (None, AT | {"ENGINE": "django.db.backends.mysql"}, "undecidable"),
    (URL, {}, "prefer plain-ok"),
    (f"{URL}?sslmode=verify-full&sslrootcert=%2Fr.pem", {}, "tls full setting"),
    (f"{URL}?sslmode=require&sslmode=disable", {}, "error"),
    (URL, {"OPTIONS": {"sslmode": "require"}}, "tls"),
    ("mysql://db/app", {}, "error"),
    ("postgres://[", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "options", "expected"), ROWS)
def test_databases_mean_what_libpq_makes_of_their_options(dsn, options, expected):
    given = client("django", "5.2", dsn, "/home", options=options, runtime=PSYCOPG)
    assert said(given).replace(" chain default falls", "").replace(" chain default", "") == expected


def test_psycopg_3_is_used_where_it_is_installed_as_of_4_2():
    assert policy(client("django", "5.2", options=AT, runtime=PSYCOPG)).next_host
    assert not policy(client("django", "5.2", options=AT, runtime={"libpq": "17", "psycopg2": "2.9"})).next_host
    assert not policy(client("django", "3.2", options=AT, runtime=PSYCOPG)).next_host
    assert len(drivers.find("django").possible(Given("django", "5.2", {"libpq": "17"}, options=AT))) == 2


def test_no_password_is_shown():
    assert "hunter2" not in repr(drivers.find("django").read(client("django", "5.2", URL, runtime=PSYCOPG)))
