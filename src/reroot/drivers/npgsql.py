"""
Npgsql 4 to 10. Its own code is known from its source; what .NET makes of a chain, a name and a root file was run with .NET 8 on
Linux, with the validation callbacks of Npgsql 8 and 9 written after that source.

Up to 5 ``Prefer`` and ``Require`` verify chain and name against the system's roots, unless ``Trust Server Certificate`` is set, and
TLS is off by default. 6 and 7 refuse ``Require`` without ``Trust Server Certificate``. As of 8 the modes mean what libpq's do,
but ``require`` never verifies. From 6 to 9 a chain that the system's roots accept passes even where ``Root Certificate`` would
not accept it; as of 10 that file is exclusive.
"""

from __future__ import annotations

import re
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
    RootsFrom,
    RootSource,
    Secret,
    Setting,
    Settings,
    Stack,
    TrustPolicy,
)
from ._driver import Driver, numbered
from ._libpq import text_of
from ._system import system_roots

SOURCE = "Npgsql src/Npgsql/NpgsqlConnectionStringBuilder.cs, Internal/NpgsqlConnector.cs, tags v4.0 to v10.0; .NET 8.0.4 run under it"
FIRST, SIX, EIGHT, TEN, LAST = (4, 0), (6, 0), (8, 0), (10, 0), (11, 0)


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    verifies: bool = False
    names: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED),
    "prefer": Mode(Ask.IF_OFFERED),
    "require": Mode(Ask.ALWAYS),
    "verifyca": Mode(Ask.ALWAYS, verifies=True),
    "verifyfull": Mode(Ask.ALWAYS, verifies=True, names=True),
}
OLD_MODES = ("disable", "prefer", "require")

# Keywords without blanks and in lower case, and their synonyms.
SYNONYMS: Mapping[str, str] = {
    **{"server": "host", "db": "database", "userid": "username", "user": "username", "uid": "username", "username": "username"},
    **{"psw": "password", "pwd": "password", "rootcertificate": "rootcertificate", "sslmode": "sslmode"},
    **{"clientcertificate": "sslcertificate", "clientcertificatekey": "sslkey"},
}
KNOWN = """
    host port database username password passfile applicationname enlist searchpath clientencoding encoding timezone sslmode
    sslnegotiation trustservercertificate sslcertificate sslkey sslpassword rootcertificate checkcertificaterevocation
    kerberosservicename includerealm includeerrordetail includefailedbatchedcommand persistsecurityinfo logparameters pooling
    minimumpoolsize maxpoolsize minpoolsize maximumpoolsize connectionidlelifetime connectionpruninginterval connectionlifetime timeout
    commandtimeout internalcommandtimeout cancellationtimeout keepalive tcpkeepalive tcpkeepalivetime tcpkeepaliveinterval
    readbuffersize writebuffersize socketreceivebuffersize socketsendbuffersize maxautoprepare autoprepareminusages
    noresetonclose options targetsessionattributes loadbalancehosts hostrecheckseconds replicationmode arraynullabilitymode
    multiplexing writecoalescingbufferthresholdbytes loadtablecomposites servercompatibilitymode requireauth gssencryptionmode
    channelbinding integratedsecurity usesslstream convertinfinitydatetime usePerfCounters
"""
KEYWORDS = frozenset(word.lower() for word in KNOWN.split())
# Words of libpq that are none of Npgsql's: it throws on them.
FOREIGN = frozenset({"sslrootcert", "sslcert", "sslcrl", "connect_timeout", "application_name", "dbname", "hostaddr", "gssencmode"})


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return tuple(replace(given, version=v) for v in ("10.0.0", "9.0.0", "7.0.0", "5.0.0"))
    return (given,) if FIRST <= numbered(given.version) < LAST else ()


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def parse(text: str) -> dict[str, str]:
    """``key=value;…`` as DbConnectionStringBuilder reads it: quotes of both kinds, doubled inside; the last of two equal keys wins."""
    if len(text) > 1_000_000:
        raise SettingsError("the connection string is longer than 1000000 characters")
    found: dict[str, str] = {}
    at, end = 0, len(text)
    while True:
        while at < end and (text[at] == ";" or text[at].isspace()):
            at += 1
        if at == end:
            return found
        name, at = _key(text, at)
        found[name], at = _value(text, at)


