"""keytool -importcert: the first certificate of a file, whatever follows."""

from __future__ import annotations

from ._javapem import NotLoaded, first
from ._reader import Anchors, Problem, Question, Reader, failed, loaded


def anchors(question: Question) -> Anchors:
    """CertificateFactory.generateCertificate: one plain import of a bundle takes one certificate and reports success."""
    try:
        found = first(question.content, question.version)
    except NotLoaded as error:
        return failed(str(error))
    problems = []
    if question.content.count(b"-----BEGIN ") > 1:
        problems.append(Problem("first-only", "takes the first certificate of the file and no other"))
    return loaded((found,), problems)


READER = Reader(
    title="keytool -importcert",
    read=anchors,
    source="jdk sun/security/tools/keytool/Main.java addTrustedCert",
    stack="java",
    proven=("17", "25"),
)
