"""Aurora on real PostgreSQL servers, with real clients: the log names who refuses, and the whole demo as users run it."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora.fleet import clusters
from reroot.lab.postgres import clean_environment
from reroot.providers import rds
from tests.aurora import REGION, aurora
from tests.test_demo import environment, processes_beneath

pytestmark = pytest.mark.real
STRANGER = "127.0.0.9"


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    with aurora(tmp_path, monkeypatch, clusters({REGION: ["a"]}, size=1), light=False) as running:
        yield running


def visit(instance, roots, source=STRANGER):
    """A client that checks everything, from an address of its own."""
    context = ssl.create_default_context(cadata=roots.decode())
    with socket.create_connection(("127.0.0.1", instance.stage.port), 10, (source, 0)) as raw:
        raw.sendall(bytes.fromhex("0000000804d2162f"))
        assert raw.recv(1) == b"S"
        with context.wrap_socket(raw, server_hostname=instance.host) as tls:
            tls.sendall(bytes.fromhex("5800000004"))


def test_a_real_server_is_cut_over_and_its_own_log_names_who_refuses_it(fleet, exercised):
    instance, old = fleet.lab.instance("a-1"), fleet.lab.root(REGION, OLD)
    site = fleet.site("a-1", watch=5.0, poll=0.1)
    visit(instance, old)
    since = datetime.now(UTC)
    assert rds.refused(fleet.site("a-1", watch=0.2, poll=0.1), since) == ()

    rds.cut_over(site)
    with pytest.raises(ssl.SSLCertVerificationError):
        visit(instance, old)
    assert rds.refused(site, since) == (f"{STRANGER} refused the certificate: tlsv1 alert unknown ca",)

    rds.roll_back(site)
    visit(instance, old)
    exercised("Python ssl (Aurora stand-in)")


def test_a_restart_that_was_agreed_to_is_one_of_the_real_server(fleet):
    fleet.lab.world.versions.clear()
    from reroot.lab.aurora.world import Version

    fleet.lab.world.versions["aurora-postgresql", "15.4"] = Version("aurora-postgresql", "15.4", restart_free=False)
    server = fleet.lab.instance("a-1").stage.server
    seen = len(server.log_lines)
    rds.cut_over(fleet.site("a-1", restart=True))
    assert any("ready to accept connections" in line for line in server.log_lines[seen:])
    visit(fleet.lab.instance("a-1"), fleet.lab.root(REGION, NEXT))


def test_the_log_that_the_api_hands_out_is_the_servers_own(fleet):
    visit(fleet.lab.instance("a-1"), fleet.lab.root(REGION, OLD))
    client = fleet.client()
    name = client.describe_db_log_files(DBInstanceIdentifier="a-1")["DescribeDBLogFiles"][0]["LogFileName"]
    first = client.download_db_log_file_portion(DBInstanceIdentifier="a-1", LogFileName=name, Marker="0", NumberOfLines=2)
    rest = client.download_db_log_file_portion(DBInstanceIdentifier="a-1", LogFileName=name, Marker=first["Marker"])
    told = (first["LogFileData"] + rest["LogFileData"]).encode()
    assert first["AdditionalDataPending"]
    assert fleet.lab.instance("a-1").stage.log.read_bytes().startswith(told)
    assert f"connection received: host={STRANGER}" in told.decode()


@pytest.mark.matrix
def test_the_demo_goes_from_discovery_to_retirement(tmp_path, exercised):
    workplace = Path(tempfile.mkdtemp(prefix="ra"))
    try:
        command = [sys.executable, "-c", "from reroot.cli import main; main()", "demo-aurora"]
        done = subprocess.run(command, cwd=tmp_path, env=environment(workplace), capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        report = (tmp_path / "reroot-demo-aurora" / "report.txt").read_text()
        assert "127.0.0.9 refused the certificate: tlsv1 alert unknown ca" in report
        assert "roll back orders-2" in report
        assert report.count(": 0 failed") == 3
        assert "12 of 12 instances show the next root" in report
        assert not list(workplace.iterdir()), "everything temporary is gone"
        assert not processes_beneath(workplace)
        exercised("demo-aurora")
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def test_the_demo_asks_no_aws_account(tmp_path):
    """Its environment is the stand-in's alone, whatever the user's says."""
    script = (
        "import os; os.environ.update(AWS_PROFILE='prod', AWS_ACCESS_KEY_ID='AKIAREAL');"
        "from reroot.cli.demo_aurora import _environment;"
        "ours = {'AWS_ACCESS_KEY_ID': 'lab'}\n"
        "with _environment(ours): print(sorted(n for n in os.environ if n.startswith('AWS_')), os.environ['AWS_ACCESS_KEY_ID'])\n"
        "print(os.environ['AWS_PROFILE'], os.environ['AWS_ACCESS_KEY_ID'])"
    )
    done = subprocess.run([sys.executable, "-c", script], env=clean_environment(), capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["['AWS_ACCESS_KEY_ID'] lab", "prod AKIAREAL"], done.stderr
