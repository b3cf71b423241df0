"""Five seconds and 256 MiB for every command over every hostile file: its own process is measured, not the clock of this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reroot import truststores
from reroot.collect._trustlimits import LARGE, ROUNDS, guarded, is_costly
from reroot.errors import TrustStoreError
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.truststores import _der, _pbe, _pfx
from tests.readers.keystores import jks
from tests.readers.shapes import armour, workshop

W = workshop()
SIZE = 16 * 2**20 - 100
A = Certificate(W.a.der)


def p12(parts: int, rounds: int, *, legacy: bool = False, mac_rounds: int = 1) -> bytes:
    """A PKCS#12 file whose parts each ask for so many rounds; what is encrypted in them is noise, as long as it takes."""
    if legacy:
        parameters = _der.tlv(_der.SEQUENCE, _der.tlv(_der.OCTETS, bytes(8)), _der.encode_integer(rounds))
        algorithm = _der.tlv(_der.SEQUENCE, _der.encode_oid(_pbe.LEGACY_3DES), parameters)
    else:
        algorithm = _pbe.modern(rounds)
    what = _der.tlv(_der.SEQUENCE, _der.encode_oid(_pfx.DATA), algorithm, _der.tlv(0x80, bytes(64)))
    body = _der.tlv(_der.SEQUENCE, _der.encode_integer(0), what)
    safe = _der.tlv(_der.SEQUENCE, _der.encode_oid(_pfx.ENCRYPTED), _der.tlv(0xA0, body))
    if mac_rounds <= 100_000:
        return _pfx.assemble([safe] * parts, _pfx.Mac("sha256", bytes(8), mac_rounds, b""), "changeit")
    made = _pfx.assemble([safe] * parts, None, "")
    digest = _der.tlv(
        _der.SEQUENCE, _der.tlv(_der.SEQUENCE, _der.encode_oid("2.16.840.1.101.3.4.2.1")), _der.tlv(_der.OCTETS, bytes(32))
    )
    mac = _der.tlv(_der.SEQUENCE, digest, _der.tlv(_der.OCTETS, bytes(8)), _der.encode_integer(mac_rounds))
    return _der.tlv(_der.SEQUENCE, made[_der.value(made).body :], mac)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "PEM begins": lambda: b"-----BEGIN CERTIFICATE-----\n" * (SIZE // 28),
    "PEM blocks": lambda: W.a.pem * (SIZE // len(W.a.pem)),
    "PEM empty blocks": lambda: b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * (SIZE // 54),
    "PEM short lines": lambda: b"-----BEGIN CERTIFICATE-----\n" + b"A\n" * (SIZE // 2 - 40),
    "PEM one block": lambda: armour("CERTIFICATE", bytes(SIZE * 70 // 100)),
    "PEM colons": lambda: b"-----BEGIN CERTIFICATE-----\n" + b"a:b\n" * (SIZE // 4 - 40),
    "NULs": lambda: b"\n\0" * (SIZE // 2),
    "pasted begins": lambda: b'"-----BEGIN CERTIFICATE-----\\n' * (SIZE // 31),
    "pasted keys": lambda: b"kind: ConfigMap\napiVersion: v1\n" + b"a: |\n  -----BEGIN CERTIFICATE-----\n" * (SIZE // 40),
    "DER indefinite": lambda: b"\x30\x80" * (SIZE // 2),
    "DER certificates": lambda: W.a.der * (SIZE // len(W.a.der)),
    "DER empty sequences": lambda: b"0\0" * (SIZE // 2),
    "JKS entries": lambda: jks([(f"a{n}", W.a.der) for n in range(30_000)]),
    "JKS one alias": lambda: jks([("a", bytes(SIZE - 200))]),
    "PKCS12 rounds": lambda: p12(1, 999_999, mac_rounds=999_999),
    "PKCS12 many parts": lambda: p12(32, 999_999),
    "PKCS12 parts within the limit": lambda: p12(30, 60_000),
    "PKCS12 legacy parts": lambda: p12(30, 60_000, legacy=True),
    "PKCS12 mac": lambda: p12(0, 1, mac_rounds=1_000_000),
    "PKCS12 too many rounds": lambda: p12(1, 2**31 - 1, mac_rounds=2**31 - 1),
}

COMMANDS = {
    "show": ["show", "FILE", "--password-file", "PASSWORD"],
    "show as java": ["show", "FILE", "--reader", "java-17", "--password-file", "PASSWORD"],
    "check": ["check", "FILE", "--chain", "CHAIN", "--password-file", "PASSWORD"],
    "add": ["add", "FILE", "--root", "NEXT", "--password-file", "PASSWORD", "--execute"],
    "add from": ["add", "NEXT", "--root", "FILE", "--execute"],
    "remove": ["remove", "FILE", "--root", "Root A", "--password-file", "PASSWORD", "--execute", "--retire"],
    "bundle": ["bundle", "--root", "FILE", "-o", "pem=OUT"],
}
RUN = """
import json, os, resource, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
status = os.waitpid(child, 0)[1]
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss // 1024]))
"""


def measured(command: list[str], **environment: str) -> tuple[int, float, int, str]:
    """Exit code, seconds of a processor, peak MiB of the largest process, and what was said."""
    ran = subprocess.run([sys.executable, "-c", RUN, *command], capture_output=True, text=True, env=os.environ | environment)
    code, seconds, peak = json.loads(ran.stdout.splitlines()[-1])
    return code, seconds, peak, ran.stderr


@pytest.mark.matrix
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_an_answer_in_little_memory_and_stays_as_it_was(name: str, command: str, tmp_path: Path) -> None:
    places = {n: tmp_path / n.lower() for n in ("FILE", "PASSWORD", "NEXT", "CHAIN", "OUT")}
    content = HOSTILE[name]()
    places["FILE"].write_bytes(content)
    places["PASSWORD"].write_text("changeit\n")
    places["NEXT"].write_bytes(W.b.pem)
    places["CHAIN"].write_bytes(W.leaf.pem)
    arguments = [part.removesuffix(word) + str(places.get(word, word)) for part in COMMANDS[command] for word in [part.split("=")[-1]]]
    program = str(Path(sys.executable).with_name("reroot"))
    code, seconds, peak, said = measured([program, "trust", *arguments, "-q"], REROOT_STATE=str(tmp_path / "state"))
    print(f"{name}, {command}: {code}, {seconds:.1f} s of CPU, {peak} MiB")
    assert code in (0, 1, 2, 4), said
    assert "Traceback" not in said
    assert code != 2 or "error: " in said
    assert peak < 256
    assert code == 0 or places["FILE"].read_bytes() == content


def test_a_costly_file_is_told_before_it_is_read() -> None:
    assert not is_costly(W.a.pem)
    assert is_costly(W.a.pem + b"\n" * LARGE)
    assert is_costly(p12(2, ROUNDS))
    assert not is_costly(p12(1, 10_000, mac_rounds=10_000))


def test_what_a_child_finds_comes_back_and_what_it_refuses_too() -> None:
    large = W.a.pem + b"\n" * LARGE
    assert guarded(large, lambda: truststores.read(large)).certificates == (A,)

    def refuse() -> None:
        raise TrustStoreError("no", where="there", hint="go")

    with pytest.raises(TrustStoreError) as error:
        guarded(large, refuse)
    assert (error.value.message, error.value.where, error.value.hint) == ("no", "there", "go")


def test_a_child_that_takes_too_much_memory_is_ended_with_a_clear_error() -> None:
    with pytest.raises(TrustStoreError, match="limit"):
        guarded(bytes(LARGE), lambda: bytes(400 * 2**20))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(p12(3, 999_999), "in all", id="rounds in all"),
        pytest.param(p12(1, 1_000_001), "limit", id="rounds of one part"),
        pytest.param(p12(33, 1), "encrypted parts", id="parts"),
    ],
)
def test_rounds_are_counted_before_they_are_run(content: bytes, why: str) -> None:
    with pytest.raises(TrustStoreError, match=why):
        truststores.read(content, Secret("changeit"), format="pkcs12")
