"""Each format: recognised by content, read whole, changed where asked, and never by more than it costs."""

from __future__ import annotations

import base64
import itertools
import json
import re
import struct
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot import truststores
from reroot.errors import RerootError, TrustStoreError
from reroot.lab import ca
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.truststores import Change, _der, _rc2, pem
from tests.readers import keystores
from tests.readers.shapes import armour, pem_shapes, private_key, workshop

SECRET = Secret(keystores.PASSWORD)
W = workshop()
A, B, RSA = (Certificate(root.der) for root in (W.a, W.b, W.rsa))


def manifest(kind: str) -> bytes:
    bundle = (W.a.pem + W.rsa.pem).decode()
    match kind:
        case "ConfigMap":
            body = "data:\n  ca.crt: |  # the roots\n" + textwrap.indent(bundle, "    ") + "  other: x\n"
        case "Secret":
            body = f"data:\n  ca.crt: {base64.b64encode(bundle.encode()).decode()}\n  tls.crt: {base64.b64encode(W.leaf.pem).decode()}\n"
        case "Bundle":
            body = (
                "spec:\n  sources:\n  - inLine: |\n"
                + textwrap.indent(bundle, "      ")
                + "  target:\n    configMap: {key: ca.pem}\n"
            )
        case _:
            return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": bundle}}).encode()
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: roots}}  # kept\n{body}".encode()


SAMPLES = {
    "pem": W.a.pem + W.rsa.pem,
    "pem in a file with a key": private_key(W.leaf) + W.leaf.pem + W.a.pem,
    "der": W.a.der,
    "jks": keystores.jks([("a", W.a.der)]),
    "jceks": keystores.jks([("a", W.a.der)], magic=0xCECECECE),
    "pkcs12": keystores.java_p12([("a", W.a)], keystores.p12_builder()),
    "pkcs7": truststores.find("pkcs7").create([A, B], None),  # type: ignore[misc]
    **{f"kubernetes, {kind}": manifest(kind) for kind in ("ConfigMap", "Secret", "Bundle", "JSON")},
    "pasted in Python": b'CA = """' + W.a.pem + b'"""\n',
    "pasted in JavaScript": b'const ca = "' + W.a.pem.replace(b"\n", b"\\n") + b'";\n',
    "pasted in Java": b'String ca =\n' + b" +\n".join(b'  "' + line + b'\\n"' for line in W.a.pem.splitlines()) + b";\n",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_format_is_told_by_content(name: str) -> None:
    assert truststores.detect(SAMPLES[name]) == name.split(" ")[0].rstrip(",")


@pytest.mark.parametrize("content", [b"", b"\n", b"hello", b"\0" * 100, b"PK\3\4", b"<html>", b"{}", b"0\x82"])
def test_what_is_no_trust_store_is_refused(content: bytes) -> None:
    with pytest.raises(TrustStoreError):
        truststores.read(content)


@pytest.mark.parametrize("name", [n for n in sorted(SAMPLES) if n not in ("der", "pasted in Java")])
def test_adding_and_removing_gives_the_same_roots_as_before(name: str) -> None:
    content = SAMPLES[name]
    spec = truststores.find(truststores.detect(content))
    assert spec.write is not None
    before = spec.read(content, SECRET).certificates
    new = spec.write(content, Change(add=(B,)), SECRET)
    assert set(spec.read(new, SECRET).certificates) == {*before, B}
    assert spec.write(new, Change(add=(B,)), SECRET) == new
    back = spec.write(new, Change(remove=frozenset({B.fingerprint} - {c.fingerprint for c in before})), SECRET)
    assert spec.read(back, SECRET).certificates == before


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "Bundle", "JSON"])
def test_a_changed_manifest_is_still_the_manifest(kind: str) -> None:
    content = manifest(kind)
    spec = truststores.find("kubernetes")
    assert spec.write is not None
    assert spec.extract is not None
    old, new = yaml.safe_load(content), yaml.safe_load(made := spec.write(content, Change(add=(B,)), None))
    assert pem.read(spec.extract(made)).certificates == (A, RSA, B)
    if kind == "Secret":
        assert base64.b64decode(new["data"].pop("ca.crt")) == W.a.pem + W.rsa.pem + pem.encode(B)
        del old["data"]["ca.crt"]
    elif kind != "Bundle":
        assert new["data"].pop("ca.crt").rstrip("\n").encode() == (W.a.pem + W.rsa.pem + pem.encode(B)).rstrip(b"\n")
        del old["data"]["ca.crt"]
    else:
        assert new["spec"]["sources"].pop()["inLine"].encode() == W.a.pem + W.rsa.pem + pem.encode(B)
        old["spec"]["sources"].pop()
    assert new == old
    assert (b"# kept" in made) == (b"# kept" in content)


def test_the_end_of_a_base64_body_is_not_taken_for_a_key() -> None:
    made = (ca.root("x" * (n % 40 + 1)).cert_pem for n in itertools.count())
    padded = next(pem for pem in made if re.search(rb"\n[A-Za-z][A-Za-z0-9]{0,60}={1,2}\n-----END", pem))
    content = b"data:\n  ca.crt: |\n" + textwrap.indent((padded + W.a.pem).decode(), "    ").encode()
    assert {entry.name.partition(", ")[2] for entry in truststores.read(content).entries} == {"ca.crt"}


