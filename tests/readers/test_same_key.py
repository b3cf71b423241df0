"""The same-key shortcut: each row of the table, with the real stack holding only the old certificate."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reroot.lab import ca
from reroot.pki.certificate import Certificate
from reroot.readers._samekey import SAME_KEY, is_same_key, needs_no_change, shortcuts

from . import oracles
from .keystores import SCRUBBED

HERE = Path(__file__).parent
NOW = datetime.now(UTC)
KEY = ca.new_key()
DAY = timedelta(days=1)


def root(*, days: int = 1000, key_id: bool | bytes = True, key: object = KEY, name: str = "corp-root") -> ca.Issued:
    return ca.issue(
        name,
        key=key,
        ca=True,
        key_id=key_id,
        key_usage=["key_cert_sign"],
        not_before=NOW - 2000 * DAY,
        not_after=NOW + days * DAY,
    )  # type: ignore[arg-type]


NEXT = root(days=4000)
OLD = {
    "in its time, same key id": root(),
    "expired, same key id": root(days=-10),
    "in its time, another key id": root(key_id=b"another key identifier"),
    "expired, another key id": root(days=-10, key_id=b"another key identifier"),
    "in its time, no key id": root(key_id=False),
    "another key": root(key=ca.new_key()),
    "another name": root(name="other-root"),
}
SENT = ("leaf alone", "leaf and next root", "with an intermediate")


def chains() -> dict[str, list[ca.Issued]]:
    def leaf(issuer: ca.Issued) -> ca.Issued:
        return ca.leaf(issuer, "db.example.test")

    middle = ca.issue("middle", NEXT, ca=True, key_usage=["key_cert_sign"])
    return {"leaf alone": [leaf(NEXT)], "leaf and next root": [leaf(NEXT), NEXT], "with an intermediate": [leaf(middle), middle]}


CHAINS = chains()


Trio = tuple[Path, Path, Path]
"""Roots, chain, the leaf's key."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Trio]:
    folder = tmp_path_factory.mktemp("same-key")
    made = {}
    for n, (old, certificate) in enumerate(OLD.items()):
        (folder / f"{n}.pem").write_bytes(certificate.cert_pem)
        for m, (sent, chain) in enumerate(CHAINS.items()):
            (folder / f"chain{m}.pem").write_bytes(b"".join(issued.cert_pem for issued in chain))
            (folder / f"chain{m}.key").write_bytes(chain[0].key_pem)
            made[old, sent] = (folder / f"{n}.pem", folder / f"chain{m}.pem", folder / f"chain{m}.key")
    return made


def ask(command: list[str], trios: list[Trio], width: int = 3, **environment: str) -> list[bool]:
    """One program for all of them: a line in for each, ``true`` or the error out."""
    lines = "".join("\t".join(map(str, trio[:width])) + "\n" for trio in trios)
    ran = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, env=SCRUBBED | environment)
    return [line == "true" for line in ran.stdout.splitlines()]


def openssl(trios: list[Trio], library: Path, _folder: Path) -> list[bool]:
    return ask([sys.executable, str(HERE / "verify_openssl.py"), str(library)], trios, 2)


def python(trios: list[Trio], program: Path, _folder: Path) -> list[bool]:
    return ask([str(program), str(HERE / "verify_python.py")], trios)


def rustls(trios: list[Trio], program: Path, _folder: Path) -> list[bool]:
    return ask([str(program), str(HERE / "verify_rustls.py")], trios)


def java(trios: list[Trio], program: Path, _folder: Path) -> list[bool]:
    return ask([str(program), str(HERE / "Verify.java")], trios, 2)


def go(trios: list[Trio], program: Path, folder: Path) -> list[bool]:
    paths = [str(path) for trio in trios for path in trio[:2]]
    return ask(
        [str(program), "run", str(HERE / "verify.go"), *paths], [], GO111MODULE="off", GOCACHE=str(folder), HOME=str(folder)
    )


def node(trios: list[Trio], program: Path, _folder: Path) -> list[bool]:
    return ask([str(program), str(HERE / "verify.mjs")], trios)


def dotnet(trios: list[Trio], _program: Path, _folder: Path) -> list[bool]:
    return oracles.dotnet_verifies([f"{roots}\t{chain}" for roots, chain, _ in trios])


