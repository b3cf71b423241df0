"""reroot reads a connection string as pg-connection-string and postgres.js do, errors included."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot.drivers import _pgconnectionstring, postgres_js
from reroot.drivers._driver import numbered
from reroot.errors import SettingsError
from reroot.lab.postgres import clean_environment
from reroot.model import File, FileState, Given
from tests.real.clients import CACHE, WORKERS

OLD = ("2.3.0", "2.4.0", "2.5.0", "2.6.2", "2.7.0", "2.8.5", "2.9.1", "2.10.0", "2.12.0", "2.13.0")
PARSERS = [("node", "pg-connection-string"), ("node", "postgres")]
PARSERS += [(f"node-parsers/pg-connection-string-{version}", "pg-connection-string") for version in OLD]
PARSERS += [(f"node-parsers/postgres-{version}", "postgres") for version in ("3.2.4", "3.3.5", "3.4.0", "3.4.7")]
IDS = [f"{package}@{folder.rpartition('-')[2] if 'parsers' in folder else 'newest'}" for folder, package in PARSERS]

PICKED = [
    "postgres://h/db",
    "postgresql://u:p@h:5432/db",
    "postgres://u@h",
    "postgres://",
    "postgres:///db",
    "postgres://u:p@/db",
    "postgres://u:p@/db?host=/tmp",
    "postgres://@h/db",
    "postgres://@/db",
    "postgres://:5432/db",
    "postgres://h:/db",
    "postgres://h:05432/db",
    "postgres://h:65536/db",
    "postgres://h:99999999999/db",
    "postgres://h:abc/db",
    "postgres://h:1,i:2/db",
    "postgres://h,i/db",
    "postgres://u:p@h1:1,h2:2/db?sslmode=require",
    "postgres://u:p@x@h/db",
    "postgres://u:p:q@h/db",
    "postgres://u%40x:p%3Aq@h/db",
    "postgres://u%:p@h/db",
    "postgres://u%zz:p@h/db",
    "postgres://u:p%ff@h/db",
    "postgres://%C3%B6:%E2%82%AC@h/db",
    "postgres://ö:€@h/dü",
    "postgres://h h/db",
    "postgres://h/d b",
    "postgres://h/d%20b%2Fc",
    "postgres://H.Example/DB",
    "postgres://[::1]/db",
    "postgres://[::1]:5433/db",
    "postgres://[::1/db",
    "postgres://[::g]/db",
    "postgres://[1:0:0:2:0:0:0:3]/db",
    "postgres://[::ffff:1.2.3.4]/db",
    "postgres://127.0.0.1/db",
    "postgres://0x7f.1/db",
    "postgres://%2Fvar%2Frun%2Fpostgresql/db",
    "postgres://%2fvar%2frun/db?host=other",
    "socket:/tmp/?db=x&encoding=utf8",
    "socket://user:p@/tmp?db=x&ssl=true&sslmode=require",
    "/tmp",
    "/tmp db",
    "/tmp db more?sslmode=require",
    "h",
    "h/db",
    "h:5432/db",
    "//h:5432/db",
    "?sslmode=require",
    "",
    " ",
    "POSTGRES://h/db",
    "postgis://h/db?sslmode=verify-full",
    "postgres:h/db",
    "postgres:/h/db",
    "postgres://h/db#fragment?sslmode=require",
    "postgres://u:p#x@h/db",
    "postgres://u:p?x@h/db",
    "postgres://u:p/x@h/db",
    "postgres://h/a/b/c",
    "postgres://h/../db",
    "postgres://h/./a/%2e%2e/db",
    "postgres://h//db",
    "postgres://h\\db",
    "postgres://h<x/db",
    "postgres://h^x/db",
    "postgres://h|x/db",
    "postgres://h\tx/d\nb",
    "  postgres://h/db  ",
    "postgres://h/db?",
    "postgres://h/db?&&",
    "postgres://h/db?=x",
    "postgres://h/db?a",
    "postgres://h/db?sslmode",
    "postgres://h/db?sslmode=",
    "postgres://h/db?sslmode=require&sslmode=disable",
    "postgres://h/db?sslmode=disable&sslmode=verify-full",
    "postgres://h/db?sslmode=verify%2Dfull",
    "postgres://h/db?ssl%6Dode=require",
    "postgres://h/db?SSLMODE=require",
    "postgres://h/db?sslmode=Require",
    "postgres://h/db?sslmode=require+x",
    "postgres://h/db?sslmode=require%20",
    "postgres://h/db?sslmode=require%zz",
    "postgres://h/db?sslmode=%ff",
    "postgres://h/db?ssl=require&sslrootcert=system",
    "postgres://h/db?sslrootcert=system",
    "postgres://h/db?sslrootcert=%2Fetc%2Fr.pem",
    "postgres://h/db?sslrootcert=/r.pem&sslmode=disable",
    "postgres://h/db?sslcert=/c&sslkey=/k&sslrootcert=/r",
    "postgres://h/db?sslrootcert=a%00b",
    "postgres://h/db?sslnegotiation=direct",
    "postgres://h/db?sslnegotiation=direct&sslmode=disable",
    "postgres://h/db?sslnegotiation=direct&ssl=0",
    "postgres://h/db?uselibpqcompat=true",
    "postgres://h/db?uselibpqcompat=TRUE&sslmode=require",
    "postgres://h/db?uselibpqcompat=true&ssl=true",
    "postgres://h/db?uselibpqcompat=true&sslmode=verify-ca",
    "postgres://h/db?host=other&port=1",
    "postgres://h/db?host=&port=",
    "postgres://h/db?user=x&password=y",
    "postgres://h/db?target_session_attrs=read-write",
    "postgres://h/db?target_session_attrs=odd",
    "postgres://h/db?application_name=a+b%2Bc",
    "postgres://h/db?options=-c%20search_path%3Dx",
    "postgres://h/db?max=3&idle_timeout=4&prepare=false",
    "https://h/db?sslmode=require",
    "postgres://u:p@$&h/db",
    *[f"postgres://h/db?ssl={v}" for v in ("true", "1", "0", "false", "no-verify", "require", "prefer", "verify-full", "", "TRUE")],
    *[
        f"postgres://h/db?{compat}sslmode={mode}{root}"
        for compat in ("", "uselibpqcompat=true&")
        for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify", "verify_full")
        for root in ("", "&sslrootcert=/r.pem")
    ],
]
WORDS = """
    postgres:// postgresql:// socket: // / : @ ? & = # % %2F %zz %20 %C3%B6 ö [ ] ::1 , h db.corp.test u p :5432 :x 127.0.0.1 sslmode= ssl=
    sslrootcert= /r.pem require prefer verify-full disable no-verify true false 1 host= port= uselibpqcompat=true + .. ; $& \\ | ^ < ~
    &sslmode=verify-ca ?sslmode=require &ssl=true ?ssl=no-verify sslnegotiation=direct target_session_attrs=primary A @@ //h/
