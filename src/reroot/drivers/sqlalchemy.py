"""
SQLAlchemy 1.4 to 2.1: the driver that its URL names, or `postgresql://`'s default, which was psycopg2 until 2.0 and is psycopg 3
as of 2.1.

The query of the URL becomes keyword arguments of that driver: libpq's words for psycopg2 and psycopg, but only ``ssl=MODE`` for
asyncpg and no TLS word at all for pg8000. ``connect_args`` (the settings beside the URL) win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..model import Given
from . import _sqlalchemy, _wrapped, asyncpg, pg8000, psycopg, psycopg2
from ._driver import Driver, numbered

FIRST, PSYCOPG3, TURN, END = (1, 4), (2, 0), (2, 1), (2, 2)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The driver beneath, its name for the database, and how it takes several hosts."""

    driver: Driver
    database: str
    multihost: str = ""
    own: frozenset[str] = frozenset()


PSYCOPG2 = Dialect(psycopg2.DRIVER, "dbname", "joined")
PSYCOPG = Dialect(psycopg.DRIVER, "dbname", "joined")
ASYNCPG_WORDS = frozenset({"prepared_statement_cache_size", "prepared_statement_name_func", "async_creator_fn", "async_fallback"})
DIALECTS: Mapping[str, Dialect] = {
    "postgresql+psycopg2": PSYCOPG2,
    "postgresql+psycopg2cffi": PSYCOPG2,
    "postgresql+psycopg": PSYCOPG,
    "postgresql+psycopg_async": PSYCOPG,
    "postgresql+asyncpg": Dialect(asyncpg.DRIVER, "database", "listed", ASYNCPG_WORDS),
    "postgresql+pg8000": Dialect(pg8000.DRIVER, "database"),
}


def variants(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return (replace(given, version="2.1"), replace(given, version="2.0"))
    return (given,) if FIRST <= numbered(given.version) < END else ()


def translate(given: Given) -> _wrapped.Beneath | None:
    """The URL's arguments, then connect_args over them."""
    if given.dsn is None:
        raise SettingsError("SQLAlchemy wants a URL")
    newer = numbered(given.version) >= TURN
    url = _sqlalchemy.parse(given.dsn, unquotes_database=newer)
    if url.drivername == "postgres":
        raise SettingsError("Can't load plugin: sqlalchemy.dialects:postgres", hint="write `postgresql://`")
    if url.drivername == "postgresql":
        dialect: Dialect | None = PSYCOPG if newer else PSYCOPG2
    else:
        dialect = DIALECTS.get(url.drivername)
    if dialect is None:
        return None
    if dialect is PSYCOPG and numbered(given.version) < PSYCOPG3:
        raise SettingsError(f"Can't load plugin: sqlalchemy.dialects:{url.drivername.replace('+', '.')}", hint="psycopg 3 came with 2.0")
    if url.host is not None and "%2f" in url.host.lower():
        raise SettingsError("could not translate host name: SQLAlchemy does not decode the host", hint="write a folder as `?host=/folder`")
    found = _sqlalchemy.arguments(url, database=dialect.database, multihost=dialect.multihost)
    nested = given.options.get("connect_args")
    found.update(nested if isinstance(nested, Mapping) else {n: v for n, v in given.options.items() if n != "connect_args"})
    options = {name: value for name, value in found.items() if name not in dialect.own}
    return _wrapped.beneath(given, dialect.driver, dsn=None, options=options)


DRIVER = _wrapped.wrapper(
    name="sqlalchemy",
    title="SQLAlchemy",
    source="https://docs.sqlalchemy.org/en/21/dialects/postgresql.html",
    versions="1.4 to 2.1, over psycopg2, psycopg, asyncpg and pg8000",
    proven=("2.0", "2.1"),
    translate=translate,
    variants=variants,
)
