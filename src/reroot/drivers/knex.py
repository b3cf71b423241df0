"""
Knex: node-postgres, given either a ``connection`` object, or a connection string that Knex parses once at its start.

For strings Knex has a pg-connection-string of its own, in one fixed version: 2.5.0 up to Knex 2.4, 2.6 since. That one knows
no ``uselibpqcompat``, whatever pg's own copy knows.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Secret
from . import _whatwg
from ._driver import Driver, numbered
from ._libpq import text_of
from ._pgconnectionstring import Config
from .node_postgres import configured as of_pg
from .node_postgres import driver_of, parse
from .node_postgres import possible as possible_pg

FIRST, LAST = (1, 0), (4, 0)
OWN_PARSER = (((2, 5), "2.6.2"), ((1, 0), "2.5.0"))
"""From which Knex on: the version of pg-connection-string in its package.json."""


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return tuple(one for version in ("3.3.0", "2.4.2") for one in possible_pg(replace(given, version=version)))
    return possible_pg(given) if FIRST <= numbered(given.version) < LAST else ()


def _parse(given: Given, text: str) -> Config:
    own = next(parser for first, parser in OWN_PARSER if numbered(given.version) >= first)
    return parse(replace(given, runtime={**given.runtime, "pg-connection-string": own}), text)


def configured(given: Given) -> tuple[Config, bool]:
    """lib/knex-builder/internal/parse-connection.js: other schemes than PostgreSQL's own lose every TLS setting but ``ssl``."""
    text = given.dsn if given.dsn is not None else given.options.get("connection")
    if not isinstance(text, str | Secret):
        return of_pg(given)
    try:
        url = _whatwg.parse(text_of(text))
    except SettingsError:
        return {}, False  # taken for a file name of SQLite
    if url.scheme in ("postgres", "postgresql"):
        return _parse(given, text_of(text)), False
    config: Config = {"database": url.pathname.removeprefix("/"), **({"host": url.hostname} if url.hostname else {})}
    if url.port:
        config["port"] = url.port
    return config | dict(url.query), False


_read, _policy = driver_of(configured)

DRIVER = Driver(
    name="knex",
    title="Knex",
    source="https://knexjs.org/guide/#configuration-options",
    versions="1.0 to 3.x on node-postgres 8.3 to 8.23",
    proven=("3.3",),
    possible=possible,
    read=_read,
    policy=_policy,
)
