"""
A trust store file where it stands: opened without following a link out of its folder, and looked at for all that must stay.

From here on only the folder's descriptor and the file's name are used: whoever swaps a link afterwards swaps nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ..errors import TrustStoreError
from ..truststores import Limits
from ._trustjournal import digest

LINKS = 40
WAIT = 10.0
"""Seconds that another reroot may hold a folder."""
GET_FLAGS = 0x80086601
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
SKIPPED_ATTRIBUTES = frozenset({"system.nfs4_acl", "trusted.overlay.origin"})


@dataclass(frozen=True)
class Look:
    """One look at a file: its bytes and everything about it that must stay."""

    content: bytes
    status: os.stat_result
    attributes: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest(self.content)


class Place:
    """A file as (folder descriptor, name). ``path`` is for people; nothing is opened by it."""

    def __init__(self, path: str, folder: int, name: str, links: tuple[str, ...]) -> None:
        self.path, self.folder, self.name, self.links = path, folder, name, links

    def look(self) -> Look:
        """Read the file, or say why it is not one that may be changed."""
        try:
            fd = os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.folder)
        except OSError as error:
            raise refused(self.path, error) from error
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise TrustStoreError("is no regular file", where=self.path)
            if status.st_size > Limits.BYTES:
                raise TrustStoreError(f"is {status.st_size} bytes long; {Limits.BYTES} are the limit", where=self.path)
            return Look(_read(fd, status.st_size), status, _attributes(fd))
        except OSError as error:
            raise refused(self.path, error) from error
        finally:
            os.close(fd)

    def check(self, look: Look) -> None:
        """Refuse what a new file in the same place would not be."""
        if look.status.st_nlink > 1:
            raise TrustStoreError(
                f"has {look.status.st_nlink} names (hard links), and the others would keep the old content",
                where=self.path,
                hint="change it where it is made, or turn the other names into symbolic links",
            )
        try:
            fd = os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
        except OSError as error:
            raise refused(self.path, error) from error
        try:
            flags = _flags(fd)
        finally:
            os.close(fd)
        if flags & (IMMUTABLE | APPEND_ONLY):
            word = "immutable" if flags & IMMUTABLE else "append-only"
            raise TrustStoreError(
                f"is {word}", where=self.path, hint=f"`chattr -{'i' if flags & IMMUTABLE else 'a'}` allows a change"
            )


def refused(path: str, error: OSError) -> TrustStoreError:
    """An errno in words."""
    hint = ""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return TrustStoreError("leads through a symbolic link that may not be followed", where=path, hint="name the file itself")
    if error.errno == errno.EROFS:
        hint = "the file system is mounted read-only: change the file where it comes from"
    return TrustStoreError(f"cannot be opened: {error.strerror}", where=path, hint=hint)


def _read(fd: int, size: int) -> bytes:
    parts, left = [], max(size, 1) + 1
    while left > 0 and (part := os.read(fd, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _attributes(fd: int) -> dict[str, bytes]:
    try:
        names = os.listxattr(fd)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return {}
        raise
    return {name: os.getxattr(fd, name) for name in names if name not in SKIPPED_ATTRIBUTES}


def _flags(fd: int) -> int:
    with suppress(OSError):
        return int(struct.unpack("@l", fcntl.ioctl(fd, GET_FLAGS, bytes(struct.calcsize("@l"))))[0])
    return 0


@contextmanager
def place(path: str, allowed: str | None = None) -> Iterator[Place]:
    """Open the folder of *path*, walking from *allowed* (its own real folder unless given) one name at a time.

    A link is followed only while it stays beneath *allowed*.
    """
    full = os.path.abspath(path)
    root = os.path.realpath(allowed) if allowed is not None else os.path.realpath(os.path.dirname(full))
    inside = _inside(full, root, allowed)
    opened: list[int] = []
    try:
        try:
            opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
            name, links = _walk(opened, root, inside, full)
        except OSError as error:
            raise refused(full, error) from error
        yield Place(full, opened[-1], name, tuple(links))
    finally:
        for fd in opened:
            os.close(fd)


def _inside(full: str, root: str, allowed: str | None) -> list[str]:
    if allowed is None:
        return [os.path.basename(full)]
    for base in (os.path.abspath(allowed), root):
        if full.startswith(base.rstrip("/") + "/"):
            return full[len(base.rstrip("/")) + 1 :].split("/")
    raise TrustStoreError(f"stands outside `{allowed}`", where=full)


def _walk(opened: list[int], root: str, names: list[str], path: str) -> tuple[str, list[str]]:
    links: list[str] = []
    todo = [name for name in names if name not in ("", ".")]
    while todo:
        name = todo.pop(0)
        if name == "..":
            if len(opened) == 1:
                raise _outside(path, root)
            os.close(opened.pop())
            continue
        target = _link(name, opened[-1])
        if target is not None:
            links.append(f"{name} -> {target}")
            if len(links) > LINKS:
                raise TrustStoreError("leads through a circle of symbolic links", where=path)
            if target.startswith("/"):
                if not (target + "/").startswith(root.rstrip("/") + "/"):
                    raise _outside(path, root)
                while len(opened) > 1:
                    os.close(opened.pop())
                target = target[len(root.rstrip("/")) :]
            todo = [part for part in target.split("/") if part not in ("", ".")] + todo
            continue
        if not todo:
            return name, links
        opened.append(os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened[-1]))
    raise TrustStoreError("is a folder", where=path)


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def _outside(path: str, root: str) -> TrustStoreError:
    return TrustStoreError(
        f"is a link that leads out of `{root}`",
        where=path,
        hint="name the file itself, or allow its folder with `--allow FOLDER`",
    )


@contextmanager
def locked(found: Place) -> Iterator[None]:
    """Hold the file against other reroots; the lock goes when the process does.

    Whoever waited for a file that was replaced meanwhile holds the old one: it looks again, until name and lock agree.
    """
    end = time.monotonic() + WAIT
    while True:
        try:
            fd = os.open(found.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=found.folder)
        except OSError as error:
            raise refused(found.path, error) from error
        try:
            if _hold(fd, found):
                yield
                return
        finally:
            os.close(fd)
        if time.monotonic() > end:
            raise TrustStoreError("is being changed by another reroot", where=found.path, hint="try again when it is done")
        time.sleep(0.002)


def _hold(fd: int, found: Place) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held, named = os.fstat(fd), os.stat(found.name, dir_fd=found.folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EINTR):
            return False
        raise refused(found.path, error) from error
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)
