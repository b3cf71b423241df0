"""pg8000: each row of its table. Run with 1.19.5, 1.30.5, 1.31.0 and 1.31.6 on Python 3.8, 3.11 and 3.13: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, rows_have_sources, said

PYTHON = {"python": "3.11.7", "openssl": "3.0.19"}
CONTEXT = {"from": "create_default_context"}
AT = {"host": "db.corp.test", "user": "u", "password": "hunter2"}
SOCKET = {"unix_sock": "/run/postgresql/.s.PGSQL.5432", "user": "u"}
ROWS = [
    ("1.31.6", AT, "prefer plain-ok"),
    ("1.31.0", AT, "prefer plain-ok"),
    ("1.30.5", AT, "plain"),
    ("1.16.0", AT, "plain"),
    ("1.31.6", AT | {"ssl_context": True}, "tls"),
    ("1.30.5", AT | {"ssl_context": True}, "tls full system"),
    ("1.31.6", AT | {"ssl_context": False}, "plain"),
    ("1.30.5", AT | {"ssl_context": False}, "refused"),
    ("1.31.6", AT | {"ssl_context": "require"}, "refused"),
    ("1.31.6", AT | {"ssl_context": CONTEXT}, "tls full system"),
    ("1.30.5", AT | {"ssl_context": CONTEXT | {"cafile": "/r.pem"}}, "tls full setting"),
    ("1.31.6", AT | {"ssl_context": CONTEXT | {"cafile": "/r.pem", "check_hostname": False}}, "tls chain setting"),
    ("1.31.6", AT | {"ssl_context": CONTEXT | {"cafile": "/missing.pem"}}, "refused"),
    ("1.31.6", AT | {"ssl_context": {"from": "code"}}, "undecidable"),
    ("1.31.6", AT | {"sslmode": "require"}, "error"),
    ("1.31.6", SOCKET, "prefer plain-ok"),
    ("1.31.6", SOCKET | {"ssl_context": True}, "refused"),
    ("1.30.5", SOCKET, "plain"),
]


@pytest.mark.parametrize(("version", "options", "expected"), ROWS)
def test_ssl_context_means_what_this_version_makes_of_it(version, options, expected):
    assert said(client("pg8000", version, options=options, runtime=PYTHON)) == expected


def test_it_takes_no_connection_string():
    assert said(client("pg8000", "1.31.6", "postgresql://db/app")) == "error"


def test_versions_outside_the_rules_are_none_and_an_unknown_one_is_both_sides_of_the_turn():
    driver = drivers.find("pg8000")
    assert [driver.possible(Given("pg8000", v)) for v in ("1.13.2", "1.32", "2")] == [(), (), ()]
    assert {said(g) for g in driver.possible(Given("pg8000", options=AT))} == {"plain", "prefer plain-ok"}


def test_every_row_has_its_source_and_no_password():
    given = client("pg8000", "1.31.6", options=AT, runtime=PYTHON)
    assert rows_have_sources("pg8000", given)
    assert "hunter2" not in repr(drivers.find("pg8000").read(given))
