"""
A driver's policy and a server in, an outcome with its reasons out; two outcomes in, a verdict out.

Nothing here knows a driver by name. A policy says when TLS is asked for and what is checked; this file plays that against
what a server presents and accepts, step by step, as the connection would go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from . import drivers
from .errors import SettingsError
from .model import (
    Accepts,
    Ask,
    Endpoint,
    Foreseen,
    Given,
    OnDistrust,
    Outcome,
    Reason,
    Server,
    Settings,
    TrustPolicy,
    Verdict,
)
from .pki import Certificate, TrustSet
from .pki.judge import check_chain, check_name, handshake_doubt, no_cipher_of_tls_12, parse_failure
from .pki.public_roots import may_be_public
from .roots import Roots, collect

DRIVER_ERROR = "settings-error"


class Handshake(Enum):
    """How a TLS attempt ends for the client, before the server judges its login."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one client: its effective settings, policy and roots, and what it gets from the server."""

    settings: Settings | None
    policy: TrustPolicy | None
    roots: Roots | None
    foreseen: Foreseen


# ── one client, with everything that may not be known of it ──────────────────────────────────────


def answer(
    given: Given,
    server: Server | None,
    chain: tuple[Certificate, ...] | None,
    when: datetime,
    *,
    instead: Mapping[Certificate, Certificate] = MappingProxyType({}),
) -> Answer:
    """What *given* gets from *server*, which presents *chain* (leaf first; None when not known), at *when*.

    *instead* maps roots to their likenesses (``pki.foreseen``): whoever trusts the one is taken to trust the other in its place.

    Where the version of a driver or of what it stands on is not known, every version is asked, and what they do not agree
    on is UNKNOWN.
    """
    driver = drivers.find(given.driver)
    if driver is None:
        return _unknown(Reason("unknown-driver", f"there are no rules for the driver `{given.driver}`"))
    possible = driver.possible(given)
    if not possible:
        version = given.version or ", ".join(f"{k} {v}" for k, v in given.runtime.items())
        return _unknown(
            Reason(
                "unknown-version", f"the rules for {driver.title} hold for {driver.versions}, not for `{version}`", driver.source
            )
        )
    answers: dict[Outcome, Answer] = {}
    seen: set[object] = set()
    for candidate in possible:
        found = _one(driver, candidate, server, chain, when, seen, instead)
        if found is not None:
            answers.setdefault(found.foreseen.outcome, found)
    told, *others = answers.values()
    if others:
        outcomes = ", ".join(outcome.value for outcome in answers)
        reasons = dict.fromkeys(reason for found in answers.values() for reason in found.foreseen.reasons)
        missing = Reason(
            "version-matters", f"depending on the version of {driver.title} or of its libraries: {outcomes}", driver.source
        )
        told = replace(told, foreseen=Foreseen(Outcome.UNKNOWN, (missing, *reasons)))
    return told if driver.proven or driver.measured else _never_run(driver, told)


def _never_run(driver: drivers.Driver, told: Answer) -> Answer:
    text = f"the rules for {driver.title} come from its source: no run against the driver itself has proven them"
    foreseen = replace(told.foreseen, reasons=(*told.foreseen.reasons, Reason("source-only", text, driver.source)))
    return replace(told, foreseen=foreseen)


def _unknown(reason: Reason) -> Answer:
    return Answer(None, None, None, Foreseen(Outcome.UNKNOWN, (reason,)))


def _one(
    driver: drivers.Driver,
    given: Given,
    server: Server | None,
    chain: tuple[Certificate, ...] | None,
    when: datetime,
    seen: set[object],
    instead: Mapping[Certificate, Certificate],
) -> Answer | None:
    """The answer for one version; None when an earlier one led to the very same policy."""
    try:
        settings = driver.read(given)
    except SettingsError as error:
        text = error.message if not error.hint else f"{error.message} ({error.hint})"
        return Answer(None, None, None, Foreseen(Outcome.REFUSED, (Reason(DRIVER_ERROR, text, driver.source),)))
    policy = driver.policy(given, settings)
    key = (policy, settings.endpoints)
    if key in seen:
        return None
    seen.add(key)
    roots = collect(policy, given.files)
    if instead:
        roots = replace(roots, certificates=tuple(instead.get(c, c) for c in roots.certificates))
    return Answer(settings, policy, roots, _over_endpoints(policy, roots, server, chain, _aimed(settings, given.only), when))


