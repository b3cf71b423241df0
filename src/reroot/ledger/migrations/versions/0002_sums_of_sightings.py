"""Sums of what was seen: by identity, by hour, by refusal, by window. They follow from the evidence, and are written with it."""

import sqlalchemy as sa
from alembic import op

from reroot.ledger._sums import TABLES, fold, write

revision = "0002"
down_revision = "0001"

BATCH = 20_000


def upgrade() -> None:
    op.create_index("ix_evidence_rotation_kind", "evidence", ["rotation", "kind", "number"])
    connection = op.get_bind()
    for table in TABLES:
        table.create(connection)
    read = sa.text(
        "SELECT number, rotation, kind, source, facts FROM evidence"
        " WHERE number > :after AND kind IN ('session', 'refusal', 'window') ORDER BY number LIMIT :many"
    )
    after = 0
    while rows := connection.execute(read, {"after": after, "many": BATCH}).mappings().all():
        write(connection, fold({str(name): value for name, value in row.items()} for row in rows))
        after = rows[-1]["number"]
