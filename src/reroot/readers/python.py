"""Python's ssl module: ``load_verify_locations(cafile=…)`` (PEM), ``cadata=…`` as text (CADATA) or as bytes (DER)."""

from __future__ import annotations

from ..pki.certificate import Certificate
from ..truststores import _der
from ._opensslpem import BadPem, certificates
from ._reader import Anchors, Problem, Question, Reader, failed, loaded, openssl_takes
from .openssl import load

OPENSSL = (3, 0)
"""Python does not say in its version which OpenSSL it stands on; 3.0 and later read alike."""


def anchors(question: Question) -> Anchors:
    match (question.store_type or "PEM").upper():
        case "PEM":
            return load(question.content, OPENSSL)
        case "CADATA":
            return _text(question.content)
        case "DER":
            return _bytes(question.content)
    return failed(f"Python loads PEM here, not `{question.store_type}`", "wrong-type")


def _text(content: bytes) -> Anchors:
    """Modules/_ssl.c _add_ca_certs over PEM: what stands before a damaged block was added, and then the call raises."""
    if not content.isascii():
        return failed("cadata should be an ASCII string or a bytes-like object")
    found: list[Certificate] = []
    try:
        for der, _ in certificates(content, OPENSSL, file=False, trusted=False):
            found.append(Certificate(der))
    except BadPem as error:
        if not found or not error.is_silent:
            return failed(str(error), "damaged-block")
    return loaded(found) if found else failed("no start line: cadata does not contain a certificate")


def _bytes(content: bytes) -> Anchors:
    """… over DER: certificates side by side."""
    found: list[Certificate] = []
    at = 0
    while at < len(content):
        try:
            end = _der.expect(content, at, len(content), _der.SEQUENCE).end
        except ValueError:
            return failed("not enough data: cadata does not contain a certificate", "damaged-block")
        if not openssl_takes(content[at:end]):
            return failed("not enough data: cadata does not contain a certificate", "damaged-block")
        found.append(Certificate(content[at:end]))
        at = end
    problems = [Problem("no-anchors", "is empty")] if not found else []
    return loaded(found) if found else failed("Empty certificate data", problems=problems)


READER = Reader(
    title="Python ssl: SSLContext.load_verify_locations",
    read=anchors,
    source="CPython Modules/_ssl.c load_verify_locations, _add_ca_certs",
    stack="openssl",
    proven=("3.11", "3.13"),
    takes=("PEM", "CADATA", "DER"),
)
