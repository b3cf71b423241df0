"""
A chain that nobody has seen yet: which root does a chain lead to, and what would it look like beneath another root?

A provider that signs its servers' certificates itself (RDS) tells its root beforehand, and nothing else. What a client would
say to a chain of that root can be asked all the same: beneath a **likeness** of the root, which has its name, its extensions,
its dates and its kind of key, but a key of ours. Whoever is judged must then trust the likeness where it trusts the root.
Nothing that is made here leaves the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .certificate import Certificate, signed_by

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
CURVES: dict[int, type[ec.EllipticCurve]] = {256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}
HASHES: dict[str, type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
YEAR = timedelta(days=365)
IDENTIFIERS = (x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier)


def leads_to(chain: Sequence[Certificate], root: Certificate) -> bool:
    """Whether each certificate of *chain* signed the one before it, and *root* the last, or is it. Dates play no part."""
    if not chain or not all(c.is_readable for c in chain):
        return False
    return all(signed_by(child, parent) for child, parent in pairwise(chain)) and (chain[-1] == root or signed_by(chain[-1], root))


@dataclass(frozen=True)
class Likeness:
    """A root of ours that looks like *of*."""

    of: Certificate
    certificate: Certificate
    key: Key


@lru_cache(maxsize=64)
def likeness(root: Certificate) -> Likeness:
    """The likeness of *root*: the same for the life of the process."""
    parsed = root.parsed
    key = _key(root.key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(parsed.subject)
        .issuer_name(parsed.issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(root.not_before)
        .not_valid_after(root.not_after)
    )
    for extension in root.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return Likeness(root, _signed(builder, key, root), key)


@lru_cache(maxsize=4096)
def beneath(chain: tuple[Certificate, ...], root: Certificate, day: datetime) -> tuple[Certificate, ...]:
    """*chain* as *root* would have it on *day*: the same names, beneath the likeness of *root*, by as many steps.

    The root itself is left out, as servers do. *chain* is leaf first and readable.
    """
    like = likeness(root)
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    dates = (max(midnight - timedelta(days=1), root.not_before), min(midnight + YEAR, root.not_after))
    leaf, *above = [c for c in chain if not c.is_self_issued] or chain[:1]
    issuer, issuer_key, made = like.certificate, like.key, []
    for number, one in enumerate(above):
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{root.title}, subordinate {number + 1}")])
        key = _shared_key(_kind(root))
        issuer = _below(one, name, key, issuer, issuer_key, dates, root)
        issuer_key = key
        made.append(issuer)
    return (_below(leaf, leaf.parsed.subject, _shared_key(_kind(root)), issuer, issuer_key, dates, root), *reversed(made))


def _below(
    like: Certificate,
    subject: x509.Name,
    key: Key,
    issuer: Certificate,
    issuer_key: Key,
    dates: tuple[datetime, datetime],
    root: Certificate,
) -> Certificate:
    """A certificate with the extensions of *like*, signed by *issuer*."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.parsed.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dates[0])
        .not_valid_after(dates[1])
    )
    for extension in like.extensions:
        if not isinstance(extension.value, IDENTIFIERS):
            builder = builder.add_extension(extension.value, extension.critical)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if issuer.subject_key_id is not None:
        identifier = x509.AuthorityKeyIdentifier(issuer.subject_key_id, None, None)
        builder = builder.add_extension(identifier, critical=False)
    return _signed(builder, issuer_key, root)


def _signed(builder: x509.CertificateBuilder, key: Key, root: Certificate) -> Certificate:
    made = builder.sign(key, HASHES.get(root.signature_hash, hashes.SHA256)())
    return Certificate(made.public_bytes(Encoding.DER))


def _kind(root: Certificate) -> tuple[str, int]:
    """The kind of a server's key beneath *root*: RSA keys of servers are of 2048 bits whatever the root's are."""
    kind, size = root.key
    return (kind, size) if kind == "ec" else ("rsa", 2048)


def _key(kind: tuple[str, int]) -> Key:
    name, size = kind
    if name == "ec" and size in CURVES:
        return ec.generate_private_key(CURVES[size]())
    return rsa.generate_private_key(65537, size if name == "rsa" else 2048)


_shared_key = lru_cache(maxsize=8)(_key)
"""One key stands for all: what is judged of it is its kind."""
