"""A certificate as a value: its bytes, and what they say, read only when asked for."""

from __future__ import annotations

import hashlib
import ipaddress
import warnings
from datetime import datetime
from functools import cached_property, lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

T = TypeVar("T", bound=x509.ExtensionType)
BROKEN = (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What the library raises for parts that make no sense; TypeError for a value of a kind that has no place in a name."""


class Certificate:
    """One certificate; two are equal when their DER bytes are.

    Attributes are read lazily, since most certificates of a fleet are only ever counted and compared.
    Everything but ``der`` and ``fingerprint`` raises ``ValueError`` when the bytes are no certificate.
    """

    def __init__(self, der: bytes) -> None:
        self.der = der

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"<Certificate {self.fingerprint[:16]}>"

    def __reduce__(self) -> tuple[type[Certificate], tuple[bytes]]:
        return Certificate, (self.der,)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER bytes, lower-case hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def parsed(self) -> x509.Certificate:
        with warnings.catch_warnings():
            # A few public roots (Starfield G2) carry a serial number of 0; they are in use all the same.
            warnings.simplefilter("ignore")
            try:
                return x509.load_der_x509_certificate(self.der)
            except x509.InvalidVersion as error:
                raise ValueError(str(error)) from error

    @cached_property
    def _subject(self) -> x509.Name:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a country of three letters; no stack minds
            return self.parsed.subject

    @cached_property
    def _issuer(self) -> x509.Name:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.parsed.issuer

    @property
    def is_readable(self) -> bool:
        return _readable(self)

    @cached_property
    def subject(self) -> bytes:
        """The subject's DER, as chains are built by."""
        return self._subject.public_bytes()

    @cached_property
    def issuer(self) -> bytes:
        return self._issuer.public_bytes()

    @cached_property
    def spki(self) -> bytes:
        """DER of the public key: what "the same key" compares."""
        return self.parsed.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def title(self) -> str:
        """The name a person knows it by: common name, else the whole subject."""
        return _common_name(self._subject) or self._subject.rfc4514_string() or self.fingerprint[:16]

    @cached_property
    def common_name(self) -> str:
        """The last common name of the subject, ``""`` when there is none."""
        return _common_name(self._subject)

    @cached_property
    def common_names(self) -> tuple[str, ...]:
        """Every common name of the subject, in order."""
        return tuple(str(a.value) for a in self._subject.get_attributes_for_oid(NameOID.COMMON_NAME))

    @cached_property
    def issuer_title(self) -> str:
        return _common_name(self._issuer) or self._issuer.rfc4514_string()

    @property
    def not_before(self) -> datetime:
        return self.parsed.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        return self.parsed.not_valid_after_utc

    def is_valid_at(self, when: datetime) -> bool:
        return self.not_before <= when <= self.not_after

    @cached_property
    def is_self_issued(self) -> bool:
        return self.subject == self.issuer

    @cached_property
    def is_self_signed(self) -> bool:
        """Issued by its own key, checked by the signature."""
        return self.is_self_issued and signed_by(self, self)

    @cached_property
    def extensions(self) -> x509.Extensions:
        """All extensions; empty when one of them cannot be parsed (see ``has_broken_extensions``)."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a serial number of 0, see parsed
                return self.parsed.extensions
        except BROKEN:
            return x509.Extensions([])

    @cached_property
    def has_broken_extensions(self) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self.parsed.extensions is None
        except BROKEN:
            return True

    @cached_property
    def basic_constraints(self) -> x509.Extension[x509.BasicConstraints] | None:
        return _extension(self.extensions, x509.BasicConstraints)

    @cached_property
    def is_version_3(self) -> bool:
        return self.parsed.version is x509.Version.v3

    @cached_property
    def is_ca(self) -> bool:
        """Says of itself, by basicConstraints, that it is a CA."""
        return self.basic_constraints is not None and self.basic_constraints.value.ca

    @cached_property
    def key_usage(self) -> x509.KeyUsage | None:
        found = _extension(self.extensions, x509.KeyUsage)
        return None if found is None else found.value

    @cached_property
    def extended_key_usage(self) -> frozenset[str] | None:
        """Dotted OIDs, or None without the extension."""
        found = _extension(self.extensions, x509.ExtendedKeyUsage)
        return None if found is None else frozenset(oid.dotted_string for oid in found.value)

    @cached_property
    def subject_key_id(self) -> bytes | None:
        found = _extension(self.extensions, x509.SubjectKeyIdentifier)
        return None if found is None else found.value.digest

    @cached_property
    def authority_key_id(self) -> bytes | None:
        found = _extension(self.extensions, x509.AuthorityKeyIdentifier)
        return None if found is None else found.value.key_identifier

    @cached_property
    def dns_names(self) -> tuple[str, ...]:
        """dNSName entries of the SAN, in order."""
        return self._alternative_names(x509.DNSName)

    @cached_property
    def ip_addresses(self) -> tuple[str, ...]:
        """iPAddress entries of the SAN, in order, as text."""
        found = _extension(self.extensions, x509.SubjectAlternativeName)
        if found is None:
            return ()
        addresses = found.value.get_values_for_type(x509.IPAddress)
        return tuple(str(a) for a in addresses if isinstance(a, ipaddress.IPv4Address | ipaddress.IPv6Address))

    @cached_property
    def has_alternative_names(self) -> bool:
        return _extension(self.extensions, x509.SubjectAlternativeName) is not None

    @cached_property
    def has_critical_alternative_names(self) -> bool:
        found = _extension(self.extensions, x509.SubjectAlternativeName)
        return found is not None and found.critical

    @cached_property
    def has_empty_subject(self) -> bool:
        return not self._subject.rdns

    @cached_property
    def key(self) -> tuple[str, int]:
        """Kind and size in bits of the public key: ``("rsa", 2048)``, ``("ec", 256)`` …"""
        key = self.parsed.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return ("rsa", key.key_size)
        if isinstance(key, ec.EllipticCurvePublicKey):
            return ("ec", key.curve.key_size)
        if isinstance(key, dsa.DSAPublicKey):
            return ("dsa", key.key_size)
        return (type(key).__name__.removesuffix("PublicKey").strip("_").lower(), 256)

    @cached_property
    def signature_hash(self) -> str:
        """Name of the signature's hash (``sha256``), ``""`` where the scheme has none of its own (Ed25519)."""
        try:
            algorithm = self.parsed.signature_hash_algorithm
        except Exception:  # an algorithm that the library does not know
            return "unknown"
        return "" if algorithm is None else algorithm.name

    @cached_property
    def unknown_critical_extensions(self) -> tuple[str, ...]:
        """Dotted OIDs of critical extensions that no TLS stack handles."""
        return tuple(
            e.oid.dotted_string for e in self.extensions if e.critical and isinstance(e.value, x509.UnrecognizedExtension)
        )

    @cached_property
    def name_constraints(self) -> x509.NameConstraints | None:
        found = _extension(self.extensions, x509.NameConstraints)
        return None if found is None else found.value

    @cached_property
    def has_uri_names(self) -> bool:
        found = _extension(self.extensions, x509.SubjectAlternativeName)
        return found is not None and bool(found.value.get_values_for_type(x509.UniformResourceIdentifier))

    def _alternative_names(self, kind: type[x509.DNSName]) -> tuple[str, ...]:
        found = _extension(self.extensions, x509.SubjectAlternativeName)
        return () if found is None else tuple(found.value.get_values_for_type(kind))


@lru_cache(maxsize=8192)
def _readable(certificate: Certificate) -> bool:
    """Has a subject and a key. The same bytes come by many times, as other objects."""
    try:
        return bool(certificate.subject) and certificate.spki is not None
    except (*BROKEN, UnsupportedAlgorithm):
        return False


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[-1].value) if found else ""


def _extension(extensions: x509.Extensions, kind: type[T]) -> x509.Extension[T] | None:
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


@lru_cache(maxsize=8192)
def signed_by(child: Certificate, parent: Certificate) -> bool:
    """Whether the key of *parent* made the signature of *child*; names are not compared."""
    key = parent.parsed.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            parameters = child.parsed.signature_algorithm_parameters
            algorithm = child.parsed.signature_hash_algorithm
            if parameters is None or isinstance(parameters, ec.ECDSA) or algorithm is None:
                return False
            key.verify(child.parsed.signature, child.parsed.tbs_certificate_bytes, parameters, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            parameters = child.parsed.signature_algorithm_parameters
            if not isinstance(parameters, ec.ECDSA):
                return False
            key.verify(child.parsed.signature, child.parsed.tbs_certificate_bytes, parameters)
        else:
            child.parsed.verify_directly_issued_by(parent.parsed)
    except Exception:  # every way in which a signature can be unusable means "not signed by"
        return False
    return True


SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
