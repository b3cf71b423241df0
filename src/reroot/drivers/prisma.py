"""
Prisma: to version 6 an engine in Rust with words of its own, from 7 on node-postgres.

In the engine ``verify-full`` and ``verify-ca`` are no modes: like every odd value they mean ``prefer``, and nothing is checked.
Only ``sslaccept=strict`` verifies, chain and name, against the system's roots and the certificate that ``sslcert`` names (a CA, for
all its name, and only the first one of the file). ``sslcert`` must load in every mode, ``disable`` included. ``sslrootcert`` is not read.
An upgrade to 7 therefore starts to verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
    Setting,
    Settings,
    Stack,
    TrustPolicy,
)
from ..readers import effective
from . import _go, _whatwg, node_postgres
from ._driver import Driver, numbered
from ._libpq import from_options, text_of
from ._system import system_roots

SOURCE = "prisma-engines quaint/src/connector/postgres/url.rs, native/mod.rs; run with quaint in pysqlx-core 0.2.3"
FIRST, ADAPTERS, LAST = (2, 0), (7, 0), (8, 0)
CURRENT_PG = "8.23.1"

MODES: Mapping[str, Ask] = {"disable": Ask.NEVER, "prefer": Ask.IF_OFFERED, "require": Ask.ALWAYS}
NUMBERS = ("connection_limit", "connect_timeout", "socket_timeout", "pool_timeout", "statement_cache_size")
KNOWN = frozenset(
    {
        *("sslmode", "sslcert", "sslidentity", "sslpassword", "sslaccept", "schema", "host", "application_name", "channel_binding"),
        *("options", "pgbouncer", "max_connection_lifetime", "max_idle_connection_lifetime", "single_use_connections", *NUMBERS),
    }
)


def is_engine(given: Given) -> bool:
    """Whether the client speaks through the Rust engine; runtime ``engine`` (``rust`` or ``adapter-pg``) says so for 5 and 6."""
    engine = given.runtime.get("engine")
    return engine == "rust" if engine else numbered(given.version) < ADAPTERS


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return (replace(given, version="6.0.0"), *possible(replace(given, version="7.0.0")))
    if not FIRST <= numbered(given.version) < LAST:
        return ()
    return (given,) if is_engine(given) else node_postgres.possible(_adapter(given))


def _adapter(given: Given) -> Given:
    """The adapter's config is node-postgres' own: ``connectionString`` and ``ssl``."""
    dsn = given.dsn if given.dsn is not None else given.options.get("url")
    options = {name: value for name, value in given.options.items() if name != "url"}
    return replace(given, dsn=None if dsn is None else text_of(dsn), options=options)


_read_adapter, _policy_adapter = node_postgres.driver_of(lambda given: node_postgres.configured(_adapter(given)))


# ── the engine ───────────────────────────────────────────────────────────────────────────────────


def read(given: Given) -> Settings:
    if not is_engine(given):
        return _read_adapter(given)
    text = given.dsn if given.dsn is not None else given.options.get("url")
    if text is None:
        raise SettingsError("Prisma needs a `url`")
    url = _whatwg.parse(text_of(text))
    if url.scheme not in ("postgres", "postgresql"):
        raise SettingsError("the URL must start with the protocol `postgresql://` or `postgres://`", hint="`prisma+postgres://` is a proxy")
    values = {name: _go.setting(name, value, "dsn") for name, value in url.query}
    # An odd sslmode is passed over: what an earlier one said stays.
    modes = [value for name, value in url.query if name == "sslmode" and value in MODES]
    values |= {"sslmode": _go.setting("sslmode", modes[-1], "dsn")} if modes else {}
    values |= {name: _go.setting(name, value, "option") for name, value in from_options(given.options) if name != "url"}
    for name in NUMBERS:
        if name in values and not values[name].text.isdecimal():
            raise SettingsError(f"invalid digit found in string: `{name}`")
    if "pgbouncer" in values and values["pgbouncer"].text not in ("true", "false"):
        raise SettingsError("provided string was not `true` or `false`: `pgbouncer`")
    host = values["host"].text if "host" in values else _whatwg.decode_uri_component(url.hostname)
    values |= {"user": Setting(_whatwg.decode_uri_component(url.username), "dsn")} if url.username else {}
    _check_certificate(given, values)
    unknown = {name: s.text for name, s in values.items() if name not in KNOWN and name != "user"}
    host = host.removeprefix("[").removesuffix("]") or "localhost"
    return Settings(given.driver, values, unknown, (Endpoint(host, "", url.port or "5432"),))


def _check_certificate(given: Given, values: Mapping[str, Setting]) -> None:
    path = _go.text(values, "sslcert")
    if not path:
        return
    file = given.files(path)
    if file.state in (FileState.MISSING, FileState.FOLDER):
        raise SettingsError("Error opening a TLS connection. cert file not found")
    if file.state is FileState.FOUND and not effective("rust-native-tls", given.runtime.get("openssl", ""), file.content or b"").loads:
        raise SettingsError("Error opening a TLS connection: the certificate in `sslcert` cannot be read")


def policy(given: Given, settings: Settings) -> TrustPolicy:
    if not is_engine(given):
        return _policy_adapter(given, settings)
    name = settings.get("sslmode", "prefer")
    ask = MODES.get(name, Ask.IF_OFFERED)
    accept = settings.get("sslaccept", "accept_invalid_certs")
    base = TrustPolicy(
        ask=ask,
        on_no_tls=OnDistrust.PLAINTEXT if ask is Ask.IF_OFFERED else OnDistrust.FAIL,
        next_host=True,
        stack=_stack(given),
        reread=Reread.AT_START,
        channel_binding=settings.get("channel_binding") == "require",
    )
    said = f"sslmode={name}" if name in MODES else f"sslmode={name} is no mode of Prisma and means prefer"
    said = said if "sslmode" in settings.values else "sslmode is not set and defaults to prefer"
    if ask is Ask.NEVER:
        return replace(base, reasons=(Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE),))
    if accept == "accept_invalid_certs":
        text = f"{said}, and sslaccept is accept_invalid_certs, the default: nothing is checked"
        return replace(base, reasons=(Reason("does-not-verify", text, SOURCE),))
    roots = system_roots(given)
    if settings.get("sslcert"):
        roots = RootSource(RootsFrom.SETTING, settings.get("sslcert"), "rust-native-tls", adds=True, default=roots)
    reason = Reason("verifies-chain-and-host", f"{said}, and sslaccept={accept}: chain and host name are checked", SOURCE)
    return replace(base, chain=True, names="openssl", roots=roots, reasons=(reason,))


def _stack(given: Given) -> Stack:
    version = given.runtime.get("openssl", "")
    numbers = numbered(version)
    return Stack("openssl", version, security_level=1 if numbers[:1] == (1,) else 2 if numbers[:2] >= (3, 2) else None)


DRIVER = Driver(
    name="prisma",
    title="Prisma",
    source="https://www.prisma.io/docs/orm/overview/databases/postgresql#configuring-an-ssl-connection",
    versions="2 to 7",
    proven=("5.0 (quaint)", "7.10"),
    possible=possible,
    read=read,
    policy=policy,
)
