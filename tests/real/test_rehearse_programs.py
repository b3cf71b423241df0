"""
`reroot rehearse -- PROGRAM` as a user types it, as root and as an ordinary user: unmodified programs, the right answer.

The matrix prints how long each took.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import reroot
from reroot.lab import ca
from reroot.lab.postgres import clean_environment

from .rehearsals import HOST, PORT, Program, programs

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else"),
    pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python that everybody may run"),
]
NOBODY = 65534
WHO = {"root": 0, "ordinary": NOBODY}
TYPICAL = (
    "psql-15", "django", "pgjdbc-42.7.4", "hikaricp", "node-postgres", "pgx", "ruby-pg", "pdo", "psqlpy", "psqlodbc", "asyncpg",
    "lib-pq-verify-full", "dbd-pg", "psycopg2",
)  # fmt: skip
EVERYDAY = [("psql-15", "trusts"), ("pgx", "distrusts"), ("node-postgres", "trusts"), ("asyncpg", "distrusts"), ("pdo", "trusts")]
PATHS = [str(Path(reroot.__file__).parent.parent), *(p for p in sys.path if p.endswith("site-packages"))]
SAME_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def folder():
    """A folder that everybody may read, with a next chain and two sets of roots."""
    with tempfile.TemporaryDirectory(prefix="reroot-programs-") as name:
        place = Path(name)
        place.chmod(0o755)
        root = ca.root("next root", key="rsa2048")
        leaf = ca.leaf(root, HOST, key="rsa2048")
        for file, content in {
            "root.pem": root.cert_pem,
            "other.pem": ca.root("another root").cert_pem,
            "chain.pem": ca.bundle(leaf),
            "key.pem": leaf.key_pem,
        }.items():
            (place / file).write_bytes(content)
        yield place


def python() -> str:
    found = shutil.which(f"python{SAME_PYTHON}", path="/usr/bin")
    if found is None:
        pytest.skip(f"no Python {SAME_PYTHON} that everybody may run")
    return found


def rehearse(folder: Path, program: Program, condition: str, who: str, *words: str) -> tuple[dict[str, object], float]:
    command = program.command(condition, folder / "root.pem", folder / "other.pem")
    paths = list(PATHS)
    if "python" in words and command[0] == "env":  # whoever sets PYTHONPATH itself is not led by it
        paths.append(command[1].partition("=")[2])
        command = command[2:]
    began = time.monotonic()
    done = subprocess.run(
        [
            *(python(), "-P", "-c", "from reroot.cli import main; main()", "rehearse", "--json"),
            *("--next", "chain.pem", "--next-key", "key.pem", "--server", f"{HOST}:{PORT}", *words, "--", *command),
        ],
        cwd=folder,
        env=clean_environment({"HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join(paths)}),
        capture_output=True,
        text=True,
        timeout=240,
        user=WHO[who],
        group=WHO[who],
        extra_groups=[],
    )
    took = time.monotonic() - began
    assert done.stdout, done.stderr
    return json.loads(done.stdout), took


def expected(condition: str) -> str:
    return {"trusts": "trusts", "distrusts": "rejects", "unverifying": "verifies-nothing"}[condition]


def found_program(folder: Path, name: str) -> Program:
    program = next((p for p in programs(folder) if p.name == name), None)
    if program is None:
        pytest.skip(f"no {name} here")
    return program


def late(mode: str, roots: str) -> list[str]:
    """A program that takes a refusal for a reason to do without TLS, a second later, and then goes on running."""
    where = f"host={HOST} port={PORT} user=app dbname=app"
    tries = (f"psql '{where} sslmode={mode} sslrootcert={roots}' -c ''", "sleep 1", f"psql '{where} sslmode=disable' -c ''", "sleep 60")
    return ["sh", "-c", "; ".join(tries)]


@pytest.mark.skipif(shutil.which("psql") is None, reason="no psql here")
@pytest.mark.parametrize(("settle", "falls_back"), [("0.4", False), ("3", True)])
def test_who_comes_again_late_without_tls_is_seen_or_it_is_said_that_nobody_waited(folder, settle, falls_back):
    document, _ = rehearse(folder, Program("late", "openssl", late), "distrusts", "root", "--settle", settle)
    found = document["conclusion"]
    assert (found["trust"], found["falls_back_to_plaintext"]) == ("rejects", falls_back)
    assert ("watched-briefly" in {r["code"] for r in found["reasons"]}) is not falls_back


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("name", "condition"), EVERYDAY, ids=lambda word: word)
def test_the_right_answer_for_whoever_asks(folder, name, condition, who, exercised):
    document, _ = rehearse(folder, found_program(folder, name), condition, who)
    assert document["conclusion"]["trust"] == expected(condition), document
    assert who == "root" or document["led_by"]["privilege"] != "root"
    exercised(name)


@pytest.mark.matrix
@pytest.mark.parametrize("who", WHO)
def test_every_typical_program_for_whoever_asks(folder, who, exercised, capsys):
    wrong, rows = [], []
    here = {p.name: p for p in programs(folder)}
    for name in TYPICAL:
        for condition in ("trusts", "distrusts", "unverifying"):
            if name not in here:
                continue
            document, took = rehearse(folder, here[name], condition, who)
            trust = document["conclusion"]["trust"]
            rows.append(f"{who:9} {name:20} {condition:12} {document['led_by']['way']:12} {took:5.2f} s  {trust}")
            exercised(name)
            if trust != expected(condition):
                wrong.append(f"{name} {condition}: {trust}; {document['conclusion']['reasons']}")
    absent = [name for name in TYPICAL if name not in here]
    with capsys.disabled():
        print("\n" + "\n".join([*rows, f"{who:9} not here: {', '.join(absent) or 'none'}"]))
    assert rows
    assert not wrong, "\n".join(wrong)


# ── every way ────────────────────────────────────────────────────────────────────────────────────

LEADS = {
    "PGHOSTADDR": ("psql-15", "ruby-pg", "dbd-pg", "pdo"),
    "java": ("pgjdbc-42.7.4",),
    "node": ("node-postgres", "postgres-js"),
    "python": ("asyncpg", "pg8000", "psycopg", "psycopg2"),
    "nss-wrapper": ("psql-15", "psycopg", "asyncpg", "asyncpg-uvloop", "psqlpy", "node-postgres", "ruby-pg", "dbd-pg", "pgjdbc-42.7.4"),
    "mounts": ("psql-15", "psycopg", "asyncpg-uvloop", "psqlpy", "node-postgres", "ruby-pg", "pdo", "lib-pq-verify-full", "pgx"),
    "isolated": ("psql-15", "psycopg", "asyncpg-uvloop", "psqlpy", "node-postgres", "ruby-pg", "pdo", "lib-pq-verify-full", "pgx"),
}
"""Which way is known to lead which programs; sitecustomize leads no Rust and no uvloop, nss_wrapper no PHP and no Go."""
QUICK = [("nss-wrapper", "psql-15"), ("nss-wrapper", "asyncpg-uvloop"), ("python", "asyncpg"), ("python", "psycopg2"), ("isolated", "pgx")]


@pytest.mark.parametrize(("way", "name"), QUICK, ids=lambda word: word)
def test_this_way_leads_this_program(folder, way, name, exercised):
    leads(folder, way, name, "ordinary")
    exercised(name)


@pytest.mark.matrix
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("way", "name"), [(w, n) for w, names in LEADS.items() for n in names], ids=lambda word: word)
def test_every_way_leads_whom_it_is_said_to_lead(folder, way, name, who):
    leads(folder, way, name, who)


def leads(folder: Path, way: str, name: str, who: str) -> None:
    if way == "nss-wrapper" and not list(Path("/usr/lib").glob("*/libnss_wrapper.so*")):
        pytest.skip("no libnss-wrapper")
    document, _ = rehearse(folder, found_program(folder, name), "trusts", who, "--way", way)
    assert (document["led_by"]["way"], document["conclusion"]["trust"]) == (way, "trusts"), document
