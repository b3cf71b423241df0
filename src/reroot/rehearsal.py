"""
What a rehearsal has shown: acts and reactions in, a conclusion with its reasons out.

An *act* is a chain that a client met on our stage; a *reaction* is what the client did. ``MEANINGS`` says, family of drivers by
family, what a reaction to an act means; ``conclude`` puts the acts of one client together. Nothing is ever concluded that the acts
have not shown: what several causes could have brought about is ``CANNOT_TELL``, with the cause and what to try.

Alerts and moments were measured with psql 15 and 17, psycopg 2 and 3, psqlODBC, PDO, ruby-pg, DBD::Pg, pg8000, psqlpy, asyncpg
(asyncio and uvloop), pgJDBC 42.2.8 to 42.7.13 on Java 17, lib/pq 1.10 and 1.12, pgx 4, node-postgres 8 and postgres.js 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from .model import NOTHING, Outcome, Reason

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


@dataclass(frozen=True, slots=True)
class Reaction:
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
    facts: Mapping[str, object] = field(default_factory=lambda: NOTHING, hash=False)

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
    UNKNOWN = "unknown"


# ── what a reaction means ────────────────────────────────────────────────────────────────────────

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
}
"""The next chain without its key."""

ROOT_ITSELF: Mapping[Family, Row] = {
    # A root never carries the host's name: who complains of the name (bad_certificate) has accepted the chain before.
    Family.OPENSSL: {48: _R, 51: _A, 42: _T, "early": _N, "late": _N},
    Family.ASYNCIO: {"early": _N, "late": _A},
    Family.JSSE: {46: _R, 40: _A},
    Family.GO: {42: _N, 51: _A, 10: _A, 47: _A},
    Family.NODE: {51: _N, "early": _N, "late": _N},
}

FORGED: Mapping[Family, Row] = {
    Family.OPENSSL: {48: _R, 51: _T, "late": _N},
    Family.ASYNCIO: {"late": _N},
    Family.JSSE: {46: _R, 42: _T},  # TLS 1.2 only, see meaning()
    Family.GO: {42: _N},
    Family.NODE: {"late": _N},
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


# ── what the acts mean together ──────────────────────────────────────────────────────────────────


class Trust(Enum):
    TRUSTS = "trusts"
    REJECTS = "rejects"
    VERIFIES_NOTHING = "verifies-nothing"
    NEVER_ASKS = "never-asks-for-tls"
    CANNOT_TELL = "cannot-tell"


class HostName(Enum):
    CHECKED = "checked"
    NOT_CHECKED = "not-checked"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the acts have shown of one client. ``falls_back`` says that it came again without TLS after a handshake had failed."""

    trust: Trust
    name: HostName = HostName.CANNOT_TELL
    falls_back: bool = False
    reasons: tuple[Reason, ...] = ()
    hint: str = ""

    @property
    def outcome(self) -> Outcome:
        """What the client will get from a server that presents the next chain for this host."""
        if self.trust is Trust.REJECTS:
            return Outcome.PLAINTEXT if self.falls_back else Outcome.REFUSED
        return {
            Trust.TRUSTS: Outcome.VERIFIED,
            Trust.VERIFIES_NOTHING: Outcome.UNVERIFIED,
            Trust.NEVER_ASKS: Outcome.PLAINTEXT,
        }.get(self.trust, Outcome.UNKNOWN)


SOURCE = "rehearsal"
JUDGED_ACTS = (Act.NEXT, Act.ROOT, Act.FORGED)
"""The acts that stand for the next chain; the strongest that says anything decides, in this order."""


def conclude(family: Family, reactions: Sequence[Reaction]) -> Conclusion:
    """Everything that *reactions* of one client, in the order in which they came, have shown."""
    met = [r for r in reactions if r.ending not in (Ending.CANCEL, Ending.NOT_POSTGRESQL)]
    over_tls = [r for r in met if r.ending is not Ending.PLAINTEXT]
    falls_back = _falls_back(met)
    told = tuple(_told(r) for r in dict.fromkeys(_bare(r) for r in met))
    if not over_tls:
        return _untouched(met, told)
    differing = _differing(over_tls)
    if differing is not None:
        why = Reason(
            "reactions-differ",
            f"connections that met the act `{differing.value}` did not react alike: more than one client?",
            SOURCE,
        )
        return Conclusion(Trust.CANNOT_TELL, falls_back=falls_back, reasons=(why, *told), hint="rehearse one program at a time")
    by_act = {r.act: r for r in over_tls}
    trust, why, hint = _trust(family, by_act)
    name, about_name = _name(family, by_act, trust)
    notes = [why, *about_name]
    if falls_back:
        notes.append(
            Reason("falls-back", "came again without TLS after the handshake had failed, and would have sent its login", SOURCE)
        )
    return Conclusion(trust, name, falls_back, (*notes, *told), hint)


