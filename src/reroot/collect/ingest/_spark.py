"""
The same pieces, read by the tasks of an Apache Spark cluster; for those whose logs outgrow one machine.

Spark gives out the pieces, tries lost ones again and brings the sums back; what reads a piece is the one reader that reads it
everywhere, so the rollup is the same to the row. The paths must be readable under the same name on every worker (a shared or mounted
file system). Workers need Python with pyarrow and nothing of ours: this package is sent to them.

There is no literal filter in the JVM in front of the parser: Spark would read line by line where the reader takes whole blocks, and
the line before would be gone, by which a line that somebody wrote by way of a name is known.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...errors import InputError
from ._objects import STANDARD_INPUT, Known, Log
from ._read import Piece, Ways, read
from ._run import PIECE, Ingested, pieces, summed


def ingest_on_spark(
    session: Any, logs: Sequence[Log], ways: Ways | None = None, known: Sequence[Known] = (), *, size: int = PIECE
) -> Ingested:
    """What ``ingest`` gives, by the executors of *session*, a ``SparkSession``; a piece is one task."""
    if any(log.path == STANDARD_INPUT for log in logs):
        raise InputError("standard input cannot be read by a cluster", hint="name files that every worker can read")
    mine = [(p.log.server, p.log.path, p.log.tag, p.begin, p.end) for p in pieces(logs, size)]
    ways = ways or Ways()
    with TemporaryDirectory(prefix="reroot-spark-") as folder:
        session.sparkContext.addPyFile(str(_package(Path(folder))))
        given = session.sparkContext.parallelize(mine, len(mine)).toDF(
            "server string, path string, tag string, begin long, end long"
        )

        def work(batches: Iterator[Any]) -> Iterator[Any]:
            import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]

            for batch in batches:
                for row in batch.to_pylist():
                    piece = Piece(Log(row["server"], row["path"], row["tag"]), row["begin"], row["end"])
                    done = pickle.dumps(read(piece, ways, known))
                    yield pyarrow.RecordBatch.from_pydict({"read": pyarrow.array([done], pyarrow.binary())})

        found = given.mapInArrow(work, "read binary").collect()
    # What comes back was written by our own reader on our own cluster.
    reads = sorted((pickle.loads(bytes(row["read"])) for row in found), key=lambda r: (r.piece.log, r.piece.begin))
    return summed(reads)


def _package(folder: Path) -> Path:
    """This package as a zip that Python imports from."""
    root = Path(__file__).resolve().parents[2]
    target = folder / f"{folder.name}.zip"  # a session takes each name once
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(root.rglob("*.py")):
            archive.write(file, str(Path("reroot") / file.relative_to(root)))
    return target
