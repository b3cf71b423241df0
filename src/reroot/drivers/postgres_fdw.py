"""
postgres_fdw: libpq inside a server, by the OPTIONS of CREATE SERVER and of the user mapping.

Files are those of the machine it runs on, and the home folder is that of the operating system's user `postgres`.
"""

from __future__ import annotations

from dataclasses import replace

from ..model import Given, Settings
from . import _libpq, libpq
from ._driver import Driver

# Options that are the wrapper's own: contrib/postgres_fdw/option.c InitPgFdwOptions().
OWN = frozenset(
    {
        "updatable", "use_remote_estimate", "fdw_startup_cost", "fdw_tuple_cost", "extensions", "fetch_size", "batch_size",
        "truncatable", "async_capable", "parallel_commit", "parallel_abort", "keep_connections", "analyze_sampling",
        "password_required", "use_scram_passthrough", "schema_name", "table_name", "column_name",
    }
)  # fmt: skip


def read(given: Given) -> Settings:
    return _libpq.read(replace(given, options={n: v for n, v in given.options.items() if n not in OWN}))


DRIVER = Driver(
    name="postgres-fdw",
    title="postgres_fdw",
    source="https://www.postgresql.org/docs/current/postgres-fdw.html#POSTGRES-FDW-OPTIONS-CONNECTION",
    versions="PostgreSQL 12 to 18, on libpq 12 to 18",
    proven=("15",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
