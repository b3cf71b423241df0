"""
How a kind of server is changed: one file per provider.

To add a provider, add a file here which defines ``PROVIDER``. Nothing else.
"""

from __future__ import annotations

from .. import registry
from ..errors import InputError
from ._provider import Found, Provider, Site

__all__ = ["Found", "Provider", "Site", "find", "names"]


def names() -> tuple[str, ...]:
    """Every provider, by the word that the inventory takes."""
    return registry.names(__path__)


def find(name: str) -> Provider:
    """One provider; only its own file is imported."""
    if name not in names():
        raise InputError(f"`{name}` is no provider; there are {', '.join(f'`{n}`' for n in names())}")
    return registry.load(__name__, name, "PROVIDER", Provider)
