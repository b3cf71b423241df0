"""reroot reads a connection string as pgx's ParseConfig and lib/pq's NewConnector do, errors included."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot import drivers
from reroot.drivers import lib_pq, pgx
from reroot.errors import SettingsError
from reroot.lab.postgres import clean_environment
from reroot.model import Ask, File, FileState, Given
from tests.real.clients import CACHE, WORKERS

SOURCES = Path("/usr/share/gocode/src/github.com")
VERSIONS = {"pgx": "4.15.0", "lib-pq": "1.10.7"}
NEEDS = {"pgx": "jackc/pgconn", "lib-pq": "lib/pq"}

PICKED = [
    "",
    " ",
    "host=db",
    "host = db  port = 5433",
    "host=",
    "port=",
    "sslmode= host=x",
    "sslmode=",
    "host='a'port=1",
    "host='a b' sslmode='verify-full'",
    "host='it''s'",
    "host='it\\'s' port=1",
    "host=a\\ b",
    "host=a\\",
    "host='a\\",
    "host='a",
    "host",
    "host port=1",
    "=x",
    "host==x",
    "host=x=y",
    "\thost\n=\r\nx\v\f",
    "host=a\u00a0port=1",
    "host=a ",
    "password='a b' user=x dbname=y",
    "password=a\\'b user=x\\\\y",
    "sslmode=disable sslmode=require",
    "SSLMODE=require",
    "ssl=true host=a",
    "host=a,b port=1,2",
    "host=a,b,c port=1,2",
    "host=a port=0",
    "host=a port=65536",
    "host=a port=x",
    "host=/tmp sslmode=odd",
    "host=/tmp sslmode=verify-full sslrootcert=/nonexistent",
    "host=a sslrootcert=/nonexistent",
    "host=a sslmode=disable sslrootcert=/nonexistent",
    "host=a sslcert=/nonexistent",
    "host=a connect_timeout=x",
    "host=a connect_timeout=-1",
    "host=a target_session_attrs=odd",
    "host=a target_session_attrs=primary",
    "host=a client_encoding=latin1",
    "host=a client_encoding=UTF-8",
    "host=a datestyle=ISO",
    "host=a application_name=x search_path=y",
    "postgres://",
    "postgresql://",
    "postgres:///",
    "postgres:///db",
    "postgres://h",
    "postgres://h/",
    "postgres://h/db",
    "postgres://h:1/db",
    "postgres://:1/db",
    "postgres://u@h/db",
    "postgres://u:p@h/db",
    "postgres://:p@h/db",
    "postgres://@h/db",
    "postgres://u:@h/db",
    "postgres://u@x@h/db",
    "postgres://u:p:q@h/db",
    "postgres://u/x@h/db",
    "postgres://u:p#x@h/db",
    "postgres://u:p%zz@h/db",
    "postgres://u:p%23@h/db",
    "postgres://u p@h/db",
    "postgres://ü@h/db",
    "postgres://h?sslmode=require",
    "postgres://h/db?sslmode=require&sslmode=disable",
    "postgres://h/db?sslmode=disable&sslmode=verify-full",
    "postgres://h/db?sslmode=verify%2Dfull",
    "postgres://h/db?sslmode=%zz",
    "postgres://h/db?sslmode=require;x=1",
    "postgres://h/db?ssl%6Dode=require",
    "postgres://h/db?ssl=true",
    "postgres://h/db?sslmode",
    "postgres://h/db?sslmode=",
    "postgres://h/db?sslmode=a=b",
    "postgres://h/db?=a",
    "postgres://h/db?&",
    "postgres://h/db?",
    "postgres://h/db??sslmode=require",
    "postgres://h/db?host=/tmp",
    "postgres://h/db?host=other&port=7",
    "postgres://h/db?user=x&password=y&dbname=z&database=w",
    "postgres://h/db?application_name=a+b",
    "postgres://h/db?application_name=a%20b%27c",
    "postgres://h/db?a b=c",
    "postgres://h/db?a'b=c",
    "postgres://h/db#frag",
    "postgres://h/db#fr%zz",
    "postgres://h/a/b",
    "postgres://h//db",
    "postgres://h/d%2Fb",
    "postgres://h/d b",
    "postgres://h/d%zz",
    "postgres://[::1]/db",
    "postgres://[::1]:1/db",
    "postgres://[::1/db",
    "postgres://[]/db",
    "postgres://[::1]x/db",
    "postgres://[fe80::1%25eth0]:1/db",
    "postgres://::1/db",
    "postgres://a,b/db",
    "postgres://a:1,b:2/db",
    "postgres://a:1,b/db",
    "postgres://a,/db",
    "postgres://,/db",
    "postgres://%2Ftmp/db",
    "postgres://h%20x/db",
    "postgres://h%",
    "postgres://h x/db",
    "postgres://h<x>/db",
    "postgres://h^/db",
    "postgres://hö/dü",
    "postgres://h\x7f/db",
    "postgres://h/d\tb",
    "POSTGRES://h/db",
    *[f"host=a sslmode={mode}" for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full", "verify_full", "REQUIRE")],
    *[f"postgres://a:1,b:2/d?sslmode={mode}" for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full", "odd")],
]
WORDS = """
    postgres:// postgresql:// @ : / ? & = # % %2F %zz %20 %C3%B6 [ ] [::1] , h db.corp.test u p :5432 :x 127.0.0.1 sslmode= host= port= user=
    require prefer verify-full disable allow verify-ca 1 + ; ' '' \\ \\' ö sslmode=require ?sslmode=require &sslmode=disable dbname=x a,b
    application_name=z ?host=x target_session_attrs=any
