"""
One stretch of one log → its rollup, through one buffer that is used again and again: memory does not grow with the log.

Whole lines are summed, the last line stays in the buffer as the next block's line before. A line longer than the buffer is no line
about a connection; it is skipped and counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InputError
from ...logs import NO_ZONE, Clock, Notes, Rollup, Scanner, layout, sniff
from ._objects import HEAD, STANDARD_INPUT, Known, Log, Stream, Unreadable, digest, open_log, position

NOTHING = Rollup()
GROWS = "cloudwatch:"
"""Tags of logs that grow, and so are read again from where they ended."""

BLOCK = 1 << 20
CONTEXT = 1 << 16
"""Bytes before a piece in which its line before is looked for."""


@dataclass(frozen=True)
class Ways:
    """How to read: the layout's spelling, ``""`` to recognise it; what its times mean; whether arrivals are counted."""

    spelling: str = ""
    clock: Clock = NO_ZONE
    arrivals: bool = True


@dataclass(frozen=True)
class Piece:
    """A stretch of a log: lines that begin in ``begin`` to ``end``; an ``end`` of -1 is the log's own."""

    log: Log
    begin: int = 0
    end: int = -1


@dataclass(frozen=True)
class Read:
    """What came of a piece. ``why`` says what kept it from being read, or read to its end; ``mark`` is how it is known again.

    ``stopped`` is where the last whole line ended, in bytes of text from the log's begin. ``torn`` are bytes after it.
    """

    piece: Piece
    rollup: Rollup = NOTHING
    spelling: str = ""
    mark: Known | None = None
    stopped: int = 0
    torn: int = 0
    skipped: bool = False
    why: str = ""


def fast_find() -> Callable[[Any, bytes, int, int], int]:
    """A literal search with SIMD where stringzilla is installed, the standard library's otherwise."""
    try:
        from stringzilla import find
    except ImportError:
        return lambda block, needle, begin, end: block.find(needle, begin, end)
    return find  # type: ignore[no-any-return]


def read(piece: Piece, ways: Ways, known: Sequence[Known] = ()) -> Read:
    """The sum of one piece; never raises for what a log holds, but ``InputError`` where times need a zone that was not given."""
    if piece.log.tag and piece.log.tag in {k.digest for k in known} and not piece.log.tag.startswith(GROWS):
        return Read(piece, mark=Known(0, piece.log.tag, 0), skipped=True)
    try:
        stream = open_log(piece.log, known)
    except Unreadable as error:
        return Read(piece, why=str(error))
    try:
        return _read(stream, piece, ways, known)
    except OSError as error:
        return Read(piece, why=error.strerror or str(error))
    except InputError as error:
        raise InputError(error.message, where=piece.log.path, hint=error.hint) from None
    finally:
        stream.close()


