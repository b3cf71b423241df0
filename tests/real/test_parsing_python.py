"""reroot reads what Python's drivers are given as they themselves read it, errors included."""

from __future__ import annotations

import json
import random
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from reroot.drivers import _sqlalchemy, asyncpg, sqlalchemy
from reroot.errors import SettingsError
from reroot.lab.postgres import clean_environment
from reroot.model import Given, Secret, Setting
from tests.real.clients import CACHE

HERE = Path(__file__).parent
FOLDERS = (CACHE, CACHE.parent / "drivers")
HOME = "/nonexistent/home"


@lru_cache(maxsize=1)
def interpreters() -> dict[str, str]:
    """asyncpg's version, or ``sqlalchemy`` → an interpreter that has it."""
    found: dict[str, str] = {}
    for folder in (p for f in FOLDERS if f.exists() for p in sorted(f.iterdir())):
        program = folder / "bin" / "python"
        for package, name in (("asyncpg", "asyncpg-"), ("[sS][qQ][lL][aA]lchemy", "sqlalchemy-")):
            for info in folder.glob(f"lib/python3*/site-packages/{package}-*.dist-info"):
                version = ".".join(info.name.removesuffix(".dist-info").split("-")[1].split(".")[:2])
                found.setdefault(name + version, str(program))
    return found


ASYNCPG = sorted(name.removeprefix("asyncpg-") for name in interpreters() if name.startswith("asyncpg"))