def _aimed(settings: Settings, only: str | None) -> tuple[Endpoint, ...]:
    """The endpoints that lead to the server in question: all of them, unless one is named and listed."""
    named = tuple(e for e in settings.endpoints if only and only in (e.host, e.address))
    return named or settings.endpoints


def _over_endpoints(
    policy: TrustPolicy,
    roots: Roots,
    server: Server | None,
    chain: tuple[Certificate, ...] | None,
    endpoints: tuple[Endpoint, ...],
    when: datetime,
) -> Foreseen:
    foreseen = Foreseen(Outcome.UNKNOWN)
    for endpoint in endpoints:
        foreseen = _at(policy, roots, server, chain, endpoint, when)
        if foreseen.outcome is not Outcome.REFUSED or not policy.next_host:
            return foreseen
    return foreseen


def _at(
    policy: TrustPolicy,
    roots: Roots,
    server: Server | None,
    chain: tuple[Certificate, ...] | None,
    endpoint: Endpoint,
    when: datetime,
) -> Foreseen:
    if policy.socket_is_plain and endpoint.is_unix_socket:
        reason = Reason("unix-socket", "connects over a socket of its own machine, where TLS plays no part")
        return foresee_plain(policy, Foreseen(Outcome.PLAINTEXT, (reason,)))
    return foresee(policy, roots, server, chain, endpoint.host, when)


# ── one policy, one server ───────────────────────────────────────────────────────────────────────


def foresee(
    policy: TrustPolicy,
    roots: Roots,
    server: Server | None,
    chain: tuple[Certificate, ...] | None,
    host: str,
    when: datetime,
) -> Foreseen:
    """What a client with *policy* and *roots* gets from a server that presents *chain* under the name *host*.

    Where it is not known which logins the server takes, every possibility is played; what they do not agree on is
    UNKNOWN, with the missing fact named.
    """
    if policy.refused is not None:
        return Foreseen(Outcome.REFUSED, (policy.refused,))
    if policy.undecidable is not None:
        return Foreseen(Outcome.UNKNOWN, (policy.undecidable, *policy.reasons))
    known = server or Server()
    handshake, why = _handshake(policy, roots, known, chain, host, when)
    accepted = (known.accepts,) if known.accepts else tuple(a for a in Accepts if chain is None or a is not Accepts.NO_TLS)
    played = [_bound(policy, known, _play(policy, handshake, why, accepts)) for accepts in accepted]
    if len({one.outcome for one in played}) == 1:
        return played[0]
    ways = ", ".join(f"`{a.value}`: {f.outcome.value}" for a, f in zip(accepted, played, strict=True))
    missing = Reason("server-rules-unknown", f"it is not known which logins the server takes ({ways})")
    return Foreseen(Outcome.UNKNOWN, (missing, *dict.fromkeys(reason for one in played for reason in one.reasons)))


def foresee_plain(policy: TrustPolicy, foreseen: Foreseen) -> Foreseen:
    """A connection without TLS, for a client that may insist on channel binding."""
    return _bound(policy, Server(), foreseen)


