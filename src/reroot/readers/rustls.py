"""rustls: every CERTIFICATE block of a PEM file becomes a trust anchor, and one that is damaged fails the file."""

from __future__ import annotations

import base64
import binascii
import re

from ..pki.certificate import Certificate
from ._reader import Anchors, Question, Reader, failed, loaded


def anchors(question: Question) -> Anchors:
    """``rustls-pemfile``/``rustls-pki-types`` line by line; a file without a certificate is no error and adds nothing."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"rustls loads PEM here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    label, body = None, bytearray()
    for line in re.split(rb"\n|\r\n?", question.content):
        if line.startswith(b"-----BEGIN "):
            end = line.rstrip(b"\n\r ")
            if not end.endswith(b"-----") or end.endswith(b"------"):
                return failed("illegal section start", "damaged-block")
            label = end[11:-5]  # what an unfinished block before it held is not forgotten
        elif label is not None and line.startswith(b"-----END " + label + b"-----"):
            try:
                der = base64.b64decode(bytes(body), validate=True)
            except binascii.Error:
                return failed("base64 decode error", "damaged-block")
            if label == b"CERTIFICATE":
                certificate = Certificate(der)
                if not certificate.is_readable:
                    return failed("invalid certificate", "damaged-block")
                found.append(certificate)
            label, body = None, bytearray()
        elif label is not None:
            body += line.strip(b" \t\n\v\f\r")
    if label is not None:
        return failed("section end missing", "damaged-block")
    return loaded(found, [])


READER = Reader(
    title="rustls: rustls-pemfile and RootCertStore::add",
    read=anchors,
    source="rustls-pki-types src/pem.rs; run with rustls 0.23.40",
    stack="webpki",
    proven=("0.23",),
)
