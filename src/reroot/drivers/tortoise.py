"""
Tortoise ORM: `asyncpg://…` and `psycopg://…`, or credentials by name.

Whatever the URL says after `ssl=` becomes True: over asyncpg that verifies chain and name against the system's roots, over
psycopg it is require. libpq's words in the URL are none of either's arguments.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from ..errors import SettingsError
from ..model import Given
from . import _pyssl, _wrapped, asyncpg, psycopg
from ._driver import Driver

ASYNCPG = ("asyncpg", "postgres", "postgresql", "tortoise.backends.asyncpg")
PSYCOPG = ("psycopg", "tortoise.backends.psycopg")
OWN = frozenset({"schema", "application_name", "connection_name", "fetch_inserted", "loop", "connection_class", "minsize", "maxsize", "engine"})
POOL = frozenset({"timeout", "min_size", "max_size", "max_queries", "max_inactive_connection_lifetime", "max_lifetime", "max_idle", "num_workers"})


def translate(given: Given) -> _wrapped.Beneath | None:
    """expand_db_url(), then what the backend makes of the credentials."""
    engine = str(given.options.get("engine", "asyncpg"))
    found: dict[str, object] = {}
    if given.dsn is not None:
        engine, found = _from_url(given.dsn)
    nested = given.options.get("credentials")
    found |= nested if isinstance(nested, Mapping) else {n: v for n, v in given.options.items() if n not in ("engine", "credentials")}
    found = {name: value for name, value in found.items() if name not in OWN}
    if engine in ASYNCPG:
        return _wrapped.beneath(given, asyncpg.DRIVER, dsn=None, options=found)
    return _wrapped.beneath(given, psycopg.DRIVER, dsn=None, options=_for_psycopg(given, found)) if engine in PSYCOPG else None


def _from_url(text: str) -> tuple[str, dict[str, object]]:
    if len(text) > 1_000_000:
        raise SettingsError("the URL is longer than 1000000 characters")
    try:
        url = urllib.parse.urlparse(text)
        host, port = url.hostname, url.port
    except ValueError:
        raise SettingsError("the URL cannot be parsed: Port is not an integer, or brackets do not match") from None
    if url.scheme not in (*ASYNCPG, *PSYCOPG):
        raise SettingsError(f"Unknown DB scheme: {url.scheme}")
    found: dict[str, object] = {name: values[-1] for name, values in urllib.parse.parse_qs(url.query).items()}
    if "ssl" in found:
        found["ssl"] = True
    found |= {"port": port or found.get("port", 5432), "database": urllib.parse.unquote(url.path[1:]) or None}
    for name, value in (("host", host), ("user", url.username), ("password", url.password)):
        if value:
            found[name] = urllib.parse.unquote(value) if name == "password" else value
    return url.scheme, found


def _for_psycopg(given: Given, found: dict[str, object]) -> dict[str, object]:
    """PsycopgClient.create_connection(): a context that checks names is verify-full, anything else that is true is require."""
    ssl = found.pop("ssl", None) or found.pop("ssl_context", None)
    settings = found.pop("server_settings", None)
    words = {"database": "dbname", "host": "host", "port": "port", "user": "user", "password": "password"}
    options = {words[name]: value for name, value in found.items() if name in words}
    for name in found:
        if name not in words and name not in POOL:
            raise SettingsError(f"AsyncConnectionPool() got an unexpected keyword argument '{name}'")
    if isinstance(settings, Mapping):
        options |= {str(name): value for name, value in settings.items()}
    if ssl:
        options["sslmode"] = "verify-full" if isinstance(ssl, Mapping) and _pyssl.described(given, ssl).names else "require"
    return options


DRIVER: Driver = _wrapped.wrapper(
    name="tortoise",
    title="Tortoise ORM",
    source="https://tortoise.github.io/databases.html#postgresql",
    versions="0.19 to 1.1, over asyncpg and psycopg",
    proven=("1.1",),
    translate=translate,
)
