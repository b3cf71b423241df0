"""Read servers' logs: who connected how, who was refused, who gave up over the certificate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._logs import LAYOUT_HINT, data, refusals, text
from ._output import Outputs, emit, output_options
from ._rotation import inventory_option, ledger_option, ledger_place
from .observe import TIME

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ..collect.ingest import Ingested, Known, Log, Ways


@click.command(name="ingest")
@click.argument("places", nargs=-1, metavar="[NAME=]LOG...")
@click.option("--server", default="", help="Whose logs these are, where NAME= does not say.")
@click.option("--layout", "spelling", default="", metavar="PREFIX", help="The log_line_prefix; csvlog, jsonlog, syslog:PREFIX.")
@click.option("--timezone", metavar="NAME", help="What the zone in the lines means, where it is not UTC: Europe/Berlin.")
@click.option("--until", type=click.DateTime(), help="For a syslog without years: no line is later than this.")
@click.option("--since", type=click.DateTime(), help="Leave out what lies at AWS and was not written to since then (UTC).")
@click.option("-p", "--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="How many read side by side.")
@click.option("--shard", default="1/1", metavar="K/N", help="Read the K-th of N parts; other machines read the others.")
@click.option("--spark", metavar="MASTER", help="Let this Spark cluster read: spark://host:7077, local[4] …")
@click.option("--follow", is_flag=True, help="Read what is written from now on, and tell refusals as they come.")
@click.option("--for", "lasting", type=TIME, default=0.0, help="How long to follow: 60s, 5m, 2h; without it until interrupted.")
@click.option("--no-arrivals", is_flag=True, help="Leave out who came and said nothing: dense logs take two thirds of the time.")
@click.option("--save", type=click.Path(dir_okay=False), help="Write the rollup to this file, for `ingest merge`.")
@click.option("--keep", is_flag=True, help="Put what is found into the ledger; what it holds already is not read again.")
@inventory_option
@ledger_option
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    places: Sequence[str],
    server: str,
    spelling: str,
    timezone: str | None,
    until: datetime | None,
    since: datetime | None,
    processes: int,
    shard: str,
    spark: str | None,
    follow: bool,
    lasting: float,
    no_arrivals: bool,
    save: str | None,
    keep: bool,
    inventory_path: Path,
    ledger: str | None,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Read servers' logs: who connected how, and who was turned away.

    LOG is a file, a folder, or - for standard input; plain, gzip or zstd; with NAME= before it, it is the log of that server. The
    usual layouts are recognised. `reroot ingest merge FILE...` adds up what several machines wrote with --save.

    At AWS: s3://BUCKET/PREFIX, rds://REGION/INSTANCE (the files that RDS keeps), cloudwatch://REGION/LOG-GROUP; exports of CloudWatch
    to S3 are recognised. The login is that of AWS's own tools: AWS_PROFILE and the like.

    Exit code 1: some client turned away from the certificate, or broke off the handshake. 4: some log, or some line, could
    not be read.
    """
    from ..collect.ingest import merge as merged
    from ..errors import InputError
    from ..logs import LEFT_WITHOUT_A_WORD
    from ..reports import Document

    if not places:
        raise InputError("no log to read", hint="name one: `reroot ingest /var/log/postgresql`")
    ways = _ways(spelling, timezone, until)._replace(arrivals=not no_arrivals, marks=keep or save is not None)
    if follow and (keep or shard != "1/1" or spark):
        raise InputError(
            "`--follow` goes with neither `--keep`, `--shard` nor `--spark`", hint="`--save` writes what it has seen"
        )
    is_merge = places[0] == "merge" and not os.path.exists("merge")
    if is_merge:
        found = merged(places[1:])
    elif follow:
        found = _followed(places, server, ways, lasting, quiet)
    else:
        found = _read_once(
            places, server, ways, processes, _shard(shard), spark, since, (inventory_path, ledger) if keep else None
        )
    if is_merge and keep:
        _keep(found, inventory_path, ledger)
    if save is not None:
        from ..collect.ingest import dump

        _write(Path(save), dump(found))
    emit(Document("logs", data(found), lambda: text(found)), outputs, quiet=quiet)
    if not found.is_complete:
        ctx.exit(4)
    if any(one["bearing"] in ("distrust", "undecidable") and one["cause"] != LEFT_WITHOUT_A_WORD for one in refusals(found)):
        ctx.exit(1)


def _ways(spelling: str, timezone: str | None, until: datetime | None) -> Ways:
    from ..collect.ingest import Ways
    from ..logs import Clock, layout

    if spelling:
        layout(spelling)
    return Ways(spelling, Clock(_zone(timezone) if timezone else None, until or datetime.now(UTC)))


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from ..errors import InputError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"`{name}` is no time zone", hint="write it as the server does: `Europe/Berlin`") from None


def _shard(text: str) -> tuple[int, int]:
    from ..errors import InputError

    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise InputError(f"`{text}` is no shard", hint="the third of 64 is `--shard 3/64`")
    return int(number), int(of)


