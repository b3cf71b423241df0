"""
The sum of a log: rows with a count and the first and last time, open ends, and what could not be read. A commutative monoid.

Times are UTC and text, ``2026-11-23T10:15:00``, which sorts as time does.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from ._causes import LEFT_WITHOUT_A_WORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PATIENCE = 660
"""Seconds after which nothing more can come of a connection that was received: ``authentication_timeout`` is 600 at most."""


class Event(Enum):
    RECEIVED = "received"
    """A connection came; what became of it is another row."""

    SESSION = "session"
    """A login was authorized."""

    FAILED = "failed"
    """The TLS handshake failed, or the connection ended before the client said who it is."""

    REFUSED = "refused"
    """The server refused the login."""


class Row(NamedTuple):
    """What is counted, by the hour (``2026-11-23T10``, UTC).

    ``address`` is ``local`` for a unix socket and ``""`` where it is not known. ``encryption`` is ``tls``, ``gss``, ``plaintext``,
    ``local`` or, where the log does not say, ``""``. ``cause`` is the log's wording.
    """

    server: str
    hour: str
    address: str
    user: str
    database: str
    application: str
    event: str
    encryption: str
    protocol: str
    cipher: str
    cause: str


class Tally(NamedTuple):
    number: int
    first: str
    last: str

    def __add__(self, other: object) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(self.number + other.number, min(self.first, other.first), max(self.last, other.last))


class Head(NamedTuple):
    """A connection that was received, and whose next line was not in this chunk."""

    server: str
    pid: str
    at: str
    address: str


class Tail(NamedTuple):
    """A line whose ``connection received`` was not in this chunk; ``row`` has no address. ``needs`` says that without one it tells nothing."""

    server: str
    pid: str
    at: str
    row: Row
    needs: bool


class Notes(NamedTuple):
    """What was read, and what could not be. Sums.

    ``lines`` are connection lines that were read; ``quoted`` the same words inside SQL text or an earlier line; ``unreadable`` lines
    with such words that do not fit the layout, or are torn; ``doubtful`` lines that somebody may have written into the log through a
    name; ``too_long`` lines beyond any that PostgreSQL writes about a connection.
    """

    bytes: int = 0
    lines: int = 0
    quoted: int = 0
    unreadable: int = 0
    doubtful: int = 0
    too_long: int = 0

    def __add__(self, other: object) -> Notes:
        if not isinstance(other, Notes):
            return NotImplemented
        return Notes(*map(int.__add__, self, other))


class Rollup(NamedTuple):
    """A sum of chunks. ``settled()`` ties the open ends and is what to read in the end."""

    rows: Mapping[Row, Tally] = {}
    heads: Mapping[Head, int] = {}
    tails: Mapping[Tail, int] = {}
    notes: Notes = Notes()

    def __add__(self, other: object) -> Rollup:
        if not isinstance(other, Rollup):
            return NotImplemented
        return total((self, other))

    def settled(self) -> Rollup:
        """Open ends tied by server, process and time: a line belongs to the latest connection that its process received before it."""
        if not self.tails:
            return self
        rows = dict(self.rows)
        by_process: dict[tuple[str, str], list[Head]] = {}
        for head in sorted(self.heads):
            by_process.setdefault((head.server, head.pid), []).append(head)
        for tail, count in sorted(self.tails.items()):
            open_heads = by_process.get((tail.server, tail.pid), [])
            nearest = next((h for h in reversed(open_heads) if h.at <= tail.at), None)
            if nearest is not None and seconds_between(nearest.at, tail.at) <= PATIENCE:
                open_heads.remove(nearest)
                add(rows, tail.row._replace(address=nearest.address), Tally(count, tail.at, tail.at))
            elif not tail.needs:
                add(rows, tail.row, Tally(count, tail.at, tail.at))
        return Rollup(rows, notes=self.notes)

    def silent(self) -> Iterator[tuple[Row, Tally]]:
        """Rows for connections of which nothing but their coming was logged, by server and address; settle first."""
        came: dict[tuple[str, str], Tally] = {}
        told: dict[tuple[str, str], int] = {}
        for row, tally in self.rows.items():
            who = row.server, row.address
            if row.event == Event.RECEIVED.value:
                came[who] = came[who] + tally if who in came else tally
            else:
                told[who] = told.get(who, 0) + tally.number
        for (server, address), tally in sorted(came.items()):
            left = tally.number - told.get((server, address), 0)
            if left > 0:
                row = Row(server, tally.last[:13], address, "", "", "", Event.FAILED.value, "", "", "", LEFT_WITHOUT_A_WORD)
                yield row, tally._replace(number=left)


def total(rollups: Iterable[Rollup]) -> Rollup:
    """The sum of many, without a copy for each."""
    rows: dict[Row, Tally] = {}
    heads: dict[Head, int] = {}
    tails: dict[Tail, int] = {}
    notes = Notes()
    for one in rollups:
        for row, tally in one.rows.items():
            add(rows, row, tally)
        for head, count in one.heads.items():
            heads[head] = heads.get(head, 0) + count
        for tail, count in one.tails.items():
            tails[tail] = tails.get(tail, 0) + count
        notes += one.notes
    return Rollup(rows, heads, tails, notes)


def add(rows: dict[Row, Tally], row: Row, tally: Tally) -> None:
    known = rows.get(row)
    rows[row] = tally if known is None else known + tally


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
