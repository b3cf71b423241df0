"""
R2DBC for PostgreSQL 0.8 to 1.1.

Nothing asks for TLS unless told to. `ssl=true` (and `r2dbcs:`) is verify-full until `sslMode` says otherwise; verification is
against `sslRootCert`, else the Java runtime's cacerts. There is no ~/.postgresql/root.crt.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping
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
    Stack,
    TrustPolicy,
)
from . import _jvm
from ._driver import Driver, numbered

SOURCE = "r2dbc-postgresql client/SSLMode.java, AbstractPostgresSSLHandlerAdapter.java, PostgresqlConnectionConfiguration.java; source only"

FIRST, END = (0, 8), (1, 2)
LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    verifies: bool = False
    names: bool = False
    optional: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED, optional=True),
    "prefer": Mode(Ask.IF_OFFERED, optional=True),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, verifies=True),
    "verify-full": Mode(Ask.ALWAYS, verifies=True, names=True),
}
TLS = ("ssl", "sslMode", "sslRootCert", "sslCert", "sslKey", "sslPassword", "sslHostnameVerifier", "sslSni", "sslNegotiation")
PASSWORDS = frozenset({"password", "sslPassword"})


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return (replace(given, version="1.0"),)
    return (given,) if FIRST <= numbered(given.version) < END else ()


def read(given: Given) -> Settings:
    """The URL's options, then those given by code, which win."""
    values: dict[str, Setting] = {}
    endpoints: tuple[Endpoint, ...] = ()
    unknown: dict[str, str] = {}
    if given.dsn is not None:
        values, unknown, endpoints = _from_url(given.dsn)
    for name, value in given.options.items():
        if value is not None:
            text = value.reveal() if isinstance(value, Secret) else str(value).lower() if isinstance(value, bool) else str(value)
            name = "sslMode" if name == "sslmode" else name
            values[name] = Setting(Secret(text) if name in PASSWORDS else text, "option")
    if not endpoints:
        host = values["host"].text if "host" in values else given.host or "localhost"
        endpoints = (Endpoint(host=host, port=values["port"].text if "port" in values else "5432"),)
    if "socket" in values:
        endpoints = (Endpoint(host=values["socket"].text),)
    mode = values.get("sslMode")
    if mode is not None and _spelled(mode.text) not in (*MODES, "tunnel"):
        raise SettingsError(f"Invalid ssl mode value: {mode.text}")
    return Settings(given.driver, values, unknown, endpoints)


def _spelled(mode: str) -> str:
    """SSLMode.fromValue(): the value or the name of the constant, in any case."""
    return mode.lower().replace("verify_", "verify-")


def _from_url(text: str) -> tuple[dict[str, Setting], dict[str, str], tuple[Endpoint, ...]]:
    """`r2dbc:postgresql://user:password@host:port/database?name=value`, with `pool:` before and `failover:` after the driver."""
    if len(text) > LIMIT:
        raise SettingsError(f"the URL is longer than {LIMIT} characters")
    scheme, colon, rest = text.partition(":")
    if scheme not in ("r2dbc", "r2dbcs") or not colon:
        raise SettingsError("the URL does not start with `r2dbc:` or `r2dbcs:`")
    kind = rest.partition("://")[0].removeprefix("pool:")
    if kind.partition(":")[0] not in ("postgresql", "postgres") or "://" not in rest:
        raise SettingsError("the URL names no driver `postgresql`")
    # By hand: what urlsplit() takes for a host differs between patch releases of Python.
    before, _, query = rest.partition("://")[2].partition("#")[0].partition("?")
    try:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    except ValueError:
        raise SettingsError("the URL cannot be parsed") from None
    values: dict[str, Setting] = {"ssl": Setting("true", "dsn")} if scheme == "r2dbcs" else {}
    unknown: dict[str, str] = {}
    for name, value in pairs:
        name = "sslMode" if name == "sslmode" else name
        if name in values and values[name].text != value and name in TLS:
            unknown["twice"] = name
        values[name] = Setting(Secret(value) if name in PASSWORDS else value, "dsn")
    credentials, _, place = before.partition("/")[0].rpartition("@")
    if credentials:
        user, _, password = credentials.partition(":")
        values["user"] = Setting(urllib.parse.unquote(user), "dsn")
        values["password"] = Setting(Secret(urllib.parse.unquote(password)), "dsn")
    return values, unknown, tuple(_endpoint(one) for one in place.split(",")) if place else ()


def _endpoint(text: str) -> Endpoint:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, "5432"
    return Endpoint(host=urllib.parse.unquote(host.strip("[]")), port=port)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    written = settings.get("sslMode")
    name = _spelled(written) if written else "verify-full" if settings.get("ssl").lower() == "true" else "disable"
    said = f"sslMode={written}" if written else "ssl=true" if name == "verify-full" else "neither sslMode nor ssl=true is set"
    mode = MODES.get(name, Mode(Ask.ALWAYS))
    base = TrustPolicy(
        ask=mode.ask,
        chain=mode.verifies,
        names="httpclient" if mode.names else "",
        on_no_tls=OnDistrust.PLAINTEXT if mode.optional else OnDistrust.FAIL,
        on_rejection=mode.optional,
        direct=settings.get("sslNegotiation").lower() == "direct" and mode.ask is Ask.ALWAYS,
        stack=Stack("java", given.runtime.get("java", "")),
        reread=Reread.AT_START,
        undecidable=_undecidable(settings, mode, name),
        reasons=(_reason(said, mode),),
    )
    if not mode.verifies:
        return base
    path = settings.get("sslRootCert")
    if not path:
        return replace(base, roots=_jvm.roots(given))
    if given.files(path).state is FileState.MISSING:
        text = f"`{path}` is no file of this machine; it may be a resource of the class path: rehearse this client"
        return replace(base, undecidable=base.undecidable or Reason("roots-in-code", text, SOURCE))
    return replace(base, roots=RootSource(RootsFrom.SETTING, path, "java", store_type="PEM"))


def _undecidable(settings: Settings, mode: Mode, name: str) -> Reason | None:
    if name == "tunnel":
        return Reason("tls-tunnel", "sslMode=tunnel speaks TLS to a proxy: rehearse this client", SOURCE)
    if "twice" in settings.unknown:
        return Reason("set-twice", f"`{settings.unknown['twice']}` stands twice in the URL with different values: say it once", SOURCE)
    if mode.names and "sslHostnameVerifier" in settings.values:
        return Reason("custom-verifier", "a host-name verifier of its own decides in code: rehearse this client", SOURCE)
    if mode.names and any(_is_address(e.host) for e in settings.endpoints):
        return Reason("reverse-lookup", "the name that is checked for an address comes from a reverse lookup: rehearse this client", SOURCE)
    return None


def _is_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) is not None
    except ValueError:
        return False


def _reason(said: str, mode: Mode) -> Reason:
    if mode.ask is Ask.NEVER:
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE)
    if mode.names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE)
    if mode.verifies:
        return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", SOURCE)
    return Reason("does-not-verify", f"{said}: nothing is checked", SOURCE)


DRIVER = Driver(
    name="r2dbc",
    title="R2DBC PostgreSQL",
    source="https://github.com/pgjdbc/r2dbc-postgresql#connection-options",
    versions="0.8 to 1.1",
    proven=(),
    possible=possible,
    read=read,
    policy=policy,
)
