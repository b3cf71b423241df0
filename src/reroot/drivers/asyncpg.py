"""
asyncpg 0.20 to 0.32.

It reads libpq's words by rules of its own. A root file verifies in ``require`` and stricter only, never in ``prefer``; a root
file that was named and does not exist is an error, not "unverified". ``ssl=True`` verifies against the system's roots. Before
0.25 there was no default root file, before 0.22 no TLS unless asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import SettingsError
from ..model import Ask, FileState, Given, OnDistrust, Reason, Reread, RootsFrom, RootSource, Setting, Settings, TrustPolicy
from . import _asyncpg, _parameters, _pyssl
from ._driver import Driver

SOURCE = "asyncpg/connect_utils.py _parse_connect_dsn_and_args(), _connect_addr() of 0.20 to 0.32; run with 0.21 to 0.32"


@dataclass(frozen=True, slots=True)
class Mode:
    """One row of sslmode."""

    ask: Ask
    verifies: bool = False
    names: bool = False


# SSLMode of connect_utils.py; `-` and `_` are the same to it.
MODES: Mapping[str, Mode] = {
    "disable": Mode(Ask.NEVER),
    "allow": Mode(Ask.IF_NEEDED),
    "prefer": Mode(Ask.IF_OFFERED),
    "require": Mode(Ask.ALWAYS),
    "verify_ca": Mode(Ask.ALWAYS, verifies=True),
    "verify_full": Mode(Ask.ALWAYS, verifies=True, names=True),
}

# The first version with …
PREFERS = (0, 22)
"""… prefer as the default over TCP."""
ROOT_FILE = (0, 25)
"""… a context of its own: only the file's roots, ~/.postgresql/root.crt, and verification in require."""
FILES = (0, 24)
"""… sslrootcert, sslcrl, sslcert and sslkey at all."""
RETRIES = (0, 23)
"""… a second attempt over the other kind of connection after the server refused the first."""
RETRIES_TLS_ERRORS = (0, 32)
"""… a second attempt, in plaintext, after a TLS handshake that failed in prefer."""
ALPN = (0, 32)
"""… the ALPN without which PostgreSQL takes no direct TLS."""


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = _policy(given, settings)
    refused = found.refused or _parameters.refused(settings.unknown)
    return replace(found, refused=refused, socket_is_plain=refused is None)


def _policy(given: Given, settings: Settings) -> TrustPolicy:
    version = _asyncpg.version_of(given)
    spec = _asyncpg.context_of(given.options)
    if spec is not None:
        return _from_context(_pyssl.described(given, spec), _base(given, settings), version, "an SSLContext was given")
    if settings.get("ssl") == "True":
        return _from_context(_pyssl.default_context(given), _base(given, settings), version, "ssl=True")
    if settings.get("ssl") == "False" or "sslmode" not in settings.values:
        return replace(_base(given, settings), ask=Ask.NEVER, reasons=(_said(settings, "TLS is never asked for", "tls-not-asked"),))
    return _from_mode(given, settings, version)


def _base(given: Given, settings: Settings) -> TrustPolicy:
    return TrustPolicy(ask=Ask.ALWAYS, next_host=True, stack=_pyssl.stack(given), direct=settings.get("sslnegotiation") == "direct")


def _from_context(context: _pyssl.Context, base: TrustPolicy, version: tuple[int, ...], said: str) -> TrustPolicy:
    text = f"{said}: " + ("chain and host name are checked" if context.names else "the chain is checked" if context.chain else "nothing is checked")
    code = "verifies-chain-and-host" if context.names else "verifies-chain" if context.chain else "does-not-verify"
    return replace(
        base,
        chain=context.chain,
        names="openssl" if context.names else "",
        roots=context.roots,
        stack=context.stack,
        reread=Reread.AT_START if said != "ssl=True" else Reread.EACH_CONNECTION,
        refused=context.failure,
        undecidable=context.unclear,
        blocked=_without_alpn(base, version),
        reasons=(Reason(code, text, SOURCE),),
    )


