"""
What a failed or refused connection has to do with the certificate, by the server's own words. A table.

The words of a TLS alert are OpenSSL's, and differ by its version: ``sslv3 alert X`` until 3.1, ``ssl/tls alert X`` since 3.2.
Which client sends which alert was read from the logs of real servers: libpq says ``unknown ca``, Java ``certificate unknown``,
Go ``bad certificate``; asyncpg and Node close the connection without an alert.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache


class Bearing(Enum):
    """Did the client turn away from the server's certificate?"""

    DISTRUST = "distrust"
    """Yes: an alert that only a client which checks the certificate sends."""

    UNDECIDABLE = "undecidable"
    """Perhaps: the connection ended in the handshake, or right after it, without a word."""

    PLAINTEXT = "plaintext"
    """No: it came without TLS to a server, or a rule, that asks for it."""

    OTHER = "other"
    """No: the password, the protocol, the server's state."""


CAUSES: tuple[tuple[str, Bearing], ...] = (
    (r"alert unknown ca", Bearing.DISTRUST),
    (r"alert certificate unknown", Bearing.DISTRUST),
    (r"alert bad certificate", Bearing.DISTRUST),
    (r"alert unsupported certificate", Bearing.DISTRUST),
    (r"alert certificate (?:expired|revoked)", Bearing.DISTRUST),
    (r"alert bad certificate (?:status|hash)", Bearing.DISTRUST),
    (r"alert access denied", Bearing.DISTRUST),
    (r"EOF detected|Success|[Cc]onnection reset|Broken pipe|unexpected eof", Bearing.UNDECIDABLE),
    (r"alert (?:user canceled|close notify|internal error|decrypt error|handshake failure)", Bearing.UNDECIDABLE),
    (r"(?:no encryption|SSL off)$", Bearing.PLAINTEXT),
)
"""The first that is found decides; everything else is ``OTHER``. ``SSL off`` is how PostgreSQL 13 and older say it."""

LEFT_WITHOUT_A_WORD = "left without a word"
"""Stands for what a server does not log: a connection was received, and nothing more was heard of it. libpq leaves like this when
the host name does not match, and so does every health check that only opens the port."""


def bearing(cause: str) -> Bearing:
    """What *cause*, as the log words it, says about the certificate."""
    if cause == LEFT_WITHOUT_A_WORD:
        return Bearing.UNDECIDABLE
    return next((meaning for pattern, meaning in _compiled() if pattern.search(cause)), Bearing.OTHER)


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], Bearing], ...]:
    return tuple((re.compile(pattern), meaning) for pattern, meaning in CAUSES)
