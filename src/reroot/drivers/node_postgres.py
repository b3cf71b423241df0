"""
node-postgres (npm ``pg``) 8: TLS only where asked for, then never plaintext, and in every mode but ``no-verify`` fully verified.

``sslmode=require`` and even ``prefer`` verify chain and host name, against Node's built-in roots unless ``sslrootcert`` or
``ssl.ca`` names others. TLS settings in the connection string replace the ``ssl`` object of the code. PGSSLMODE counts only
where neither says anything, and PGSSLROOTCERT never. How a connection string is read is pg-connection-string's affair,
whose version a fresh installation of an old pg takes from today, not from pg's own day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, Reason, Settings, TrustPolicy
from . import _node, _pgconnectionstring
from ._driver import Driver, numbered
from ._libpq import text_of
from ._pgconnectionstring import UNDECIDED, Config

SOURCE = "node-postgres packages/pg/lib/{connection-parameters,connection}.js, packages/pg-connection-string/index.js; run with pg 8.3 to 8.23"

FIRST, LAST = (8, 3), (8, 24)
"""Versions of pg with rules: FIRST up to, but not including, LAST."""
TEXT_IS_ERROR, DIRECT, PASSES_HOST = (8, 5), (8, 22), (8, 23, 1)
"""From which pg on: an ``ssl`` that is odd text throws; sslnegotiation is known; an IP address is verified as itself."""

# pg → the oldest pg-connection-string that its package.json allows; npm puts the newest in, a lock file what it says.
FLOORS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((8, 22), (2, 14)),
    ((8, 21), (2, 13)),
    ((8, 15), (2, 8)),
    ((8, 11), (2, 6)),
    ((8, 4), (2, 4)),
    ((8, 3), (2, 3)),
)
PARSERS = ("2.14.1", "2.13.0", "2.7.0", "2.5.0", "2.3.0")
"""One pg-connection-string of each way to read."""
PGS = ("8.23.1", "8.22.0", "8.16.3", "8.4.2")

OPTIONS = """
    user database port host password binary options ssl sslnegotiation client_encoding replication application_name
    fallback_application_name statement_timeout lock_timeout idle_in_transaction_session_timeout query_timeout connectionString
    connectionTimeoutMillis keepAlive keepAliveInitialDelayMillis sslmode sslrootcert sslcert sslkey uselibpqcompat max min
    idleTimeoutMillis allowExitOnIdle types stream maxUses maxLifetimeSeconds
"""
KNOWN = frozenset(OPTIONS.split())
ENV_SSL = {"disable": False, "prefer": True, "require": True, "verify-ca": True, "verify-full": True, "no-verify": {"rejectUnauthorized": False}}

Configure = Callable[[Given], tuple[Config, bool]]
"""A client's config as node-postgres gets it, and whether its ``ssl`` comes from a text that is parsed for each connection."""


# ── versions ─────────────────────────────────────────────────────────────────────────────────────


def pg_version(given: Given) -> str | None:
    return given.version if given.driver == "node-postgres" else given.runtime.get("pg")


def possible(given: Given) -> tuple[Given, ...]:
    """Every pg with every pg-connection-string that this client may have; none when one is outside the rules."""
    own, parser = pg_version(given), given.runtime.get("pg-connection-string")
    if own is not None and not FIRST <= numbered(own) < LAST:
        return ()
    if parser is not None and not _pgconnectionstring.FIRST <= numbered(parser) < _pgconnectionstring.LAST:
        return ()
    found = []
    for version in PGS if own is None else (own,):
        floor = next(oldest for first, oldest in FLOORS if numbered(version) >= first)
        parsers = (parser,) if parser is not None else tuple(p for p in PARSERS if numbered(p) >= floor)
        found += [_with(given, version, one) for one in parsers]
    return tuple(found)


def _with(given: Given, pg: str, parser: str) -> Given:
    runtime = {**given.runtime, "pg": pg, "pg-connection-string": parser}
    return replace(given, runtime=runtime, version=pg if given.driver == "node-postgres" else given.version)


def parse(given: Given, text: str) -> Config:
    return _pgconnectionstring.parse(text, numbered(given.runtime.get("pg-connection-string", "2.14.1")), given.files)


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


def configured(given: Given) -> tuple[Config, bool]:
    """``new Client({connectionString, ...options})``: what the connection string says replaces what the options say."""
    config: Config = dict(given.options)
    text = config.get("connectionString") or given.dsn
    if not text:
        return config, False
    said = parse(given, text_of(text))
    return config | said, "ssl" in said


