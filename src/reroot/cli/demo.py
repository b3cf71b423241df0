"""Watch a whole rotation on this machine: real servers, real clients, from the old root to the next."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from ._output import Outputs, emit, output_options

if TYPE_CHECKING:
    from ..app.demo import Tale


@click.command(name="demo")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reroot-demo"), show_default=True, help="Where report and ledger go."
)
@output_options
def demo(out: Path, outputs: Outputs, quiet: bool) -> None:
    """Go through a whole rotation in a minute, on servers and clients of this machine.

    Three PostgreSQL servers and their clients are started, scanned, probed and observed; a trial shows what would break; then
    trust stores are fixed, the servers cut over one by one with the clients running, and the old root retired. Everything is
    on loopback, and everything that was started is stopped. The report and the ledger are left in --out.
    """
    from ..app import demo as story
    from ..collect.inventory import read
    from ..lab.practice import practice
    from ..reports import Document

    began, kept = time.monotonic(), out.absolute()
    kept.mkdir(parents=True, exist_ok=True)  # said now where it cannot be, and not after everything was shown
    aloud = not quiet and ("text", None) in outputs
    tale = story.Tale(lambda text: click.echo(text, err=not aloud) if not quiet else None)
    command = partial(_command, aloud=aloud)
    written = tuple((name, file and str(Path(file).absolute())) for name, file in outputs if (name, file) != ("text", None))
    with _workplace() as folder:
        tale.tell("starting 3 PostgreSQL servers with TLS and their clients …")
        with practice(folder) as fleet:
            tale.tell(f"  {fleet.servers[0].installation}; {len(fleet.parts)} clients, each with its own driver and trust store")
            for part in fleet.parts:
                tale.tell(f"    {part.name:<13} {part.driver:<9} {part.story}")
            if fleet.absent:
                tale.tell(f"  not here, so not shown: {', '.join(fleet.absent)}")
            _part(tale, "what is written: every place where settings and roots stand")
            command("scan", "clients", expected={0, 1, 4})
            _part(tale, "what is served: a handshake with each server, no login")
            command("probe", *(f"127.0.0.1:{s.port}" for s in fleet.servers), expected={0, 1})
            _part(tale, "who connects, and how")
            watcher = "host=127.0.0.1 user=postgres dbname=postgres sslmode=require"
            command(
                "observe", *(f"{watcher} port={s.port}" for s in fleet.servers), "--for", "1s", "--every", "0.2s", expected={0}
            )
            _part(tale, "what the rotation does to each client, if it were done now")
            tale.tell(story.matrix(read(fleet.inventory)))
            _part(tale, f"is that true? a trial on `{fleet.servers[0].name}` alone, taken back at once")
            story.trial(fleet, tale)
            _part(tale, "the next root beside the old one in every trust store; then the gate")
            story.refuse(fleet, tale)
            tale.tell(story.matrix(read(fleet.inventory)))
            _part(tale, "the rotation, canary first, with the clients running")
            plan, start = story.rotate(fleet, tale)
            _part(tale, "after the soak, the old root goes")
            story.retire(fleet, tale, plan, start)
            _part(tale, "where it ended")
            command("status", expected={0})
            tale.tell(f"\ndone in {time.monotonic() - began:.0f} s: 3 servers on demo-root-2027, the old root retired")
            _keep(folder, kept, tale)
            facts = {"clients": {p.name: p.driver for p in fleet.parts}, "absent": list(fleet.absent), **tale.facts}
    emit(Document("demo", facts, lambda: "\n".join(tale.lines)), written)
    tale.say(f"report and ledger: {out}/   next: `reroot scan .`, `reroot probe HOST`, `reroot plan --help`")


def _part(tale: Tale, title: str) -> None:
    tale.tell(f"\n── {title}")


def _command(*words: str, expected: set[int], aloud: bool) -> None:
    """One of reroot's own commands, as a user would type it."""
    from . import reroot

    shown = " ".join(word if " " not in word else f"'{word}'" for word in words)
    if aloud:
        click.echo(f"$ reroot {shown}")
        sys.stdout.flush()
    code = reroot.main([*words, *(() if aloud else ("-q",))], standalone_mode=False) or 0
    if code not in expected:
        from ..app.demo import Surprise

        raise Surprise(f"`reroot {words[0]}` ended with {code}")


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder that is gone afterwards, also when interrupted; commands run inside it and keep their state there."""
    before, state = Path.cwd(), os.environ.get("XDG_STATE_HOME")
    folder = Path(tempfile.mkdtemp(prefix="reroot-demo-"))
    folder.chmod(0o755)
    os.environ["XDG_STATE_HOME"] = str(folder / ".state")

    def interrupted(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, interrupted)
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        signal.signal(signal.SIGTERM, old)
        if state is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = state
        shutil.rmtree(folder, ignore_errors=True)


def _keep(folder: Path, out: Path, tale: Tale) -> None:
    from ..reports.text import visible

    (out / "report.txt").write_text(visible("\n".join(tale.lines)) + "\n", encoding="utf-8")
    for name in ("roots", "servers", "clients"):  # what reroot.toml names, so that `status` and `plan` can be asked afterwards
        shutil.copytree(folder / name, out / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.key"))
    for path in (folder / "reroot.toml", *folder.glob("clients/*/database.env")):
        moved = path.read_text(encoding="utf-8").replace(str(folder), str(out))
        (out / path.relative_to(folder)).write_text(moved, encoding="utf-8")
    for name in ("reroot.sqlite", "reroot.sqlite-wal", "reroot.sqlite-shm"):
        if (folder / name).exists():
            shutil.copy(folder / name, out / name)


COMMAND = demo
