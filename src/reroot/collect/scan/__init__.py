"""
Find where a fleet's PostgreSQL settings and roots are written: settings files, source code, infrastructure, images, archives.

To add a kind of settings file, add a file here which defines ``READER``. Nothing else. A reader says what is written; what it
means is decided in ``_recognise.py``, what belongs together in ``_join.py``. Nothing that is scanned is run, imported or
rendered, and nothing is connected to.
"""

from __future__ import annotations

from functools import lru_cache

from ... import registry
from ._reader import Reader

__all__ = ["Reader", "reader_for", "readers"]


@lru_cache(maxsize=1)
def readers() -> tuple[Reader, ...]:
    """Every kind of settings file."""
    return tuple(registry.find(__name__, __path__, "READER", Reader).values())


@lru_cache(maxsize=4096)
def reader_for(path: str) -> Reader | None:
    """The reader that is surest about a path; None when no one wants it."""
    best = max(readers(), key=lambda reader: reader.claims(path))
    return best if best.claims(path) else None
