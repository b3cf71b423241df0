"""
psqlpy: tokio-postgres with OpenSSL, driven from Python.

Its TLS is switched on by two things only: a ``ca_file``, which checks chain and host name whatever the mode says, or the mode
``require`` without one, which checks nothing. Every other mode without a ``ca_file`` has no TLS at all. And a server that
offers no TLS gets the login in plaintext even from ``verify-full``.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, OnDistrust, Reason, RootsFrom, RootSource, Secret, Setting, Settings, Stack, TrustPolicy
from . import _conninfo, _pyssl
from ._driver import Driver, numbered
from ._libpq import text_of
from ._system import system_roots

SOURCE = "psqlpy src/driver/utils.rs build_tls(); run with 0.13.1"
MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# ConnectionPool's own names for what a connection string calls otherwise.
RENAMED = {"username": "user", "db_name": "dbname", "ssl_mode": "sslmode"}


# What connect() and ConnectionPool() take.
NAMES = """
    dsn username password host hosts port ports db_name target_session_attrs options application_name connect_timeout_sec
    connect_timeout_nanosec tcp_user_timeout_sec tcp_user_timeout_nanosec keepalives keepalives_idle_sec keepalives_idle_nanosec
    keepalives_interval_sec keepalives_interval_nanosec keepalives_retries load_balance_hosts max_db_pool_size
    conn_recycling_method ssl_mode ca_file
"""
ARGUMENTS = frozenset(NAMES.split())


def possible(given: Given) -> tuple[Given, ...]:
    return (given,) if given.version is None or (0, 13) <= numbered(given.version) < (0, 14) else ()


def read(given: Given) -> Settings:
    """A connection string in libpq's grammars, or the pool's own arguments; an argument that is given wins."""
    values: dict[str, Setting] = {}
    written = [(name, value, "dsn") for name, value in (_conninfo.pairs(given.dsn) if given.dsn is not None else ())]
    written += [(name, text_of(value), "option") for name, value in given.options.items() if value is not None]
    for name, value, origin in written:
        if origin == "option" and name not in ARGUMENTS:
            raise SettingsError(f"connect() got an unexpected keyword argument `{name}`")
        key = RENAMED.get(name, name)
        if key == "sslmode" and value.lower() not in MODES:
            raise SettingsError("invalid value for option `sslmode`")
        values[key] = Setting(Secret(value) if key == "password" else value, origin)
    hosts = (values["host"].text if "host" in values else given.host or "").split(",")
    port = values["port"].text.split(",")[0] if "port" in values else "5432"
    return Settings(given.driver, values, {}, tuple(Endpoint(host=host, port=port) for host in hosts))


def policy(given: Given, settings: Settings) -> TrustPolicy:
    mode, file = settings.get("sslmode", "prefer").lower(), settings.get("ca_file")
    stack = Stack("openssl", given.runtime.get("openssl", ""))
    base = TrustPolicy(
        ask=Ask.NEVER,
        stack=stack,
        on_no_tls=OnDistrust.PLAINTEXT,
        next_host=True,
        refused=_pyssl.unloadable(given, file) if file else None,
    )
    if mode == "disable":
        return replace(base, reasons=(Reason("tls-not-asked", "ssl_mode is disable: TLS is never asked for", SOURCE),))
    if not file:
        if mode != "require":
            text = f"ssl_mode is {mode}, and without a ca_file there is no TLS"
            if mode.startswith("verify"):
                return replace(
                    base, ask=Ask.IF_OFFERED, blocked=Reason("tls-not-built-in", f"{text}: the handshake fails", SOURCE)
                )
            return replace(base, reasons=(Reason("tls-not-asked", text, SOURCE),))
        reasons = (Reason("does-not-verify", "ssl_mode is require, without a ca_file: nothing is checked", SOURCE),)
        return replace(base, ask=Ask.ALWAYS, on_no_tls=OnDistrust.FAIL, reasons=reasons)
    return replace(
        base,
        ask=Ask.ALWAYS if mode == "require" else Ask.IF_OFFERED,
        on_no_tls=OnDistrust.FAIL if mode == "require" else OnDistrust.PLAINTEXT,
        chain=True,
        names="openssl",
        roots=RootSource(RootsFrom.SETTING, file, "openssl", beside=(system_roots(given).path,), adds=True),
        reasons=(Reason("verifies-chain-and-host", "a ca_file is given: chain and host name are checked in every mode", SOURCE),),
    )


DRIVER = Driver(
    name="psqlpy",
    title="psqlpy",
    source="https://github.com/psqlpy-python/psqlpy",
    versions="0.13",
    proven=("0.13",),
    possible=possible,
    read=read,
    policy=policy,
)
