"""
A certificate workshop: roots, intermediates, leaves, cross-signed certificates and CRLs, sound ones and any defect wanted.

Everything is made by one function, ``issue``; the others are names for its usual arguments. Keys are P-256 unless asked
otherwise, because they are made in a fraction of a millisecond. Nothing here is for production: keys are not protected and
serial numbers are random.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KeyKind = Literal["ec256", "ec384", "ec521", "rsa1024", "rsa2048", "rsa3072", "rsa4096", "ed25519"]
Signature = Literal["sha256", "sha384", "sha512", "sha1"]

DAY = timedelta(days=1)
_CURVES: dict[str, type[ec.EllipticCurve]] = {"ec256": ec.SECP256R1, "ec384": ec.SECP384R1, "ec521": ec.SECP521R1}
_HASHES: dict[str, type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha1": hashes.SHA256,  # signed again afterwards: the library refuses to sign a certificate with SHA-1
}
# DER of the two AlgorithmIdentifiers; they have the same length, so one can take the place of the other.
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")

UNKNOWN_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1.1")


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @cached_property
    def cert_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @cached_property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @cached_property
    def key_pem(self) -> bytes:
        """PKCS #8, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def new_key(kind: KeyKind = "ec256") -> PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    return ec.generate_private_key(_CURVES[kind]())


