"""TypeORM: node-postgres, with ``url`` as its connection string, ``ssl`` beside it, and ``extra`` over everything."""

from __future__ import annotations

from ..errors import SettingsError
from ..model import Given
from ._driver import Driver, numbered
from ._libpq import text_of
from ._pgconnectionstring import Config
from .node_postgres import driver_of, parse
from .node_postgres import possible as possible_pg

FIRST, LAST = (0, 3), (2, 0)
PASSED_ON = {"host": "host", "username": "user", "password": "password", "database": "database", "port": "port", "ssl": "ssl"}


def possible(given: Given) -> tuple[Given, ...]:
    return possible_pg(given) if given.version is None or FIRST <= numbered(given.version) < LAST else ()


def configured(given: Given) -> tuple[Config, bool]:
    """src/driver/postgres/PostgresDriver.ts createPool(); with ``replication`` the master counts."""
    options = dict(given.options)
    replication = options.get("replication")
    if isinstance(replication, dict) and isinstance(replication.get("master"), dict):
        options |= replication["master"]
    config: Config = {to: options[name] for name, to in PASSED_ON.items() if options.get(name) is not None}
    extra = options.get("extra")
    if extra is not None and not isinstance(extra, dict):
        raise SettingsError("`extra` is not an object")
    config |= extra or {}
    text = config.pop("connectionString", None) or options.get("url") or given.dsn
    if not text:
        return config, False
    said = parse(given, text_of(text))
    return config | said, "ssl" in said


_read, _policy = driver_of(configured)

DRIVER = Driver(
    name="typeorm",
    title="TypeORM",
    source="https://typeorm.io/docs/drivers/postgres",
    versions="0.3 to 1.x on node-postgres 8.3 to 8.23",
    proven=("1.1",),
    possible=possible,
    read=_read,
    policy=_policy,
)
