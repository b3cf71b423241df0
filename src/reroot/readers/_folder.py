"""
Hashed folders, as OpenSSL looks issuers up in them (``sslrootcert`` has none; ``SSL_CERT_DIR`` and ``capath`` do).

A certificate is found only in ``HHHHHHHH.N`` where H is the hash of its own subject and no N before it is missing.
Source: openssl crypto/x509/by_dir.c get_cert_by_subject_ex, X509_NAME_hash_ex; measured with OpenSSL 3.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from ..pki.certificate import Certificate
from ._opensslpem import BadPem, certificates
from ._reader import Anchors, Problem, loaded

NAME = re.compile(r"([0-9a-f]{8})\.(\d+)")


def folder(entries: Mapping[str, bytes]) -> Anchors:
    """The anchors that OpenSSL finds in a folder with these files, by name."""
    found: list[Certificate] = []
    problems: list[Problem] = []
    numbers = {(m[1], int(m[2])) for name in entries if (m := NAME.fullmatch(name))}
    for hash, number in sorted(numbers):
        if any((hash, before) not in numbers for before in range(number)):
            problems.append(Problem("never-reached", f"`{hash}.{number}` is never looked at: a number before it is missing"))
            continue
        held = _file(entries[f"{hash}.{number}"])
        right = [c for c in held if subject_hash(c) == hash]
        if not right:
            problems.append(Problem("wrong-hash", f"`{hash}.{number}` holds no certificate with that hash, and is never found"))
        found += right
    loose = sum(not NAME.fullmatch(name) and bool(_file(content)) for name, content in entries.items())
    known = {c.der for c in found}
    unhashed = sum(
        any(c.der not in known for c in _file(content)) for name, content in entries.items() if not NAME.fullmatch(name)
    )
    if loose and unhashed:
        problems.append(
            Problem("not-hashed", f"{unhashed} files hold certificates that no hash leads to; `openssl rehash` makes the links")
        )
    return loaded(found, problems)


def _file(content: bytes) -> list[Certificate]:
    held: list[Certificate] = []
    with suppress(BadPem):
        held += (Certificate(der) for der, _ in certificates(content, (3, 0), file=True, trusted=True))
    return held


def subject_hash(certificate: Certificate) -> str:
    """The eight digits of X509_NAME_hash."""
    from OpenSSL import crypto

    return f"{crypto.X509.from_cryptography(certificate.parsed).subject_name_hash():08x}"