def _handshake(
    policy: TrustPolicy, roots: Roots, server: Server, chain: tuple[Certificate, ...] | None, host: str, when: datetime
) -> tuple[Handshake, tuple[Reason, ...]]:
    if policy.ask is Ask.NEVER:
        return Handshake.UNVERIFIED, policy.reasons
    if policy.blocked is not None:
        return Handshake.FAILED, (policy.blocked,)
    if policy.direct and server.version is None:
        return Handshake.UNDECIDED, (
            Reason("server-version-unknown", "TLS without asking for it first needs PostgreSQL 17 or later"),
        )
    if policy.direct and server.version is not None and server.version < 17:
        return Handshake.FAILED, (
            Reason("direct-tls-unsupported", f"PostgreSQL {server.version} takes no TLS without asking first"),
        )
    if roots.failure is not None and policy.reads_roots:
        return Handshake.FAILED, (roots.failure,)
    unreadable = parse_failure(policy.stack, chain) if chain is not None else None
    if unreadable is not None:
        return Handshake.FAILED, (unreadable,)
    no_cipher = no_cipher_of_tls_12(chain) if chain is not None and policy.is_tls_12 else None
    if no_cipher is not None:
        return Handshake.FAILED, (no_cipher,)
    if chain is None and (policy.chain or policy.names):
        return Handshake.UNDECIDED, (Reason("chain-unknown", "which chain the server presents is not known"),)
    if chain is None:
        return Handshake.UNVERIFIED, policy.reasons
    how, reasons = _judge_chain(policy, roots, chain, host, when)
    doubt = handshake_doubt(policy.stack, chain) if how is not Handshake.FAILED else None
    return (how, reasons) if doubt is None else (Handshake.UNDECIDED, (doubt,))


def _judge_chain(
    policy: TrustPolicy, roots: Roots, chain: tuple[Certificate, ...], host: str, when: datetime
) -> tuple[Handshake, tuple[Reason, ...]]:
    """Every mismatch is collected, chain and name alike, before no is said."""
    against: tuple[Reason, ...] = ()
    if policy.chain:
        if roots.unknown is not None:
            return Handshake.UNDECIDED, (roots.unknown,)
        trust = TrustSet(roots.certificates, roots.crls, roots.checks_revocation)
        check = check_chain(policy.stack, chain, trust, when)
        if check.trusted is None:
            return Handshake.UNDECIDED, check.reasons
        if not check.trusted:
            if roots.public and may_be_public(chain):
                return Handshake.UNDECIDED, (PUBLIC_ROOT,)
            against = (*check.reasons, *roots.notes)
    if policy.names:
        against += _name(policy, chain, host)
    if against:
        return Handshake.FAILED, against
    return (Handshake.VERIFIED if policy.chain else Handshake.UNVERIFIED), policy.reasons


def _name(policy: TrustPolicy, chain: tuple[Certificate, ...], host: str) -> tuple[Reason, ...]:
    if not host:
        return (Reason("host-name-missing", "host name must be specified for a verified SSL connection"),)
    if not chain[0].is_readable:
        return (Reason("unreadable-certificate", "the server's certificate cannot be read"),)
    return check_name(policy.names, chain[0], host)


def _play(policy: TrustPolicy, handshake: Handshake, why: tuple[Reason, ...], accepts: Accepts) -> Foreseen:
    """The course of a connection: what is tried first, and what after it."""
    plain = Foreseen(Outcome.PLAINTEXT, policy.reasons)
    if policy.ask is Ask.NEVER:
        return plain if accepts is not Accepts.HOSTSSL else _refused(NO_ENCRYPTION)
    if policy.ask is Ask.IF_NEEDED:
        if accepts is not Accepts.HOSTSSL:
            return plain
        return _over_tls(handshake, why) if policy.on_rejection else _refused(NO_ENCRYPTION)
    if accepts is Accepts.NO_TLS:
        return plain if policy.on_no_tls is OnDistrust.PLAINTEXT else _refused(NO_TLS)
    if handshake is Handshake.FAILED and policy.on_distrust is OnDistrust.PLAINTEXT:
        if accepts is Accepts.HOSTSSL:
            return _refused(*why, NO_ENCRYPTION)
        return Foreseen(Outcome.PLAINTEXT, (FALLBACK, *why))
    tls = _over_tls(handshake, why)
    if accepts is Accepts.HOSTNOSSL and tls.outcome in (Outcome.VERIFIED, Outcome.UNVERIFIED):
        return plain if policy.on_rejection else _refused(ENCRYPTION)
    return tls


