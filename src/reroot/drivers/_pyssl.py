"""
Python's own ``ssl`` module, as the drivers that stand on it use it: its contexts, and what loading their files may raise.

A context is written in settings as ``{"from": "create_default_context", "cafile": …, "check_hostname": …, "verify_mode": …}``.
What makes it is code, so a context made in any other way is said to be undecidable, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import FileState, Given, Reason, RootsFrom, RootSource, Stack
from ..readers import effective
from ._driver import numbered
from ._system import system_roots

SOURCE = "CPython Lib/ssl.py create_default_context(), Modules/_ssl.c; run with Python 3.8, 3.11 and 3.13"
SCRUTINY = (3, 13)
"""As of this Python, create_default_context() sets VERIFY_X509_PARTIAL_CHAIN and VERIFY_X509_STRICT."""
LEVELLED = (3, 10)
"""As of this Python, the ciphers of every context say ``@SECLEVEL=2``: bpo-43998."""


@dataclass(frozen=True, slots=True)
class Context:
    """An ``SSLContext``: what it checks, and why it cannot be made (``failure``) or not be known (``unclear``)."""

    chain: bool
    names: bool
    stack: Stack
    roots: RootSource = field(default_factory=RootSource)
    failure: Reason | None = None
    unclear: Reason | None = None


def stack(given: Given, *, default_context: bool = False) -> Stack:
    """The OpenSSL of this Python; *default_context*: with the flags that create_default_context() adds."""
    python = numbered(given.runtime.get("python"))
    scrutinises = default_context and python >= SCRUTINY
    return Stack(
        "openssl",
        given.runtime.get("openssl", ""),
        partial_chain=scrutinises,
        strict=scrutinises,
        security_level=2 if python >= LEVELLED else None,
    )


def unloadable(given: Given, path: str) -> Reason | None:
    """What load_verify_locations(cafile=*path*) raises; None when it loads."""
    file = given.files(path)
    if file.state is not FileState.FOUND:
        why = {FileState.MISSING: "does not exist", FileState.FOLDER: "is a folder"}.get(file.state, file.why or "cannot be read")
        code = "root-file-missing" if file.state is FileState.MISSING else "unreadable-trust-store"
        return Reason(code, f"`{path}` {why}", SOURCE)
    found = effective("openssl", given.runtime.get("openssl", ""), file.content or b"")
    return None if found.loads else Reason("unreadable-trust-store", f"`{path}` cannot be loaded: {found.error}", SOURCE)


def default_context(given: Given, cafile: str = "") -> Context:
    """ssl.create_default_context(): the chain against *cafile* or OpenSSL's default paths, and the name."""
    if not cafile:
        return Context(True, True, stack(given, default_context=True), system_roots(given))
    roots = RootSource(RootsFrom.SETTING, cafile, "openssl")
    return Context(True, True, stack(given, default_context=True), roots, unloadable(given, cafile))


def described(given: Given, spec: Mapping[str, object]) -> Context:
    """The context that *spec* describes."""
    made = spec.get("from")
    unknown = {str(name) for name in spec} - {"from", "cafile", "cadata", "check_hostname", "verify_mode"}
    if made not in MAKERS or unknown or spec.get("verify_mode", "CERT_REQUIRED") not in VERIFY_MODES:
        return Context(False, False, stack(given), unclear=IN_CODE)
    context = MAKERS[str(made)](given, str(spec.get("cafile") or ""))
    if spec.get("cadata"):
        inline = str(spec["cadata"]).encode()
        roots = RootSource(RootsFrom.SETTING, "", "python", inline=inline, store_type="CADATA")
        context = Context(context.chain, context.names, context.stack, roots, context.failure)
    mode = spec.get("verify_mode")
    names = context.names if spec.get("check_hostname") is None else bool(spec["check_hostname"])
    if mode == "CERT_NONE" and names:
        failure = Reason("ssl-context", "Cannot set verify_mode to CERT_NONE when check_hostname is enabled", SOURCE)
        return Context(False, False, context.stack, failure=failure)
    chain = context.chain if mode is None else mode == "CERT_REQUIRED"
    return Context(chain or names, names, context.stack, context.roots, context.failure)


def _bare(given: Given, cafile: str) -> Context:
    """ssl.SSLContext(PROTOCOL_TLS_CLIENT): verifies against nothing but what is loaded."""
    if not cafile:
        return Context(True, True, stack(given), RootSource(RootsFrom.SETTING, "", "python", inline=b"", store_type="CADATA"))
    return Context(True, True, stack(given), RootSource(RootsFrom.SETTING, cafile, "openssl"), unloadable(given, cafile))


def _unverified(given: Given, cafile: str) -> Context:
    """ssl._create_unverified_context()"""
    return Context(False, False, stack(given), failure=unloadable(given, cafile) if cafile else None)


MAKERS = {"create_default_context": default_context, "SSLContext": _bare, "_create_unverified_context": _unverified}
VERIFY_MODES = ("CERT_NONE", "CERT_REQUIRED")
IN_CODE = Reason("ssl-context", "an ssl.SSLContext made by code decides what is checked: rehearse this client", SOURCE)
