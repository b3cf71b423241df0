"""RR3xx: clients and their owners."""

from __future__ import annotations

from ._rule import Rule

FAMILY = (
    Rule(
        "RR301",
        "command-line-client",
        "note",
        "as libpq's defaults decide",
        "A PostgreSQL program is called here with libpq's defaults.",
        "psql, pg_dump and their like follow PG* variables, service files and `~/.postgresql/root.crt` of whoever runs them.",
        who="libpq",
        fix="Say what you mean: `PGSSLMODE=verify-full` and `PGSSLROOTCERT`.",
    ),
)
