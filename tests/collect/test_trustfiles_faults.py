"""A trust store survives whatever happens while it is changed: kills, full disks, a second writer, swapped links."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reroot import truststores
from reroot.collect import trustfiles
from reroot.errors import TrustStoreError
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.truststores import pem
from tests.readers.shapes import authority, workshop

HERE = Path(__file__).parent
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EACCES)

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler on this machine")


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("shim") / "faults.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(built), str(HERE / "faults.c"), "-ldl"], check=True)
    return built


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what is tried here are orders of calls, and no disk needs to turn for that."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path) as folder:
        try:
            os.setxattr(folder, "user.reroot", b"1")
        except OSError:
            yield tmp_path
            return
        yield Path(folder)


def run(shim: Path, folder: Path, name: str, *what: object) -> dict[str, Any]:
    w = workshop()
    create = truststores.find({"pem": "pem", "jks": "jks", "p12": "pkcs12"}[name.split(".")[1]]).create
    assert create is not None
    (folder / name).write_bytes(create([Certificate(w.a.der), Certificate(w.expired.der)], Secret("changeit")))
    (folder / name).chmod(0o640)
    os.setxattr(folder / name, "user.origin", b"by hand")
    (folder / "next.roots").write_bytes(pem.create([Certificate(w.b.der)]))
    ran = subprocess.run(
        [sys.executable, str(HERE / "faulty.py"), str(folder), name, *map(str, what)],
        env=os.environ | {"LD_PRELOAD": str(shim)}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    uncaught = folder / "uncaught"
    assert not uncaught.exists(), uncaught.read_text()
    seen: dict[str, Any] = json.loads(ran.stdout)
    return seen


def judge(seen: dict[str, Any]) -> None:
    assert seen["torn"] == []
    assert seen["changed facts"] == []
    assert seen["leftovers"] == []
    assert seen["stuck"] == []


@pytest.mark.parametrize("name", ["store.pem", "store.jks", "store.p12"])
@pytest.mark.parametrize("what", ["kill", "kill-after"])
def test_killed_at_every_call_the_file_is_the_old_or_the_new_one(shim: Path, name: str, what: str, scratch: Path) -> None:
    seen = run(shim, scratch, name, what)
    judge(seen)
    assert seen["rounds"] > 25
    assert min(seen["old"], seen["new"]) > 0


@pytest.mark.parametrize("rounds", [100, pytest.param(5000, marks=pytest.mark.matrix)])
def test_killed_at_random_moments_the_file_is_the_old_or_the_new_one(shim: Path, rounds: int, scratch: Path) -> None:
    seen = run(shim, scratch, "store.pem", "random", rounds, 7)
    judge(seen)
    assert seen["codes"]["killed"] == rounds


@pytest.mark.parametrize(
    ("name", "errnos"),
    [
        pytest.param("store.pem", (errno.ENOSPC, errno.EPERM), id="pem"),
        *(
            pytest.param(f"store.{kind}", ERRNOS, id=f"{kind}, every errno", marks=pytest.mark.matrix)
            for kind in ("pem", "jks", "p12")
        ),
    ],
)
def test_whatever_call_fails_the_old_file_is_intact_and_the_error_clear(
    shim: Path, name: str, errnos: tuple[int, ...], scratch: Path
) -> None:
    seen = run(shim, scratch, name, "errno", *errnos)
    judge(seen)
    assert set(seen["codes"]) <= {"0", "2"}
    assert seen["codes"]["2"] > seen["codes"]["0"]


def _writer(path: str, mine: bytes, state: str, start: Any, done: Any, rounds: int) -> None:
    root, journal = Certificate(mine), trustfiles.Journal(Path(state))
    for _ in range(rounds):
        start.wait()
        trustfiles.add_root(path, [root], execute=True, journal=journal)
        done.wait()


@pytest.mark.parametrize("rounds", [200, pytest.param(10_000, marks=pytest.mark.matrix)])
def test_of_two_writers_neither_loses_a_root(rounds: int, scratch: Path) -> None:
    w = workshop()
    path = scratch / "store.pem"
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(3), context.Barrier(3)
    writers = [
        context.Process(target=_writer, args=(str(path), root.der, str(scratch / f"state{n}"), start, done, rounds))
        for n, root in enumerate((w.b, w.rsa))
    ]
    path.write_bytes(w.a.pem)
    for writer in writers:
        writer.start()
    wanted = {Certificate(root.der) for root in (w.a, w.b, w.rsa)}
    lost = 0
    for _ in range(rounds):
        start.wait(60)
        done.wait(60)
        lost += set(pem.read(path.read_bytes()).certificates) != wanted
        path.write_bytes(w.a.pem)
    for writer in writers:
        writer.join(60)
    assert lost == 0
    assert [name for name in os.listdir(scratch) if ".reroot-" in name] == []


@pytest.mark.parametrize("swaps", [3_000, pytest.param(100_000, marks=pytest.mark.matrix)])
def test_while_links_are_swapped_nothing_is_written_outside(swaps: int, scratch: Path) -> None:
    inside, outside = scratch / "in", scratch / "out"
    (inside / "real").mkdir(parents=True)
    outside.mkdir()
    w = workshop()
    for folder in (inside / "real", outside):
        (folder / "store.pem").write_bytes(w.a.pem)
    spare, place = inside / "spare", inside / "place"
    place.symlink_to("real")
    stop = threading.Event()
    swapped = 0

    def swap() -> None:
        nonlocal swapped
        while swapped < swaps and not stop.is_set():
            spare.symlink_to(outside if swapped % 2 else "real")
            os.replace(spare, place)
            swapped += 1

    attacker = threading.Thread(target=swap)
    attacker.start()
    number, refused, made = 0, 0, 0
    journal = trustfiles.Journal(scratch / "state")
    root = Certificate(authority("Next").der)
    try:
        while attacker.is_alive() and number < swaps:
            number += 1
            try:
                made += trustfiles.add_root(
                    place / "store.pem", [root], execute=True, allowed=str(inside), journal=journal
                ).executed
            except TrustStoreError:
                refused += 1
            (inside / "real" / "store.pem").write_bytes(w.a.pem)
    finally:
        stop.set()
        attacker.join()
    assert swapped == swaps or number == swaps
    assert os.listdir(outside) == ["store.pem"]
    assert (outside / "store.pem").read_bytes() == w.a.pem
    assert refused
    assert made
