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

if TYPE_CHECKING:
    from ..collect.ingest import Ingested, Known, Ways


@click.command(name="ingest")
@click.argument("places", nargs=-1, metavar="[NAME=]LOG...")
@click.option("--server", default="", help="Whose logs these are, where NAME= does not say.")
@click.option("--layout", "spelling", default="", metavar="PREFIX", help="The log_line_prefix; csvlog, jsonlog, syslog:PREFIX.")
@click.option("--timezone", metavar="NAME", help="What the zone in the lines means, where it is not UTC: Europe/Berlin.")
@click.option("--until", type=click.DateTime(), help="For a syslog without years: no line is later than this.")
@click.option("-p", "--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="How many read side by side.")
@click.option("--shard", default="1/1", metavar="K/N", help="Read the K-th of N parts; other machines read the others.")
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
    processes: int,
    shard: str,
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

    Exit code 1: some client turned away from the certificate, or left in a way that may mean that. 4: some log, or some line, could
    not be read.
    """
    from ..collect.ingest import merge as merged
    from ..errors import InputError
    from ..reports import Document

    if not places:
        raise InputError("no log to read", hint="name one: `reroot ingest /var/log/postgresql`")
    ways = _ways(spelling, timezone, until)
    is_merge = places[0] == "merge" and not os.path.exists("merge")
    if is_merge:
        found = merged(places[1:])
    elif keep:
        found = _kept(places, server, ways, processes, _shard(shard), inventory_path, ledger)
    else:
        found = _read(places, server, ways, (), processes, _shard(shard))
    if is_merge and keep:
        _keep(found, inventory_path, ledger)
    if save is not None:
        from ..collect.ingest import dump

        _write(Path(save), dump(found))
    emit(Document("logs", data(found), lambda: text(found)), outputs, quiet=quiet)
    if not found.is_complete:
        ctx.exit(4)
    if any(one["bearing"] in ("distrust", "undecidable") for one in refusals(found)):
        ctx.exit(1)


def _ways(spelling: str, timezone: str | None, until: datetime | None) -> Ways:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from ..collect.ingest import Ways
    from ..errors import InputError
    from ..logs import Clock, layout

    try:
        zone = ZoneInfo(timezone) if timezone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"`{timezone}` is no time zone", hint="write it as the server does: `Europe/Berlin`") from None
    if spelling:
        layout(spelling)
    return Ways(spelling, Clock(zone, until or datetime.now(UTC)))


def _shard(text: str) -> tuple[int, int]:
    from ..errors import InputError

    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise InputError(f"`{text}` is no shard", hint="the third of 64 is `--shard 3/64`")
    return int(number), int(of)


def _read(
    places: Sequence[str], server: str, ways: Ways, known: Sequence[Known], processes: int, shard: tuple[int, int]
) -> Ingested:
    from ..collect.ingest import find, ingest
    from ..errors import InputError

    found = ingest(find(places, server), ways, known, processes=processes, shard=shard)
    notes = found.rollup.notes
    if notes.lines or shard != (1, 1) or any(r.skipped for r in found.reads):
        return found
    if found.unread:
        first = found.unread[0]
        raise InputError(first.why, where=first.piece.log.path, hint=LAYOUT_HINT)
    if notes.unreadable:
        used = ", ".join(sorted({f"`{r.spelling}`" for r in found.reads if r.spelling}))
        raise InputError(
            f"no line fits {used}, though {notes.unreadable} speak of connections", where=places[0], hint=LAYOUT_HINT
        )
    raise InputError(
        "nothing in here speaks of connections", where=places[0], hint="set `log_connections = on` on the server, and reload it"
    )


def _kept(
    places: Sequence[str],
    server: str,
    ways: Ways,
    processes: int,
    shard: tuple[int, int],
    inventory_path: Path,
    place: str | None,
) -> Ingested:
    from ..collect.ingest import from_evidence, to_evidence
    from ..collect.inventory import read
    from ..ledger import open_ledger

    inventory = read(inventory_path)
    with open_ledger(ledger_place(inventory, place)) as ledger:
        known = from_evidence(ledger.evidence(inventory.name, "log"))
        found = _read(places, server, ways, known, processes, shard)
        ledger.keep(inventory.name, tuple(to_evidence(found, datetime.now(UTC))))
    return found


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
