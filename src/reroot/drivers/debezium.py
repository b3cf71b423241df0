"""
Debezium's PostgreSQL connector: pgJDBC, by `database.*`.

The default of `database.sslmode` was disable once and is prefer in newer releases; where it is not set, both are considered.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import SettingsError
from ..model import Given
from . import _wrapped, pgjdbc
from ._driver import numbered

SOURCE = "debezium PostgresConnectorConfig.java SSL_MODE, PostgresConnection.java; source only"
WORDS = {
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "sslcert": "sslcert",
    "sslkey": "sslkey",
    "sslpassword": "sslpassword",
    "sslfactory": "sslfactory",
    "user": "user",
    "password": "password",
}
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def variants(given: Given) -> tuple[Given, ...]:
    if "database.sslmode" in given.options:
        return (given,)
    modes = ("disable",) if given.version is not None and numbered(given.version) < (2,) else ("prefer", "disable")
    return tuple(replace(given, options={**given.options, "database.sslmode": mode}) for mode in modes)


def translate(given: Given) -> _wrapped.Beneath | None:
    """`driver.*` (and in 1.x any `database.*`) goes to pgJDBC as it is."""
    found = {n.removeprefix("database."): v for n, v in given.options.items() if n.startswith("database.") and v is not None}
    mode = str(found.get("sslmode", "")).strip().lower()
    if mode and mode not in MODES:
        raise SettingsError("Value must be one of disable, allow, prefer, require, verify-ca, verify-full", where="database.sslmode")
    options: dict[str, object] = {word: found[name] for name, word in WORDS.items() if name in found}
    if mode:
        options["sslmode"] = mode
    options |= {n.removeprefix("driver."): v for n, v in given.options.items() if n.startswith("driver.")}
    host, port = found.get("hostname", given.host or "localhost"), found.get("port", "5432")
    url = f"jdbc:postgresql://{host}:{port}/{found.get('dbname', '')}"
    return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=url, options=options)


DRIVER = _wrapped.wrapper(
    name="debezium",
    title="Debezium PostgreSQL connector",
    source="https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-connector-properties; source only",
    versions="1 to 3, over pgJDBC",
    proven=(),
    translate=translate,
    variants=variants,
)