def _read_once(
    places: Sequence[str],
    server: str,
    ways: Ways,
    processes: int,
    shard: tuple[int, int],
    spark: str | None,
    since: datetime | None,
    kept_in: tuple[Path, str | None] | None,
) -> Ingested:
    """Read everything; with *kept_in*, only what the ledger does not know yet, and put it there."""
    from ..collect.ingest import find, ingest

    def reading(known: Sequence[Known]) -> Ingested:
        logs = find(places, server, since.replace(tzinfo=UTC) if since else None)
        if spark is not None:
            found = _on_spark(spark, logs, ways, known)
        else:
            found = ingest(logs, ways, known, processes=processes, shard=shard)
        _refuse_nothing(found, places, shard)
        return found

    if kept_in is None:
        return reading(())

    from ..collect.ingest import from_evidence, to_evidence
    from ..collect.inventory import read
    from ..ledger import open_ledger

    inventory = read(kept_in[0])
    with open_ledger(ledger_place(inventory, kept_in[1])) as ledger:
        found = reading(from_evidence(ledger.evidence(inventory.name, "log")))
        ledger.keep(inventory.name, tuple(to_evidence(found, datetime.now(UTC))))
    return found


def _refuse_nothing(found: Ingested, places: Sequence[str], shard: tuple[int, int]) -> None:
    """An answer that is empty because nothing could be read, or nothing was logged, is an error."""
    from ..errors import InputError

    notes = found.rollup.notes
    if notes.lines or shard != (1, 1) or any(r.skipped for r in found.reads):
        return
    if found.unread:
        first = found.unread[0]
        hint = LAYOUT_HINT if "`--layout`" in first.why else "give a copy that can be read to its end, or leave it out"
        raise InputError(first.why, where=first.piece.log.path, hint=hint)
    if notes.unreadable:
        used = ", ".join(sorted({f"`{r.spelling}`" for r in found.reads if r.spelling}))
        speak = "speaks" if notes.unreadable == 1 else "speak"
        raise InputError(
            f"no line fits {used}, though {notes.unreadable} {speak} of connections", where=places[0], hint=LAYOUT_HINT
        )
    raise InputError(
        "nothing in here speaks of connections", where=places[0], hint="set `log_connections = on` on the server, and reload it"
    )


def _on_spark(master: str, logs: Sequence[Log], ways: Ways, known: Sequence[Known]) -> Ingested:
    from ..collect.ingest import ingest_on_spark
    from ..errors import InputError

    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise InputError("Spark's Python package is not here", hint="`pip install 'reroot[spark]'`, and Java 17") from None
    session = SparkSession.builder.appName("reroot ingest").master(master).getOrCreate()
    try:
        return ingest_on_spark(session, logs, ways, known)
    finally:
        session.stop()


def _followed(places: Sequence[str], server: str, ways: Ways, lasting: float, quiet: bool) -> Ingested:
    """Everything that was written while we looked; refusals are told on standard error as they come."""
    from threading import Event
    from time import monotonic

    from ..collect.ingest import Follower, Ingested
    from ..logs import LEFT_WITHOUT_A_WORD, Rollup
    from ..reports.text import visible

    rollup, until, pause = Rollup(), monotonic() + lasting if lasting else None, Event()
    with Follower(places, server, ways) as follower:
        if not quiet:
            click.echo(f"following {', '.join(places)}; interrupt to see the sums", err=True)
        try:
            while True:
                seen = follower.poll()
                rollup += seen
                for one in refusals(Ingested(seen, ())):
                    # Whether somebody who has just come will leave without a word, only the end can tell.
                    if not quiet and one["cause"] != LEFT_WITHOUT_A_WORD:
                        who = f"{one['user']} from " if one["user"] else ""
                        line = (
                            f"{str(one['last_seen'])[11:19]}  {who}{one['address'] or 'unknown'}: {one['cause']} ({one['times']})"
                        )
                        click.echo(visible(line), err=True)
                left = until - monotonic() if until is not None else 1.0
                if left <= 0:
                    break
                pause.wait(min(left, 1.0))
        except KeyboardInterrupt:
            pass
    return Ingested(rollup, ())


def _keep(found: Ingested, inventory_path: Path, place: str | None) -> None:
    from ..collect.ingest import from_evidence, to_evidence
    from ..collect.inventory import read
    from ..errors import InputError
    from ..ledger import open_ledger

    inventory = read(inventory_path)
    with open_ledger(ledger_place(inventory, place)) as ledger:
        known = {(k.head, k.digest) for k in from_evidence(ledger.evidence(inventory.name, "log"))}
        twice = [r.piece.log.path for r in found.reads if r.mark and (r.mark.head, r.mark.digest) in known]
        if twice:
            raise InputError(
                f"`{twice[0]}` is in the ledger already", hint="read it again with `--keep`: only what is new counts"
            )
        ledger.keep(inventory.name, tuple(to_evidence(found, datetime.now(UTC))))


def _write(path: Path, content: bytes) -> None:
    from ._output import write_whole

    write_whole(path, content.decode("utf-8"))