DAMAGED = "Format of the initialization string does not conform to specification"


def _key(text: str, at: int) -> tuple[str, int]:
    """Up to a single ``=``; a doubled one stands for itself."""
    start, pieces = at, []
    while True:
        equals = text.find("=", start)
        if equals < 0:
            raise SettingsError(DAMAGED)
        pieces.append(text[start:equals])
        if text[equals + 1 : equals + 2] != "=":
            break
        pieces.append("=")
        start = equals + 2
    name = "".join(pieces).strip()
    if not name or ";" in name:
        raise SettingsError(DAMAGED)
    return name, equals + 1


def _value(text: str, at: int) -> tuple[str, int]:
    while at < len(text) and text[at].isspace():
        at += 1
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        stop = text.find(";", at)
        stop = len(text) if stop < 0 else stop
        return text[at:stop].strip(), stop
    pieces, start = [], at + 1
    while True:
        close = text.find(quote, start)
        if close < 0:
            raise SettingsError(DAMAGED)
        pieces.append(text[start:close])
        if text[close + 1 : close + 2] != quote:
            break
        pieces.append(quote)
        start = close + 2
    rest = text[close + 1 :].partition(";")[0]
    if rest.strip():
        raise SettingsError(DAMAGED)
    return "".join(pieces), close + 1 + len(rest)


def read(given: Given) -> Settings:
    values: dict[str, Setting] = {}
    unknown: dict[str, str] = {}
    written = [(n, v, "dsn") for n, v in (parse(given.dsn) if given.dsn else {}).items()]
    written += [(n, text_of(v), "option") for n, v in given.options.items() if v is not None]
    for name, value, origin in written:
        key = re.sub(r"\s", "", name).lower()
        key = SYNONYMS.get(key, key)
        if name.lower() in FOREIGN:
            raise SettingsError(f"Couldn't set {name.lower()}: the keyword is not supported by Npgsql")
        if key not in KEYWORDS:
            # What is no keyword may be anything, a whole URL with its password included: only a plain name is kept.
            unknown[name if re.fullmatch(r"[A-Za-z][A-Za-z ]{0,40}", name.strip()) else "what is no keyword"] = "***"
        else:
            values[key] = Setting(Secret(value) if key in ("password", "sslpassword", "passfile") else value, origin)
    found = Settings(given.driver, values, unknown, _endpoints(values, given))
    _check(given, found)
    return found


def _endpoints(values: Mapping[str, Setting], given: Given) -> tuple[Endpoint, ...]:
    port = values["port"].text if "port" in values else "5432"
    hosts = values["host"].text if "host" in values else given.host or given.env.get("PGHOST", "localhost")
    ends = []
    for host in hosts.split(","):
        name, colon, own = host.strip().rpartition(":")
        plain = colon and own.isdecimal() and ":" not in name.removeprefix("[").partition("]")[0]
        ends.append(Endpoint(name, "", own) if plain else Endpoint(host.strip(), "", port))
    return tuple(ends)


def mode_of(given: Given, settings: Settings) -> str:
    default = "prefer" if numbered(given.version) >= SIX else "disable"
    return settings.get("sslmode", default).strip().lower() or default


def _trusts_any(settings: Settings) -> bool:
    return settings.get("trustservercertificate").strip().lower() in ("true", "yes", "1")


