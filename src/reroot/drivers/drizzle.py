"""
Drizzle ORM: node-postgres or postgres.js, whichever its import names, given a connection string or an object as it is.

What `drizzle.config` says of TLS under `dbCredentials` is for Drizzle's own tool, and not for the application.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Secret
from . import node_postgres, postgres_js
from ._driver import numbered
from ._libpq import text_of
from ._wrapped import Beneath, beneath, wrapper

FIRST, LAST = (0, 34), (1, 0)
"""From 0.34 on it makes the pool itself; before, the application did, and that one is node-postgres' or postgres.js' own client."""
PACKAGES = {"pg": "node-postgres", "postgres": "postgres-js"}
"""The npm package beneath, as ``runtime`` names it with its version, and whose rules hold then."""
OVER = "drizzle-driver"


def variants(given: Given) -> tuple[Given, ...]:
    if given.version is not None and not FIRST <= numbered(given.version) < LAST:
        return ()
    named = [driver for package, driver in PACKAGES.items() if package in given.runtime or driver in given.runtime]
    drivers = [given.runtime[OVER]] if OVER in given.runtime else named if len(named) == 1 else list(PACKAGES.values())
    return tuple(replace(given, runtime={**given.runtime, OVER: driver}) for driver in drivers)


def translate(given: Given) -> Beneath | None:
    """drizzle-orm node-postgres/driver.js and postgres-js/driver.js, drizzle()."""
    options = dict(given.options)
    connection = options.pop("connection", options)
    dsn = given.dsn
    if isinstance(connection, str | Secret):
        dsn, connection = text_of(connection), {}
    if not isinstance(connection, dict):
        raise SettingsError("`connection` is neither a text nor an object")
    options = {} if given.dsn is not None else dict(connection)
    package = next((p for p, driver in PACKAGES.items() if driver == given.runtime.get(OVER)), "")
    if package == "":
        return None
    driver = {"pg": node_postgres.DRIVER, "postgres": postgres_js.DRIVER}[package]
    if package == "postgres" and dsn is None and options.get("url") is not None:
        dsn = text_of(options.pop("url"))
    version = {driver.name: given.runtime[package]} if package in given.runtime else {}
    return beneath(replace(given, runtime={**given.runtime, **version}), driver, dsn=dsn, options=options)


DRIVER = wrapper(
    name="drizzle",
    title="Drizzle ORM",
    source="https://orm.drizzle.team/docs/get-started-postgresql",
    versions="0.34 to 0.x on node-postgres 8.3 to 8.23 (`--runtime pg=8.23`) or postgres.js 3.2 to 3.4 (`postgres=3.4`)",
    proven=("0.45",),
    translate=translate,
    variants=variants,
)
