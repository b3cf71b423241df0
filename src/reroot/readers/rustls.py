"""Rust's rustls, as sqlx (rustls) loads a root file: every certificate, and the first thing that is wrong ends it."""

from __future__ import annotations

import binascii
import re

from ..pki.certificate import Certificate
from ._reader import Anchors, Question, Reader, failed, loaded, strictly_takes

BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
SPACE = b"\n\r "


def anchors(question: Question) -> Anchors:
    """rustls_pemfile::certs (or pem_slice_iter) and RootCertStore::add, each with ``?``."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"rustls loads PEM here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    try:
        for der in _certificates(question.content):
            if not strictly_takes(der):
                return failed("BadEncoding", "damaged-block")
            found.append(Certificate(der))
    except ValueError as error:
        return failed(str(error), "damaged-block")
    return loaded(found)


def _certificates(content: bytes) -> list[bytes]:
    """Sections begin at a line's start, lines end at either line end, and text outside of sections is skipped."""
    found: list[bytes] = []
    label, body = b"", b""
    for line in re.split(rb"[\n\r]", content):
        if line.startswith(b"-----BEGIN "):
            text = line.rstrip(SPACE)
            if not text.endswith(b"-----") or text.endswith(b"------"):
                raise ValueError("illegal section start")
            label = text[11:-5]  # what an unfinished section before it held is not forgotten
        elif label and line.startswith(b"-----END " + label + b"-----"):
            if label == b"CERTIFICATE":
                if not BASE64.fullmatch(body):
                    raise ValueError("base64 decode error")
                found.append(binascii.a2b_base64(body))
            label, body = b"", b""
        elif label:
            body += line.rstrip(SPACE)
    if label:
        raise ValueError("section end missing")
    return found


READER = Reader(
    title="Rust rustls: RootCertStore from a PEM file",
    read=anchors,
    source="rustls-pki-types src/pem.rs; sqlx-core src/net/tls/tls_rustls.rs; run with rustls 0.23.40 in sqlx 0.9",
    stack="webpki",
    proven=("0.23",),
)
