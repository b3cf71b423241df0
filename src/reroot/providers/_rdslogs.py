"""
Whom an instance's own log names as having turned away from its certificate since a cut-over.

An alert like ``unknown ca`` is sent by clients that check, and by nobody else: one is enough. Node.js and asyncpg hang up without a
word, as health checks and our own handshakes may: such ends count from ``OFTEN`` on, from an address that never ended like that
before the cut-over and is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..collect._awsapi import Api, Refused
from ..errors import ReachError
from ..logs import RDS, Bearing, Event, Rollup, bearing, rollup, sniff
from ._provider import Notes

NEWEST = "postgresql.log"
OFTEN = 3
SPELLING = "%Y-%m-%dT%H:%M:%S"


def against(rds: Api, instance: str) -> Notes:
    """That the log cannot be read, found out before it is needed: after a cut-over, not knowing takes the wave back."""
    try:
        rds.look("DescribeDBLogFiles", DBInstanceIdentifier=instance, FilenameContains=NEWEST)
    except Refused as error:
        return (f"its log, which would name who refuses it, cannot be read: {error.message}; do without it by `log = false`",)
    return ()


def refused(rds: Api, instance: str, since: datetime, watch: float, poll: float, ours: str = "") -> Notes:
    """``10.0.0.9 refused the certificate: tlsv1 alert unknown ca`` for each address; as soon as there is one, else after *watch* s."""
    until, reading = rds.clock.now() + watch, _Reading(rds, instance, since)
    while True:
        found = _who(reading.so_far(), since, ours)
        if found or rds.clock.now() > until:
            return found
        rds.clock.wait(poll)


def named(log: bytes, since: datetime, ours: str = "") -> Notes:
    """The same, from a log's text; *ours* is the address that we come from."""
    return _who(rollup(log, sniff(log[:65536]) or RDS), since, ours)


def _who(read: Rollup, since: datetime, ours: str) -> Notes:
    begin = since.astimezone(UTC).strftime(SPELLING)
    before: set[str] = {ours}
    after: dict[tuple[str, str], tuple[Bearing, int]] = {}
    for row, tally in read.settled().rows.items():
        if row.event != Event.FAILED.value or not row.address:
            continue
        if tally.first < begin:
            before.add(row.address)
        if tally.last >= begin:
            after[row.address, row.cause] = (bearing(row.cause), tally[0])
    return tuple(
        f"{address} refused the certificate: {cause}"
        for (address, cause), (how, times) in sorted(after.items(), key=lambda found: found[0])
        if how is Bearing.DISTRUST or (how is Bearing.UNDECIDABLE and address not in before and times >= OFTEN)
    )


@dataclass
class _Reading:
    """An instance's logs that were written to since then, from their beginning: what went before says who hangs up as a habit.

    Each portion is read once, however often one looks; only what was counted is kept of it, and the line that is not whole yet.
    """

    rds: Api
    instance: str
    since: datetime
    marks: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)
    rests: dict[str, bytes] = field(default_factory=dict)
    counted: Rollup = field(default_factory=Rollup)

    def so_far(self) -> Rollup:
        try:
            for name in self._files():
                for part in self._new(name):
                    text = self.rests.get(name, b"") + part
                    end = text.rfind(b"\n") + 1
                    self.rests[name] = text[end:]
                    if end:
                        layout = self.layouts.setdefault(name, sniff(text[:65536]) or RDS)
                        self.counted += rollup(text[:end], layout)
        except Refused as error:
            raise ReachError(error.message, where=error.where, hint=error.hint) from None
        return self.counted

    def _files(self) -> list[str]:
        """Not the copies that `log_destination = csvlog` makes."""
        since = int(self.since.timestamp()) * 1000
        files = self.rds.pages(
            "DescribeDBLogFiles",
            "DescribeDBLogFiles",
            DBInstanceIdentifier=self.instance,
            FilenameContains=NEWEST,
            FileLastWritten=since,
        )
        return [name for name in (str(file["LogFileName"]) for file in files) if not name.endswith(".csv")]

    def _new(self, name: str) -> Iterator[bytes]:
        more = True
        while more:
            marker = self.marks.get(name, "0")
            part = self.rds.look("DownloadDBLogFilePortion", DBInstanceIdentifier=self.instance, LogFileName=name, Marker=marker)
            yield str(part.get("LogFileData") or "").encode("utf-8", "surrogateescape")
            self.marks[name], more = str(part.get("Marker") or marker), bool(part.get("AdditionalDataPending"))
            if more and self.marks[name] == marker:
                raise ReachError("RDS gives the same portion again and again", where=self.instance)
