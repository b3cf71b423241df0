"""
PgBouncer as a client of its servers: a database of `[databases]` and the `server_tls_*` settings beside it.

Until 1.19 it asked for no TLS unless told to; since then it prefers it. The CA file counts in verify-ca and verify-full only, and
a failed handshake is never followed by plaintext. Its own clients see a time-out; the reason stands in its log alone.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..model import (
    Ask,
    Endpoint,
    FileState,
    Given,
    OnDistrust,
    Reason,
    Reread,
    RootsFrom,
    RootSource,
    Secret,
    Setting,
    Settings,
    TrustPolicy,
)
from . import _conninfo, _libpq, libpq
from ._driver import Driver, numbered
from ._system import BUNDLES

SOURCE = "pgbouncer src/sbuf.c setup_tls(), src/server.c, lib/usual/tls/tls_client.c; run with 1.18"

FIRST, PREFERS, END = (1, 7), (1, 20), (2,)


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    verifies: bool = False
    names: bool = False


MODES = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_OFFERED),
    "prefer": Mode(Ask.IF_OFFERED),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, verifies=True),
    "verify-full": Mode(Ask.ALWAYS, verifies=True, names=True),
}
# Words of a line in [databases]; the rest of them belong to pools.
PLACE = frozenset({"host", "port", "dbname", "user", "password"})
LINE = frozenset(
    {
        *("auth_user", "auth_query", "auth_dbname", "pool_size", "min_pool_size", "reserve_pool", "reserve_pool_size", "connect_query"),
        *("max_db_connections", "max_db_client_connections", "pool_mode", "client_encoding", "datestyle", "timezone"),
        *("application_name", "load_balance_hosts", "server_lifetime"),
    }
)
TLS = frozenset(
    {"server_tls_sslmode", "server_tls_ca_file", "server_tls_key_file", "server_tls_cert_file", "server_tls_protocols", "server_tls_ciphers"}
)


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return (replace(given, version="1.20"), replace(given, version="1.19"))
    return (given,) if FIRST <= numbered(given.version) < END else ()


def read(given: Given) -> Settings:
    """The line of a database as a connection string (`host=… port=…`), and `server_tls_*` as options; or all of it as options.

    `config` may hold a whole pgbouncer.ini: then the dsn names the database of it.
    """
    options = {name: _libpq.text_of(value) for name, value in given.options.items() if value is not None}
    config = options.pop("config", None)
    written = _conninfo.pairs(given.dsn) if given.dsn is not None and config is None else []
    if config is not None:
        written, options = _from_file(config, given.dsn or "", options)
    values = {name: _setting(name, value, "dsn") for name, value in written}
    values |= {name: _setting(name, value, "option") for name, value in options.items()}
    mode = values.get("server_tls_sslmode")
    if mode is not None and mode.text.strip().lower() not in MODES:
        raise SettingsError(f"invalid value `{mode.text}` for parameter server_tls_sslmode", hint=f"one of {', '.join(MODES)}")
    stray = next((n for n, s in values.items() if (s.origin == "dsn" and n not in PLACE | LINE) or n.lower().startswith("ssl")), None)
    if stray is not None:
        raise SettingsError(f"unrecognized connection parameter: {stray}", hint="PgBouncer's TLS is set by `server_tls_*` in [pgbouncer]")
    known = {name: setting for name, setting in values.items() if name in PLACE | TLS}
    unknown = {name: setting.text for name, setting in values.items() if name not in PLACE | TLS}
    hosts = (values["host"].text if "host" in values else given.host or "").split(",")
    port = values["port"].text if "port" in values else "5432"
    return Settings(given.driver, known, unknown, tuple(Endpoint(host=host.strip(), port=port) for host in hosts))


def _setting(name: str, value: str, origin: str) -> Setting:
    return Setting(Secret(value) if name == "password" else value, origin)


def _from_file(content: str, database: str, options: dict[str, str]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The line of *database* (or of `*`), and what [pgbouncer] says of TLS."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#", ";"))
    try:
        parser.read_string(content)
    except configparser.Error:
        raise SettingsError("pgbouncer.ini cannot be read") from None
    databases = dict(parser["databases"]) if "databases" in parser else {}
    line = databases.get(database.lower(), databases.get("*"))
    if line is None:
        raise SettingsError(f"no database `{database}` in pgbouncer.ini")
    general = {n: v for n, v in (parser["pgbouncer"].items() if "pgbouncer" in parser else ()) if n in TLS}
    return [(n.strip(), v) for n, v in _conninfo.pairs(line)], {**general, **options}


def policy(given: Given, settings: Settings) -> TrustPolicy:
    default = "prefer" if numbered(given.version) >= PREFERS else "disable"
    name = settings.get("server_tls_sslmode", default).strip().lower()
    said = f"server_tls_sslmode={name}" if "server_tls_sslmode" in settings.values else f"server_tls_sslmode is not set and defaults to {name}"
    mode = MODES[name]
    optional = mode.ask is Ask.IF_OFFERED
    base = TrustPolicy(
        ask=mode.ask,
        chain=mode.verifies,
        names="libtls" if mode.names else "",
        on_no_tls=OnDistrust.PLAINTEXT if optional else OnDistrust.FAIL,
        stack=libpq.stack(given),
        reread=Reread.EACH_CONNECTION,
        reasons=(_reason(said, mode),),
    )
    if not mode.verifies:
        return base
    path = settings.get("server_tls_ca_file")
    if not path:
        found = next((p for p in BUNDLES if given.files(p).state is FileState.FOUND), "")
        return replace(base, roots=RootSource(RootsFrom.SYSTEM, found, "openssl"))
    missing = given.files(path).state is FileState.MISSING
    blocked = Reason("root-file-missing", f"failed to load CA: `{path}` does not exist", SOURCE) if missing else None
    return replace(base, roots=RootSource(RootsFrom.SETTING, path, "openssl"), blocked=blocked)


def _reason(said: str, mode: Mode) -> Reason:
    if mode.ask is Ask.NEVER:
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE)
    if mode.names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE)
    if mode.verifies:
        return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", SOURCE)
    return Reason("does-not-verify", f"{said}: nothing is checked, whether a CA file is named or not", SOURCE)


DRIVER = Driver(
    name="pgbouncer",
    title="PgBouncer, as a client of its servers",
    source="https://www.pgbouncer.org/config.html#tls-settings",
    versions="1.7 to 1.25",
    proven=("1.18",),
    measured=("1.24.1",),
    possible=possible,
    read=read,
    policy=policy,
)
