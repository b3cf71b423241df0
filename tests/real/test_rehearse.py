"""
Rehearsals of real, unchanged programs: what is concluded is what they do, and nothing is concluded that could not be seen.

Everyday: psql and what else is quick, one condition each. ``--matrix``: every program × condition × plan × TLS version.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reroot.authorities import find
from reroot.collect.rehearse import _scenes as scenes
from reroot.collect.rehearse.command import Place, Rehearsed, rehearse
from reroot.lab import ca
from reroot.lab.postgres import clean_environment
from reroot.pki import Certificate
from reroot.rehearsal import Act

from .rehearsals import CONDITIONS, HOST, PORT, Program, programs

pytestmark = [pytest.mark.real, pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs Linux")]
PLANS = ("with-key", "keyless", "forged-amazon-root")


@pytest.fixture(scope="session")
def bed(tmp_path_factory):
    """A next chain with its trust stores, and a real root whose key nobody has."""
    return Bed(tmp_path_factory.mktemp("rehearse"))


class Bed:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root = ca.root("next root", key="rsa2048")
        middle = ca.intermediate(root)
        self.leaf = ca.leaf(middle, HOST, key="rsa2048")
        self.chain = (self.leaf.der, middle.der)
        family, _ = find("aws:us-east-1")
        self.amazon = next(
            r.certificate for r in family.roots if r.certificate.title == "Amazon RDS us-east-1 Root CA RSA2048 G1"
        )
        self.other = self.write("other.pem", ca.root("another root").cert_pem)
        self.ours = self.write("root.pem", root.cert_pem)
        self.public = self.write("amazon.pem", ca_pem(self.amazon))

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def acts(self, plan: str, old_tls: bool) -> list[scenes.Scene]:
        now = datetime.now(UTC)
        if plan == "with-key":
            acts = [scenes.control([HOST], now), scenes.own(Act.NEXT, self.chain, self.leaf.key_pem)]
        elif plan == "keyless":
            acts = [scenes.control([HOST], now, hold=0.5), scenes.keyless(Act.NEXT, self.chain, 0.5)]
        else:
            acts = [scenes.control([HOST], now), scenes.forged(self.amazon, [HOST], now)]
        return [replace(act, old_tls=True) for act in acts] if old_tls else acts

    def roots(self, plan: str) -> Path:
        return self.public if plan == "forged-amazon-root" else self.ours


def ca_pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.parsed.public_bytes(Encoding.PEM)


CANNOT = {"keyless": {"node", "go-late", "dotnet"}, "forged-amazon-root": {"dotnet"}}
"""Families whose server cannot tell trust from distrust, by plan."""
BY_WORDS = {"forged-amazon-root": {"node", "go", "go-late", "asyncio"}}
"""Families whose own words tell it in its place."""


def expected(program: Program, condition: str, plan: str) -> str:
    if condition == "default":
        return program.default
    if condition == "unverifying":
        return "verifies-nothing"
    if program.family in CANNOT.get(plan, ()):
        return "cannot-tell"
    return "trusts" if condition == "trusts" else "rejects"


def environment() -> dict[str, str]:
    return clean_environment({"HOME": "/nonexistent"})


def run(bed: Bed, program: Program, condition: str, plan: str, *, old_tls: bool = False, way: str = "") -> Rehearsed:
    command = program.command(condition, bed.roots(plan), bed.other)
    return rehearse(command, [Place(HOST, PORT)], bed.acts(plan, old_tls), env=environment(), way=way)


def explained(seen: Rehearsed) -> str:
    told = [m.reaction.words for r in seen.runs for m in r.met]
    return f"{seen.process.family} by {seen.way.name}: {told}; {[r.text for r in seen.conclusion.reasons]}; {seen.runs[0].words[-400:]}"


def find_program(bed: Bed, name: str) -> Program:
    found = next((p for p in programs(bed.folder) if p.name == name), None)
    if found is None:
        pytest.skip(f"no {name} here")
    return found


EVERYDAY = [
    ("psql-15", "trusts", "with-key"),
    ("psql-15", "distrusts", "keyless"),
    ("psql-15", "trusts", "forged-amazon-root"),
    ("psql-15", "unverifying", "keyless"),
    ("psql-15", "default", "with-key"),
    ("asyncpg", "trusts", "keyless"),
    ("asyncpg", "distrusts", "forged-amazon-root"),
    ("node-postgres", "trusts", "keyless"),
    ("node-postgres", "default", "with-key"),
    ("pgjdbc-42.7.4", "distrusts", "keyless"),
    ("lib-pq-verify-ca", "trusts", "keyless"),
    ("pdo", "trusts", "keyless"),
    ("npgsql", "trusts", "with-key"),
    ("npgsql", "distrusts", "with-key"),
    ("npgsql", "distrusts", "keyless"),
]


@pytest.mark.parametrize(("name", "condition", "plan"), EVERYDAY, ids=lambda word: word)
def test_a_rehearsal_concludes_what_the_unchanged_program_does(bed, name, condition, plan, exercised):
    program = find_program(bed, name)
    seen = run(bed, program, condition, plan)
    assert seen.conclusion.trust.value == expected(program, condition, plan), explained(seen)
    assert seen.conclusion.is_by_words is (program.family in BY_WORDS.get(plan, ())), explained(seen)
    exercised(name)


def test_a_program_that_swallows_its_own_words_cannot_be_told_by_a_forged_leaf(bed):
    program = find_program(bed, "asyncpg")
    command = program.command("trusts", bed.roots("forged-amazon-root"), bed.other)
    quiet = ["sh", "-c", 'exec "$@" 2>/dev/null', "sh", *command]
    seen = rehearse(quiet, [Place(HOST, PORT)], bed.acts("forged-amazon-root", False), env=environment())
    assert seen.conclusion.trust.value == "cannot-tell", explained(seen)


@pytest.mark.matrix
@pytest.mark.parametrize("old_tls", [False, True], ids=["tls-1.3", "tls-1.2"])
@pytest.mark.parametrize("plan", PLANS)
def test_every_program_in_every_condition(bed, plan, old_tls, exercised):
    wrong, count = [], 0
    for program in programs(bed.folder):
        for condition in CONDITIONS:
            seen = run(bed, program, condition, plan, old_tls=old_tls)
            count += 1
            exercised(program.name)
            if seen.conclusion.trust.value != expected(program, condition, plan):
                wrong.append(f"{program.name} {condition}: {seen.conclusion.trust.value}; {explained(seen)}")
    assert count
    assert not wrong, "\n".join(wrong)


@pytest.mark.matrix
def test_five_hundred_repeats_are_all_right(bed):
    chosen = [p for p in programs(bed.folder) if p.name in ("psql-15", "psql-17", "psycopg", "asyncpg", "pg8000")]
    wrong, count = [], 0
    while count < 500:
        for program in chosen:
            for condition in ("trusts", "distrusts"):
                seen = run(bed, program, condition, "keyless")
                count += 1
                if seen.conclusion.trust.value != expected(program, condition, "keyless"):
                    wrong.append(f"{program.name} {condition}: {explained(seen)}")
    assert not wrong, "\n".join(wrong)