def test_of_two_bundles_in_one_manifest_reroot_does_not_guess() -> None:
    content = manifest("ConfigMap") + b"  second.pem: |\n" + textwrap.indent(W.b.pem.decode(), "    ").encode()
    spec = truststores.find("kubernetes")
    assert spec.write is not None
    with pytest.raises(TrustStoreError, match=r"`ca\.crt`, `second\.pem`"):
        spec.write(content, Change(add=(Certificate(W.twin.der),)), None)


def test_string_literals_line_by_line_are_read_and_not_written() -> None:
    content = SAMPLES["pasted in Java"]
    assert truststores.read(content).certificates == (A,)
    with pytest.raises(TrustStoreError, match="string literal"):
        truststores.find("pasted").write(content, Change(add=(B,)), None)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("bad character in body", "not base64"),
        ("truncated DER", "ends before its length"),
        ("empty block first", "is empty"),
        ("labels differ", "ends as `CERTIFICATES`"),
        ("end missing, next block follows", "no end line"),
        ("trailing bytes in DER", "3 bytes behind"),
        ("two certificates in one block", "bytes behind"),
        ("one character missing", "whole base64"),
    ],
)
def test_a_damaged_block_is_reported_with_its_line_and_not_repaired(name: str, damage: str) -> None:
    entries = [e for e in pem.read(pem_shapes()[name]).entries if e.kind == "damaged"]
    assert len(entries) == 1
    assert damage in entries[0].note
    assert entries[0].name.startswith("line ")


@given(st.binary(max_size=300), st.lists(st.sampled_from(sorted(pem_shapes())), max_size=3))
@settings(max_examples=200, deadline=None)
def test_blocks_never_overlap_and_stand_where_they_say(noise: bytes, names: list[str]) -> None:
    content = noise + b"\n".join(pem_shapes()[name] for name in names)
    end = 0
    for block in pem.blocks(content):
        assert end <= block.start < block.end <= len(content)
        assert content[block.start : block.start + 11] == b"-----BEGIN "
        end = block.end


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_store_is_a_clear_error_or_still_readable(data: st.DataObject) -> None:
    content = bytearray(SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "zero"])):
            case "flip":
                content[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del content[at + 1 :]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=4))
            case _:
                content[at : at + 4] = b"\0" * 4
    for password in (SECRET, None):
        try:
            roots = truststores.read(bytes(content), password)
            spec = truststores.find(roots.format)
            if spec.write is not None:
                spec.write(bytes(content), Change(add=(B,)), password)
        except RerootError:
            continue


def test_rc2_gives_the_vectors_of_rfc_2268() -> None:
    # RFC 2268 section 5: effective key bits equal to the key's length.
    key, plain, coded = bytes.fromhex("88bca90e90875a7f0f79c384627bafb2"), bytes(8), bytes.fromhex("2269552ab0f85ca6")
    assert _rc2.cbc(key, bytes(8), plain, True) == coded
    assert _rc2.cbc(key, bytes(8), coded, False) == plain


def _p12_with_rounds(rounds: int) -> bytes:
    content = SAMPLES["pkcs12"]
    old, new = _der.encode_integer(1000), _der.encode_integer(rounds)
    at = content.rindex(old)
    body = content[:at] + new + content[at + len(old) :]
    return body if len(new) == len(old) else b"0\x82" + (len(body) - 4).to_bytes(2, "big") + body[4:]


BOMBS = {
    "jks count": struct.pack(">III", 0xFEEDFEED, 2, 0x7FFFFFFF) + bytes(100),
    "jks chain count": struct.pack(">IIIIHqI", 0xFEEDFEED, 2, 1, 1, 0, 0, 0) + struct.pack(">I", 0x7FFFFFFF),
    "jks length": struct.pack(">IIIIHqHI", 0xFEEDFEED, 2, 1, 2, 0, 0, 0, 0xFFFFFFFF),
    "jceks object nesting": struct.pack(">IIIIHq", 0xCECECECE, 2, 1, 3, 0, 0) + b"\xac\xed\0\5" + b"\x75\x70\0\0\0\1" * 3000,
    "der nesting": b"\x30\x80" * 100_000,
    "der length": b"\x30\x84\xff\xff\xff\xff" + bytes(50),
    "pem blocks": b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * 50_000,
    "pem begins": b"-----BEGIN CERTIFICATE-----\n" * 200_000,
    "pasted begins": b'"-----BEGIN CERTIFICATE-----\\n' * 200_000,
    "pkcs12 rounds": _p12_with_rounds(5_000_000),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_is_refused_for_what_it_is(name: str) -> None:
    try:
        roots = truststores.read(BOMBS[name], SECRET)
    except TrustStoreError:
        return
    assert {entry.kind for entry in roots.entries} == {"damaged"}


def test_a_file_of_more_than_16_mib_is_not_parsed() -> None:
    with pytest.raises(TrustStoreError, match="limit"):
        truststores.read(W.a.pem + bytes(16 * 2**20))


def test_a_password_is_in_no_error(tmp_path: Path) -> None:
    for name in ("jks", "pkcs12"):
        with pytest.raises(TrustStoreError) as error:
            truststores.read(SAMPLES[name], Secret("hunter2-wrong"))
        assert "hunter2" not in f"{error.value} {error.value.hint} {error.value.__cause__!r} {error.value.__context__!r}"


def test_a_trusted_certificate_keeps_its_settings_apart() -> None:
    block = pem.blocks(armour("TRUSTED CERTIFICATE", W.a.der + b"\x30\x00"))[0]
    assert (block.der, block.settings, block.damage) == (W.a.der, b"\x30\x00", "")
