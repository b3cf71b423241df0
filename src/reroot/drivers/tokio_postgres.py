"""
tokio-postgres and rust-postgres 0.7: when TLS is asked for is a setting, what it checks is the connector's affair.

``sslmode`` knows disable, prefer and require only. With ``NoTls`` nothing is ever encrypted. The connectors of postgres-native-tls,
postgres-openssl and tokio-postgres-rustls check chain and name by default, in ``require`` and even in ``prefer``, but a program
may have told them otherwise: unless runtime ``connector`` says ``default``, that is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, OnDistrust, Reason, Reread, Settings, TrustPolicy
from . import _conninfo, _go, sqlx
from ._driver import Driver, numbered
from ._libpq import from_options

SOURCE = "tokio-postgres src/config.rs, connect_tls.rs 0.7.12; source only"
FIRST, LAST = (0, 7), (0, 8)

MODES: Mapping[str, Ask] = {"disable": Ask.NEVER, "prefer": Ask.IF_OFFERED, "require": Ask.ALWAYS}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": tuple(MODES),
    "sslnegotiation": ("postgres", "direct"),
    "channel_binding": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only"),
    "load_balance_hosts": ("disable", "random"),
}
KEYS = frozenset(
    {
        *("user", "password", "dbname", "options", "application_name", "host", "hostaddr", "port", "connect_timeout"),
        *("tcp_user_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_retries", *CHOICES),
    }
)


def possible(given: Given) -> tuple[Given, ...]:
    """Runtime ``tls`` names the connector: native-tls, openssl, rustls or none."""
    return (given,) if given.version is None or FIRST <= numbered(given.version) < LAST else ()


def read(given: Given) -> Settings:
    """``Config::from_str``: libpq's two grammars, and an error for every name it does not know."""
    values = {}
    for name, value in [*(_conninfo.pairs(given.dsn) if given.dsn is not None else ()), *from_options(given.options)]:
        if name not in KEYS:
            raise SettingsError(f"unknown option `{name}`")
        if value not in CHOICES.get(name, (value,)):
            raise SettingsError(f"invalid value for option `{name}`")
        values[name] = _go.setting(name, value, "dsn" if given.dsn is not None else "option")
    hosts, addresses = (_go.text(values, name).split(",") for name in ("host", "hostaddr"))
    ports = _go.text(values, "port").split(",")
    count = max(len(hosts), len(addresses))
    named = given.host if hosts == [""] and addresses == [""] else None
    ends = tuple(
        Endpoint(named or (hosts[i] if i < len(hosts) else ""), addresses[i] if i < len(addresses) else "", ports[i % len(ports)] or "5432")
        for i in range(count)
    )
    return Settings(given.driver, values, {}, ends)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    name, backend = settings.get("sslmode", "prefer"), given.runtime.get("tls")
    ask = MODES[name]
    falls = ask is Ask.IF_OFFERED
    base = TrustPolicy(
        ask=ask,
        on_no_tls=OnDistrust.PLAINTEXT if falls else OnDistrust.FAIL,
        next_host=True,
        direct=settings.get("sslnegotiation") == "direct",
        channel_binding=settings.get("channel_binding") == "require",
        reread=Reread.AT_START,
        reasons=(Reason("tls-not-asked", f"sslmode={name}: TLS is never asked for", SOURCE),) if ask is Ask.NEVER else (),
    )
    if ask is Ask.NEVER:
        return base
    if backend == "none":
        reason = Reason("tls-not-built-in", "the program connects with NoTls", SOURCE)
        return replace(base, ask=Ask.NEVER, reasons=(reason,)) if falls else replace(base, refused=reason)
    if backend not in ("native-tls", "openssl", "rustls") or given.runtime.get("connector") != "default":
        text = "what is checked is decided by the connector in the program's code: rehearse this client"
        return replace(base, undecidable=Reason("custom-connector", text, SOURCE))
    stack_of = "rustls" if backend == "rustls" else "native-tls"
    said = Reason("verifies-chain-and-host", f"sslmode={name} with a connector left at its defaults: chain and host name are checked", SOURCE)
    return replace(
        base,
        chain=True,
        names="webpki" if backend == "rustls" else "openssl",
        stack=sqlx.stack(given, stack_of),
        roots=sqlx.default_roots(given, stack_of),
        reasons=(said,),
    )


DRIVER = Driver(
    name="tokio-postgres",
    title="tokio-postgres",
    source="https://docs.rs/tokio-postgres/latest/tokio_postgres/config/struct.Config.html",
    versions="0.7",
    proven=(),
    possible=possible,
    read=read,
    policy=policy,
)
