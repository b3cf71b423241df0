"""
Logs while they are written: what is new since the last look, across rotation, truncation and copytruncate.

A file is held open and known by its inode, so what was written to it after it was moved away is still read. A file that has become
shorter, or begins with other bytes, was truncated and is read from its begin. What a copytruncate loses between its copy and its
truncation no reader can see.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ...errors import InputError
from ...logs import Rollup, Scanner, layout, scanner, sniff, total
from ._objects import STANDARD_INPUT, Log, find, kind
from ._read import BLOCK, CONTEXT, Ways, finders

BEGIN = 64
"""Bytes by which a truncation is noticed, when the file has grown again since."""


@dataclass
class _Open:
    """A file that is read as it grows. ``pending`` is its last line, as far as it is written; too long a one is passed over."""

    log: Log
    file: int
    inode: tuple[int, int]
    position: int
    begin: bytes = b""
    pending: bytes = b""
    skipping: bool = False


class Follower:
    """The new lines of some logs. *places* are as for ``find``; files that appear in a folder later are read from their begin.

    ``moved`` names the servers whose logs the last ``poll`` found something new in, whatever it was.
    """

    def __init__(self, places: Sequence[str], server: str = "", ways: Ways | None = None, *, from_end: bool = True) -> None:
        if STANDARD_INPUT in places:
            raise InputError("standard input cannot be followed", hint="name the file")
        far = next((place for place in places if "://" in place), "")
        if far:
            raise InputError(
                "what lies at AWS cannot be followed",
                where=far,
                hint="`reroot ingest … --keep`, again and again: only what is new counts",
            )
        self._places = places
        self._server = server
        self._ways = ways or Ways()
        self._files: dict[str, _Open] = {}
        self._scanners: dict[tuple[str, str], Scanner] = {}
        self._spellings: dict[str, str] = {}
        self._done: dict[tuple[int, int], _Open] = {}
        self.moved: set[str] = set()
        for log in find(places, server):
            self._open(log, at_end=from_end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for one in self._files.values():
            os.close(one.file)
        self._files.clear()

    def poll(self) -> Rollup:
        """The sum of everything that was written since the last call. Connections that are open stay open between calls."""
        self.moved = set()
        for path, one in list(self._files.items()):
            self._read(one)
            if _inode(path) != one.inode:
                # It was moved away or removed; what is at its place now is another log.
                os.close(one.file)
                self._done[one.inode] = self._files.pop(path)
        for log in self._now():
            if log.path not in self._files:
                self._open(log, at_end=False)
                if log.path in self._files:
                    self._read(self._files[log.path])
        return total(scanner.take() for scanner in self._scanners.values())

    def _now(self) -> Sequence[Log]:
        try:
            return find(self._places, self._server)
        except InputError:
            return ()  # between a rename and a create there is no file

    def _open(self, log: Log, *, at_end: bool) -> None:
        try:
            if kind(log.path) != "plain":
                return
            file = os.open(log.path, os.O_RDONLY)
        except OSError:
            return
        status = os.fstat(file)
        inode = status.st_dev, status.st_ino
        if any(one.inode == inode for one in self._files.values()):
            os.close(file)  # the same file under a new name
            return
        one = _Open(log, file, inode, 0, os.pread(file, BEGIN, 0))
        moved = self._done.pop(inode, None)
        if moved is not None and one.begin.startswith(moved.begin):
            one.position, one.pending, one.skipping = moved.position, moved.pending, moved.skipping
        elif at_end:
            self._spell(one, os.pread(file, BLOCK, max(status.st_size - BLOCK, 0)))
            tail = os.pread(file, CONTEXT, max(status.st_size - CONTEXT, 0))
            one.pending = tail[tail.rfind(b"\n") + 1 :]
            one.position = status.st_size
        self._files[log.path] = one

    def _read(self, one: _Open) -> None:
        size = os.fstat(one.file).st_size
        begin = os.pread(one.file, BEGIN, 0)
        if size < one.position or not begin.startswith(one.begin):
            self._flush(one)
            one.position = 0
        one.begin = begin
        while block := os.pread(one.file, BLOCK, one.position):
            one.position += len(block)
            self.moved.add(one.log.server)
            end = block.rfind(b"\n") + 1
            if not end:
                one.pending = b"" if one.skipping else one.pending + block
                one.skipping = one.skipping or len(one.pending) > CONTEXT
                continue
            text = block[block.find(b"\n") + 1 : end] if one.skipping else one.pending + block[:end]
            one.pending, one.skipping = block[end:], False
            scanner = self._scanner(one, text)
            if scanner is not None:
                scanner.feed(text)

    def _flush(self, one: _Open) -> None:
        """Nothing more comes to the last line: it was torn."""
        one.pending, one.skipping = b"", False

    def _scanner(self, one: _Open, text: bytes) -> Scanner | None:
        spelling = self._spellings.get(one.log.path) or self._spell(one, text)
        if not spelling:
            return None
        key = (one.log.server, spelling)
        if key not in self._scanners:
            self._scanners[key] = scanner(
                layout(spelling, self._ways.clock), one.log.server, finders(), arrivals=self._ways.arrivals
            )
        return self._scanners[key]

    def _spell(self, one: _Open, text: bytes) -> str:
        spelling = self._ways.spelling or sniff(text) or ""
        if spelling:
            self._spellings[one.log.path] = spelling
        return spelling


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
