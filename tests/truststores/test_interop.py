"""What reroot wrote, the owners' tools read; what they wrote, reroot reads: the same roots both ways."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reroot import truststores
from reroot.errors import TrustStoreError
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.readers import effective
from reroot.truststores import Change
from tests.readers import keystores, oracles
from tests.readers.keystores import PASSWORD, SCRUBBED
from tests.readers.shapes import authority, workshop

pytestmark = pytest.mark.skipif(not shutil.which("keytool"), reason="no Java on this machine")
TYPES = {"jks": "JKS", "jceks": "JCEKS", "pkcs12": "PKCS12"}


def certificates(*names: str) -> tuple[Certificate, ...]:
    w = workshop()
    return tuple(Certificate(getattr(w, name).der) for name in names)


def keytool(path: Path, kind: str, *command: str) -> str:
    ran = subprocess.run(
        ["keytool", *command, "-keystore", str(path), "-storetype", kind, "-storepass", PASSWORD],
        capture_output=True, text=True, env=SCRUBBED,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def listed(path: Path, kind: str) -> set[str]:
    """SHA-256 fingerprints as keytool -list prints them."""
    return {f.replace(":", "").lower() for f in re.findall(r"SHA-256\): ([0-9A-F:]{95})", keytool(path, kind, "-list"))}


@pytest.mark.parametrize("format", sorted(TYPES))
def test_keytool_lists_what_reroot_wrote(format: str, tmp_path: Path, exercised: Callable[[str], None]) -> None:
    wanted = certificates("a", "b", "rsa")
    create = truststores.find(format).create
    assert create is not None
    path = tmp_path / "store"
    path.write_bytes(create(wanted, Secret(PASSWORD)))
    assert listed(path, TYPES[format]) == {c.fingerprint for c in wanted}
    exercised("keytool")


@pytest.mark.parametrize("format", sorted(TYPES))
@pytest.mark.parametrize("extra", [(), ("-J-Dkeystore.pkcs12.legacy",)], ids=["as it is", "legacy"])
def test_what_keytool_wrote_is_read_changed_and_still_works_in_keytool(
    format: str, extra: tuple[str, ...], tmp_path: Path
) -> None:
    path, kind, w = tmp_path / "store", TYPES[format], workshop()
    keytool(path, kind, "-genkeypair", "-alias", "own", "-keyalg", "EC", "-dname", "CN=own", "-keypass", PASSWORD, *extra)
    keystores.keytool_imports(path, kind, [("Old Root", w.a.pem)], *extra)
    old, secret, spec = path.read_bytes(), Secret(PASSWORD), truststores.find(format)
    assert spec.write is not None
    assert spec.read(old, secret).certificates == certificates("a")
    new = spec.write(old, Change(add=certificates("b")), secret)
    path.write_bytes(new)
    assert listed(path, kind) >= {c.fingerprint for c in certificates("a", "b")}
    assert "1 entry" in keytool(path, kind, "-list", "-alias", "own") or "PrivateKeyEntry" in keytool(
        path, kind, "-list", "-alias", "own"
    )
    assert "CERTIFICATE REQUEST" in keytool(path, kind, "-certreq", "-alias", "own", "-keypass", PASSWORD)
    keystores.keytool_imports(path, kind, [("third", w.rsa.pem)])
    assert set(spec.read(path.read_bytes(), secret).certificates) == set(certificates("a", "b", "rsa"))
    less = spec.write(new, Change(remove=frozenset({certificates("a")[0].fingerprint})), secret)
    path.write_bytes(less)
    assert certificates("a")[0].fingerprint not in listed(path, kind)
    assert "CERTIFICATE REQUEST" in keytool(path, kind, "-certreq", "-alias", "own", "-keypass", PASSWORD)


def test_a_jceks_file_with_a_secret_key_keeps_it(tmp_path: Path) -> None:
    path, w = tmp_path / "store", workshop()
    keytool(path, "JCEKS", "-genseckey", "-alias", "hidden", "-keyalg", "AES", "-keysize", "256", "-keypass", PASSWORD)
    keystores.keytool_imports(path, "JCEKS", [("a", w.a.pem)])
    old, spec = path.read_bytes(), truststores.find("jceks")
    assert spec.write is not None
    assert [entry.kind for entry in spec.read(old, Secret(PASSWORD)).entries].count("secret") == 1
    path.write_bytes(spec.write(old, Change(add=certificates("b")), Secret(PASSWORD)))
    assert "SecretKeyEntry" in keytool(path, "JCEKS", "-list", "-alias", "hidden")
    assert listed(path, "JCEKS") == {c.fingerprint for c in certificates("a", "b")}


@pytest.mark.parametrize("flags", [(), ("-legacy",)], ids=["modern", "legacy"])
def test_openssl_reads_the_pkcs12_that_reroot_changed(
    flags: tuple[str, ...], tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    w = workshop()
    source, path, secret = tmp_path / "ca.pem", tmp_path / "store", Secret(PASSWORD)
    source.write_bytes(w.a.pem)
    password = f"pass:{PASSWORD}"
    keystores.run("openssl", "pkcs12", "-export", *flags, "-nokeys", "-in", str(source), "-out", str(path), "-passout", password)
    spec = truststores.find("pkcs12")
    assert spec.write is not None
    path.write_bytes(spec.write(path.read_bytes(), Change(add=certificates("b")), secret))
    ran = subprocess.run(
        ["openssl", "pkcs12", *flags, "-in", str(path), "-passin", password, "-nokeys"],
        capture_output=True,
        env=SCRUBBED,
        check=True,
    )
    assert truststores.read(ran.stdout).certificates == certificates("a", "b")
    heard = oracles.java([(path, "PKCS12", PASSWORD)])[0]
    assert heard.anchors == {certificates("b")[0].fingerprint}
    exercised("openssl pkcs12")


@pytest.mark.parametrize("format", sorted(TYPES))
def test_java_trusts_every_root_of_a_store_of_any_size(format: str, tmp_path: Path) -> None:
    create = truststores.find(format).create
    assert create is not None
    made = tuple(Certificate(authority(f"Root {n}").der) for n in range(300))
    counts = (0, 1, 300)
    for count in counts:
        (tmp_path / str(count)).write_bytes(create(made[:count], Secret(PASSWORD)))
    for count, heard in zip(counts, oracles.java([(tmp_path / str(n), TYPES[format], PASSWORD) for n in counts]), strict=True):
        assert heard.loads, heard.said
        assert heard.anchors == {c.fingerprint for c in made[:count]}


@pytest.mark.parametrize("format", ["jks", "jceks"])
def test_a_password_with_more_than_ascii_opens_the_older_stores(format: str, tmp_path: Path) -> None:
    create = truststores.find(format).create
    assert create is not None
    (tmp_path / "store").write_bytes(create(certificates("a"), Secret("pässwörd€")))
    assert oracles.java([(tmp_path / "store", TYPES[format], "pässwörd€")])[0].anchors == {certificates("a")[0].fingerprint}


def test_java_does_not_open_a_pkcs12_file_whose_password_is_more_than_ascii(tmp_path: Path) -> None:
    w, word = workshop(), "pässwörd€"
    (tmp_path / "ca.pem").write_bytes(w.a.pem)
    for number, flags in enumerate([(), ("-legacy", "-descert")]):
        path = tmp_path / str(number)
        keystores.run(
            "openssl",
            "pkcs12",
            "-export",
            *flags,
            "-nokeys",
            "-in",
            str(tmp_path / "ca.pem"),
            "-out",
            str(path),
            "-passout",
            f"pass:{word}",
        )
        heard = oracles.java([(path, "PKCS12", word)])[0]
        assert effective("java", "17", path.read_bytes(), store_type="PKCS12", password=word).loads == heard.loads is False
        assert truststores.read(path.read_bytes(), Secret(word)).certificates == certificates("a")
    with pytest.raises(TrustStoreError, match="ASCII"):
        truststores.find("pkcs12").create(certificates("a"), Secret(word))  # type: ignore[misc]


def test_openssl_reads_the_pkcs7_that_reroot_wrote(tmp_path: Path) -> None:
    path = tmp_path / "ca.p7b"
    create = truststores.find("pkcs7").create
    assert create is not None
    path.write_bytes(create(certificates("a", "b"), None))
    ran = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-in", str(path), "-print_certs"], capture_output=True, check=True
    )
    assert truststores.read(ran.stdout).certificates == certificates("a", "b")


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_the_pkcs7_that_openssl_wrote_is_read(form: str, tmp_path: Path) -> None:
    w = workshop()
    (tmp_path / "ca.pem").write_bytes(w.a.pem + w.b.pem)
    made = tmp_path / "ca.p7b"
    keystores.run("openssl", "crl2pkcs7", "-nocrl", "-certfile", str(tmp_path / "ca.pem"), "-outform", form, "-out", str(made))
    assert truststores.detect(made.read_bytes()) == "pkcs7"
    assert truststores.read(made.read_bytes()).certificates == certificates("a", "b")
    assert oracles.java([(made, "PEM", None)])[0].anchors == {c.fingerprint for c in certificates("a", "b")}
