"""
Whom an instance's own log names as having turned away from its certificate since a cut-over.

An alert like ``unknown ca`` is sent by clients that check, and by nobody else: one is enough. Node.js and asyncpg hang up without a
word, as health checks and our own handshakes may: such ends count from ``OFTEN`` on, from an address that never ended like that
before the cut-over and is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ..collect._awsapi import Api, Refused
from ..errors import ReachError
from ..logs import RDS, Bearing, Event, bearing, rollup, sniff
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
    until = rds.clock.now() + watch
    while True:
        found = named(b"".join(_portions(rds, instance, since)), since, ours)
        if found or rds.clock.now() > until:
            return found
        rds.clock.wait(poll)


def named(log: bytes, since: datetime, ours: str = "") -> Notes:
    """The same, from a log's text; *ours* is the address that we come from."""
    begin = since.astimezone(UTC).strftime(SPELLING)
    before: set[str] = {ours}
    after: dict[tuple[str, str], tuple[Bearing, int]] = {}
    for row, tally in rollup(log, sniff(log[:65536]) or RDS).settled().rows.items():
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


def _portions(rds: Api, instance: str, since: datetime) -> Iterator[bytes]:
    """Every log file that was written to since then, from its beginning: what went before says who hangs up as a habit."""
    try:
        files = rds.look(
            "DescribeDBLogFiles",
            DBInstanceIdentifier=instance,
            FilenameContains=NEWEST,
            FileLastWritten=int(since.timestamp()) * 1000,
        )
        for file in files.get("DescribeDBLogFiles", ()):
            marker, more = "0", True
            while more:
                part = rds.look(
                    "DownloadDBLogFilePortion", DBInstanceIdentifier=instance, LogFileName=file["LogFileName"], Marker=marker
                )
                yield str(part.get("LogFileData") or "").encode("utf-8", "surrogateescape")
                following, more = str(part.get("Marker", "")), bool(part.get("AdditionalDataPending"))
                if more and following == marker:
                    raise ReachError("RDS gives the same portion again and again", where=instance)
                marker = following
    except Refused as error:
        raise ReachError(error.message, where=error.where, hint=error.hint) from None
