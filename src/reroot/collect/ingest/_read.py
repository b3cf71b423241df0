"""
One stretch of one log → its rollup, block by block: memory does not grow with the log.

Whole lines are summed; a block begins with the last line of the one before, which is so the line before. A line longer than a block
is no line about a connection; it is skipped and counted.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InputError
from ...logs import NO_ZONE, PLAIN, Clock, Notes, Rollup, Scanner, begins_a_record, layout, scanner, sniff
from ._objects import HEAD, STANDARD_INPUT, Known, Log, Unreadable, digest, open_log, position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._objects import Stream

NOTHING = Rollup()
GROWS = "cloudwatch:"
"""Tags of logs that grow, and so are read again from where they ended."""

UNRECOGNISED = "its layout is not recognised; name its `log_line_prefix` with `--layout`"
EMPTY = "it is empty"

BLOCK = 1 << 18
"""Bytes that are read at once: so few that they stay in the processor's own memory while they are searched."""

CONTEXT = 1 << 16
"""Bytes before a piece in which its line before is looked for."""


class Ways(NamedTuple):
    """How to read: the layout's spelling, ``""`` to recognise it; what its times mean; whether arrivals are counted.

    ``marks`` says whether each log is marked, to be known again: where nothing is kept, nothing is asked for.
    """

    spelling: str = ""
    clock: Clock = NO_ZONE
    arrivals: bool = True
    marks: bool = True


class Piece(NamedTuple):
    """A stretch of a log: lines that begin in ``begin`` to ``end``; an ``end`` of -1 is the log's own."""

    log: Log
    begin: int = 0
    end: int = -1


class Read(NamedTuple):
    """What came of a piece. ``why`` says what kept it from being read, or read to its end; ``mark`` is how it is known again.

    ``skipped`` says that it was read before, and that nothing about connections came since. ``stopped`` is where the last whole line ended, in bytes of text from the log's begin. ``torn`` are bytes after it.
    """

    piece: Piece
    rollup: Rollup = NOTHING
    spelling: str = ""
    mark: Known | None = None
    stopped: int = 0
    torn: int = 0
    skipped: bool = False
    why: str = ""


def finders() -> tuple[Any, Any]:
    """A literal search with SIMD where stringzilla is installed, the standard library's otherwise."""
    try:
        from stringzilla import find, rfind
    except ImportError:
        return PLAIN
    return find, rfind


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
    source = _Blocks(stream, is_file=piece.log.path != STANDARD_INPUT and hasattr(stream, "fileno"))
    block = source.at(0)
    head = block[:HEAD]
    mark = Known(0, piece.log.tag, 0) if piece.log.tag else Known(len(head), digest(head), 0) if ways.marks else None
    until: int = getattr(stream, "until", 0)
    if until and not block:
        return Read(piece, NOTHING, "", mark and mark._replace(bytes=until), until, skipped=True)
    start = max(piece.begin, 0 if piece.log.tag else position(head, known))
    spelling = ways.spelling or sniff(_sample(block)) or ""
    if not spelling:
        return Read(piece, why=source.why or (UNRECOGNISED if block else EMPTY))
    summing = scanner(layout(spelling, ways.clock), piece.log.server, finders(), arrivals=ways.arrivals)
    end_at = piece.end if piece.end >= 0 else 1 << 62
    at, begin = _first_line(source, start, is_cut=start == piece.begin) if start else (0, 0)
    if start >= end_at or begin < 0 or at + begin >= end_at:
        return Read(piece, NOTHING, spelling, mark, start, skipped=True)
    stopped, torn, long = _feed(summing, source, at, begin, end_at)
    rollup = summing.finish()
    if long:
        rollup += Rollup(notes=Notes(too_long=long))
    stopped = until or stopped
    mark = mark and mark._replace(bytes=stopped)
    is_known = start > piece.begin or any(k.digest == piece.log.tag for k in known)
    nothing_new = is_known and not (rollup.notes.lines or rollup.notes.unreadable or rollup.notes.doubtful)
    return Read(piece, rollup, spelling, mark, stopped, torn if piece.end < 0 else 0, nothing_new, source.why)