def _from_mode(given: Given, settings: Settings, version: tuple[int, ...]) -> TrustPolicy:
    name = settings.get("sslmode").replace("-", "_")
    if version < RETRIES and name == "allow":
        name = "prefer"
    mode = MODES[name]
    optional = mode.ask in (Ask.IF_NEEDED, Ask.IF_OFFERED)
    base = replace(
        _base(given, settings),
        ask=mode.ask,
        on_no_tls=OnDistrust.PLAINTEXT if optional else OnDistrust.FAIL,
        on_rejection=optional and version >= RETRIES,
        on_distrust=OnDistrust.PLAINTEXT if mode.ask is Ask.IF_OFFERED and version >= RETRIES_TLS_ERRORS else OnDistrust.FAIL,
        names="openssl" if mode.names else "",
    )
    if mode.ask is Ask.NEVER:
        return replace(base, reasons=(_said(settings, "TLS is never asked for", "tls-not-asked"),))
    is_tls_12 = settings.get("ssl_max_protocol_version") in ("TLSv1.2", "TLSv1_2")
    base = replace(base, is_tls_12=is_tls_12, blocked=_without_alpn(base, version) or _too_old(settings))
    checked = _own_context(given, settings, base, mode) if version >= ROOT_FILE else _default_context(given, settings, base, mode, version)
    return replace(checked, refused=checked.refused or _no_version_left(settings) or _client_certificate(given, settings, version))


# ── 0.25 and later ───────────────────────────────────────────────────────────────────────────────


def _own_context(given: Given, settings: Settings, base: TrustPolicy, mode: Mode) -> TrustPolicy:
    """SSLContext(PROTOCOL_TLS_CLIENT): roots are looked for in require and stricter, nothing else is trusted."""
    if mode.ask is not Ask.ALWAYS:
        return replace(base, reasons=(_said(settings, "nothing is checked, whether a root file exists or not", "does-not-verify"),))
    written = settings.get("sslrootcert")
    home = _asyncpg.home(given)
    path = written or f"{home or '~'}/.postgresql/root.crt"
    if not written and not home:
        unclear = Reason("home-unknown", "whether ~/.postgresql/root.crt exists is not known: name the client's home folder", SOURCE)
        return replace(base, chain=True, undecidable=unclear)
    if not written and given.files(path).state is FileState.MISSING:
        if not mode.verifies:
            return _with_crl(given, settings, replace(base, reasons=(_said(settings, f"`{path}` does not exist: nothing is checked", "does-not-verify"),)))
        missing = Reason("root-file-missing", f'root certificate file "{path}" does not exist or cannot be accessed', SOURCE)
        return replace(base, chain=True, refused=missing)
    origin = RootsFrom.DEFAULT_FILE
    if written:
        origin = RootsFrom.ENVIRONMENT if settings.origin("sslrootcert") == "environment" else RootsFrom.SETTING
    text = f"chain and host name are checked against `{path}`" if mode.names else f"the chain is checked against `{path}`"
    found = replace(
        base,
        chain=True,
        roots=RootSource(origin, path, "openssl"),
        refused=_pyssl.unloadable(given, path),
        reasons=(_said(settings, text, "verifies-chain-and-host" if mode.names else "verifies-chain"),),
    )
    return _with_crl(given, settings, found)


def _with_crl(given: Given, settings: Settings, base: TrustPolicy) -> TrustPolicy:
    """A named CRL must load; ~/.postgresql/root.crl only where it exists. Either switches revocation checks on."""
    path = settings.get("sslcrl")
    if not path:
        path = f"{_asyncpg.home(given)}/.postgresql/root.crl" if _asyncpg.home(given) else ""
        if not path or given.files(path).state is FileState.MISSING:
            return base
    return replace(base, crls=(path,), refused=base.refused or _pyssl.unloadable(given, path))


# ── before ───────────────────────────────────────────────────────────────────────────────────────


