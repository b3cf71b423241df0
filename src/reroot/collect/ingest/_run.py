"""
All logs → one rollup: in this process, over several, or as one shard of many on many machines. The same answer, to the row.

Logs are cut into pieces, plain ones of gigabytes into several; a piece is what one process, one shard or one Spark task reads.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InputError
from ...logs import Rollup, total
from ._objects import STANDARD_INPUT, Known, Log, kind
from ._read import Piece, Read, Ways, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PIECE = 256 << 20
"""Bytes of a piece: the same on every machine, so that shards agree on who reads what."""

LARGEST = 1 << 30
"""Bytes of a piece where processes of one machine take turns: each piece has a start to pay for, and the last one is waited for."""

WHOLE = 1 << 62
"""… where nobody shares the work: each log is one."""

SMALLEST = 16 << 20
"""Bytes below which another process costs more than it brings."""


class Ingested(NamedTuple):
    """A rollup, not yet settled, with what became of each piece; ``shard`` is (number, of how many)."""

    rollup: Rollup
    reads: tuple[Read, ...]
    shards: tuple[tuple[int, int], ...] = ((1, 1),)

    @property
    def unread(self) -> tuple[Read, ...]:
        return tuple(r for r in self.reads if r.why)

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of the shards that are not in it."""
        of = {n for _, n in self.shards}
        return tuple(sorted(set(range(1, max(of) + 1)) - {k for k, _ in self.shards}))

    @property
    def is_complete(self) -> bool:
        notes = self.rollup.notes
        return not (self.unread or self.missing or notes.unreadable or notes.doubtful)


def pieces(logs: Sequence[Log], size: int = PIECE) -> Iterator[Piece]:
    """What there is to read. A compressed log is one piece: nobody can begin in its middle."""
    for log in logs:
        try:
            length = 0 if log.path == STANDARD_INPUT or kind(log.path) != "plain" else os.path.getsize(log.path)
        except OSError:
            length = 0  # said when it is read
        if length <= size:
            yield Piece(log)
            continue
        cuts = [*range(0, length - size // 2, size)]
        for begin, end in zip(cuts, [*cuts[1:], -1], strict=True):
            yield Piece(log, begin, end)


def ingest(
    logs: Sequence[Log],
    ways: Ways | None = None,
    known: Sequence[Known] = (),
    *,
    processes: int = 1,
    shard: tuple[int, int] = (1, 1),
) -> Ingested:
    """Read *logs*, or the part of them that falls to *shard*; what *known* says was counted before is not counted again."""
    ways = ways or Ways()
    number, of = shard
    if not 1 <= number <= of:
        raise InputError(f"there is no shard `{number}/{of}`", hint="the first of 64 is `--shard 1/64`, the last `--shard 64/64`")
    size = PIECE if of > 1 else WHOLE if processes == 1 else max(SMALLEST, _even(logs, processes))
    mine = [piece for n, piece in enumerate(pieces(logs, size)) if n % of == number - 1]
    processes = min(processes, len(mine))
    if processes > 1:
        from ._share import shared

        return shared(mine, ways, known, processes)._replace(shards=(shard,))
    return summed(read(piece, ways, known) for piece in mine)._replace(shards=(shard,))


def summed(reads: Iterable[Read]) -> Ingested:
    """One rollup of many pieces; of each piece only what it says about itself is kept."""
    found: list[Read] = []

    def rollups() -> Iterator[Rollup]:
        for one in reads:
            found.append(one._replace(rollup=Rollup(notes=one.rollup.notes)))
            yield one.rollup

    return Ingested(total(rollups()), tuple(found))


def _even(logs: Sequence[Log], processes: int) -> int:
    whole = sum(os.path.getsize(log.path) for log in logs if log.path != STANDARD_INPUT and os.path.isfile(log.path))
    return min(LARGEST, whole // processes + 1)