def _untouched(met: Sequence[Reaction], told: tuple[Reason, ...]) -> Conclusion:
    if met:
        why = Reason("never-asks", "logged in without asking for TLS", SOURCE)
        return Conclusion(Trust.NEVER_ASKS, reasons=(why, *told))
    why = Reason("never-came", "no connection came to the stage", SOURCE)
    return Conclusion(
        Trust.CANNOT_TELL, reasons=(why, *told), hint="does it connect to another name or port? name it with `--server`"
    )


def _bare(reaction: Reaction) -> Reaction:
    return Reaction(
        reaction.act, reaction.ending, reaction.proof, reaction.alert, None if reaction.waited is None else 0.0, reaction.tls
    )


def _told(reaction: Reaction) -> Reason:
    tls = f" ({reaction.tls})" if reaction.tls else ""
    return Reason("reaction", f"{reaction.act.value}: {reaction.words}{tls}", SOURCE)


def _falls_back(met: Iterable[Reaction]) -> bool:
    """A login without TLS right after a handshake that failed, within one act. After a login over TLS it means nothing:
    libpq tries the other way when a server refuses a login."""
    before: Reaction | None = None
    for reaction in met:
        failed = before is not None and before.act is reaction.act and before.ending in _FAILED
        if failed and reaction.ending is Ending.PLAINTEXT:
            return True
        before = reaction
    return False


_FAILED = frozenset({Ending.ALERT, Ending.CLOSED, Ending.LEFT, Ending.FAILED})


def _differing(met: Iterable[Reaction]) -> Act | None:
    signs: dict[Act, set[object]] = {}
    for r in met:
        early = r.waited is not None and r.waited <= PROMPT
        signs.setdefault(r.act, set()).add((r.ending, r.alert, r.waited is None, early))
    return next((act for act, seen in signs.items() if len(seen) > 1), None)


def _trust(family: Family, acts: Mapping[Act, Reaction]) -> tuple[Trust, Reason, str]:
    control = acts.get(Act.CONTROL)
    if control is not None and control.ending is Ending.LOGIN:
        text = "logged in over a chain that nobody can trust: whoever stands between can read along"
        return Trust.VERIFIES_NOTHING, Reason("verifies-nothing", text, SOURCE), ""
    found: list[tuple[Trust, Reason, str]] = []
    for act in JUDGED_ACTS:
        if act in acts:
            found.append(_judged(family, acts[act], control))
    sure = [f for f in found if f[0] is not Trust.CANNOT_TELL]
    if len({trust for trust, _, _ in sure}) > 1:
        return Trust.CANNOT_TELL, Reason("acts-contradict", "the acts contradict each other", SOURCE), "rehearse again"
    if sure:
        return sure[0]
    if found:
        return found[0]
    return Trust.CANNOT_TELL, Reason("no-act", "no act stood for the next chain", SOURCE), "name one with `--next` or `--root`"


def _judged(family: Family, reaction: Reaction, control: Reaction | None) -> tuple[Trust, Reason, str]:
    """One act that stands for the next chain, read beside the control act."""
    means = meaning(family, reaction)
    what = {Act.FORGED: "a root of this name and key", Act.ROOT: "this root"}.get(reaction.act, "the next chain")
    if means is Meaning.REJECTS:
        if control is not None and _may_be_its_way(family, reaction, control):
            return _unsure("indistinct", f"{reaction.words}, as it did with the chain that nobody can trust, and no word of why")
        return Trust.REJECTS, Reason("rejects", f"does not accept {what}: {reaction.words}", SOURCE), ""
    if reaction.act is Act.FORGED and reaction.ending is Ending.LOGIN:
        return Trust.VERIFIES_NOTHING, Reason("verifies-nothing", "logged in over a forged certificate", SOURCE), ""
    if means is Meaning.TRUSTS:
        return Trust.TRUSTS, Reason("trusts", f"trusts {what}: {reaction.words}", SOURCE), ""
    if means is Meaning.NOTHING and family is Family.UNKNOWN and control is not None and _stayed_unlike(reaction, control):
        means = Meaning.ACCEPTS
    if means is Meaning.ACCEPTS:
        return _accepted(reaction, control, what)
    if reaction.waited is not None and reaction.waited > PROMPT:
        return _unsure(
            "impatient", "left while the proof was withheld, but late: its own time-out may be shorter", "`--hold 0.1`"
        )
    return _NOT_SEEN.get(reaction.ending) or _why_nothing(family, reaction)


def _accepted(reaction: Reaction, control: Reaction | None, what: str) -> tuple[Trust, Reason, str]:
    """Content with the chain, or blind: the control act decides which."""
    if control is None:
        return _unsure("no-control", f"trusts {what} or verifies nothing: the control act was not seen", "rehearse once more")
    if reaction.ending is Ending.LOGIN:
        judged = control.ending in (Ending.CLOSED, Ending.LEFT) or _complained(control)
    else:
        judged = _judges_within(control)
    if not judged:
        if control.ending is Ending.LEFT or control.ending is Ending.CLOSED:
            return _unsure("judges-late", "judges the chain after the handshake, which ends earlier without the key", _WITH_KEY)
        return _unsure("control-unclear", f"the control act told nothing: it {control.words}", "rehearse once more")
    if reaction.ending is Ending.LOGIN:
        text = f"logged in over {what}, and not over a chain that nobody can trust"
    else:
        text = f"accepts {what}: only the missing proof of the key stopped it ({reaction.words})"
    return Trust.TRUSTS, Reason("trusts", text, SOURCE), ""


