"""A certificate pair: a chain, leaf first, and the private key of its leaf. Is it fit to take the place of another?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from ..pki.certificate import SERVER_AUTH, Certificate, signed_by

BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s+.+?-----END CERTIFICATE-----", re.DOTALL)
SOON = timedelta(days=7)


@dataclass(frozen=True)
class Pair:
    """The bytes of two PEM files."""

    certificate: bytes
    key: bytes = field(repr=False)

    @cached_property
    def chain(self) -> tuple[Certificate, ...]:
        return chain_of(self.certificate)


def chain_of(pem: bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, in its order; ``ValueError`` when one of them is damaged."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return tuple(Certificate(x509.load_pem_x509_certificate(block).public_bytes(Encoding.DER)) for block in BLOCK.findall(pem))


def faults(pair: Pair, *, root: Certificate, instead_of: Sequence[Certificate], when: datetime) -> tuple[str, ...]:
    """Everything that speaks against serving *pair* in place of the chain *instead_of*; empty when it is fit."""
    try:
        chain = pair.chain
        unreadable = not chain or not all(c.is_readable for c in chain)
    except ValueError:
        unreadable = True
    if unreadable:
        return ("the certificate file holds no readable certificate",)
    leaf = chain[0]
    found = [*_key_faults(pair.key, leaf)]
    if leaf.is_ca and len(chain) > 1:
        found.append(f"its first certificate `{leaf.title}` is a CA: the server's own must come first")
    for child, parent in pairwise(chain):
        if not signed_by(child, parent):
            found.append(f"`{child.title}` is followed by `{parent.title}`, which did not sign it")
    if chain[-1] != root and not signed_by(chain[-1], root):
        found.append(f"its chain ends with `{chain[-1].title}`, which `{root.title}` did not sign")
    for certificate in chain:
        if not certificate.is_valid_at(when):
            dates = f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
            found.append(f"`{certificate.title}` is not valid now, but from {dates}")
        elif certificate.not_after < when + SOON:
            found.append(f"`{certificate.title}` ends within {SOON.days} days, at {certificate.not_after:%Y-%m-%d %H:%M} UTC")
    if leaf.extended_key_usage is not None and SERVER_AUTH not in leaf.extended_key_usage:
        found.append("its extended key usage does not name server authentication")
    lost = sorted(n for n in names(instead_of[0]) if not _is_covered(n, names(leaf))) if instead_of else []
    if lost:
        found.append(f"it does not name {', '.join(f'`{n}`' for n in lost)}, which the current certificate does")
    return tuple(found)


def names(leaf: Certificate) -> frozenset[str]:
    """Host names and addresses of a certificate; the common name where it has no alternative names."""
    if leaf.has_alternative_names:
        return frozenset(n.lower() for n in (*leaf.dns_names, *leaf.ip_addresses))
    return frozenset({leaf.common_name.lower()} - {""})


def _is_covered(name: str, by: frozenset[str]) -> bool:
    return name in by or ("." in name and not name.startswith("*") and f"*.{name.partition('.')[2]}" in by)


def _key_faults(pem: bytes, leaf: Certificate) -> tuple[str, ...]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        return ("the private key is encrypted, and a server cannot ask for its password when it reloads",)
    except Exception:  # whatever the library thinks of it, the words could quote the file
        return ("the key file holds no readable private key",)
    if key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != leaf.spki:
        return (f"the private key is not that of `{leaf.title}`",)
    return ()
