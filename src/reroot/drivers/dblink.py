"""dblink: libpq inside a server, by a connection string or the options of a foreign server."""

from __future__ import annotations

from . import libpq, postgres_fdw
from ._driver import Driver

DRIVER = Driver(
    name="dblink",
    title="dblink",
    source="https://www.postgresql.org/docs/current/contrib-dblink-connect.html",
    versions="PostgreSQL 12 to 18, on libpq 12 to 18",
    proven=("15",),
    possible=postgres_fdw.DRIVER.possible,
    read=postgres_fdw.read,
    policy=libpq.policy,
)
