"""Prisma: each row of its table. The engine's rows run with quaint as pysqlx-core 0.2.3 carries it; 7 is node-postgres."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

H = "postgresql://u:hunter2@db.corp.test/app"
# the URL's query, then what it means to 6 and to 7
ROWS = [
    ("", "prefer plain-ok", "plain"),
    ("sslmode=disable", "plain", "plain"),
    ("sslmode=prefer", "prefer plain-ok", "tls full bundled"),
    ("sslmode=require", "tls", "tls full bundled"),
    ("sslmode=verify-ca", "prefer plain-ok", "tls full bundled"),
    ("sslmode=verify-full", "prefer plain-ok", "tls full bundled"),
    ("sslmode=require&sslaccept=strict", "tls full system", "tls full bundled"),
    ("sslaccept=strict", "prefer full system plain-ok", "plain"),
    ("sslmode=require&sslaccept=odd", "tls full system", "tls full bundled"),
    ("sslmode=require&sslaccept=strict&sslcert=/r.pem", "tls full setting+system", "tls full bundled"),
    ("sslmode=require&sslaccept=strict&sslrootcert=/r.pem", "tls full system", "tls full setting"),
    ("sslmode=disable&sslcert=/missing.pem", "error", "error"),
    ("sslcert=/junk.pem", "error", "tls full bundled"),
    ("pgbouncer=maybe", "error", "plain"),
    ("connection_limit=x", "error", "plain"),
]


@pytest.mark.parametrize(("query", "engine", "adapter"), ROWS, ids=[r[0] or "nothing" for r in ROWS])
def test_an_upgrade_to_7_changes_what_a_url_means(query, engine, adapter):
    assert said(client("prisma", "6.5.0", f"{H}?{query}")) == engine
    assert said(client("prisma", "7.0.0", f"{H}?{query}", runtime={"pg": "8.23.1", "pg-connection-string": "2.14.1"})) == adapter


def test_a_driver_adapter_is_node_postgres_before_7_too():
    given = client("prisma", "6.5.0", options={"url": f"{H}?sslmode=require"}, runtime={"engine": "adapter-pg", "pg": "8.16.3"})
    assert said(given) == "tls full bundled"


def test_a_proxy_is_no_postgresql():
    assert said(client("prisma", "6.5.0", "prisma+postgres://accelerate/?api_key=hunter2")) == "error"


def test_unknown_parameters_are_kept_and_passwords_hidden():
    given = client("prisma", "6.5.0", f"{H}?odd=1&sslpassword=hunter2")
    settings = drivers.find("prisma").read(given)
    assert settings.unknown == {"odd": "1"}
    assert "hunter2" not in repr(settings)


def test_versions_outside_the_rules_are_none():
    assert drivers.find("prisma").possible(Given("prisma", "8.0.0")) == ()