def distinguished_name(name: str | None) -> x509.Name:
    """``"corp-root"`` is a common name; ``"O=Corp,CN=x"`` is read as RFC 4514; None is the empty name."""
    if name is None:
        return x509.Name([])
    if "=" in name:
        return x509.Name.from_rfc4514_string(name)
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def issue(
    subject: str | x509.Name | None,
    issuer: Issued | None = None,
    *,
    key: PrivateKey | KeyKind = "ec256",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    dns: Sequence[str] = (),
    ips: Sequence[str] = (),
    ca: bool | None = None,
    ca_critical: bool = True,
    path_length: int | None = None,
    key_id: bool | bytes = True,
    authority_key_id: bool | bytes = True,
    extended_key_usage: Sequence[x509.ObjectIdentifier] | None = None,
    key_usage: Iterable[str] | None = None,
    permitted: Sequence[str] | None = None,
    excluded: Sequence[str] | None = None,
    unknown_critical: bool = False,
    signature: Signature = "sha256",
    serial: int | None = None,
) -> Issued:
    """One certificate, signed by *issuer* or, without one, by itself.

    *ca* is basicConstraints: None leaves the extension out. *key_id* and *authority_key_id* may be bytes to give a wrong one,
    False for none. *key_usage* names the bits as ``x509.KeyUsage`` does; None leaves the extension out. *permitted* and
    *excluded* are DNS name constraints. A *signature* of ``sha1`` needs an RSA issuer.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    own_key = new_key(key) if isinstance(key, str) else key
    signer = own_key if issuer is None else issuer.key
    name = subject if isinstance(subject, x509.Name) else distinguished_name(subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(own_key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(not_before or now - DAY)
        .not_valid_after(not_after or now + 3650 * DAY)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=ca_critical)
    if key_id is not False:
        own_id = x509.SubjectKeyIdentifier.from_public_key(own_key.public_key())
        builder = builder.add_extension(own_id if key_id is True else x509.SubjectKeyIdentifier(key_id), critical=False)
    if authority_key_id is not False:
        builder = builder.add_extension(_authority_key_id(authority_key_id, signer, issuer), critical=False)
    if key_usage is not None:
        builder = builder.add_extension(_key_usage(key_usage), critical=True)
    if extended_key_usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended_key_usage), critical=False)
    if dns or ips:
        names: list[x509.GeneralName] = [x509.DNSName(d) for d in dns]
        names += [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if permitted is not None or excluded is not None:
        constraints = x509.NameConstraints(
            None if permitted is None else [x509.DNSName(d) for d in permitted],
            None if excluded is None else [x509.DNSName(d) for d in excluded],
        )
        builder = builder.add_extension(constraints, critical=True)
    if unknown_critical:
        builder = builder.add_extension(x509.UnrecognizedExtension(UNKNOWN_EXTENSION, b"\x05\x00"), critical=True)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else _HASHES[signature]()
    certificate = builder.sign(signer, algorithm)
    return Issued(_sign_with_sha1(certificate, signer) if signature == "sha1" else certificate, own_key)


def root(name: str | x509.Name = "lab root", *, key: PrivateKey | KeyKind = "ec256", **defects: object) -> Issued:
    """A self-signed CA certificate."""
    return issue(name, None, key=key, **(_AUTHORITY | defects))  # type: ignore[arg-type]


def intermediate(issuer: Issued, name: str | x509.Name = "lab intermediate", **defects: object) -> Issued:
    """A CA certificate that *issuer* signs."""
    return issue(name, issuer, **(_AUTHORITY | defects))  # type: ignore[arg-type]


def leaf(issuer: Issued, *names: str, **defects: object) -> Issued:
    """A server certificate for *names* (host names and IP addresses); the first is the common name too."""
    ips = [n for n in names if _is_ip(n)]
    server: dict[str, object] = {
        "subject": names[0] if names else "server",
        "dns": [n for n in names if n not in ips],
        "ips": ips,
        "ca": False,
        "key_usage": ("digital_signature", "key_encipherment"),
        "extended_key_usage": (ExtendedKeyUsageOID.SERVER_AUTH,),
    }
    return issue(issuer=issuer, **(server | defects))  # type: ignore[arg-type]


def cross_sign(issued: Issued, by: Issued, **defects: object) -> Issued:
    """The same subject and key once more, now signed by another authority."""
    return issue(issued.certificate.subject, by, key=issued.key, **(_AUTHORITY | defects))  # type: ignore[arg-type]


def reissue(issued: Issued, **defects: object) -> Issued:
    """A root made again for the same subject and key: with other dates, or other extensions."""
    return issue(issued.certificate.subject, None, key=issued.key, **(_AUTHORITY | defects))  # type: ignore[arg-type]


def crl(
    issuer: Issued,
    revoked: Sequence[Issued] = (),
    *,
    this_update: datetime | None = None,
    next_update: datetime | None = None,
    authority_key_id: bool = True,
) -> bytes:
    """PEM of a certificate revocation list of *issuer*."""
    now = datetime.now(UTC).replace(microsecond=0)
    issued_at = this_update or now - DAY
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(issued_at)
        .next_update(next_update or now + 30 * DAY)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    if authority_key_id:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(one.certificate.serial_number)
            .revocation_date(issued_at)
            .build()
        )
    algorithm = None if isinstance(issuer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer.key, algorithm).public_bytes(serialization.Encoding.PEM)


def bundle(*certificates: Issued) -> bytes:
    """Their PEM blocks, one after the other: a chain, or a trust store."""
    return b"".join(c.cert_pem for c in certificates)


_AUTHORITY: dict[str, object] = {"ca": True, "key_usage": ("key_cert_sign", "crl_sign", "digital_signature")}


def _authority_key_id(wanted: bool | bytes, signer: PrivateKey, issuer: Issued | None) -> x509.AuthorityKeyIdentifier:
    if isinstance(wanted, bytes):
        return x509.AuthorityKeyIdentifier(wanted, None, None)
    if issuer is not None:
        try:
            found = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)
        except x509.ExtensionNotFound:
            pass
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _key_usage(bits: Iterable[str]) -> x509.KeyUsage:
    wanted = set(bits)
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{bit: bit in wanted for bit in every})


def _sign_with_sha1(certificate: x509.Certificate, signer: PrivateKey) -> x509.Certificate:
    if not isinstance(signer, rsa.RSAPrivateKey):
        raise ValueError("a SHA-1 signature is made with RSA keys only")
    tbs = certificate.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA, 1)
    signature = signer.sign(tbs, padding.PKCS1v15(), hashes.SHA1())  # the defect that is wanted
    algorithm = _der(0x30, _SHA1_WITH_RSA + b"\x05\x00")
    return x509.load_der_x509_certificate(_der(0x30, tbs + algorithm + _der(0x03, b"\x00" + signature)))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
