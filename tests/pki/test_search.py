"""Path building by search: what Go and webpki ask of a chain, and what is said of stacks that were not run.

The rows hold as tests/real showed them with pgx and lib/pq on Go 1.19 and 1.27, and with sqlx on rustls 0.23.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from reroot.lab import ca
from reroot.model import Stack
from reroot.pki import TrustSet
from reroot.pki.judge import check_chain, handshake_doubt, parse_failure
from reroot.pki.public_roots import may_be_public
from tests.machine import NOW, served
from tests.readers import oracles
from tests.readers.shapes import armour

CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
ANY = (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)
PAST = {"not_before": NOW - timedelta(days=400), "not_after": NOW - timedelta(days=10)}

ROOT = ca.root("corp-root")
OTHER = ca.root("unrelated-root")
RSA = ca.root("corp-rsa-root", key="rsa2048")
MIDDLE = ca.intermediate(ROOT, "corp-intermediate")
LEAF = ca.leaf(MIDDLE, "db.corp.test")
DIRECT = ca.leaf(ROOT, "db.corp.test")
OLD = ca.root("corp-old-root")
CROSS = ca.cross_sign(ROOT, OLD)
EXPIRED_ROOT = ca.root("corp-expired-root", **PAST)
NO_BC = ca.root("corp-root-without-constraints", ca=None, key_usage=None)
NO_SIGN = ca.intermediate(ROOT, "corp-may-not-sign", key_usage=("digital_signature",))
NOT_CA = ca.intermediate(ROOT, "corp-not-a-ca", ca=False)
SHORT = ca.intermediate(ROOT, "corp-path-0", path_length=0)
BELOW = ca.intermediate(SHORT, "corp-below-path-0")
FORBIDS = ca.intermediate(ROOT, "corp-forbids", excluded=["corp.test"])
CLIENT_MIDDLE = ca.intermediate(ROOT, "corp-client", extended_key_usage=CLIENT)
CLIENT_ROOT = ca.root("corp-client-root", extended_key_usage=CLIENT)
CRITICAL = ca.intermediate(ROOT, "corp-critical", unknown_critical=True)
SELF = ca.issue("db.corp.test", dns=["db.corp.test"], ca=None)

# what stands before the row, chain, anchors, then Go, webpki, a stack that was not run, and .NET
ROWS = [
    ("leaf under the root", (DIRECT,), (ROOT,), True, True, True, True),
    ("with its intermediate", (LEAF, MIDDLE), (ROOT,), True, True, True, True),
    ("the root sent along", (LEAF, MIDDLE, ROOT), (ROOT,), True, True, True, True),
    ("intermediate missing", (LEAF,), (ROOT,), False, False, False, False),
    ("another root", (LEAF, MIDDLE), (OTHER,), False, False, False, False),
    ("no root at all", (LEAF, MIDDLE), (), False, False, False, False),
    ("intermediate as anchor", (LEAF,), (MIDDLE,), True, True, None, False),
    ("leaf as anchor", (LEAF, MIDDLE), (LEAF,), True, False, None, False),
    ("cross-signed, old root", (DIRECT, CROSS), (OLD,), True, True, True, True),
    ("cross-signed, new root", (DIRECT, CROSS), (ROOT,), True, True, True, True),
    ("junk between", (LEAF, OTHER, MIDDLE), (ROOT,), True, True, True, True),
    ("expired leaf", (ca.leaf(ROOT, "db.corp.test", **PAST),), (ROOT,), False, False, False, False),
    ("expired root", (ca.leaf(EXPIRED_ROOT, "db.corp.test"),), (EXPIRED_ROOT,), False, True, None, False),
    ("root without constraints", (ca.leaf(NO_BC, "db.corp.test"),), (NO_BC,), False, True, None, False),
    ("issuer may not sign", (ca.leaf(NO_SIGN, "db.corp.test"), NO_SIGN), (ROOT,), False, True, None, False),
    ("issuer is no CA", (ca.leaf(NOT_CA, "db.corp.test"), NOT_CA), (ROOT,), False, False, False, False),
    ("path too long", (ca.leaf(BELOW, "db.corp.test"), BELOW, SHORT), (ROOT,), False, False, False, False),
    ("name constraint", (ca.leaf(FORBIDS, "db.corp.test"), FORBIDS), (ROOT,), False, False, False, False),
    ("leaf for clients", (ca.leaf(ROOT, "db.corp.test", extended_key_usage=CLIENT),), (ROOT,), False, False, False, False),
    ("leaf for anything", (ca.leaf(ROOT, "db.corp.test", extended_key_usage=ANY),), (ROOT,), True, False, None, False),
    ("leaf without purposes", (ca.leaf(ROOT, "db.corp.test", extended_key_usage=None),), (ROOT,), True, True, True, True),
    ("intermediate for clients", (ca.leaf(CLIENT_MIDDLE, "db.corp.test"), CLIENT_MIDDLE), (ROOT,), False, False, None, False),
    ("root for clients", (ca.leaf(CLIENT_ROOT, "db.corp.test"),), (CLIENT_ROOT,), False, True, None, False),
    ("unknown critical extension", (ca.leaf(CRITICAL, "db.corp.test"), CRITICAL), (ROOT,), False, False, False, False),
    ("SHA-1", (ca.leaf(RSA, "db.corp.test", key="rsa2048", signature="sha1"),), (RSA,), False, False, None, True),
    ("RSA 1024", (ca.leaf(RSA, "db.corp.test", key="rsa1024"),), (RSA,), True, False, None, True),
    ("leaf that says CA", (ca.leaf(ROOT, "db.corp.test", ca=True),), (ROOT,), True, False, None, True),
    ("self-signed", (SELF,), (SELF,), True, True, None, True),
    ("self-signed, not trusted", (SELF,), (ROOT,), False, False, False, False),
]


@pytest.mark.parametrize(("name", "chain", "anchors", "go", "webpki", "unproven", "dotnet"), ROWS, ids=[r[0] for r in ROWS])
def test_stacks_differ_in_what_they_ask_of_a_chain(name, chain, anchors, go, webpki, unproven, dotnet):
    trust = TrustSet(served(*anchors))
    found = [check_chain(Stack(family), served(*chain), trust, NOW).trusted for family in ("go", "webpki", "erlang", "dotnet-linux")]
    assert found == [go, webpki, unproven, dotnet]


@pytest.mark.parametrize(("chain", "anchors"), [r[1:3] for r in ROWS], ids=[r[0] for r in ROWS])
def test_a_refusal_has_a_reason_with_its_source(chain, anchors):
    trust = TrustSet(served(*anchors))
    for family in ("go", "webpki", "erlang", "dotnet"):
        found = check_chain(Stack(family), served(*chain), trust, NOW)
        assert found.trusted or (found.reasons and all(reason.code and reason.source for reason in found.reasons))


def test_what_an_unproven_stack_accepts_every_proven_one_accepts():
    for _, chain, anchors, *_rest in ROWS:
        trust = TrustSet(served(*anchors))
        if check_chain(Stack("erlang"), served(*chain), trust, NOW).trusted:
            assert all(check_chain(Stack(f, security_level=2), served(*chain), trust, NOW).trusted for f in ("go", "webpki", "openssl", "java"))


@pytest.mark.skipif(not oracles.DOTNET.exists(), reason="no .NET: tools/clients.sh")
def test_dotnet_itself_judges_every_chain_of_the_table_so(tmp_path):
    lines = []
    for number, (_, chain, anchors, *_rest) in enumerate(ROWS):
        files = tmp_path / f"{number}-roots.pem", tmp_path / f"{number}-chain.pem"
        for path, certificates in zip(files, (anchors, chain), strict=True):
            path.write_bytes(b"".join(armour("CERTIFICATE", c.der) for c in served(*certificates)))
        lines.append("\t".join((*map(str, files), f"{NOW:%Y-%m-%dT%H:%M:%SZ}")))
    said = oracles.dotnet_verifies(lines)
    assert {row[0]: found for row, found in zip(ROWS, said, strict=True)} == {row[0]: row[-1] for row in ROWS}


def test_dotnet_on_an_unknown_system_is_trusted_only_where_every_stack_trusts():
    for name, chain, anchors, *_, unproven, dotnet in ROWS:
        found = check_chain(Stack("dotnet"), served(*chain), TrustSet(served(*anchors)), NOW)
        assert found.trusted is (None if dotnet and not unproven else dotnet), name
        assert found.trusted or found.reasons


def test_a_root_of_ones_own_is_never_held_for_a_public_one():
    assert not may_be_public(served(LEAF, MIDDLE, ROOT))


@pytest.mark.parametrize("path", ["/etc/ssl/certs/ca-certificates.crt"])
def test_every_root_of_the_system_is_held_for_a_public_one(path):
    from pathlib import Path

    from reroot.readers import effective

    if not Path(path).exists():
        pytest.skip(f"not exercised: {path} (not here)")
    roots = effective("openssl", "3.0", Path(path).read_bytes()).certificates
    strangers = [c.title for c in roots if not may_be_public((c,))]
    assert len(strangers) <= len(roots) // 10, strangers


def test_a_client_of_the_systems_roots_on_a_new_go_is_answered_without_a_warning():
    """Debian's bundle holds a root whose serial number is 0, which cryptography warns of."""
    from pathlib import Path

    from reroot.readers import effective

    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip(f"not exercised: {bundle} (not here)")
    assert effective("go", "1.27.2", bundle.read_bytes()).certificates


@pytest.mark.parametrize(
    ("defects", "code"),
    [({}, ""), ({"unknown_critical": True}, "unknown-critical-extension"), ({"key": "rsa1024"}, "weak-key")],
    ids=["sound", "unknown-critical-extension", "rsa-1024"],
)
def test_rustls_must_be_able_to_use_the_leaf_even_where_nothing_is_checked(defects, code):
    found = parse_failure(Stack("webpki"), served(ca.leaf(ca.root("r"), "db", **defects)))
    assert (found.code if found else "") == code


@pytest.mark.parametrize(("signature", "doubted"), [("sha1", True), ("sha256", False)])
def test_java_and_a_server_may_not_agree_on_a_leaf_signed_with_sha1(signature, doubted):
    root = ca.root("r", key="rsa2048")
    chain = served(ca.leaf(root, "db", key="rsa2048", signature=signature))
    assert (handshake_doubt(Stack("java", "17"), chain) is not None) is doubted
    assert handshake_doubt(Stack("openssl", "3.0"), chain) is None
