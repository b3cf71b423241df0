"""The ADBC driver for PostgreSQL: a URI for the libpq that its wheel carries."""

from __future__ import annotations

from ..model import Given, Settings
from . import _libpq, libpq, psycopg2
from ._driver import Driver


def read(given: Given) -> Settings:
    """The URI or keyword string of ``connect()``, or the same as the database option ``uri``."""
    uri = given.options.get("uri")
    written = _libpq.from_text(_libpq.text_of(uri), given) if uri is not None else ()
    others = {name: value for name, value in given.options.items() if name != "uri" and not name.startswith("adbc.")}
    return _libpq.effective(given, [*psycopg2.text_pairs(given), *written, *_libpq.from_options(others)])


DRIVER = Driver(
    name="adbc",
    title="ADBC driver for PostgreSQL",
    source="https://arrow.apache.org/adbc/current/driver/postgresql.html",
    versions="1.x on libpq 12 to 18",
    proven=("1.13",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
