"""What acts and reactions mean together, without a socket."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.model import Outcome
from reroot.rehearsal import (
    ALERTS,
    PROMPT,
    Act,
    Conclusion,
    Ending,
    Family,
    HostName,
    Proof,
    Reaction,
    Trust,
    conclude,
    contradiction,
)

F, E = Family, Ending


def own(act, ending, alert=None, tls="TLSv1.3"):
    return Reaction(act, ending, Proof.GIVEN, alert, None, tls)


def withheld(ending, alert=None, waited=None, act=Act.NEXT):
    return Reaction(act, ending, Proof.WITHHELD, alert, waited, "TLSv1.3")


BLIND = own(Act.CONTROL, E.LOGIN)


def refused(alert=48):
    return own(Act.CONTROL, E.ALERT, alert)


GONE_EARLY = Reaction(Act.CONTROL, E.CLOSED, Proof.GIVEN, None, 0.02, "TLSv1.3")

ROWS = [
    ("with the key: logs in where the control was refused", F.OPENSSL, [refused(), own(Act.NEXT, E.LOGIN)], Trust.TRUSTS),
    ("with the key: refused", F.OPENSSL, [refused(), own(Act.NEXT, E.ALERT, 48)], Trust.REJECTS),
    ("with the key: Node leaves the control and logs in now", F.NODE, [own(Act.CONTROL, E.CLOSED), own(Act.NEXT, E.LOGIN)], Trust.TRUSTS),
    ("logs in over the control chain", F.OPENSSL, [BLIND, own(Act.NEXT, E.LOGIN)], Trust.VERIFIES_NOTHING),
    ("another alert is not about the chain", F.OPENSSL, [refused(), own(Act.NEXT, E.ALERT, 40)], Trust.CANNOT_TELL),
    ("withheld: OpenSSL misses the proof", F.OPENSSL, [refused(), withheld(E.ALERT, 51)], Trust.TRUSTS),
    ("withheld: OpenSSL knows no such authority", F.OPENSSL, [refused(), withheld(E.ALERT, 48, 0.02)], Trust.REJECTS),
    ("withheld: without a control both are possible", F.OPENSSL, [withheld(E.ALERT, 51)], Trust.CANNOT_TELL),
    ("withheld: Java misses the proof", F.JSSE, [refused(46), withheld(E.ALERT, 40)], Trust.TRUSTS),
    ("withheld: Java 40 of an unknown client says nothing", F.UNKNOWN, [own(Act.CONTROL, E.LEFT), withheld(E.ALERT, 40)], Trust.CANNOT_TELL),
    ("withheld: asyncpg stays until the proof", F.ASYNCIO, [GONE_EARLY, withheld(E.CLOSED)], Trust.TRUSTS),
    ("withheld: asyncpg leaves at once", F.ASYNCIO, [GONE_EARLY, withheld(E.CLOSED, None, 0.02)], Trust.REJECTS),
    ("withheld: leaving late may be impatience", F.ASYNCIO, [GONE_EARLY, withheld(E.CLOSED, None, 0.9)], Trust.CANNOT_TELL),
    ("with the key: Npgsql leaves both", F.DOTNET, [own(Act.CONTROL, E.LEFT), own(Act.NEXT, E.LEFT)], Trust.REJECTS),
    ("with the key: Npgsql logs in now", F.DOTNET, [own(Act.CONTROL, E.LEFT), own(Act.NEXT, E.LOGIN)], Trust.TRUSTS),
    ("withheld: Npgsql looks alike", F.DOTNET, [own(Act.CONTROL, E.LEFT), withheld(E.CLOSED)], Trust.CANNOT_TELL),
    ("withheld: Node looks alike", F.NODE, [own(Act.CONTROL, E.CLOSED), withheld(E.CLOSED)], Trust.CANNOT_TELL),
    ("withheld: lib/pq verify-ca judges late", F.GO, [own(Act.CONTROL, E.LEFT), withheld(E.ALERT, 51)], Trust.CANNOT_TELL),
    ("withheld: pgx misses the proof", F.GO, [refused(42), withheld(E.ALERT, 47)], Trust.TRUSTS),
    ("withheld: an unknown client that left the control at once, now stays", F.UNKNOWN, [GONE_EARLY, withheld(E.CLOSED)], Trust.TRUSTS),
    ("withheld: an unknown client that judges late", F.UNKNOWN, [own(Act.CONTROL, E.CLOSED), withheld(E.CLOSED)], Trust.CANNOT_TELL),
    ("forged: the signature is wrong", F.OPENSSL, [refused(), own(Act.FORGED, E.ALERT, 51)], Trust.TRUSTS),
    ("forged: no such authority", F.OPENSSL, [refused(), own(Act.FORGED, E.ALERT, 48)], Trust.REJECTS),
    ("forged: logs in", F.GO, [own(Act.FORGED, E.LOGIN)], Trust.VERIFIES_NOTHING),
    ("forged: Java in TLS 1.2", F.JSSE, [refused(46), own(Act.FORGED, E.ALERT, 42, "TLSv1.2")], Trust.TRUSTS),
    ("forged: Java in TLS 1.3 looks alike", F.JSSE, [refused(46), own(Act.FORGED, E.ALERT, 46)], Trust.CANNOT_TELL),
    ("forged: Go looks alike", F.GO, [refused(42), own(Act.FORGED, E.ALERT, 42)], Trust.CANNOT_TELL),
    ("forged: asyncpg looks alike", F.ASYNCIO, [own(Act.CONTROL, E.CLOSED), own(Act.FORGED, E.CLOSED)], Trust.CANNOT_TELL),
    ("the root itself: asyncpg leaving may mean the name", F.ASYNCIO, [GONE_EARLY, withheld(E.CLOSED, None, 0.02, Act.ROOT)], Trust.CANNOT_TELL),
    ("the root itself: Go complains of the name first", F.GO, [refused(42), withheld(E.ALERT, 42, 0.02, Act.ROOT)], Trust.CANNOT_TELL),
    ("the root itself: OpenSSL misses the proof", F.OPENSSL, [refused(), withheld(E.ALERT, 51, None, Act.ROOT)], Trust.TRUSTS),
    ("acts that contradict", F.OPENSSL, [refused(), own(Act.FORGED, E.ALERT, 51), withheld(E.ALERT, 48, 0.1)], Trust.CANNOT_TELL),
    ("nobody came", F.UNKNOWN, [], Trust.CANNOT_TELL),
    ("only a health check", F.UNKNOWN, [own(Act.NEXT, E.NOT_POSTGRESQL)], Trust.CANNOT_TELL),
    ("never asks", F.NODE, [own(Act.NEXT, E.PLAINTEXT, tls="")], Trust.NEVER_ASKS),
    ("silent", F.OPENSSL, [refused(), own(Act.NEXT, E.SILENT)], Trust.CANNOT_TELL),
    ("two clients at once", F.OPENSSL, [refused(), own(Act.NEXT, E.LOGIN), own(Act.NEXT, E.ALERT, 48)], Trust.CANNOT_TELL),
    ("a TLS health check always leaves", F.UNKNOWN, [own(Act.CONTROL, E.LEFT), own(Act.NEXT, E.LEFT)], Trust.CANNOT_TELL),
]  # fmt: skip


@pytest.mark.parametrize(("family", "met", "trust"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_acts_and_reactions_mean(family, met, trust):
    conclusion = conclude(family, met)
    assert conclusion.trust is trust
    assert conclusion.reasons
    assert bool(conclusion.hint) is (trust is Trust.CANNOT_TELL)


def test_plaintext_after_a_failed_handshake_is_a_fall_back():
    met = [refused(), own(Act.CONTROL, E.PLAINTEXT), own(Act.NEXT, E.ALERT, 48), own(Act.NEXT, E.PLAINTEXT)]
    conclusion = conclude(F.OPENSSL, met)
    assert (conclusion.trust, conclusion.falls_back, conclusion.outcome) == (Trust.REJECTS, True, Outcome.PLAINTEXT)


def test_plaintext_after_a_refused_login_is_not():
    assert not conclude(F.OPENSSL, [BLIND, own(Act.CONTROL, E.PLAINTEXT)]).falls_back


@pytest.mark.parametrize(
    ("family", "wrong", "name"),
    [
        (F.OPENSSL, own(Act.WRONG_NAME, E.LEFT), HostName.CHECKED),
        (F.OPENSSL, own(Act.WRONG_NAME, E.LOGIN), HostName.NOT_CHECKED),
        (F.OPENSSL, withheld(E.ALERT, 51, None, Act.WRONG_NAME), HostName.CANNOT_TELL),
        (F.OPENSSL, withheld(E.ALERT, 42, 0.1, Act.WRONG_NAME), HostName.CHECKED),
        (F.JSSE, withheld(E.ALERT, 40, None, Act.WRONG_NAME), HostName.CANNOT_TELL),
        (F.GO, withheld(E.ALERT, 51, None, Act.WRONG_NAME), HostName.NOT_CHECKED),
        (F.ASYNCIO, withheld(E.CLOSED, None, 0.02, Act.WRONG_NAME), HostName.CHECKED),
    ],
)
def test_the_host_name_is_told_only_where_it_shows(family, wrong, name):
    control = GONE_EARLY if family is F.ASYNCIO else refused(42 if family is F.GO else 46 if family is F.JSSE else 48)
    assert conclude(family, [control, own(Act.NEXT, E.LOGIN), wrong]).name is name


PY = "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
GO_SAYS = "Error: tls: failed to verify certificate: x509: certificate signed by unknown authority"
GO_RSA = ' (possibly because of "crypto/rsa: verification error" while trying to verify candidate authority certificate "R")'
GO_EC = ' (possibly because of "x509: ECDSA verification failure" while trying to verify candidate authority certificate "R")'
GO_USAGE = ' (possibly because of "x509: invalid signature: parent certificate cannot sign this kind" while trying to verify "R")'
SAID = [
    ("asyncpg found the root", F.ASYNCIO, E.CLOSED, PY + "certificate signature failure (_ssl.c:1006)", Trust.TRUSTS),
    ("asyncpg found none", F.ASYNCIO, E.CLOSED, PY + "unable to get local issuer certificate (_ssl.c:1006)", Trust.REJECTS),
    ("asyncpg complains of something else", F.ASYNCIO, E.CLOSED, PY + "Hostname mismatch", Trust.CANNOT_TELL),
    ("Node found the root", F.NODE, E.LEFT, "certificate signature failure", Trust.TRUSTS),
    ("Node found the root, by its code", F.NODE, E.CLOSED, "code: 'CERT_SIGNATURE_FAILURE'", Trust.TRUSTS),
    ("Node found none", F.NODE, E.LEFT, "Error: unable to verify the first certificate", Trust.REJECTS),
    ("Node, by its code", F.NODE, E.LEFT, "code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'", Trust.REJECTS),
    ("Node says both", F.NODE, E.LEFT, "CERT_SIGNATURE_FAILURE UNABLE_TO_VERIFY_LEAF_SIGNATURE", Trust.CANNOT_TELL),
    ("Node says nothing of it", F.NODE, E.LEFT, "Connection terminated unexpectedly", Trust.CANNOT_TELL),
    ("Go found an RSA root", F.GO, E.ALERT, GO_SAYS + GO_RSA, Trust.TRUSTS),
    ("Go found an EC root", F.GO, E.LEFT, GO_SAYS + GO_EC, Trust.TRUSTS),
    ("Go found a root that may not sign", F.GO, E.LEFT, GO_SAYS + GO_USAGE, Trust.CANNOT_TELL),
    ("Go found none", F.GO, E.ALERT, GO_SAYS, Trust.REJECTS),
    ("nobody knows who says it", F.UNKNOWN, E.ALERT, GO_SAYS, Trust.CANNOT_TELL),
]  # fmt: skip


@pytest.mark.parametrize(("family", "ending", "printed", "trust"), [r[1:] for r in SAID], ids=[r[0] for r in SAID])
def test_its_own_words_tell_where_the_stage_sees_nothing(family, ending, printed, trust):
    met = [own(Act.CONTROL, E.CLOSED), own(Act.FORGED, ending, 42 if ending is E.ALERT else None)]
    conclusion = conclude(family, met, {Act.FORGED: printed})
    assert conclusion.trust is trust
    assert conclusion.is_by_words is (trust is not Trust.CANNOT_TELL)
    assert conclude(family, met).trust is Trust.CANNOT_TELL


def test_words_never_outrank_what_the_stage_has_seen():
    lie = {Act.FORGED: GO_SAYS}
    assert conclude(F.GO, [own(Act.CONTROL, E.LOGIN), own(Act.FORGED, E.LOGIN)], lie).trust is Trust.VERIFIES_NOTHING
    assert conclude(F.GO, [refused(42), own(Act.NEXT, E.LOGIN), own(Act.FORGED, E.ALERT, 42)], lie).trust is Trust.TRUSTS
    assert conclude(F.GO, [refused(42), own(Act.FORGED, E.SILENT)], lie).trust is Trust.CANNOT_TELL
    assert conclude(F.GO, [own(Act.FORGED, E.ALERT, 42)], lie).trust is Trust.CANNOT_TELL


@given(st.sampled_from(list(Family)), st.data())
def test_words_never_change_what_was_already_sure(family, data):
    met = data.draw(st.lists(REACTIONS, max_size=6))
    said = data.draw(st.sampled_from([row[3] for row in SAID]))
    seen = conclude(family, met)
    heard = conclude(family, met, {Act.FORGED: said})
    assert heard.trust is seen.trust or seen.trust is Trust.CANNOT_TELL


REACTIONS = st.builds(
    Reaction,
    st.sampled_from(list(Act)),
    st.sampled_from(list(Ending)),
    st.sampled_from(list(Proof)),
    st.sampled_from([None, *ALERTS]),
    st.sampled_from([None, 0.01, PROMPT + 0.1]),
    st.sampled_from(["", "TLSv1.2", "TLSv1.3"]),
)


@given(st.sampled_from(list(Family)), st.lists(REACTIONS, max_size=6))
def test_trust_is_never_concluded_without_a_refused_control_or_a_forged_leaf(family, met):
    if conclude(family, met).trust is Trust.TRUSTS:
        controls = [r for r in met if r.act is Act.CONTROL and r.ending in (E.ALERT, E.CLOSED, E.LEFT)]
        telling = [r for r in met if r.act in (Act.FORGED, Act.ROOT) and r.ending is E.ALERT]
        assert controls or telling


@given(st.sampled_from(list(Family)), st.lists(REACTIONS, max_size=5), st.integers(0, 4))
def test_taking_an_act_away_never_turns_a_refusal_into_trust(family, met, gone):
    fewer = [r for r in met if r.act is not list(Act)[gone % len(Act)]]
    if conclude(family, met).trust is Trust.REJECTS:
        assert conclude(family, fewer).trust is not Trust.TRUSTS


@given(st.lists(REACTIONS, max_size=5))
def test_what_is_told_of_an_unknown_client_is_told_of_no_family_otherwise(met):
    """Knowing less never tells the opposite: where both say something sure, they agree."""
    unknown = conclude(F.UNKNOWN, met).trust
    sure = {Trust.TRUSTS, Trust.REJECTS}
    for family in (F.OPENSSL, F.JSSE, F.GO):
        known = conclude(family, met).trust
        assert {unknown, known} != sure


@pytest.mark.parametrize(("foreseen", "trust"), list(itertools.product(Outcome, Trust)))
def test_a_prediction_is_contradicted_only_by_something_sure(foreseen, trust):
    conclusion = Conclusion(trust)
    told = contradiction(foreseen, conclusion)
    sure = Outcome.UNKNOWN not in (foreseen, conclusion.outcome)
    assert (told is not None) is (sure and foreseen is not conclusion.outcome)
