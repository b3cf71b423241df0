"""
A rollup in a file: what shards write on their machines, and what `reroot ingest merge` puts together. One JSON document.

It says which shard it is and what it could not read, so that nobody takes 63 of 64 for the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...logs import Head, Notes, Rollup, Row, Tail, Tally, total
from ._objects import Known, Log
from ._read import Piece, Read
from ._run import Ingested

SCHEMA = "reroot/rollup/1"


def dump(ingested: Ingested) -> bytes:
    """Equal rollups are equal bytes."""
    import msgspec

    rollup = ingested.rollup
    document = {
        "schema": SCHEMA,
        "shards": [list(s) for s in sorted(ingested.shards)],
        "logs": [_read_out(r) for r in ingested.reads],
        "notes": rollup.notes._asdict(),
        "rows": [[*row, *tally] for row, tally in sorted(rollup.rows.items())],
        "heads": [[*head, count] for head, count in sorted(rollup.heads.items())],
        "tails": [[t.server, t.pid, t.at, list(t.row), t.needs, count] for t, count in sorted(rollup.tails.items())],
    }
    return msgspec.json.encode(document)


def load(path: str) -> Ingested:
    """What ``dump`` wrote; ``InputError`` for anything else."""
    import msgspec

    try:
        raw = msgspec.json.decode(Path(path).read_bytes())
        if raw["schema"] != SCHEMA:
            raise InputError(f"`{raw['schema']}` is not `{SCHEMA}`", where=path)
        return _loaded(raw)
    except OSError as error:
        raise InputError(f"cannot read `{path}`: {error.strerror}") from None
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError):
        raise InputError("this is no rollup", where=path, hint="`reroot ingest … --save FILE` writes one") from None


def _loaded(raw: Any) -> Ingested:
    width = len(Row._fields)
    rollup = Rollup(
        {Row(*line[:width]): Tally(*line[width:]) for line in raw["rows"]},
        {Head(*line[:4]): int(line[4]) for line in raw["heads"]},
        {Tail(s, p, at, Row(*row), needs): int(n) for s, p, at, row, needs, n in raw["tails"]},
        Notes(**raw["notes"]),
    )
    return Ingested(rollup, tuple(_read_in(r) for r in raw["logs"]), tuple((int(k), int(n)) for k, n in raw["shards"]))


def merge(paths: Sequence[str]) -> Ingested:
    """All shards as one; ``InputError`` when one is given twice, or when they are of different wholes."""
    saved = [(path, load(path)) for path in paths]
    seen: dict[tuple[int, int], str] = {}
    whole = {n for _, one in saved for _, n in one.shards}
    if len(whole) > 1:
        raise InputError(f"these are shards of {' and of '.join(str(n) for n in sorted(whole))}", hint="merge shards of one run")
    for path, shard in ((path, shard) for path, one in saved for shard in one.shards):
        if shard in seen and whole != {1}:
            raise InputError(f"shard `{shard[0]}/{shard[1]}` is in `{seen[shard]}` and in `{path}`", hint="give each shard once")
        seen[shard] = path
    if whole == {1}:
        _refuse_doubles(saved)
    return Ingested(
        total(one.rollup for _, one in saved),
        tuple(read for _, one in saved for read in one.reads),
        tuple(sorted(seen)),
    )


def _refuse_doubles(saved: Sequence[tuple[str, Ingested]]) -> None:
    seen: dict[Known, str] = {}
    for path, one in saved:
        for mark in {r.mark for r in one.reads if r.mark is not None}:
            if mark in seen:
                raise InputError(f"the same log is in `{seen[mark]}` and in `{path}`", hint="merge what was read once")
            seen[mark] = path


def _read_out(read: Read) -> dict[str, object]:
    mark = read.mark
    return {
        "server": read.piece.log.server,
        "path": read.piece.log.path,
        "begin": read.piece.begin,
        "end": read.piece.end,
        "layout": read.spelling,
        "mark": [mark.head, mark.digest, mark.bytes] if mark else None,
        "stopped": read.stopped,
        "torn": read.torn,
        "skipped": read.skipped,
        "why": read.why,
        "notes": read.rollup.notes._asdict(),
    }


def _read_in(raw: Any) -> Read:
    return Read(
        Piece(Log(raw["server"], raw["path"]), raw["begin"], raw["end"]),
        Rollup(notes=Notes(**raw["notes"])),
        raw["layout"],
        Known(*raw["mark"]) if raw["mark"] else None,
        raw["stopped"],
        raw["torn"],
        raw["skipped"],
        raw["why"],
    )


def marks(ingested: Ingested) -> Iterator[tuple[Log, Known]]:
    """How each log that was read is known again, and up to where: of its pieces, the furthest."""
    furthest: dict[Log, Known] = {}
    for read in ingested.reads:
        if read.mark is None or read.why:
            continue
        mark = Known(read.mark.head, read.mark.digest, read.stopped)
        known = furthest.get(read.piece.log)
        if known is None or known.bytes < mark.bytes:
            furthest[read.piece.log] = mark
    yield from sorted(furthest.items(), key=lambda item: item[0])
