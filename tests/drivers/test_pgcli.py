"""pgcli: each row of its table. Run with 4.7.1 on psycopg 3.3: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, said

ROWS = [
    ("postgresql://db/app", {}, "prefer plain-ok"),
    ("postgresql://db/app?sslmode=verify-full&sslrootcert=/r.pem", {}, "tls full setting"),
    ("host=db sslmode=require", {}, "tls"),
    ("host=db", {"PGSSLMODE": "disable"}, "plain"),
    ("postgresql://db/app?ssl=false", {}, "error"),
    ("service=absent", {}, "error"),
]


@pytest.mark.parametrize(("dsn", "env", "expected"), ROWS)
def test_a_string_means_what_libpq_makes_of_it(dsn, env, expected):
    assert said(client("pgcli", "4.7.1", dsn, env=env, runtime={"libpq": "18"})) == expected


def test_a_service_named_on_the_command_line_loses_its_sslmode():
    given = client("pgcli", "4.7.1", "service=orders", "/home", runtime={"libpq": "18"})
    assert said(given) == "prefer chain default falls plain-ok"
    assert [e.host for e in drivers.find("pgcli").read(given).endpoints] == ["db.corp.test"]


def test_a_service_of_the_environment_keeps_it():
    given = client("pgcli", "4.7.1", "dbname=app", "/home", env={"PGSERVICE": "orders"}, runtime={"libpq": "18"})
    assert said(given) == "tls full setting"