def _over_tls(handshake: Handshake, why: tuple[Reason, ...]) -> Foreseen:
    return Foreseen(HANDSHAKE_OUTCOMES[handshake], why)


HANDSHAKE_OUTCOMES: Mapping[Handshake, Outcome] = {
    Handshake.VERIFIED: Outcome.VERIFIED,
    Handshake.UNVERIFIED: Outcome.UNVERIFIED,
    Handshake.FAILED: Outcome.REFUSED,
    Handshake.UNDECIDED: Outcome.UNKNOWN,
}


def _bound(policy: TrustPolicy, server: Server, foreseen: Foreseen) -> Foreseen:
    """Channel binding, where the client insists on it: only SCRAM over TLS gives it."""
    if not policy.channel_binding or foreseen.outcome in (Outcome.REFUSED, Outcome.UNKNOWN):
        return foreseen
    if foreseen.outcome is Outcome.PLAINTEXT:
        return _refused(Reason("channel-binding", "channel binding required, but SSL not in use"))
    if server.authentication is None:
        reason = Reason("authentication-unknown", "channel_binding=require needs a server that authenticates by SCRAM")
        return Foreseen(Outcome.UNKNOWN, (reason, *foreseen.reasons))
    if server.authentication != "scram-sha-256":
        return _refused(
            Reason("channel-binding", "channel binding required, but server authenticated client without channel binding")
        )
    return foreseen


def _refused(*reasons: Reason) -> Foreseen:
    return Foreseen(Outcome.REFUSED, reasons)


HBA = "PostgreSQL documentation, The pg_hba.conf File"
NO_ENCRYPTION = Reason("server-wants-tls", "the server takes logins over TLS only: no pg_hba.conf entry …, no encryption", HBA)
ENCRYPTION = Reason(
    "server-wants-plaintext", "the server takes logins without TLS only: no pg_hba.conf entry …, SSL encryption", HBA
)
NO_TLS = Reason("server-without-tls", "server does not support SSL, but SSL was required")
PUBLIC_ROOT = Reason(
    "public-root-unknown",
    "the chain may end at a public root, and which of those are built into this client's runtime is not known: give them as a file"
    " (runtime `roots`; Node.js prints them as `tls.rootCertificates`), or rehearse this client",
)
FALLBACK = Reason("silent-plaintext-fallback", "TLS failed, and the client went on in plaintext without a word")


# ── two outcomes ─────────────────────────────────────────────────────────────────────────────────

TLS = (Outcome.VERIFIED, Outcome.UNVERIFIED)
VERDICTS: Mapping[tuple[Outcome, Outcome], Verdict] = {
    (Outcome.VERIFIED, Outcome.VERIFIED): Verdict.READY,
    (Outcome.VERIFIED, Outcome.UNVERIFIED): Verdict.NOT_VERIFYING,
    (Outcome.UNVERIFIED, Outcome.UNVERIFIED): Verdict.NOT_VERIFYING,
    **{(now, Outcome.PLAINTEXT): Verdict.LOSES_TLS for now in TLS},
    (Outcome.PLAINTEXT, Outcome.PLAINTEXT): Verdict.PLAINTEXT,
    **{(now, Outcome.REFUSED): Verdict.BREAKS for now in (*TLS, Outcome.PLAINTEXT, Outcome.REFUSED)},
}


def judge(now: Foreseen, then: Foreseen) -> Verdict:
    """What the rotation does to a client that gets *now* today and *then* afterwards.

    What stands in no row of the table (a client that does not connect today, say) is UNKNOWN.
    """
    return VERDICTS.get((now.outcome, then.outcome), Verdict.UNKNOWN)
