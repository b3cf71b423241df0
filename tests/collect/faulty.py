"""
Run under ``LD_PRELOAD=faults.so``: one change of one trust store, in a child each time, with a fault at the Nth call.

Arguments: the folder, the file's name, and one of ``kill``, ``kill-after``, ``random COUNT SEED`` or ``errno ERRNO…``.
Prints one JSON line for what was seen; the test judges it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from reroot.collect import trustfiles
from reroot.errors import RerootError
from reroot.truststores import pem

FOLDER, NAME, WHAT, *REST = sys.argv[1:]
FILE = Path(FOLDER) / NAME
PASSWORD = None if NAME.endswith(".pem") else "changeit"
ROOTS = [b.certificate for b in pem.blocks((Path(FOLDER) / "next.roots").read_bytes()) if b.certificate]
OLD = FILE.read_bytes()
JOURNAL = trustfiles.Journal(Path(FOLDER) / "state")


def facts() -> list[object]:
    status = FILE.stat()
    return [
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        {n: os.getxattr(FILE, n).hex() for n in os.listxattr(FILE)},
    ]


FACTS = facts()
SPAN = 0.0


def change() -> None:
    trustfiles.add_root(FILE, ROOTS, execute=True, password=PASSWORD, journal=JOURNAL)


def child(arm: tuple[int, int] | None) -> int:
    """Fork, change, and give the wait status."""
    made = os.fork()
    if made == 0:
        code = 70
        try:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - ends with the process
            if arm is not None:
                with suppress(FileNotFoundError):
                    os.open(f"/REROOT-ARM/{arm[0]}/{arm[1]}", os.O_RDONLY)
            change()
            code = 0
        except RerootError as error:
            code = error.exit_code
        except BaseException as error:  # whatever else comes is the finding
            with open(Path(FOLDER) / "uncaught", "a") as out:
                out.write(f"{arm}: {error!r} {traceback.format_exc()[-400:]}\n")
        finally:
            os._exit(code)
    if SPAN:
        time.sleep(random.random() * SPAN)
        with suppress(ProcessLookupError):
            os.kill(made, signal.SIGKILL)
    return os.waitpid(made, 0)[1]


def restore() -> None:
    if FILE.read_bytes() != OLD:
        trustfiles.undo(FILE, execute=True, password=PASSWORD, journal=JOURNAL)
    JOURNAL.path.unlink(missing_ok=True)


def leftovers() -> list[str]:
    return [name for name in os.listdir(FOLDER) if ".reroot-" in name]


change()
NEW = FILE.read_bytes()
restore()
assert FILE.read_bytes() == OLD
seen: dict[str, object] = {
    "rounds": 0,
    "old": 0,
    "new": 0,
    "torn": [],
    "changed facts": [],
    "leftovers": [],
    "stuck": [],
    "codes": {},
}


def look(label: str, status: int, *, crashed: bool) -> None:
    seen["rounds"] += 1  # type: ignore[operator]
    now = FILE.read_bytes()
    # A PKCS#12 file has a fresh salt each time, so "new" is told by what it holds.
    whole = now in (OLD, NEW) or (NAME.endswith(".p12") and holds(now))
    seen["old" if now == OLD else "new"] += 1  # type: ignore[operator]
    if not whole:
        seen["torn"].append(label)  # type: ignore[attr-defined]
    if facts() != FACTS:
        seen["changed facts"].append(label)  # type: ignore[attr-defined]
    if crashed:
        trustfiles.recover(JOURNAL)
    if leftovers():
        seen["leftovers"].append([label, leftovers()])  # type: ignore[attr-defined]
        for name in leftovers():
            (Path(FOLDER) / name).unlink()
    word = "killed" if os.WIFSIGNALED(status) else str(os.WEXITSTATUS(status))
    if not crashed and word == "0" and now == OLD:
        seen["torn"].append(f"{label}: said done and is not")  # type: ignore[attr-defined]
    seen["codes"][word] = seen["codes"].get(word, 0) + 1  # type: ignore[attr-defined,index]
    try:
        change()
        assert now != OLD or FILE.read_bytes() != OLD
        restore()
    except (RerootError, AssertionError) as error:
        seen["stuck"].append([label, repr(error)])  # type: ignore[attr-defined]
        FILE.write_bytes(OLD)


def holds(content: bytes) -> bool:
    from reroot import truststores
    from reroot.model import Secret

    return set(ROOTS) <= set(truststores.read(content, Secret("changeit")).certificates)


def calls() -> int:
    """How many calls one change makes, found by killing it at each."""
    for at in range(1, 1000):
        status = child((at, 0))
        trustfiles.recover(JOURNAL)
        restore()
        if not os.WIFSIGNALED(status):
            return at - 1
    raise AssertionError("never ends")


if WHAT in ("kill", "kill-after"):
    for at in range(1, 1000):
        status = child((at, 0 if WHAT == "kill" else -1))
        look(f"{WHAT} at {at}", status, crashed=True)
        if not os.WIFSIGNALED(status):
            break
elif WHAT == "random":
    spans = []
    for _ in range(5):
        started = time.monotonic()
        child(None)
        spans.append(time.monotonic() - started)
        restore()
    SPAN = min(spans)
    random.seed(int(REST[1]))
    while seen["codes"].get("killed", 0) < int(REST[0]):  # type: ignore[attr-defined]
        look(f"random {seen['rounds']}", child(None), crashed=True)
else:
    for at in range(1, calls() + 1):
        for errno in map(int, REST):
            look(f"errno {errno} at {at}", child((at, errno)), crashed=False)
print(json.dumps(seen))
