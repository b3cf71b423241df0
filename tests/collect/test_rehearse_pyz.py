"""The one file that travels: what it weighs, and that it works under a bare Python with nothing installed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from reroot.lab import ca
from reroot.lab.postgres import Postgres, clean_environment

TOOLS = Path(__file__).parent.parent.parent / "tools"


@pytest.fixture(scope="module")
def pyz(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("build_pyz", TOOLS / "build_pyz.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("pyz")
    assert module.build(folder / "reroot-probe.pyz") < 100_000
    assert module.build(folder / "again.pyz") == (folder / "reroot-probe.pyz").stat().st_size
    assert (folder / "again.pyz").read_bytes() == (folder / "reroot-probe.pyz").read_bytes()
    return folder / "reroot-probe.pyz"


def run(pyz, *words):
    # -I -S: no site-packages, so that a dependency would be missed.
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(pyz), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment({"HOME": str(pyz.parent)}),
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.real
def test_it_tells_which_trust_store_takes_a_real_server(pyz, tmp_path):
    root, other = ca.root("root"), ca.root("other")
    (tmp_path / "good.pem").write_bytes(root.cert_pem)
    (tmp_path / "bad.pem").write_bytes(other.cert_pem)
    leaf = ca.leaf(root, "localhost")
    with Postgres(pair=(leaf.cert_pem, leaf.key_pem)) as server:
        roots = ("--roots", str(tmp_path / "good.pem"), "--roots", str(tmp_path / "bad.pem"))
        code, found = run(pyz, "probe", f"localhost:{server.port}", *roots)
    (row,) = found["servers"]
    assert code == 0
    assert row["stores"][str(tmp_path / "good.pem")] == ""
    assert "unable to get local issuer" in row["stores"][str(tmp_path / "bad.pem")]


def test_a_server_that_is_not_there_cannot_be_told(pyz):
    code, found = run(pyz, "probe", "127.0.0.1:1")
    assert (code, found["complete"]) == (4, False)


def test_it_is_a_text_that_python_reads_from_its_input(pyz):
    """As `ssh host python3 - probe … < reroot-probe.pyz` does."""
    with pyz.open("rb") as text:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", "probe", "127.0.0.1:1"],
            stdin=text,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=pyz.parent,
            env=clean_environment({"HOME": str(pyz.parent)}),
        )
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["servers"][0]["answer"] == "unreachable"
    pyz.read_text("ascii")


@pytest.mark.skipif(shutil.which("psql") is None, reason="not exercised: psql (no psql on this machine)")
def test_a_rehearsal_is_sent_by_its_input_too(pyz, tmp_path):
    root = ca.root("root")
    leaf = ca.leaf(root, "db1.lab.test")
    (tmp_path / "root.pem").write_bytes(root.cert_pem)
    (tmp_path / "next.pem").write_bytes(leaf.cert_pem + leaf.key_pem)
    dsn = f"host=db1.lab.test port=5994 user=u dbname=d sslmode=verify-full sslrootcert={tmp_path}/root.pem"
    words = ("rehearse", "--next", f"{tmp_path}/next.pem", "--server", "db1.lab.test:5994", "--", "psql", dsn)
    with pyz.open("rb") as text:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", *words],
            stdin=text,
            capture_output=True,
            text=True,
            timeout=60,
            env=clean_environment({"HOME": str(tmp_path)}),
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trust"] == "trusts"


@pytest.mark.skipif(shutil.which("psql") is None, reason="not exercised: psql (no psql on this machine)")
@pytest.mark.parametrize(
    ("roots", "trust", "code"), [("root.pem", "trusts", 0), ("other.pem", "rejects", 1), ("", "verifies-nothing", 1)]
)
def test_it_rehearses_without_any_dependency(pyz, tmp_path, roots, trust, code):
    root = ca.root("root")
    leaf = ca.leaf(root, "db1.lab.test")
    (tmp_path / "root.pem").write_bytes(root.cert_pem)
    (tmp_path / "other.pem").write_bytes(ca.root("other").cert_pem)
    (tmp_path / "next.pem").write_bytes(leaf.cert_pem + leaf.key_pem)
    mode = f"sslmode=verify-full sslrootcert={tmp_path / roots}" if roots else "sslmode=require"
    dsn = f"host=db1.lab.test port=5995 user=u dbname=d {mode}"
    found = run(pyz, "rehearse", "--next", str(tmp_path / "next.pem"), "--server", "db1.lab.test:5995", "--", "psql", dsn)
    assert (found[0], found[1]["trust"]) == (code, trust)


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="needs root, to become somebody else")
@pytest.mark.skipif(shutil.which("psql") is None, reason="not exercised: psql (no psql on this machine)")
@pytest.mark.parametrize("way", ["PGHOSTADDR", "mounts", "isolated"])
def test_an_ordinary_user_rehearses_by_every_way(pyz, way):
    with tempfile.TemporaryDirectory(prefix="reroot-nobody-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = ca.root("root")
        leaf = ca.leaf(root, "db1.lab.test")
        (folder / "root.pem").write_bytes(root.cert_pem)
        (folder / "next.pem").write_bytes(leaf.cert_pem + leaf.key_pem)
        shutil.copy(pyz, folder)
        dsn = f"host=db1.lab.test port=5993 user=u dbname=d sslmode=verify-full sslrootcert={folder}/root.pem"
        command = ["/usr/bin/python3", "-I", str(folder / pyz.name), "rehearse", "--next", str(folder / "next.pem")]
        done = subprocess.run(
            [*command, "--server", "db1.lab.test:5993", "--way", way, "--", "psql", dsn],
            capture_output=True,
            text=True,
            timeout=60,
            user=65534,
            group=65534,
            extra_groups=[],
            env=clean_environment({"HOME": "/nonexistent"}),
        )
        if "could not lead" in done.stderr:
            pytest.skip("this machine allows ordinary users no namespaces")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["trust"] == "trusts"
