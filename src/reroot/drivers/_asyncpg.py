"""
How asyncpg 0.20 to 0.32 reads its settings: keyword arguments, then the DSN, then the service file, then the environment.

The DSN is a URL as urllib.parse reads it, its query strict: of duplicates the last wins, empty values are dropped, and words it
does not know are sent to the server as settings. asyncpg/connect_utils.py _parse_connect_dsn_and_args(), compared with it.
"""

from __future__ import annotations

import configparser
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Endpoint, FileState, Given, Secret, Setting, Settings
from ._driver import numbered

FIRST, END = (0, 20), (0, 33)
CANDIDATES = ("0.32", "0.30", "0.24", "0.22", "0.21")
"""Versions that stand for every one, when none is named."""
LIMIT = 1_000_000
SYSTEM_HOSTS = ("/run/postgresql", "/var/run/postgresql", "/tmp", "/private/tmp", "localhost")

# keyword argument of connect() → the first version that knows it
ARGUMENTS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("host", "port", "user", "password", "passfile", "database", "ssl", "server_settings", "ssl_context"), FIRST),
    **dict.fromkeys(
        (
            "loop", "timeout", "statement_cache_size", "max_cached_statement_lifetime", "max_cacheable_statement_size",
            "command_timeout", "connection_class",
        ),
        FIRST,
    ),
    "record_class": (0, 22),
    "direct_tls": (0, 26),
    "target_session_attrs": (0, 28),
    "krbsrvname": (0, 30),
    "gsslib": (0, 30),
    "service": (0, 31),
    "servicefile": (0, 31),
    **dict.fromkeys(("min_size", "max_size", "max_queries", "max_inactive_connection_lifetime", "setup", "init", "reset"), FIRST),
}  # fmt: skip

# word of the DSN → the first version that takes it out of the query; earlier ones send it to the server
WORDS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("port", "host", "dbname", "database", "user", "password", "passfile", "sslmode"), FIRST),
    **dict.fromkeys(("sslcert", "sslkey", "sslrootcert", "sslcrl"), (0, 24)),
    **dict.fromkeys(("sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version"), (0, 25)),
    "target_session_attrs": (0, 29),
    **dict.fromkeys(("sslnegotiation", "krbsrvname", "gsslib"), (0, 30)),
    "service": (0, 31),
}
# setting → its variable and the first version that reads it
VARIABLES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "sslmode": ("PGSSLMODE", FIRST),
    "sslcert": ("PGSSLCERT", (0, 24)),
    "sslkey": ("PGSSLKEY", (0, 24)),
    "sslrootcert": ("PGSSLROOTCERT", (0, 24)),
    "sslcrl": ("PGSSLCRL", (0, 24)),
    "ssl_min_protocol_version": ("PGSSLMINPROTOCOLVERSION", (0, 25)),
    "ssl_max_protocol_version": ("PGSSLMAXPROTOCOLVERSION", (0, 25)),
    "sslnegotiation": ("PGSSLNEGOTIATION", (0, 30)),
    "target_session_attrs": ("PGTARGETSESSIONATTRS", (0, 28)),
    "gsslib": ("PGGSSLIB", (0, 30)),
    "user": ("PGUSER", FIRST),
    "password": ("PGPASSWORD", FIRST),
    "database": ("PGDATABASE", FIRST),
}
PASSWORDS = frozenset({"password", "sslpassword"})
SESSIONS = frozenset({"any", "primary", "standby", "prefer-standby", "read-write", "read-only"})
VERSIONS = ("MINIMUM_SUPPORTED", "TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3", "MAXIMUM_SUPPORTED")
WEAK = ("disable", "allow", "prefer")

Ports = list[int]
Words = dict[str, str]


def version_of(given: Given) -> tuple[int, ...]:
    return numbered(given.version)


def possible(given: Given) -> tuple[Given, ...]:
    if given.version is None:
        return tuple(replace(given, version=version) for version in CANDIDATES)
    return (given,) if FIRST <= version_of(given) < END else ()


def home(given: Given) -> str:
    """Path.home(): the client's home folder; ``""`` when it is not known."""
    return given.home or given.env.get("HOME", "")


