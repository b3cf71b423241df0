"""Rails: each row of its table, known from its source only; the driver beneath is Ruby's pg, which was run."""

from __future__ import annotations

import pytest

from reroot import drivers
from tests.drivers.tables import client, said

AT = {"adapter": "postgresql", "database": "app", "host": "db", "pool": 5, "password": "hunter2"}
ROWS = [
    (AT, {}, "prefer plain-ok"),
    (AT | {"sslmode": "verify-full", "sslrootcert": "/r.pem"}, {}, "tls full setting"),
    (AT | {"sslmode": "disable"}, {"DATABASE_URL": "postgres://db/app?sslmode=require"}, "tls"),
    (AT | {"sslmode": "disable", "url": "postgresql://u@db/app?sslmode=verify-full&sslrootcert=%2Fr.pem"}, {}, "tls full setting"),
    (AT | {"ssl": True}, {}, "prefer plain-ok"),
    (AT | {"sslmode": "<%= ENV['MODE'] || 'require' %>"}, {}, "error"),
    (AT | {"host": "<%= ENV['DB'] %>"}, {}, "undecidable"),
    (AT | {"sslmode": "Require"}, {}, "error"),
    (AT, {"DATABASE_URL": "mysql2://db/app"}, "error"),
]


@pytest.mark.parametrize(("options", "env", "expected"), ROWS)
def test_database_yml_means_what_libpq_makes_of_it(options, env, expected):
    assert said(client("rails", "7.1", options=options, env=env, runtime={"libpq": "15"})) == expected


def test_words_that_libpq_does_not_know_are_kept_as_unknown_and_no_password_is_shown():
    settings = drivers.find("rails").read(client("rails", "7.1", options=AT | {"sslcertmode": "allow"}, runtime={"libpq": "15"}))
    assert settings.unknown == {"adapter": "postgresql", "pool": "5", "sslcertmode": "allow"}
    assert "hunter2" not in repr(settings)
