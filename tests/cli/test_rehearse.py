"""`reroot rehearse` as a user runs it: in a process of its own, with a real program."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from reroot.collect.rehearse._ways import WAYS as KNOWN
from reroot.lab import ca
from reroot.lab.postgres import clean_environment

HOST = "db1.lab.test"
PSQL = shutil.which("psql")
needs_psql = pytest.mark.skipif(PSQL is None, reason="not exercised: psql (no psql on this machine)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("rehearse")
    root = ca.root("next root")
    leaf = ca.leaf(root, HOST)
    for name, content in {
        "root.pem": root.cert_pem,
        "old.pem": ca.root("old root").cert_pem,
        "chain.pem": ca.bundle(leaf),
        "key.pem": leaf.key_pem,
    }.items():
        (place / name).write_bytes(content)
    return place


def start(folder, *words, **env):
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("reroot")), "rehearse", *words],
        cwd=folder,
        env=clean_environment({"HOME": str(folder), "TMPDIR": str(folder), **env}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder, *words):
    process = start(folder, *words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def psql(port, mode, roots=""):
    return ("--", "psql", f"host={HOST} port={port} user=u dbname=d sslmode={mode}" + (f" sslrootcert={roots}" if roots else ""))


@needs_psql
@pytest.mark.parametrize(
    ("words", "mode", "roots", "code", "trust"),
    [
        (("--next", "chain.pem"), "verify-full", "root.pem", 0, "trusts"),
        (("--next", "chain.pem"), "verify-full", "old.pem", 1, "rejects"),
        (("--next", "chain.pem", "--next-key", "key.pem"), "verify-ca", "root.pem", 0, "trusts"),
        (("--root", "root.pem"), "verify-full", "root.pem", 0, "trusts"),
        (("--next", "chain.pem", "--next-key", "key.pem"), "require", "", 1, "verifies-nothing"),
        (("--next", "chain.pem", "--next-key", "key.pem"), "disable", "", 1, "never-asks-for-tls"),
        (("--next", "chain.pem", "--next-key", "key.pem"), "verify-full", "missing.pem", 4, "cannot-tell"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_psql_is_rehearsed_unchanged(folder, words, mode, roots, code, trust):
    found, out, err = run(folder, "--json", "--patience", "3", *words, *psql(5997, mode, roots))
    assert found == code, out + err
    document = json.loads(out)
    assert document["schema"] == "reroot/rehearsal/1"
    assert document["conclusion"]["trust"] == trust


@needs_psql
def test_the_text_ends_with_counts_and_what_comes_next(folder):
    _, out, _ = run(folder, "--next", "chain.pem", *psql(5997, "verify-full", "root.pem"))
    assert out.startswith(f"● trusts the next chain: `psql` at {HOST}:5997")
    assert "2 acts, 2 connections, led by PGHOSTADDR (privilege: none)" in out.splitlines()[-1]


@needs_psql
def test_evidence_is_kept_with_what_was_presented(folder):
    from reroot.ledger import open_ledger

    ledger = folder / "ledger.sqlite"
    run(folder, "--next", "chain.pem", "--ledger", str(ledger), "--rotation", "r1", *psql(5997, "verify-full", "root.pem"))
    with open_ledger(str(ledger)) as kept:
        (evidence,) = kept.evidence("r1", "rehearsal")
    assert evidence.strength.value == "rehearsed"
    assert set(evidence.facts["presented"]) == {"control", "next"}
    assert evidence.facts["conclusion"]["trust"] == "trusts"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "neither a command nor `--listen`"),
        (("--", "true"), "no chain to rehearse"),
        (("--next", "chain.pem", "--", "true"), "cannot be seen"),
        (("--next", "chain.pem", "--server", HOST, "--", "no-such-program"), "no program `no-such-program`"),
        (("--next", "key.pem", "--server", HOST, "--", "true"), "no certificate chain"),
        (("--next", "chain.pem", "--next-key", "chain.pem", "--server", HOST, "--", "true"), "not a private key"),
        (("--next", "chain.pem", "--way", "carrier-pigeon", "--server", HOST, "--", "true"), "no way to lead"),
        (("--next", "chain.pem", "--", "psql", f"host={HOST} hostaddr=192.0.2.1"), "whatever the name of its host means"),
        (("--next", "chain.pem", "--page", "8000", "--server", HOST, "--", "true"), "belongs to `--listen`"),
        (("--next", "chain.pem", "--listen", "127.0.0.1:5997", "--page", "0.0.0.0:8000", "--for", "1"), "on this machine only"),
        (("--next", "chain.pem", "--through-plain", "--server", HOST, "--", "true"), "belong to `--through`"),
        (("--next", "chain.pem", "--listen", "192.0.2.1:5997", "--for", "1"), "cannot listen"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_named(folder, words, message):
    code, out, err = run(folder, *words)
    assert code in (2, 4)
    assert not out
    assert message in err


@needs_psql
def test_an_address_in_the_environment_does_not_lead_past_the_stage(folder):
    """192.0.2.1 is nobody's; a program that went there would never come to the stage."""
    command = ("--next", "chain.pem", "--way", "mounts", "--patience", "5", *psql(5997, "verify-full", "root.pem"))
    process = start(folder, *command, PGHOSTADDR="192.0.2.1")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, "trusts the next chain" in out) == (0, True), out + err


