"""
What Node's TLS makes of the options of ``tls.connect()``: shared by node-postgres, what stands on it, and postgres.js.

Node verifies in JavaScript, after the handshake, and only ``rejectUnauthorized: false`` (or ``NODE_TLS_REJECT_UNAUTHORIZED=0``)
stops it. A non-empty ``ca`` replaces the roots that are built into Node; ``NODE_EXTRA_CA_CERTS`` adds to those, and is not
looked at where ``ca`` is given. An address instead of a name is checked as ``localhost`` unless the driver passes it on.
node lib/_tls_wrap.js onConnectSecure(), lib/internal/tls/secure-context.js; run with Node.js 20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

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
from ._driver import numbered
from ._pgconnectionstring import NO_CHECK
from ._system import system_roots

SOURCE = "node lib/_tls_wrap.js onConnectSecure(), lib/internal/tls/secure-context.js; run with Node.js 20"

# Options of tls.connect() that decide in code, or by a rule that is not played here.
DECIDES = {
    "checkServerIdentity": "a function of the program's own checks the server's name",
    "secureContext": "the program made its own secure context",
    "allowPartialTrustChain": "whether this Node.js knows partial trust chains depends on its version",
    "crl": "a revocation list is given as text",
    "host": "the name to verify is replaced by an option",
    "socket": "the program made its own socket",
    "pskCallback": "the program sets a pre-shared key",
}
SECRETS = frozenset({"key", "passphrase", "pfx", "password"})
OLD_PROTOCOLS = ("TLSv1", "TLSv1.1")
TlsOptions = Mapping[str, Any]


def policy(given: Given, ssl: TlsOptions, *, each_connection: bool = False, source: str = SOURCE) -> TrustPolicy:
    """TLS with these options, or none of it, against a server that offers it; when to ask is the driver's affair."""
    verifies, why = _verifies(given, ssl)
    roots, reason = _roots(given, ssl, each_connection)
    base = TrustPolicy(
        ask=Ask.ALWAYS,
        stack=stack(given, ssl),
        reread=Reread.EACH_CONNECTION if each_connection and roots.origin is RootsFrom.SETTING else Reread.AT_START,
        is_tls_12=ssl.get("maxVersion") == "TLSv1.2",
        blocked=_blocked(ssl),
        undecidable=_undecidable(given, ssl, verifies),
        socket_is_plain=False,
    )
    if not verifies:
        return replace(base, reasons=(Reason("verification-switched-off", why, source),))
    if ssl.get("checkServerIdentity") == NO_CHECK:
        said = Reason("verifies-chain", "the chain is checked, the host name is not", source)
        return replace(base, chain=True, roots=roots, reasons=(said, *reason))
    said = Reason("verifies-chain-and-host", "chain and host name are checked", source)
    return replace(base, chain=True, names="node", roots=roots, reasons=(said, *reason))


def stack(given: Given, ssl: TlsOptions) -> Stack:
    """The OpenSSL beneath: the one that Node reports, else the one its releases carry."""
    node = numbered(given.runtime.get("node"))
    version = given.runtime.get("openssl", "") or next((v for first, v in OPENSSL if node and node[0] >= first), "")
    asked = re.search(r"@SECLEVEL=([0-5])", str(ssl.get("ciphers", "")))
    if asked:
        return Stack("openssl", version, security_level=int(asked[1]))
    # Node's own builds leave OpenSSL's default: 1, and 2 as of 3.2. A distribution's OpenSSL may have been built with 2.
    numbers = numbered(version)
    level = None if not numbers else 2 if numbers[:2] >= (3, 2) else 1 if "quic" in version or numbers[0] == 1 else None
    return Stack("openssl", version, security_level=level)


OPENSSL = ((24, "3.5"), (17, "3.0"), (10, "1.1.1"))
"""From which major version of Node.js on its releases carry which OpenSSL."""


def _verifies(given: Given, ssl: TlsOptions) -> tuple[bool, str]:
    if "rejectUnauthorized" in ssl:
        return ssl["rejectUnauthorized"] is not False, "rejectUnauthorized is false: nothing is checked"
    if given.env.get("NODE_TLS_REJECT_UNAUTHORIZED") == "0":
        return False, "NODE_TLS_REJECT_UNAUTHORIZED=0: nothing is checked"
    return True, ""


# ── roots ────────────────────────────────────────────────────────────────────────────────────────


def _roots(given: Given, ssl: TlsOptions, each_connection: bool) -> tuple[RootSource, tuple[Reason, ...]]:
    ca = ssl.get("ca")
    if isinstance(ca, Mapping) and "file" in ca:
        if given.files(str(ca["file"])).content != b"":
            return RootSource(RootsFrom.SETTING, str(ca["file"]), "node"), ()
        text = f"the root file `{ca['file']}` is empty, so Node uses the roots built into it"
        return built_in(given), (Reason("empty-root-file", text, SOURCE),)
    content = _content(given, ca)
    if content is not None:
        return RootSource(RootsFrom.SETTING, "", "node", inline=content), ()
    return built_in(given), ()


