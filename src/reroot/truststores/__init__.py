"""
Trust stores: bytes ⇄ roots, one file per format. A format is told by content, never by a file's name.

To add a format, add a file here which defines ``FORMAT``. Nothing else.
"""

from __future__ import annotations

from functools import lru_cache

from .. import registry
from ..errors import TrustStoreError
from ..model import Secret
from ._format import Change, Entry, Format, Limits, Roots

__all__ = ["Change", "Entry", "Format", "Limits", "Roots", "detect", "find", "names", "read"]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Every format, as the command line spells it."""
    return registry.names(__path__)


def find(name: str) -> Format:
    """The format of one name; only its own file is imported."""
    if name not in names():
        raise TrustStoreError(f"`{name}` is no trust store format", hint=f"there are {', '.join(f'`{n}`' for n in names())}")
    return registry.load(__name__, name, "FORMAT", Format)


HEADS = {b"\xfe\xed\xfe\xed": "jks", b"\xce\xce\xce\xce": "jceks", b"0": "pkcs12"}
"""How a format mostly begins: only the order in which they are asked."""


def detect(content: bytes) -> str:
    """The format that *content* most surely is of; ``TrustStoreError`` when it is of none."""
    check_size(content)
    best, surest = "", 0
    likely = next((name for head, name in HEADS.items() if content.startswith(head)), "pem")
    for name in sorted(names(), key=lambda name: name != likely):  # it mostly is, and then the others need not be loaded
        sure = find(name).sniff(content)
        if sure > surest:
            best, surest = name, sure
        if sure == 100:
            break
    if not best:
        raise TrustStoreError(
            "is empty" if not content.strip() else "is no trust store that reroot knows",
            hint=f"known are {', '.join(f'`{n}`' for n in names())}",
        )
    return best


def check_size(content: bytes) -> None:
    if len(content) > Limits.BYTES:
        raise TrustStoreError(f"is {len(content)} bytes long; {Limits.BYTES} are the limit")


def read(content: bytes, password: Secret | None = None, *, format: str | None = None) -> Roots:
    """The entries of a trust store, as its format lays them down. What a TLS stack makes of it is ``readers.effective``."""
    check_size(content)
    return find(format or detect(content)).read(content, password)
