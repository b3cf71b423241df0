"""
Hasura: libpq, by a source's `connection_info` (`database_url` and `ssl_configuration`) or HASURA_GRAPHQL_DATABASE_URL.

`sslrootcert` of `ssl_configuration` names a variable that holds PEM text, not a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Reason, RootsFrom, RootSource, Settings, TrustPolicy
from . import _libpq, libpq
from ._driver import Driver

SOURCE = "https://hasura.io/docs/2.0/api-reference/syntax-defs/#pgsourceconnectioninfo; source only"


def read(given: Given) -> Settings:
    """The URL, then `ssl_configuration` over it."""
    written = given.dsn or _text(given, given.options.get("database_url")) or given.env.get("HASURA_GRAPHQL_DATABASE_URL")
    if not written:
        raise SettingsError("no `database_url` is given")
    pairs = list(_libpq.from_text(written, given))
    ssl = given.options.get("ssl_configuration")
    if isinstance(ssl, Mapping) and ssl.get("sslmode"):
        pairs.append(("sslmode", str(ssl["sslmode"])))
    return _libpq.effective(replace(given, dsn=written), pairs)


def _text(given: Given, value: object) -> str | None:
    """A value, or what the variable of `{"from_env": NAME}` holds; None when that is not known."""
    if isinstance(value, Mapping):
        return given.env.get(str(value.get("from_env")))
    return None if value is None else _libpq.text_of(value)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = libpq.policy(given, settings)
    ssl = given.options.get("ssl_configuration")
    if not isinstance(ssl, Mapping) or not ssl.get("sslrootcert"):
        return found
    text = _text(given, ssl["sslrootcert"])
    if text is None:
        why = Reason("variable-unknown", "the variable that holds the root certificate is not known: give its value", SOURCE)
        return replace(found, undecidable=why)
    mode = libpq.MODES[settings.get("sslmode", "prefer")]
    roots = RootSource(RootsFrom.ENVIRONMENT, "", "openssl", inline=text.encode("utf-8", "surrogateescape"))
    return replace(found, chain=settings.get("sslmode") != "disable", roots=roots, blocked=None, on_distrust=mode.on_distrust)


DRIVER = Driver(
    name="hasura",
    title="Hasura GraphQL Engine",
    source="https://hasura.io/docs/2.0/databases/postgres/index/",
    versions="2.x on libpq 12 to 18",
    proven=(),
    possible=_libpq.possible,
    read=read,
    policy=policy,
)