def _default_context(given: Given, settings: Settings, base: TrustPolicy, mode: Mode, version: tuple[int, ...]) -> TrustPolicy:
    """create_default_context(): the system's roots, to which 0.24 adds sslrootcert; unverified up to require."""
    named = settings.get("sslrootcert") if version >= FILES else ""
    system = _pyssl.default_context(given).roots
    roots = RootSource(RootsFrom.SETTING, named, "openssl", adds=True, default=system) if named else system
    crl = settings.get("sslcrl") if version >= FILES else ""
    refused = (_pyssl.unloadable(given, named) if named else None) or (_pyssl.unloadable(given, crl) if crl else None)
    where = f"the system's roots and `{named}`" if named else "the system's roots"
    said = "nothing is checked"
    if mode.verifies:
        said = f"chain and host name are checked against {where}" if mode.names else f"the chain is checked against {where}"
    code = "verifies-chain-and-host" if mode.names else "verifies-chain" if mode.verifies else "does-not-verify"
    return replace(
        base,
        chain=mode.verifies,
        roots=roots if mode.verifies else RootSource(),
        crls=(crl,) if crl and mode.verifies else (),
        stack=_pyssl.stack(given, default_context=True),
        refused=refused,
        reasons=(_said(settings, said, code),),
    )


# ── what else may stand in the way ───────────────────────────────────────────────────────────────


def _without_alpn(base: TrustPolicy, version: tuple[int, ...]) -> Reason | None:
    if base.direct and version < ALPN:
        return Reason("direct-tls-without-alpn", "asyncpg before 0.32 sends no ALPN, and PostgreSQL takes no direct TLS without it", SOURCE)
    return None


def _no_version_left(settings: Settings) -> Reason | None:
    least, most = (settings.get(f"ssl_{end}_protocol_version").replace(".", "_") for end in ("min", "max"))
    if least and most and _asyncpg.VERSIONS.index(least) > _asyncpg.VERSIONS.index(most):
        return Reason("protocol-too-old", f"no version of TLS is both {least} or later and {most} or earlier", SOURCE)
    return None


def _too_old(settings: Settings) -> Reason | None:
    highest = settings.get("ssl_max_protocol_version")
    if highest in ("TLSv1", "TLSv1.1", "TLSv1_1"):
        return Reason("protocol-too-old", f"the client speaks {highest} at most, and both it and servers want TLS 1.2", SOURCE)
    return None


def _client_certificate(given: Given, settings: Settings, version: tuple[int, ...]) -> Reason | None:
    """load_cert_chain() raises in every mode with TLS; only a default certificate may be missing."""
    if version < FILES:
        return None
    certificate, key = settings.get("sslcert"), settings.get("sslkey")
    home = _asyncpg.home(given) if version >= ROOT_FILE else ""
    if not key and home and given.files(f"{home}/.postgresql/postgresql.key").state is not FileState.MISSING:
        key = f"{home}/.postgresql/postgresql.key"
    path = certificate or (f"{home}/.postgresql/postgresql.crt" if home else "")
    if not path:
        return None
    file = given.files(path)
    if file.state is FileState.MISSING or (key and given.files(key).state is FileState.MISSING):
        return Reason("client-certificate-missing", f"the client certificate `{path}` or its key does not exist", SOURCE) if certificate else None
    if not key and b"PRIVATE KEY-----" not in (file.content or b""):
        return Reason("client-key-missing", f"the client certificate `{path}` has no private key", SOURCE)
    return None


def _said(settings: Settings, text: str, code: str) -> Reason:
    mode: Setting | None = settings.values.get("sslmode")
    if settings.get("ssl") == "False":
        said = "ssl=False"
    elif mode is None:
        said = "no sslmode"
    elif mode.origin == "default":
        said = f"sslmode is not set and defaults to {mode.text}"
    else:
        said = f"sslmode={mode.text}"
    return Reason(code, f"{said}: {text}", SOURCE)


def read(given: Given) -> Settings:
    found = _asyncpg.read(given)
    if "sslmode" in found.values and found.get("sslmode").replace("-", "_") not in MODES:
        raise SettingsError(f"`sslmode` parameter must be one of: {', '.join(m.replace('_', '-') for m in MODES)}")
    return found


DRIVER = Driver(
    name="asyncpg",
    title="asyncpg",
    source="https://magicstack.github.io/asyncpg/current/api/index.html#connection",
    versions="0.20 to 0.32",
    proven=("0.21", "0.22", "0.24", "0.25", "0.28", "0.30", "0.31", "0.32"),
    possible=_asyncpg.possible,
    read=read,
    policy=policy,
)
