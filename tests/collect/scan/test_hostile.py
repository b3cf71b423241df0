"""Trees that nobody vouches for: the scan ends, finds what can be found, and says what it gave up on."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reroot.collect.scan import _look, _patience
from reroot.collect.scan._document import document
from reroot.collect.scan._finding import Harvest
from reroot.collect.scan._reader import Page
from reroot.collect.scan._recognise import recognise
from reroot.collect.scan._scan import Scan, scan
from reroot.reports import find

GOOD = "PGSSLMODE=verify-full\nPGSSLROOTCERT=/etc/pki/db.pem\n"


def scanned(root: Path, **options: object) -> Scan:
    return scan([str(root)], processes=1, **options)  # type: ignore[arg-type]


def limits(result: Scan) -> str:
    return "\n".join(f"{limit.path}: {limit.why}" for limit in result.incomplete)


def brackets(root: Path) -> None:
    (root / "deep.json").write_text('{"sslmode": ' + "[" * 100_000)


def yaml_brackets(root: Path) -> None:
    (root / "deep.yaml").write_text("sslmode: require\nx: " + "[" * 100_000)


def yaml_indents(root: Path) -> None:
    (root / "steps.yaml").write_text("sslmode: require\n" + "".join(" " * i + "a:\n" for i in range(900)))


def entities(root: Path) -> None:
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    (root / "bomb.xml").write_text(f'<!DOCTYPE x [<!ENTITY e0 "x">{levels}]><x url="jdbc:postgresql://h/d">&e11;</x>')


def external(root: Path) -> None:
    (root / "outside.xml").write_text(
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x url="jdbc:postgresql://h/d">&e;</x>'
    )


def zip_bomb(root: Path) -> None:
    with zipfile.ZipFile(root / "bomb.jar", "w", zipfile.ZIP_DEFLATED) as jar:
        jar.writestr("application.yml", b"\n" * (60 << 20))


def nested_zips(root: Path) -> None:
    data = b"sslmode=require"
    for depth in range(6):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as jar:
            jar.writestr(f"in{depth}.jar" if depth else "a.properties", data)
        data = inner.getvalue()
    (root / "nest.jar").write_bytes(data)


def damaged_zip(root: Path) -> None:
    (root / "broken.jar").write_bytes(b"PK\x03\x04" + b"\0" * 200)


def unreadable_text(root: Path) -> None:
    (root / "huge.env").write_text("DATABASE_URL=postgres://h/d\n" + "A=1\n" * 1_200_000)


def deep_folders(root: Path) -> None:
    here = root
    for _ in range(80):
        here = here / "d"
    here.mkdir(parents=True)
    (here / ".env").write_text(GOOD)


LIMITED: list[tuple[Callable[[Path], None], str]] = [
    (brackets, "nested deeper"),
    (yaml_brackets, "nested deeper"),
    (yaml_indents, "nested deeper"),
    (entities, "document type"),
    (external, "document type"),
    (zip_bomb, "unpacks to too much"),
    (nested_zips, "archives nested deeper"),
    (damaged_zip, "no readable archive"),
    (unreadable_text, "larger than"),
    (deep_folders, "folders nested deeper"),
]


@pytest.mark.parametrize(("make", "reason"), LIMITED, ids=[make.__name__ for make, _ in LIMITED])
def test_every_limit_is_reported_and_the_rest_is_found(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text(GOOD)
    make(tmp_path)
    result = scanned(tmp_path)
    assert reason in limits(result)
    assert any(f.path == "app.env" and f.mode == "verify-full" for f in result.findings)


def test_an_alias_bomb_costs_nothing(tmp_path: Path) -> None:
    lines = ['a0: &a0 ["x"]'] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 40)]
    (tmp_path / "laughs.yaml").write_text("\n".join([*lines, "database:", "  sslmode: verify-full", "  sslrootcert: /x.pem"]))
    result = scanned(tmp_path)
    assert [f.mode for f in result.findings] == ["verify-full"]
    assert result.incomplete == []


def test_loops_pipes_and_devices_are_passed_by(tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text(GOOD)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "zero.env").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.env")
    result = scanned(tmp_path)
    assert [(f.path, f.mode) for f in result.findings] == [("app.env", "verify-full")]


def test_a_sparse_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "app.env").write_text(GOOD)
    with open(tmp_path / "sparse.env", "wb") as file:
        file.write(b"PGSSLMODE=require\n")
        file.truncate(1 << 40)
    assert any(f.path == "app.env" for f in scanned(tmp_path).findings)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x00", b"\x80PGSSLMODE=require\n\xc3", b"\xed\xa0\x80sslmode=x", b"\xef\xbb\xbfPGSSLMODE=require\n"]
)
def test_invalid_encodings_do_not_stop_a_scan(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.env").write_bytes(data)
    (tmp_path / "app.env").write_text(GOOD)
    assert any(f.path == "app.env" for f in scanned(tmp_path).findings)


def test_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "app.env").write_bytes("﻿PGSSLMODE=verify-ca\r\n".encode("utf-16-le"))
    assert [(f.line, f.mode) for f in scanned(tmp_path).findings] == [(1, "verify-ca")]


@pytest.mark.parametrize("format", ["text", "json", "sarif", "github", "junit"])
def test_names_with_control_characters_reach_no_output_raw(format: str, tmp_path: Path) -> None:
    name = "a\x1b[31m\u202e\r::error::x.env"
    (tmp_path / name).write_text(GOOD + "PGHOST=\x1b[2Jh\n")
    (tmp_path / os.fsdecode(b"bad\xff.env")).write_text(GOOD)
    rendered = find(format).render(document(scanned(tmp_path), [str(tmp_path)]))
    rendered.encode("utf-8", "backslashreplace")
    assert "\x1b" not in rendered
    assert "\u202e" not in rendered or format == "json"
    assert "\r" not in rendered


def test_nothing_that_is_scanned_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "PWNED"
    (tmp_path / "conf.py").write_text(f"open({str(mark)!r}, 'w')\nDSN = 'host=h dbname=d sslmode=require'\n")
    (tmp_path / "conf.yaml").write_text(f"!!python/object/apply:os.system ['touch {mark}']\nsslmode: require\n")
    (tmp_path / "Makefile").write_text(f"X := $(shell touch {mark})\nPGSSLMODE=require\n")
    scanned(tmp_path)
    assert not mark.exists()


def test_lines_of_a_megabyte_take_no_noticeable_time(tmp_path: Path) -> None:
    for number, line in enumerate(
        (
            "postgres://" + "a" * 500_000,
            "sslmode=" + "=" * 500_000,
            "host=h " * 100_000,
            "${" * 300_000 + "sslmode",
            "-----BEGIN CERTIFICATE-----" * 20_000,
        )
    ):
        for end in ("env", "py", "yaml", "js", "sh", "tf", "json"):
            (tmp_path / f"long{number}.{end}").write_text(f'x = "{line}"\nsslmode = 1\n')
    scanned(tmp_path)


@pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: that a scan starts and calls nothing was not watched"
)
def test_a_scan_starts_no_program_and_opens_no_connection(tmp_path: Path) -> None:
    for make, _ in LIMITED:
        make(tmp_path)
    (tmp_path / "app.env").write_text(GOOD)
    (tmp_path / "pgadmin4.db").write_bytes(b"SQLite format 3\0" + b"\0" * 100)
    log = tmp_path.parent / "calls.log"
    watched = ["strace", "-f", "-qq", "-e", "trace=execve,socket,connect", "-o", str(log)]
    done = subprocess.run(
        [
            *watched,
            sys.executable,
            "-c",
            "from reroot.cli import main; main()",
            "scan",
            str(tmp_path),
            "--no-cache",
            "-q",
            "-j",
            "2",
        ],
        capture_output=True,
        check=False,
    )
    if b"Operation not permitted" in done.stderr:
        pytest.skip("this machine forbids tracing: that a scan starts and calls nothing was not watched")
    assert done.returncode == 4
    calls = [
        line.split(None, 1)[1] for line in log.read_text().splitlines() if not line.split(None, 1)[1].startswith(("+++", "---"))
    ]
    assert len(calls) == 1
    assert calls[0].startswith("execve(")


def test_one_statement_full_of_telling_words_is_read_once(tmp_path: Path) -> None:
    rows = '    {"sslmode": "require", "name": "aws-db-postgres"},\n' * 30_000
    (tmp_path / "data.py").write_text(f"ROWS = [\n{rows}]\n")
    (tmp_path / "app.env").write_text(GOOD)
    assert any(f.path == "app.env" for f in scanned(tmp_path).findings)


def test_a_file_that_takes_without_end_is_left_and_the_others_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(page: Page, path: str) -> Harvest:
        while "spin" in path:
            pass
        return recognise(page, path)

    monkeypatch.setattr(_look, "recognise", spin)
    monkeypatch.setattr(_patience, "SECONDS", 0.05)
    for name in ("a.env", "spin.env", "z.env"):
        (tmp_path / name).write_text("PGSSLMODE=require\n")
    result = scan([str(tmp_path)], processes=1)
    assert {f.path for f in result.findings} == {"a.env", "z.env"}
    assert [(limit.path, "too long" in limit.why) for limit in result.incomplete] == [("spin.env", True)]


MANY = {
    "contexts handed over": ("a.py", "import asyncpg, ssl\n" + "c = ssl.create_default_context()\nasyncpg.connect(ssl=c)\n" * 4_000),
    "calls that never close": ("a.sql", "dblink(" * 100_000),
    "merges of merges": (
        "a.yaml",
        "a: &a\n" + "".join(f"  d{i}_sslmode: x\n" for i in range(300)) + "".join(f"b{i}:\n  ssl: x\n  <<: *a\n" for i in range(400)),
    ),
    "an expression of strings without commas": ("database.yml", "p:\n  sslrootcert: <%= Rails.root.join(" + '"a"   ' * 5_000 + " %>\n"),
}


@pytest.mark.parametrize(("name", "body"), MANY.values(), ids=MANY)
def test_many_of_one_thing_come_to_an_end(name: str, body: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(body)
    (tmp_path / "z.env").write_text("PGSSLMODE=require\n")
    assert "z.env" in {f.path for f in scan([str(tmp_path)], processes=1).findings}
