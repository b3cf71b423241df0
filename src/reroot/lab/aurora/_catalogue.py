"""
The certificate authorities of a region, as RDS has them: one root of its own for each region and CA id, and what is signed.

Names and ids are AWS's, keys are ours. An instance is served by a leaf beneath a subordinate CA, which the server sends along.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .. import ca

OLD, NEXT = "rds-ca-2019", "rds-ca-rsa2048-g1"
IDS = (OLD, NEXT, "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")
DAY = timedelta(days=1)
LEAF = 365 * DAY
"""How long a leaf of a G1 CA is valid; DocumentDB's page says 12 months of the machinery that it shares with RDS."""


def title(id: str, region: str) -> str:
    """The common name of a root: ``Amazon RDS eu-west-1 Root CA RSA2048 G1``."""
    if id == OLD:
        return f"Amazon RDS {region} Root 2019 CA"
    key = id.removeprefix("rds-ca-").removesuffix("-g1").upper()
    return f"Amazon RDS {region} Root CA {key} G1"


@dataclass(frozen=True)
class Authority:
    """One CA id in one region: its root, and the subordinate that signs servers' certificates."""

    id: str
    root: ca.Issued
    subordinate: ca.Issued

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the root's DER, as ``DescribeCertificates`` has it (AWS's own examples are those of its published roots)."""
        return hashlib.sha1(self.root.der, usedforsecurity=False).hexdigest()

    def serve(self, names: tuple[str, ...], **defects: object) -> tuple[bytes, bytes, datetime]:
        """Chain PEM (leaf first), key PEM and the leaf's end, for a server of these names."""
        ends = datetime.now(UTC).replace(microsecond=0) + LEAF
        leaf = ca.leaf(self.subordinate, *names, **({"not_after": ends} | defects))
        return leaf.cert_pem + self.subordinate.cert_pem, leaf.key_pem, leaf.certificate.not_valid_after_utc


@dataclass
class Region:
    """What one region offers: its authorities, the default for new instances, and what an account set in its place.

    ``withdrawn`` ids are no longer offered; ``off`` is a region that the account did not opt into.
    """

    name: str
    authorities: dict[str, Authority]
    default: str = NEXT
    override: str = ""
    override_until: datetime | None = None
    withdrawn: set[str] = field(default_factory=set)
    off: bool = False

    @property
    def born(self) -> str:
        """The CA id of an instance that is created without one."""
        return self.override or self.default

    def offered(self) -> list[Authority]:
        return [a for a in self.authorities.values() if a.id not in self.withdrawn]


def region(name: str, *, old_ends: datetime | None = None) -> Region:
    """A region with every authority; *old_ends* is when the old root ends, two years from now where nothing is said."""
    ends = {OLD: old_ends or datetime.now(UTC).replace(microsecond=0) + 730 * DAY}
    made = {}
    for id in IDS:
        key: ca.KeyKind = "ec384" if "ecc384" in id else "ec256"
        root = ca.root(title(id, name), key=key, **({"not_after": ends[id]} if id in ends else {}))
        sub = ca.intermediate(
            root, title(id, name).replace("Root", "Subordinate") + ".A.1", not_after=root.certificate.not_valid_after_utc
        )
        made[id] = Authority(id, root, sub)
    return Region(name, made)
