"""
A fleet to practise on: three PostgreSQL servers of an old root, clients with their own drivers and trust stores, the
certificates of the next root, and the ``reroot.toml`` that declares it all. Everything is real and on this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import ca
from .clients import Crowd, Program, available
from .postgres import Postgres, fleet

HOST, ADDRESS = "localhost", "127.0.0.1"
OLD, NEXT = "demo-root-2019", "demo-root-2027"
SERVERS = ("orders", "billing", "warehouse")
"""The first is the canary."""

BY_NAME = f"host={HOST} hostaddr={{address}} port={{port}} dbname=postgres"
URL = f"{HOST}:{{port}}/postgres"


@dataclass(frozen=True)
class Part:
    """A client of the practice fleet. ``dsn`` has ``{port}``, ``{address}`` and, for its trust store, ``{store}``.

    ``default_root`` puts the old root where libpq finds it by itself. ``runtime`` names libraries by the driver's version.
    """

    name: str
    owner: str
    driver: str
    dsn: str
    story: str
    store: bool = True
    default_root: bool = False

    @property
    def role(self) -> str:
        return self.name.replace("-", "_")


PARTS = (
    Part(
        "orders-api",
        "payments",
        "psycopg",
        f"{BY_NAME} user=orders_api sslmode=verify-full sslrootcert={{store}}",
        "checks everything",
    ),
    Part(
        "billing",
        "payments",
        "psycopg2",
        f"{BY_NAME} user=billing sslmode=require sslrootcert={{store}}",
        "require, with a root file",
    ),
    Part("audit", "security", "psql", f"{BY_NAME} user=audit sslmode=verify-ca sslrootcert={{store}}", "checks the chain"),
    Part(
        "ledger-sync",
        "platform",
        "asyncpg",
        f"postgresql://ledger_sync@{URL}?sslmode=verify-full&sslrootcert={{store}}",
        "checks everything",
    ),
    Part(
        "stock",
        "logistics",
        "pgjdbc",
        f"jdbc:postgresql://{URL}?user=stock&sslmode=verify-full&sslrootcert={{store}}",
        "Java, by PEM file",
    ),
    Part(
        "invoice-cron",
        "finance",
        "psql",
        f"{BY_NAME} user=invoice_cron",
        "no sslmode at all, an old root in its home",
        False,
        True,
    ),
    Part("reports", "bi", "psycopg2", f"{BY_NAME} user=reports sslmode=require", "TLS, and checks nothing", False),
    Part("old-crm", "", "in-house", f"{{address}} {{port}} {HOST} old_crm {{store}}", "a driver nobody has rules for"),
)


@dataclass
class Practice:
    """``folder`` holds reroot.toml, ``roots/``, ``servers/`` and ``clients/``; ``servers`` run, ``crowd`` connects."""

    folder: Path
    servers: Sequence[Postgres]
    parts: Sequence[Part]
    absent: Sequence[str]
    old: ca.Issued
    next: ca.Issued
    crowd: Crowd

    @property
    def inventory(self) -> Path:
        return self.folder / "reroot.toml"


@contextmanager
def practice(folder: Path) -> Iterator[Practice]:
    """The fleet, up and with its clients connecting, until the block ends; *folder* is left as it is then."""
    old, following = ca.root(OLD), ca.root(NEXT)
    servers = []
    for name in SERVERS:
        leaf = ca.leaf(old, f"{name}.demo.example", HOST, ADDRESS)
        servers.append(Postgres((leaf.cert_pem, leaf.key_pem), name=name, settings={"max_connections": "60"}))
        pair = ca.leaf(following, f"{name}.demo.example", HOST, ADDRESS)
        _write(folder / "servers" / f"{name}-2027.crt", pair.cert_pem)
        _write(folder / "servers" / f"{name}-2027.key", pair.key_pem, private=True)
    _write(folder / "roots" / f"{OLD}.pem", old.cert_pem)
    _write(folder / "roots" / f"{NEXT}.pem", following.cert_pem)
    versions = available()
    parts = [part for part in PARTS if part.driver in versions]
    absent = sorted({part.driver for part in PARTS} - set(versions))
    with fleet(servers):
        for server in servers:
            _make_roles(server, parts)
        programs = [_program(folder, part, servers, old) for part in parts]
        _write(folder / "reroot.toml", _inventory(folder, parts, servers, versions).encode())
        with Crowd(programs) as crowd:
            yield Practice(folder, servers, parts, absent, old, following, crowd)


def _make_roles(server: Postgres, parts: Sequence[Part]) -> None:
    """One role for each client, so that sessions can be told apart."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(
        host=str(server.folder), port=server.port, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        for part in parts:
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(part.role)))


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600 if private else 0o644)
    path.write_bytes(content)