def context_of(options: Mapping[str, object]) -> Mapping[str, object] | None:
    """The description of an SSLContext, where one is given."""
    for name in ("ssl_context", "ssl"):
        value = options.get(name)
        if isinstance(value, Mapping):
            return value
    return None


def read(given: Given) -> Settings:
    """The effective settings. Raises ``SettingsError`` for what asyncpg does not take."""
    version = version_of(given)
    options = {name: value for name, value in given.options.items() if value is not None}
    for name in options:
        if name != "dsn" and version < ARGUMENTS.get(name, END):
            raise SettingsError(f"connect() got an unexpected keyword argument '{name}'")
    dsn = given.dsn if given.dsn is not None else _text(options.get("dsn"))
    values = {n: _setting(n, _text(v), "option") for n, v in options.items() if n in ("user", "password", "database", "target_session_attrs", "gsslib")}
    hosts, ports = _argument_hosts(options), _argument_ports(options)
    words: Words = {}
    if dsn:
        service = _text(options.get("service"))
        query, database, user, password, hosts, ports = _dsn(dsn, given, version, hosts, ports)
        if version >= WORDS["service"]:
            service = service or query.get("service", "")
            query.pop("service", None)
        hosts, ports = _places(query, given, version, hosts, ports)
        _fill(values, {"database": database, "user": user, "password": password}, "dsn", skip_empty=("user", "password"))
        words = {n: v for n, v in query.items() if version < WORDS.get(n, END)}
        taken = {n: v for n, v in query.items() if version >= WORDS.get(n, END)}
        _fill(values, _renamed(taken), "dsn")
        if service and version >= WORDS["service"]:
            hosts, ports = _from_service(given, service, _text(options.get("servicefile")), values, version, hosts, ports)
    hosts, ports = _environment_hosts(given, version, hosts, ports)
    _choose_ssl(given, options, values, version, hosts)
    for name, (variable, first) in VARIABLES.items():
        if name not in values and name != "sslmode" and version >= first and variable in given.env:
            values[name] = _setting(name, given.env[variable], "environment")
    _check(options, values, version, hosts)
    endpoints = tuple(_endpoint(host, port) for host, port in zip(hosts, ports, strict=False))
    return Settings(given.driver, values, words, endpoints)


def _endpoint(host: str, port: int) -> Endpoint:
    """What does not start with `/` goes over TCP, even nothing at all and `@name`."""
    odd = not host or host.startswith("@")
    return Endpoint(host=host, address=(host or "localhost") if odd else "", port=str(port))


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.reveal() if isinstance(value, Secret) else str(value)


def _setting(name: str, value: str, origin: str) -> Setting:
    return Setting(Secret(value) if name in PASSWORDS else value, origin)


def _fill(values: dict[str, Setting], found: Mapping[str, str | None], origin: str, skip_empty: tuple[str, ...] = ()) -> None:
    for name, value in found.items():
        if value is not None and name not in values and not (name in skip_empty and not value):
            values[name] = _setting(name, value, origin)


# ── hosts and ports ──────────────────────────────────────────────────────────────────────────────


def _argument_hosts(options: Mapping[str, object]) -> list[str]:
    host = options.get("host")
    if isinstance(host, list | tuple):
        return [str(h) for h in host]
    return [str(host)] if host else []


def _argument_ports(options: Mapping[str, object]) -> Ports:
    port = options.get("port")
    found = list(port) if isinstance(port, list | tuple) else [port] if port else []
    return [_number(str(p)) for p in found]


def _number(text: str) -> int:
    """int(): blanks and `_` between digits pass."""
    try:
        return int(text)
    except ValueError:
        raise SettingsError("the port is not a number") from None


def _matched(hosts: list[str], ports: Ports, version: tuple[int, ...], *, listed: bool) -> Ports:
    """_validate_port_spec(): one port for all, or one for each; a list of one counts as one as of 0.31."""
    if not listed or (len(ports) == 1 and version >= (0, 31)):
        return ports[:1] * len(hosts)
    if len(ports) != len(hosts):
        raise SettingsError(f"could not match {len(ports)} port numbers to {len(hosts)} hosts")
    return ports


