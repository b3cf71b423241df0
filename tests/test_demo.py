"""The demo: a whole rotation with real servers and clients, every prediction held against what happens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reroot.collect.inventory import read
from reroot.lab.clients import available
from reroot.lab.postgres import clean_environment

COMMAND = [sys.executable, "-c", "from reroot.cli import main; main()", "demo"]


def environment(folder: Path) -> dict[str, str]:
    """Temporary files of the demo go beneath *folder*, so that what it leaves behind can be seen."""
    folder.chmod(0o755)
    return clean_environment({"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"})


def processes_beneath(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(folder) in command and int(entry.name) != os.getpid():
                found.append(command)
    return found


@pytest.fixture
def workplace():
    """A short path that an unprivileged PostgreSQL can reach and whose sockets' names fit."""
    folder = Path(tempfile.mkdtemp(prefix="rd"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.real
def test_the_demo_goes_from_the_old_root_to_the_next_without_one_failed_connection(workplace, tmp_path, exercised):
    done = subprocess.run(COMMAND, cwd=tmp_path, env=environment(workplace), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = (tmp_path / "reroot-demo" / "report.txt").read_text()
    for promise in ("✕ breaks         refused", "▼ loses-tls      plaintext", "○ not-verifying  tls", "? unknown"):
        assert promise in report
    assert report.count("0 failed") == 2
    assert "NOT AS PREDICTED" not in report
    assert "old-crm → orders: there are no rules for the driver" in report, "the gate names what holds it"
    assert "the old root retired" in report
    assert (tmp_path / "reroot-demo" / "reroot.sqlite").stat().st_size > 0
    left = read(tmp_path / "reroot-demo" / "reroot.toml")
    assert left.old_root.title == "demo-root-2019", "what is left is complete: the commands can be asked about it"
    assert all((left.base / store).is_file() for client in left.clients for store in client.trust_stores)
    assert str(workplace) not in "".join(client.dsn.reveal() for client in left.clients if client.dsn)
    assert not list((tmp_path / "reroot-demo").rglob("*.key"))
    assert not list(workplace.iterdir()), "everything temporary is gone"
    assert not processes_beneath(workplace)
    for driver, version in available().items():
        exercised(f"demo {driver} {version}")


@pytest.mark.real
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM], ids=["by-the-keyboard", "by-a-signal"])
def test_an_interrupted_demo_cleans_up_after_itself(workplace, tmp_path, word):
    with subprocess.Popen(
        COMMAND, cwd=tmp_path, env=environment(workplace), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "what is served" in line:
                break
        running.send_signal(word)
        running.stdout.read()
        assert running.wait(60) == 130
    assert not list(workplace.iterdir())
    assert not processes_beneath(workplace)
