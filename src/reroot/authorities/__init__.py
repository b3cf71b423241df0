"""
Known families of certificate authorities: data with its provenance, one file per family.

To add a family, add a file here which defines ``FAMILY``, and its certificates and their fingerprints under ``data/``.
"""

from __future__ import annotations

from collections.abc import Mapping

from .. import registry
from ..errors import InputError
from . import _partitions as partitions
from ._family import Family, Root

__all__ = ["Family", "Root", "families", "find", "named", "partitions", "pinned"]


def families() -> Mapping[str, Family]:
    """Every family by its word: ``aws``, ``aws-proxy``, ``azure`` …"""
    return {family.word: family for family in registry.find(__name__, __path__, "FAMILY", Family).values()}


def find(text: str) -> tuple[Family, str]:
    """``aws:eu-west-1`` → the family and the region; a word alone has the region ``""``."""
    word, _, region = text.partition(":")
    family = families().get(word)
    if family is None:
        raise InputError(f"`{word}` is no family of roots", hint=f"there are {', '.join(f'`{w}`' for w in sorted(families()))}")
    return family, region


def named(fingerprint: str) -> Root | None:
    """The known root with this fingerprint."""
    return next((r for f in families().values() for r in f.roots if r.certificate.fingerprint == fingerprint), None)


def pinned() -> frozenset[str]:
    """Every fingerprint of every family."""
    return frozenset().union(*(family.pinned for family in families().values()))
