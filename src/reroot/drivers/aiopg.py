"""aiopg: psycopg2, asynchronously."""

from __future__ import annotations

from dataclasses import replace

from ..model import Given, Settings
from . import _libpq, libpq, psycopg2
from ._driver import Driver

# Arguments of aiopg.connect() and aiopg.create_pool() that are their own.
OWN = frozenset(
    {"timeout", "enable_json", "enable_hstore", "enable_uuid", "echo", "minsize", "maxsize", "pool_recycle", "on_connect"}
)


def read(given: Given) -> Settings:
    return psycopg2.read(replace(given, options={n: v for n, v in given.options.items() if n not in OWN}))


DRIVER = Driver(
    name="aiopg",
    title="aiopg",
    source="https://aiopg.readthedocs.io/en/stable/core.html#aiopg.connect",
    versions="1.x on libpq 12 to 18",
    proven=("1.4",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
