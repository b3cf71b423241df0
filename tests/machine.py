"""A client's machine made of values: paths and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from reroot.lab.ca import Issued
from reroot.model import File, Files, FileState
from reroot.pki import Certificate

NOW = datetime.now(UTC).replace(microsecond=0)


def machine(files: Mapping[str, bytes | tuple[str, ...] | None]) -> Files:
    """Files by path: bytes are content, a tuple is a folder's entries, None cannot be read. What is not named is missing."""

    def look(path: str) -> File:
        if path not in files:
            return File(path, FileState.MISSING)
        held = files[path]
        if held is None:
            return File(path, FileState.UNREADABLE, why="Permission denied")
        if isinstance(held, tuple):
            return File(path, FileState.FOLDER, entries=held)
        return File(path, FileState.FOUND, content=held)

    return look


def served(*issued: Issued) -> tuple[Certificate, ...]:
    """A chain as a server sends it, leaf first."""
    return tuple(Certificate(one.der) for one in issued)
