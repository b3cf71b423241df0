"""
pgJDBC, and what wraps it.

Unlike libpq, it verifies in ``verify-ca`` and ``verify-full`` only (``ssl=true`` is the latter), whatever files exist, and
never goes on in plaintext after a TLS error. Its roots come from ``sslrootcert`` or ``~/.postgresql/root.crt``: the Java
runtime's trust store is read only when another socket factory says so.
"""

from __future__ import annotations

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
from . import _conninfo, _jdbc, _jvm
from ._driver import Driver, numbered
from ._libpq import SECRETS, text_of

SOURCE = "pgjdbc org/postgresql/jdbc/SslMode.java, ssl/LibPQFactory.java, core/v3/ConnectionFactoryImpl.java; run with 42.5.5 and 42.7.4"
OLD_SOURCE = "pgjdbc REL42.2.4 core/v3/ConnectionFactoryImpl.java, ssl/MakeSSL.java"

FIRST, OLD_END, LAST = (42, 0), (42, 2, 5), (42, 8)
"""The rules hold from FIRST up to, but not including, LAST; before OLD_END the older ones."""

PRE = "org.postgresql.ssl."
LIBPQ_FACTORIES = frozenset({"", f"{PRE}LibPQFactory", f"{PRE}jdbc4.LibPQFactory"})
JAVA_FACTORY = f"{PRE}DefaultJavaSSLFactory"
BLIND_FACTORY = f"{PRE}NonValidatingFactory"
SINGLE_FACTORY = f"{PRE}SingleCertValidatingFactory"
# It reads as `keytool -importcert` does: the first certificate of a bundle, and no other.
ONE_CERTIFICATE = "keytool"

PASSWORDS = SECRETS | {"sslpassword"}


@dataclass(frozen=True, slots=True)
class Mode:
    ask: Ask
    verifies: bool = False
    names: bool = False
    on_no_tls: OnDistrust = OnDistrust.FAIL
    on_rejection: bool = False


MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED, on_no_tls=OnDistrust.PLAINTEXT, on_rejection=True),
    "prefer": Mode(Ask.IF_OFFERED, on_no_tls=OnDistrust.PLAINTEXT, on_rejection=True),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, verifies=True),
    "verify-full": Mode(Ask.ALWAYS, verifies=True, names=True),
}
# 42.2.8 passes `service` over and calls `primary` a mistake, 42.5.5 knows both; what lies between them was not run.
OLDEST_PROVEN, KNOWS_SERVICES = (42, 2, 8), (42, 5, 5)
OLD_MODES = ("disable", "require", "verify-ca", "verify-full")


def possible(given: Given) -> tuple[Given, ...]:
    """One older and one newer version when none is named; a version outside the rules gives none."""
    version = numbered(given.version)
    if given.version is None:
        return (replace(given, version="42.7.4"), replace(given, version="42.2.4"))
    return (given,) if FIRST <= version < LAST else ()


def is_old(given: Given) -> bool:
    return numbered(given.version) < OLD_END


def read(given: Given) -> Settings:
    """The URL, then the properties, then the service file that the URL (and it alone) names: what is set first stays."""
    url = _jdbc.parse(given.dsn) if given.dsn is not None else {}
    values = {name: _setting(name, value, "dsn") for name, value in url.items()}
    for name, value in given.options.items():
        if value is not None and not name.startswith(_jvm.PREFIX):
            values.setdefault(name, _setting(name, text_of(value), "option"))
    if "service" in url and numbered(given.version) > OLDEST_PROVEN:
        _from_service(values, given)
    found = Settings(given.driver, values, {}, _endpoints(values, given))
    _check(given, found)
    return found


def _setting(name: str, value: str, origin: str) -> Setting:
    return Setting(Secret(value) if name in PASSWORDS else value, origin)


def _endpoints(values: Mapping[str, Setting], given: Given) -> tuple[Endpoint, ...]:
    host = values["PGHOST"].text if "PGHOST" in values else given.host or "localhost"
    return _jdbc.endpoints(host, values["PGPORT"].text if "PGPORT" in values else "5432")


