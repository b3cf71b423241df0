"""Node.js: the file named by NODE_EXTRA_CA_CERTS, which is added to Node's own roots."""

from __future__ import annotations

from ..pki.certificate import Certificate
from ._opensslpem import BadPem, certificates
from ._reader import Anchors, Problem, Question, Reader, failed, loaded

OPENSSL = (3, 0)


def anchors(question: Question) -> Anchors:
    """A loop over PEM_read_bio_X509; at a damaged block Node warns once and keeps what stood before it."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"Node.js loads PEM here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    problems: list[Problem] = []
    try:
        for der, _ in certificates(question.content, OPENSSL, file=True, trusted=False):
            found.append(Certificate(der))
    except BadPem as error:
        problems.append(Problem("damaged-block", f"Node warns and reads no further: {error}; what follows is not trusted"))
    return loaded(found, problems)


READER = Reader(
    title="Node.js: NODE_EXTRA_CA_CERTS",
    read=anchors,
    source="node src/crypto/crypto_context.cc AddCertsFromFile",
    stack="openssl",
    proven=("20",),
)
