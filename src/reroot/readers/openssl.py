"""OpenSSL's file loader, as libpq and everything else that calls SSL_CTX_load_verify_locations has it."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives import serialization

from ..pki.certificate import Certificate
from ._opensslpem import BadPem, Block, certificate, read, trusts_servers
from ._reader import Anchors, Problem, Question, Reader, failed, loaded

EMPTY = "no certificate or crl found"
DAMAGED = "PEM lib"


def anchors(question: Question) -> Anchors:
    """X509_load_cert_crl_file over PEM_X509_INFO_read_bio: one bad block, and nothing of the file is taken."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"OpenSSL loads PEM here, not `{question.store_type}`", "wrong-type")
    return load(question.content, question.version)


def load(content: bytes, version: tuple[int, ...]) -> Anchors:
    certificates: list[Certificate] = []
    problems: list[Problem] = []
    revocations = 0
    seen: dict[bytes, bool] = {}
    try:
        for number, block in enumerate(read(content, version), 1):
            if block.label in (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"):
                found = _certificate(block)
                if found is None:
                    raise BadPem(f"block {number} holds no certificate")
                # The store keeps the first of equal certificates, with its settings.
                if found[0] not in seen and found[1] and not trusts_servers(found[1]):
                    problems.append(Problem("not-for-servers", f"block {number} is trusted, but not for TLS servers"))
                    seen[found[0]] = False
                if seen.setdefault(found[0], True):
                    certificates.append(Certificate(found[0]))
            elif block.label == b"X509 CRL":
                if not _is_crl(block.der) or block.header:
                    raise BadPem(f"block {number} holds no CRL")
                revocations += 1
            elif not _passes(block, version):
                raise BadPem(f"block {number} holds no private key")
    except BadPem as error:
        return failed(DAMAGED, problems=(Problem("damaged-block", f"one damaged block and nothing is loaded: {error}"),))
    if not certificates and not revocations and not problems:
        return failed(EMPTY)
    if content.startswith(b"\xef\xbb\xbf") and version and version < (3,):
        problems.append(Problem("byte-order-mark", "a byte order mark hides the first certificate from OpenSSL before 3.0"))
    return loaded(certificates, problems)


def _certificate(block: Block) -> tuple[bytes, bytes] | None:
    if block.header:
        return None
    return certificate(block.der, settings=block.label == b"TRUSTED CERTIFICATE")


@lru_cache(maxsize=256)
def _is_crl(der: bytes) -> bool:
    from cryptography import x509

    try:
        return x509.load_der_x509_crl(der) is not None
    except ValueError:
        return False


def _passes(block: Block, version: tuple[int, ...]) -> bool:
    """Whether a block that is no certificate lets the loader go on: private keys are decoded, the rest is skipped."""
    keys = {b"RSA PRIVATE KEY", b"DSA PRIVATE KEY", b"EC PRIVATE KEY"}
    if not version or version >= (3,):
        keys.add(b"PRIVATE KEY")
    if block.label not in keys:
        return True
    if len(block.header) > 10:
        return block.header.startswith(b"Proc-Type:")
    return not block.header and _is_key(block.der)


@lru_cache(maxsize=256)
def _is_key(der: bytes) -> bool:
    try:
        return serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True) is not None
    except (ValueError, TypeError):
        return False
    except Exception:  # a kind of key that the library does not know, and OpenSSL may
        return True


READER = Reader(
    title="OpenSSL: SSL_CTX_load_verify_locations(file)",
    read=anchors,
    source="openssl crypto/x509/by_file.c X509_load_cert_crl_file_ex, crypto/pem/pem_info.c PEM_X509_INFO_read_bio_ex",
    stack="openssl",
    proven=("1.1.1", "3.0", "3.5"),
)
