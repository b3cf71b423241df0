"""The same-key shortcut: each row of the table, with the real stack holding only the old certificate."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reroot.lab import ca
from reroot.pki.certificate import Certificate
from reroot.readers._samekey import SAME_KEY, is_same_key, needs_no_change, shortcuts

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


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("same-key")
    made = {}
    for n, (old, certificate) in enumerate(OLD.items()):
        (folder / f"{n}.pem").write_bytes(certificate.cert_pem)
        for m, (sent, chain) in enumerate(CHAINS.items()):
            (folder / f"chain{m}.pem").write_bytes(b"".join(issued.cert_pem for issued in chain))
            made[old, sent] = (folder / f"{n}.pem", folder / f"chain{m}.pem")
    return made


def openssl(pairs: list[tuple[Path, Path]], _folder: Path) -> list[bool]:
    found = []
    for roots, chain in pairs:
        command = ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", str(roots), "-untrusted", str(chain), str(chain)]
        found.append(subprocess.run(command, capture_output=True, env=SCRUBBED).returncode == 0)
    return found


def java(pairs: list[tuple[Path, Path]], _folder: Path) -> list[bool]:
    lines = "".join(f"{roots}\t{chain}\n" for roots, chain in pairs)
    ran = subprocess.run(
        ["java", str(HERE / "Verify.java")], input=lines, capture_output=True, text=True, check=True, env=SCRUBBED
    )
    return [line == "true" for line in ran.stdout.splitlines()]


def go(pairs: list[tuple[Path, Path]], folder: Path) -> list[bool]:
    environment = SCRUBBED | {"GO111MODULE": "off", "GOCACHE": str(folder), "HOME": str(folder)}
    paths = [str(path) for pair in pairs for path in pair]
    ran = subprocess.run(
        ["go", "run", str(HERE / "verify.go"), *paths], capture_output=True, text=True, check=True, env=environment
    )
    return [line == "true" for line in ran.stdout.splitlines()]


STACKS = {"openssl": (openssl, "openssl"), "java": (java, "java"), "go": (go, "go")}


@pytest.mark.parametrize("stack", sorted(SAME_KEY))
def test_the_table_says_what_the_stack_does(stack: str, files: dict[tuple[str, str], tuple[Path, Path]], tmp_path: Path) -> None:
    ask, program = STACKS[stack]
    if not shutil.which(program):
        pytest.skip(f"no {program} on this machine")
    real = dict(zip(files, ask(list(files.values()), tmp_path), strict=True))
    new = Certificate(NEXT.der)
    said = {(old, sent): needs_no_change(stack, Certificate(OLD[old].der), new, NOW) for old, sent in files}
    assert {case: (said[case], real[case]) for case in real if said[case] != real[case]} == {}


def test_an_unknown_stack_is_not_guessed() -> None:
    assert needs_no_change("schannel", Certificate(OLD["in its time, same key id"].der), Certificate(NEXT.der), NOW) is None


def test_only_the_same_name_and_key_count() -> None:
    new = Certificate(NEXT.der)
    assert {name: is_same_key(Certificate(old.der), new) for name, old in OLD.items()} == {
        name: not name.startswith("another") for name in OLD
    }
    assert not is_same_key(new, new)
    assert shortcuts(Certificate(OLD["another key"].der), new, NOW) == ()
    assert len(shortcuts(Certificate(OLD["in its time, same key id"].der), new, NOW)) == len(SAME_KEY)
