"""
What every way of scanning a log shares: the sums, the rarer lines, what is seen for the first time, time and text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ._clock import hour_of
from ._layout import ANY_SEVERITY, CSV, JSON, Layout
from ._message import LOCAL, Said, read, read_fatal
from ._rollup import Event, Notes, Rollup, Row, Tail, Tally, add

if TYPE_CHECKING:
    from collections.abc import Callable

    Other = tuple[re.Match[bytes], bytes, Said]
    Find = Callable[[bytes, bytes, int, int], int]

LONGEST = 4096
"""Bytes of the longest message about a connection that is read; PostgreSQL's own stay well below."""

MOST_KEYS = 50_000
"""Distinct messages that are held before they are summed into rows: names may be made up by the thousand."""

MOST_TIMES = 5_000
MOST_SAID = 1_000

# For each layout: what stands in front of a message and before it the severity, and the literal of FATAL.
_NEEDLES: dict[str, tuple[bytes, bytes]] = {
    CSV: (b',"', b",FATAL,"),
    JSON: (b'"message":"', b'"error_severity":"FATAL"'),
}
_IN_TEXT = (b"LOG:  ", b"FATAL:  ")
REPLICATION = b"replication connection auth"

TOLD_BY = 15
"""Bytes into a message that begins with `co`, where its letter tells what it is: connection authOrized, connection receIved."""

