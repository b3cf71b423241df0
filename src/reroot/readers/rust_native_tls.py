"""Rust's native-tls over OpenSSL, as sqlx (native-tls) and Prisma to 6 use it: Certificate::from_pem takes the first one only."""

from __future__ import annotations

from ..pki.certificate import Certificate
from ._opensslpem import BadPem, certificates
from ._reader import Anchors, Problem, Question, Reader, failed, loaded


def anchors(question: Question) -> Anchors:
    """X509::from_pem, which is one PEM_read_bio_X509; DER (``from_der``) under the type ``DER``."""
    kind = (question.store_type or "PEM").upper()
    if kind != "PEM":
        return failed(f"native-tls loads PEM here, not `{question.store_type}`", "wrong-type")
    # native-tls itself is at 0.2; a version from 1 on is that of the OpenSSL beneath it.
    openssl = question.version[:2] if question.version >= (1,) else (3, 0)
    all_of_them = certificates(question.content, openssl, file=False, trusted=False)
    try:
        first = next(all_of_them, None)
    except BadPem as error:
        return failed(str(error), "damaged-block")
    if first is None:
        return failed("no start line")
    problems = []
    if question.content.count(b"-----BEGIN ") > 1:
        problems.append(Problem("first-only", "takes the first certificate of the file and no other"))
    return loaded((Certificate(first[0]),), problems)


READER = Reader(
    title="Rust native-tls: Certificate::from_pem",
    read=anchors,
    source="rust-native-tls 0.2 src/imp/openssl.rs; rust-openssl X509::from_pem",
    stack="openssl",
    proven=("0.2",),
)
