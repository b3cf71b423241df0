"""
Vert.x's reactive PostgreSQL client 4 and 5.

Nothing asks for TLS unless told to. But when it does, it verifies the chain against the Java runtime's cacerts in every mode, unless
`trustAll` is set: even prefer, which goes on in plaintext after any error at all.
"""

from __future__ import annotations

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

SOURCE = "vertx-sql-client PgConnectOptions.java, impl/PgConnectionFactory.java checkSslMode(), connect(); source only"

FIRST, END = (4,), (6,)
LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    wants_trust: bool = False
    wants_names: bool = False
    recovers: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED, recovers=True),
    "prefer": Mode(Ask.IF_OFFERED, recovers=True),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, wants_trust=True),
    "verify-full": Mode(Ask.ALWAYS, wants_trust=True, wants_names=True),
}
# setting of PgConnectOptions → its variable
VARIABLES = {"sslMode": "PGSSLMODE", "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "database": "PGDATABASE"}
SCHEMES = ("postgresql", "postgres")
KNOWN = frozenset({"sslMode", "trustAll", "trustCertificates", "hostnameVerificationAlgorithm", "host", "port", "user", "database"})
IN_CODE = frozenset({"trustOptions", "sslOptions", "trustStoreOptions", "jksOptions", "pfxOptions", "keyCertOptions"})


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return (replace(given, version="5"),)
    return (given,) if FIRST <= numbered(given.version) < END else ()


def read(given: Given) -> Settings:
    """Options of the code over the URI over the environment. `trustCertificates` is the PEM file of pemTrustOptions."""
    values = {name: Setting(given.env[variable], "environment") for name, variable in VARIABLES.items() if given.env.get(variable)}
    unknown: dict[str, str] = {}
    if given.dsn is not None:
        for name, text in _from_uri(given.dsn):
            spelled = "sslMode" if name == "sslmode" else name
            values[spelled] = Setting(Secret(text) if spelled == "password" else text, "dsn")
    for name, value in given.options.items():
        if value is None:
            continue
        if name in IN_CODE:
            unknown[name] = "…"
            continue
        said = value.reveal() if isinstance(value, Secret) else str(value)
        values[name] = Setting(Secret(said) if name == "password" else said, "option")
    mode = values.get("sslMode")
    if mode is not None:
        spelled = _spelled(mode.text)
        if spelled not in MODES:
            raise SettingsError(f"Could not find an appropriate SSL mode for the value [{mode.text}].")
        values["sslMode"] = Setting(spelled, mode.origin)
    host = values["host"].text if "host" in values else given.host or "localhost"
    return Settings(given.driver, values, unknown, (Endpoint(host=host, port=values["port"].text if "port" in values else "5432"),))


def _spelled(mode: str) -> str:
    return mode.strip().lower().replace("verify_", "verify-")


def _from_uri(text: str) -> list[tuple[str, str]]:
    if len(text) > LIMIT:
        raise SettingsError(f"the URI is longer than {LIMIT} characters")
    text = text.removeprefix("vertx-reactive:")
    try:
        parts = urllib.parse.urlsplit(text)
        port, host = parts.port, parts.hostname
        query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise SettingsError("Cannot parse invalid connection URI") from None
    if parts.scheme not in SCHEMES:
        raise SettingsError("Wrong syntax of connection URI: it starts with neither `postgresql:` nor `postgres:`")
    plain = urllib.parse.unquote
    named = {"host": plain(host or ""), "port": str(port or ""), "database": plain(parts.path[1:]), "user": plain(parts.username or "")}
    return [*((n, v) for n, v in named.items() if v), ("password", plain(parts.password or "")), *query]


def policy(given: Given, settings: Settings) -> TrustPolicy:
    name = settings.get("sslMode", "disable")
    said = f"sslMode={name}" if "sslMode" in settings.values else "sslMode is not set and defaults to disable"
    mode = MODES[name]
    if mode.ask is Ask.NEVER:
        return TrustPolicy(Ask.NEVER, reasons=(Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE),))
    trusts_all = settings.get("trustAll").lower() == "true"
    algorithm = settings.get("hostnameVerificationAlgorithm").upper().replace("NONE", "")
    path = settings.get("trustCertificates")
    base = TrustPolicy(
        ask=mode.ask,
        chain=not trusts_all,
        names="java-https" if algorithm == "HTTPS" and not trusts_all else "",
        on_distrust=OnDistrust.PLAINTEXT if mode.ask is Ask.IF_OFFERED else OnDistrust.FAIL,
        on_no_tls=OnDistrust.PLAINTEXT if mode.recovers else OnDistrust.FAIL,
        on_rejection=mode.recovers,
        roots=RootSource(RootsFrom.SETTING, path, "java", store_type="PEM") if path else _jvm.roots(given),
        stack=Stack("java", given.runtime.get("java", "")),
        reread=Reread.AT_START,
        undecidable=_undecidable(settings),
        reasons=(_reason(said, mode, trusts_all, algorithm),),
    )
    if mode.wants_names and not algorithm:
        return replace(base, refused=Reason("settings-error", "Host verification algorithm must be specified under verify-full sslmode", SOURCE))
    if mode.wants_trust and not path and not settings.unknown and not trusts_all:
        text = "Trust options must be specified under verify-full or verify-ca sslmode"
        return replace(base, refused=Reason("settings-error", text, SOURCE))
    if path and given.files(path).state is FileState.MISSING:
        return replace(base, blocked=Reason("root-file-missing", f"the PEM file `{path}` does not exist", SOURCE))
    return base


def _undecidable(settings: Settings) -> Reason | None:
    if settings.unknown:
        return Reason("trust-options", f"`{next(iter(settings.unknown))}` is chosen by code: rehearse this client", SOURCE)
    return None


def _reason(said: str, mode: Mode, trusts_all: bool, algorithm: str) -> Reason:
    if trusts_all:
        return Reason("verification-switched-off", f"{said} and trustAll: nothing is checked", SOURCE)
    if mode.ask is Ask.IF_OFFERED:
        text = f"{said}: the chain is checked, and after any error the client goes on in plaintext"
        return Reason("silent-plaintext-fallback", text, SOURCE)
    if algorithm:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE)
    return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", SOURCE)


DRIVER = Driver(
    name="vertx",
    title="Vert.x reactive PostgreSQL client",
    source="https://vertx.io/docs/vertx-pg-client/java/#_using_ssltls",
    versions="4 and 5",
    proven=(),
    possible=possible,
    read=read,
    policy=policy,
)
