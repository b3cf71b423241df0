"""Go: x509.CertPool.AppendCertsFromPEM, as pgx and lib/pq use it."""

from __future__ import annotations

import warnings
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from ..pki.certificate import Certificate
from ._gopem import blocks
from ._lenient import as_go, is_refused_by_go
from ._reader import Anchors, Problem, Question, Reader, failed, loaded, strictly_takes


def anchors(question: Question) -> Anchors:
    """Blocks that cannot be read are skipped without a word; no certificate at all is "couldn't parse" to the drivers."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"Go loads PEM here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    skipped = 0
    for block in blocks(question.content):
        if block.label != b"CERTIFICATE" or block.has_headers:
            continue
        if takes(block.der, question.version):
            found.append(Certificate(block.der))
        else:
            skipped += 1
    meant = question.content.count(b"-----BEGIN ") - len(found)
    problems = []
    if skipped:
        problems.append(Problem("damaged-block", f"{skipped} damaged blocks are skipped without a word"))
    elif meant > 0:
        problems.append(Problem("skipped-block", f"{meant} blocks are passed over without a word"))
    if not found:
        return failed("unable to add CA to cert pool: no certificate in the file", problems=problems)
    return loaded(found, problems)


@lru_cache(maxsize=8192)
def takes(der: bytes, version: tuple[int, ...]) -> bool:
    """x509.ParseCertificate, as far as roots go: strict DER, every known extension, no negative serial from 1.23."""
    stripped = as_go(der, version)
    if stripped is None or not strictly_takes(stripped) or is_refused_by_go(der, version):
        return False
    certificate = Certificate(stripped)
    if version >= (1, 23) and _serial_number(certificate) < 0:
        return False
    if not certificate.is_readable:
        return True
    key = certificate.parsed.public_key()
    return not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name in {
        "secp224r1",
        "secp256r1",
        "secp384r1",
        "secp521r1",
    }


def _serial_number(certificate: Certificate) -> int:
    with warnings.catch_warnings():
        # A few public roots carry a serial number of 0, which is no reason to say so here.
        warnings.simplefilter("ignore")
        return certificate.parsed.serial_number


CURVES = frozenset({"secp224r1", "secp256r1", "secp384r1", "secp521r1"})

READER = Reader(
    title="Go: x509.CertPool.AppendCertsFromPEM",
    read=anchors,
    source="go/src/crypto/x509/cert_pool.go, go/src/encoding/pem/pem.go",
    stack="go",
    proven=("1.19", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27"),
)
