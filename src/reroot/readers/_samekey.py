"""
A next root with the name and the key of the old one: who then trusts its servers without any change.

What is signed is signed by the same key, so a client that holds only the old certificate can verify the new chain, unless its
stack looks at something of the old certificate that has changed: its dates, its key identifier, or what it may be used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..pki.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Needs:
    """What a stack asks of the old certificate. ``dates``: that it is in its time. ``key_id``: that its key identifier, where
    it has one, is that of the next root, which the new chain's certificates name. ``strict``: that it has one.
    """

    dates: bool
    key_id: bool
    source: str
    strict: bool = False


OPENSSL = "openssl x509_vfy.c check_cert_time, v3_purp.c X509_check_akid"
SAME_KEY: Mapping[str, Needs] = {
    "openssl": Needs(True, True, f"{OPENSSL}; measured with 1.1.1, 3.0 and 3.5"),
    "node": Needs(True, True, f"{OPENSSL}; measured with Node 20"),
    "python-3.11": Needs(True, True, f"{OPENSSL}; measured with 3.11"),
    "python-3.13": Needs(True, True, "CPython gh-107361: VERIFY_X509_STRICT; measured with 3.13", strict=True),
    "java": Needs(False, True, "jdk PKIXValidator.java, ForwardBuilder.java (AuthorityKeyIdentifier); measured with 17 and 25"),
    "go": Needs(True, False, "go/src/crypto/x509/verify.go, cert_pool.go findPotentialParents; measured with 1.19"),
    "rustls": Needs(False, False, "webpki: an anchor is a name, a key and name constraints; measured with 0.23"),
    "dotnet": Needs(True, True, "dotnet/runtime OpenSslX509ChainProcessor.cs: OpenSSL's path; measured with .NET 8"),
    "gnutls": Needs(True, True, "gnutls lib/x509/verify.c; measured with 3.7"),
}
"""Stack → what it needs. Each row is run beside the real stack in tests/readers/test_same_key.py."""


def is_same_key(old: Certificate, new: Certificate) -> bool:
    """The same name and the same key in another certificate."""
    return old != new and old.is_readable and new.is_readable and old.subject == new.subject and old.spki == new.spki


def needs_no_change(stack: str, old: Certificate, new: Certificate, when: datetime) -> bool | None:
    """Whether a client of this stack that holds only *old* trusts what *new* signs; None where it was not proven."""
    needs = SAME_KEY.get(stack)
    if needs is None or not is_same_key(old, new):
        return None if needs is None else False
    if _limits(old) != _limits(new):
        return None  # what the old one may be used for was changed with it, and nobody has tried that
    dates = not needs.dates or old.is_valid_at(when)
    # Certificates name their issuer's key identifier; one that names none fits every issuer.
    fits = old.subject_key_id == new.subject_key_id or (old.subject_key_id is None and not needs.strict)
    return dates and (fits or not needs.key_id)


def _limits(root: Certificate) -> tuple[object, ...]:
    """What a root says about what may stand beneath it."""
    found = root.basic_constraints
    return (None if found is None else found.value, root.key_usage, root.extended_key_usage, root.name_constraints)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A next root with the name and key of one that is there, and what that spares: stack → whether it needs no change."""

    old: Certificate
    new: Certificate
    stacks: Mapping[str, bool | None]

    def named(self, answer: bool | None) -> tuple[str, ...]:
        return tuple(stack for stack, found in self.stacks.items() if found is answer)

    @property
    def text(self) -> str:
        """In words; what was not proven is named as such."""
        says = ((True, "need no change"), (False, "need the next root"), (None, "are not known: rehearse them"))
        parts = [f"{', '.join(names)} {words}" for answer, words in says if (names := self.named(answer))]
        return f"`{self.new.title}` {self.new.fingerprint[:12]} has the name and key of {self.old.fingerprint[:12]}: {'; '.join(parts)}"


def shortcuts(held: Iterable[Certificate], coming: Iterable[Certificate], when: datetime) -> tuple[Shortcut, ...]:
    """Every root of *coming* that has the name and key of one that is *held*."""
    names: dict[bytes, list[Certificate]] = {}
    for old in held:
        if old.is_readable:
            names.setdefault(old.subject, []).append(old)
    return tuple(
        Shortcut(old, new, {stack: needs_no_change(stack, old, new, when) for stack in SAME_KEY})
        for new in coming
        if new.is_readable
        for old in names.get(new.subject, ())
        if is_same_key(old, new) and new not in names[new.subject]
    )
