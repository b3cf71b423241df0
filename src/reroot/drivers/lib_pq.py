"""
lib/pq 1.10.5 to 1.12: TLS is required unless sslmode says otherwise, and the versions differ in what that means.

Up to 1.10 ``verify-ca`` checks the host name too, unless the host is an address or ``sslsni=0``. As of 1.12 there are ``prefer`` and
``allow``, and ``~/.postgresql/root.crt`` is read where it exists and sslmode is set: ``prefer`` then falls to plaintext on
distrust, as libpq does.
Without a root file the handshake is left until after that, so nothing falls when it fails (its issue 1355).
``require`` with a root file that does not exist checks nothing. ``sslmode=pqgo-NAME`` is decided by code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, FileState, Given, OnDistrust, Reason, RootsFrom, RootSource, Setting, Settings, TrustPolicy
from . import _go, _gourl, _parameters
from ._driver import Driver, numbered
from ._libpq import from_options

SOURCE = "lib/pq ssl.go, connector.go, conn.go; run with 1.10.7 and 1.12.3"

FIRST, CONFIG, PREFER, LAST = (1, 10, 5), (1, 11), (1, 12), (1, 13)
"""The rules hold from FIRST up to, but not including, LAST (which prefers); CONFIG checks every setting as it is read."""


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    chain: bool = False
    names: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED),
    "prefer": Mode(Ask.IF_OFFERED),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, chain=True),
    "verify-full": Mode(Ask.ALWAYS, chain=True, names=True),
}
OLD_MODES = ("disable", "require", "verify-ca", "verify-full")

# Variables, and the setting each stands for; "" is one that makes lib/pq refuse to start. Of 1.10, then of 1.11 and later.
OLD_ENVIRONMENT: Mapping[str, str] = {
    "PGHOST": "host",
    "PGHOSTADDR": "",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGSERVICE": "",
    "PGSERVICEFILE": "",
    "PGREALM": "",
    "PGOPTIONS": "options",
    "PGAPPNAME": "application_name",
    "PGSSLMODE": "sslmode",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLSNI": "sslsni",
    "PGREQUIRESSL": "",
    "PGSSLCRL": "",
    "PGREQUIREPEER": "",
    "PGKRBSRVNAME": "",
    "PGGSSLIB": "",
    "PGCONNECT_TIMEOUT": "connect_timeout",
    "PGCLIENTENCODING": "client_encoding",
    "PGDATESTYLE": "datestyle",
    "PGTZ": "timezone",
    "PGGEQO": "geqo",
    "PGSYSCONFDIR": "",
    "PGLOCALEDIR": "",
}
NEW_REFUSED = (
    *("PGREQUIRESSL", "PGSSLCOMPRESSION", "PGREALM", "PGGSSENCMODE", "PGGSSDELEGATION", "PGGSSLIB", "PGREQUIREAUTH"),
    *("PGCHANNELBINDING", "PGSSLCERTMODE", "PGSSLCRL", "PGSSLCRLDIR", "PGREQUIREPEER", "PGKRBSRVNAME"),
)
NEW_ENVIRONMENT: Mapping[str, str] = {
    **{variable: name for variable, name in OLD_ENVIRONMENT.items() if name},
    **{"PGHOSTADDR": "hostaddr", "PGPASSFILE": "passfile", "PGSSLNEGOTIATION": "sslnegotiation"},
    **{"PGTARGETSESSIONATTRS": "target_session_attrs", "PGLOADBALANCEHOSTS": "load_balance_hosts"},
    **dict.fromkeys(NEW_REFUSED, ""),
}
NEWEST_ENVIRONMENT: Mapping[str, str] = {
    **NEW_ENVIRONMENT,
    **{"SSLPGMINPROTOCOLVERSION": "ssl_min_protocol_version", "SSLPGMAXPROTOCOLVERSION": "ssl_max_protocol_version"},
    **{"PGSERVICE": "service", "PGMINPROTOCOLVERSION": "min_protocol_version", "PGMAXPROTOCOLVERSION": "max_protocol_version"},
}
OLD_OWN = frozenset(
    {
        *("host", "port", "password", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslinline", "sslsni", "krbsrvname", "krbspn"),
        *("fallback_application_name", "connect_timeout", "disable_prepared_binary_result", "binary_parameters", "user", "dbname"),
    }
)
NEW_OWN = OLD_OWN | {"passfile", "hostaddr", "sslnegotiation", "target_session_attrs", "load_balance_hosts", "database", "options"}
NEWEST_OWN = NEW_OWN | {"ssl_min_protocol_version", "ssl_max_protocol_version", "service", "min_protocol_version", "max_protocol_version"}

CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "min_protocol_version": ("3.0", "3.2", "latest"),
    "max_protocol_version": ("3.0", "3.2", "latest"),
    "ssl_min_protocol_version": ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
}
TRUE, FALSE = ("1", "t", "T", "true", "TRUE", "True", "yes", "on"), ("0", "f", "F", "false", "FALSE", "False", "no", "off", "")
SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000")


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return tuple(replace(given, version=v) for v in ("1.12.3", "1.11.2", "1.10.9"))
    return (given,) if FIRST <= numbered(given.version) < LAST else ()


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def parse(text: str) -> dict[str, str]:
    """The settings of a connection string. Raises ``SettingsError``."""
    if len(text) > _gourl.LIMIT:
        raise SettingsError(f"the connection string is longer than {_gourl.LIMIT} characters")
    if text.startswith(("postgres://", "postgresql://")):
        text = _from_url(text)
    return _keywords(text)


def _from_url(text: str) -> str:
    """ParseURL(): keywords and values, sorted, so that of two equal names the one that sorts last wins."""
    url = _gourl.parse(text)
    pairs = [("user", url.user or ""), ("password", url.password or "")]
    place = _gourl.split_host_port(url.host)
    pairs += [("host", url.host)] if place is None else [("host", place[0]), ("port", place[1])]
    pairs.append(("dbname", url.path[1:]))
    first: dict[str, str] = {}
    for name, value in url.query:
        first.setdefault(name, value)
    pairs += first.items()
    words = [f"{name}='{_escaped(value)}'" for name, value in pairs if value]
    return " ".join(sorted(words, key=lambda word: word.encode("utf-8", "surrogatepass")))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _keywords(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at, end = 0, len(text)
    while True:
        at = _skip(text, at)
        if at >= end:
            return found
        start = at
        while at < end and text[at] not in SPACE and text[at] != "=":
            at += 1
        name = text[start:at]
        at = _skip(text, at)
        if at >= end or text[at] != "=":
            raise SettingsError('missing "=" in connection info string')
        at = _skip(text, at + 1)
        if at >= end:
            found[name] = ""
            return found
        found[name], at = _quoted(text, at + 1) if text[at] == "'" else _plain(text, at)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _plain(text: str, at: int) -> tuple[str, int]:
    value: list[str] = []
    while at < len(text) and text[at] not in SPACE:
        if text[at] == "\\":
            at += 1
            if at == len(text):
                raise SettingsError("missing character after backslash")
        value.append(text[at])
        at += 1
    return "".join(value), at


def _quoted(text: str, at: int) -> tuple[str, int]:
    value: list[str] = []
    while at < len(text):
        if text[at] == "'":
            return "".join(value), at + 1
        if text[at] == "\\":
            at += 1
        value.append(text[at : at + 1])
        at += 1
    raise SettingsError("unterminated quoted string literal in connection string")


def read(given: Given) -> Settings:
    version = numbered(given.version)
    variables = OLD_ENVIRONMENT if version < CONFIG else NEW_ENVIRONMENT if version < PREFER else NEWEST_ENVIRONMENT
    values = {"host": Setting(given.host or "localhost", "default"), "port": Setting("5432", "default")}
    for variable, name in variables.items():
        if variable in given.env:
            if not name:
                raise SettingsError(f"environment variable ${variable} is not supported")
            values[name] = _go.setting(name, given.env[variable], "environment")
    values |= {name: _go.setting(name, value, "dsn") for name, value in (parse(given.dsn) if given.dsn else {}).items()}
    values |= {name: _go.setting(name, value, "option") for name, value in from_options(given.options)}
    if version >= PREFER and _go.text(values, "service"):
        values |= _service(given, _go.text(values, "service"))
    own = OLD_OWN if version < CONFIG else NEW_OWN if version < PREFER else NEWEST_OWN
    _check_timeout(values)
    if version >= CONFIG:
        _check(given, values, version)
    if version >= PREFER and _go.text(values, "sslrootcert") == "system" and "sslmode" not in values:
        values["sslmode"] = Setting("verify-full", "implied by sslrootcert=system")
    found = Settings(given.driver, values, {n: s.text for n, s in values.items() if n not in own}, _endpoints(values, version))
    _check_modes(given, found, version)
    return found


def _service(given: Given, wanted: str) -> dict[str, Setting]:
    path = given.env.get("PGSERVICEFILE") or f"{given.home or '~'}/.pg_service.conf"
    inside, found = False, dict[str, Setting]()
    for line in (raw.strip() for raw in (given.files(path).content or b"").decode("utf-8", "replace").split("\n")):
        if line.startswith("["):
            if inside:
                return found
            inside = line == f"[{wanted}]"
        elif inside and line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if equals:
                found[name.strip()] = _go.setting(name.strip(), value.strip(), "service file")
    if not inside:
        raise SettingsError(f'definition of service "{wanted}" not found')
    return found


def _endpoints(values: Mapping[str, Setting], version: tuple[int, ...]) -> tuple[Endpoint, ...]:
    host, port, address = (_go.text(values, name) for name in ("host", "port", "hostaddr"))
    if version < CONFIG:
        return (Endpoint(host or "localhost", "", port or "5432"),)
    hosts, ports, addresses = host.split(","), port.split(","), address.split(",")
    count = max(len(hosts), len(addresses))
    return tuple(
        Endpoint(
            (hosts[i] if i < len(hosts) else "") or "localhost",
            addresses[i] if i < len(addresses) else "",
            (ports[i] if i < len(ports) else ports[0]) or "5432",
        )
        for i in range(count)
    )


def _check_timeout(values: Mapping[str, Setting]) -> None:
    timeout = _go.text(values, "connect_timeout")
    if timeout and not re.fullmatch(r"[+-]?[0-9]+", timeout):
        raise SettingsError(f'invalid value for parameter connect_timeout: parsing "{timeout}": invalid syntax')


def _check(given: Given, values: Mapping[str, Setting], version: tuple[int, ...]) -> None:
    """Config.setFromTag(): each setting by its type."""
    for name, choices in CHOICES.items():
        if name in values and values[name].text not in choices and (version >= PREFER or "protocol" not in name):
            raise SettingsError(f'wrong value for "{name}": "{values[name].text}" is not supported')
    for port in _go.text(values, "port").split(",")[0:]:
        if not port.isascii() or not port.isdigit() or len(port.lstrip("0")) > 5 or int(port) > 65535:
            raise SettingsError('wrong value for "port"')
    for name in ("sslsni", "sslinline", "binary_parameters", "disable_prepared_binary_result"):
        if name in values and values[name].text not in (*TRUE, *FALSE):
            raise SettingsError(f'wrong value for "{name}"')
    for address in _go.text(values, "hostaddr").split(",") if "hostaddr" in values else ():
        if not _gourl.is_ip(address):
            raise SettingsError('wrong value for "hostaddr"')


def _check_modes(given: Given, settings: Settings, version: tuple[int, ...]) -> None:
    if settings.endpoints[0].is_unix_socket:
        return
    mode, known = settings.get("sslmode", "require"), tuple(MODES) if version >= PREFER else OLD_MODES
    if mode not in known and not (version < CONFIG and mode == "") and not (version >= CONFIG and mode.startswith("pqgo-")):
        raise SettingsError(f'unsupported sslmode "{mode}"', hint=f"one of {', '.join(known)}")
    weak = mode in ("disable", "allow", "prefer") and settings.get("sslnegotiation") == "direct"
    if version >= PREFER and (weak or (settings.get("sslrootcert") == "system" and mode != "verify-full")):
        raise SettingsError(f'weak sslmode "{mode}" may not be used with these settings')


# ── policy ───────────────────────────────────────────────────────────────────────────────────────


def policy(given: Given, settings: Settings) -> TrustPolicy:
    version = numbered(given.version)
    name = "disable" if settings.endpoints[0].is_unix_socket else settings.get("sslmode") or "require"
    if name.startswith("pqgo-"):
        decided = Reason("custom-check", f"sslmode={name} is a TLS configuration registered in code: rehearse this client", SOURCE)
        return TrustPolicy(Ask.ALWAYS, stack=_go.stack(given), undecidable=decided)
    mode = MODES[name]
    roots, blocked = _roots(given, settings, mode, version)
    blocked = None if mode.ask is Ask.NEVER else blocked or _client_certificate(given, settings) or _too_old(settings, version)
    chain = mode.chain or roots.origin is not RootsFrom.NONE
    falls = mode.ask is Ask.IF_OFFERED
    return TrustPolicy(
        ask=mode.ask,
        chain=chain and mode.ask is not Ask.NEVER,
        names=_go.names(given) if mode.names or (chain and _names_anyway(settings, version)) else "",
        on_distrust=OnDistrust.PLAINTEXT if falls and (chain or blocked) else OnDistrust.FAIL,
        on_no_tls=OnDistrust.PLAINTEXT if mode.ask in (Ask.IF_OFFERED, Ask.IF_NEEDED) else OnDistrust.FAIL,
        on_rejection=mode.ask is Ask.IF_NEEDED,
        next_host=True,
        direct=settings.get("sslnegotiation") == "direct" and version >= CONFIG,
        roots=roots,
        stack=_go.stack(given),
        is_tls_12=settings.get("ssl_max_protocol_version") == "TLSv1.2",
        blocked=blocked,
        refused=_parameters.refused(settings.unknown),
        undecidable=_undecidable(given, settings, mode, version),
        reasons=(_reason(settings, name, chain, falls),),
    )


def _too_old(settings: Settings, version: tuple[int, ...]) -> Reason | None:
    if version >= PREFER and settings.get("ssl_max_protocol_version") in ("TLSv1.0", "TLSv1.1"):
        return Reason("protocol-too-old", "no supported versions satisfy MinVersion and MaxVersion: Go wants TLS 1.2", SOURCE)
    return None


def _names_anyway(settings: Settings, version: tuple[int, ...]) -> bool:
    """Before 1.11 the name that was sent to the server (SNI) was verified in verify-ca too; an address is never sent."""
    sni = settings.get("sslsni")
    return version < CONFIG and (sni == "" or sni.startswith("1")) and not _gourl.is_ip(settings.endpoints[0].host)


def _roots(given: Given, settings: Settings, mode: Mode, version: tuple[int, ...]) -> tuple[RootSource, Reason | None]:
    """Where the roots come from, if the chain is checked, and what stands in the way of reading them."""
    path, inline = settings.get("sslrootcert"), settings.get("sslinline") in (TRUE if version >= CONFIG else ("true",))
    origin = settings.origin("sslrootcert")
    # With sslmode unset the default file is not looked for: ssl.go asks useSSL() of a mode that is still empty.
    if path == "" and not inline and version >= PREFER and given.home is not None and "sslmode" in settings.values:
        default = f"{given.home}/.postgresql/root.crt"
        if given.files(default).state is not FileState.MISSING:
            path, origin = default, "default"
    if path == "" or (path == "system" and version >= PREFER):
        return (_go.system_pool(given) if mode.chain else RootSource()), None
    if inline and (mode.chain or version >= CONFIG):
        return RootSource(RootsFrom.SETTING, "", "go", inline=path.encode()), None
    missing = inline or given.files(path).state is FileState.MISSING
    if missing and not mode.chain:
        return RootSource(), None
    if missing:
        return _go.file_roots(given, path, origin), Reason("root-file-missing", f"open {path}: no such file or directory", SOURCE)
    return _go.file_roots(given, path, origin), None


def _client_certificate(given: Given, settings: Settings) -> Reason | None:
    if settings.get("sslinline") in TRUE:
        if "-----BEGIN" in settings.get("sslcert") and "sslkey" in settings.values:
            return None
        return Reason("client-certificate", "sslinline needs sslcert and sslkey as PEM text", SOURCE)
    certificate = settings.get("sslcert") or f"{given.home or '~'}/.postgresql/postgresql.crt"
    if given.files(certificate).state is FileState.MISSING:
        return None
    key = settings.get("sslkey") or f"{given.home or '~'}/.postgresql/postgresql.key"
    if given.files(key).state is not FileState.MISSING:
        return None
    return Reason("client-key-missing", f"the private key file `{key}` does not exist", SOURCE)


def _undecidable(given: Given, settings: Settings, mode: Mode, version: tuple[int, ...]) -> Reason | None:
    if version < PREFER or mode.ask is Ask.NEVER or settings.get("sslrootcert") or given.home is not None:
        return None
    if "sslmode" not in settings.values:
        return None
    return Reason("home-unknown", "whether ~/.postgresql/root.crt exists is not known: name the client's home folder", SOURCE)


def _reason(settings: Settings, name: str, chain: bool, falls: bool) -> Reason:
    said = f"sslmode={name}" if "sslmode" in settings.values else "sslmode is not set, in effect require"
    if name == "disable":
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE)
    if MODES[name].names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE)
    if not chain:
        return Reason("does-not-verify", f"{said} and no root file: nothing is checked", SOURCE)
    if falls:
        text = f"{said} and a root file exists: the chain is checked, and if it is not trusted the client goes on in plaintext"
        return Reason("silent-plaintext-fallback", text, SOURCE)
    return Reason("verifies-chain", f"{said}: the chain is checked", SOURCE)


DRIVER = Driver(
    name="lib-pq",
    title="lib/pq",
    source="https://pkg.go.dev/github.com/lib/pq#hdr-Connection_String_Parameters",
    versions="1.10.5 to 1.12",
    proven=("1.10.7", "1.12.3"),
    measured=("1.10.9",),
    possible=possible,
    read=read,
    policy=policy,
)