def _read(stream: Stream, piece: Piece, ways: Ways, known: Sequence[Known]) -> Read:
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    try:
        filled = _fill(stream, view)
        why = ""
    except Unreadable as error:
        return Read(piece, why=str(error))
    head = bytes(buffer[: min(filled, HEAD)])
    mark = Known(0, piece.log.tag, 0) if piece.log.tag else Known(len(head), digest(head), 0)
    until: int = getattr(stream, "until", 0)
    if until and not filled:
        return Read(piece, NOTHING, "", replace(mark, bytes=until), until, skipped=True)
    start = max(piece.begin, 0 if piece.log.tag else position(head, known))
    spelling = ways.spelling or sniff(_sample(buffer, filled)) or ""
    if not spelling:
        return Read(piece, why="its layout is not recognised; name its `log_line_prefix` with `--layout`")
    scanner = Scanner(layout(spelling, ways.clock), piece.log.server, fast_find(), arrivals=ways.arrivals)
    is_range = piece.end >= 0
    end_at = piece.end if is_range else 1 << 62
    at = begin = 0
    if start >= end_at:
        return Read(piece, NOTHING, spelling, mark, start, 0, skipped=True)
    if start:
        filled, at, begin = _skip_to(stream, view, filled, start, is_file=_is_file(piece, stream), is_cut=start == piece.begin)
        if begin < 0 or at + begin >= end_at:
            return Read(piece, NOTHING, spelling, mark, start, 0, skipped=True)
    stopped, long = at + begin, 0
    skipping = False
    while True:
        limit = filled
        if at + filled > end_at:
            # The last line of this piece begins before its end.
            cut = buffer.find(b"\n", max(end_at - at - 1, begin), filled) + 1
            limit = cut or filled
        whole = buffer.rfind(b"\n", begin, limit) + 1
        if skipping and whole:
            begin = buffer.find(b"\n", begin, limit) + 1
            skipping = False
        if whole > begin:
            scanner.feed(buffer, begin, whole)
            stopped = at + whole
        if at + limit >= end_at and whole == limit:
            filled = whole
            break
        rest_at = max(whole, begin)
        if filled - rest_at >= BLOCK - CONTEXT:
            long += not skipping
            skipping = True
            at, filled, begin = at + filled, 0, 0
        else:
            last = max(buffer.rfind(b"\n", 0, max(whole - 1, 0)) + 1, rest_at - CONTEXT // 2, 0)
            rest = filled - last
            buffer[:rest] = buffer[last:filled]
            at, filled, begin = at + last, rest, rest_at - last
        try:
            more = stream.readinto(view[filled:]) or 0
        except Unreadable as error:
            why, more = str(error), 0
        if not more:
            break
        filled += more
    rollup = scanner.finish()
    if long:
        rollup += Rollup(notes=Notes(too_long=long))
    torn = max(at + filled - stopped, 0) if not is_range else 0
    stopped = until or stopped
    return Read(piece, rollup, spelling, replace(mark, bytes=stopped), stopped, torn, why=why)


def _fill(stream: Stream, view: memoryview) -> int:
    """Read until the buffer is full or the log ends: pipes and decompressors give less at a time."""
    filled = 0
    while filled < len(view):
        more = stream.readinto(view[filled:])
        if not more:
            break
        filled += more
    return filled


def _sample(buffer: bytearray, filled: int) -> bytes:
    """Lines to recognise a layout by: those about connections, before the first ones."""
    lines: list[bytes] = []
    p = 0
    while len(lines) < 50:
        p = buffer.find(b"onnection ", p, filled)
        if p < 0:
            break
        e = buffer.find(b"\n", p, filled)
        lines.append(bytes(buffer[buffer.rfind(b"\n", 0, p) + 1 : e if e >= 0 else filled])[:8192])
        p = e if e >= 0 else filled
    first = bytes(buffer[: min(filled, CONTEXT)]).splitlines()[:200]
    return b"\n".join([*(line for line in lines if sniff(line)), *first])


def _is_file(piece: Piece, stream: Stream) -> bool:
    return piece.log.path != STANDARD_INPUT and hasattr(stream, "fileno")


def _skip_to(stream: Stream, view: memoryview, filled: int, start: int, *, is_file: bool, is_cut: bool) -> tuple[int, int, int]:
    """Bring the buffer to the first line that begins at or after *start*: (filled, position of the buffer, where in it); -1: there is none.

    *is_cut* says that *start* may stand inside a line.
    """
    buffer = view.obj
    assert isinstance(buffer, bytearray)
    at = 0
    if is_file:
        at = max(start - CONTEXT, 0)
        os.lseek(stream.fileno(), at, os.SEEK_SET)  # type: ignore[attr-defined]
        filled = _fill(stream, view)
    else:
        while at + filled <= start and filled:
            keep = min(filled, CONTEXT)
            buffer[:keep] = buffer[filled - keep : filled]
            at += filled - keep
            more = _fill(stream, view[keep:])
            if not more:
                return keep, at, -1
            filled = keep + more
    if at + filled <= start:
        return filled, at, -1
    if not is_cut:
        return filled, at, start - at
    begin = buffer.find(b"\n", start - at - 1, filled) + 1
    return filled, at, begin if begin else -1
