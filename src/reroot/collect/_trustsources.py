"""Roots as a person names them: a file, a family with its region, or the fingerprint or name of something known."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from .. import truststores
from ..errors import InputError, TrustStoreError
from ..model import Secret
from ..pki.certificate import Certificate
from ._trustcases import read
from ._trustlimits import guarded

FINGERPRINT = re.compile(r"(?:sha256:)?([0-9a-fA-F]{2}(?::?[0-9a-fA-F]{2}){3,31})")


def roots(text: str, *, password: Secret | None = None, when: datetime | None = None) -> tuple[Certificate, ...]:
    """``next.pem``, ``aws:eu-west-1``, ``aws:eu-west-1/rds-ca-rsa2048-g1`` or the fingerprint of a known root."""
    if os.path.exists(text):
        return from_file(text, password)
    from .. import authorities

    if found := FINGERPRINT.fullmatch(text):
        wanted = found[1].replace(":", "").lower()
        known = [
            r.certificate
            for f in authorities.families().values()
            for r in f.roots
            if r.certificate.fingerprint.startswith(wanted)
        ]
        if len(known) == 1:
            return tuple(known)
        raise InputError(
            f"`{text}` is the fingerprint of {len(known) or 'no'} known roots", hint="name a file that holds the root"
        )
    word, slash, id = text.partition("/")
    if ":" in word or word in authorities.families():
        family, region = authorities.find(word)
        chosen = family.select(region, when or datetime.now(UTC), ids=(id,) if slash else ())
        if not chosen:
            raise InputError(f"`{text}` names no root that is valid and in use", hint=family.hint)
        return tuple(root.certificate for root in chosen)
    raise InputError(
        f"`{text}` is neither a file nor a known root", hint="name a PEM file, `aws:REGION`, or a SHA-256 fingerprint"
    )


def from_file(path: str, password: Secret | None = None) -> tuple[Certificate, ...]:
    """The roots of a file of any format; damaged entries are an error, since nobody can say what they should have been."""
    content = read(path)
    try:
        found = guarded(content, lambda: truststores.read(content, password))
    except TrustStoreError as error:
        raise TrustStoreError(error.message, where=error.where or path, hint=error.hint) from error
    damaged = [entry for entry in found.entries if entry.kind == "damaged"]
    if damaged:
        raise TrustStoreError(f"has a damaged certificate at {damaged[0].name}: it {damaged[0].note}", where=path)
    if not found.certificates:
        raise TrustStoreError("holds no root", where=path)
    return found.certificates


def among(held: Iterable[Certificate], names: Sequence[str], *, where: str) -> tuple[Certificate, ...]:
    """The certificates of *held* that *names* mean: a fingerprint or its beginning, a common name, or a file with them."""
    held = tuple(held)
    found: list[Certificate] = []
    for name in names:
        plain = name.removeprefix("sha256:").replace(":", "").lower()
        matches = [c for c in held if len(plain) >= 8 and c.fingerprint.startswith(plain)]
        matches = matches or [c for c in held if c.is_readable and c.title == name]
        if not matches and os.path.exists(name):
            wanted = set(from_file(name))
            matches = [c for c in held if c in wanted]
        if not matches:
            raise InputError(f"`{name}` is none of its roots", where=where, hint=f"see `reroot trust show {where}`")
        if len(matches) > 1 and not os.path.exists(name):
            raise InputError(f"`{name}` means {len(matches)} of its roots", where=where, hint="name the fingerprint")
        found += matches
    return tuple(dict.fromkeys(found))
