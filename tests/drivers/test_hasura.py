"""Hasura: each row of its table, known from its documentation only."""

from __future__ import annotations

import pytest

from tests.drivers.tables import TEXT, client, said

URL = "postgres://u:hunter2@db.corp.test/app"
ROWS = [
    (URL, {}, {}, "prefer plain-ok"),
    (f"{URL}?sslmode=require", {}, {}, "tls"),
    (None, {"database_url": {"from_env": "PG_URL"}}, {"PG_URL": f"{URL}?sslmode=disable"}, "plain"),
    (None, {"database_url": {"from_env": "PG_URL"}}, {}, "error"),
    (None, {}, {"HASURA_GRAPHQL_DATABASE_URL": URL}, "prefer plain-ok"),
    (URL, {"ssl_configuration": {"sslmode": "verify-full", "sslrootcert": {"from_env": "CA"}}}, {"CA": TEXT}, "tls full env"),
    (URL, {"ssl_configuration": {"sslmode": "verify-full", "sslrootcert": {"from_env": "CA"}}}, {}, "undecidable"),
]


@pytest.mark.parametrize(("dsn", "options", "env", "expected"), ROWS)
def test_a_source_means_what_libpq_makes_of_it(dsn, options, env, expected):
    assert said(client("hasura", "2.36", dsn, options=options, env=env, runtime={"libpq": "15"})) == expected
