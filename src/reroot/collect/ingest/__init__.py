"""
Server logs as evidence that misses nobody: from one file to terabytes.

    find(places)                 files, folders, standard input; plain, gzip, zstd
    ingest(logs, …)              one rollup of all: in this process, over several, or one shard of many
    dump / load / merge          rollups in files, for shards on many machines
    Follower(places, …)          what is written from now on, across rotation and truncation
    to_evidence(ingested, now)   what the ledger keeps, and what it knows a log again by

The parser is ``reroot.logs``; everything here only brings it bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._objects import Known, Log, Unreadable, find
from ._read import Piece, Read, Ways, read
from ._run import Ingested, ingest, pieces, summed

if TYPE_CHECKING:
    from ._evidence import from_evidence, to_evidence
    from ._follow import Follower
    from ._saved import dump, load, merge
    from ._spark import ingest_on_spark

__all__ = [
    "Follower", "Ingested", "Known", "Log", "Piece", "Read", "Unreadable", "Ways", "dump", "find", "from_evidence", "ingest", "ingest_on_spark", "load", "merge",
    "pieces", "read", "summed", "to_evidence",
]  # fmt: skip

_LATER = {
    "from_evidence": "_evidence", "to_evidence": "_evidence", "Follower": "_follow", "dump": "_saved", "load": "_saved",
    "merge": "_saved", "ingest_on_spark": "_spark",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """What reading a log does not need is imported when it is asked for: a process for each piece starts in half the time."""
    if name not in _LATER:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
