"""
Blocks of log → a rollup. The literals first, a pattern only on what they find, parsing only once for equal lines.

``Scanner.feed`` is the hot path: what it costs for each line that counts is what a dense log costs (``bench/logs.py``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ._clock import hour_of
from ._layout import ANY_SEVERITY, CSV, JSON, Layout, layout
from ._message import LOCAL, Said, read, read_fatal
from ._rollup import PATIENCE, Event, Head, Notes, Rollup, Row, Tail, Tally, add, seconds_between

if TYPE_CHECKING:
    from collections.abc import Callable

    Find = Callable[[bytes, bytes, int, int], int]

PLAIN: tuple[Find, Find] = (bytes.find, bytes.rfind)
"""How literals are found, forwards and backwards, or faster functions of the same meaning: block, literal, begin, end → position or -1."""

LONGEST = 4096
"""Bytes of the longest message about a connection that is read; PostgreSQL's own stay well below."""

MOST_KEYS = 50_000
"""Distinct messages that are held before they are summed into rows: names may be made up by the thousand."""

MOST_TIMES = 5_000
MOST_SAID = 1_000

MOST_OPEN = 20_000
"""Connections that are held open before the old ones, of which nothing more can come, are let go."""

# For each layout: what stands in front of a message and before it the severity, and the literal of FATAL.
_NEEDLES: dict[str, tuple[bytes, bytes]] = {
    CSV: (b',"', b",FATAL,"),
    JSON: (b'"message":"', b'"error_severity":"FATAL"'),
}
_IN_TEXT = (b"LOG:  ", b"FATAL:  ")
_ARRIVALS = (b"co", b"replication connection auth")
_NO_ARRIVALS = (b"connection auth", b"could not ", b"replication connection auth")

_N, _U, _O, _I, _C, _TAB = b"nuoic\t"
_WANTED = (_O, _I)
_TOLD_BY = 15
"""Bytes into a message that begins with `co`, where its letter tells what it is: connection authOrized, connection receIved."""

