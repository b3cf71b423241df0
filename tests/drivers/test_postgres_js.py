"""postgres.js: each row of its table. Run with postgres 3.2.4, 3.3.5, 3.4.0, 3.4.7 and 3.4.9 on Node.js 20: tests/real."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import TEXT, client, rows_have_sources, said

H = "postgres://u:hunter2@db.corp.test/app"
ROWS = [
    ("", {}, {}, "plain"),
    ("sslmode=disable", {}, {}, "plain"),
    ("ssl=false", {}, {}, "plain"),
    ("sslmode=allow", {}, {}, "tls"),
    ("sslmode=prefer", {}, {}, "prefer plain-ok"),
    ("sslmode=require", {}, {}, "tls"),
    ("sslmode=verify-ca", {}, {}, "tls full bundled"),
    ("sslmode=verify-full", {}, {}, "tls full bundled"),
    ("sslmode=no-verify", {}, {}, "tls full bundled"),
    ("ssl=true", {}, {}, "tls full bundled"),
    ("ssl=require", {}, {}, "tls"),
    ("sslmode=require&ssl=verify-full", {}, {}, "tls"),
    ("sslmode=verify-full&sslrootcert=/r.pem", {}, {}, "refused"),
    ("sslrootcert=system", {}, {}, "refused"),
    ("sslmode=verify-full", {"ssl": False}, {}, "plain"),
    ("", {"ssl": "prefer"}, {}, "prefer plain-ok"),
    ("", {"ssl": True}, {}, "tls full bundled"),
    ("", {"ssl": {"ca": TEXT}}, {}, "tls full setting"),
    ("", {"ssl": {"rejectUnauthorized": False}}, {}, "tls"),
    ("", {"ssl": {"checkServerIdentity": "f"}}, {}, "undecidable"),
    ("", {}, {"PGSSL": "require"}, "tls"),
    ("", {}, {"PGSSL": "verify-full"}, "tls full bundled"),
    ("", {}, {"PGSSLMODE": "require"}, "plain"),
    ("sslmode=disable", {}, {"PGSSL": "require"}, "plain"),
    ("target_session_attrs=odd", {}, {}, "error"),
    ("sslnegotiation=direct&sslmode=require", {}, {}, "tls direct"),
    ("sslmode=require&application_name=x", {}, {}, "tls"),
]


@pytest.mark.parametrize(("query", "options", "env", "expected"), ROWS)
def test_three_words_check_nothing_and_all_others_everything(query, options, env, expected):
    assert said(client("postgres-js", "3.4.9", f"{H}?{query}", options=options, env=env, runtime={"node": "20"})) == expected


def test_an_ip_address_is_verified_as_localhost():
    given = client("postgres-js", "3.4.9", "postgres://u@10.0.0.1/db?ssl=true")
    (end,) = drivers.find("postgres-js").read(given).endpoints
    assert (end.host, end.address) == ("localhost", "10.0.0.1")


def test_several_hosts_are_not_decided():
    assert said(client("postgres-js", "3.4.9", "postgres://u@a,b/db?ssl=true")) == "undecidable"


def test_versions_outside_the_rules_are_none():
    assert drivers.find("postgres-js").possible(Given("postgres-js", "3.1.0")) == ()
    assert drivers.find("postgres-js").possible(Given("postgres-js", "4.0.0")) == ()


def test_unknown_parameters_are_kept_and_passwords_hidden():
    given = client("postgres-js", "3.4.9", f"{H}?odd=1")
    settings = drivers.find("postgres-js").read(given)
    assert settings.unknown["odd"] == "1"
    assert "hunter2" not in repr(settings)
    assert rows_have_sources("postgres-js", given)
