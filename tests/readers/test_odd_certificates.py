"""Certificates as odd makers write them, a part at a time: what reroot says is trusted, the real stacks must trust."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from reroot.readers import effective
from reroot.truststores import _der

from . import oracles
from .shapes import armour, tlv, workshop

SPLIT = ("version", "serial", "algorithm", "issuer", "validity", "subject", "spki", "extensions")
CA = tlv(0x30, tlv(1, b"\xff"))


def extension(number: str, value: bytes, *, critical: bool = False) -> bytes:
    return tlv(0x30, _der.encode_oid(number), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def extensions(*held: bytes) -> bytes:
    return tlv(0xA3, tlv(0x30, extension("2.5.29.19", CA, critical=True), *held))


def name(tag: int, text: bytes) -> bytes:
    return tlv(0x30, tlv(0x31, tlv(0x30, _der.encode_oid("2.5.4.3"), tlv(tag, text))))


UNKNOWN = extension("1.2.3.4", b"x")
KEY_ID = tlv(0x30, tlv(0x80, b"abc"))
ODD: dict[str, dict[str, bytes]] = {
    "as it is": {},
    "no name": {"issuer": tlv(0x30), "subject": tlv(0x30)},
    "a name of nothing": {"issuer": tlv(0x30, tlv(0x31)), "subject": tlv(0x30, tlv(0x31))},
    "half a pair in a name": {"issuer": name(0x1E, b"\xd8\0"), "subject": name(0x1E, b"\xd8\0")},
    "version 1 with extensions": {"version": b""},
    "version 1": {"version": b"", "extensions": b""},
    "basic constraints twice": {"extensions": extensions(extension("2.5.29.19", CA))},
    "an unknown extension twice": {"extensions": extensions(UNKNOWN, UNKNOWN)},
    "critical own key": {"extensions": extensions(extension("2.5.29.14", tlv(4, b"abc"), critical=True))},
    "critical key of the issuer": {"extensions": extensions(extension("2.5.29.35", KEY_ID, critical=True))},
    "key of the issuer": {"extensions": extensions(extension("2.5.29.35", KEY_ID))},
    "critical policy mappings of nothing": {"extensions": extensions(extension("2.5.29.33", b"xx", critical=True))},
    "critical policy mappings": {
        "extensions": extensions(extension("2.5.29.33", tlv(0x30, tlv(0x30, tlv(6, b"*"), tlv(6, b"*"))), critical=True))
    },
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    der = workshop().a.der
    signed, *rest = _der.children(der, _der.value(der))
    parts = {word: der[p.start : p.end] for word, p in zip(SPLIT, _der.children(der, signed), strict=True)}
    tail = [der[p.start : p.end] for p in rest]
    folder = tmp_path_factory.mktemp("odd")
    found = {}
    for number, (word, changed) in enumerate(ODD.items()):
        found[word] = folder / f"{number:02}.pem"
        found[word].write_bytes(armour("CERTIFICATE", tlv(0x30, tlv(0x30, *(parts | changed).values()), *tail)))
    return found


@pytest.mark.skipif(not shutil.which("java"), reason="no java on this machine")
def test_odd_certificates_are_trusted_as_java_trusts_them(files: dict[str, Path]) -> None:
    heard = oracles.java([(path, "PEM", None) for path in files.values()])
    real = {word: h.loads for word, h in zip(files, heard, strict=True)}
    assert {w: effective("java", "17.0.15", p.read_bytes(), store_type="PEM").loads for w, p in files.items()} == real


@pytest.mark.matrix
@pytest.mark.skipif(not shutil.which("go"), reason="no Go on this machine")
def test_odd_certificates_are_trusted_as_every_go_trusts_them(files: dict[str, Path], tmp_path: Path) -> None:
    for version, program in oracles.go_tools().items():
        heard = oracles.go(list(files.values()), tmp_path, program)
        real = {word: h.loads for word, h in zip(files, heard, strict=True)}
        assert {w: effective("go", version, p.read_bytes()).loads for w, p in files.items()} == real, version


def test_a_country_of_three_letters_is_no_warning(tmp_path: Path) -> None:
    der = workshop().a.der
    signed, *rest = _der.children(der, _der.value(der))
    parts = [der[p.start : p.end] for p in _der.children(der, signed)]
    country = tlv(0x30, tlv(0x31, tlv(0x30, _der.encode_oid("2.5.4.6"), tlv(0x13, b"GER"))))
    parts[3] = parts[5] = country
    odd = tlv(0x30, tlv(0x30, *parts), *(der[p.start : p.end] for p in rest))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = effective("openssl", "3.0", armour("CERTIFICATE", odd)).certificates[0]
        assert (found.title, found.is_self_issued, found.is_readable) == ("C=GER", True, True)
