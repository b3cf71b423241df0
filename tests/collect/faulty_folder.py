"""
Run under ``LD_PRELOAD=faults.so``: one change of one hashed folder, in a child each time, with a fault at the Nth call.

Arguments: a scratch folder with ``pristine`` and ``next.roots`` in it, the act, and ``kill``, ``kill-after`` or ``errno ERRNO…``.
Prints one JSON line; each list in it should be empty.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from reroot.collect import _trustfolders, trustfiles
from reroot.errors import RerootError
from reroot.truststores import pem

SCRATCH, ACT, WHAT, *REST = Path(sys.argv[1]), *sys.argv[2:]
FOLDER, STATE = SCRATCH / "folder", SCRATCH / "state"
JOURNAL = trustfiles.Journal(STATE)
COMING = [c for n in ("next", "next2") for c in pem.read((SCRATCH / f"{n}.roots").read_bytes()).certificates]
GOING = [c for c in _trustfolders.look(str(SCRATCH / "pristine")).anchors.certificates if c.title == "Root A"][:2]


def add() -> None:
    trustfiles.add_root(FOLDER, COMING, execute=True, journal=JOURNAL)


def remove() -> None:
    trustfiles.remove_root(FOLDER, GOING, execute=True, retire=True, journal=JOURNAL)


def undo() -> None:
    trustfiles.undo(FOLDER, execute=True, journal=JOURNAL)


BEFORE = (add if "add" in ACT else remove) if ACT.startswith("undo") else None
CHANGE = undo if BEFORE else add if ACT == "add" else remove


def fresh() -> None:
    """The folder and the journal as they are before the change."""
    for made in (FOLDER, STATE):
        shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(SCRATCH / "pristine", FOLDER, symlinks=True)
    if BEFORE:
        BEFORE()


def listing() -> dict[str, object]:
    found: dict[str, object] = {}
    for name in sorted(os.listdir(FOLDER)):
        status = os.lstat(FOLDER / name)
        link = stat.S_ISLNK(status.st_mode)
        found[name] = os.readlink(FOLDER / name) if link else ((FOLDER / name).read_bytes().hex(), stat.S_IMODE(status.st_mode))
    return found


def trusted() -> set[str]:
    return {c.fingerprint for c in _trustfolders.look(str(FOLDER)).anchors.certificates}


def child(at: int, how: int) -> int:
    made = os.fork()
    if made == 0:
        code = 70
        try:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - ends with the process
            with suppress(FileNotFoundError):
                os.open(f"/REROOT-ARM/{at}/{how}", os.O_RDONLY)
            CHANGE()
            code = 0
        except RerootError as error:
            code = error.exit_code
        except BaseException:
            with open(SCRATCH / "uncaught", "a") as out:
                out.write(f"{at} {how}: {traceback.format_exc()[-600:]}\n")
        finally:
            os._exit(code)
    return os.waitpid(made, 0)[1]


fresh()
OLD, OLD_TRUST = listing(), trusted()
CHANGE()
NEW, NEW_TRUST = listing(), trusted()
seen: dict[str, object] = {
    "rounds": 0,
    "lost": [],
    "gained": [],
    "leftovers": [],
    "stuck": [],
    "uncaught": [],
    "other bytes": [],
    "codes": {},
}


def note(kind: str, what: object) -> None:
    seen[kind].append(what)  # type: ignore[attr-defined]


def look(label: str, status: int, *, crashed: bool) -> None:
    seen["rounds"] += 1  # type: ignore[operator]
    now = trusted()
    if not now >= OLD_TRUST & NEW_TRUST:
        note("lost", label)
    if not now <= OLD_TRUST | NEW_TRUST:
        note("gained", label)
    if crashed:
        trustfiles.recover(JOURNAL)
        if trusted() != now:
            note("lost", f"{label}: recovery changed what is trusted")
    left = [name for name in os.listdir(FOLDER) if ".reroot-" in name]
    if left or (crashed and any(line.end == "open" for line in JOURNAL.lines())):  # a lost end line is no harm
        note("leftovers", [label, left])
    word = "killed" if os.WIFSIGNALED(status) else str(os.WEXITSTATUS(status))
    seen["codes"][word] = seen["codes"].get(word, 0) + 1  # type: ignore[attr-defined,index]
    try:
        if trusted() != NEW_TRUST:
            CHANGE()
        if trusted() != NEW_TRUST:
            note("stuck", label)
        if (BEFORE is not None or len(COMING) == 0) and listing() != NEW:
            note("other bytes", label)
    except RerootError as error:
        note("stuck", [label, str(error)])
    fresh()


fresh()
if WHAT in ("kill", "kill-after"):
    for at in range(1, 1000):
        status = child(at, 0 if WHAT == "kill" else -1)
        look(f"{WHAT} at {at}", status, crashed=True)
        if not os.WIFSIGNALED(status):
            break
else:
    calls = 0
    for at in range(1, 1000):
        status = child(at, 0)
        fresh()
        if not os.WIFSIGNALED(status):
            break
        calls = at
    for at in range(1, calls + 1):
        for number in map(int, REST):
            look(f"errno {number} at {at}", child(at, number), crashed=False)
if (SCRATCH / "uncaught").exists():
    note("uncaught", (SCRATCH / "uncaught").read_text())
print(json.dumps(seen))