"""
PIECES = WORDS.split()


def generated(count: int, seed: int = 7) -> list[str]:
    chance = random.Random(seed)
    found = []
    for number in range(count):
        body = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 9)))
        found.append(body if number % 4 == 0 else f"postgres://u:p@h{body}" if number % 4 == 1 else f"postgres://{body}")
    return found


@lru_cache(maxsize=1)
def asked() -> tuple[str, ...]:
    return tuple(dict.fromkeys(PICKED + generated(700)))


def here(folder: str, package: str) -> str:
    """The node program, or a skip that names what is not here."""
    node = shutil.which("node")
    if node is None or not (CACHE / folder / "node_modules" / package).exists():
        pytest.skip(f"not exercised: {package} of {folder} (no Node, or `tools/clients.sh matrix` has not installed it)")
    return node


@lru_cache(maxsize=32)
def real(folder: str, package: str) -> tuple[str, list[dict[str, Any]]]:
    """The version and the real parser's answers to ``asked()``."""
    return answers(folder, package, asked())


def answers(folder: str, package: str, texts: tuple[str, ...]) -> tuple[str, list[dict[str, Any]]]:
    command = [here(folder, package), str(WORKERS / "node_parsers.js"), str(CACHE / folder), package]
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, env=clean_environment(), timeout=60)
    assert done.returncode == 0, done.stderr
    version, *rows = (json.loads(line) for line in done.stdout.splitlines())
    assert len(rows) == len(texts)
    return version["version"], rows


