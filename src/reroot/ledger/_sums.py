"""
Sums of what was seen, so that a question about ten million sightings reads a few hundred rows.

They are written in the same transaction as the evidence that they follow from, and hold nothing that it does not. Numbers add up, first
and last times widen; what one source tells is not mixed with what another tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Column, Index, String, Table, Text, case

from ._tables import METADATA

if TYPE_CHECKING:
    from sqlalchemy import Connection

IDENTITIES = Table(
    "sum_identity",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("rotation", String(200), nullable=False),
    Column("server", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("database", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("encryption", String(20), nullable=False),
    Column("protocol", String(20), nullable=False),
    Column("source", String(40), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("first", String(40), nullable=False),
    Column("last", String(40), nullable=False),
    Index("ix_sum_identity_server", "rotation", "server", "last"),
    Index("ix_sum_identity_last", "rotation", "last"),
    Index("ix_sum_identity_encryption", "rotation", "encryption", "last"),
)
"""Who connected how: one row for each identity, encryption and source."""

HOURS = Table(
    "sum_hour",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("rotation", String(200), nullable=False),
    Column("server", Text, nullable=False),
    Column("hour", String(20), nullable=False),
    Column("what", String(20), nullable=False),
    Column("source", String(40), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("first", String(40), nullable=False),
    Column("last", String(40), nullable=False),
    Index("ix_sum_hour_server", "rotation", "server", "hour"),
)
"""How many by the hour: ``what`` is an encryption, or what a refusal has to do with the certificate; server ``""`` is all of them."""

REFUSALS = Table(
    "sum_refusal",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("rotation", String(200), nullable=False),
    Column("server", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("bearing", String(20), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("first", String(40), nullable=False),
    Column("last", String(40), nullable=False),
    Index("ix_sum_refusal_last", "rotation", "last"),
    Index("ix_sum_refusal_server", "rotation", "server", "last"),
)
"""Who was turned away, or turned away, and by which words."""

WINDOWS = Table(
    "sum_window",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("rotation", String(200), nullable=False),
    Column("server", Text, nullable=False),
    Column("source", String(40), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("first", String(40), nullable=False),
    Column("last", String(40), nullable=False),
    Index("ix_sum_window_rotation", "rotation"),
)
"""When each server was looked at, and by what."""

TABLES = (IDENTITIES, HOURS, REFUSALS, WINDOWS)
SUMMED = ("number", "first", "last")

Sums = dict[str, dict[str, dict[str, Any]]]
"""Table → key → row."""


def fold(rows: Iterable[Mapping[str, Any]]) -> Sums:
    """The sums of rows of evidence, with ``rotation``, ``kind``, ``source`` and ``facts`` as they are kept."""
    sums: Sums = {table.name: {} for table in TABLES}
    for row in rows:
        if row["kind"] not in ("session", "refusal", "window"):
            continue
        facts = msgspec.json.decode(row["facts"])
        told = {"rotation": row["rotation"], "source": row["source"], **{k: "" if v is None else v for k, v in facts.items()}}
        is_window = row["kind"] == "window"
        told["first"] = str(told.get("first" if is_window else "first_seen", ""))
        told["last"] = str(told.get("last" if is_window else "last_seen", ""))
        told["hour"] = str(told.get("hour") or told["last"][:13])
        told["what"] = told.get("encryption" if row["kind"] == "session" else "bearing", "")
        told["number"] = int(told.get({"session": "sessions", "refusal": "times", "window": "looks"}[row["kind"]]) or 0)
        for table in FROM[row["kind"]]:
            if table is HOURS:
                _add(sums[HOURS.name], HOURS, {**told, "server": ""})
            if table is not HOURS or told.get("server"):
                _add(sums[table.name], table, told)
    return sums


FROM = {"session": (IDENTITIES, HOURS, WINDOWS), "refusal": (REFUSALS, HOURS), "window": (WINDOWS,)}


def _add(sums: dict[str, dict[str, Any]], table: Table, told: Mapping[str, Any]) -> None:
    named = {c.name: str(told.get(c.name, "")) for c in table.columns if c.name not in (*SUMMED, "key")}
    key = hashlib.sha256("\0".join(named.values()).encode()).hexdigest()
    number = 0 if table is WINDOWS and "sessions" in told else told["number"]
    was = sums.get(key)
    if was is None:
        sums[key] = {"key": key, **named, "number": number, "first": told["first"], "last": told["last"]}
        return
    was["number"] += number
    was["first"], was["last"] = min(was["first"], told["first"]), max(was["last"], told["last"])


def write(connection: Connection, sums: Sums) -> None:
    """Add *sums* to what the tables hold."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    for table in TABLES:
        rows = list(sums[table.name].values())
        if not rows:
            continue
        statement = insert(table)
        mine, new = table.c, statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[mine.key],
                set_={
                    "number": mine.number + new.number,
                    "first": case((new.first < mine.first, new.first), else_=mine.first),
                    "last": case((new.last > mine.last, new.last), else_=mine.last),
                },
            ),
            sorted(rows, key=lambda row: row["key"]),  # in one order, or two who write at once wait for each other
        )
