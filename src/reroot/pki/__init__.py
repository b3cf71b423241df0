"""
Certificates, roots and chains, and path building as each TLS stack does it.

``check_chain`` asks the stack's own rules, ``check_name`` the driver's own matcher. A stack without rules answers
"not known", never yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from ..model import Reason, Stack
from . import names, openssl, search
from ._check import ChainCheck, TrustSet, named
from .certificate import Certificate
from .public_roots import may_be_public

__all__ = ["Certificate", "ChainCheck", "TrustSet", "check_chain", "check_name", "may_be_public", "named"]

PathRules = Callable[[Stack, tuple[Certificate, ...], TrustSet, datetime], ChainCheck]

def parse_failure(stack: Stack, chain: tuple[Certificate, ...]) -> Reason | None:
    """Why *stack* cannot even read *chain*, so that a handshake fails although nothing is checked; None when it can."""
    look = UNREADABLE.get(stack.family)
    return None if look is None else look(chain)


UNREADABLE: Mapping[str, Callable[[tuple[Certificate, ...]], Reason | None]] = {"java": search.java_cannot_parse}
PATH_RULES: Mapping[str, PathRules] = {"openssl": openssl.check, **search.FAMILIES}


def check_chain(stack: Stack, chain: tuple[Certificate, ...], anchors: TrustSet, when: datetime) -> ChainCheck:
    """Would *stack* build a path from *chain* (leaf first) to one of *anchors* at *when*?"""
    rules = PATH_RULES.get(stack.family)
    if rules is None:
        return ChainCheck(None, (Reason("unknown-tls-stack", f"no path-building rules are known for `{stack.family}`"),))
    return rules(stack, chain, anchors, when)


def check_name(rules: str, leaf: Certificate, host: str) -> tuple[Reason, ...]:
    """Why *leaf* does not stand for *host*; empty when it does."""
    return names.check(rules, leaf, host)
