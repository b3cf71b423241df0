"""Ecto's adapter for PostgreSQL: Postgrex. A repository's ``url`` wins over the options beside it."""

from __future__ import annotations

from dataclasses import replace

from ..model import Given
from . import postgrex
from ._driver import Driver, numbered

FIRST, LAST = (3, 0), (4, 0)


def possible(given: Given) -> tuple[Given, ...]:
    """The version is Ecto's; runtime ``postgrex`` names Postgrex' own."""
    if given.version is not None and not FIRST <= numbered(given.version) < LAST:
        return ()
    return postgrex.possible(replace(given, version=given.runtime.get("postgrex")))


DRIVER = Driver(
    name="ecto",
    title="Ecto",
    source="https://hexdocs.pm/ecto_sql/Ecto.Adapters.Postgres.html#module-connection-options",
    versions="3.x on Postgrex 0.17 to 0.x",
    proven=(),
    possible=possible,
    read=postgrex.read,
    policy=postgrex.policy,
)
