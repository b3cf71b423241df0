"""
What each act presents, made in memory: chains with their keys, chains whose key nobody here holds, and forged ones.

No key that is made here is ever written anywhere. The control authority says REHEARSAL in its name, lives for a day, may sign for
the rehearsed names only, and its key is thrown away as soon as its one leaf is signed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import InputError
from ...pki import Certificate
from ...rehearsal import Act, Proof

if TYPE_CHECKING:
    from .through import Upstream

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
AGE = timedelta(hours=24)
HOLD = 0.5
"""Seconds for which the proof of a key is withheld: longer than any client takes to judge a chain, shorter than its time-out."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One act, ready to be played. ``chain`` is DER, leaf first; ``key`` is the leaf's, or one of its kind that is not.

    ``hold`` is in seconds; 0 withholds nothing. ``old_tls`` asks for TLS 1.2 where the client takes it. Who logs in goes
    ``through`` to a real server where one is named. ``prepared`` is where an engine keeps what it made of the scene, so that it
    goes when the scene goes.
    """

    act: Act
    chain: tuple[bytes, ...]
    key: Key = field(repr=False)
    proof: Proof = Proof.GIVEN
    hold: float = 0.0
    old_tls: bool = False
    through: Upstream | None = None
    prepared: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def chain_pem(self) -> bytes:
        return b"".join(_pem(der) for der in self.chain)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def control(hosts: Sequence[str], now: datetime, like: Certificate | None = None, *, hold: float = 0.0) -> Scene:
    """A chain that nobody can trust, for *hosts*, with a key of the same kind as *like*'s."""
    authority, leaf = _new_key(None), _new_key(like)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"reroot REHEARSAL {x509.random_serial_number():x}"[:60])])
    root = (
        _builder(name, name, authority, now)
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(_usage(ca=True), True)
        .add_extension(x509.NameConstraints([_general(h, whole=True) for h in hosts], None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), False)
        .sign(authority, hashes.SHA256())
    )
    issued = _leaf(hosts, name, leaf, now).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False
    )
    return Scene(Act.CONTROL, (_der(issued.sign(authority, hashes.SHA256())), _der(root)), leaf, Proof.GIVEN, hold)


def keyless(act: Act, chain: Sequence[bytes], hold: float = HOLD) -> Scene:
    """A chain whose key is not ours: the proof is withheld for *hold* seconds, then wrong."""
    return Scene(act, tuple(chain), _new_key(Certificate(chain[0])), Proof.WITHHELD, hold)


def forged(root: Certificate, hosts: Sequence[str], now: datetime) -> Scene:
    """A leaf for *hosts* that names *root* as its issuer; the signature is worth nothing, the key is ours.

    Java tells its two answers apart by the alert in TLS 1.2 only, so that is asked for.
    """
    key, nobody = _new_key(None, rsa_wanted=True), _new_key(root)
    builder = _leaf(hosts, root.parsed.subject, key, now)
    own_id = root.subject_key_id
    if own_id is not None:
        builder = builder.add_extension(x509.AuthorityKeyIdentifier(own_id, None, None), False)
    digest: hashes.SHA384 | hashes.SHA256 = hashes.SHA384() if root.key == ("ec", 384) else hashes.SHA256()
    return Scene(Act.FORGED, (_der(builder.sign(nobody, digest)),), key, Proof.GIVEN, 0.0, old_tls=True)


def own(act: Act, chain: Sequence[bytes], key_pem: bytes) -> Scene:
    """A chain with its key."""
    key = read_key(key_pem)
    if _public(key.public_key()) != Certificate(chain[0]).spki:
        raise InputError("the key does not belong to the chain", hint="the chain starts with the leaf whose key this is")
    return Scene(act, tuple(chain), key)


def read_key(pem: bytes) -> Key:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError:
        raise InputError("the key is protected by a pass phrase", hint="decrypt it, or rehearse without the key") from None
    except ValueError:
        raise InputError("not a private key in PEM") from None
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key
    raise InputError(f"a key of the kind `{type(key).__name__}` cannot be rehearsed", hint="RSA and elliptic curves can")


def read_chain(pem: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM file in order, DER."""
    try:
        found = tuple(_der(c) for c in x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise InputError("no certificate chain in PEM") from None
    if not isinstance(Certificate(found[0]).parsed.public_key(), rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise InputError("a leaf with such a key cannot be rehearsed", hint="RSA and elliptic curves can")
    return found


# ── certificates ─────────────────────────────────────────────────────────────────────────────────


def _leaf(hosts: Sequence[str], issuer: x509.Name, key: Key, now: datetime) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    return (
        _builder(subject, issuer, key, now)
        .add_extension(x509.SubjectAlternativeName(list(_names(hosts))), False)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(_usage(ca=False, encipher=isinstance(key, rsa.RSAPrivateKey)), True)
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + AGE - timedelta(minutes=5))
    )


def _names(hosts: Iterable[str]) -> Iterable[x509.GeneralName]:
    return (_general(host, whole=False) for host in hosts)


def _general(host: str, *, whole: bool) -> x509.GeneralName:
    """A host as a SAN or, where *whole*, as a constraint, which for an address is a network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return x509.DNSName(host.removeprefix("*."))
    return x509.IPAddress(ipaddress.ip_network(address) if whole else address)


def _usage(*, ca: bool, encipher: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(not ca, False, encipher, False, False, ca, ca, False, False)


def _new_key(like: Certificate | None, *, rsa_wanted: bool = False) -> Key:
    public = None if like is None else like.parsed.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return rsa.generate_private_key(65537, min(public.key_size, 4096))
    if isinstance(public, ec.EllipticCurvePublicKey):
        return ec.generate_private_key(public.curve)
    if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        raise InputError("a root with such a key cannot be rehearsed", hint="RSA and elliptic curves can")
    return rsa.generate_private_key(65537, 2048) if rsa_wanted else ec.generate_private_key(ec.SECP256R1())


def _public(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
