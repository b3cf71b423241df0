"""Node.js: the ``ca`` option of tls.connect and tls.createSecureContext, as text or as a Buffer."""

from __future__ import annotations

from ..pki.certificate import Certificate
from ._opensslpem import BadPem, certificates, trusts_servers
from ._reader import Anchors, Problem, Question, Reader, failed, loaded

OPENSSL = (3, 0)


def anchors(question: Question) -> Anchors:
    """A loop over PEM_read_bio_X509_AUX that ends without a word at the first damaged block; nothing read is no error."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"Node.js loads PEM here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    problems: list[Problem] = []
    seen: dict[bytes, bool] = {}
    try:
        for der, settings in certificates(question.content, OPENSSL, file=False, trusted=True):
            if der not in seen and settings and not trusts_servers(settings):
                problems.append(Problem("not-for-servers", "a certificate is trusted, but not for TLS servers"))
                seen[der] = False
            if seen.setdefault(der, True):  # the store keeps the first of equal certificates, with its settings
                found.append(Certificate(der))
    except BadPem as error:
        problems.append(Problem("damaged-block", f"reading stopped here without an error: {error}; what follows is not trusted"))
    return loaded(found, problems)


READER = Reader(
    title="Node.js: the ca option of TLS",
    read=anchors,
    source="node src/crypto/crypto_context.cc SecureContext::AddCACert",
    stack="openssl",
    proven=("20",),
)
