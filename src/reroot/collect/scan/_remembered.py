"""
The whole answer of the last scan of a tree, for when nothing in it has changed: then nothing is walked, read or judged again.

Unchanged means: every folder that was entered and every file that was looked at has the inode, size and times it had. A folder's
times change with each name that comes or goes, so a new file is noticed as well. It holds findings, and those hold no secret.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ._cache import file_for, version, write
from ._finding import Finding, Limit, packed, unpacked

WORTH_A_FORK = 4_000


@dataclass(slots=True)
class Answer:
    """What a scan said, and of what: ``names`` are paths below the root, a NUL after each, ``marks`` their signatures."""

    version: str
    asked: str
    names: bytes = b""
    marks: bytes = b""
    findings: list[Finding] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    ignores: dict[str, list[tuple[int, str, str, str]]] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    ignored: int = 0


def signature(stat: os.stat_result) -> int:
    """A number that changes when a file or a folder does."""
    return hash((stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns)) & 0x7FFFFFFFFFFFFFFF


def recall(root: Path, asked: str, processes: int) -> Answer | None:
    """The last answer to the same question, while it still holds."""
    try:
        answer = unpacked(file_for(root, "answer").read_bytes(), Answer)
    except (OSError, ValueError):
        return None
    if answer.version != version() or answer.asked != asked:
        return None
    marks = array("q")
    marks.frombytes(answer.marks)
    names = answer.names.split(b"\0")[:-1]
    return answer if len(names) == len(marks) and _unchanged(os.fsencode(root), names, marks, processes) else None


def keep(root: Path, asked: str, marks: Mapping[str, int], answer: Answer) -> None:
    """Remember *answer*; *marks* are the signatures of all that it rests on."""
    answer.version, answer.asked = version(), asked
    answer.names = b"".join(os.fsencode(name) + b"\0" for name in marks)
    answer.marks = array("q", marks.values()).tobytes()
    write(file_for(root, "answer"), packed(answer))


def _unchanged(root: bytes, names: Sequence[bytes], marks: Sequence[int], processes: int) -> bool:
    if len(names) < WORTH_A_FORK or processes < 2:
        return _same(root, names, marks)
    step = -(-len(names) // processes)
    children = []
    for start in range(step, len(names), step):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if _same(root, names[start : start + step], marks[start : start + step]) else 1
            finally:
                os._exit(code)
        children.append(pid)
    same = _same(root, names[:step], marks[:step])
    endings = [os.waitpid(pid, 0)[1] for pid in children]  # each is waited for, whatever the others said
    return same and not any(endings)


def _same(root: bytes, names: Sequence[bytes], marks: Sequence[int]) -> bool:
    prefix, lstat, mark_of = root.rstrip(b"/") + b"/", os.lstat, signature
    try:
        return all(mark_of(lstat(prefix + name)) == mark for name, mark in zip(names, marks, strict=True))
    except OSError:
        return False
