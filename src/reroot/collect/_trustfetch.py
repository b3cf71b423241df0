"""A bundle from an address that the user names: small, in time, and of certificates that are expected."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence

from .. import authorities, truststores
from ..authorities._partitions import COMMERCIAL
from ..errors import InputError, ReachError, TrustStoreError
from ..pki.certificate import Certificate
from ..reports.text import counted
from ..truststores import Limits
from ._trustlimits import guarded

TIMEOUT = 20.0
FROZEN = ("s3.amazonaws.com/rds-downloads/",)
"""Addresses that still answer, with a bundle that was last changed in April 2020 and lacks every G1 root."""


def fetched(address: str, *, pins: Sequence[str] = (), accept_unpinned: bool = False) -> tuple[Certificate, ...]:
    """The certificates behind *address*. Each must have a pinned fingerprint: ours, or one of *pins*."""
    if not address.startswith(("https://", "http://")):
        raise InputError(f"`{address}` is no http or https address")
    if any(frozen in address for frozen in FROZEN):
        raise InputError(
            f"`{address}` is frozen since April 2020 and lacks today's roots",
            hint=f"AWS publishes them at {COMMERCIAL.bundle()}",
        )
    content = _get(address)
    found = guarded(content, lambda: truststores.read(content))
    damaged = [entry for entry in found.entries if entry.kind == "damaged"]
    if damaged:
        raise TrustStoreError(f"has a damaged certificate at {damaged[0].name}", where=address)
    if not found.certificates:
        raise TrustStoreError("holds no root", where=address)
    known = authorities.pinned() | {pin.removeprefix("sha256:").replace(":", "").lower() for pin in pins}
    strangers = [c for c in found.certificates if c.fingerprint not in known]
    if strangers and not accept_unpinned:
        names = ", ".join(f"`{c.title}` {c.fingerprint}" for c in strangers[:3])
        raise TrustStoreError(
            f"has {counted(len(strangers), 'certificate')} with no pinned fingerprint: {names}{' …' if len(strangers) > 3 else ''}",
            where=address,
            hint="compare them with what their owner publishes, then name them with `--pin`, or take all with `--accept-unpinned`",
        )
    return found.certificates


def _get(address: str) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": "reroot"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            content: bytes = answer.read(Limits.BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise ReachError(f"cannot be fetched: {error.code} {error.reason}", where=address) from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ReachError(f"cannot be fetched: {getattr(error, 'reason', error)}", where=address) from error
    if len(content) > Limits.BYTES:
        raise TrustStoreError(f"is larger than {Limits.BYTES} bytes, which is the limit", where=address)
    return content
