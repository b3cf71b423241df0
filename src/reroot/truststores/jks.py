"""JKS: Java's own key store, the default until Java 8."""

from __future__ import annotations

from functools import partial

from . import _javakeystore
from ._format import Format

MAGIC = _javakeystore.JKS.to_bytes(4, "big")


def sniff(content: bytes) -> int:
    return 100 if content.startswith(MAGIC) else 0


FORMAT = Format(
    title="Java key store (JKS)",
    sniff=sniff,
    read=partial(_javakeystore.read, "jks"),
    write=_javakeystore.write,
    create=partial(_javakeystore.create, _javakeystore.JKS),
    takes_password=True,
)
