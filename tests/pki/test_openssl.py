"""Paths as OpenSSL judges them, with and without partial chains and strictness."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from reroot.lab import ca
from reroot.model import Stack
from reroot.pki import TrustSet
from reroot.pki.judge import check_chain
from tests.machine import NOW, served

ROOT, OTHER = ca.root("corp-root"), ca.root("other-root")
MIDDLE = ca.intermediate(ROOT, "corp-issuing")
LEAF = ca.leaf(MIDDLE, "db.corp.test")
TWIN = ca.root("corp-root")
WEAK_ROOT = ca.root("weak-root", key="rsa1024")

PLAIN = Stack("openssl", "3.0.19", security_level=2)
PARTIAL = replace(PLAIN, partial_chain=True)
STRICT = replace(PLAIN, partial_chain=True, strict=True)


def check(stack, chain, *roots, when=NOW, **trust):
    return check_chain(stack, served(*chain), TrustSet(served(*roots), **trust), when)


SOUND = ca.leaf(ROOT, "db.corp.test")
CASES = [
    pytest.param((LEAF, MIDDLE), (ROOT,), (True, True, True), id="intermediate-sent"),
    pytest.param((LEAF, MIDDLE, ROOT), (ROOT,), (True, True, True), id="root-sent-too"),
    pytest.param((LEAF, ROOT, MIDDLE), (ROOT,), (True, True, True), id="in-another-order"),
    pytest.param((LEAF, OTHER, MIDDLE), (ROOT,), (True, True, True), id="with-a-stranger-between"),
    pytest.param((LEAF,), (ROOT,), (False, False, False), id="intermediate-not-sent"),
    pytest.param((LEAF,), (ROOT, MIDDLE), (True, True, True), id="intermediate-in-the-store-with-its-root"),
    pytest.param((LEAF, MIDDLE), (MIDDLE,), (False, True, True), id="intermediate-alone-in-the-store"),
    pytest.param((LEAF, MIDDLE), (LEAF,), (False, True, True), id="leaf-alone-in-the-store"),
    pytest.param((LEAF, MIDDLE), (OTHER,), (False, False, False), id="another-root"),
    pytest.param((LEAF, MIDDLE), (), (False, False, False), id="no-root"),
    pytest.param((SOUND,), (TWIN, ROOT), (True, True, True), id="twin-with-key-identifiers-first"),
    pytest.param(
        (ca.leaf(ROOT, "db", extended_key_usage=(ExtendedKeyUsageOID.CLIENT_AUTH,)),),
        (ROOT,),
        (False, False, False),
        id="leaf-for-clients",
    ),
    pytest.param((ca.leaf(ROOT, "db", extended_key_usage=None),), (ROOT,), (True, True, True), id="leaf-without-a-purpose"),
    pytest.param(
        (ca.leaf(ROOT, "db", not_before=NOW - timedelta(days=30), not_after=NOW - timedelta(days=1)),),
        (ROOT,),
        (False, False, False),
        id="leaf-expired",
    ),
    pytest.param((ca.leaf(ROOT, subject=None, dns=("db",)),), (ROOT,), (True, True, False), id="leaf-without-subject-nor-critical-san"),
    pytest.param((ca.leaf(WEAK_ROOT, "db"),), (WEAK_ROOT,), (False, False, False), id="root-of-1024-bits"),
]


@pytest.mark.parametrize(("chain", "roots", "expected"), CASES)
def test_a_chain_is_judged_by_the_stacks_flags(chain, roots, expected):
    assert tuple(check(stack, chain, *roots).trusted for stack in (PLAIN, PARTIAL, STRICT)) == expected


@pytest.mark.parametrize(("chain", "roots", "expected"), CASES)
def test_every_no_names_a_certificate_and_a_source(chain, roots, expected):
    for stack in (PLAIN, STRICT):
        found = check(stack, chain, *roots)
        if not found.trusted:
            assert all(reason.code and reason.text and reason.source for reason in found.reasons)
            assert found.reasons


@pytest.mark.parametrize(
    ("level", "expected"),
    [pytest.param(1, True, id="level-1"), pytest.param(2, False, id="level-2"), pytest.param(None, None, id="not-known")],
)
def test_a_weak_key_depends_on_the_security_level(level, expected):
    stack = replace(PLAIN, security_level=level)
    assert check(stack, (ca.leaf(WEAK_ROOT, "db"),), WEAK_ROOT).trusted is expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param(NOW + timedelta(days=1), True, id="tomorrow"),
        pytest.param(NOW + timedelta(days=36500), False, id="in-a-hundred-years"),
        pytest.param(NOW - timedelta(days=36500), False, id="a-hundred-years-ago"),
    ],
)
def test_time_is_a_value(when, expected):
    assert check(PLAIN, (LEAF, MIDDLE), ROOT, when=when).trusted is expected


def test_no_certificate_at_all_is_not_trusted():
    assert check(PLAIN, (), ROOT).trusted is False


def test_an_unknown_stack_is_not_guessed():
    assert check(Stack("nosuch"), (LEAF, MIDDLE), ROOT).trusted is None


def test_revocation_needs_a_list_for_every_certificate():
    ders = tuple(x509.load_pem_x509_crl(ca.crl(issuer)).public_bytes(Encoding.DER) for issuer in (ROOT, MIDDLE))
    assert check(PLAIN, (LEAF, MIDDLE), ROOT, crls=ders, checks_revocation=True).trusted is True
    assert check(PLAIN, (LEAF, MIDDLE), ROOT, crls=ders[:1], checks_revocation=True).trusted is False
    assert check(PLAIN, (LEAF, MIDDLE), ROOT, crls=(), checks_revocation=True).trusted is False


def test_a_self_signed_server_that_stands_in_its_own_revocation_list_is_revoked():
    own = ca.root("db.corp.test")

    def lists(*revoked):
        return (x509.load_pem_x509_crl(ca.crl(own, revoked)).public_bytes(Encoding.DER),)

    assert check(PLAIN, (own,), own, crls=lists(), checks_revocation=True).trusted is True
    found = check(PLAIN, (own,), own, crls=lists(own), checks_revocation=True)
    assert (found.trusted, found.reasons[0].code) == (False, "revoked")


@pytest.mark.parametrize(("version", "expected"), [("1.1.1", None), ("3.0.19", True)])
def test_a_twin_with_a_key_of_another_kind_may_mislead_openssl_1(version, expected):
    twin = ca.root("corp-root", key="rsa2048")
    assert check(replace(PLAIN, version=version), (SOUND,), ROOT, twin).trusted is expected