"""
PIECES = [*WORDS.split(), " ", "\t", " ", " "]


def generated(count: int, seed: int = 11) -> list[str]:
    chance = random.Random(seed)
    found = []
    for number in range(count):
        body = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 9)))
        found.append((body, f"postgres://u:p@h{body}", f"postgres://{body}", f"host=a {body}")[number % 4])
    return found


@lru_cache(maxsize=1)
def asked() -> tuple[str, ...]:
    return tuple(dict.fromkeys(PICKED + generated(700)))


@lru_cache(maxsize=1)
def built() -> Path:
    program, source = CACHE / "go-parsers", WORKERS / "go_parsers.go"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        environment = clean_environment({"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""})
        done = subprocess.run(["go", "build", "-o", str(program), str(source)], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    return program


@lru_cache(maxsize=2)
def real(driver: str) -> list[dict[str, Any]]:
    if shutil.which("go") is None or not (SOURCES / NEEDS[driver]).exists():
        pytest.skip(f"not exercised: the parser of {driver} (no Go, or no Debian package of {NEEDS[driver]})")
    lines = "".join(json.dumps(text) + "\n" for text in asked())
    environment = clean_environment({"USER": "tester", "HOME": "/nonexistent"})
    done = subprocess.run([str(built()), driver], input=lines, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(asked())
    return rows


def without_files(path: str) -> File:
    """A machine on which only PostgreSQL's usual folder of sockets may exist, as on the one where the real parser runs."""
    there = path in pgx.SOCKETS and Path(path).is_dir()
    return File(path, FileState.FOLDER if there else FileState.MISSING)


def ours(driver: str, text: str) -> Any:
    """What reroot makes of *text*; None for an error."""
    found = drivers.find(driver)
    client = next(iter(found.possible(Given(driver, VERSIONS[driver], dsn=text, home="/nonexistent", files=without_files))))
    try:
        if driver == "lib-pq":
            return lib_pq.parse(text)
        settings = found.read(client)
    except SettingsError:
        return None
    return _tries(settings, found.policy(client, settings)) | {
        "database": settings.get("database"),
        "password": settings.values["password"].value.reveal() if "password" in settings.values else "",
        "sent": dict(settings.unknown),
    }


def _tries(settings: Any, policy: Any) -> dict[str, Any]:
    """The attempts that pgconn would list: host, port and what is checked."""
    tries = []
    for end in settings.endpoints:
        kind = "unverified" if not policy.chain else f"full {end.host}" if policy.names else "chain"
        both = {Ask.NEVER: ("plain",), Ask.IF_NEEDED: ("plain", kind), Ask.IF_OFFERED: (kind, "plain"), Ask.ALWAYS: (kind,)}
        tries += [f"{end.host} {end.port} {one}" for one in (("plain",) if end.host.startswith("/") else both[policy.ask])]
    return {"tries": tries}


def expected(driver: str, text: str, row: dict[str, Any]) -> Any:
    if "error" in row:
        return None
    found = row["ok"]
    if driver == "pgx":
        del found["user"]
        return found
    # Defaults and what lib/pq adds for every connection are no part of the string.
    added = {"host": "localhost", "port": "5432", "extra_float_digits": "2", "client_encoding": "UTF8", "datestyle": "ISO, MDY"}
    mine = lib_pq.parse(text)
    fixed = {"sslmode"} if found.get("host", "").startswith("/") else set()
    rest = {n: v for n, v in found.items() if n not in fixed and not (n in added and v == added[n] and n not in mine)}
    rest.pop("user", None) if "user" not in mine else None
    return {n: mine[n] if n == "client_encoding" else v for n, v in rest.items()} | {n: mine[n] for n in fixed & set(mine)}


# What NewConnector refuses after it has read the string, which is not the string's affair.
LATER = ("client_encoding must be", "setting datestyle must be")


def is_chance(text: str) -> bool:
    """pgx goes through a URL's query as Go goes through a map, in any order: of two words for the database either may be the last."""
    return "dbname=" in text and "database=" in text and "://" in text


@pytest.mark.parametrize("driver", VERSIONS)
def test_every_string_is_read_as_the_real_parser_reads_it(driver):
    rows = real(driver)
    differences, compared = [], 0
    for text, row in zip(asked(), rows, strict=True):
        if row.get("error", "").startswith(LATER) or (driver == "pgx" and is_chance(text)):
            continue
        compared += 1
        mine = ours(driver, text)
        if (mine is None) != ("error" in row) or (mine is not None and mine != expected(driver, text, json.loads(json.dumps(row)))):
            differences.append((text, mine, row))
    assert not differences[:5], len(differences)
    assert compared > 300


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(("pgx", "lib-pq")))
def test_no_text_crashes_a_parser(text, driver):
    for form in (text, f"postgres://{text}", f"host={text}", f"postgres://u:p@h/db?{text}"):
        ours(driver, form)


@pytest.mark.parametrize("text", ["[" * 200_000, "postgres://" + "%" * 500_000, "postgres://" + "a@" * 300_000, "'" * 400_001, "x=" * 2_000_000])
def test_a_megabyte_is_read_or_refused_without_delay(text):
    ours("pgx", text)
    ours("lib-pq", text)


@pytest.mark.parametrize("text", ["postgres://u:hunter2@h:x/db", "postgres://u:hunter2%zz@h/db", "password='hunter2", "password=hunter2 hunter2"])
@pytest.mark.parametrize("parse", [pgx.parse, lib_pq.parse])
def test_an_error_never_quotes_the_password(text, parse):
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert "hunter2" not in caught.value.message + caught.value.hint
