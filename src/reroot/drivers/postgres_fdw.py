"""
postgres_fdw: libpq inside a server, by the OPTIONS of CREATE SERVER and of the user mapping.

Files are those of the machine it runs on, and the home folder is that of the operating system's user `postgres`.
"""

from __future__ import annotations

from ..errors import SettingsError
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


# Words of libpq that it keeps for itself: the same function leaves them out of what it takes.
NOT_TAKEN = frozenset({"client_encoding", "fallback_application_name", "replication", "requiressl"})


def read(given: Given) -> Settings:
    options = {n: v for n, v in given.options.items() if n not in OWN}
    taken = _libpq.known(_libpq.version_of(given) or _libpq.LAST) - NOT_TAKEN
    refused = next((n for n in options if n not in taken), None)
    if refused is not None:
        raise SettingsError(f'invalid option "{refused}"', hint="it is none of the options of CREATE SERVER and CREATE USER MAPPING")
    written = _libpq.from_text(given.dsn, given) if given.dsn is not None else ()
    # PQconnectdbParams() takes an empty value for none, which a connection string does not.
    return _libpq.effective(given, [*written, *((n, v) for n, v in _libpq.from_options(options) if v != "")])


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