def _from_service(values: dict[str, Setting], given: Given) -> None:
    """PgServiceConfParser: PGSERVICEFILE or ~/.pg_service.conf, then PGSYSCONFDIR; the first of two equal names wins."""
    name = values["service"].text
    home = given.home or given.env.get("HOME", "")
    paths = [given.env.get("PGSERVICEFILE") or f"{home}/.pg_service.conf"]
    if "PGSYSCONFDIR" in given.env:
        paths.append(f"{given.env['PGSYSCONFDIR']}/pg_service.conf")
    for path in paths:
        file = given.files(path)
        if file.state is FileState.FOUND and _section(values, name, (file.content or b"").decode("utf-8", "replace"), path):
            return
    raise SettingsError(f'definition of service "{name}" not found')


def _section(values: dict[str, Setting], service: str, content: str, path: str) -> bool:
    inside = False
    for number, raw in enumerate(content.splitlines(), 1):
        line = raw.strip(_conninfo.SPACE)
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if inside:
                return True
            inside = line == f"[{service}]"
        elif inside:
            key, equals, value = line.partition("=")
            if not equals or not key:
                raise SettingsError(f"not valid: service file {path}, line number {number}", where=f"{path}:{number}")
            name = _jdbc.RENAMED.get(key.strip(), key.strip())
            values.setdefault(name, _setting(name, value.strip(), "service file"))
    return inside


def _check(given: Given, settings: Settings) -> None:
    if settings.get("targetServerType") == "primary" and numbered(given.version) <= OLDEST_PROVEN:
        raise SettingsError("Invalid targetServerType value: primary", hint="this version calls it `master`")
    mode = settings.values.get("sslmode")
    if mode is None:
        return
    known = OLD_MODES if is_old(given) else tuple(MODES)
    if (mode.text if is_old(given) else mode.text.lower()) not in known:
        raise SettingsError(f"Invalid sslmode value: {mode.text}", hint=f"one of {', '.join(known)}")


def mode_of(given: Given, settings: Settings) -> str:
    """The mode in force; ``""`` for the older ``ssl=true`` without an sslmode, which checks against the Java runtime."""
    if "sslmode" in settings.values:
        return settings.get("sslmode").lower()
    ssl = settings.values.get("ssl")
    asked = ssl is not None and ssl.text.lower() in {"true", ""}
    if is_old(given):
        return "" if asked else "disable"
    return "verify-full" if asked else "prefer"


def policy(given: Given, settings: Settings) -> TrustPolicy:
    name = mode_of(given, settings)
    mode = MODES[name] if name else Mode(Ask.ALWAYS, verifies=True)
    factory = settings.get("sslfactory")
    no_class = mode.ask is not Ask.NEVER and "sslfactory" in settings.values and not factory
    base = TrustPolicy(
        ask=mode.ask,
        on_no_tls=mode.on_no_tls,
        on_rejection=mode.on_rejection,
        next_host=True,
        direct=settings.get("sslNegotiation") == "direct" and mode.ask is Ask.ALWAYS,
        stack=Stack("java", given.runtime.get("java", "")),
        channel_binding=settings.get("channelBinding") == "require",
        refused=_refused(given, settings),
        blocked=Reason("custom-factory", "sslfactory is empty: a class without a name cannot be made", SOURCE) if no_class else None,
        names="pgjdbc" if mode.names else "",
        undecidable=_undecidable(given, settings, mode, factory),
        reasons=(_reason(given, settings, name, factory),),
    )
    if mode.ask is Ask.NEVER:
        return replace(base, names="")
    if factory == BLIND_FACTORY:
        return base
    if factory == JAVA_FACTORY or (not name and not factory):
        return replace(base, chain=True, roots=_jvm.roots(given), reread=Reread.AT_START)
    if factory == SINGLE_FACTORY:
        return replace(base, chain=True, roots=_single(given, settings))
    if not mode.verifies:
        return base
    roots = _roots(given, settings)
    missing = given.files(roots.path).state is FileState.MISSING
    blocked = Reason("root-file-missing", f"Could not open SSL root certificate file {roots.path}.", SOURCE) if missing else None
    if mode.names and settings.get("sslhostnameverifier", "?") == "":
        blocked = Reason("custom-verifier", "sslhostnameverifier is empty: a class without a name cannot be made", SOURCE)
    return replace(base, chain=True, roots=roots, blocked=base.blocked or blocked)


