"""reroot reads a database URL as Active Record's own resolver does, errors included."""

from __future__ import annotations

import json
import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.drivers import rails
from reroot.errors import SettingsError
from reroot.lab.postgres import clean_environment
from tests.real.clients import WORKERS

PICKED = [
    "postgresql://u:p@h:5432/db?sslmode=require", "postgres://h/db", "postgis://h/db?sslmode=verify-full", "mysql2://h/db",
    "postgresql://db_1.corp.test/db", "postgresql://u@%2Ftmp%2Frun/db", "postgresql:///db?host=/tmp", "postgresql:db?host=h",
    "postgresql://h/db?sslmode=require&sslmode=disable", "postgresql://h/db?sslmode", "postgresql://h/db?sslmode=verify%2Dfull",
    "postgresql://h/db?ssl%6Dode=require", "postgresql://h/db?host=other", "postgresql://[::1]:5433/db", "postgresql://h/a/b",
    "postgresql://u:p:q@h/db", "postgresql://u%40x:p%2F@h/db", "postgresql://u:p@x@h/db", "postgresql://h/db#x", "postgresql://h/d b",
    "postgresql://h,i/db", "postgresql://:p@h/db", "postgresql://h:/db", "postgresql://h:x/db", "", "h", "?", "postgresql://ö/db",
]  # fmt: skip
WORDS = """postgresql:// postgres:// postgresql: : / @ ? & = # % %2F %zz a_b h db.x [::1] , u p 5432 sslmode=require host=x port=1 + . ; ö
    ' ( ) [ ] ~ ! * $ - a.b sslrootcert=%2Fr.pem"""
PIECES = WORDS.split()


def generated(count: int = 1500) -> list[str]:
    chance = random.Random(3)
    starts = ("", "postgresql://", "postgresql://", "postgresql://u:p@h")
    return [starts[n % 4] + "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7))) for n in range(count)]


def ours(text: str) -> dict[str, str] | None:
    try:
        return rails._from_url(text)
    except SettingsError:
        return None


def expected(answer: dict[str, dict[str, str]]) -> dict[str, str] | None:
    """None for an error, and for an adapter that is not PostgreSQL's."""
    words = dict(answer.get("ok") or {})
    return words if words.pop("adapter", None) in ("postgresql", "postgis") else None


def test_every_url_is_read_as_active_record_reads_it():
    ruby = shutil.which("ruby")
    if ruby is None or subprocess.run([ruby, "-e", "require 'active_record'"], capture_output=True).returncode:
        pytest.skip("not exercised: Rails' database URLs (no Ruby with Active Record: `tools/clients.sh matrix`)")
    asked = list(dict.fromkeys(PICKED + generated()))
    lines = "".join(json.dumps(text) + "\n" for text in asked)
    command = [ruby, str(WORKERS / "rails_parser.rb")]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env=clean_environment({"LANG": "C.UTF-8"}), timeout=120)
    answers = [expected(json.loads(line)) for line in done.stdout.splitlines()[1:]]
    assert len(answers) == len(asked), done.stderr
    assert sum(answer is not None for answer in answers) > 100  # the rest are errors to both
    differences = [(text, ours(text), answer) for text, answer in zip(asked, answers, strict=True) if ours(text) != answer]
    assert not differences[:5], len(differences)


@given(st.text(max_size=80))
def test_no_text_crashes_the_parser(text):
    for form in (text, f"postgresql://{text}", f"postgresql://u:p@h/db?{text}"):
        ours(form)


@pytest.mark.parametrize("text", ["[" * 900_000, "postgresql://" + "a@" * 300_000, "postgresql://h/?" + "&" * 900_000, "x" * 2_000_000])
def test_a_megabyte_is_read_or_refused_without_delay(text):
    ours(text)