@needs_psql
@pytest.mark.parametrize(("claimed", "code"), [("root.pem", "foreseen"), ("old.pem", "rules-contradicted")])
def test_what_the_rules_foresaw_is_held_against_what_was_seen(folder, claimed, code):
    """The second claim is a lie about the program, as a bug in the rules would be."""
    dsn = f"host={HOST} port=5997 sslmode=verify-full sslrootcert={folder / claimed}"
    words = ("--json", "--next", "chain.pem", "--driver", "psql", "--dsn", dsn)
    exit_code, out, err = run(folder, *words, *psql(5997, "verify-full", "root.pem"))
    assert code in [r["code"] for r in json.loads(out)["beside"]], err
    assert exit_code == (code == "rules-contradicted")


NODE = Path(".cache/clients/node/node_modules/pg").resolve()


@pytest.mark.skipif(shutil.which("node") is None or not NODE.exists(), reason="not exercised: node-postgres (no Node, or `tools/clients.sh everyday` has not installed pg)")
@pytest.mark.parametrize(
    ("roots", "code"), [("root.pem", "node-would-trust"), ("old.pem", "node-would-reject"), ("", "node-bundled-roots")]
)
def test_what_a_node_program_tells_its_tls_is_worked_out_beside_the_acts(folder, roots, code):
    ssl = f"{{ca: require('fs').readFileSync('{folder / roots}', 'utf8')}}" if roots else "true"
    program = f"new (require('{NODE}').Client)({{host: '{HOST}', port: 5996, ssl: {ssl}}}).connect().catch(() => process.exit(1))"
    exit_code, out, err = run(folder, "--json", "--next", "chain.pem", "--server", f"{HOST}:5996", "--", "node", "-e", program)
    document = json.loads(out)
    assert (exit_code, document["conclusion"]["trust"]) == (4, "cannot-tell"), err
    assert code in [r["code"] for r in document["beside"]]


@pytest.mark.parametrize("program", ["true", "false"])
def test_a_program_that_never_connects_cannot_be_told(folder, program):
    code, out, err = run(folder, "--next", "chain.pem", "--way", "PGHOSTADDR", "--server", f"{HOST}:5997", "--", program)
    assert code == 4, out + err
    assert "no connection came to the stage" in out
    assert "hint:" in out


@needs_psql
def test_a_program_that_connects_again_and_again_is_ended(folder):
    dsn = f"host={HOST} port=5997 user=u dbname=d sslmode=verify-full sslrootcert=root.pem"
    loop = f"while :; do psql '{dsn}'; done"
    code, out, err = run(
        folder, "--json", "--next", "chain.pem", "--way", "PGHOSTADDR", "--server", f"{HOST}:5997", "--", "sh", "-c", loop
    )
    assert code == 0, err
    assert json.loads(out)["conclusion"]["trust"] == "trusts"


