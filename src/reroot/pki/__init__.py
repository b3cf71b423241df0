"""
Certificates, roots and chains, and path building as each TLS stack does it.

Certificates are here; what a stack makes of a chain is asked of ``judge``, which brings every stack's rules along.
"""

from __future__ import annotations

from ._check import ChainCheck, TrustSet, named
from .certificate import Certificate

__all__ = ["Certificate", "ChainCheck", "TrustSet", "named"]
