"""Erlang: the ``cacertfile`` of ssl, read by public_key:pem_decode."""

from __future__ import annotations

import base64
import binascii
import re

from ..pki.certificate import Certificate
from ._reader import Anchors, Problem, Question, Reader, failed, loaded, strictly_takes


def anchors(question: Question) -> Anchors:
    """A block that is cut or no base64 fails the file; one whose certificate is damaged is passed over, as are other labels."""
    if (question.store_type or "PEM").upper() != "PEM":
        return failed(f"Erlang loads PEM here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    problems: list[Problem] = []
    label, body = None, bytearray()
    for line in re.split(rb"\r\n|\n|\r", question.content):
        text = line.rstrip(b" \t")
        if text.startswith(b"-----BEGIN ") and text.endswith(b"-----"):
            if label is not None:
                return failed("function_clause: a block has no end", "damaged-block", problems)
            label, body = text[11:-5], bytearray()
        elif label is not None and text.startswith(b"-----END "):
            try:
                der = base64.b64decode(bytes(body), validate=True)
            except binascii.Error:
                return failed("function_clause: a block is no base64", "damaged-block", problems)
            if label == b"CERTIFICATE" and strictly_takes(der):
                found.append(Certificate(der))
            else:
                problems.append(
                    Problem("skipped-block", f"a block `{label.decode('ascii', 'replace')}` is passed over without a word")
                )
            label = None
        elif label is not None:
            body += text
    if label is not None:
        return failed("function_clause: a block has no end", "damaged-block", problems)
    return loaded(found, problems)


READER = Reader(
    title="Erlang: ssl's cacertfile",
    read=anchors,
    source="OTP lib/public_key/src/pubkey_pem.erl, lib/ssl/src/ssl_pkix_db.erl; run with OTP 25",
    stack="erlang",
    proven=("25",),
)
