"""
Runs reroot and ends it with SIGKILL at a chosen moment: ``killed.py MOMENT FOLDER WORDS…``

``journal:N`` ends it right before the N-th journal entry is written, ``written:N`` right after. ``files:N`` ends it right before
its N-th call that opens, makes, renames, links, removes or changes the mode or owner of something under FOLDER, or sends a
signal. With N = 0 nothing is ended, and the number of moments is printed as the last line on standard error.
"""

from __future__ import annotations

import os
import signal
import sys

WATCHED = {"open", "os.rename", "os.symlink", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.kill", "os.listdir"}
BY_HANDLE = {"os.chmod", "os.chown", "os.kill"}

kind, _, number = sys.argv[1].partition(":")
folder, words = sys.argv[2], sys.argv[3:]
at, count = int(number), 0


def moment() -> None:
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event not in WATCHED or (event == "os.kill" and arguments[0] == os.getpid()):
        return
    first = arguments[0] if arguments else None
    by_handle = event in BY_HANDLE and isinstance(first, int)
    if by_handle or (isinstance(first, str | bytes | os.PathLike) and os.fsdecode(first).startswith(folder)):
        moment()


def journal() -> None:
    from reroot.ledger import Ledger

    append = Ledger.append

    def counted(*arguments: object, **named: object) -> int:
        if kind == "journal":
            moment()
        written = append(*arguments, **named)  # type: ignore[arg-type]
        if kind == "written":
            moment()
        return written

    Ledger.append = counted  # type: ignore[method-assign, assignment]


if kind == "files":
    sys.addaudithook(watch)
else:
    journal()

from reroot.cli import main  # noqa: E402

sys.argv = ["reroot", *words]
try:
    main()
finally:
    if at == 0:
        print(count, file=sys.stderr)
