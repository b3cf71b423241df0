"""What a person should know of a set of anchors, whoever reads them: dates, twins, and certificates that are no roots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from ..pki.certificate import Certificate
from ._reader import Problem


def remarks(anchors: Iterable[Certificate], when: datetime) -> tuple[Problem, ...]:
    """Codes: expired, not-yet-valid, twin-subject, same-key, intermediate-anchor, leaf-anchor, unreadable."""
    found: list[Problem] = []
    subjects: dict[bytes, list[Certificate]] = defaultdict(list)
    for certificate in anchors:
        if not certificate.is_readable:
            found.append(Problem("unreadable", f"`{certificate.fingerprint[:16]}` is loaded, and cannot be read further"))
            continue
        subjects[certificate.subject].append(certificate)
        found += _dates(certificate, when)
        found += _kind(certificate)
    for same in subjects.values():
        if len(same) > 1:
            keys = {certificate.spki for certificate in same}
            code = "twin-subject" if len(keys) > 1 else "same-key"
            text = "have the same name and different keys" if len(keys) > 1 else "have the same name and the same key"
            found.append(Problem(code, f"{len(same)} certificates named `{same[0].title}` {text}"))
    return tuple(found)


def _dates(certificate: Certificate, when: datetime) -> list[Problem]:
    if certificate.not_after < when:
        return [Problem("expired", f"`{certificate.title}` expired on {certificate.not_after:%Y-%m-%d}")]
    if certificate.not_before > when:
        return [Problem("not-yet-valid", f"`{certificate.title}` is valid only from {certificate.not_before:%Y-%m-%d}")]
    return []


def _kind(certificate: Certificate) -> list[Problem]:
    if certificate.is_self_issued:
        return []
    if certificate.is_ca:
        return [
            Problem(
                "intermediate-anchor", f"`{certificate.title}` is an intermediate; OpenSSL alone does not take it for an anchor"
            )
        ]
    return [Problem("leaf-anchor", f"`{certificate.title}` is no CA; pinning it breaks when the server's certificate is renewed")]