OURS = (b"connection authorized: user=", b"connection received: host=")
_TAB = b"\t"[0]
_TIME = 19
_UNKNOWN = (None, b"", b"[unknown]")
_BEGINS = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:|\{\"timestamp\"|[0-9]{10}\.")
_SECOND = re.compile(rb":[0-5][0-9]")
_DOUBLED = re.compile(r'((?:[^"]|"")*)"')
_ESCAPED = re.compile(r'((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Scanner:
    """Sums the blocks of one stretch of a log, fed in order.

    *arrivals* says whether ``connection received`` is counted too, without which nobody who left without a word is seen.
    """

    def __init__(self, how: Layout, server: str, finders: tuple[Find, Find], *, arrivals: bool) -> None:
        self.layout = how
        self.server = server
        self._find, self._rfind = finders
        self._arrivals = arrivals
        self._before, self._fatal = _NEEDLES.get(how.kind, _IN_TEXT)
        self._lead = b'{"timestamp":"' if how.kind == JSON else b""
        self._counts: dict[Any, list[Any]] = {}
        self._rows: dict[Row, Tally] = {}
        self._tails: dict[Tail, int] = {}
        self._first = self._last = ""
        self._texts: dict[bytes, str] = {}
        self._minutes: dict[bytes, str] = {}
        self._saids: dict[Any, Said | None] = {}
        self._zone: bytes | None = None
        self._zoned = b""
        self._bound = b""
        self._bytes = self._lines = self._quoted = self._unreadable = self._doubtful = self._too_long = 0

    def feed(self, block: bytes, begin: int = 0, end: int | None = None) -> None:
        """Sum ``block[begin:end]``, whole lines. What stands before *begin* is only looked at as the line before."""
        end = len(block) if end is None else end
        self._bytes += end - begin
        self._feed(block, begin, end)
        if len(self._counts) > MOST_KEYS:
            self._sum_up()

    def _feed(self, block: bytes, begin: int, end: int) -> None:
        raise NotImplementedError

    def take(self) -> Rollup:
        """What was found since the last call. Open connections stay open: the stretch goes on."""
        self._sum_up()
        rows, tails, notes = self._rows, self._tails, self._notes()
        self._rows, self._tails = {}, {}
        self._bytes = self._lines = self._quoted = self._unreadable = self._doubtful = self._too_long = 0
        return Rollup(rows, {}, tails, notes)

    def finish(self) -> Rollup:
        """What was found since the last ``take``, and what is still open: the stretch ends."""
        return self.take()

    def _notes(self) -> Notes:
        return Notes(self._bytes, self._lines, self._quoted, self._unreadable, self._doubtful, self._too_long)

    # ── the rarer lines ──────────────────────────────────────────────────────────────────────────

    def _read_other(self, block: bytes, begin: int, end: int, p: int, m: int) -> tuple[Other | None, int]:
        """A failed handshake, a broken connection, replication or a refused login; None where it is none of them. And where to go on."""
        s = block.rfind(b"\n", begin, p) + 1 or begin
        kind = self.layout.kind
        if block.startswith(self._fatal, p):
            opening = self.layout.opening
            found = opening.match(block, s, p) if kind == JSON else opening.fullmatch(block, s, p)
            if found is None:
                return None, self._reject(block, s, p, end)
            after = block.find(b"\n", p, end)
            after = end if after < 0 else after
            m = block.find(b'"message":"', p, after) + 11 if kind == JSON else p + (14 if kind == CSV else 8)  # ,FATAL,28000,"
            text = block[m : min(after, m + LONGEST)]
            said = self._said(text, read_fatal)
        else:
            found = self.layout.hit.match(block, s, end)
            message = self.layout.groups.message
            if found is None or found.start(message) != m:
                return None, self._reject(block, s, p, end)
            after, text = found.end(), found[message]
            said = self._said(text)
        if said is None or (said.needs_head and group(found, self.layout.groups.user) not in _UNKNOWN):
            return None, after
        return (found, text, said), after

    # ── the first time that something is seen ────────────────────────────────────────────────────

    def _count(
        self,
        key: Any,
        at: bytes,
        found: re.Match[bytes],
        where: bytes | None,
        text: bytes,
        block: bytes,
        said: Said | None = None,
    ) -> None:
        """Count a line; the long way, for one that is new, or new in this hour, or out of order."""
        zone = self._see_zone(found)
        r, when = self._counts.get(key), self._lead + at
        bound = self._bound_of(when)
        if r is not None and r[3] == bound:
            r[0] += 1
            r[1], r[2] = min(r[1], when), max(r[2], when)
            return
        if not self._utc(at, zone):
            return
        if r is not None:
            self._sum(r)
            r[:4] = 1, when, when, bound
            return
        if len(text) >= LONGEST:
            self._too_long += 1
            return
        if self.layout.kind not in (CSV, JSON) and self._is_doubtful(block, found, text):
            self._doubtful += 1
            return
        said = said or (self._said(text) if text.startswith(OURS[0]) else read(self._text(text)))
        if said is None:
            self._unreadable += 1
            return
        self._counts[key] = [1, when, when, bound, zone, said, columns(said, where)]

    def _next_hour(self, r: list[Any], at: bytes) -> bool:
        """Sum what is known of a client and begin anew, with nothing counted yet; False where *at* is no time."""
        begin = len(self._lead)
        if not self._moment(at[begin : begin + _TIME], r[4]):
            return False
        self._sum(r)
        r[0], r[1], r[3] = 0, at, self._bound_of(at[: begin + _TIME])
        return True

    def _bound_of(self, when: bytes) -> bytes:
        """The bound of an hour, one object for all who are counted in it: so it stays at hand."""
        bound = hour_of(when)
        if bound != self._bound:
            self._bound = bound
        return self._bound

    def _is_doubtful(self, block: bytes, found: re.Match[bytes], text: bytes) -> bool:
        """Whether somebody may have written this line by way of a name: names are written as they are, line ends and all."""
        s = found.start()
        own = found.end() if found.re is self.layout.opening else found.start(self.layout.groups.message) - len(self._before)
        if _names_severity(text) or _names_severity(block[s:own]):
            return True
        before = block.rfind(b"\n", 0, max(s - 1, 0)) + 1
        if before >= s - 1 or not _BEGINS.match(block, before):
            return False
        return self.layout.line.match(block, before, s) is None

    def _reject(self, block: bytes, s: int, p: int, end: int) -> int:
        """Count a literal that was found where it is no message. Returns the end of its line: there is no other message in it."""
        is_line = self.layout.line.match(block, s, end) is not None
        in_fields = self.layout.kind in (CSV, JSON)
        is_quoted = is_line or (not _BEGINS.match(block, s) if in_fields else block[s] == _TAB)
        self._quoted += is_quoted
        self._unreadable += not is_quoted
        e = block.find(b"\n", p, end)
        return end if e < 0 else e

    def _utc(self, at: bytes, zone: bytes) -> str:
        """UTC of a line's time; ``""``, counted as unreadable, where it is none."""
        moment = self._moment(at, zone)
        if not moment:
            self._unreadable += 1
        elif not self._first:
            self._first = moment
        self._last = max(self._last, moment)
        return moment

    def _see_zone(self, found: re.Match[bytes]) -> bytes:
        """The zone of a line. Where it is another than that of the lines before, nothing is known by what they said."""
        zone = group(found, self.layout.groups.zone) or b""
        if zone != self._zone:
            self._sum_up()
            self._texts.clear()
            self._minutes.clear()
            self._zone = zone
            self._zoned = b" " + zone + (b'"' if self.layout.kind == JSON else b",")
        return zone

    def _moment(self, at: bytes, zone: bytes) -> str:
        moment = self._texts.get(at)
        if moment is None:
            minute, second = at[:16], at[16:]
            begun = self._minutes.get(minute) if _SECOND.fullmatch(second) else None
            try:
                moment = begun + second.decode() if begun else self.layout.clock.utc(at, zone)
            except ValueError:
                return ""
            if len(self._texts) > MOST_TIMES:
                self._texts.clear()
                self._minutes.clear()
            self._texts[at] = moment
            if moment[16:].encode() == second:
                self._minutes[minute] = moment[:16]
        return moment

    # ── text ─────────────────────────────────────────────────────────────────────────────────────

    def _said(self, raw: bytes, parse: Callable[[str], Said | None] = read) -> Said | None:
        """What a rarer message says. Each is one of few, over and over."""
        if (parse, raw) not in self._saids:
            if len(self._saids) > MOST_SAID:
                self._saids.clear()
            self._saids[parse, raw] = parse(self._text(raw))
        return self._saids[parse, raw]

    def _text(self, raw: bytes) -> str:
        """A message as it was, out of the quotes or escapes of its layout."""
        text = raw.decode("utf-8", "replace")
        if self.layout.kind == CSV:
            found = _DOUBLED.match(text)
            return (found[1] if found else text).replace('""', '"')
        if self.layout.kind == JSON:
            found = _ESCAPED.match(text)
            return _ESCAPE.sub(_unescape, found[1] if found else text)
        return text.rstrip("\r\n")

    # ── sums ─────────────────────────────────────────────────────────────────────────────────────

    def _sum_up(self) -> None:
        for r in self._counts.values():
            self._sum(r)
        self._counts.clear()

    def _sum(self, r: list[Any]) -> None:
        count, first, last, _, zone, _, columns = r
        begin = len(self._lead)
        first, last = first[begin : begin + _TIME], last[begin : begin + _TIME]
        begun = self._moment(first, zone) or self._moment(last, zone)
        row = Row._make((self.server, begun[:13], *columns))
        add(self._rows, row, Tally(count, begun, self._moment(last, zone) or begun))


def columns(said: Said, where: bytes | None) -> tuple[str, ...]:
    """A row without its server and hour."""
    address = said.address or address_of(where)
    encryption = LOCAL if address == LOCAL and said.event is Event.SESSION else said.encryption
    return (
        address, said.user, said.database, said.application, said.event.value, encryption, said.protocol, said.cipher, said.cause
    )  # fmt: skip


def _names_severity(text: bytes) -> bool:
    return b":  " in text and ANY_SEVERITY.search(text) is not None


def address_of(raw: bytes | None) -> str:
    return LOCAL if raw == b"[local]" else (raw or b"").decode("utf-8", "replace")


def group(found: re.Match[bytes], number: int) -> bytes | None:
    """What the group of this number took; None where a layout has none."""
    return found[number] if number else None


def _unescape(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else _CONTROLS.get(escape[2], escape[2])