def _roots(given: Given, settings: Settings) -> RootSource:
    written = settings.values.get("sslrootcert")
    if written is not None:
        return RootSource(RootsFrom.SETTING, written.text, "java", store_type="PEM")
    return RootSource(RootsFrom.DEFAULT_FILE, f"{given.home or '~'}/.postgresql/root.crt", "java", store_type="PEM")


def _single(given: Given, settings: Settings) -> RootSource:
    """The one certificate of SingleCertValidatingFactory: `file:`, `classpath:`, `env:`, `sys:` or PEM text."""
    argument = settings.get("sslfactoryarg")
    if argument.startswith("file:"):
        return RootSource(RootsFrom.SETTING, argument.removeprefix("file:"), ONE_CERTIFICATE)
    if argument.startswith("env:"):
        return RootSource(
            RootsFrom.ENVIRONMENT, "", ONE_CERTIFICATE, inline=given.env.get(argument.removeprefix("env:"), "").encode()
        )
    if argument.startswith("-----BEGIN CERTIFICATE-----"):
        return RootSource(RootsFrom.SETTING, "", ONE_CERTIFICATE, inline=argument.encode())
    return RootSource(RootsFrom.CODE, "", "java")


def _refused(given: Given, settings: Settings) -> Reason | None:
    if settings.get("gssEncMode") == "require" and not is_old(given):
        return Reason("gss-required", "gssEncMode=require needs a server that takes GSSAPI encryption", SOURCE)
    return None


def _undecidable(given: Given, settings: Settings, mode: Mode, factory: str) -> Reason | None:
    if settings.origin("service") == "dsn" and OLDEST_PROVEN < numbered(given.version) < KNOWS_SERVICES:
        return Reason("version-matters", f"whether pgJDBC {given.version} reads `service` is not known: 42.2.8 does not, 42.5.5 does", SOURCE)
    if mode.ask is Ask.NEVER:
        return None
    if factory not in LIBPQ_FACTORIES | {JAVA_FACTORY, BLIND_FACTORY, SINGLE_FACTORY}:
        return Reason("custom-factory", f"the socket factory `{factory}` decides in code: rehearse this client", SOURCE)
    if mode.names and settings.get("sslhostnameverifier"):
        return Reason("custom-verifier", "a host-name verifier of its own decides in code: rehearse this client", SOURCE)
    return None


def _reason(given: Given, settings: Settings, name: str, factory: str) -> Reason:
    source = OLD_SOURCE if is_old(given) else SOURCE
    said = (
        "neither sslmode nor ssl=true is set"
        if not {"sslmode", "ssl"} & set(settings.values)
        else f"sslmode is {name or 'not set, and ssl=true'}"
    )
    if name == "disable":
        return Reason("tls-not-asked", f"{said}: TLS is never asked for", source)
    if factory == BLIND_FACTORY:
        return Reason("verification-switched-off", "NonValidatingFactory checks no chain in any mode", source)
    if factory == JAVA_FACTORY:
        return Reason(
            "java-trust-store",
            f"{said}, and DefaultJavaSSLFactory checks the chain against the Java runtime's trust store",
            source,
        )
    if not name:
        return Reason(
            "java-trust-store",
            "ssl=true without sslmode checks the chain against the Java runtime's trust store, and no name",
            source,
        )
    if MODES[name].names:
        return Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", source)
    if MODES[name].verifies:
        return Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", source)
    return Reason("does-not-verify", f"{said}, in effect {name}: nothing is checked, whether a root file exists or not", source)


DRIVER = Driver(
    name="pgjdbc",
    title="pgJDBC",
    source="https://jdbc.postgresql.org/documentation/ssl/",
    versions="42.0 to 42.7",
    proven=("42.2.8", "42.5.5", "42.7.4"),
    measured=("42.7.13",),
    possible=possible,
    read=read,
    policy=policy,
)
