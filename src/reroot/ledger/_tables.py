"""The tables of the ledger, as SQLAlchemy sees them; how they came to be is in ``migrations/``."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, Text

METADATA = MetaData()

JOURNAL = Table(
    "journal",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("rotation", String(200), nullable=False, index=True),
    Column("run", Integer, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("event", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
)

EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("rotation", String(200), nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("seen_at", String(40), nullable=False),
    Column("strength", String(20), nullable=False),
    Column("facts", Text, nullable=False),
)

LEASE = Table(
    "lease",
    METADATA,
    Column("rotation", String(200), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("until", String(40), nullable=False),
)
"""Who may act, and for how long: beside the sums of the evidence the one table whose rows change. ``fence`` only ever grows."""
