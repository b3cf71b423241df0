"""
libpq: what PostgreSQL's C library asks for and checks, and what everything linked to it therefore does.

Three rules surprise most people. A root file that exists switches verification on in every mode that uses TLS, also in
``require`` and ``prefer``. Under ``prefer``, a chain that is then not trusted leads to a retry in plaintext, without a
word. And a root file that does not exist switches verification off in every mode but ``verify-ca`` and ``verify-full``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model import (
    Ask,
    FileState,
    Given,
    OnDistrust,
    Reason,
    RootsFrom,
    RootSource,
    Settings,
    Stack,
    TrustPolicy,
)
from . import _libpq
from ._driver import Driver, numbered
from ._system import system_roots

SOURCE = "PostgreSQL src/interfaces/libpq/fe-secure-openssl.c initialize_SSL(); run with libpq 15, 17 and 18"
CONNECT = "PostgreSQL src/interfaces/libpq/fe-connect.c PQconnectPoll(); run with libpq 15, 17 and 18"


@dataclass(frozen=True, slots=True)
class Mode:
    """One row of sslmode: what is asked for, and what happens when it is not given."""

    ask: Ask
    verifies: bool = False
    names: bool = False
    on_distrust: OnDistrust = OnDistrust.FAIL
    on_no_tls: OnDistrust = OnDistrust.FAIL
    on_rejection: bool = False


# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION, and what the code adds to it.
MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED, on_no_tls=OnDistrust.PLAINTEXT, on_rejection=True),
    "prefer": Mode(Ask.IF_OFFERED, on_distrust=OnDistrust.PLAINTEXT, on_no_tls=OnDistrust.PLAINTEXT, on_rejection=True),
    "require": Mode(Ask.ALWAYS),
    "verify-ca": Mode(Ask.ALWAYS, verifies=True),
    "verify-full": Mode(Ask.ALWAYS, verifies=True, names=True),
}


def policy(given: Given, settings: Settings) -> TrustPolicy:
    """The policy of libpq with these settings, on the client's machine."""
    version = _libpq.version_of(given) or _libpq.LAST
    mode = MODES[settings.get("sslmode", "prefer")]
    roots, exists = _roots(given, settings, version)
    takes_system = roots.origin is RootsFrom.SYSTEM  # initialize_SSL() reads no revocation list beside the system's roots
    return TrustPolicy(
        ask=mode.ask,
        chain=mode.ask is not Ask.NEVER and exists is not False,
        names=("libpq" if version >= 15 else "libpq-14") if mode.names else "",
        on_distrust=mode.on_distrust,
        on_no_tls=mode.on_no_tls,
        on_rejection=mode.on_rejection,
        direct=settings.get("sslnegotiation") == "direct",
        channel_binding=settings.get("channel_binding") == "require",
        roots=roots,
        crls=() if takes_system else _crls(given, settings),
        crl_folder="" if takes_system else settings.get("sslcrldir"),
        stack=stack(given),
        is_tls_12=settings.get("ssl_max_protocol_version").lower() == "tlsv1.2",
        blocked=_blocked(given, settings, mode, roots, exists),
        refused=_refused(given, settings),
        undecidable=_undecidable(given, settings, mode, exists),
        reasons=_reasons(settings, mode, roots, exists),
    )


def stack(given: Given) -> Stack:
    """The OpenSSL beneath. Its security level is 2 as of 3.2; before that, distributions differ."""
    version = given.runtime.get("openssl", "")
    numbers = numbered(version)
    return Stack("openssl", version, security_level=2 if numbers[:2] >= (3, 2) else None)


def _roots(given: Given, settings: Settings, version: int) -> tuple[RootSource, bool | None]:
    """Where the roots come from, and whether that exists; None when it cannot be told."""
    written = settings.get("sslrootcert")
    if written == "system" and version >= 16:
        return system_roots(given), True
    if written:
        origin = RootsFrom.ENVIRONMENT if settings.origin("sslrootcert") == "environment" else RootsFrom.SETTING
        path = written
    else:
        if not _libpq.home(given):
            return RootSource(RootsFrom.DEFAULT_FILE, "~/.postgresql/root.crt", "openssl"), None
        origin, path = RootsFrom.DEFAULT_FILE, f"{_libpq.home(given)}/.postgresql/root.crt"
    exists = given.files(path).state is not FileState.MISSING
    if not exists and origin is RootsFrom.DEFAULT_FILE:
        return RootSource(RootsFrom.NONE, path, "openssl"), False
    return RootSource(origin, path, "openssl"), exists


