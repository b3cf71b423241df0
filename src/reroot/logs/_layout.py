"""
How a log writes its lines: stderr with any ``log_line_prefix``, csvlog, jsonlog, or syslog around a prefix.

``layout("%m [%p] %q%u@%d ")`` is one for stderr, ``layout("csvlog")``, ``layout("jsonlog")`` and ``layout("syslog:%q%u@%d ")`` are
the others, and ``cloudwatch:`` before a prefix is an export of CloudWatch; ``sniff`` recognises the usual ones by their first lines. Source: ``src/backend/utils/error/elog.c``, ``csvlog.c`` and
``jsonlog.c`` of PostgreSQL 11 to 18.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import NamedTuple

from ..errors import InputError
from ._clock import NO_ZONE, Clock

RDS = "%t:%r:%u@%d:[%p]:"
"""The fixed prefix of Amazon RDS and Aurora."""

CSV = "csvlog"
JSON = "jsonlog"
SYSLOG = "syslog:"
EXPORTED = "cloudwatch:"

USUAL = (
    RDS,
    "%m [%p] %q%u@%d ",
    "%m [%p] ",
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d,client=%h ",
    "%m [%p] %q%u@%d/%a ",
    "%m [%p] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p] %q%u@%d ",
    "%t [%p] ",
)
"""Prefixes that are tried, in this order, when none is given: RDS, Debian, PostgreSQL's own default, pgBadger's advice …"""

SEVERITIES = rb"DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|LOCATION|STATEMENT|BACKTRACE"
ANY_SEVERITY = re.compile(rb"(?:" + SEVERITIES + rb"):  ")

# Nineteen characters: whether they are a date is asked once for each distinct line, not for every one.
_DATE = rb".{19}"
_ZONE = rb"[A-Za-z0-9+<>-]{1,8}"
_TEXT = rb".{0,255}?"
ESCAPES: dict[str, tuple[str, bytes]] = {
    "t": ("time", rb"(?P<time>" + _DATE + rb") (?P<zone>" + _ZONE + rb")"),
    "m": ("time", rb"(?P<time>" + _DATE + rb")\.[0-9]{3} (?P<zone>" + _ZONE + rb")"),
    "n": ("time", rb"(?P<time>[0-9]{9,11})\.[0-9]{3}"),
    "p": ("pid", rb"(?P<pid>[0-9]+)"),
    "r": ("address", rb"(?P<address>[^ (]*)(?:\([0-9]+\))?"),
    "h": ("address", rb"(?P<address>[^ (\n]*?)"),
    "u": ("user", rb"(?P<user>" + _TEXT + rb")"),
    "d": ("", _TEXT),
    "a": ("", _TEXT),
    "b": ("", rb"[a-z ]*"),
    "i": ("", rb"[A-Za-z -]*"),
    "e": ("", rb"[0-9A-Z]{5}"),
    "c": ("", rb"[0-9a-f]+\.[0-9a-f]+"),
    "l": ("", rb"[0-9]+"),
    "s": ("", _DATE + rb" " + _ZONE),
    "v": ("", rb"[0-9/-]*"),
    "x": ("", rb"[0-9]*"),
    "P": ("", rb"[0-9]*"),
    "Q": ("", rb"-?[0-9]*"),
    "L": ("", rb"[^ \n]*"),
}
"""What each escape of ``log_line_prefix`` may become, and what is read from it. Text that a client chooses ends where the rest fits."""

_ESCAPE = re.compile(r"%(-?[0-9]*)(.)")

# Quotes inside a quoted field are doubled, so text in a field cannot end it; the columns up to the message are those of 11 to 18.
_QUOTED = rb'"[^"\n]*(?:""[^"\n]*)*"'
_CSV = (
    rb"(?P<time>" + _DATE + rb")\.[0-9]{3} (?P<zone>" + _ZONE + rb"),(?P<user>(?:" + _QUOTED + rb")?),(?:" + _QUOTED + rb")?,"
    rb'(?P<pid>[0-9]*),(?:"(?P<address>[^"\n]*?)(?::[0-9]+)?")?,[0-9a-f.]*,[0-9]*,(?:' + _QUOTED + rb")?,[^,\"\n]*,[^,\"\n]*,[0-9]*"
)  # fmt: skip
_STRING = rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_JSON = (
    rb'\{"timestamp":"(?P<time>' + _DATE + rb")\.[0-9]{3} (?P<zone>" + _ZONE + rb')"(?:,"user":(?P<user>' + _STRING + rb"))?"
    rb'(?:,"dbname":' + _STRING + rb')?,"pid":(?P<pid>[0-9]+)(?:,"remote_host":"(?P<address>[^"\n]*)")?'
)
_STAMP = (
    rb"(?P<stamp>[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
    rb"(?:\.[0-9]+)?(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
# A message is cut into numbered pieces, and only the first begins with what the server says; the rest may be anybody's text.
_SYSLOG = (
    rb"(?:<[0-9]{1,3}>(?:1 )?)?" + _STAMP + rb" [^ \n]+ [^ \[\n]+(?:\[(?P<process>[0-9]+)\]:| [0-9]+ - -) "
    rb"\[[0-9]+-1\] "
)
_SYSLOG_MORE = _SYSLOG.replace(rb"-1\] ", rb"-(?:[2-9]|1[0-9])[0-9]*\] ")
# What an export of CloudWatch to S3 writes before each record, in front of the record's own prefix.
_EXPORTED = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z "
_BEGINS = re.compile(rb'\{"timestamp":|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:|<[0-9]{1,3}>|[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:')
IN_SYSLOG = ("%q%u@%d %r ", "[%p] %q%u@%d ", "%m [%p] %q%u@%d ", "%q%u@%d ", "")


class Groups(NamedTuple):
    """Numbers of the groups of ``hit``, and but for ``message`` of ``opening``; 0 where a layout has none."""

    time: int
    message: int
    address: int
    process: int
    zone: int
    user: int


class Layout:
    """One way to write lines; its patterns are compiled when they are asked for, because most of a start is spent on those.

    ``opening`` matches from a line's start to the severity, or to the last column before it; ``hit`` from a line's start to the end
    of a line about a connection, whose message is its group ``message``; ``line`` any line of the log, up to its severity.
    ``by_process`` says that lines do not tell where they come from, or whether the client had said who it is, so that they are tied
    together by process id.
    """

    def __init__(self, spelling: str, kind: str, opening: bytes, hit: bytes, line: bytes, by_process: bool, clock: Clock) -> None:
        self.spelling = spelling
        self.kind = kind
        self.by_process = by_process
        self.clock = clock
        self._patterns = opening, opening + hit, line

    @cached_property
    def opening(self) -> re.Pattern[bytes]:
        return re.compile(self._patterns[0])

    @cached_property
    def hit(self) -> re.Pattern[bytes]:
        return re.compile(self._patterns[1])

    @cached_property
    def line(self) -> re.Pattern[bytes]:
        return re.compile(self._patterns[2])

    @cached_property
    def fixed(self) -> tuple[int, int]:
        """Where the time is followed by the address at once: the time's length, and the colons between address and message; else no colons' number."""
        begins = re.match(r"%([tm])[^%(]*%r(.*)", self.spelling, re.DOTALL)
        if self.kind != "stderr" or begins is None:
            return 0, -1
        return 23 if begins[1] == "m" else 19, begins[2].count(":") + 2 * len(re.findall(r"%-?[0-9]*[tms]", begins[2]))

    @cached_property
    def groups(self) -> Groups:
        index = self.hit.groupindex
        return Groups(
            index.get("time") or index["stamp"],
            index["message"],
            index.get("address", 0),
            index.get("pid") or index.get("process", 0),
            index.get("zone") or index.get("offset", 0),
            index.get("user", 0),
        )


@lru_cache(maxsize=64)
def layout(spelling: str, clock: Clock = NO_ZONE) -> Layout:
    """The layout that *spelling* names: a ``log_line_prefix``, ``csvlog``, ``jsonlog``, or ``syslog:`` and a prefix."""
    if spelling == CSV:
        return Layout(spelling, CSV, _CSV, rb',LOG,[0-9A-Z]{5},"(?P<message>(?:co|re).*)', _CSV, False, clock)
    if spelling == JSON:
        return Layout(spelling, JSON, _JSON, rb'.*?"message":"(?P<message>(?:co|re).*)', _JSON, False, clock)
    is_syslog = spelling.startswith(SYSLOG)
    is_exported = spelling.startswith(EXPORTED)
    always, sessions, names = _prefix(spelling.removeprefix(EXPORTED if is_exported else SYSLOG))
    header = _SYSLOG if is_syslog else _EXPORTED if is_exported else b""
    if "time" not in names and not is_syslog:
        raise InputError(
            f"`{spelling}` tells no time", hint="lines need `%m`, `%t` or `%n`: set `log_line_prefix = '%m [%p] %q%u@%d %r '`"
        )
    by_process = not {"address", "user"} <= names
    if by_process and not is_syslog and "pid" not in names:
        raise InputError(
            f"`{spelling}` tells neither who a line is about nor which process wrote it",
            hint="lines need `%r` and `%u`, or `%p`: set `log_line_prefix = '%m [%p] %q%u@%d %r '`",
        )
    opening = header + always + sessions
    record = header + always + rb"(?:" + re.sub(rb"\(\?P<[a-z]+>", rb"(?:", sessions) + rb")?(?:" + SEVERITIES + rb"):  "
    if is_syslog:
        record = rb"(?:" + record + rb")|(?:" + re.sub(rb"\(\?P<[a-z]+>", rb"(?:", _SYSLOG_MORE) + rb")"
    return Layout(
        spelling,
        "syslog" if is_syslog else "stderr",
        opening,
        rb"LOG:  (?P<message>(?:co|re).*)",
        record,
        by_process,
        clock,
    )


def _prefix(prefix: str) -> tuple[bytes, bytes, set[str]]:
    """Patterns for what every line begins with, for what ``%q`` leaves to sessions, and the names of what is read."""
    parts, position, seen, now = [b"", b""], 0, set[str](), 0
    for escape in _ESCAPE.finditer(prefix):
        parts[now] += re.escape(prefix[position : escape.start()].encode())
        position = escape.end()
        letter = escape[2]
        if letter == "%":
            parts[now] += b"%"
        elif letter == "q":
            now = 1
        elif letter in ESCAPES:
            name, pattern = ESCAPES[letter]
            if name in seen:
                pattern = re.sub(rb"\(\?P<[a-z]+>", rb"(?:", pattern)
            if name:
                seen.add(name)
            parts[now] += rb" *" + pattern + rb" *" if escape[1] else pattern
        else:
            raise InputError(
                f"`%{letter}` is no escape of `log_line_prefix`",
                where=f"`{prefix}`",
                hint="write it as `show log_line_prefix` does",
            )
    parts[now] += re.escape(prefix[position:].encode())
    return parts[0], parts[1], seen


def sniff(head: bytes) -> str | None:
    """The spelling of the layout that fits most lines of *head*, and among equals most of their sessions; None when none fits."""
    lines = [line for line in head.splitlines()[:400] if line and not line.startswith(b"\t")]
    records = [line for line in lines if begins_a_record(line)]
    best, most = None, (0, 0)
    if not records:
        return None
    in_fields = [kind for kind, sign in ((JSON, b'{"timestamp":'), (CSV, b",LOG,")) if sign in head]
    for spelling in (*in_fields, *USUAL, EXPORTED + RDS, *(SYSLOG + p for p in IN_SYSLOG)):
        how = layout(spelling)
        fits = [line for line in records if how.line.match(line)]
        found = len(fits), sum(_is_of_a_session(how, line) for line in fits)
        if found > most:
            best, most = spelling, found
        # Others are compiled only where they could fit better: no prefix that is tried here fits a record in fields.
        if most[0] == len(records) and (spelling in in_fields or most[1] * 2 > len(records)):
            break
    return best if most[0] * 4 >= len(lines) else None


def begins_a_record(line: bytes) -> bool:
    """Whether *line* begins as one of a layout that ``sniff`` knows; the lines that follow in a statement begin with anything."""
    return _BEGINS.match(line) is not None


def _is_of_a_session(how: Layout, line: bytes) -> bool:
    severity = ANY_SEVERITY.search(line)
    return severity is not None and how.opening.fullmatch(line, 0, severity.start()) is not None