def _content(given: Given, ca: object) -> bytes | None:
    """The text of ``ca``; None where Node takes it for "not given"."""
    if isinstance(ca, str):
        return ca.encode("utf-8", "surrogatepass") or None
    if isinstance(ca, Mapping) and ca.get("type") == "Buffer" and isinstance(ca.get("data"), list):
        return bytes(b & 255 for b in ca["data"] if isinstance(b, int))
    if isinstance(ca, Mapping) and "file" in ca:
        return given.files(str(ca["file"])).content or b""
    if isinstance(ca, list):
        return b"\n".join(_content(given, one) or b"" for one in ca)
    return None


def built_in(given: Given) -> RootSource:
    """The roots built into Node (runtime ``roots`` names a file with them), and those of NODE_EXTRA_CA_CERTS beside them."""
    words = given.env.get("NODE_OPTIONS", "").split()
    if "--use-openssl-ca" in words or "--openssl-use-def-ca-store" in words:
        own = system_roots(given)
    elif given.runtime.get("roots"):
        own = RootSource(RootsFrom.BUNDLED, given.runtime["roots"], "node-extra")
    else:
        own = RootSource(RootsFrom.BUNDLED)
    extra = given.env.get("NODE_EXTRA_CA_CERTS")
    if not extra or given.files(extra).state is not FileState.FOUND:
        return own  # a file that cannot be read is a warning, no error
    return RootSource(RootsFrom.ENVIRONMENT, extra, "node-extra", adds=True, default=own)


# ── what stands in the way ───────────────────────────────────────────────────────────────────────


def _blocked(ssl: TlsOptions) -> Reason | None:
    if ssl.get("maxVersion") in OLD_PROTOCOLS:
        text = f"the client speaks {ssl['maxVersion']} at most, and servers offer TLS 1.2 and later"
        return Reason("protocol-too-old", text, SOURCE)
    ca = ssl.get("ca")
    if ca and not isinstance(ca, str | list | Mapping):
        return Reason("settings-error", "the `ca` option must be text or a buffer, and Node throws a TypeError", SOURCE)
    return None


def _undecidable(given: Given, ssl: TlsOptions, verifies: bool) -> Reason | None:
    if not verifies:
        return None
    for name, why in DECIDES.items():
        if name in ssl and ssl[name] != NO_CHECK:
            return Reason("custom-check", f"{why} (`{name}`): rehearse this client", SOURCE)
    words = given.env.get("NODE_OPTIONS", "").split()
    if ("--use-system-ca" in words or given.env.get("NODE_USE_SYSTEM_CA") == "1") and not ssl.get("ca"):
        return Reason("system-roots-beside", "Node also uses the system's roots, in a way these rules do not know: rehearse this client", SOURCE)
    return None


# ── settings to show ─────────────────────────────────────────────────────────────────────────────


def shown(driver: str, config: Mapping[str, Any], origins: Mapping[str, str], known: frozenset[str], endpoints: tuple[Endpoint, ...]) -> Settings:
    """A config as effective settings: options of ``ssl`` as ``ssl.name``, secrets hidden, what the driver does not know apart."""
    values: dict[str, Setting] = {}
    unknown: dict[str, str] = {}
    for name, value in config.items():
        origin = origins.get(name, "option")
        if name == "ssl" and isinstance(value, Mapping):
            values["ssl"] = Setting("object", origin)
            values |= {f"ssl.{key}": _setting(key, one, origin) for key, one in value.items()}
        elif name.startswith(" ") or value is None or value == "":
            continue
        elif name in known:
            values[name] = _setting(name, value, origin)
        else:
            unknown[name] = "***" if _is_secret(name) else str(_setting(name, value, origin).value)
    return Settings(driver, values, unknown, endpoints)


def _is_secret(name: str) -> bool:
    return name in SECRETS or "password" in name.lower() or "secret" in name.lower()


def _setting(name: str, value: object, origin: str) -> Setting:
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, Mapping) and "file" in value:
        text = str(value["file"])
    else:
        text = value.reveal() if isinstance(value, Secret) else str(value)
    return Setting(Secret(text) if _is_secret(name) else text, origin)


# ── endpoints ────────────────────────────────────────────────────────────────────────────────────


def is_address(host: str) -> bool:
    """``net.isIP()``: a dotted IPv4 address without leading zeroes, or an IPv6 address (a zone may follow)."""
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def over_socket(policy: TrustPolicy, endpoints: tuple[Endpoint, ...]) -> TrustPolicy:
    """PostgreSQL offers no TLS on a unix socket, and these drivers ask for it there all the same."""
    if policy.ask is Ask.NEVER or not all(e.is_unix_socket for e in endpoints):
        return policy
    if policy.on_no_tls is OnDistrust.PLAINTEXT:
        return replace(policy, socket_is_plain=True)
    return replace(policy, refused=Reason("no-tls-on-socket", "TLS is asked for on a unix socket, where no server offers it", SOURCE))
