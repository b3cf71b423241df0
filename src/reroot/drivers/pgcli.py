"""
pgcli: psycopg 3, given a connection string, a URL or options.

`service=NAME` is looked up by pgcli itself, which takes host, port, user, password and database from it and drops every other
word: a sslmode of the service file is lost. What a URL leaves empty is dropped as well. Through PGSERVICE libpq reads the same file, and it counts.
"""

from __future__ import annotations

from dataclasses import replace

from ..model import Given, Settings
from . import _conninfo, _libpq, psycopg
from ._driver import Driver

PLACE = ("host", "port", "user", "password", "dbname")
SOURCE = "pgcli/main.py connect_service(); run with 4.7.1"


def read(given: Given) -> Settings:
    if given.dsn is None or not given.dsn.startswith("service="):
        return psycopg.read(given, empty_counts=given.dsn is not None and not _conninfo.is_uri(given.dsn))
    looked_up = replace(given, dsn=None, env={**given.env, "PGSERVICE": given.dsn.removeprefix("service=")}, options={})
    found = psycopg.read(looked_up).values
    place = {name: _libpq.text_of(found[name].value) for name in PLACE if name in found and found[name].origin == "service file"}
    return psycopg.read(replace(given, dsn=None, options={**place, **given.options}))


DRIVER = Driver(
    name="pgcli",
    title="pgcli",
    source="https://www.pgcli.com/connect",
    versions="4.x on libpq 12 to 18",
    proven=("4.7",),
    possible=_libpq.possible,
    read=read,
    policy=psycopg.policy,
)
