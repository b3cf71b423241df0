"""
The append-only record: evidence, the journal of what was done, and the lease that lets one operator act at a time.

SQLite in the working directory, or a PostgreSQL URL for a team. What is written is never changed or removed, and triggers in
the database see to it; sums of the evidence stand beside it, so that questions about millions of sightings are answered at once. Each
journal entry carries the hash of the one before. No secret is written.
"""

from __future__ import annotations

from ._entries import Entry, broken_at
from .ledger import DEFAULT, Ledger, NoLedger, open_ledger

__all__ = ["DEFAULT", "Entry", "Ledger", "NoLedger", "broken_at", "open_ledger"]
