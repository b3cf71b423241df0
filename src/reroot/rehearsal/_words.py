"""
What a program printed about a forged leaf, where its TLS tells the stage nothing: asyncio drops the alert, Node judges after the
handshake, Go has one alert for everything.

A forged leaf fails either way. Who found the real root in its trust store complains of the signature; who did not, of the missing
issuer. Each row was seen from the real stack, with a store that holds the root and with one that does not; a program that prints
anything else, or both, has said nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ._acts import Act, Ending, Reaction
from ._meaning import Family, Meaning

_OPENSSL_FOUND = r"certificate signature failure"

SAYINGS: Mapping[Family, tuple[tuple[re.Pattern[str], Meaning], ...]] = {
    # Python 3.11 and 3.13, asyncpg 0.32, asyncio and uvloop
    Family.ASYNCIO: (
        (re.compile(rf"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: {_OPENSSL_FOUND}"), Meaning.TRUSTS),
        (re.compile(r"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: unable to get local issuer certificate"), Meaning.REJECTS),
    ),
    # Node 20, node-postgres 8, postgres.js 3: the code, or its text
    Family.NODE: (
        (re.compile(rf"CERT_SIGNATURE_FAILURE|{_OPENSSL_FOUND}"), Meaning.TRUSTS),
        (re.compile(r"UNABLE_TO_VERIFY_LEAF_SIGNATURE|unable to verify the first certificate"), Meaning.REJECTS),
    ),
    # Go 1.19 and 1.27, lib/pq 1.10 and 1.12, pgx 4: it names the root that it tried
    Family.GO: (
        (re.compile(r"x509: certificate signed by unknown authority \(possibly because of \".*verification "), Meaning.TRUSTS),
        (re.compile(r"x509: certificate signed by unknown authority(?! \(possibly because of)"), Meaning.REJECTS),
    ),
}  # fmt: skip

_REFUSED = frozenset({Ending.ALERT, Ending.CLOSED, Ending.LEFT})


def by_own_words(family: Family, reaction: Reaction, printed: str) -> tuple[Meaning, str]:
    """What *printed* says of the forged leaf that *reaction* refused, and the words that say it."""
    if reaction.act is not Act.FORGED or reaction.ending not in _REFUSED:
        return Meaning.NOTHING, ""
    found = [(means, seen[0]) for shape, means in SAYINGS.get(family, ()) if (seen := shape.search(printed)) is not None]
    return found[0] if len(found) == 1 else (Meaning.NOTHING, "")
