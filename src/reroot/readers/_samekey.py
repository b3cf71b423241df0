"""
A next root with the name and the key of the old one: who then trusts its servers without any change.

What is signed is signed by the same key, so a client that holds only the old certificate can verify the new chain, unless its
stack looks at something of the old certificate that has changed: its dates, or its key identifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..pki.certificate import Certificate
from ._reader import Problem


@dataclass(frozen=True, slots=True)
class Needs:
    """What a stack asks of the old certificate. ``dates``: that it is in its time. ``key_id``: that its key identifier is the
    one which the new chain's certificates name.
    """

    dates: bool
    key_id: bool
    source: str


SAME_KEY: Mapping[str, Needs] = {
    "openssl": Needs(True, True, "openssl x509_vfy.c check_cert_time, v3_purp.c X509_check_akid; measured with 3.0 and Node 20"),
    "java": Needs(False, True, "jdk PKIXValidator.java, ForwardBuilder.java (AuthorityKeyIdentifier); measured with 17.0.15"),
    "go": Needs(True, False, "go/src/crypto/x509/verify.go, cert_pool.go findPotentialParents; measured with 1.19"),
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
    dates = not needs.dates or old.is_valid_at(when)
    # Certificates name their issuer's key identifier; one that names none fits every issuer.
    key_id = not needs.key_id or old.subject_key_id in (None, new.subject_key_id)
    return dates and key_id


def shortcuts(old: Certificate, new: Certificate, when: datetime) -> tuple[Problem, ...]:
    """The shortcut in words, stack by stack; nothing when the keys differ."""
    if not is_same_key(old, new):
        return ()
    return tuple(
        Problem("same-key", f"{stack} {'needs no change' if needs_no_change(stack, old, new, when) else 'needs the next root'}")
        for stack in SAME_KEY
    )
