"""
Sequelize 6: node-postgres, but only ``dialectOptions.ssl`` reaches it.

``ssl: true`` beside the host, where many write it, is not looked at: such a client speaks plaintext. A URL's TLS settings are read
once by pg-connection-string and put into ``dialectOptions``, over what the code says there.
"""

from __future__ import annotations

from ..model import Given
from . import _whatwg
from ._driver import Driver, numbered
from ._libpq import text_of
from ._pgconnectionstring import UNDECIDED, Config
from .node_postgres import driver_of, parse
from .node_postgres import possible as possible_pg

FIRST, LAST = (6, 0), (7, 0)


def possible(given: Given) -> tuple[Given, ...]:
    return possible_pg(given) if given.version is None or FIRST <= numbered(given.version) < LAST else ()


def configured(given: Given) -> tuple[Config, bool]:
    """src/sequelize.js constructor, src/dialects/postgres/connection-manager.js connect()."""
    options = dict(given.options)
    dialect = options.get("dialectOptions")
    dialect = dict(dialect) if isinstance(dialect, dict) else {}
    if given.dsn:
        said = parse(given, text_of(given.dsn))
        url = _whatwg.parse(given.dsn, base=True)
        dialect |= {name: value for name, value in said.items() if name in ("ssl", UNDECIDED)}
        host = said["host"] if dict(url.query).get("host") else url.hostname
        options |= {"host": host, "port": url.port or options.get("port")}
        options |= {"database": said.get("database"), "username": said.get("user")}
    config: Config = {"host": options.get("host", "localhost")}
    for name, to in (("port", "port"), ("database", "database"), ("username", "user"), ("password", "password")):
        if options.get(name) is not None:
            config[to] = options[name]
    for name in ("ssl", UNDECIDED):
        if name in dialect:
            config[name] = dialect[name]
    if "ssl" in options:
        config["Sequelize's own ssl"] = options["ssl"]  # kept as unknown: it has no effect
    return config, False


_read, _policy = driver_of(configured)

DRIVER = Driver(
    name="sequelize",
    title="Sequelize",
    source="https://sequelize.org/docs/v6/other-topics/dialect-specific-things/#postgresql",
    versions="6.x on node-postgres 8.3 to 8.23",
    proven=("6.37",),
    possible=possible,
    read=_read,
    policy=_policy,
)