def _check(given: Given, settings: Settings) -> None:
    version, name = numbered(given.version), mode_of(given, settings)
    if name not in (MODES if version >= SIX else OLD_MODES):
        raise SettingsError(f"Couldn't set sslmode: the value `{settings.get('sslmode')}` is none of Npgsql's")
    if SIX <= version < EIGHT and name == "require" and not _trusts_any(settings):
        raise SettingsError("to use SSL Mode=Require, Trust Server Certificate=true must be set as well; or use VerifyCA or VerifyFull")
    if SIX <= version < EIGHT and name in ("verifyca", "verifyfull") and _trusts_any(settings):
        raise SettingsError("Trust Server Certificate=true cannot stand beside VerifyCA or VerifyFull")


# ── policy ───────────────────────────────────────────────────────────────────────────────────────


def policy(given: Given, settings: Settings) -> TrustPolicy:
    version, name = numbered(given.version), mode_of(given, settings)
    mode = MODES[name]
    if version < SIX and mode.ask is not Ask.NEVER and not _trusts_any(settings):
        mode = replace(mode, verifies=True, names=True)
    plain = mode.ask in (Ask.IF_OFFERED, Ask.IF_NEEDED)
    return TrustPolicy(
        ask=mode.ask,
        chain=mode.verifies,
        names="dotnet" if mode.names else "",
        on_no_tls=OnDistrust.PLAINTEXT if plain else OnDistrust.FAIL,
        on_rejection=version >= SIX and plain,
        next_host=True,
        direct=settings.get("sslnegotiation").lower() == "direct",
        channel_binding=settings.get("channelbinding").lower() == "require",
        roots=_roots(given, settings, version) if mode.verifies else RootSource(),
        stack=Stack("dotnet-linux" if _on_linux(given) else "dotnet", given.runtime.get("dotnet", "")),
        undecidable=_undecidable(settings, mode),
        reasons=(_reason(settings, name, mode),),
    )


def _on_linux(given: Given) -> bool:
    """What was run; Windows and macOS judge chains by their own means."""
    return given.runtime.get("os", "").lower() == "linux"


def _roots(given: Given, settings: Settings, version: tuple[int, ...]) -> RootSource:
    system = replace(system_roots(given), reader="openssl")
    path, origin = settings.get("rootcertificate"), RootsFrom.SETTING
    if not path and given.env.get("PGSSLROOTCERT") and version >= (5, 0):
        path, origin = given.env["PGSSLROOTCERT"], RootsFrom.ENVIRONMENT
    if not path and version >= SIX and given.home is not None:
        default = f"{given.home}/.postgresql/root.crt"
        if given.files(default).state is not FileState.MISSING:
            path, origin = default, RootsFrom.DEFAULT_FILE
    if not path:
        return system
    own = RootSource(origin, path, "rust-native-tls" if version < SIX else "dotnet")  # to 5 the first certificate only
    return own if version >= TEN else replace(own, adds=True, default=system)


def _undecidable(settings: Settings, mode: Mode) -> Reason | None:
    if settings.unknown:
        names = ", ".join(f"`{name}`" for name in settings.unknown)
        return Reason("unknown-keyword", f"these rules do not know {names}, and Npgsql throws on keywords it does not know", SOURCE)
    if mode.verifies and settings.get("rootcertificate").lower().endswith((".pfx", ".p12")):
        return Reason("roots-format", "the roots lie in a PKCS#12 file, which was not run: rehearse this client", SOURCE)
    return None


def _reason(settings: Settings, name: str, mode: Mode) -> Reason:
    said = f"SSL Mode={name}" if "sslmode" in settings.values else f"SSL Mode is not set and defaults to {name}"
    if mode.ask is Ask.NEVER:
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE)
    if mode.names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE)
    if mode.verifies:
        return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", SOURCE)
    return Reason("does-not-verify", f"{said}: nothing is checked", SOURCE)


DRIVER = Driver(
    name="npgsql",
    title="Npgsql",
    source="https://www.npgsql.org/doc/security.html",
    versions="4 to 10",
    proven=(),
    possible=possible,
    read=read,
    policy=policy,
)
