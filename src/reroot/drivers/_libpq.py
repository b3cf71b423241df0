"""
How libpq 12 to 18 reads its settings: connection string, service file, environment, and the defaults between them.

Precedence: connection string or options, then the service file, then the environment, then the compiled default. Of
duplicates the last wins in a connection string, the first in a service section. PostgreSQL
src/interfaces/libpq/fe-connect.c, conninfo_add_defaults(), parseServiceInfo() and connectOptions2().
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Endpoint, FileState, Given, Place, Secret, Setting, Settings
from . import _conninfo
from ._driver import major

FIRST, LAST = 12, 18

# keyword → (the first version that knows it, the first that no longer does, environment variable)
OPTIONS: Mapping[str, tuple[int, int, str]] = {
    "authtype": (12, 14, "PGAUTHTYPE"),
    "service": (12, 99, "PGSERVICE"),
    "user": (12, 99, "PGUSER"),
    "password": (12, 99, "PGPASSWORD"),
    "passfile": (12, 99, "PGPASSFILE"),
    "channel_binding": (13, 99, "PGCHANNELBINDING"),
    "connect_timeout": (12, 99, "PGCONNECT_TIMEOUT"),
    "dbname": (12, 99, "PGDATABASE"),
    "host": (12, 99, "PGHOST"),
    "hostaddr": (12, 99, "PGHOSTADDR"),
    "port": (12, 99, "PGPORT"),
    "client_encoding": (12, 99, "PGCLIENTENCODING"),
    "tty": (12, 14, "PGTTY"),
    "options": (12, 99, "PGOPTIONS"),
    "application_name": (12, 99, "PGAPPNAME"),
    "fallback_application_name": (12, 99, ""),
    "keepalives": (12, 99, ""),
    "keepalives_idle": (12, 99, ""),
    "keepalives_interval": (12, 99, ""),
    "keepalives_count": (12, 99, ""),
    "tcp_user_timeout": (12, 99, ""),
    "sslmode": (12, 99, "PGSSLMODE"),
    "sslnegotiation": (17, 99, "PGSSLNEGOTIATION"),
    "sslcompression": (12, 99, "PGSSLCOMPRESSION"),
    "sslcert": (12, 99, "PGSSLCERT"),
    "sslkey": (12, 99, "PGSSLKEY"),
    "sslcertmode": (16, 99, "PGSSLCERTMODE"),
    "sslpassword": (13, 99, ""),
    "sslrootcert": (12, 99, "PGSSLROOTCERT"),
    "sslcrl": (12, 99, "PGSSLCRL"),
    "sslcrldir": (14, 99, "PGSSLCRLDIR"),
    "sslsni": (14, 99, "PGSSLSNI"),
    "sslkeylogfile": (18, 99, ""),
    "requirepeer": (12, 99, "PGREQUIREPEER"),
    "require_auth": (16, 99, "PGREQUIREAUTH"),
    "min_protocol_version": (18, 99, "PGMINPROTOCOLVERSION"),
    "max_protocol_version": (18, 99, "PGMAXPROTOCOLVERSION"),
    "ssl_min_protocol_version": (13, 99, "PGSSLMINPROTOCOLVERSION"),
    "ssl_max_protocol_version": (13, 99, "PGSSLMAXPROTOCOLVERSION"),
    "gssencmode": (12, 99, "PGGSSENCMODE"),
    "krbsrvname": (12, 99, "PGKRBSRVNAME"),
    "gsslib": (12, 99, "PGGSSLIB"),
    "gssdelegation": (17, 99, "PGGSSDELEGATION"),
    "replication": (12, 99, ""),
    "target_session_attrs": (12, 99, "PGTARGETSESSIONATTRS"),
    "load_balance_hosts": (16, 99, "PGLOADBALANCEHOSTS"),
    "scram_client_key": (18, 99, ""),
    "scram_server_key": (18, 99, ""),
    "oauth_issuer": (18, 99, ""),
    "oauth_client_id": (18, 99, ""),
    "oauth_client_secret": (18, 99, ""),
    "oauth_scope": (18, 99, ""),
}
SECRETS = frozenset({"password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"})

PROTOCOLS = ("tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3")
# keyword → the values connectOptions2() takes, compared as written
CHOICES: Mapping[str, tuple[str, ...]] = {
    "channel_binding": ("disable", "prefer", "require"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslcertmode": ("disable", "allow", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
}
STRONG = ("require", "verify-ca", "verify-full")

Values = dict[str, Setting]


def version_of(given: Given) -> int | None:
    """libpq's major version: of the library a driver is linked to, or the driver's own where it is libpq."""
    linked = given.runtime.get("libpq")
    if linked is None and given.driver in {"libpq", "psql"}:
        linked = given.version
    return major(linked)


def possible(given: Given) -> tuple[Given, ...]:
    """Every libpq that this client may stand on; none when it stands outside 12 to 18."""
    version = version_of(given)
    if version is not None:
        return (given,) if FIRST <= version <= LAST else ()
    if given.runtime.get("libpq") or (given.driver in {"libpq", "psql"} and given.version):
        return ()
    return tuple(replace(given, runtime={**given.runtime, "libpq": str(candidate)}) for candidate in range(LAST, FIRST - 1, -1))


def known(version: int) -> frozenset[str]:
    """The keywords of one libpq."""
    return frozenset(name for name, (first, end, _) in OPTIONS.items() if first <= version < end)


def read(given: Given) -> Settings:
    """A connection string, or libpq's own options, as PQconnectdb() reads them."""
    written = [*from_text(given.dsn, given)] if given.dsn is not None else []
    return effective(given, [*written, *from_options(given.options)])


