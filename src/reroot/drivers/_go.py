"""What Go's TLS brings to every driver written in Go: its stack, its trust stores, and settings that go to the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import FileState, Given, RootsFrom, RootSource, Secret, Setting, Stack
from ..readers import effective
from ._driver import numbered
from ._libpq import SECRETS
from ._system import BUNDLES

VERIFY_SOURCE = "Go crypto/x509/verify.go, root_unix.go; run with Go 1.19 to 1.27"


def stack(given: Given) -> Stack:
    return Stack("go", given.runtime.get("go", ""))


def names(given: Given) -> str:
    """The name rules of the client's Go; those of today where its version is not known."""
    return "go-1.22" if (0,) < numbered(given.runtime.get("go")) < (1, 23) else "go"


def system_pool(given: Given) -> RootSource:
    """``x509.SystemCertPool()``: SSL_CERT_FILE or the first bundle found, and beside it the folders of SSL_CERT_DIR or the system."""
    bundle = given.runtime.get("system") or next((p for p in BUNDLES if given.files(p).state is FileState.FOUND), "")
    named, folders = given.env.get("SSL_CERT_FILE"), given.env.get("SSL_CERT_DIR")
    first = RootSource(RootsFrom.SYSTEM, named or bundle, "go")
    beside = [RootSource(RootsFrom.SYSTEM, folder, "go") for folder in (folders or "").split(":") if folder]
    if named and not folders and bundle:
        # The system's folders are read as well, and hold what the system's bundle is made of.
        beside.append(RootSource(RootsFrom.SYSTEM, bundle, "go"))
    source: RootSource | None = None
    for one in reversed([first, *beside]):
        source = one if source is None else replace(one, adds=True, default=source)
    return source or first


def file_roots(given: Given, path: str, origin: str) -> RootSource:
    where = {"environment": RootsFrom.ENVIRONMENT, "default": RootsFrom.DEFAULT_FILE}.get(origin, RootsFrom.SETTING)
    return RootSource(where, path, "go")


def readable(given: Given, path: str, missing: str, empty: str) -> None:
    """Raises ``SettingsError`` where the driver cannot take its roots from *path*."""
    file = given.files(path)
    if file.state in (FileState.MISSING, FileState.FOLDER) or "\0" in path:
        raise SettingsError(missing)
    if file.state is FileState.FOUND and not effective("go", given.runtime.get("go", ""), file.content or b"").loads:
        raise SettingsError(empty)


def setting(name: str, value: str, origin: str) -> Setting:
    return Setting(Secret(value) if name in SECRETS else value, origin)


def text(values: Mapping[str, Setting], name: str) -> str:
    return values[name].text if name in values else ""