def _crls(given: Given, settings: Settings) -> tuple[str, ...]:
    if settings.get("sslcrl"):
        return (settings.get("sslcrl"),)
    if settings.get("sslcrldir") or not _libpq.home(given):
        return ()
    return (f"{_libpq.home(given)}/.postgresql/root.crl",)


def _blocked(given: Given, settings: Settings, mode: Mode, roots: RootSource, exists: bool | None) -> Reason | None:
    """What makes every TLS attempt fail before a certificate is looked at."""
    if mode.ask is Ask.NEVER:
        return None
    if mode.verifies and exists is False:
        return Reason("root-file-missing", f'root certificate file "{roots.path}" does not exist', SOURCE)
    highest = settings.get("ssl_max_protocol_version").lower()
    if highest in _libpq.PROTOCOLS[:2]:
        return Reason("protocol-too-old", f"the client speaks {highest} at most, and servers offer TLS 1.2 and later", SOURCE)
    return _client_certificate(given, settings)


def _client_certificate(given: Given, settings: Settings) -> Reason | None:
    if settings.get("sslcertmode") == "disable":
        return None
    home = _libpq.home(given)
    certificate = settings.get("sslcert") or (f"{home}/.postgresql/postgresql.crt" if home else "")
    if not certificate or given.files(certificate).state is FileState.MISSING:
        return None
    key = settings.get("sslkey") or (f"{home}/.postgresql/postgresql.key" if home else "")
    if not key or ":" in key or given.files(key).state is not FileState.MISSING:
        return None
    return Reason("client-key-missing", f'certificate present, but not private key file "{key}"', SOURCE)


def _refused(given: Given, settings: Settings) -> Reason | None:
    if settings.get("gssencmode") == "require" and "KRB5CCNAME" not in given.env:
        return Reason("gss-required", "gssencmode=require needs a Kerberos credential cache, and none is known", CONNECT)
    return None


def _undecidable(given: Given, settings: Settings, mode: Mode, exists: bool | None) -> Reason | None:
    if "KRB5CCNAME" in given.env and settings.get("gssencmode", "prefer") != "disable":
        return Reason(
            "gss-may-replace-tls",
            "a Kerberos credential cache is set: if the server takes GSSAPI encryption, TLS and its checks are left out;"
            " gssencmode=disable settles it",
            CONNECT,
        )
    if exists is None and mode.ask is not Ask.NEVER:
        return Reason("home-unknown", "whether ~/.postgresql/root.crt exists is not known: name the client's home folder", SOURCE)
    if settings.get("sslcertmode") == "require":
        return Reason("client-certificate-request", "sslcertmode=require depends on the server asking for a certificate", SOURCE)
    if settings.get("require_auth"):
        return Reason("require-auth", "require_auth depends on the server's authentication method", CONNECT)
    return None


def _reasons(settings: Settings, mode: Mode, roots: RootSource, exists: bool | None) -> tuple[Reason, ...]:
    name = settings.get("sslmode", "prefer")
    said = "sslmode is not set and defaults to prefer" if "sslmode" not in settings.values else f"sslmode={name}"
    if mode.ask is Ask.NEVER:
        return (Reason("tls-not-asked", f"{said}: TLS is never asked for", SOURCE),)
    if exists is False and not mode.verifies:
        if roots.origin is RootsFrom.NONE:
            return (Reason("does-not-verify", f"{said} and no root file: nothing is checked", SOURCE),)
        return (
            Reason("root-file-missing", f"{said}: the root file `{roots.path}` does not exist, so nothing is checked", SOURCE),
        )
    if mode.names:
        return (Reason("verifies-chain-and-host", f"{said}: chain and host name are checked", SOURCE),)
    if mode.on_distrust is OnDistrust.PLAINTEXT:
        return (
            Reason(
                "silent-plaintext-fallback",
                f"{said} and the root file `{roots.path}` exists: the chain is checked, and if it is not trusted the client"
                " goes on in plaintext",
                SOURCE,
            ),
        )
    if mode.verifies:
        return (Reason("verifies-chain", f"{said}: the chain is checked, the host name is not", SOURCE),)
    return (Reason("root-file-verifies", f"{said} and the root file `{roots.path}` exists: the chain is checked", SOURCE),)


DRIVER = Driver(
    name="libpq",
    title="libpq, PostgreSQL's C library",
    source="https://www.postgresql.org/docs/current/libpq-ssl.html",
    versions="12 to 18",
    proven=("15", "17", "18"),
    possible=_libpq.possible,
    read=_libpq.read,
    policy=policy,
)
