"""
Lines that say where they come from: RDS, csvlog, jsonlog and every prefix with `%r` or `%h` and `%u`.

``_feed`` is the hot path: what it costs for each line that counts is what a dense log costs (``bench/logs.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._layout import CSV, JSON
from ._scanner import OURS, REPLICATION, TOLD_BY, Scanner, group

if TYPE_CHECKING:
    from ._layout import Layout
    from ._scanner import Find

_LOGIN = b"connection auth"
_U, _O, _I = b"uoi"


class Addressed(Scanner):
    """The sums of lines that tell their client's address."""

    def __init__(self, how: Layout, server: str, finders: tuple[Find, Find], *, arrivals: bool) -> None:
        super().__init__(how, server, finders, arrivals=arrivals)
        self._in_fields = {CSV: self._tell_csv, JSON: self._tell_json}.get(how.kind)
        self._stamp, self._colons = how.fixed
        if arrivals:
            self._needles = self._before + b"co", self._before + REPLICATION, self._fatal
        else:
            self._needles = _LOGIN, self._before + b"could not ", self._fatal

    def _feed(self, block: bytes, begin: int, end: int) -> None:
        """The hot loop. A client that was seen in this hour, in the same words, is known again by bytes; all else goes the long way."""
        find, rfind, known, before = self._find, self._rfind, self._counts.get, self._before
        in_fields, stamp, colons = self._in_fields, self._stamp, self._colons
        needle, skip, lines = self._needles[0], len(before), 0
        # Without arrivals what is looked for stands behind what stands before a message, so that replication is found in one go.
        back = 0 if self._arrivals else skip
        ahead = skip - back
        tells = ahead + TOLD_BY
        login, arrival = _O, _I if self._arrivals else -1
        limit = max(end - tells + len(needle) - 1, 0)
        p = find(block, needle, begin, limit)
        while p >= 0:
            letter = block[p + tells]
            if letter == login or letter == arrival:  # noqa: SIM109 (twice as fast as a tuple)
                if back:
                    if block[p - back : p] != before:
                        p = find(block, needle, self._find_out(block, begin, end, p), limit)
                        continue
                    p -= back
                s = rfind(block, b"\n", begin, p) + 1 or begin
                if in_fields is None:
                    # Zone and address stand between the time and the port. Behind the port are as many colons as the prefix has
                    # of its own, so there is no other severity in between: no statement, and nothing that somebody made up.
                    at, _, rest = block[s:p].partition(b"(")
                    where = at[stamp:] if rest.count(b":") == colons else b""
                else:
                    at, where = in_fields(block[s:p])
                if letter == login:
                    e = find(block, b"\n", p, end)
                    r = known((where, block[p + skip : e]))
                else:
                    e = p + tells
                    r = known(where)
                if r is None or at < r[2]:
                    e = self._count_line(block, begin, end, s, p, where)
                elif at < r[3] or self._next_hour(r, at):
                    r[0] += 1
                    r[2] = at
                    lines += 1
                else:
                    e = self._count_line(block, begin, end, s, p, where)
            elif block[p + ahead + 2] == _U:
                e = self._count_other(block, begin, end, p, p + skip)
            else:
                e = p + tells
            p = find(block, needle, e, limit)
        self._lines += lines
        for needle in self._needles[1:]:
            p = find(block, needle, begin, end)
            while p >= 0:
                p = find(block, needle, self._count_other(block, begin, end, p, p + skip), end)

    def _find_out(self, block: bytes, begin: int, end: int, p: int) -> int:
        """A login's words that no message begins with: replication's, or somebody's text. Returns where to go on."""
        m = p - len(REPLICATION) + len(_LOGIN)
        if block.startswith(self._before + REPLICATION, m - len(self._before)):
            return self._count_other(block, begin, end, m - len(self._before), m)
        return p + len(_LOGIN)

    def _tell_csv(self, head: bytes) -> tuple[bytes, bytes]:
        """The begin of a record and its address. Quotes in a field are doubled, so from the right the fields are the server's own."""
        parts = head.rsplit(b'"', 4)
        if len(parts) == 5 and parts[0].startswith(self._zoned, 23) and parts[4].endswith(b",LOG,00000"):
            return parts[0], parts[1].rpartition(b":")[0]
        return b"", b""

    def _tell_json(self, head: bytes) -> tuple[bytes, bytes]:
        """The begin of a record and its address. Quotes in a value are escaped, so a key in quotes is a key."""
        at, _, rest = head.partition(b'"remote_host":"')
        if at.startswith(self._zoned, 37) and rest.endswith(b'"error_severity":"LOG",'):
            return at, rest.partition(b'"')[0]
        return b"", b""

    def _count_line(self, block: bytes, begin: int, end: int, s: int, p: int, where: bytes) -> int:
        """The long way: a line that is new, new in this hour, out of order, or none of ours. Returns where to go on."""
        found = self.layout.hit.match(block, s, end)
        time, message, address = self.layout.groups[:3]
        if found is None or found.start(message) != p + len(self._before):
            return self._reject(block, s, p, end)
        at, own, text = found.group(time, address, message)
        if text.startswith(OURS):
            self._lines += 1
            who = where if own and where.endswith(own) else own
            self._count((who, text) if text.startswith(OURS[0]) else who, at, found, own, text, block)
        return found.end()

    def _count_other(self, block: bytes, begin: int, end: int, p: int, m: int) -> int:
        """Count one of the rarer lines, whose message begins at *m*. Returns where to go on."""
        other, after = self._read_other(block, begin, end, p, m)
        if other is not None:
            found, text, said = other
            self._lines += 1
            at, where = found[self.layout.groups.time], group(found, self.layout.groups.address)
            self._count((where, text, said.event), at, found, where, text, block, said)
        return after
