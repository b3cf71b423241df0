"""What one reaction means, family of drivers by family: tables measured with real clients, and silence where they are silent."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from ._acts import ABOUT_CERTIFICATES, PROMPT, Act, Ending, Proof, Reaction


class Meaning(Enum):
    """What one reaction means for the chain that was presented."""

    ACCEPTS = "accepts"
    """Content with the chain, or not looking at it."""
    TRUSTS = "trusts"
    REJECTS = "rejects"
    NOTHING = "nothing"
    """Different causes look like this."""


class Family(Enum):
    """Drivers that show their judgement in the same way."""

    OPENSSL = "openssl"
    """libpq and everything on it, blocking Python, Rust on OpenSSL."""
    ASYNCIO = "asyncio"
    """asyncpg: Python's asyncio and uvloop drop the alert."""
    JSSE = "jsse"
    GO = "go"
    NODE = "node"
    """Judges after the handshake, in JavaScript."""
    DOTNET = "dotnet"
    """Npgsql on .NET: its validation callback is asked after the handshake."""
    UNKNOWN = "unknown"


Sign = int | str
"""An alert's number; ``early`` and ``late``: left without a word while the proof was withheld, or after."""
Row = Mapping[Sign, Meaning]
_A, _T, _R, _N = Meaning.ACCEPTS, Meaning.TRUSTS, Meaning.REJECTS, Meaning.NOTHING

_CERTIFICATE: Row = dict.fromkeys(ABOUT_CERTIFICATES, _R)

WITHHELD: Mapping[Family, Row] = {
    Family.OPENSSL: {**_CERTIFICATE, 51: _A, "early": _R, "late": _N},
    Family.ASYNCIO: {**_CERTIFICATE, 51: _A, "early": _R, "late": _A},
    Family.JSSE: {**_CERTIFICATE, 40: _A, "early": _R, "late": _N},
    # lib/pq's verify-ca judges after the handshake and looks like this too: conclude() wants the control act for it.
    Family.GO: {**_CERTIFICATE, 51: _A, 10: _A, 47: _A, "early": _R, "late": _N},
    Family.NODE: {51: _N, "early": _N, "late": _N},
    Family.DOTNET: {51: _N, "early": _N, "late": _N},
}
"""The next chain without its key."""

ROOT_ITSELF: Mapping[Family, Row] = {
    # A root never carries the host's name: who complains of the name (bad_certificate) has accepted the chain before.
    Family.OPENSSL: {48: _R, 51: _A, 42: _T, "early": _N, "late": _N},
    Family.ASYNCIO: {"early": _N, "late": _A},
    Family.JSSE: {46: _R, 40: _A},
    Family.GO: {42: _N, 51: _A, 10: _A, 47: _A},
    Family.NODE: {51: _N, "early": _N, "late": _N},
    Family.DOTNET: {51: _N, "early": _N, "late": _N},
}

FORGED: Mapping[Family, Row] = {
    Family.OPENSSL: {48: _R, 51: _T, "late": _N},
    Family.ASYNCIO: {"late": _N},
    Family.JSSE: {46: _R, 42: _T},  # TLS 1.2 only, see meaning()
    Family.GO: {42: _N},
    Family.NODE: {"late": _N},
    Family.DOTNET: {"late": _N},
}

GIVEN: Row = {**_CERTIFICATE, "late": _R, "left": _R}
"""With the key in our hands all families end alike: a login, an alert about the certificate, or a departure."""


def meaning(family: Family, reaction: Reaction) -> Meaning:
    """What *reaction* says of the chain that was presented; for an unknown family only what all families agree on."""
    if reaction.ending is Ending.LOGIN:
        return Meaning.ACCEPTS
    sign = _sign(reaction)
    if sign is None:
        return Meaning.NOTHING
    if reaction.act is Act.FORGED:
        if reaction.tls == "TLSv1.3" and sign in (42, 46):
            return Meaning.NOTHING  # Java sends certificate_unknown for either in TLS 1.3
        return _look_up(FORGED, family, sign)
    if reaction.act is Act.ROOT:
        return _look_up(ROOT_ITSELF, family, sign)
    if reaction.proof is Proof.WITHHELD:
        return _look_up(WITHHELD, family, sign)
    return GIVEN.get("late" if sign == "early" else sign, Meaning.NOTHING)


def _sign(reaction: Reaction) -> Sign | None:
    if reaction.ending is Ending.ALERT and reaction.alert:
        return reaction.alert
    if reaction.ending is Ending.LEFT:
        return "left"
    if reaction.ending is not Ending.CLOSED and not (reaction.ending is Ending.ALERT and reaction.alert == 0):
        return None
    if reaction.waited is None:
        return "late"
    return "early" if reaction.waited <= PROMPT else None


def _look_up(table: Mapping[Family, Row], family: Family, sign: Sign) -> Meaning:
    if family is not Family.UNKNOWN:
        return table[family].get(sign, Meaning.NOTHING)
    said = {row[sign] for row in table.values() if sign in row}
    return said.pop() if len(said) == 1 else Meaning.NOTHING
