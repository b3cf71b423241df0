"""The certificate workshop makes what it was asked for, sound or with a defect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from reroot.lab import ca
from reroot.pki.certificate import Certificate, signed_by

NOW = datetime.now(UTC).replace(microsecond=0)


def seen(issued: ca.Issued) -> Certificate:
    return Certificate(issued.der)


def test_a_chain_is_signed_from_leaf_to_root() -> None:
    root = ca.root("corp-root")
    middle = ca.intermediate(root, "corp-middle")
    leaf = ca.leaf(middle, "db1.lab.test", "127.0.0.1")
    assert signed_by(seen(leaf), seen(middle))
    assert signed_by(seen(middle), seen(root))
    assert seen(root).is_self_signed
    assert seen(leaf).dns_names == ("db1.lab.test",)
    assert seen(leaf).ip_addresses == ("127.0.0.1",)
    assert seen(leaf).authority_key_id == seen(middle).subject_key_id


def test_a_cross_signed_certificate_has_the_subject_and_key_of_one_root_and_the_signature_of_another() -> None:
    old, new = ca.root("old"), ca.root("new")
    crossed = ca.cross_sign(new, old)
    assert seen(crossed).subject == seen(new).subject
    assert seen(crossed).spki == seen(new).spki
    assert signed_by(seen(crossed), seen(old))
    assert not signed_by(seen(crossed), seen(new))


def test_a_reissued_root_keeps_its_key_and_takes_new_dates() -> None:
    root = ca.root("corp-root")
    again = ca.reissue(root, not_after=NOW + timedelta(days=1))
    assert seen(again).spki == seen(root).spki
    assert seen(again).not_after == NOW + timedelta(days=1)
    assert again.der != root.der


@pytest.mark.parametrize(
    ("defects", "holds"),
    [
        pytest.param({"ca": None}, lambda c: c.basic_constraints is None, id="no basicConstraints"),
        pytest.param({"ca_critical": False}, lambda c: not c.basic_constraints.critical, id="basicConstraints not critical"),
        pytest.param({"ca": False}, lambda c: not c.is_ca, id="not a CA"),
        pytest.param({"path_length": 0}, lambda c: c.basic_constraints.value.path_length == 0, id="path length"),
        pytest.param({"key_id": False}, lambda c: c.subject_key_id is None, id="no key identifier"),
        pytest.param({"authority_key_id": False}, lambda c: c.authority_key_id is None, id="no authority key identifier"),
        pytest.param({"authority_key_id": b"other"}, lambda c: c.authority_key_id == b"other", id="wrong key identifier"),
        pytest.param({"unknown_critical": True}, lambda c: c.unknown_critical_extensions, id="unknown critical extension"),
        pytest.param({"key_usage": None}, lambda c: c.key_usage is None, id="no key usage"),
        pytest.param({"permitted": ["lab.test"]}, lambda c: c.name_constraints.permitted_subtrees, id="name constraints"),
        pytest.param({"key": "rsa1024"}, lambda c: c.key == ("rsa", 1024), id="weak key"),
        pytest.param({"not_after": NOW}, lambda c: c.not_after == NOW, id="expired"),
    ],
)
def test_a_root_has_the_defect_that_was_asked_for(defects: dict[str, Any], holds: Any) -> None:
    assert holds(seen(ca.root("corp-root", **defects)))


def test_a_certificate_can_be_signed_with_sha_1() -> None:
    root = ca.root("corp-root", key="rsa2048")
    leaf = ca.leaf(root, "db1.lab.test", signature="sha1")
    assert seen(leaf).signature_hash == "sha1"
    assert signed_by(seen(leaf), seen(root))


def test_sha_1_under_an_elliptic_key_is_refused_and_not_quietly_made_otherwise() -> None:
    with pytest.raises(ValueError, match="RSA keys only"):
        ca.leaf(ca.root(), "db1.lab.test", signature="sha1")


def test_a_crl_names_what_it_revokes_and_nothing_else() -> None:
    root = ca.root()
    good, bad = ca.leaf(root, "good"), ca.leaf(root, "bad")
    found = x509.load_pem_x509_crl(ca.crl(root, [bad]))
    assert found.get_revoked_certificate_by_serial_number(bad.certificate.serial_number) is not None
    assert found.get_revoked_certificate_by_serial_number(good.certificate.serial_number) is None
    assert found.is_signature_valid(root.certificate.public_key())  # type: ignore[arg-type]


def test_a_bundle_keeps_its_order() -> None:
    one, two = ca.root("one"), ca.root("two")
    assert [c.subject for c in x509.load_pem_x509_certificates(ca.bundle(two, one))] == [
        two.certificate.subject,
        one.certificate.subject,
    ]
