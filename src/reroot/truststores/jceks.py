"""JCEKS: Java's own key store with stronger key protection and secret keys."""

from __future__ import annotations

from functools import partial

from . import _javakeystore
from ._format import Format

MAGIC = _javakeystore.JCEKS.to_bytes(4, "big")


def sniff(content: bytes) -> int:
    return 100 if content.startswith(MAGIC) else 0


FORMAT = Format(
    title="Java key store (JCEKS)",
    sniff=sniff,
    read=partial(_javakeystore.read, "jceks"),
    write=_javakeystore.write,
    create=partial(_javakeystore.create, _javakeystore.JCEKS),
    takes_password=True,
)
