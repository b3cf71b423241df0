"""What a look at a chain gives: trusted or not, by which path, and every reason against it."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import Reason
from .certificate import Certificate


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """``trusted`` is None when the answer depends on something that is not known; ``reasons`` then name it."""

    trusted: bool | None
    reasons: tuple[Reason, ...] = ()
    path: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustSet:
    """What a client trusts: its anchors in the order read, and the DER of the revocation lists in force.

    With ``checks_revocation`` every certificate of a path needs a list that covers it.
    """

    certificates: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    checks_revocation: bool = False


def named(certificate: Certificate) -> str:
    """How a reason names a certificate: title and the start of its fingerprint."""
    return f"`{certificate.title}` ({certificate.fingerprint[:12]})"
