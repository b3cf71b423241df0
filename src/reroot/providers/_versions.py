"""
Versions of a certificate pair on disk, switched in one step.

Beside the certificate file ``server.crt`` stands a folder ``server.crt.reroot`` with one folder per version and the links
``current``, ``next`` and ``previous``. How the server's two settings lead there is the layout:

    linked      both files are links into ``current/``; one rename of that link switches the pair
    combined    both settings name one file with key and chain; one rename of that file switches the pair
    plain       two files, which no single act can replace; they become ``linked`` first (see ``adopt``)

``adopt`` points ``current`` at the version that staging made of the current pair, and replaces first the certificate, then the
key by links. The bytes the server would read are the same before, between and after. So there is no moment at which a restart
would find a key that does not match its certificate.

A private key is created with mode 0600 and gets its owner before its content, and its wider mode after.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ..errors import ProviderError
from ._pair import Pair

CERTIFICATE, KEY, BOTH = "server.crt", "server.key", "server.pem"
CURRENT, NEXT, PREVIOUS = "current", "next", "previous"
WIDEST_KEY_MODE = 0o640


class Layout(Enum):
    LINKED = "linked"
    COMBINED = "combined"
    PLAIN = "plain"


@dataclass(frozen=True)
class Versions:
    """The pair at two paths, which are the server's ``ssl_cert_file`` and ``ssl_key_file``, and its versions."""

    certificate: Path
    key: Path

    @property
    def folder(self) -> Path:
        return self.certificate.with_name(f"{self.certificate.name}.reroot")

    @property
    def layout(self) -> Layout:
        if self.certificate == self.key:
            return Layout.COMBINED
        linked = [self._is_ours(self.certificate), self._is_ours(self.key)]
        return Layout.LINKED if all(linked) else Layout.PLAIN

    def refusals(self) -> tuple[str, ...]:
        """Why the pair at these paths must not be replaced by us; empty when it may."""
        found = []
        for path in dict.fromkeys((self.certificate, self.key)):
            try:
                status = path.lstat()
            except OSError as error:
                found.append(f"`{path}`: {error.strerror}")
                continue
            if stat.S_ISLNK(status.st_mode):
                if not self._is_ours(path):
                    found.append(f"`{path}` is a link to `{os.readlink(path)}`: whatever keeps that link would undo the change")
            elif not stat.S_ISREG(status.st_mode):
                found.append(f"`{path}` is not a file")
            elif status.st_nlink > 1:
                found.append(f"`{path}` has {status.st_nlink} names (hard links), and only one of them would change")
        return tuple(found)

    def read(self, which: str = "") -> Pair | None:
        """The pair of a version, by the name of its link; without one, what a start of the server would read."""
        if not which:
            return Pair(self.certificate.read_bytes(), self.key.read_bytes())
        version = self._target(which)
        if version is None:
            return None
        if self.layout is Layout.COMBINED:
            content = (version / BOTH).read_bytes()
            return Pair(content, content)
        return Pair((version / CERTIFICATE).read_bytes(), (version / KEY).read_bytes())

    # ── acts, each of which may be done twice ────────────────────────────────────────────────────

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One reroot at a time; the lock ends with the process that holds it."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise ProviderError("another reroot is changing this pair", where=str(self.certificate)) from None
        finally:
            os.close(handle)

    def stage(self, pair: Pair) -> None:
        """Write *pair* as the version ``next``, and keep the current one as ``previous``."""
        before = self._store(self.read() or pair)
        after = self._store(pair)
        if before != after:
            self._link(PREVIOUS, before)
        self._link(NEXT, after)

    def adopt(self) -> None:
        """Turn a plain pair into a linked one without changing a byte of what the server would read."""
        if self.layout is not Layout.PLAIN:
            return
        files = [(p, n) for p, n in ((self.certificate, CERTIFICATE), (self.key, KEY)) if not self._is_ours(p)]
        staged_beside = self._target(PREVIOUS) or self._target(NEXT)
        if len(files) == 2 and staged_beside is not None:
            self._link(CURRENT, staged_beside.name)
        for path, name in files:
            if path.read_bytes() != (self.folder / CURRENT / name).read_bytes():
                raise ProviderError("the file was changed after the pair was staged", where=str(path), hint="stage it again")
        for path, name in files:
            target = self.folder / CURRENT / name
            _replace_by_link(path, os.path.relpath(target, path.parent) if path.parent == self.folder.parent else str(target))

    def switch(self, which: str) -> None:
        """Make ``next`` or ``previous`` the current pair, in one rename."""
        version = self._target(which)
        if version is None:
            raise ProviderError(f"there is no `{which}` version to switch to", where=str(self.folder))
        if self.layout is Layout.COMBINED:
            content = (version / BOTH).read_bytes()
            if self.certificate.read_bytes() != content:
                fresh = self.certificate.with_name(f".{self.certificate.name}.reroot-new")
                fresh.unlink(missing_ok=True)
                _write(fresh, content, self.key.stat(), WIDEST_KEY_MODE)
                fresh.replace(self.certificate)
                _sync(self.certificate.parent)
        elif self._target(CURRENT) != version:
            self._link(CURRENT, version.name)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _target(self, which: str) -> Path | None:
        try:
            return self.folder / os.readlink(self.folder / which)
        except OSError:
            return None

    def _is_ours(self, path: Path) -> bool:
        try:
            return (path.parent / os.readlink(path)).parent == self.folder / CURRENT
        except OSError:
            return False

    def _store(self, pair: Pair) -> str:
        """A version folder for *pair*, written whole; the name of the folder."""
        combined = self.layout is Layout.COMBINED
        together = pair.certificate if pair.certificate == pair.key else pair.key.rstrip(b"\n") + b"\n" + pair.certificate
        name = hashlib.sha256(together if combined else pair.certificate).hexdigest()[:16]
        if (self.folder / name).is_dir():
            return name
        part = self.folder / "part"
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(mode=0o700)
        if combined:
            _write(part / BOTH, together, self.key.stat(), WIDEST_KEY_MODE)
        else:
            _write(part / CERTIFICATE, pair.certificate, self.certificate.stat(), 0o644)
            _write(part / KEY, pair.key, self.key.stat(), WIDEST_KEY_MODE)
        part.chmod(0o755)
        _sync(part)
        part.rename(self.folder / name)
        _sync(self.folder)
        return name

    def _link(self, name: str, version: str) -> None:
        _replace_by_link(self.folder / name, version)


def _write(path: Path, content: bytes, like: os.stat_result, widest: int) -> None:
    """A new file with the owner of *like* and its mode, as far as *widest* allows."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        status = os.fstat(handle)
        if (status.st_uid, status.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(handle, like.st_uid, like.st_gid)
        file.write(content)
        file.flush()
        os.fchmod(handle, stat.S_IMODE(like.st_mode) & widest)
        os.fsync(handle)


def _replace_by_link(path: Path, target: str) -> None:
    fresh = path.with_name(f".{path.name}.reroot-new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
