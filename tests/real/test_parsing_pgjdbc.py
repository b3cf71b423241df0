"""reroot reads a JDBC URL as pgJDBC's own parser does, errors included."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from reroot.drivers import _jdbc, pgjdbc
from reroot.errors import SettingsError
from reroot.model import Given

JARS = {
    "42.5.5": "/usr/share/java/postgresql-42.5.5.jar",
    "42.7.4": str(Path(__file__).parents[2] / ".cache" / "clients" / "postgresql-42.7.4.jar"),
}

SOURCE = Path(__file__).parent / "workers" / "PgjdbcParser.java"

PICKED = [
    "jdbc:postgresql://h/db",
    "jdbc:postgresql://h:1/db",
    "jdbc:postgresql://h",
    "jdbc:postgresql://h/",
    "jdbc:postgresql://h:1",
    "jdbc:postgresql://",
    "jdbc:postgresql:///",
    "jdbc:postgresql:///db",
    "jdbc:postgresql:db",
    "jdbc:postgresql:",
    "jdbc:postgresql:/",
    "jdbc:postgresql:/db",
    "jdbc:postgres://h/db",
    "jdbc:mysql://h/db",
    "postgresql://h/db",
    "jdbc:postgresql://h/a/b",
    "jdbc:postgresql://h:/db",
    "jdbc:postgresql://h:x/db",
    "jdbc:postgresql://h:0/db",
    "jdbc:postgresql://h:65536/db",
    "jdbc:postgresql://h:+1/db",
    "jdbc:postgresql://:1/db",
    "jdbc:postgresql://[::1]/db",
    "jdbc:postgresql://[::1]:1/db",
    "jdbc:postgresql://::1/db",
    "jdbc:postgresql://a:1,b:2/db",
    "jdbc:postgresql://a,b/db",
    "jdbc:postgresql://a,/db",
    "jdbc:postgresql://,b/db",
    "jdbc:postgresql://,/db",
    "jdbc:postgresql://u:p@h/db",
    "jdbc:postgresql://h/d%20b",
    "jdbc:postgresql://h/d+b",
    "jdbc:postgresql://h/d%zz",
    "jdbc:postgresql://h/d%",
    "jdbc:postgresql://h/db?sslmode=require",
    "jdbc:postgresql://h/db?sslmode=REQUIRE",
    "jdbc:postgresql://h/db?sslmode=Verify-Full",
    "jdbc:postgresql://h/db?sslmode=verify_full",
    "jdbc:postgresql://h/db?sslmode=",
    "jdbc:postgresql://h/db?sslmode",
    "jdbc:postgresql://h/db?sslMode=require",
    "jdbc:postgresql://h/db?SSLMODE=require",
    "jdbc:postgresql://h/db?ssl",
    "jdbc:postgresql://h/db?ssl=",
    "jdbc:postgresql://h/db?ssl=true",
    "jdbc:postgresql://h/db?ssl=TRUE",
    "jdbc:postgresql://h/db?ssl=1",
    "jdbc:postgresql://h/db?ssl=yes",
    "jdbc:postgresql://h/db?ssl=false",
    "jdbc:postgresql://h/db?ssl=true&sslmode=disable",
    "jdbc:postgresql://h/db?sslmode=disable&ssl=true",
    "jdbc:postgresql://h/db?sslmode=disable&sslmode=require",
    "jdbc:postgresql://h/db?sslmode=require&sslmode=disable",
    "jdbc:postgresql://h/db?sslmode=verify%2Dfull",
    "jdbc:postgresql://h/db?sslrootcert=%2Fetc%2Fx.pem",
    "jdbc:postgresql://h/db?sslrootcert=/a+b",
    "jdbc:postgresql://h/db?sslrootcert=/a%",
    "jdbc:postgresql://h/db?a=b=c",
    "jdbc:postgresql://h/db?=x",
    "jdbc:postgresql://h/db?&&sslmode=require&",
    "jdbc:postgresql://h/db?user=u&password=p%26q",
    "jdbc:postgresql://h/db?host=x&port=1&dbname=y",
    "jdbc:postgresql://h/db?PGHOST=x",
    "jdbc:postgresql://h/db??ssl=true",
    "jdbc:postgresql://h/db#?ssl=true",
    "jdbc:postgresql://h?ssl=true",
    "jdbc:postgresql:?ssl=true",
    "jdbc:postgresql:db?ssl=true",
    " jdbc:postgresql://h/db",
    "jdbc:postgresql://hö/dü?ApplicationName=ß",
]
PIECES = [
    "//", "/", "h", "h:1", "a,b", ":", ",", "?", "&", "=", "ssl", "sslmode", "true", "require", "verify-full", "%2F", "%", "+", "%zz",
    "[::1]", "db", "user", "password", "@", "host", "port", "ö", " ", "1",
]  # fmt: skip


def ours(url: str) -> tuple[str, dict[str, str]] | None:
    """Mode and properties; None where the driver does not take the URL."""
    try:
        properties = _jdbc.parse(url)
    except SettingsError:
        return None
    try:
        given = Given("pgjdbc", "42.7.4", dsn=url)
        mode = pgjdbc.mode_of(given, pgjdbc.read(given))
    except SettingsError:
        mode = "invalid"
    return mode, {"PGHOST": "localhost", "PGPORT": "5432"} | properties


@cache
def answers(jar: str, urls: tuple[str, ...], folder: Path) -> list[tuple[str, dict[str, str]] | None]:
    subprocess.run(["javac", "-cp", jar, "-d", str(folder), str(SOURCE)], check=True, capture_output=True)
    asked = "\n".join(base64.b64encode(url.encode()).decode() for url in urls)
    command = ["java", "-Djava.util.logging.config.file=/dev/null", "-cp", f"{folder}:{jar}", "PgjdbcParser"]
    lines = subprocess.run(command, input=asked, text=True, capture_output=True, check=True).stdout.splitlines()
    return [None if line == "-" else _decoded(line.split(" ")) for line in lines]


def _decoded(words: list[str]) -> tuple[str, dict[str, str]]:
    pairs = (word.split("=") for word in words[1:])
    return words[0], {_text(name): _text(value) for name, value in pairs}


def _text(word: str) -> str:
    return base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()


def shuffled(count: int) -> list[str]:
    chance = random.Random(20271123)
    return ["jdbc:postgresql:" + "".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(count)]


@pytest.mark.parametrize("version", sorted(JARS))
def test_jdbc_urls_are_read_as_pgjdbc_reads_them(version, tmp_path, exercised):
    jar = JARS[version]
    if not Path(jar).exists() or shutil.which("javac") is None:
        pytest.skip(f"pgjdbc {version}: its jar or a Java compiler is not here")
    urls = tuple(PICKED + shuffled(3000))
    theirs = answers(jar, urls, tmp_path)
    assert len(theirs) == len(urls)
    different = [(url, ours(url), real) for url, real in zip(urls, theirs, strict=True) if ours(url) != real]
    assert not different, f"{len(different)}: {different[:5]}"
    exercised(f"pgjdbc-{version}: {len(urls)} URLs")
