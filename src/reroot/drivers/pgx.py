"""
pgx v4 and v5: libpq's words with three differences.

``prefer`` and ``allow`` verify nothing, whatever root files exist. ``require`` with a root file, even the default one, verifies the
chain. A root file that was named and cannot be read is an error in every mode. Of two equal names in a URL the first wins.
A pool reads its roots once, when its config is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, FileState, Given, OnDistrust, Reason, Reread, RootSource, Setting, Settings, TrustPolicy
from . import _go, _gourl, _parameters
from ._driver import Driver, numbered
from ._libpq import from_options

SOURCE = "pgx pgconn/config.go configTLS(), pgconn.go ConnectConfig(); v4 run with 4.15"
V5_SOURCE = "pgx v5 pgconn/config.go configTLS(), pgconn.go; measured with 5.8.0, not run in this project"

FIRST, LAST = (4, 12), (5, 11)
"""5.11 reads URLs with a parser of its own, in which the last of two equal names wins."""

# From which version on, as (pgconn beneath v4, v5 itself).
ALLOW_RETRIES = ((1, 14, 1), (5, 4, 2))
KNOWS_SNI = ((1, 14), (5, 0))
KNOWS_PASSWORD = ((1, 13), (5, 0))
KNOWS_KERBEROS = ((1, 12), (5, 0))
PREFER_RETRIES, ROOTS_FIRST, SYSTEM, NEGOTIATION = (5, 7, 3), (5, 7), (5, 7), (5, 7, 5)
NEVER = (99,)

# pgx v4 → the oldest pgconn that its go.mod allows
PGCONN = (((4, 18), "1.14.0"), ((4, 17), "1.13.0"), ((4, 16), "1.12.0"), ((4, 15), "1.11.0"), ((4, 13), "1.10.0"), ((4, 12), "1.9.0"))


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    verifies: bool = False
    names: bool = False
    falls: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED),
    "prefer": Mode(Ask.IF_OFFERED, falls=True),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, verifies=True),
    "verify-full": Mode(Ask.ALWAYS, verifies=True, names=True),
}
ENVIRONMENT: Mapping[str, str] = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGDATABASE": "database",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGPASSFILE": "passfile",
    "PGAPPNAME": "application_name",
    "PGCONNECT_TIMEOUT": "connect_timeout",
    "PGSSLMODE": "sslmode",
    "PGSSLKEY": "sslkey",
    "PGSSLCERT": "sslcert",
    "PGSSLROOTCERT": "sslrootcert",
    "PGTARGETSESSIONATTRS": "target_session_attrs",
    "PGSERVICE": "service",
    "PGSERVICEFILE": "servicefile",
}
OWN = frozenset(
    {
        *("host", "port", "database", "user", "password", "passfile", "connect_timeout", "sslmode", "sslkey", "sslcert"),
        *("sslrootcert", "target_session_attrs", "min_read_buffer_size", "service", "servicefile"),
        *("statement_cache_capacity", "pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_max_conn_idle_time"),
        *("pool_health_check_period", "pool_max_conn_lifetime_jitter", "pool_min_idle_conns"),
    }
)
RENAMED = {"dbname": "database"}
ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
SPACE = " \t\n\r\v\f"
SOCKETS = ("/var/run/postgresql", "/private/tmp", "/tmp")


# ── versions ─────────────────────────────────────────────────────────────────────────────────────


def version_of(given: Given) -> str | None:
    return given.version if given.driver == "pgx" else given.runtime.get("pgx")


def possible(given: Given) -> tuple[Given, ...]:
    """Every pgx this client may have, and with v4 every pgconn: its own, or the last one."""
    version = version_of(given)
    if version is not None and not FIRST <= numbered(version) < LAST:
        return ()
    found = []
    for one in ("5.8.0", "5.4.0", "5.7.0", "4.18.3", "4.15.0") if version is None else (version,):
        runtime = {**given.runtime, "pgx": one}
        pinned = given.runtime.get("pgconn")
        own = next((p for first, p in PGCONN if numbered(one) >= first), "") if numbered(one) < (5, 0) else ""
        for pgconn in (pinned,) if pinned else tuple(dict.fromkeys((own, "1.14.3"))) if own else ("",):
            beneath = {**runtime, "pgconn": pgconn} if pgconn else runtime
            found.append(replace(given, runtime=beneath, version=one if given.driver == "pgx" else given.version))
    return tuple(found)


def _since(given: Given, first: tuple[tuple[int, ...], tuple[int, ...]]) -> bool:
    version = numbered(version_of(given))
    return version >= first[1] if version >= (5, 0) else numbered(given.runtime.get("pgconn")) >= first[0]


def own_names(given: Given) -> frozenset[str]:
    """Settings of the driver itself; all others go to the server."""
    is_five = numbered(version_of(given)) >= (5, 0)
    more = {
        *(("default_query_exec_mode", "description_cache_capacity") if is_five else ("statement_cache_mode", "prefer_simple_protocol")),
        *(("sslsni",) if _since(given, KNOWS_SNI) else ()),
        *(("sslpassword",) if _since(given, KNOWS_PASSWORD) else ()),
        *(("krbspn", "krbsrvname") if _since(given, KNOWS_KERBEROS) else ()),
        *(("sslnegotiation",) if numbered(version_of(given)) >= NEGOTIATION else ()),
    }
    return OWN | more


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def parse(text: str, trims_end: bool = False) -> dict[str, str]:
    """The settings of a URL or of keywords and values. Raises ``SettingsError``."""
    if len(text) > _gourl.LIMIT:
        raise SettingsError(f"the connection string is longer than {_gourl.LIMIT} characters")
    if text.startswith(("postgres://", "postgresql://")):
        return _url(text)
    return _keywords(text.rstrip(SPACE) if trims_end else text)


def _url(text: str) -> dict[str, str]:
    url = _gourl.parse(text)
    found: dict[str, str] = {}
    if url.user is not None:
        found["user"] = url.user
    if url.password is not None:
        found["password"] = url.password
    hosts, ports = [], []
    for host in url.host.split(","):
        if not host:
            continue
        if _gourl.is_ip(host.strip("[]")) or ":" not in host:
            hosts.append(host.strip("[]"))
            continue
        pair = _gourl.split_host_port(host)
        if pair is None:
            raise SettingsError("failed to split host:port")
        hosts += [pair[0]] if pair[0] else []
        ports += [pair[1]] if pair[1] else []
    found |= {"host": ",".join(hosts)} if hosts else {}
    found |= {"port": ",".join(ports)} if ports else {}
    database = url.path.lstrip("/")
    if database:
        found["database"] = database
    first: dict[str, str] = {}
    for name, value in url.query:
        first.setdefault(name, value)
    return found | {RENAMED.get(name, name): value for name, value in first.items()}


def _keywords(rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    while rest:
        name, equals, rest = rest.partition("=")
        name = name.strip(SPACE)
        if not equals:
            raise SettingsError("invalid dsn")
        rest = rest.lstrip(SPACE)
        if rest.startswith("'"):
            end = _end(rest, 1, "'")
            if end >= len(rest):
                raise SettingsError("unterminated quoted string in connection info string")
            value, rest = rest[1:end], rest[end + 1 :]
        else:
            end = _end(rest, 0, SPACE)
            if end > len(rest):
                raise SettingsError("invalid backslash")
            value, rest = rest[:end], rest[end + 1 :]
        if not name:
            raise SettingsError("invalid dsn")
        found[RENAMED.get(name, name)] = value.replace("\\\\", "\\").replace("\\'", "'")
    return found


def _end(text: str, at: int, stops: str) -> int:
    """Where the value ends; one past the text where it ends in a backslash."""
    while at < len(text) and text[at] not in stops:
        at += 2 if text[at] == "\\" else 1
    return at


def read(given: Given) -> Settings:
    written = parse(given.dsn, numbered(version_of(given)) >= (5, 10)) if given.dsn else {}
    values = _defaults(given)
    known = {**ENVIRONMENT, **({"PGSSLSNI": "sslsni"} if _since(given, KNOWS_SNI) else {})}
    known |= {"PGSSLPASSWORD": "sslpassword"} if _since(given, KNOWS_PASSWORD) else {}
    known |= {"PGSSLNEGOTIATION": "sslnegotiation"} if numbered(version_of(given)) >= NEGOTIATION else {}
    values |= {name: _go.setting(name, given.env[v], "environment") for v, name in known.items() if given.env.get(v)}
    said = {name: _go.setting(name, value, "dsn") for name, value in written.items()}
    said |= {RENAMED.get(n, n): _go.setting(n, v, "option") for n, v in from_options(given.options)}
    values |= said
    if "service" in values:
        values |= _service(given, values) | said
    endpoints = _endpoints(values)
    found = Settings(given.driver, values, {}, endpoints)
    _check(given, found)
    return replace(found, unknown={n: s.text for n, s in values.items() if n not in own_names(given)})


def _defaults(given: Given) -> dict[str, Setting]:
    home = given.home
    host = next((path for path in SOCKETS if given.files(path).state is FileState.FOLDER), "localhost")
    values = {"host": Setting(given.host or host, "default"), "port": Setting("5432", "default")}
    if home is not None:
        certificate, key = f"{home}/.postgresql/postgresql.crt", f"{home}/.postgresql/postgresql.key"
        if all(given.files(path).state is not FileState.MISSING for path in (certificate, key)):
            values |= {"sslcert": Setting(certificate, "default"), "sslkey": Setting(key, "default")}
        root = f"{home}/.postgresql/root.crt"
        if given.files(root).state is not FileState.MISSING:
            values["sslrootcert"] = Setting(root, "default")
        values["servicefile"] = Setting(f"{home}/.pg_service.conf", "default")
    return values


def _service(given: Given, values: Mapping[str, Setting]) -> dict[str, Setting]:
    """jackc/pgservicefile: the last section of a name, and in it the last of two equal settings."""
    file = given.files(_go.text(values, "servicefile"))
    if file.state is not FileState.FOUND:
        raise SettingsError(f"failed to read service: failed to read service file: {file.path}")
    services: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in (raw.strip() for raw in (file.content or b"").decode("utf-8", "replace").split("\n")):
        if line.startswith("[") and line.endswith("]"):
            current = services[line[1:-1]] = {}
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if not equals or current is None:
                raise SettingsError("failed to read service: the service file cannot be parsed")
            current[name.strip()] = value.strip()
    wanted = services.get(_go.text(values, "service"))
    if wanted is None:
        raise SettingsError("failed to read service: unable to find service")
    return {RENAMED.get(n, n): _go.setting(n, v, "service file") for n, v in wanted.items()}


def _endpoints(values: Mapping[str, Setting]) -> tuple[Endpoint, ...]:
    hosts, ports = _go.text(values, "host").split(","), _go.text(values, "port").split(",")
    return tuple(Endpoint(host, "", _port(ports[i] if i < len(ports) else ports[0])) for i, host in enumerate(hosts))


def _port(port: str) -> str:
    if not port.isascii() or not port.isdigit() or not 1 <= int(port[-9:]) <= 65535 or len(port.lstrip("0")) > 5:
        raise SettingsError("invalid port")
    return str(int(port))


def mode_of(given: Given, settings: Settings) -> str:
    version = numbered(version_of(given))
    if version >= SYSTEM and settings.get("sslrootcert") == "system":
        return "verify-full"
    mode = settings.get("sslmode") or "prefer"
    return "require" if mode == "prefer" and _direct(given, settings) else mode


def _direct(given: Given, settings: Settings) -> bool:
    return numbered(version_of(given)) >= NEGOTIATION and settings.get("sslnegotiation") == "direct"


def _check(given: Given, settings: Settings) -> None:
    """ParseConfig's own refusals."""
    attributes = settings.get("target_session_attrs", "any")
    if attributes not in ATTRIBUTES:
        raise SettingsError(f"unknown target_session_attrs value: {attributes}")
    timeout = settings.get("connect_timeout", "0")
    if not timeout.removeprefix("+").isdecimal():
        raise SettingsError("invalid connect_timeout")
    if all(e.host.startswith("/") for e in settings.endpoints):
        return
    mode, root = mode_of(given, settings), settings.get("sslrootcert")
    if mode == "disable" and numbered(version_of(given)) < ROOTS_FIRST:
        return
    if mode not in MODES:
        raise SettingsError("failed to configure TLS (sslmode is invalid)")
    if root and not (root == "system" and numbered(version_of(given)) >= SYSTEM):
        _go.readable(given, root, "failed to configure TLS (unable to read CA file)", "unable to add CA to cert pool")
    if mode == "disable":
        return
    certificate, key = settings.get("sslcert"), settings.get("sslkey")
    if bool(certificate) != bool(key):
        raise SettingsError('failed to configure TLS (both "sslcert" and "sslkey" are required)')
    for path in (certificate, key) if certificate else ():
        if given.files(path).state is FileState.MISSING:
            raise SettingsError("failed to configure TLS (unable to read cert)")