def _host_list(text: str, given: Given, version: tuple[int, ...], ports: Ports, listed: bool, *, unquote: bool = False) -> tuple[list[str], Ports]:
    specs = text.split(",")
    named = given.env.get("PGPORT") or "5432"
    if ports:
        fixed = _matched(specs, ports, version, listed=listed)
        default = fixed
    else:
        fixed = []
        default = _matched(specs, [_number(p) for p in named.split(",")], version, listed="," in named)
    hosts, own = [], []
    for spec, port in zip(specs, default, strict=True):
        host, written = _host(spec, version)
        hosts.append(urllib.parse.unquote(host) if unquote else host)
        if not fixed:
            own.append(_number(urllib.parse.unquote(written) if unquote else written) if written else port)
    return hosts, fixed or own


def _host(spec: str, version: tuple[int, ...]) -> tuple[str, str]:
    if not spec:
        if version < (0, 25):
            return "", ""
        raise SettingsError("a host in the list is empty")
    if spec[0] == "/":
        return spec, ""
    if spec[0] == "[" and version >= (0, 25):
        found = re.match(r"(?:\[([^\]]+)\])(?::([0-9]+))?", spec)
        if found is None:
            raise SettingsError("invalid IPv6 address in the connection URI")
        return found[1], found[2] or ""
    host, _, port = spec.partition(":")
    return host, port


def _environment_hosts(given: Given, version: tuple[int, ...], hosts: list[str], ports: Ports) -> tuple[list[str], Ports]:
    if not hosts and given.env.get("PGHOST"):
        hosts, ports = _host_list(given.env["PGHOST"], given, version, ports, listed=len(ports) > 1)
    if not hosts:
        hosts = [given.host] if given.host else list(SYSTEM_HOSTS)
    if ports:
        return hosts, _matched(hosts, ports, version, listed=len(ports) > 1)
    named = given.env.get("PGPORT") or "5432"
    return hosts, _matched(hosts, [_number(p) for p in named.split(",")], version, listed="," in named)


# ── the DSN ──────────────────────────────────────────────────────────────────────────────────────

Found = tuple[Words, str | None, str, str, list[str], Ports]


def _dsn(dsn: str, given: Given, version: tuple[int, ...], hosts: list[str], ports: Ports) -> Found:
    """The query's words, the database, user and password, and where to connect."""
    if len(dsn) > LIMIT:
        raise SettingsError(f"the DSN is longer than {LIMIT} characters")
    try:
        parsed = urllib.parse.urlparse(dsn)
        # With `strict_parsing` a word without `=` is an error; empty values are dropped all the same.
        pairs = urllib.parse.parse_qsl(parsed.query, strict_parsing=True) if parsed.query else []
    except ValueError:
        raise SettingsError("the DSN cannot be parsed as a URL") from None
    if parsed.scheme not in ("postgresql", "postgres"):
        raise SettingsError('invalid DSN: scheme is expected to be either "postgresql" or "postgres"')
    credentials, at, place = parsed.netloc.partition("@")
    if not at:
        credentials, place = "", parsed.netloc
    user, _, password = credentials.partition(":")
    if not hosts and place:
        hosts, ports = _host_list(place, given, version, ports, listed=len(ports) > 1, unquote=True)
    database = urllib.parse.unquote(parsed.path.removeprefix("/")) if parsed.path else None
    return dict(pairs), database, urllib.parse.unquote(user), urllib.parse.unquote(password), hosts, ports


def _places(words: Words, given: Given, version: tuple[int, ...], hosts: list[str], ports: Ports) -> tuple[list[str], Ports]:
    """`port` and `host` of the query or of a service section, which are taken out of it."""
    port, host = words.pop("port", ""), words.pop("host", "")
    listed = len(ports) > 1
    if not ports and port:
        ports, listed = [_number(p) for p in port.split(",")], True
    if not hosts and host:
        hosts, ports = _host_list(host, given, version, ports, listed)
    elif ports and listed and hosts:
        ports = _matched(hosts, ports, version, listed=True)
    return hosts, ports


