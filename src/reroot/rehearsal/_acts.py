"""What the stage presents and what a client does then: the nouns of a rehearsal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from ..model import NOTHING

PROMPT = 0.4
"""A client that judges the chain leaves at once. Leaving without a word later than this share of the hold may be impatience."""


class Act(Enum):
    """What the stage presented."""

    CONTROL = "control"
    """A chain of our own that nobody can trust, with its key: who logs in, verifies nothing."""
    CURRENT = "current"
    NEXT = "next"
    """The chain of after the cut-over: with its key where we hold it, else with a proof that is withheld, then wrong."""
    ROOT = "root"
    """The real root itself as the server's certificate; nobody here holds its key."""
    FORGED = "forged"
    """A leaf that names the real root as its issuer, with our key and a signature that is worth nothing."""
    WRONG_NAME = "wrong-name"
    """A chain of the next authority for another host."""


class Proof(Enum):
    """How the stage proved that it holds the key of the chain."""

    GIVEN = "given"
    WITHHELD = "withheld"
    """Not at all for a while, then wrongly, since the key is not ours."""


class Ending(Enum):
    """How a connection to the stage ended."""

    LOGIN = "login"
    """TLS, and then the start-up packet: the client was content."""
    LEFT = "left"
    """TLS, and then nothing: the client completed the handshake and left."""
    ALERT = "alert"
    CLOSED = "closed"
    """Left within the handshake without a word."""
    SILENT = "silent"
    """Neither spoke nor left for as long as the stage waits."""
    PLAINTEXT = "plaintext"
    """A start-up packet without TLS."""
    CANCEL = "cancel"
    NOT_POSTGRESQL = "not-postgresql"
    FAILED = "failed"
    """The handshake failed on our side: no common protocol version, say."""


ALERTS: Mapping[int, str] = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 40: "handshake_failure", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error", 90: "user_canceled", 109: "missing_extension", 112: "unrecognized_name",
    116: "certificate_required", 120: "no_application_protocol",
}  # fmt: skip
"""Numbers of RFC 8446, section 6, that clients send."""
ABOUT_CERTIFICATES = frozenset({42, 43, 44, 45, 46, 48})


class Reaction(NamedTuple):
    """What one connection did.

    ``alert`` is the number of the client's alert. ``waited`` is how long the proof had been withheld when the client spoke or
    left, in shares of the hold (0 to 1); None when it was still there at the end of it, or when nothing was withheld.
    ``tls`` is ``TLSv1.2`` or ``TLSv1.3``. ``facts`` are plain values about the client: SNI, user, application_name …
    """

    act: Act
    ending: Ending
    proof: Proof = Proof.GIVEN
    alert: int | None = None
    waited: float | None = None
    tls: str = ""
    facts: Mapping[str, object] = NOTHING

    def __hash__(self) -> int:
        return hash(self[:-1])

    @property
    def words(self) -> str:
        """What the client did, in plain words."""
        said = f"alert {ALERTS.get(self.alert, 'unknown')} ({self.alert})" if self.alert is not None else ""
        when = " while the proof was withheld" if self.waited is not None else ""
        return {
            Ending.LOGIN: "completed the handshake and logged in",
            Ending.LEFT: "completed the handshake and left without logging in",
            Ending.ALERT: f"{said}{when}",
            Ending.CLOSED: f"left without a word{when or ' during the handshake'}",
            Ending.SILENT: "fell silent",
            Ending.PLAINTEXT: "logged in without TLS",
            Ending.CANCEL: "asked to cancel a statement",
            Ending.NOT_POSTGRESQL: "did not speak PostgreSQL",
            Ending.FAILED: "no handshake was possible",
        }[self.ending]
