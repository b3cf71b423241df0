"""Logical subscriptions and standbys: libpq inside a server, by CONNECTION or `primary_conninfo`, with the home of the server's user."""

from __future__ import annotations

from . import libpq, postgres_fdw
from ._driver import Driver

DRIVER = Driver(
    name="subscription",
    title="logical subscriptions and primary_conninfo",
    source="https://www.postgresql.org/docs/current/sql-createsubscription.html",
    versions="PostgreSQL 12 to 18, on libpq 12 to 18",
    proven=("15",),
    possible=postgres_fdw.DRIVER.possible,
    read=postgres_fdw.read,
    policy=libpq.policy,
)