_OURS = (b"connection authorized: user=", b"connection received: host=")
_RECEIVED = b"connection received: host="
_TIME = 19
_UNKNOWN = (None, b"", b"[unknown]")
_BEGINS = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:|\{\"timestamp\"|[0-9]{10}\.")
_SECOND = re.compile(rb":[0-5][0-9]")
_DOUBLED = re.compile(r'((?:[^"]|"")*)"')
_ESCAPED = re.compile(r'((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def rollup(chunk: bytes, how: Layout | str, server: str = "") -> Rollup:
    """The sum of *chunk*, whole lines of one server's log written in the layout *how*."""
    scanner = Scanner(how if isinstance(how, Layout) else layout(how), server)
    scanner.feed(chunk if chunk.endswith(b"\n") or not chunk else chunk + b"\n")
    return scanner.finish()


class Scanner:
    """Sums the blocks of one stretch of a log, fed in order.

    *arrivals* says whether ``connection received`` is counted too, without which nobody who left without a word is seen.
    """

    def __init__(self, how: Layout, server: str = "", finders: tuple[Find, Find] = PLAIN, *, arrivals: bool = True) -> None:
        self.layout = how
        self.server = server
        self._find, self._rfind = finders
        self._arrivals = arrivals
        before, self._fatal = _NEEDLES.get(how.kind, _IN_TEXT)
        self._skip = len(before)
        begins = _ARRIVALS if arrivals or how.by_process else _NO_ARRIVALS
        self._needles = *(before + begin for begin in begins), self._fatal
        self._in_fields = {CSV: self._tell_csv, JSON: self._tell_json}.get(how.kind)
        self._stamp, self._colons = how.fixed
        self._lead = b'{"timestamp":"' if how.kind == JSON else b""
        self._counts: dict[Any, list[Any]] = {}
        self._rows: dict[Row, Tally] = {}
        self._tails: dict[Tail, int] = {}
        self._open: dict[bytes, tuple[str, bytes]] = {}
        self._known: set[bytes] = set()
        self._first = self._last = ""
        self._texts: dict[bytes, str] = {}
        self._minutes: dict[bytes, str] = {}
        self._saids: dict[Any, Said | None] = {}
        self._zone: bytes | None = None
        self._zoned = b""
        self._bytes = self._lines = self._quoted = self._unreadable = self._doubtful = self._too_long = 0

    def feed(self, block: bytes, begin: int = 0, end: int | None = None) -> None:
        """Sum ``block[begin:end]``, whole lines. What stands before *begin* is only looked at as the line before."""
        end = len(block) if end is None else end
        self._bytes += end - begin
        if self.layout.by_process:
            self._feed_by_process(block, begin, end)
        else:
            self._feed_addressed(block, begin, end)
        if len(self._counts) > MOST_KEYS:
            self._sum_up()
        if len(self._open) > MOST_OPEN:
            self._open = {p: o for p, o in self._open.items() if seconds_between(o[0], self._last) <= PATIENCE}

    def take(self) -> Rollup:
        """What was found since the last call. Open connections stay open: the stretch goes on."""
        self._sum_up()
        rows, tails, notes = self._rows, self._tails, self._notes()
        self._rows, self._tails = {}, {}
        self._bytes = self._lines = self._quoted = self._unreadable = self._doubtful = self._too_long = 0
        return Rollup(rows, {}, tails, notes)

    def finish(self) -> Rollup:
        """What was found since the last ``take``, and what is still open: the stretch ends."""
        heads: dict[Head, int] = {}
        for pid, (at, address) in self._open.items():
            if seconds_between(at, self._last) <= PATIENCE:
                heads[Head(self.server, pid.decode(), at, _address(address))] = 1
        found = self.take()
        return Rollup(found.rows, heads, found.tails, found.notes)

    def _notes(self) -> Notes:
        return Notes(self._bytes, self._lines, self._quoted, self._unreadable, self._doubtful, self._too_long)

    # ── lines that say where they come from ──────────────────────────────────────────────────────

    def _feed_addressed(self, block: bytes, begin: int, end: int) -> None:
        """The hot loop. A client that was seen in this hour, in the same words, is known again by bytes; all else goes the long way."""
        find, rfind, known, skip = self._find, self._rfind, self._counts.get, self._skip
        in_fields, stamp, colons = self._in_fields, self._stamp, self._colons
        needle, tells, lines = self._needles[0], skip + _TOLD_BY, 0
        login, arrival = _O, _I if self._arrivals else -1
        limit = max(end - tells + len(needle) - 1, 0)
        p = find(block, needle, begin, limit)
        while p >= 0:
            letter = block[p + tells]
            if letter == login or letter == arrival:  # noqa: SIM109 (twice as fast as a tuple)
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
            elif block[p + skip + 2] == _U:
                e = self._other(block, begin, end, p, p + skip)
            else:
                e = p + tells
            p = find(block, needle, e, limit)
        self._lines += lines
        for needle in self._needles[1:]:
            p = find(block, needle, begin, end)
            while p >= 0:
                p = find(block, needle, self._other(block, begin, end, p, p + skip), end)

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
        if found is None or found.start("message") != p + self._skip:
            return self._reject(block, s, p, end)
        time, message, address, _ = self.layout.groups
        at, own, text = found.group(time, address, message)
        if text.startswith(_OURS):
            self._lines += 1
            who = where if own and where.endswith(own) else own
            self._count((who, text) if text.startswith(_OURS[0]) else who, at, found, own, text, block)
        return found.end()

    def _other(self, block: bytes, begin: int, end: int, p: int, m: int) -> int:
        """The rarer lines: failed handshakes, broken connections, replication, refused logins. Returns where to go on."""
        found, text, said, after = self._read_other(block, begin, end, p, m)
        if found is None or said is None or (said.needs_head and _group(found, "user") not in _UNKNOWN):
            return after
        self._lines += 1
        at, where = found.group(self.layout.groups[0]), _group(found, "address")
        self._count((where, text, said.event), at, found, where, text, block, said)
        return after

    def _read_other(
        self, block: bytes, begin: int, end: int, p: int, m: int
    ) -> tuple[re.Match[bytes] | None, bytes, Said | None, int]:
        s = block.rfind(b"\n", begin, p) + 1 or begin
        kind = self.layout.kind
        if not block.startswith(self._fatal, p):
            found = self.layout.hit.match(block, s, end)
            if found is None or found.start("message") != m:
                return None, b"", None, self._reject(block, s, p, end)
            text = found["message"]
            return found, text, self._said(text), found.end()
        opening = self.layout.opening
        found = opening.match(block, s, p) if kind == JSON else opening.fullmatch(block, s, p)
        if found is None:
            return None, b"", None, self._reject(block, s, p, end)
        e = block.find(b"\n", p, end)
        e = end if e < 0 else e
        m = block.find(b'"message":"', p, e) + 11 if kind == JSON else p + (14 if kind == CSV else 8)  # ,FATAL,28000,"
        text = block[m : min(e, m + LONGEST)]
        return found, text, self._said(text, read_fatal), e

    # ── lines that are tied to their connection by process ───────────────────────────────────────

    def _feed_by_process(self, block: bytes, begin: int, end: int) -> None:
        find, skip = self._find, self._skip
        positions = []
        for needle in self._needles:
            p = find(block, needle, begin, end)
            while p >= 0:
                positions.append(p)
                p = find(block, needle, p + skip, end)
        positions.sort()
        time, message, own, process = self.layout.groups
        rfind, hit, counts, texts, after = block.rfind, self.layout.hit.match, self._counts, self._texts, begin
        for p in positions:
            m = p + skip
            if p < after or m + 16 > end:
                continue
            letter = block[m + 15] if block[m + 2] == _N and block[m] == _C else 0
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
                after = self._other_by_process(block, begin, end, p, m)

    def _other_by_process(self, block: bytes, begin: int, end: int, p: int, m: int) -> int:
        found, text, said, after = self._read_other(block, begin, end, p, m)
        if found is None or said is None or (said.needs_head and _group(found, "user") not in _UNKNOWN):
            return after
        pid = _group(found, "pid") or _group(found, "process") or b""
        at = found.group(self.layout.groups[0])
        moment = self._texts.get(at) or self._utc(at, self._see_zone(found))
        if not moment:
            return after
        was_known = pid in self._known
        head = self._head_of(pid, moment)
        where = _group(found, "address") or (head[1] if head else None)
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
        row = Row._make((self.server, moment[:13], *_columns(said, None)))
        if seconds_between(self._first, moment) <= PATIENCE:
            tail = Tail(self.server, pid.decode(), moment, row, said.needs_head)
            self._tails[tail] = self._tails.get(tail, 0) + 1
        elif not said.needs_head:
            add(self._rows, row, Tally(1, moment, moment))

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
        bound = hour_of(when)
        if r is not None and r[3] == bound:
            r[0] += 1
            r[1], r[2] = min(r[1], when), max(r[2], when)
            return
        if not self._utc(at, zone):
            return
        if r is not None:
            self._sum(r)
            said = r[5]
        elif len(text) >= LONGEST:
            self._too_long += 1
            return
        elif self.layout.kind not in (CSV, JSON) and self._is_doubtful(block, found, text):
            self._doubtful += 1
            return
        said = said or (self._said(text) if text.startswith(_OURS[0]) else read(self._text(text)))
        if said is None:
            self._unreadable += 1
            return
        self._counts[key] = [1, when, when, bound, zone, said, _columns(said, where)]

    def _next_hour(self, r: list[Any], at: bytes) -> bool:
        """Sum what is known of a client and begin anew, with nothing counted yet; False where *at* is no time."""
        begin = len(self._lead)
        if not self._moment(at[begin : begin + _TIME], r[4]):
            return False
        self._sum(r)
        r[0], r[1], r[3] = 0, at, hour_of(at[: begin + _TIME])
        return True

    def _is_doubtful(self, block: bytes, found: re.Match[bytes], text: bytes) -> bool:
        """Whether somebody may have written this line by way of a name: names are written as they are, line ends and all."""
        s = found.start()
        own = found.start("message") - self._skip if "message" in found.re.groupindex else found.end()
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
        zone = _group(found, "zone") or _group(found, "offset") or b""
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


def _columns(said: Said, where: bytes | None) -> tuple[str, ...]:
    """A row without its server and hour."""
    address = said.address or _address(where)
    encryption = LOCAL if address == LOCAL and said.event is Event.SESSION else said.encryption
    return (
        address, said.user, said.database, said.application, said.event.value, encryption, said.protocol, said.cipher, said.cause
    )  # fmt: skip


def _names_severity(text: bytes) -> bool:
    return b":  " in text and ANY_SEVERITY.search(text) is not None


def _address(raw: bytes | None) -> str:
    return LOCAL if raw == b"[local]" else (raw or b"").decode("utf-8", "replace")


def _group(found: re.Match[bytes], name: str) -> bytes | None:
    return found[name] if name in found.re.groupindex else None


def _unescape(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else _CONTROLS.get(escape[2], escape[2])