def endpoint(given: Given, config: Config) -> Endpoint:
    """The host that is dialled and the name that is verified."""
    host = text_of(config.get("host") or given.env.get("PGHOST") or "localhost")
    port = str(config.get("port") or given.env.get("PGPORT") or "5432")
    if _node.is_address(host) and numbered(pg_version(given)) < PASSES_HOST:
        ssl = config.get("ssl")
        name = ssl.get("servername") if isinstance(ssl, dict) else None
        return Endpoint(str(name or "localhost"), host, port)
    return Endpoint(host, "", port)


def ssl_of(given: Given, config: Config) -> Any:
    """The ``ssl`` in force, as JavaScript would have it: False, True, a dict of options, or a text."""
    ssl = config["ssl"] if "ssl" in config else ENV_SSL.get(given.env.get("PGSSLMODE", ""), False)
    if ssl == "true" and numbered(pg_version(given)) >= TEXT_IS_ERROR:
        return True
    if ssl == "no-verify":
        return {"rejectUnauthorized": False}
    return ssl


def driver_of(configure: Configure) -> tuple[Callable[[Given], Settings], Callable[[Given, Settings], TrustPolicy]]:
    """``read`` and ``policy`` of a driver that hands *configure*'s config to node-postgres."""

    def read(given: Given) -> Settings:
        config, from_text = configure(given)
        origins = {name: "dsn" for name in config if from_text and name in ("ssl", "host", "port", "user", "database")}
        ssl = ssl_of(given, config)
        _check(given, config, ssl)
        where = endpoint(given, config)
        if "ssl" not in config and "PGSSLMODE" in given.env:
            origins["ssl"] = "environment"
        return _node.shown(given.driver, {**config, "ssl": ssl, "host": where.address or where.host}, origins, KNOWN, (where,))

    def policy(given: Given, settings: Settings) -> TrustPolicy:
        config, from_text = configure(given)
        return _node.over_socket(_policy(given, config, from_text), settings.endpoints)

    return read, policy


def _negotiation(given: Given, config: Config) -> str:
    if numbered(pg_version(given)) < DIRECT:
        return ""
    return text_of(config.get("sslnegotiation") or given.env.get("PGSSLNEGOTIATION") or "")


def _check(given: Given, config: Config, ssl: Any) -> None:
    negotiation = _negotiation(given, config)
    if negotiation not in ("", "postgres", "direct"):
        raise SettingsError(f'Invalid sslnegotiation value: "{negotiation}". Valid values are "postgres" and "direct"')
    if negotiation == "direct" and not _truthy(ssl):
        raise SettingsError("sslnegotiation=direct requires SSL to be enabled")


def _truthy(value: Any) -> bool:
    """JavaScript's: an empty object or list is true."""
    return isinstance(value, dict | list) or bool(value)


def _policy(given: Given, config: Config, from_text: bool) -> TrustPolicy:
    ssl = ssl_of(given, config)
    undecided = config.get(UNDECIDED)
    if undecided:
        return TrustPolicy(Ask.ALWAYS, undecidable=Reason("odd-connection-string", f"{undecided}: rehearse this client", SOURCE))
    if not _truthy(ssl):
        said = "ssl is not set" if "ssl" not in config else "ssl is off"
        return TrustPolicy(Ask.NEVER, reasons=(Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE),))
    direct = _negotiation(given, config) == "direct"
    if ssl is not True and not isinstance(ssl, dict | list):
        if numbered(pg_version(given)) >= TEXT_IS_ERROR:
            text = "`ssl` is neither true nor an object, and node-postgres throws a TypeError once the server answers"
            return TrustPolicy(Ask.ALWAYS, blocked=Reason("settings-error", text, SOURCE), socket_is_plain=False)
        ssl = True
    options = ssl if isinstance(ssl, dict) else {}
    return replace(_node.policy(given, options, each_connection=from_text, source=SOURCE), direct=direct)


_read, _policy_of = driver_of(configured)

DRIVER = Driver(
    name="node-postgres",
    title="node-postgres (pg)",
    source="https://node-postgres.com/features/ssl",
    versions="8.3 to 8.23 with pg-connection-string 2.3 to 2.14",
    proven=("8.3", "8.4", "8.11", "8.16", "8.22", "8.23"),
    possible=possible,
    read=_read,
    policy=_policy_of,
)
