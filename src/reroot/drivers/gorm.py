"""GORM's driver for PostgreSQL: pgx (v4 up to gorm.io/driver/postgres 1.4, v5 since), unless DriverName names another."""

from __future__ import annotations

from dataclasses import replace

from ..model import Given, Reason, Settings, TrustPolicy
from . import pgx
from ._driver import Driver, numbered

FIRST, LAST = (1, 2), (2, 0)
OWN = frozenset({"DSN", "DriverName", "PreferSimpleProtocol", "WithoutReturning", "WithoutQuotingCheck", "Conn"})


def possible(given: Given) -> tuple[Given, ...]:
    """The version is that of gorm.io/driver/postgres; runtime ``pgx`` names pgx's own."""
    if given.version is not None and not FIRST <= numbered(given.version) < LAST:
        return ()
    found = pgx.possible(given)
    if given.version is None or given.runtime.get("pgx"):
        return found
    return tuple(one for one in found if (numbered(one.runtime["pgx"]) >= (5, 0)) == (numbered(given.version) >= (1, 5)))


def read(given: Given) -> Settings:
    dsn = given.dsn if given.dsn is not None else given.options.get("DSN")
    options = {name: value for name, value in given.options.items() if name not in OWN}
    return pgx.read(replace(given, dsn=None if dsn is None else str(dsn), options=options))


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = pgx.policy(given, settings)
    if "Conn" in given.options or given.options.get("DriverName") not in (None, "", "pgx"):
        other = Reason("custom-connector", "DriverName or Conn puts another driver beneath GORM: describe the client as that driver", pgx.SOURCE)
        return replace(found, undecidable=other)
    return found


DRIVER = Driver(
    name="gorm",
    title="GORM",
    source="https://gorm.io/docs/connecting_to_the_database.html#PostgreSQL",
    versions="gorm.io/driver/postgres 1.2 to 1.x on pgx 4.12 to 5.10",
    proven=(),
    possible=possible,
    read=read,
    policy=policy,
)
