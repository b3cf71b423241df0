"""
sqlx 0.7 to 0.9 for Rust: libpq's words, and only ``verify-ca`` and ``verify-full`` ever check anything.

``allow`` is plaintext. ``require`` never verifies, with or without a root file (which must load, under native-tls).
``sslrootcert`` adds to the stack's default roots: the system's under native-tls, which takes only the file's first certificate;
under rustls those that were compiled in.
In a build without TLS ``prefer`` is plaintext. An odd PGSSLMODE is ``prefer`` without a word; an odd sslmode in the URL is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, OnDistrust, Reason, RootsFrom, RootSource, Setting, Settings, Stack, TrustPolicy
from . import _gourl, _whatwg
from ._driver import Driver, numbered
from ._libpq import from_options
from ._system import system_roots

SOURCE = "sqlx sqlx-postgres/src/options, connection/tls.rs, sqlx-core/src/net/tls; run with 0.8.6 (native-tls) and 0.9.0 (rustls)"

FIRST, LAST = (0, 7), (0, 10)
BACKENDS = ("native-tls", "rustls", "none")


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    verifies: bool = False
    names: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.NEVER),
    "prefer": Mode(Ask.IF_OFFERED),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, verifies=True),
    "verify-full": Mode(Ask.ALWAYS, verifies=True, names=True),
}
SPELLINGS: Mapping[str, str] = {
    "sslmode": "sslmode",
    "ssl-mode": "sslmode",
    "sslrootcert": "sslrootcert",
    "ssl-root-cert": "sslrootcert",
    "ssl-ca": "sslrootcert",
    "sslcert": "sslcert",
    "ssl-cert": "sslcert",
    "sslkey": "sslkey",
    "ssl-key": "sslkey",
    "host": "host",
    "hostaddr": "host",
    "port": "port",
    "dbname": "dbname",
    "user": "user",
    "password": "password",
    "application_name": "application_name",
    "statement-cache-capacity": "statement-cache-capacity",
    "options": "options",
}
ENVIRONMENT: Mapping[str, str] = {
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
    "PGAPPNAME": "application_name",
}


def possible(given: Given) -> tuple[Given, ...]:
    """Runtime ``tls`` names the compiled-in TLS (native-tls, rustls or none); each is possible where it is not known."""
    if given.version is not None and not FIRST <= numbered(given.version) < LAST:
        return ()
    backend = given.runtime.get("tls")
    if backend is not None:
        return (given,) if backend in BACKENDS else ()
    return tuple(replace(given, runtime={**given.runtime, "tls": one}) for one in BACKENDS)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def read(given: Given) -> Settings:
    values = _environment(given)
    if given.dsn is not None:
        values |= {name: _setting(name, value, "dsn") for name, value in parse(given.dsn).items()}
    values |= {SPELLINGS.get(n, n): _setting(SPELLINGS.get(n, n), v, "option") for n, v in from_options(given.options)}
    mode = values.get("sslmode")
    if mode is not None and mode.text.lower() not in MODES:
        raise SettingsError(f'unknown value "{mode.text}" for `ssl_mode`')
    known = set(SPELLINGS.values())
    unknown = {n: s.text for n, s in values.items() if n not in known and not n.startswith("options[")}
    host = values["host"].text if "host" in values else given.host or "localhost"
    port = values["port"].text if "port" in values else "5432"
    return Settings(given.driver, values, unknown, (Endpoint(host, "", port),))


def _setting(name: str, value: str, origin: str) -> Setting:
    from ._go import setting

    return setting(name, value, origin)


def _environment(given: Given) -> dict[str, Setting]:
    values = {n: _setting(n, given.env[v], "environment") for v, n in ENVIRONMENT.items() if v in given.env}
    host = given.env.get("PGHOSTADDR", given.env.get("PGHOST"))
    if host is not None:
        values["host"] = Setting(host, "environment")
    port = given.env.get("PGPORT", "")
    if port.isascii() and port.isdigit() and int(port[:9]) <= 65535:
        values["port"] = Setting(port, "environment")
    if given.env.get("PGSSLMODE", "").lower() in MODES:
        values["sslmode"] = Setting(given.env["PGSSLMODE"], "environment")
    return values


def parse(text: str) -> dict[str, str]:
    """PgConnectOptions::parse_from_url(). Raises ``SettingsError``; what it does not know it ignores, and so it is kept here."""
    url = _whatwg.parse(text)
    found: dict[str, str] = {}
    if url.hostname:
        found["host"] = _percent(url.hostname).removeprefix("[").removesuffix("]")
    found |= {"port": url.port} if url.port else {}
    found |= {"user": _percent(url.username)} if url.username else {}
    found |= {"password": _percent(url.password)} if url.password else {}
    database = url.pathname.lstrip("/")
    found |= {"dbname": _percent(database)} if database else {}
    for name, value in url.query:
        if name == "port" and not (value.isascii() and value.isdigit() and int(value[:9]) <= 65535):
            raise SettingsError("invalid digit found in string")
        if name == "hostaddr" and not _gourl.is_ip(value):
            raise SettingsError("invalid IP address syntax")
        if name == "statement-cache-capacity" and not value.isdecimal():
            raise SettingsError("invalid digit found in string")
        if SPELLINGS.get(name) == "sslmode" and value.lower() not in MODES:
            raise SettingsError(f'unknown value "{value}" for `ssl_mode`')
        found[SPELLINGS.get(name, name)] = value
    return found


def _percent(text: str) -> str:
    from urllib.parse import unquote

    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise SettingsError("invalid utf-8 sequence in the URL") from None


# ── policy ───────────────────────────────────────────────────────────────────────────────────────


def policy(given: Given, settings: Settings) -> TrustPolicy:
    name = settings.get("sslmode", "prefer").lower()
    mode, backend = MODES[name], given.runtime["tls"]
    falls = mode.ask is Ask.IF_OFFERED
    base = TrustPolicy(
        ask=mode.ask,
        on_no_tls=OnDistrust.PLAINTEXT if falls else OnDistrust.FAIL,
        stack=stack(given, backend),
        socket_is_plain=name != "require" and not mode.verifies,
        reasons=(_reason(settings, name, mode),),
    )
    if backend == "none" and falls:
        text = f"{base.reasons[0].text}, and this sqlx was built without TLS: plaintext"
        return replace(base, ask=Ask.NEVER, reasons=(Reason("tls-not-built-in", text, SOURCE),))
    if backend == "none" and mode.ask is Ask.ALWAYS:
        return replace(base, refused=Reason("tls-not-built-in", "TLS upgrade required by connect options but SQLx was built without TLS", SOURCE))
    base = replace(base, blocked=None if mode.ask is Ask.NEVER else _blocked(settings, mode, backend))
    if not mode.verifies:
        # native-tls builds its connector, root file and all, before it is told to check nothing.
        opens = backend == "native-tls" and "sslrootcert" in settings.values and mode.ask is not Ask.NEVER
        return replace(base, opens_roots=True, roots=_roots(given, settings, backend)) if opens else base
    names = ("webpki" if backend == "rustls" else "openssl") if mode.names else ""
    return replace(base, chain=True, names=names, roots=_roots(given, settings, backend))


def _blocked(settings: Settings, mode: Mode, backend: str) -> Reason | None:
    """What fails before the handshake: rustls wants certificate and key together, and a root file of no name cannot be read."""
    if backend == "rustls" and ("sslcert" in settings.values) != ("sslkey" in settings.values):
        return Reason("client-certificate", "user auth key and certs must be given together", SOURCE)
    if settings.get("sslrootcert", "?") == "" and (mode.verifies or backend == "native-tls"):
        return Reason("root-file-missing", "sslrootcert is empty: there is no file of that name", SOURCE)
    return None


def stack(given: Given, backend: str) -> Stack:
    if backend == "rustls":
        return Stack("webpki", given.runtime.get("rustls", ""))
    version = given.runtime.get("openssl", "")
    return Stack("openssl", version, security_level=2 if numbered(version)[:2] >= (3, 2) else None)


def _roots(given: Given, settings: Settings, backend: str) -> RootSource:
    default = default_roots(given, backend)
    written = settings.get("sslrootcert")
    if "sslrootcert" not in settings.values:
        return default
    origin = RootsFrom.ENVIRONMENT if settings.origin("sslrootcert") == "environment" else RootsFrom.SETTING
    reader = "rust-native-tls" if backend == "native-tls" else "rustls"
    text = written.strip()
    if text.startswith("-----BEGIN") and text.endswith("-----"):
        return RootSource(origin, "", reader, inline=written.encode(), adds=True, default=default)
    return RootSource(origin, written, reader, adds=True, default=default)


def default_roots(given: Given, backend: str) -> RootSource:
    """The roots that are trusted in any case: OpenSSL's, or under rustls those compiled in, or the system's where ``roots`` says so."""
    if backend == "native-tls" or given.runtime.get("roots") == "native":
        return system_roots(given)
    return RootSource(RootsFrom.BUNDLED)


def _reason(settings: Settings, name: str, mode: Mode) -> Reason:
    said = f"sslmode={name}" if "sslmode" in settings.values else "sslmode is not set and defaults to prefer"
    if mode.ask is Ask.NEVER:
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE)
    if mode.names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE)
    if mode.verifies:
        return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", SOURCE)
    return Reason("does-not-verify", f"{said}: nothing is checked, with or without a root file", SOURCE)


DRIVER = Driver(
    name="sqlx",
    title="sqlx",
    source="https://docs.rs/sqlx/latest/sqlx/postgres/struct.PgConnectOptions.html",
    versions="0.7 to 0.9",
    proven=("0.8", "0.9"),
    measured=("0.8.3",),
    possible=possible,
    read=read,
    policy=policy,
)