def _from_service(
    given: Given, service: str, named: str, values: dict[str, Setting], version: tuple[int, ...], hosts: list[str], ports: Ports
) -> tuple[list[str], Ports]:
    """The section of PGSERVICEFILE or ~/.pg_service.conf, read by configparser as a whole; an absent one is no error."""
    path = named or given.env.get("PGSERVICEFILE") or (f"{home(given)}/.pg_service.conf" if home(given) else "")
    file = given.files(path) if path else None
    if file is None or file.state is not FileState.FOUND:
        return hosts, ports
    parser = configparser.ConfigParser()
    try:
        parser.read_string((file.content or b"").decode("utf-8"))
        section: Words = dict(parser[service]) if service in parser.sections() else {}
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SettingsError(f"the service file cannot be read: {type(error).__name__}", where=path) from None
    hosts, ports = _places(section, given, version, hosts, ports)
    _fill(values, _renamed({n: v for n, v in section.items() if n in WORDS}), "service file")
    return hosts, ports


def _renamed(words: Words) -> Words:
    """`dbname` is `database`, and wins where both stand."""
    database = words.get("dbname", words.get("database"))
    return {n: v for n, v in words.items() if n not in ("dbname", "database")} | ({} if database is None else {"database": database})


# ── what is made of it ───────────────────────────────────────────────────────────────────────────


def _choose_ssl(given: Given, options: Mapping[str, object], values: dict[str, Setting], version: tuple[int, ...], hosts: list[str]) -> None:
    """`ssl` of the arguments wins over sslmode of the DSN, the service file and PGSSLMODE; then prefer, over TCP."""
    written = options.get("ssl")
    if context_of(options) is not None or isinstance(written, bool):
        values.pop("sslmode", None)
        if isinstance(written, bool):
            values["ssl"] = Setting(str(written), "option")
    elif isinstance(written, str):
        values["sslmode"] = Setting(written, "option")
    elif written is not None:
        raise SettingsError("`ssl` is neither a mode, a bool nor an SSLContext")
    elif "sslmode" not in values and "PGSSLMODE" in given.env:
        values["sslmode"] = Setting(given.env["PGSSLMODE"], "environment")
    elif "sslmode" not in values and version >= (0, 22) and any(not h.startswith("/") for h in hosts):
        values["sslmode"] = Setting("prefer", "default")
    if version < (0, 23) and "sslmode" in values and "_" in values["sslmode"].text:
        raise SettingsError("`sslmode` parameter must be one of: disable, allow, prefer, require, verify-ca, verify-full")


def _check(options: Mapping[str, object], values: dict[str, Setting], version: tuple[int, ...], hosts: list[str]) -> None:
    mode = values["sslmode"].text if "sslmode" in values else ""
    if "direct_tls" in options:
        values["sslnegotiation"] = Setting("direct" if options["direct_tls"] else "postgres", "option")
    negotiation = values["sslnegotiation"].text if "sslnegotiation" in values else "postgres"
    if negotiation not in ("postgres", "direct"):
        raise SettingsError("`sslnegotiation` parameter must be one of: postgres, direct")
    off = values["ssl"].text == "False" if "ssl" in values else mode in ("", "disable") and context_of(options) is None
    if negotiation == "direct" and version >= (0, 32) and (off or mode in WEAK):
        raise SettingsError("direct TLS requires sslmode=require, verify-ca, or verify-full")
    if version < (0, 22) and any(h.startswith("/") for h in hosts) and not off:
        raise SettingsError("`ssl` parameter can only be enabled for TCP addresses, got a UNIX socket path")
    if mode and mode != "disable":
        for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
            if name in values and values[name].text and values[name].text.replace(".", "_") not in VERSIONS:
                raise SettingsError(f"No such TLS version: {values[name].text}")
    if "target_session_attrs" in values and values["target_session_attrs"].text not in SESSIONS:
        raise SettingsError("target_session_attrs is not one that asyncpg knows")
    if "gsslib" in values and values["gsslib"].text not in ("gssapi", "sspi"):
        raise SettingsError("gsslib parameter must be either 'gssapi' or 'sspi'")
