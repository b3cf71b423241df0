"""
Put new bytes in a file's place, whole or not at all.

    temporary beside it (0600) → bytes → owner, mode, attributes → fsync → read back → is the old file still the old one?
    → rename → fsync of the folder

Whatever fails before the rename leaves the old file as it was and no temporary behind.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from ..errors import TrustStoreError
from ._trustplace import Look, Place


class Overtaken(Exception):
    """Somebody else wrote the file in between."""


def replace(place: Place, old: Look, new: bytes, temporary: str, *, sync_folder: bool = True) -> None:
    """*new* in place of *old*, keeping owner, mode, ACL and extended attributes; ``Overtaken`` when it is not *old* any more."""
    try:
        _make(place, old, new, temporary)
        if place.look().digest != old.digest or _identity(place) != (old.status.st_dev, old.status.st_ino):
            raise Overtaken
        os.rename(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except OSError as error:
        drop(place, temporary)
        raise _failed(place, error) from error
    except BaseException:
        drop(place, temporary)
        raise
    if sync_folder:
        try:
            os.fsync(place.folder)
        except OSError as error:
            raise TrustStoreError(
                f"was changed, but its folder could not be synced: {error.strerror}; a power cut may bring back the old content",
                where=place.path,
            ) from error


def _make(place: Place, old: Look, new: bytes, temporary: str) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600, dir_fd=place.folder)
    try:
        view = memoryview(new)
        while view:
            view = view[os.write(fd, view) :]
        made = os.fstat(fd)
        if (made.st_uid, made.st_gid) != (old.status.st_uid, old.status.st_gid):
            os.fchown(fd, old.status.st_uid, old.status.st_gid)
        os.fchmod(fd, stat.S_IMODE(old.status.st_mode))
        _copy_attributes(place, fd, old)
        os.fsync(fd)
        _verify(place, fd, old, new)
    finally:
        os.close(fd)


def _copy_attributes(place: Place, fd: int, old: Look) -> None:
    """Extended attributes, ACL and SELinux label among them; what the folder's defaults gave the new file is taken off it."""
    try:
        present = {name: os.getxattr(fd, name) for name in os.listxattr(fd)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS) and not old.attributes:
            return
        raise
    for name, value in old.attributes.items():
        if present.get(name) != value:
            os.setxattr(fd, name, value)
    for name in present.keys() - old.attributes.keys():
        os.removexattr(fd, name)
    os.fchmod(fd, stat.S_IMODE(old.status.st_mode))


def _verify(place: Place, fd: int, old: Look, new: bytes) -> None:
    made = os.fstat(fd)
    same = (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (
        old.status.st_uid,
        old.status.st_gid,
        stat.S_IMODE(old.status.st_mode),
    )
    if not same:
        raise TrustStoreError("would get another owner or mode", where=place.path)
    if made.st_size != len(new) or os.pread(fd, len(new) + 1, 0) != new:
        raise TrustStoreError("reads back differently from what was written", where=place.path)


def _identity(place: Place) -> tuple[int, int]:
    status = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    return status.st_dev, status.st_ino


def drop(place: Place, temporary: str) -> None:
    """Take a temporary away, if it is there."""
    with suppress(OSError):
        os.unlink(temporary, dir_fd=place.folder)


def _failed(place: Place, error: OSError) -> TrustStoreError:
    hint = ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            hint = "make room on the file system that holds it"
        case errno.EPERM | errno.EACCES:
            hint = "its owner, mode and attributes can only be kept by its owner or root"
        case errno.EROFS | errno.EBUSY:
            hint = "change the file where it comes from"
    return TrustStoreError(f"cannot be changed: {error.strerror}; it is as it was", where=place.path, hint=hint)
