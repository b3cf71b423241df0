"""
The questions about a chain, each led to the rules of the stack or driver that is asked.

A stack without rules answers "not known", never yes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from ..model import Reason, Stack
from . import dotnet, names, openssl, search
from ._check import ChainCheck, TrustSet
from .certificate import Certificate

Chain = tuple[Certificate, ...]
PathRules = Callable[[Stack, Chain, TrustSet, datetime], ChainCheck]

PATH_RULES: Mapping[str, PathRules] = {"openssl": openssl.check, "dotnet": dotnet.anywhere, "dotnet-linux": dotnet.check, **search.FAMILIES}
UNREADABLE: Mapping[str, Callable[[Chain], Reason | None]] = {
    "java": search.java_cannot_parse,
    "webpki": search.webpki_cannot_use,
}
DOUBTFUL: Mapping[str, Callable[[Chain], Reason | None]] = {"java": search.java_may_not_be_served}


def check_chain(stack: Stack, chain: Chain, anchors: TrustSet, when: datetime) -> ChainCheck:
    """Would *stack* build a path from *chain* (leaf first) to one of *anchors* at *when*?"""
    rules = PATH_RULES.get(stack.family)
    if rules is None:
        return ChainCheck(None, (Reason("unknown-tls-stack", f"no path-building rules are known for `{stack.family}`"),))
    return rules(stack, chain, anchors, when)


def check_name(rules: str, leaf: Certificate, host: str) -> tuple[Reason, ...]:
    """Why *leaf* does not stand for *host*; empty when it does."""
    return names.check(rules, leaf, host)


def parse_failure(stack: Stack, chain: Chain) -> Reason | None:
    """Why *stack* cannot even read *chain*, so that a handshake fails although nothing is checked; None when it can."""
    look = UNREADABLE.get(stack.family)
    return None if look is None else look(chain)


def no_cipher_of_tls_12(chain: Chain) -> Reason | None:
    """Why a server with *chain* finds no cipher of TLS 1.2 or older, whatever the client offers; None when it does.

    Such a cipher has the server's key sign. For other keys than RSA's, OpenSSL lets it where the certificate's key usage says so, or
    says nothing (``ssl_set_masks`` in ``ssl/ssl_lib.c``; seen with OpenSSL 3.0); TLS 1.3 does not ask.
    """
    leaf = chain[0]
    if not leaf.is_readable or leaf.key[0] == "rsa" or leaf.key_usage is None or leaf.key_usage.digital_signature:
        return None
    text = "the certificate's key usage forbids signatures, without which its server has no cipher for TLS 1.2, and the settings rule out TLS 1.3"
    return Reason("no-shared-cipher", text, "OpenSSL, ssl/ssl_lib.c")


def handshake_doubt(stack: Stack, chain: Chain) -> Reason | None:
    """Why it is not known whether *stack* and a server with *chain* agree on a handshake at all, before anything is checked."""
    look = DOUBTFUL.get(stack.family)
    return None if look is None else look(chain)
