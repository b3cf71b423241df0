"""What Alembic runs: the steps, over the connection that the ledger hands it."""

from alembic import context

from reroot.ledger._tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
