"""
One step in a folder of roots: a file comes, or a file goes. Each is a single link, rename or unlink, so nobody who looks at
the folder meanwhile finds a root missing that belongs there.

    come   temporary → fsync → its name; where another file had moved into that name, that one gets its own name back first
    go     the last file of the row moves into the name (a hashed folder's numbers may have no gap), or the name is taken off
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..errors import TrustStoreError
from ..truststores import Limits
from ._trustjournal import Delta, Intent, Journal, Step, digest, new_intent
from ._trustplace import WAIT

LINK = "link:"
UNCOPIED = ("user.", "trusted.", "system.posix_acl")
"""Extended attributes that a file which is made again would not have."""


def state(folder: int, name: str) -> str:
    """What stands under a name: ``""`` nothing, a digest for a file, ``link:TARGET`` for a link."""
    try:
        return LINK + os.readlink(name, dir_fd=folder)
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return digest(content(folder, name))


def content(folder: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(fd, "rb") as file:
        return file.read(Limits.BYTES + 1)


def come(path: str, name: str, data: bytes, group: str) -> Intent:
    """A new file; it must not be there yet."""
    made = new_intent("come", os.path.join(path, name), b"", data, (), ())
    return replace(made, delta=Delta(0, 0, base64.b64encode(data).decode()), before="", step=Step(group))


def go(folder: int, path: str, name: str, last: str, group: str) -> Intent:
    """Take a file or a link away; *last* is what moves into its name, *name* itself when nothing does."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        raise TrustStoreError("is neither a file nor a link", where=os.path.join(path, name))
    held = b"" if stat.S_ISLNK(status.st_mode) else content(folder, name)
    if held:
        _refuse_what_would_be_lost(folder, path, name, status)
    made = new_intent("go", os.path.join(path, name), held, b"", (), ())
    mode = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    step = Step(group, "", last if last != name else "", *mode)
    return replace(made, before=state(folder, name), after=state(folder, last) if last != name else "", step=step)


def _refuse_what_would_be_lost(folder: int, path: str, name: str, status: os.stat_result) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        extra = [a for a in os.listxattr(fd) if a.startswith(UNCOPIED)]
    except OSError:
        extra = []
    finally:
        os.close(fd)
    if extra:
        text = f"has extended attributes (`{extra[0]}`) that undoing would not bring back"
        raise TrustStoreError(text, where=os.path.join(path, name), hint="take them off first, or remove the file by hand")


def back(intent: Intent, group: str) -> Intent:
    """The step that brings back what *intent* took away."""
    assert intent.step is not None
    id = secrets.token_hex(6)
    name = os.path.basename(intent.path)[:200]
    step = replace(intent.step, group=group, undoes=intent.id)
    temporary = f".{name}.reroot-{id}"
    return replace(intent, id=id, act="come", before=intent.after, after=intent.before, temporary=temporary, step=step)


def perform(folder: int, intent: Intent) -> None:
    """Do one step, the folder synced; ``OSError`` when it cannot be done."""
    assert intent.step is not None
    name, last = os.path.basename(intent.path), intent.step.last
    if intent.act == "go":
        if last and not _same(folder, name, last):
            os.rename(last, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.unlink(last or name, dir_fd=folder)
    else:
        _make(folder, intent)
        if last:
            os.link(name, last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            os.rename(intent.temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.link(intent.temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(intent.temporary, dir_fd=folder)
    os.fsync(folder)


def _make(folder: int, intent: Intent) -> None:
    assert intent.step is not None
    if intent.after.startswith(LINK):
        os.symlink(intent.after.removeprefix(LINK), intent.temporary, dir_fd=folder)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(intent.temporary, flags, 0o600, dir_fd=folder)
    try:
        view = memoryview(base64.b64decode(intent.delta.old))
        while view:
            view = view[os.write(file, view) :]
        if intent.step.uid >= 0 and (made := os.fstat(file)) and (made.st_uid, made.st_gid) != intent.step.owner:
            os.fchown(file, *intent.step.owner)
        os.fchmod(file, intent.step.mode)
        os.fsync(file)
    finally:
        os.close(file)


def _same(folder: int, one: str, other: str) -> bool:
    """Whether two names are one file: a rename between those does nothing."""
    found = [os.stat(name, dir_fd=folder, follow_symlinks=False) for name in (one, other)]
    return (found[0].st_dev, found[0].st_ino) == (found[1].st_dev, found[1].st_ino)


def settle(folder: int, intent: Intent) -> str:
    """After a step that broke off: tidy up, and say how it ended: ``done``, ``dropped``, or ``""`` for "somebody else was here"."""
    assert intent.step is not None
    name, last = os.path.basename(intent.path), intent.step.last
    with suppress(FileNotFoundError):
        os.unlink(intent.temporary, dir_fd=folder)
    now = state(folder, name)
    if intent.act == "go":
        if now == intent.after and not (last and state(folder, last)):
            return "done"
        return "dropped" if now == intent.before else ""
    if now == intent.after and (not last or state(folder, last)) and not (last and _same(folder, name, last)):
        return "done"
    if last and state(folder, last) and _same(folder, name, last):
        os.unlink(last, dir_fd=folder)
    return "dropped" if now == intent.before else ""


def take(folder: int, path: str, plan: Sequence[Callable[[], Intent]], book: Journal) -> None:
    """Each step in turn: look, journal, act, journal. What fails is tidied up and ends it; the steps before stay done."""
    for number, next_step in enumerate(plan):
        intent: Intent | None = None
        how = "dropped"
        try:
            intent = next_step()
            book.begin(intent)
            perform(folder, intent)
        except OSError as error:
            if intent is not None:
                with suppress(OSError):
                    how = settle(folder, intent)
                if how:
                    book.end(how, intent)
            raise _failed(path, intent, error, number, len(plan), how) from error
        book.end("done", intent)


def _failed(path: str, intent: Intent | None, error: OSError, number: int, of: int, how: str) -> TrustStoreError:
    name = f"`{os.path.basename(intent.path)}`" if intent is not None else "a file"
    if how == "done":
        text = (
            f"{name} was changed, but its folder could not be synced: {error.strerror}; a power cut may bring back what was there"
        )
    else:
        done = f"{number} of {of} steps were done before, and stay" if number else "the folder is as it was"
        text = f"{name} cannot be changed: {error.strerror}; {done}"
    return TrustStoreError(text, where=path, hint=HINTS.get(error.errno or 0, ""))


HINTS = {
    errno.ENOSPC: "make room on the file system that holds it",
    errno.EDQUOT: "make room on the file system that holds it",
    errno.EROFS: "the file system is mounted read-only: change the folder where it comes from",
    errno.EPERM: "its owner or root can change it",
    errno.EACCES: "its owner or root can change it",
}


@contextmanager
def held(folder: int, path: str) -> Iterator[None]:
    """Hold the folder against other reroots."""
    end = time.monotonic() + WAIT
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR) or time.monotonic() > end:
                    raise TrustStoreError(
                        "is being changed by another reroot", where=path, hint="try again when it is done"
                    ) from error
                time.sleep(0.01)
        yield
    finally:
        os.close(fd)