# ── policy ───────────────────────────────────────────────────────────────────────────────────────


def policy(given: Given, settings: Settings) -> TrustPolicy:
    source = V5_SOURCE if numbered(version_of(given)) >= (5, 0) else SOURCE
    name = mode_of(given, settings)
    mode = MODES[name] if name in MODES else MODES["disable"]  # on sockets an odd mode is never looked at
    chain = mode.verifies or (name == "require" and bool(settings.get("sslrootcert")))
    retries = _since(given, ALLOW_RETRIES) if name == "allow" else numbered(version_of(given)) >= PREFER_RETRIES
    plain = OnDistrust.PLAINTEXT if mode.ask in (Ask.IF_OFFERED, Ask.IF_NEEDED) else OnDistrust.FAIL
    return TrustPolicy(
        ask=mode.ask,
        chain=chain,
        names=_go.names(given) if mode.names else "",
        on_distrust=OnDistrust.PLAINTEXT if mode.falls else OnDistrust.FAIL,
        on_no_tls=plain,
        on_rejection=retries and mode.ask in (Ask.IF_OFFERED, Ask.IF_NEEDED),
        next_host=True,
        direct=_direct(given, settings),
        roots=_roots(given, settings) if chain else RootSource(),
        stack=_go.stack(given),
        reread=Reread.AT_START,
        refused=_parameters.refused(settings.unknown),
        undecidable=_undecidable(given, settings, mode),
        reasons=(_reason(settings, name, chain, mode, source),),
    )