def _home(folder: Path, part: Part) -> Path:
    return folder / "clients" / part.name


def _program(folder: Path, part: Part, servers: Sequence[Postgres], old: ca.Issued) -> Program:
    home = _home(folder, part)
    home.mkdir(parents=True, exist_ok=True)
    store = home / "db-roots.pem"
    if part.store:
        _write(store, old.cert_pem)
    if part.default_root:
        _write(home / ".postgresql" / "root.crt", old.cert_pem)
    targets = {s.name: part.dsn.format(port=s.port, address=ADDRESS, store=store) for s in servers}
    lines = "".join(f"{name.upper()}_DATABASE_URL='{dsn}'\n" for name, dsn in targets.items())
    _write(home / "database.env", f"# {part.story}\n{lines}".encode())
    return Program(part.name, part.driver, targets, home)


def _inventory(folder: Path, parts: Sequence[Part], servers: Sequence[Postgres], versions: Mapping[str, str]) -> str:
    head = f"""# The practice fleet: who serves, who connects, and from which root to which.
[rotation]
name = "practice"
old_root = "roots/{OLD}.pem"
next_root = "roots/{NEXT}.pem"
soak = "1s"
"""
    return (
        head + "".join(_server(s, wave) for wave, s in enumerate(servers)) + "".join(_client(folder, p, versions) for p in parts)
    )


def _server(server: Postgres, wave: int) -> str:
    return f"""
[[server]]
name = "{server.name}"
host = "{HOST}"
address = "{ADDRESS}"
port = {server.port}
accepts = "host"
wave = {wave}
provider.kind = "postgres"
provider.certificate = "{server.folder}/server.crt"
provider.key = "{server.folder}/server.key"
provider.data_directory = "{server.folder}/data"
provider.next_certificate = "servers/{server.name}-2027.crt"
provider.next_key = "servers/{server.name}-2027.key"
"""


def _client(folder: Path, part: Part, versions: Mapping[str, str]) -> str:
    home = _home(folder, part)
    dsn = (
        part.dsn.replace("{store}", str(home / "db-roots.pem"))
        .replace(f"{HOST}:", "{host}:")
        .replace(f"host={HOST}", "host={host}")
    )
    stores = ["db-roots.pem"] if part.store else [".postgresql/root.crt"] if part.default_root else []
    return f"""
[[client]]
name = "{part.name}"
owner = "{part.owner}"
driver = "{part.driver}"
version = "{versions[part.driver]}"
runtime = {{ {_runtime(part.driver)} }}
dsn = "{dsn}"
home = "clients/{part.name}"
reaches = {list(SERVERS)}
trust_stores = {[f"clients/{part.name}/{store}" for store in stores]}
"""


def _runtime(driver: str) -> str:
    """The libpq beneath a driver, in TOML, where that can be asked."""
    version = 0
    if driver == "psycopg":
        import psycopg

        version = psycopg.pq.version()
    elif driver == "psycopg2":
        import psycopg2

        version = psycopg2.extensions.libpq_version()
    return f'libpq = "{version // 10000}"' if version else ""


WAIVER = """
[[waiver]]
client = "old-crm"
server = "*"
by = "demo"
reason = "read its code: it loads clients/old-crm/db-roots.pem at each connection"
until = {until}
"""
