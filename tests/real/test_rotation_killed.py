"""
A rotation of real servers is killed with SIGKILL, at each entry of its journal and between the calls of the switch itself.

After each kill: the server restarts, a real client that checks everything still connects, and the same command ends the
rotation.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.fleets import HOST, lab

pytestmark = pytest.mark.real
WORKER = Path(__file__).with_name("killed.py")
ROTATE = ("rotate", "plan.json", "--execute", "--through", "retire")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with lab(tmp_path_factory.mktemp("killed"), ["db"]) as running:
        running.pair = [(running.servers[0].folder / f"server.{end}").read_bytes() for end in ("crt", "key")]
        yield running


def fresh(fleet):
    """The fleet as before any rotation: plain files, the old root everywhere, no ledger."""
    server = fleet.servers[0]
    shutil.rmtree(server.folder / "server.crt.reroot", ignore_errors=True)
    server.present(fleet.pair)
    for path in (*fleet.folder.glob("reroot.sqlite*"), fleet.folder / "orders.pem"):
        path.unlink(missing_ok=True)
    fleet.write(clients=fleet.client("orders"))
    fleet.run("plan", check=1)


def killed_at(fleet, moment):
    words = [sys.executable, str(WORKER), moment, str(fleet.servers[0].folder), *ROTATE]
    return subprocess.run(words, cwd=fleet.folder, env=fleet.environment(), capture_output=True, text=True, timeout=120)


def moments(fleet, kind):
    """How many moments of a kind a whole rotation has."""
    fresh(fleet)
    done = killed_at(fleet, f"{kind}:0")
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def a_client_connects(fleet):
    server = fleet.servers[0]
    dsn = f"host={HOST} hostaddr=127.0.0.1 port={server.port} user=postgres dbname=postgres sslmode=verify-full"
    with psycopg.connect(dsn, sslrootcert=str(fleet.folder / "orders.pem"), connect_timeout=10) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


def it_heals(fleet, moment):
    fresh(fleet)
    ended = killed_at(fleet, moment)
    assert ended.returncode == -signal.SIGKILL, (moment, ended.stderr)

    a_client_connects(fleet)
    fleet.servers[0].restart()
    a_client_connects(fleet)
    again = fleet.run(*ROTATE, check=None)
    assert again.returncode in (0, 5), (moment, again.stdout, again.stderr)
    a_client_connects(fleet)
    fleet.servers[0].restart()
    a_client_connects(fleet)

    roots = (fleet.folder / "orders.pem").read_bytes()
    if again.returncode == 0:
        assert fleet.serving() == ["next"]
        assert (fleet.old.cert_pem in roots, fleet.next.cert_pem in roots) == (False, True)
    else:
        assert fleet.serving() == ["old"]
        assert fleet.old.cert_pem in roots
    assert not list(fleet.servers[0].folder.rglob(".*.reroot-new"))
    key = fleet.servers[0].folder / "server.key"
    assert key.stat().st_mode & 0o077 == 0
    return again.returncode


def names_of(fleet, kind):
    """Which numbers of *kind* the everyday run takes, all over the rotation."""
    total = moments(fleet, kind)
    return sorted({total // 4, total // 2, 3 * total // 4} if kind == "files" else {total // 2})


@pytest.mark.parametrize("kind", ["journal", "written", "files"])
def test_a_rotation_killed_here_and_there_goes_on_and_the_server_always_starts(fleet, kind):
    for number in names_of(fleet, kind):
        it_heals(fleet, f"{kind}:{number}")


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["journal", "written", "files"])
def test_a_rotation_killed_anywhere_goes_on_and_the_server_always_starts(fleet, kind):
    ends = [it_heals(fleet, f"{kind}:{number}") for number in range(1, moments(fleet, kind) + 1)]

    assert ends
    print(f"{kind}: {len(ends)} kills, {ends.count(0)} done, {ends.count(5)} rolled back")