def _roots(given: Given, settings: Settings) -> RootSource:
    path = settings.get("sslrootcert")
    if not path or (path == "system" and numbered(version_of(given)) >= SYSTEM):
        return _go.system_pool(given)
    return _go.file_roots(given, path, settings.origin("sslrootcert"))


def _undecidable(given: Given, settings: Settings, mode: Mode) -> Reason | None:
    if given.home is None and "sslrootcert" not in settings.values and mode.ask is Ask.ALWAYS and not mode.names:
        return Reason("home-unknown", "whether ~/.postgresql/root.crt exists is not known: name the client's home folder", SOURCE)
    if settings.get("require_auth"):
        return Reason("require-auth", "require_auth depends on the server's authentication method", V5_SOURCE)
    return None


def _reason(settings: Settings, name: str, chain: bool, mode: Mode, source: str) -> Reason:
    said = f"sslmode={name}" if "sslmode" in settings.values else f"sslmode is not set, in effect {name}"
    if mode.ask is Ask.NEVER:
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", source)
    if mode.names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", source)
    if mode.verifies:
        return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", source)
    if chain:
        return Reason("root-file-verifies", f"{said} and a root file is set: the chain is checked", source)
    return Reason("does-not-verify", f"{said}: nothing is checked, whatever root files exist", source)


DRIVER = Driver(
    name="pgx",
    title="pgx",
    source="https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig",
    versions="4.12 to 5.10",
    proven=("4.15",),
    measured=("4.18.1", "5.8.0"),
    possible=possible,
    read=read,
    policy=policy,
)