def from_text(text: str, given: Given) -> Iterable[tuple[str, str]]:
    """The pairs of a connection string."""
    return _conninfo.pairs(text, trims_blanks=(version_of(given) or LAST) >= 18)


def from_options(options: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    """Options as pairs; None stands for "not given"."""
    return [(name, text_of(value)) for name, value in options.items() if value is not None]


def unwaited(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs as PQconnectStart() reads them: ``connect_timeout`` belongs to PQconnectdb(), which waits by it, and may be anything."""
    return [(name, value) for name, value in pairs if name != "connect_timeout" or _is_number(value)]


def _is_number(value: str) -> bool:
    stripped = value.strip(_conninfo.SPACE)
    return not stripped or stripped.removeprefix("-").removeprefix("+").isdecimal()


def text_of(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def effective(given: Given, pairs: Iterable[tuple[str, str]], *, empty_counts: bool = True) -> Settings:
    """The settings in force, checked as libpq checks them. *empty_counts* is false where empty values are ignored."""
    version = version_of(given) or LAST
    values = _written(pairs, version, "dsn" if given.dsn is not None else "option", empty_counts)
    _from_service(values, given, version)
    _from_environment(values, given, version)
    if version >= 16 and "sslmode" not in values and text(values, "sslrootcert") == "system":
        values["sslmode"] = Setting("verify-full", "implied by sslrootcert=system")
    endpoints = _endpoints(values, given)
    _check(values, version)
    return Settings(given.driver, values, {}, endpoints)


def text(values: Mapping[str, Setting], name: str, default: str = "") -> str:
    return values[name].text if name in values else default


def _setting(name: str, value: str, origin: str, place: Place | None = None) -> Setting:
    return Setting(Secret(value) if name in SECRETS else value, origin, place)


def _written(pairs: Iterable[tuple[str, str]], version: int, origin: str, empty_counts: bool) -> Values:
    values: Values = {}
    names = known(version)
    for name, value in pairs:
        if name == "requiressl":
            name, value = "sslmode", "require" if value.startswith("1") else "prefer"
        if name not in names:
            raise SettingsError(f'invalid connection option "{name}"', hint=_newer(name, version))
        values[name] = _setting(name, value, origin)
        if value == "" and not empty_counts:
            del values[name]
    return values


def _newer(name: str, version: int) -> str:
    first = OPTIONS.get(name, (0, 0, ""))[0]
    return f"libpq {version} does not know `{name}`; it came with {first}" if first > version else ""


def _from_environment(values: Values, given: Given, version: int) -> None:
    for name in known(version):
        variable = OPTIONS[name][2]
        if name not in values and name != "service" and variable and variable in given.env:
            values[name] = _setting(name, given.env[variable], "environment")
    if "sslmode" not in values and given.env.get("PGREQUIRESSL", "").startswith("1"):
        values["sslmode"] = Setting("require", "environment")


# ── service file ─────────────────────────────────────────────────────────────────────────────────


def _from_service(values: Values, given: Given, version: int) -> None:
    name = values["service"].text if "service" in values else given.env.get("PGSERVICE")
    if name is None:
        return
    for path, required in _service_files(given):
        file = given.files(path)
        if file.state is not FileState.FOUND:
            if required:
                raise SettingsError(f'service file "{path}" not found')
            continue
        if _read_service(values, name, path, (file.content or b"").decode("utf-8", "surrogateescape"), version):
            return
    raise SettingsError(f'definition of service "{name}" not found')


def _service_files(given: Given) -> list[tuple[str, bool]]:
    own = given.env.get("PGSERVICEFILE")
    files = [(own, True)] if own is not None else [(f"{home(given)}/.pg_service.conf", False)] if home(given) else []
    if "PGSYSCONFDIR" in given.env:
        files.append((f"{given.env['PGSYSCONFDIR']}/pg_service.conf", False))
    return files


def home(given: Given) -> str:
    """The client's home folder; ``""`` when it is not known."""
    return given.home or given.env.get("HOME", "")


def _read_service(values: Values, service: str, path: str, content: str, version: int) -> bool:
    """parseServiceFile(): whether the section was found; its values are added where nothing is set yet."""
    inside = False
    for number, raw in enumerate(content.split("\n"), 1):
        line = raw.strip(_conninfo.SPACE)
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if inside:
                return True
            inside = line[1:].startswith(f"{service}]")
            continue
        if not inside:
            continue
        where = f'service file "{path}", line {number}'
        key, equals, value = line.partition("=")
        if line.startswith("ldap"):
            continue
        if not equals:
            raise SettingsError(f"syntax error in {where}", where=f"{path}:{number}")
        if key in {"service", "servicefile"}:
            raise SettingsError(f"nested service specifications not supported in {where}", where=f"{path}:{number}")
        if key not in known(version):
            raise SettingsError(
                f"syntax error in {where}",
                where=f"{path}:{number}",
                hint=f"libpq {version} knows no `{key}`; blanks around `=` are part of the name",
            )
        if key not in values:
            values[key] = _setting(key, value, "service file", Place(path, number))
    return inside


# ── what connectOptions2() checks ────────────────────────────────────────────────────────────────


def _endpoints(values: Values, given: Given) -> tuple[Endpoint, ...]:
    hosts = _listed(values, "host")
    addresses = _listed(values, "hostaddr")
    if not any(hosts) and not any(addresses):
        hosts = [given.host or ""]
    count = len(addresses) if any(addresses) else len(hosts)
    if any(addresses) and any(hosts) and len(hosts) != len(addresses):
        raise SettingsError(f"could not match {len(hosts)} host names to {len(addresses)} hostaddr values")
    for address in addresses:
        if address and not _is_address(address):
            raise SettingsError(f'could not parse network address "{address}"')
    ports = text(values, "port").split(",")
    if len(ports) > 1 and len(ports) != count:
        raise SettingsError(f"could not match {len(ports)} port numbers to {count} hosts")
    return tuple(
        Endpoint(
            hosts[i] if i < len(hosts) else "",
            addresses[i] if i < len(addresses) else "",
            _port(ports[i] if len(ports) > 1 else ports[0]),
        )
        for i in range(count)
    )


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _listed(values: Values, name: str) -> list[str]:
    return text(values, name).split(",")


def _port(value: str) -> str:
    port = value.strip(_conninfo.SPACE)
    if not port:
        return "5432"
    digits = port.removeprefix("+").removeprefix("-")
    if not digits.isascii() or not digits.isdigit():
        raise SettingsError(f'invalid integer value "{value}" for connection option "port"')
    if port.startswith("-") or not 1 <= int(digits) <= 65535:
        raise SettingsError(f'invalid port number: "{value}"')
    return str(int(digits))


def _check(values: Values, version: int) -> None:
    for check in CHECKS:
        check(values, version)


def _choice(name: str) -> Callable[[Values, int], None]:
    def check(values: Values, _version: int) -> None:
        if name in values and values[name].text not in CHOICES[name]:
            raise SettingsError(f'invalid {name} value: "{values[name].text}"', hint=f"one of {', '.join(CHOICES[name])}")

    return check


def _weak_modes(values: Values, version: int) -> None:
    mode = text(values, "sslmode", "prefer")
    if text(values, "sslnegotiation") == "direct" and mode not in STRONG:
        raise SettingsError(
            f'weak sslmode "{mode}" may not be used with sslnegotiation=direct (use "require", "verify-ca", or "verify-full")'
        )
    if version >= 16 and text(values, "sslrootcert") == "system" and mode != "verify-full":
        raise SettingsError(f'weak sslmode "{mode}" may not be used with sslrootcert=system (use "verify-full")')


def _protocols(values: Values, _version: int) -> None:
    bounds = []
    for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
        value = text(values, name)
        if value and value.lower() not in PROTOCOLS:
            raise SettingsError(f'invalid "{name}" value: "{value}"', hint="one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3")
        bounds.append(value.lower())
    least = bounds[0] if "ssl_min_protocol_version" in values else "tlsv1.2"
    if least and bounds[1] and PROTOCOLS.index(least) > PROTOCOLS.index(bounds[1]):
        raise SettingsError("invalid SSL protocol version range")


def _session_attributes(values: Values, version: int) -> None:
    value = text(values, "target_session_attrs", "any")
    if value not in (SESSION_ATTRIBUTES if version >= 14 else SESSION_ATTRIBUTES[:2]):
        raise SettingsError(f'invalid target_session_attrs value: "{value}"')


SESSION_ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
NUMBERS = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")


def _numbers(values: Values, _version: int) -> None:
    for name in NUMBERS:
        value = text(values, name)
        if not _is_number(value):
            raise SettingsError(f'invalid integer value "{value}" for connection option "{name}"')


# As of 18 there is `oauth` too.
METHODS = frozenset({"password", "md5", "gss", "sspi", "scram-sha-256", "none"})


def _authentication(values: Values, version: int) -> None:
    """require_auth: methods by commas, all wanted or all (`!`) unwanted, none of them twice."""
    written = text(values, "require_auth")
    if not written:
        return
    methods = written.split(",")
    negative = [m.startswith("!") for m in methods]
    known = METHODS | ({"oauth"} if version >= 18 else frozenset())
    for method in methods:
        if method.removeprefix("!") not in known:
            raise SettingsError(f'invalid require_auth value: "{written}"')
    if any(negative) and not all(negative):
        raise SettingsError("negative require_auth methods cannot be mixed with non-negative methods")
    if len(set(methods)) < len(methods):
        raise SettingsError("a require_auth method is specified more than once")


CHECKS: tuple[Callable[[Values, int], None], ...] = (
    _choice("channel_binding"),
    _authentication,
    _choice("sslmode"),
    _choice("sslnegotiation"),
    _choice("sslcertmode"),
    _weak_modes,
    _protocols,
    _choice("gssencmode"),
    _session_attributes,
    _choice("load_balance_hosts"),
    _numbers,
)
