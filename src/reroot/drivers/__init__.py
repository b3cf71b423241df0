"""
How each driver decides whether to trust a server: one file per driver.

To add a driver, add a file here which defines ``DRIVER``. Nothing else. A driver's name is its project's own in lower
case; its file has ``_`` where the name has ``-``.
"""

from __future__ import annotations

from functools import lru_cache

from .. import registry
from ._driver import Driver

__all__ = ["Driver", "find", "names"]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Every driver with rules."""
    return tuple(name.replace("_", "-") for name in registry.names(__path__))


@lru_cache(maxsize=256)
def find(name: str) -> Driver | None:
    """The rules of one driver; only its own file is imported. None when there are none."""
    if name not in names():
        return None
    return registry.load(__name__, name.replace("-", "_"), "DRIVER", Driver)