def gnutls(trios: list[Trio], program: Path, _folder: Path) -> list[bool]:
    command = [str(program), "--verify", "--load-ca-certificate"]
    return [
        subprocess.run([*command, str(roots), "--infile", str(chain)], capture_output=True, env=SCRUBBED).returncode == 0
        for roots, chain, _ in trios
    ]


CLIENTS = HERE.parent.parent / ".cache" / "clients"


def program(name: str) -> tuple[Path, ...]:
    found = shutil.which(name)
    return (Path(found),) if found else ()


Ask = Callable[[list[Trio], Path, Path], list[bool]]
REAL: dict[str, tuple[str, Ask, tuple[Path, ...]]] = {
    "OpenSSL of this machine": ("openssl", openssl, tuple(Path("/usr/lib/x86_64-linux-gnu").glob("libcrypto.so.3"))),
    "OpenSSL 1.1.1": ("openssl", openssl, tuple(CLIENTS.glob("postgres18/node_modules/*/linux-x64/native/lib/libcrypto.so.1.1"))),
    "OpenSSL 3.5": ("openssl", openssl, tuple(CLIENTS.glob("python/lib/python3*/site-packages/psycopg_binary.libs/libcrypto*"))),
    "Python 3.11": ("python-3.11", python, program("python3.11")),
    "Python 3.13": ("python-3.13", python, tuple(CLIENTS.glob("python-3.13/bin/python"))),
    "Node.js": ("node", node, program("node")),
    "Java": ("java", java, program("java")),
    "Java 25": ("java", java, tuple(Path("/usr/lib/jvm").glob("*-25-*/bin/java"))),
    "Go": ("go", go, program("go")),
    "rustls": ("rustls", rustls, tuple(CLIENTS.glob("rust/bin/python"))),
    ".NET": ("dotnet", dotnet, (oracles.DOTNET,) if oracles.DOTNET.exists() else ()),
    "GnuTLS": ("gnutls", gnutls, program("certtool")),
}
"""The real stacks: row of the table, how it is asked, and where it is on this machine."""


@pytest.mark.parametrize("real", REAL)
def test_the_table_says_what_the_stack_does(
    real: str, files: dict[tuple[str, str], Trio], tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    stack, question, places = REAL[real]
    if not places:
        pytest.skip(f"no {real} on this machine")
    heard = dict(zip(files, question(list(files.values()), places[0], tmp_path), strict=True))
    new = Certificate(NEXT.der)
    said = {(old, sent): needs_no_change(stack, Certificate(OLD[old].der), new, NOW) for old, sent in files}
    assert {case: (said[case], heard[case]) for case in heard if said[case] != heard[case]} == {}
    exercised(real)


def test_every_row_of_the_table_has_a_real_stack() -> None:
    assert {stack for stack, _, _ in REAL.values()} == set(SAME_KEY)


def test_an_unknown_stack_is_not_guessed() -> None:
    assert needs_no_change("schannel", Certificate(OLD["in its time, same key id"].der), Certificate(NEXT.der), NOW) is None


def test_only_the_same_name_and_key_count() -> None:
    new = Certificate(NEXT.der)
    assert {name: is_same_key(Certificate(old.der), new) for name, old in OLD.items()} == {
        name: not name.startswith("another") for name in OLD
    }
    assert not is_same_key(new, new)
    assert shortcuts([Certificate(OLD["another key"].der)], [new], NOW) == ()


def test_the_shortcut_says_who_is_spared_and_who_is_not() -> None:
    old, new = Certificate(OLD["expired, same key id"].der), Certificate(NEXT.der)
    (found,) = shortcuts([old], [new, old], NOW)
    assert (found.old, found.new) == (old, new)
    assert found.named(True) == ("java", "rustls")
    assert "java, rustls need no change; openssl, node" in found.text
    assert shortcuts([old, new], [new], NOW) == ()


def test_a_next_root_with_other_limits_is_not_judged_by_the_table() -> None:
    key_usage = ["key_cert_sign", "crl_sign"]
    other = ca.issue("corp-root", key=KEY, ca=True, key_usage=key_usage, not_before=NOW - DAY, not_after=NOW + DAY)
    old = Certificate(OLD["in its time, same key id"].der)
    assert needs_no_change("openssl", old, Certificate(other.der), NOW) is None
    assert "not known" in shortcuts([old], [Certificate(other.der)], NOW)[0].text
