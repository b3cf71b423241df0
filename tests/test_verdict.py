"""What a client gets from a server, and what a rotation does to it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot import verdict
from reroot.lab import ca
from reroot.model import (
    Accepts,
    Ask,
    Foreseen,
    Given,
    OnDistrust,
    Outcome,
    Reason,
    RootsFrom,
    RootSource,
    Server,
    TrustPolicy,
    Verdict,
)
from reroot.pki import Certificate
from reroot.roots import Roots
from tests.machine import NOW, machine, served

OLD, NEXT = ca.root("corp-root-2019"), ca.root("corp-root-2027")
OLD_LEAF, NEXT_LEAF = ca.leaf(OLD, "db.corp.test"), ca.leaf(NEXT, "db.corp.test")
CHAIN = served(OLD_LEAF)
TRUSTING = Roots((Certificate(OLD.der),))
STRANGER = Roots((Certificate(NEXT.der),))

CHECKING = TrustPolicy(Ask.ALWAYS, chain=True, roots=RootSource(RootsFrom.SETTING, "/r.pem", "openssl"))
FALLING = replace(
    CHECKING, ask=Ask.IF_OFFERED, on_distrust=OnDistrust.PLAINTEXT, on_no_tls=OnDistrust.PLAINTEXT, on_rejection=True
)
BLIND = replace(CHECKING, chain=False)
OFFERED = replace(FALLING, chain=False)
NEEDED = replace(OFFERED, ask=Ask.IF_NEEDED)
NEVER = TrustPolicy(Ask.NEVER)

V, U, P, R, X = Outcome.VERIFIED, Outcome.UNVERIFIED, Outcome.PLAINTEXT, Outcome.REFUSED, Outcome.UNKNOWN

# policy, roots, and the outcome at a server that accepts: hostssl, host, hostnossl, no-tls; then: not known (but with TLS)
COURSES = [
    pytest.param(NEVER, TRUSTING, (R, P, P, P, X), id="never-asks"),
    pytest.param(NEEDED, TRUSTING, (U, P, P, P, X), id="asks-if-needed"),
    pytest.param(replace(NEEDED, chain=True), TRUSTING, (V, P, P, P, X), id="asks-if-needed-and-trusts"),
    pytest.param(replace(NEEDED, chain=True), STRANGER, (R, P, P, P, X), id="asks-if-needed-and-distrusts"),
    pytest.param(OFFERED, TRUSTING, (U, U, P, P, X), id="takes-what-is-offered"),
    pytest.param(FALLING, TRUSTING, (V, V, P, P, X), id="prefers-and-trusts"),
    pytest.param(FALLING, STRANGER, (R, P, P, P, X), id="prefers-and-distrusts-goes-on-in-plaintext"),
    pytest.param(replace(FALLING, on_distrust=OnDistrust.FAIL), STRANGER, (R, R, R, P, R), id="prefers-but-fails-on-distrust"),
    pytest.param(BLIND, STRANGER, (U, U, R, R, X), id="insists-and-checks-nothing"),
    pytest.param(CHECKING, TRUSTING, (V, V, R, R, X), id="insists-and-trusts"),
    pytest.param(CHECKING, STRANGER, (R, R, R, R, R), id="insists-and-distrusts"),
]


@pytest.mark.parametrize(("policy", "roots", "outcomes"), COURSES)
def test_a_connection_takes_the_course_of_its_policy(policy, roots, outcomes):
    servers = [*(Server(accepts) for accepts in Accepts), Server()]
    assert tuple(verdict.foresee(policy, roots, s, CHAIN, "db.corp.test", NOW).outcome for s in servers) == outcomes


@pytest.mark.parametrize(("policy", "roots", "outcomes"), COURSES)
def test_every_no_says_why(policy, roots, outcomes):
    for accepts in Accepts:
        foreseen = verdict.foresee(policy, roots, Server(accepts), CHAIN, "db.corp.test", NOW)
        if foreseen.outcome in (R, X):
            assert all(reason.text for reason in foreseen.reasons)
            assert foreseen.reasons


def test_chain_and_name_are_both_said_when_both_are_wrong():
    foreseen = verdict.foresee(replace(CHECKING, names="libpq"), STRANGER, Server(Accepts.HOST), CHAIN, "other.corp.test", NOW)
    assert {"root-not-trusted", "issuer-not-found"} & {r.code for r in foreseen.reasons}
    assert "host-name-mismatch" in {r.code for r in foreseen.reasons}


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        pytest.param({"refused": Reason("x", "y")}, R, "x", id="refused-outright"),
        pytest.param({"blocked": Reason("x", "y")}, R, "x", id="blocked-before-the-chain"),
        pytest.param({"undecidable": Reason("x", "y")}, X, "x", id="not-decidable-from-settings"),
        pytest.param({"direct": True}, X, "server-version-unknown", id="direct-tls-needs-the-server-version"),
        pytest.param({"channel_binding": True}, X, "authentication-unknown", id="channel-binding-needs-the-authentication"),
        pytest.param({"names": "libpq"}, V, "", id="with-the-right-name"),
    ],
)
def test_what_a_policy_adds(change, outcome, code):
    foreseen = verdict.foresee(replace(CHECKING, **change), TRUSTING, Server(Accepts.HOST), CHAIN, "db.corp.test", NOW)
    assert foreseen.outcome is outcome
    assert not code or code in {r.code for r in foreseen.reasons}


@pytest.mark.parametrize(("version", "outcome"), [pytest.param(16, R, id="16-takes-none"), pytest.param(17, V, id="17-takes-it")])
def test_direct_tls_depends_on_the_server(version, outcome):
    policy = replace(CHECKING, direct=True)
    assert verdict.foresee(policy, TRUSTING, Server(Accepts.HOST, version), CHAIN, "db.corp.test", NOW).outcome is outcome


@pytest.mark.parametrize(
    ("authentication", "outcome"),
    [pytest.param("scram-sha-256", V, id="scram-binds"), pytest.param("trust", R, id="trust-does-not")],
)
def test_channel_binding_depends_on_the_authentication(authentication, outcome):
    server = Server(Accepts.HOST, authentication=authentication)
    foreseen = verdict.foresee(replace(CHECKING, channel_binding=True), TRUSTING, server, CHAIN, "db.corp.test", NOW)
    assert foreseen.outcome is outcome


def test_channel_binding_is_never_had_in_plaintext():
    policy = replace(FALLING, channel_binding=True)
    assert verdict.foresee(policy, STRANGER, Server(Accepts.HOST), CHAIN, "db.corp.test", NOW).outcome is R


# ── certificates that may not sign ───────────────────────────────────────────────────────────────

TLS_12 = {"host": "db.corp.test", "sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"}
NODE_12 = {"host": "db.corp.test", "ssl": {"rejectUnauthorized": False, "maxVersion": "TLSv1.2"}}


@pytest.mark.parametrize(
    ("driver", "known", "key", "usage", "outcome"),
    [
        pytest.param("libpq", {"options": TLS_12}, "ec256", ("key_agreement",), R, id="ec"),
        pytest.param("libpq", {"options": TLS_12}, "ed25519", ("key_encipherment",), R, id="eddsa"),
        pytest.param("libpq", {"options": TLS_12}, "rsa2048", ("key_encipherment",), U, id="rsa-needs-no-signature-by-its-usage"),
        pytest.param("libpq", {"options": TLS_12}, "ec256", None, U, id="no-usage-forbids-nothing"),
        pytest.param("libpq", {"options": TLS_12 | {"sslmode": "prefer"}}, "ec256", ("key_agreement",), P, id="prefer-falls"),
        pytest.param("libpq", {"options": {"host": "db.corp.test", "sslmode": "require"}}, "ec256", ("key_agreement",), U, id="tls-1.3-does-not-ask"),
        pytest.param("asyncpg", {"dsn": "postgresql://db.corp.test/d?sslmode=prefer&ssl_max_protocol_version=TLSv1.2"}, "ec256", ("key_agreement",), P, id="asyncpg-prefer-falls"),
        pytest.param("node-postgres", {"options": NODE_12}, "ec256", ("key_agreement",), R, id="node"),
        pytest.param("lib-pq", {"dsn": "host=db.corp.test sslmode=prefer ssl_max_protocol_version=TLSv1.2"}, "ec256", ("key_agreement",), R, id="lib-pq-is-past-its-fallback-when-it-shakes-hands"),
    ],
)  # fmt: skip
def test_a_key_that_may_not_sign_has_no_cipher_of_tls_12(driver, known, key, usage, outcome):
    versions = {"libpq": "17", "asyncpg": "0.32.0", "node-postgres": "8.22.0", "lib-pq": "1.12.3"}
    runtime = {"asyncpg": {"python": "3.11.7"}, "node-postgres": {"node": "22.0.0"}}.get(driver, {})
    given = Given(driver, version=versions[driver], home="/nowhere", files=machine({}), runtime=runtime, **known)
    chain = served(ca.leaf(NEXT, "db.corp.test", key=key, key_usage=usage))
    assert verdict.answer(given, Server(Accepts.HOST), chain, NOW).foreseen.outcome is outcome


# ── judge ────────────────────────────────────────────────────────────────────────────────────────

JUDGED = {
    (V, V): Verdict.READY,
    (V, U): Verdict.NOT_VERIFYING,
    (V, P): Verdict.LOSES_TLS,
    (V, R): Verdict.BREAKS,
    (U, U): Verdict.NOT_VERIFYING,
    (U, P): Verdict.LOSES_TLS,
    (U, R): Verdict.BREAKS,
    (P, P): Verdict.PLAINTEXT,
    (P, R): Verdict.BREAKS,
    (R, R): Verdict.BREAKS,
}


@pytest.mark.parametrize(("now", "then"), list(itertools.product(Outcome, repeat=2)), ids=lambda o: o.value)
def test_two_outcomes_make_a_verdict(now, then):
    assert verdict.judge(Foreseen(now), Foreseen(then)) is JUDGED.get((now, then), Verdict.UNKNOWN)


# ── a whole client ───────────────────────────────────────────────────────────────────────────────

FILES = {"/old.pem": OLD.cert_pem, "/both.pem": OLD.cert_pem + NEXT.cert_pem, "/home/.postgresql/root.crt": OLD.cert_pem}


def ask(**known: object) -> verdict.Answer:
    given = Given(**{"driver": "libpq", "version": "17", "home": "/nowhere", "files": machine(FILES), **known})
    return verdict.answer(given, Server(Accepts.HOST), served(NEXT_LEAF), NOW)


@pytest.mark.parametrize(
    ("known", "outcome", "code"),
    [
        pytest.param({"dsn": "host=db.corp.test sslmode=verify-full sslrootcert=/both.pem"}, V, "", id="ready"),
        pytest.param({"dsn": "host=db.corp.test sslmode=require sslrootcert=/old.pem"}, R, "root-not-trusted", id="breaks"),
        pytest.param({"dsn": "host=db.corp.test", "home": "/home"}, P, "silent-plaintext-fallback", id="loses-tls"),
        pytest.param({"dsn": "host=db.corp.test sslmode=require"}, U, "does-not-verify", id="checks-nothing"),
        pytest.param({"dsn": "host=db.corp.test sslmode=maybe"}, R, "settings-error", id="the-driver-refuses-its-settings"),
        pytest.param({"driver": "nosuch", "dsn": ""}, X, "unknown-driver", id="unknown-driver"),
        pytest.param({"version": "11", "dsn": "host=db.corp.test"}, X, "unknown-version", id="version-outside-the-rules"),
        pytest.param({"version": "19", "dsn": "host=db.corp.test"}, X, "unknown-version", id="version-not-yet-known"),
        pytest.param({"version": "x", "dsn": "host=db.corp.test"}, X, "unknown-version", id="version-that-is-none"),
        pytest.param({"dsn": "host=/tmp sslmode=verify-full"}, P, "unix-socket", id="a-socket-has-no-tls"),
        pytest.param(
            {"dsn": "hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=/both.pem"}, R, "host-name-missing", id="no-name"
        ),
        pytest.param({"dsn": "sslmode=verify-full sslrootcert=/both.pem", "host": "db.corp.test"}, V, "", id="host-from-outside"),
        pytest.param({"dsn": "host=db.corp.test sslmode=require", "home": None}, X, "home-unknown", id="home-not-known"),
    ],
)
def test_a_client_is_answered(known, outcome, code):
    answer = ask(**known)
    assert answer.foreseen.outcome is outcome, answer.foreseen.reasons
    assert not code or code in {r.code for r in answer.foreseen.reasons}


def test_an_unknown_version_is_answered_when_every_version_agrees():
    assert (
        ask(driver="psycopg2", version="2.9.13", dsn="host=db.corp.test sslmode=require sslrootcert=/both.pem").foreseen.outcome
        is V
    )


def test_an_unknown_version_that_matters_is_unknown_and_says_so():
    answer = ask(driver="psycopg2", version="2.9.13", dsn="host=db.corp.test sslmode=require sslrootcert=system")
    assert answer.foreseen.outcome is X
    assert answer.foreseen.reasons[0].code == "version-matters"


def test_of_several_hosts_the_one_in_question_is_judged():
    dsn = "host=other.corp.test,db.corp.test sslmode=verify-full sslrootcert=/both.pem"
    assert ask(dsn=dsn).foreseen.outcome is R, "libpq does not go on to the next host after a TLS failure"
    assert ask(dsn=dsn, only="db.corp.test").foreseen.outcome is V
    assert ask(driver="psycopg", version="3.3", runtime={"libpq": "17"}, dsn=dsn).foreseen.outcome is V, "psycopg 3 does"


CLIENTS = st.fixed_dictionaries(
    {
        "dsn": st.sampled_from(
            [
                f"host=db.corp.test {mode}{roots}"
                for mode in ("", "sslmode=prefer ", "sslmode=require ", "sslmode=verify-ca ", "sslmode=verify-full ")
                for roots in ("", "sslrootcert=/old.pem", "sslrootcert=/both.pem", "sslrootcert=/none.pem", "sslrootcert=system")
            ]
        ),
        "home": st.sampled_from(["/home", "/nowhere"]),
        "version": st.sampled_from(["12", "15", "16", "17", "18"]),
    }
)


WITHOUT = {
    "the server": lambda client, server, chain: verdict.answer(client, None, chain, NOW),
    "the chain": lambda client, server, chain: verdict.answer(client, server, None, NOW),
    "the home folder": lambda client, server, chain: verdict.answer(replace(client, home=None), server, chain, NOW),
    "the version": lambda client, server, chain: verdict.answer(replace(client, version=None), server, chain, NOW),
    "everything of the server": lambda client, server, chain: verdict.answer(client, None, None, NOW),
}


@given(
    known=CLIENTS,
    leaf=st.sampled_from([OLD_LEAF, NEXT_LEAF]),
    accepts=st.sampled_from(list(Accepts)),
    fact=st.sampled_from(list(WITHOUT)),
)
@settings(max_examples=500, deadline=None)
def test_taking_a_fact_away_never_raises_an_answer(known, leaf, accepts, fact):
    client = Given(driver="libpq", files=machine(FILES), **known)
    full = verdict.answer(client, Server(accepts), served(leaf), NOW).foreseen.outcome
    poorer = WITHOUT[fact](client, Server(accepts), served(leaf)).foreseen.outcome
    assert poorer in (full, X)