def _feed(summing: Scanner, source: _Blocks, at: int, begin: int, end_at: int) -> tuple[int, int, int]:
    """Give *summing* the lines that begin at ``at + begin`` and later, but before *end_at*.

    Returns where the last whole line ended, the bytes after it, and how many lines were too long.
    """
    stopped, long, skipping = at + begin, 0, False
    while True:
        block = source.at(at)
        filled = limit = len(block)
        if at + filled > end_at:
            # The last line of this piece begins before its end.
            limit = block.find(b"\n", max(end_at - at - 1, begin)) + 1 or filled
        whole = block.rfind(b"\n", begin, limit) + 1
        if skipping and whole:
            begin, skipping = block.find(b"\n", begin, limit) + 1, False
        if whole > begin:
            summing.feed(block, begin, whole)
            stopped = at + whole
        if at + limit >= end_at and whole == limit:
            return stopped, 0, long
        if filled < BLOCK:
            return stopped, max(at + filled - stopped, 0), long
        after = max(whole, begin)
        if filled - after >= BLOCK - CONTEXT:
            long += not skipping
            at, begin, skipping = at + filled, 0, True
        else:
            last = max(block.rfind(b"\n", 0, max(whole - 1, 0)) + 1, after - CONTEXT // 2, 0)
            at, begin = at + last, after - last


class _Blocks:
    """The bytes of a stream, a block at a time and ever further on; the last one is shorter. ``why`` says what it broke off by.

    Each is an object of its own, because slices of ``bytes`` are cheaper than of anything that is written to again.
    """

    def __init__(self, stream: Stream, *, is_file: bool) -> None:
        self._stream = stream
        self._file = stream.fileno() if is_file else -1  # type: ignore[attr-defined]
        self._at = 0
        self._block = b""
        self.why = ""

    def at(self, position: int) -> bytes:
        """A block from *position* on; of what cannot be read twice, not before the begin of the last one."""
        if self._file >= 0:
            block = os.pread(self._file, BLOCK, position)
            while 0 < len(block) < BLOCK and (more := os.pread(self._file, BLOCK - len(block), position + len(block))):
                block += more  # a file system may give less than there is; only nothing at all is the end
            return block
        while self._at < position and self._block:
            step = min(position - self._at, len(self._block))
            self._block = self._filled(self._block[step:])
            self._at += step
        if not self._block:
            self._block = self._filled(b"")
        return self._block

    def _filled(self, rest: bytes) -> bytes:
        """*rest* and what follows it: pipes and decompressors give less at a time."""
        parts, missing = [rest], BLOCK - len(rest)
        buffer = memoryview(bytearray(missing))
        while missing and not self.why:
            try:
                more = self._stream.readinto(buffer[:missing])
            except Unreadable as error:
                self.why, more = str(error), 0
            if not more:
                break
            parts.append(bytes(buffer[:more]))
            missing -= more
        return b"".join(parts)


def _sample(block: bytes) -> bytes:
    """Lines to recognise a layout by: those about connections, before the first ones."""
    lines: list[bytes] = []
    p = 0
    while len(lines) < 50:
        p = block.find(b"onnection ", p)
        if p < 0:
            break
        e = block.find(b"\n", p)
        e = e if e >= 0 else len(block)
        lines.append(block[block.rfind(b"\n", 0, p) + 1 : e][:8192])
        p = e
    first = block[:CONTEXT].splitlines()[:200]
    return b"\n".join([*(line for line in lines if begins_a_record(line)), *first])


def _first_line(source: _Blocks, start: int, *, is_cut: bool) -> tuple[int, int]:
    """The first line that begins at or after *start*: the position of a block, and where in it; -1 where there is none.

    *is_cut* says that *start* may stand inside a line.
    """
    at = max(start - CONTEXT, 0)
    block = source.at(at)
    if at + len(block) <= start:
        return at, -1
    return at, (block.find(b"\n", start - at - 1) + 1 or -1) if is_cut else start - at