def every_file(path: str) -> File:
    return File(path, FileState.FOUND, f"FILE {path}".encode())


def ours(package: str, version: str, text: str) -> dict[str, Any] | None:
    """What reroot makes of *text*; None for an error, ``{}`` where it says that it cannot tell."""
    try:
        return _of_pg(version, text) if package == "pg-connection-string" else _of_postgres_js(version, text)
    except SettingsError:
        return None


def _of_pg(version: str, text: str) -> dict[str, Any]:
    config = _pgconnectionstring.parse(text, numbered(version), every_file)
    if _pgconnectionstring.UNDECIDED in config:
        return {}
    if isinstance(config.get("ssl"), dict):
        config["ssl"] = {k: f"FILE {v['file']}" if isinstance(v, dict) else v for k, v in config["ssl"].items()}
    return _without_nothing(config, version)


def _without_nothing(config: dict[str, Any], version: str) -> dict[str, Any]:
    """Without what JavaScript calls undefined or null; the older parser gave null for a missing port, the newer one ''."""
    nothing = (None, "") if numbered(version) < _pgconnectionstring.URL_CLASS else (None,)
    return {name: value for name, value in config.items() if value not in (nothing if name == "port" else (None,))}


def _of_postgres_js(version: str, text: str) -> dict[str, Any]:
    found = postgres_js.config(Given("postgres-js", version, dsn=text))
    ends = postgres_js.endpoints(found)
    sent = {name: value for name, value in found["connection"].items() if name != "application_name"}
    return {"hosts": [e.address or e.host for e in ends], "ssl": found["ssl"], "sent": sent}


def expected(package: str, version: str, row: dict[str, Any]) -> dict[str, Any] | None:
    if "error" in row:
        return None
    found = row["ok"]
    if package == "pg-connection-string":
        return _without_nothing(found, version)
    hosts = [found["path"].rpartition("/.s.PGSQL.")[0]] if found["path"] else found["host"]
    return {"hosts": hosts, "ssl": found["ssl"], "sent": found["sent"]}


@pytest.mark.parametrize(("folder", "package"), PARSERS, ids=IDS)
def test_every_string_is_read_as_the_real_parser_reads_it(folder, package):
    version, rows = real(folder, package)
    differences, compared = [], 0
    for text, row in zip(asked(), rows, strict=True):
        mine = ours(package, version, text)
        if mine == {}:
            continue
        compared += 1
        if mine != expected(package, version, row):
            differences.append((text, mine, row))
    assert not differences[:5], len(differences)
    assert compared > (300 if numbered(version) >= _pgconnectionstring.URL_CLASS else 30)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(OLD))
def test_no_text_crashes_a_parser(text, version):
    for form in (text, f"postgres://{text}", f"postgres://u:p@h/db?{text}"):
        for package in ("pg-connection-string", "postgres"):
            ours(package, "3.4.9" if package == "postgres" else version, form)


@pytest.mark.parametrize("text", ["[" * 200_000, "%" * 500_000, "postgres://" + "a@" * 300_000, "x" * 2_000_000, "postgres://h/?" + "&" * 900_000])
def test_a_megabyte_is_read_or_refused_without_delay(text):
    ours("pg-connection-string", "2.14.1", text)
    ours("postgres", "3.4.9", text)


@pytest.mark.parametrize("text", ["postgres://u:hunter2@h:x/db", "postgres://u:hunter2%ff@h/db", "postgres://u:hunter2@h/db?sslrootcert=%00"])
def test_neither_an_error_nor_the_settings_quote_the_password(text):
    with pytest.raises(SettingsError) as pg:
        _pgconnectionstring.parse(text, (2, 14), lambda path: File(path, FileState.MISSING))
    assert "hunter2" not in pg.value.message + pg.value.hint
    shown = repr(postgres_js.read(Given("postgres-js", "3.4.9", dsn=text.replace("h:x", "h").replace("%ff", ""))))
    assert "hunter2" not in shown
