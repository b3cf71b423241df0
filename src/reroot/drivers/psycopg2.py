"""psycopg2: libpq of the version it is linked to. Its binary wheels carry a libpq and an OpenSSL of their own."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Given, Settings
from . import _libpq, libpq
from ._driver import Driver

# Arguments of psycopg2.connect() that are its own, and the one that it renames.
OWN = frozenset({"connection_factory", "cursor_factory", "async", "async_"})
RENAMED = {"database": "dbname"}


def read(given: Given) -> Settings:
    """A DSN, keyword arguments, or both: make_dsn() lets the keywords win."""
    return _libpq.effective(given, [*text_pairs(given), *_libpq.from_options(options(given.options, OWN, RENAMED))])


def text_pairs(given: Given) -> list[tuple[str, str]]:
    return [] if given.dsn is None else list(_libpq.from_text(given.dsn, given))


def options(given: Mapping[str, object], own: frozenset[str], renamed: Mapping[str, str]) -> dict[str, object]:
    """Keyword arguments without the binding's own, under libpq's names."""
    return {renamed.get(name, name): value for name, value in given.items() if name not in own}


DRIVER = Driver(
    name="psycopg2",
    title="psycopg2",
    source="https://www.psycopg.org/docs/module.html#psycopg2.connect",
    versions="2.x on libpq 12 to 18",
    proven=("2.9",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
