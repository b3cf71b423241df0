"""Key stores on the way: what can be seen without a password, and what would open the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from reroot.collect.scan._judge import holds
from reroot.collect.scan._scan import scan

from ._corpus import certificate


def p12(password: bytes) -> bytes:
    held = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(certificate("corp").encode()), b"corp")
    return pkcs12.serialize_java_truststore([held], BestAvailableEncryption(password))


def seen(root: Path) -> list[tuple[str, str, str]]:
    return [(f.path, f.rule, f.text) for f in scan([str(root)], processes=1).findings if f.kind == "trust-store-file"]


def test_the_password_that_java_documents_opens_a_store(tmp_path: Path) -> None:
    (tmp_path / "postgres-truststore.p12").write_bytes(p12(b"changeit"))
    assert [(path, rule) for path, rule, text in seen(tmp_path) if "1 certificate (pkcs12): Corp Root 2019" in text] == [
        ("postgres-truststore.p12", "RR207")
    ]


def test_another_password_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "postgres-truststore.p12").write_bytes(p12(b"sesame"))
    [(path, rule, text)] = seen(tmp_path)
    assert (path, rule) == ("postgres-truststore.p12", "RR216")
    assert "reroot trust show FILE --password-file" in text
    assert [holds(f) for f in scan([str(tmp_path)], processes=1).findings] == ["unknown"]


def test_a_protected_store_that_nothing_calls_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "partner.p12").write_bytes(p12(b"sesame"))
    assert seen(tmp_path) == []


def test_a_setting_that_refers_to_a_protected_store_makes_it_ours(tmp_path: Path) -> None:
    (tmp_path / "partner.p12").write_bytes(p12(b"sesame"))
    (tmp_path / "a.env").write_text("PGSSLMODE=verify-full\nPGSSLROOTCERT=partner.p12\n")
    assert [(path, rule) for path, rule, _ in seen(tmp_path)] == [("partner.p12", "RR216")]


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM], ids=["DER", "PEM"])
def test_a_certificate_is_seen_in_both_of_its_forms(encoding: Encoding, tmp_path: Path) -> None:
    data = x509.load_pem_x509_certificate(certificate("rds").encode()).public_bytes(encoding)
    (tmp_path / "rds-root.crt").write_bytes(data)
    assert [path for path, _, text in seen(tmp_path) if "Amazon RDS eu-west-1 Root CA" in text] == ["rds-root.crt"]