def ask(program: str, what: str, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = "".join(json.dumps(q) + "\n" for q in questions)
    done = subprocess.run(
        [program, str(HERE / "python_parsers.py"), what],
        input=lines,
        capture_output=True,
        text=True,
        env=clean_environment({"HOME": HOME, "USER": "me", "LOGNAME": "me", "PYTHONWARNINGS": "ignore"}),
        timeout=300,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def python_of(version: str) -> str:
    return Path(interpreters()[f"asyncpg-{version}"]).parent.parent.joinpath("pyvenv.cfg").read_text().partition("version = ")[2][:4]


def plain(setting: Setting) -> str:
    return setting.value.reveal() if isinstance(setting.value, Secret) else setting.value


# ── asyncpg ──────────────────────────────────────────────────────────────────────────────────────

PICKED = [
    "postgresql://", "postgres://", "postgresql:///", "postgresql://h", "postgresql://h/", "postgresql://h/db", "http://h/db",
    "host=h", "postgresql:h", "POSTGRESQL://h/db", "postgresql://u@h", "postgresql://u:p@h", "postgresql://:p@h",
    "postgresql://u%40:p%3A@h", "postgresql://u@x@h/db", "postgresql://u:p:q@h/db", "postgresql://h:1", "postgresql://h:",
    "postgresql://h:x", "postgresql://h:99999", "postgresql://h:1,i:2/db", "postgresql://h,i/db", "postgresql://h,i:2/db",
    "postgresql://,/db", "postgresql://h,/db", "postgresql://[::1]/db", "postgresql://[::1]:1/db", "postgresql://[::1/db",
    "postgresql://[]/db", "postgresql://[::1]x/db", "postgresql://%2Ftmp/db", "postgresql:///db?host=/tmp",
    "postgresql:///db?host=h", "postgresql:///db?host=h:1,i:2", "postgresql:///db?host=h,i&port=1,2", "postgresql:///?port=1,2",
    "postgresql://h/db?port=5", "postgresql://h:1/db?port=5", "postgresql:///db?host=h&port=5", "postgresql:///db?port=x",
    "postgresql://h/db?host=i", "postgresql://h/d%20b", "postgresql://h/db?dbname=x", "postgresql://h?dbname=x&database=y",
    "postgresql://h?user=u&password=p", "postgresql://u@h?user=v",
    *(f"postgresql://h/db?sslmode={m}" for m in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full", "verify_full",
      "Require", "no-verify", "", "parse", "__class__", "require%20", "require&sslmode=disable", "verify%2Dfull")),
    "postgresql://h/db?ssl=true", "postgresql://h/db?sslmode", "postgresql://h/db?sslmode=a=b", "postgresql://h/db?&&",
    "postgresql://h/db?=x", "postgresql://h/db?a=1&b=2", "postgresql://h/db?sslmode=require;x=1", "postgresql://h/db#frag?x=1",
    "postgresql://h/db?sslrootcert=/x", "postgresql://h/db?sslmode=require&sslrootcert=/nonexistent",
    "postgresql://h/db?sslmode=verify-full&sslrootcert=", "postgresql://h/db?ssl_min_protocol_version=TLSv1.3",
    "postgresql://h/db?ssl_max_protocol_version=TLSv1.9", "postgresql://h/db?ssl_max_protocol_version=SSLv3",
    "postgresql://h/db?target_session_attrs=any", "postgresql://h/db?target_session_attrs=x",
    "postgresql://h/db?target_session_attrs=read-write", "postgresql://h/db?gsslib=x", "postgresql://h/db?krbsrvname=x",
    "postgresql://h/db?sslnegotiation=direct", "postgresql://h/db?sslnegotiation=direct&sslmode=require",
    "postgresql://h/db?sslnegotiation=x", "postgresql://h/db?service=x", "postgresql://h/db?passfile=/x",
    "postgresql:///db?host=/tmp&sslmode=require", "postgresql:///db?sslmode=disable", "postgresql:///db?sslmode=prefer",
    "postgresql://h /db", " postgresql://h/db", "postgresql://h/db ", "postgresql://hö/dü?application_name=ß",
    "postgresql://h/db?application_name=%zz", "postgresql://h\n/db", "postgresql://h:1_0/db", "postgresql://h: 1/db",
    "postgresql://h\u2100/db", "postgresql://[h]/db", "postgresql://[v1.x]/db", "postgresql://u:p[@h/db",
]  # fmt: skip
PIECES = [
    "h", "i", ",", ":", ":1", ":2", "@", "u:p@", "/", "/db", "?", "&", "=", "sslmode=", "require", "verify-full", "prefer", "disable",
    "host=", "port=", "1,2", "%2F", "%20", "%", "[::1]", "[", "]", "#", ";", "sslrootcert=/x", "ssl=true", "user=", "password=", "dbname=x",
    "target_session_attrs=any", "sslnegotiation=direct", "+", "ö", "\t", "application_name=a",
]  # fmt: skip


def shuffled(count: int, heads: tuple[str, ...], pieces: list[str]) -> list[str]:
    chance = random.Random(20271123)
    return [chance.choice(heads) + "".join(chance.choices(pieces, k=chance.randint(1, 8))) for _ in range(count)]


def questions(shuffles: int = 250) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = [{"text": text} for text in PICKED]
    asked += [{"text": t} for t in shuffled(shuffles, ("postgresql://", "postgresql://h/db?", "postgres://h", "postgresql://h,i"), PIECES)]
    for env in (
        {"PGSSLMODE": "require"}, {"PGSSLMODE": "x"}, {"PGHOST": "a,b"}, {"PGHOST": "a:1"}, {"PGHOST": "a", "PGPORT": "7"},
        {"PGHOST": "a,b", "PGPORT": "7,8"}, {"PGPORT": "x"}, {"PGPORT": "1,2"}, {"PGUSER": "e", "PGDATABASE": "f"}, {"PGUSER": ""},
        {"PGSSLROOTCERT": ""}, {"PGSSLMINPROTOCOLVERSION": "TLSv1.3"}, {"PGSSLNEGOTIATION": "direct"}, {"PGSSLMODE": ""},
        {"PGTARGETSESSIONATTRS": "x"}, {"PGGSSLIB": "sspi"},
    ):  # fmt: skip
        asked += [{"text": t, "env": env} for t in (None, "postgresql://", "postgresql://h/db", "postgresql://h,i/db?sslmode=allow")]
    for more in ({"ssl": True}, {"ssl": False}, {"ssl": "verify_full"}, {"host": "a"}, {"host": ["a", "b"]}, {"host": ["a", "b"], "port": [1, 2]},
                 {"port": 7}, {"port": "8"}, {"host": "/tmp"}, {"host": "/tmp", "ssl": "require"}, {"user": "k", "database": "l"}):  # fmt: skip
        asked += [{"text": t, **more} for t in (None, "postgresql://h/db?sslmode=prefer", "postgresql://u@h:9,i/db", "postgresql:///?host=/run")]
    return asked


def ours(version: str, question: dict[str, Any]) -> dict[str, Any]:
    options = {k: v for k, v in question.items() if k not in ("text", "env")}
    env = {"HOME": HOME, **question.get("env", {})}
    given = Given("asyncpg", version, {"python": "3.11.7", "openssl": "3.0.19"}, question["text"], options, env, HOME)
    try:
        settings = asyncpg.read(given)
        policy = asyncpg.policy(given, settings)
    except SettingsError as error:
        return {"error": error.message}
    if policy.refused is not None and policy.refused.code != "not-a-server-parameter":  # which asyncpg learns from the server
        return {"error": policy.refused.text}
    return {
        "addresses": [e.host if e.is_unix_socket else [e.host, int(e.port)] for e in settings.endpoints],
        "user": plain(settings.values["user"]) if "user" in settings.values else None,
        "database": plain(settings.values["database"]) if "database" in settings.values else None,
        "password": plain(settings.values["password"]) if "password" in settings.values else None,
        "unknown": dict(settings.unknown),
        "mode": settings.get("sslmode").replace("-", "_") or None,
        "chain": policy.chain,
        "names": bool(policy.names),
    }


def disagreements(version: str, theirs: dict[str, Any], mine: dict[str, Any]) -> list[str]:
    if "error" in theirs or "error" in mine:
        return [] if ("error" in theirs) == ("error" in mine) else ["error"]
    theirs = dict(theirs)
    if theirs["user"] == "me" or not mine["user"]:
        mine["user"] = theirs["user"]
    if mine["database"] is None:
        mine["database"] = theirs["user"]
    compared = ["addresses", "user", "database", "password", "unknown", "chain", "names"]
    if theirs["mode"] is not None and mine["mode"] is not None:
        compared.append("mode")
    return [name for name in compared if theirs[name] != mine[name]]


def test_an_asyncpg_is_at_hand():
    if not ASYNCPG:
        pytest.skip("asyncpg is not installed in .cache/clients, so nothing was compared")
    assert len(questions()) > 300


@pytest.mark.parametrize("version", ASYNCPG)
def test_dsns_are_read_as_asyncpg_reads_them(version):
    asked = questions(1500 if version == ASYNCPG[-1] else 250)
    theirs = ask(interpreters()[f"asyncpg-{version}"], "asyncpg", asked)
    wrong = []
    for question, their in zip(asked, theirs, strict=True):
        mine = ours(version, question)
        found = disagreements(version, their, mine)
        # urllib itself reads brackets differently from one Python to the next.
        if found and not (set("[]") & set(str(question["text"])) and python_of(version) != python_of("0.32")):
            wrong.append((question, found, their, mine))
    assert not wrong, f"{len(wrong)} of {len(asked)}: " + "\n".join(map(str, wrong[:12]))


# ── SQLAlchemy ───────────────────────────────────────────────────────────────────────────────────

SQLALCHEMY = sorted(name.removeprefix("sqlalchemy-") for name in interpreters() if name.startswith("sqlalchemy"))
DIALECTS = ("postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+pg8000")
URLS = [
    "", "x", "postgres://h/db", "postgresql:/h", "postgresql:h", "PostgreSQL://h", "postgresql+://h", "post gres://h", "+://h",
    *(f"{d}{rest}" for d in DIALECTS for rest in (
        "://", ":///", "://h", "://h/", "://h/db", "://u@h/db", "://u:p@h/db", "://u:p%40%3A@h/db", "://u:p@x@h/db", "://:p@h", "://@h",
        "://u%20:p@h:1/d%20b", "://h:x/db", "://h:/db", "://h:99999/db", "://[::1]/db", "://[::1]:1/db", "://[::1/db", "://[]/db",
        "://h/db?sslmode=require", "://h/db?sslmode=require&sslmode=disable", "://h/db?ssl=true", "://h/db?ssl=verify-full", "://h/db?a=",
        "://h/db?a", "://h/db?a=b=c", "://h/db?sslmode=verify%2Dfull", "://h/db?sslrootcert=%2Fa%20b", "://h/db?a+b=c+d",
        ":///db?host=/tmp", ":///db?host=h", ":///db?host=h:1", ":///db?host=h:1&host=i:2", ":///db?host=h&host=i", ":///db?host=h,i",
        ":///db?host=h,i&port=1,2", ":///db?host=h,i&port=1", ":///db?host=h:1&port=2", ":///db?port=7", ":///db?port=7,8", ":///db?port=x",
        ":///db?host=h&port=", ":///db?host=h:1:2&host=i", ":///db?host=h_x:1", ":///db?host=h:", ":///db?host=:1", "://h:5/db?port=6",
        "://h/db?host=i", "://h/db?user=v&password=q&dbname=e&database=f", "://h/d/b", "://h/db#x", "://h/db?a=1#x", "://h/db?x=%zz",
        "://h\n/db", "://hö/dü?ä=ß", "://h?sslmode=require", "://h,i/db", "://h;x/db?a=1;b=2", "://h/db?prepared_statement_cache_size=0",
    )),
]  # fmt: skip
URL_PIECES = [
    "h", ",", ":", ":1", "@", "u:p@", "/", "/db", "?", "&", "=", "sslmode=", "require", "host=", "port=", "1", "%2F", "%20", "%", "[::1]", "[", "]",
    "#", ";", "ssl=true", "user=", "password=", "host=h:1", "host=i,j", "port=2", "+", "ö", "\n", "://",
]  # fmt: skip


def urls(shuffles: int) -> list[str]:
    return URLS + shuffled(shuffles, (*(f"{d}://" for d in DIALECTS), "postgresql:///db?", "postgresql+asyncpg:///db?host=h&"), URL_PIECES)


def our_url(version: str, text: str) -> dict[str, Any]:
    try:
        url = _sqlalchemy.parse(text, unquotes_database=float(version) >= 2.1)
    except SettingsError as error:
        return {"error": error.message}
    found: dict[str, Any] = {n: getattr(url, n) for n in ("drivername", "username", "password", "host", "port", "database")}
    found["query"] = {k: list(v) if isinstance(v, tuple) else v for k, v in url.query.items()}
    default = sqlalchemy.PSYCOPG if float(version) >= 2.1 else sqlalchemy.PSYCOPG2
    dialect = default if url.drivername == "postgresql" else sqlalchemy.DIALECTS.get(url.drivername)
    if dialect is not None and float(version) >= 2.0:  # 1.4 names the arguments differently: its URLs alone are compared
        try:
            arguments = _sqlalchemy.arguments(url, database=dialect.database, multihost=dialect.multihost)
            found["arguments"] = {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
        except SettingsError as error:
            found["arguments"] = {"error": error.message}
    return found


def same_url(theirs: dict[str, Any], mine: dict[str, Any]) -> bool:
    if "error" in theirs or "error" in mine:
        return ("error" in theirs) == ("error" in mine)
    if "arguments" in mine and ("error" in theirs["arguments"] or "error" in mine["arguments"]):
        return ("error" in theirs["arguments"]) == ("error" in mine["arguments"])
    if "arguments" not in mine:
        theirs = {n: v for n, v in theirs.items() if n != "arguments"}
    elif str(theirs["arguments"].get("port")) == str(mine["arguments"].get("port")):  # some dialects make a number of it
        mine["arguments"]["port"] = theirs["arguments"].get("port")
        theirs["arguments"]["port"] = theirs["arguments"].get("port")
    theirs.get("arguments", {}).pop("prepared_statement_cache_size", None)
    mine.get("arguments", {}).pop("prepared_statement_cache_size", None)
    return theirs == mine


def test_a_sqlalchemy_is_at_hand():
    if not SQLALCHEMY:
        pytest.skip("SQLAlchemy is not installed in .cache/clients, so nothing was compared")
    assert len(urls(0)) > 300


@pytest.mark.parametrize("version", SQLALCHEMY)
def test_urls_are_read_as_sqlalchemy_reads_them(version):
    asked = urls(1200)
    theirs = ask(interpreters()[f"sqlalchemy-{version}"], "sqlalchemy", [{"text": text} for text in asked])
    wrong = [(text, their, our_url(version, text)) for text, their in zip(asked, theirs, strict=True) if not same_url(their, our_url(version, text))]
    assert not wrong, f"{len(wrong)} of {len(asked)}: " + "\n".join(map(str, wrong[:12]))
