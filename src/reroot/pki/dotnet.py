"""
Path building as .NET does it on Linux: OpenSSL finds the path, .NET judges its purpose. Windows and macOS build paths by their own means.

There is no partial chain, no security level and no strictness; a path ends at a certificate that is trusted and its own issuer. Other
certificates among the roots only help to find it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ..model import Reason, Stack
from . import openssl, search
from ._check import ChainCheck, TrustSet, named
from .certificate import SERVER_AUTH, Certificate

SOURCE = "dotnet/runtime OpenSslX509ChainProcessor.cs, CertificatePolicyChain.cs; run with .NET 8.0.4 on OpenSSL 3.0"


def check(stack: Stack, chain: tuple[Certificate, ...], anchors: TrustSet, when: datetime) -> ChainCheck:
    """Would SslStream on Linux accept *chain* (leaf first) with these *anchors* at *when*?"""
    ends = tuple(c for c in anchors.certificates if c.is_readable and c.is_self_issued)
    others = tuple(c for c in anchors.certificates if c not in ends)
    found = openssl.build(Stack("openssl", "3.0"), (*chain[:1], *others, *chain[1:]), replace(anchors, certificates=ends), when)
    if not found.trusted:
        return found
    for certificate in found.path:
        usages = certificate.extended_key_usage
        if usages is not None and SERVER_AUTH not in usages:
            text = f"{named(certificate)} is not for TLS servers (extended key usage)"
            return ChainCheck(False, (Reason("wrong-purpose", text, SOURCE),), found.path)
    return found


def anywhere(stack: Stack, chain: tuple[Certificate, ...], anchors: TrustSet, when: datetime) -> ChainCheck:
    """… where the system is not known: trusted only what every other stack trusts too."""
    found = check(stack, chain, anchors, when)
    if not found.trusted or search.unproven(stack, chain, anchors, when).trusted:
        return found
    text = ".NET on Linux accepts this chain; Windows and macOS judge by their own means, which were not run: name `--runtime os=linux` if it is"
    return ChainCheck(None, (Reason("stack-not-proven", text, SOURCE),), found.path)