def fetch(address):
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_a_listening_stage_says_where_for_whom_and_in_which_acts_when_its_door_is_open(folder):
    """Scripts wait for this line before they start a client."""
    port = free_port()
    words = ("--next", "chain.pem", "--current", "chain.pem", "--current-key", "key.pem", "--allow", "127.0.0.0/8")
    with start(folder, *words, "--listen", f"127.0.0.1:{port}", "--json") as stage:
        try:
            told = stage.stderr.readline()
            with socket.create_connection(("127.0.0.1", port), 10) as guest:
                guest.sendall(bytes.fromhex("0000000804d2162f"))
                assert guest.recv(1) == b"S"
        finally:
            stage.send_signal(signal.SIGINT)
        out, _ = stage.communicate(timeout=60)
    assert told == f"listening on 127.0.0.1:{port} for 127.0.0.0/8; acts in turn: control, current, next; Ctrl-C ends it\n"
    assert (stage.returncode, json.loads(out)["turned_away"]) == (4, 0)


@needs_psql
def test_a_listening_stage_is_watched_by_its_page(folder):
    words = ("--next", "chain.pem", "--next-key", "key.pem", "--listen", f"127.0.0.1:{free_port()}", "--page", str(free_port()), "--json")
    with start(folder, *words) as stage:
        try:
            told = [stage.stderr.readline() for _ in range(2)]
            page = next(line.split()[-1] for line in told if line.startswith("watch it at"))
            where = next(line.split()[2] for line in told if line.startswith("listening on"))
            assert "nobody has come yet" in fetch(page).read().decode()
            port = where.rpartition(":")[2]
            for _ in range(2):
                dsn = f"host={HOST} hostaddr=127.0.0.1 port={port} user=u dbname=d sslmode=verify-full sslrootcert=root.pem"
                subprocess.run(["psql", dsn], cwd=folder, env=clean_environment({"HOME": str(folder)}), capture_output=True, timeout=60)
                stage.stderr.readline()  # each is told when it has left
            shown = fetch(page).read().decode()
            assert "● trusts" in shown
            assert f"asking for {HOST}" in shown
        finally:
            stage.send_signal(signal.SIGINT)
        out, _ = stage.communicate(timeout=60)
    assert json.loads(out)["clients"][0]["trust"] == "trusts"
    assert stage.returncode == 0


@needs_psql
def test_a_rehearsal_killed_at_random_leaves_nothing_behind(folder):
    """The whole hundred is run by the matrix; eight here, two of each way."""
    kill_some(folder, 8)


@needs_psql
@pytest.mark.matrix
def test_a_hundred_rehearsals_killed_at_random_leave_nothing_behind(folder):
    kill_some(folder, 100)


WAYS = ("PGHOSTADDR", "mounts", "nss-wrapper", "isolated")


def kill_some(folder: Path, times: int) -> None:
    """Each killed at another moment of another way; what it had started ends too."""
    hosts, before = Path("/etc/hosts").read_bytes(), sorted(p.name for p in folder.iterdir())
    mounts = Path("/proc/self/mountinfo").read_text()
    ways = [w for w in WAYS if next(known for known in KNOWN if known.name == w).is_here()]
    for seed in range(times):
        way = ways[seed % len(ways)]
        words = psql(5998, "verify-full", "root.pem")
        process = start(folder, "--next", "chain.pem", "--way", way, *words[:-1], f"{words[-1]} application_name=kill-{os.getpid()}")
        try:
            process.wait(random.Random(seed).uniform(0.1, 1.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    until = time.monotonic() + 60
    while (left := orphans(f"kill-{os.getpid()}")) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left
    assert Path("/etc/hosts").read_bytes() == hosts
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert sorted(p.name for p in folder.iterdir()) == before
    assert not any(b"REHEARSAL" in p.read_bytes() for p in folder.rglob("*.pem"))
    for store in (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/ssl/certs/java/cacerts")):
        assert not store.exists() or b"REHEARSAL" not in store.read_bytes()


def orphans(mark: str) -> list[str]:
    """Processes that still run with *mark* on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if mark.encode() in line and int(folder.name) != os.getpid():
                found.append(line.replace(b"\0", b" ").decode())
    return found
