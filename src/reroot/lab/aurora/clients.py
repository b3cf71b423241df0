"""The clients of the practice fleet: real drivers with their trust stores, run beside it, and as an inventory declares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..clients import Program, available
from ..practice import _runtime as runtime_of
from ._catalogue import OLD
from .fleet import StandIn
from .world import Instance

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Part:
    """A client: it reaches every instance of *region* as *user*."""

    name: str
    driver: str
    region: str
    mode: str

    @property
    def user(self) -> str:
        return self.name.replace("-", "_")


PARTS = (
    Part("orders-api", "psycopg", "us-east-1", "verify-full"),
    Part("billing-job", "psycopg2", "us-east-1", "verify-ca"),
    Part("search-api", "psycopg", "eu-west-1", "verify-full"),
    Part("warehouse-etl", "psycopg2", "eu-west-1", "require"),
)


def make_roles(fleet: StandIn) -> None:
    """One role for each client, so that sessions can be told apart."""
    import psycopg
    from psycopg import sql

    for instance in fleet.world.instances.values():
        where = {"host": ADDRESS, "port": instance.stage.port, "user": "postgres", "dbname": "postgres"}
        with psycopg.connect(**where, sslmode="require", sslrootcert="", autocommit=True) as connection:  # type: ignore[arg-type]
            for part in PARTS:
                connection.execute(sql.SQL("create role {} login").format(sql.Identifier(part.user)))


def program(folder: Path, part: Part, fleet: StandIn) -> Program:
    """The client as it runs: its own trust store holds the old root of its region."""
    home = folder / "clients" / part.name
    home.mkdir(parents=True)
    (home / "rds.pem").write_bytes(fleet.root(part.region, OLD))
    targets = {i.id: _dsn(part, home).format(host=i.host, address=ADDRESS, port=i.stage.port) for i in _reached(part, fleet)}
    return Program(part.name, part.driver, targets, home)


def _reached(part: Part, fleet: StandIn) -> Sequence[Instance]:
    return [i for i in fleet.world.instances.values() if i.region == part.region]


def _dsn(part: Part, home: Path) -> str:
    return (
        f"host={{host}} hostaddr={{address}} port={{port}} dbname=postgres user={part.user} sslmode={part.mode}"
        f" sslrootcert={home}/rds.pem"
    )


def declared(folder: Path, part: Part, fleet: StandIn) -> str:
    """The client as its people would write it into the inventory."""
    home = folder / "clients" / part.name
    return f"""
[[client]]
name = "{part.name}"
driver = "{part.driver}"
version = "{available()[part.driver]}"
runtime = {{ {runtime_of(part.driver)} }}
dsn = "{_dsn(part, home)}"
home = "clients/{part.name}"
reaches = {[i.id for i in _reached(part, fleet)]}
trust_stores = ["clients/{part.name}/rds.pem"]
"""
