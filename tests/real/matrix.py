"""
Run the comparison by hand:

    python -m tests.real.matrix --drivers psycopg2,pgjdbc --limit 500 --out rows.jsonl

runs real clients and saves what happened. Afterwards, while rules are changed,

    python -m tests.real.matrix --again rows.jsonl

asks the rules again about the same cases, in seconds, without any client. Both print the differences, grouped.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from . import oracle
from .clients import Client, found
from .scenarios import scenarios


def main() -> int:
    read = argparse.ArgumentParser(prog="python -m tests.real.matrix", description=__doc__.partition("\n")[0])
    read.add_argument("--drivers", default="", help="names, or beginnings of names, of clients, by commas (default: all)")
    read.add_argument("--limit", type=int, default=500, help="how many scenarios (default: %(default)s)")
    read.add_argument("--seed", type=int, default=20271123)
    read.add_argument("--out", type=Path, help="save rows (JSON lines), and the files they name beside it in OUT.files/")
    read.add_argument("--again", type=Path, help="compare saved rows with the rules as they are now")
    read.add_argument("--no-compare", action="store_true", help="record only")
    read.add_argument("--groups", type=int, default=60, help="how many groups of differences to print")
    read.add_argument("--list", action="store_true", help="which clients are here")
    given = read.parse_args()
    faulthandler.register(signal.SIGUSR1)  # `kill -USR1` shows where it stands

    if given.again:
        return _compare(oracle.load(given.again), given.groups, given.again)
    if oracle.postgres18():
        os.environ["REROOT_POSTGRES"] = ":".join(filter(None, (os.environ.get("REROOT_POSTGRES"), oracle.postgres18())))
    here, missing = found()
    if given.list:
        print("\n".join([c.name for c in here] + [f"{m.name}: missing, {m.why}" for m in missing]))
        return 0
    clients = _chosen(here, given.drivers)
    began = time.monotonic()
    with oracle.Oracle() as lab:
        rows = list(lab.run(clients, scenarios(given.limit, given.seed)))
        print(f"{len(rows)} rows of {len(clients)} clients in {time.monotonic() - began:.0f} s", file=sys.stderr)
        if given.out:
            files = given.out.with_name(given.out.name + ".files").absolute()
            shutil.rmtree(files, ignore_errors=True)
            shutil.copytree(lab.folder, files, symlinks=True, ignore=shutil.ignore_patterns("reroot-*"))
            for service in (files / "services").glob("*"):
                service.write_text(service.read_text().replace(str(lab.folder), str(files)))
            oracle.save(rows, given.out)
            text = given.out.read_text().replace(str(lab.folder), str(files))
            given.out.write_text(text)
        if given.no_compare:
            return 0
        return _compare(rows, given.groups, None)


def _chosen(here: list[Client], wanted: str) -> list[Client]:
    if not wanted:
        return here
    starts = tuple(wanted.split(","))
    chosen = [c for c in here if c.name.startswith(starts)]
    if not chosen:
        raise SystemExit(f"no client here begins with {' or '.join(starts)}; here are {', '.join(c.name for c in here)}")
    return chosen


def _compare(rows: list[oracle.Row], groups: int, saved: Path | None) -> int:
    oracle.foresee(rows)
    if saved is not None:
        oracle.save(rows, saved)
    comparison = oracle.Comparison(rows)
    print(comparison.groups(groups))
    print()
    print(comparison.table())
    return 1 if comparison.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
