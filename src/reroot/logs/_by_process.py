"""
Lines that do not say where they come from: they are tied to the ``connection received`` before them by their process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._message import read
from ._rollup import PATIENCE, Head, Row, Tail, Tally, add, seconds_between
from ._scanner import OURS, REPLICATION, TOLD_BY, Scanner, address_of, columns, group

if TYPE_CHECKING:
    from ._layout import Layout
    from ._message import Said
    from ._rollup import Rollup
    from ._scanner import Find

MOST_OPEN = 20_000
"""Connections that are held open before the old ones, of which nothing more can come, are let go."""

_N, _O, _I, _C = b"noic"
_WANTED = (_O, _I)
_RECEIVED = OURS[1]


class ByProcess(Scanner):
    """The sums of lines that are tied to their connection by process."""

    def __init__(self, how: Layout, server: str, finders: tuple[Find, Find], *, arrivals: bool) -> None:
        super().__init__(how, server, finders, arrivals=arrivals)
        self._needles = self._before + b"co", self._before + REPLICATION, self._fatal
        self._open: dict[bytes, tuple[str, bytes]] = {}
        self._known: set[bytes] = set()

    def finish(self) -> Rollup:
        heads: dict[Head, int] = {}
        for pid, (at, address) in self._open.items():
            if seconds_between(at, self._last) <= PATIENCE:
                heads[Head(self.server, pid.decode(), at, address_of(address))] = 1
        return self.take()._replace(heads=heads)

    def _feed(self, block: bytes, begin: int, end: int) -> None:
        find, skip = self._find, len(self._before)
        positions = []
        for needle in self._needles:
            p = find(block, needle, begin, end)
            while p >= 0:
                positions.append(p)
                p = find(block, needle, p + skip, end)
        positions.sort()
        time, message, own, process = self.layout.groups[:4]
        rfind, hit, counts, texts, after = block.rfind, self.layout.hit.match, self._counts, self._texts, begin
        for p in positions:
            m = p + skip
            if p < after or m + TOLD_BY >= end:
                continue
            letter = block[m + TOLD_BY] if block[m + 2] == _N and block[m] == _C else 0
            if letter in _WANTED:
                s = rfind(b"\n", begin, p) + 1 or begin
                found = hit(block, s, end)
                if found is None or found.start(message) != m:
                    after = self._reject(block, s, p, end)
                    continue
                after = found.end()
                at, pid, text = found.group(time, process, message)
                moment = texts.get(at) or self._utc(at, self._see_zone(found))
                if not moment:
                    continue
                self._lines += 1
                if letter == _I:
                    where = text[len(_RECEIVED) :].split(b" ", 1)[0]
                    self._open[pid] = moment, where
                    key: Any = where
                else:
                    head = self._head_of(pid, moment)
                    where = found[own] if own else head[1] if head else None
                    if where is None:
                        self._tail(pid, moment, read(self._text(text)))
                        continue
                    key = (where, text)
                r = counts.get(key)
                if r is not None and r[2] <= at < r[3]:
                    r[0] += 1
                    r[2] = at
                elif self._arrivals or letter == _O:
                    self._count(key, at, found, where, text, block)
            elif letter == 0:
                after = self._count_other(block, begin, end, p, m)
        if len(self._open) > MOST_OPEN:
            self._open = {p: o for p, o in self._open.items() if seconds_between(o[0], self._last) <= PATIENCE}

    def _count_other(self, block: bytes, begin: int, end: int, p: int, m: int) -> int:
        """Count one of the rarer lines, whose message begins at *m*. Returns where to go on."""
        other, after = self._read_other(block, begin, end, p, m)
        if other is None:
            return after
        found, text, said = other
        time, _, address, process = self.layout.groups[:4]
        pid, at = group(found, process) or b"", found[time]
        moment = self._texts.get(at) or self._utc(at, self._see_zone(found))
        if not moment:
            return after
        was_known = pid in self._known
        head = self._head_of(pid, moment)
        where = group(found, address) or (head[1] if head else None)
        if head is None and said.needs_head:
            if not was_known:
                self._tail(pid, moment, said)
            return after
        self._lines += 1
        if where is None and not said.address:
            self._tail(pid, moment, said)
        else:
            self._count((where, text, said.event), at, found, where, text, block, said)
        return after

    def _head_of(self, pid: bytes, moment: str) -> tuple[str, bytes] | None:
        """The connection that this line is about, if it was received in this stretch; it is taken out."""
        if self._is_early(moment):
            self._known.add(pid)
        head = self._open.pop(pid, None)
        if head is not None and head[0][:15] != moment[:15] and not 0 <= seconds_between(head[0], moment) <= PATIENCE:
            return None
        return head

    def _is_early(self, moment: str) -> bool:
        """Whether a line may belong to a connection that was received before this stretch began."""
        return moment[:13] <= self._first[:13] or seconds_between(self._first, moment) <= PATIENCE

    def _tail(self, pid: bytes, moment: str, said: Said | None) -> None:
        if said is None:
            self._unreadable += 1
            return
        row = Row._make((self.server, moment[:13], *columns(said, None)))
        if seconds_between(self._first, moment) <= PATIENCE:
            tail = Tail(self.server, pid.decode(), moment, row, said.needs_head)
            self._tails[tail] = self._tails.get(tail, 0) + 1
        elif not said.needs_head:
            add(self._rows, row, Tally(1, moment, moment))