def _complained(reaction: Reaction) -> bool:
    return reaction.ending is Ending.ALERT and reaction.alert in ABOUT_CERTIFICATES


def _judges_within(control: Reaction) -> bool:
    """Whether the control act shows that the chain is judged before the key is proven."""
    if _complained(control):
        return True
    return control.ending is Ending.CLOSED and control.waited is not None and control.waited <= PROMPT


def _stayed_unlike(reaction: Reaction, control: Reaction) -> bool:
    """A client that left the control act at once, or by an alert about its certificate, and now stayed until the wrong proof."""
    if reaction.act is not Act.NEXT or reaction.proof is not Proof.WITHHELD or reaction.waited is not None:
        return False
    if reaction.ending not in (Ending.ALERT, Ending.CLOSED) or reaction.alert in ABOUT_CERTIFICATES:
        return False
    return _judges_within(control)


def _may_be_its_way(family: Family, reaction: Reaction, control: Reaction) -> bool:
    """A program nobody knows that always leaves after the handshake may be a health check, not a judge."""
    return family is Family.UNKNOWN and reaction.ending is Ending.LEFT and control.ending is Ending.LEFT


_WITH_KEY = "rehearse with the key of the next chain (`--next-key`), or see what its own settings foresee: `reroot explain`"


def _unsure(code: str, text: str, hint: str = _WITH_KEY) -> tuple[Trust, Reason, str]:
    return Trust.CANNOT_TELL, Reason(code, text, SOURCE), hint


_NOT_SEEN = {
    Ending.SILENT: _unsure(
        "silent", "connected and then fell silent until the stage gave up", "is its start-up slow? `--patience 60`"
    ),
    Ending.FAILED: _unsure("no-handshake", "no handshake was possible, whatever the chain", "which TLS versions does it speak?"),
}


def _why_nothing(family: Family, reaction: Reaction) -> tuple[Trust, Reason, str]:
    if family is Family.NODE and reaction.proof is Proof.WITHHELD:
        return _unsure("judges-late", "Node judges the chain after the handshake: without the key both answers look alike")
    if reaction.act is Act.FORGED:
        return _unsure(
            "forged-unclear", f"a forged leaf does not divide this client: {reaction.words}", "rehearse with the next leaf itself"
        )
    if reaction.act is Act.ROOT:
        return _unsure(
            "root-unclear", f"the bare root does not divide this client: {reaction.words}", "rehearse with the next leaf itself"
        )
    if reaction.ending is Ending.ALERT and reaction.proof is Proof.GIVEN:
        return _unsure(
            "other-alert", f"failed for a reason that is not the certificate: {reaction.words}", "see the program's own words"
        )
    return _unsure("indistinct", f"a client that trusts the chain and one that does not look alike here: {reaction.words}")


# ── the host name ────────────────────────────────────────────────────────────────────────────────

CHECKS_NAME_WITHIN = frozenset({Family.ASYNCIO, Family.GO})
"""Families that check the name, where they check it, before the key is proven. libpq and pgJDBC do so after the handshake."""


def _name(family: Family, acts: Mapping[Act, Reaction], trust: Trust) -> tuple[HostName, tuple[Reason, ...]]:
    wrong, right = acts.get(Act.WRONG_NAME), acts.get(Act.NEXT)
    if trust is Trust.VERIFIES_NOTHING:
        return HostName.NOT_CHECKED, ()
    if wrong is None or right is None or trust is not Trust.TRUSTS:
        return HostName.CANNOT_TELL, ()
    if wrong.ending is Ending.LOGIN:
        text = "logged in although the certificate is for another host"
        return HostName.NOT_CHECKED, (Reason("name-not-checked", text, SOURCE),)
    means = meaning(family, wrong)
    if means is Meaning.REJECTS:
        return HostName.CHECKED, (Reason("name-checked", f"refused a certificate for another host: {wrong.words}", SOURCE),)
    if means is Meaning.ACCEPTS and family in CHECKS_NAME_WITHIN:
        return HostName.NOT_CHECKED, (Reason("name-not-checked", "accepted a certificate for another host", SOURCE),)
    text = "whether it checks the host name shows after the handshake only, which ends earlier without the key"
    return HostName.CANNOT_TELL, (Reason("name-unclear", text, SOURCE),)


# ── beside a prediction ──────────────────────────────────────────────────────────────────────────


def contradiction(foreseen: Outcome, conclusion: Conclusion) -> Reason | None:
    """Why *conclusion* cannot stand beside what the rules foresaw: a bug in the rules, or in what was known of the client."""
    shown = conclusion.outcome
    if Outcome.UNKNOWN in (foreseen, shown) or foreseen is shown:
        return None
    text = (
        f"the rules foresaw `{foreseen.value}`, the rehearsal shows `{shown.value}`: the rules or what they were told are wrong"
    )
    return Reason("rules-contradicted", text, SOURCE)
