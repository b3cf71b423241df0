"""psql and the other programs of PostgreSQL's client: libpq of their own version."""

from __future__ import annotations

from ..model import Given, Settings
from . import _conninfo, _libpq, libpq
from ._driver import Driver

# What its command line has an option for; other words stand in a connection string, where an empty one is as good as any.
FLAGS = ("host", "port", "user", "dbname")


def read(given: Given) -> Settings:
    """psql's database argument, or the options of its command line; options left empty count as not given.

    An argument without `=` that is no URI is a database name.
    """
    text = given.dsn
    written: list[tuple[str, str]] = []
    if text is not None:
        is_conninfo = "=" in text or _conninfo.is_uri(text)
        written += _libpq.from_text(text, given) if is_conninfo else [("dbname", text)]
    options = [(n, v) for n, v in _libpq.from_options(given.options) if v != "" or n not in FLAGS]
    return _libpq.effective(given, [*written, *options])


DRIVER = Driver(
    name="psql",
    title="psql and PostgreSQL's other client programs",
    source="https://www.postgresql.org/docs/current/app-psql.html",
    versions="12 to 18",
    proven=("15", "17"),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
