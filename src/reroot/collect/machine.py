"""The files of the machine reroot runs on, as the pure half asks for them."""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache

from ..model import File, Files, FileState

LIMIT = 16 * 2**20
"""Bytes; a larger file is no trust store and no settings file."""

MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


REMEMBERED = 2048
"""Files that one look keeps at hand, so that a run over any number of clients stays small."""


def machine() -> Files:
    """One look at this machine: a path asked for again is not read again, so long as it is among the last ones asked."""
    return lru_cache(maxsize=REMEMBERED)(look)


def look(path: str) -> File:
    """What *path* holds now; never raises. Only regular files are opened: a FIFO or a device never holds a run up."""
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
