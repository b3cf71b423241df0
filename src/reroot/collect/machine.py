"""The files of the machine reroot runs on, as the pure half asks for them."""

from __future__ import annotations

import errno
import os
import stat

from ..model import File, FileState

LIMIT = 16 * 2**20
"""Bytes; a larger file is no trust store and no settings file."""

MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


class Machine:
    """Reads each path once, and opens regular files only: a FIFO or a device never holds a run up.

    One object is one look at the machine: what changes afterwards is seen by the next object.
    """

    def __init__(self) -> None:
        self._seen: dict[str, File] = {}

    def __call__(self, path: str) -> File:
        found = self._seen.get(path)
        if found is None:
            found = self._seen[path] = look(path)
        return found


def look(path: str) -> File:
    """What *path* holds now; never raises."""
    if "\0" in path:
        return File(path, FileState.MISSING)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return File(path, FileState.FOLDER, entries=tuple(sorted(os.listdir(path))))
        if not stat.S_ISREG(status.st_mode):
            return File(path, FileState.UNREADABLE, why="is no regular file")
        if status.st_size > LIMIT:
            return File(path, FileState.UNREADABLE, why=f"is larger than {LIMIT // 2**20} MiB")
        with open(path, "rb") as file:
            return File(path, FileState.FOUND, content=file.read(LIMIT))
    except OSError as error:
        state = FileState.MISSING if error.errno in MISSING else FileState.UNREADABLE
        return File(path, state, why=error.strerror or "cannot be read")
