"""How the ledger's tables came to be: Alembic's steps, in ``versions/``."""
