"""psycopg 3: libpq of the version it is linked to, with name resolution and a loop over hosts of its own."""

from __future__ import annotations

from dataclasses import replace

from ..model import Given, Settings, TrustPolicy
from . import _libpq, libpq, psycopg2
from ._driver import Driver

# Arguments of psycopg.connect() that are its own.
OWN = frozenset({"autocommit", "prepare_threshold", "context", "row_factory", "cursor_factory", "conninfo", "kwargs"})


def read(given: Given, *, empty_counts: bool = True) -> Settings:
    """A conninfo, keyword arguments, or both: make_conninfo() lets the keywords win."""
    named = given.options.get("conninfo")
    written = [*psycopg2.text_pairs(given), *(_libpq.from_text(_libpq.text_of(named), given) if named is not None else ())]
    options = _libpq.from_options(psycopg2.options(given.options, OWN, {}))
    return _libpq.effective(given, [*written, *options], empty_counts=empty_counts)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    """libpq's, but a host that fails for any reason is followed by the next: psycopg/_conninfo_attempts.py."""
    return replace(libpq.policy(given, settings), next_host=True)


DRIVER = Driver(
    name="psycopg",
    title="psycopg 3",
    source="https://www.psycopg.org/psycopg3/docs/api/connections.html",
    versions="3.x on libpq 12 to 18",
    proven=("3.3",),
    possible=_libpq.possible,
    read=read,
    policy=policy,
)
