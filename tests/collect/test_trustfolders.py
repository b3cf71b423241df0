"""Folders of roots: added to, taken from and undone, with OpenSSL itself as the judge, and killed at every call."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reroot.collect import _trustfolders as folders
from reroot.collect import trustfiles
from reroot.errors import GateClosed, TrustStoreError
from reroot.pki.certificate import Certificate
from reroot.readers._folder import subject_hash
from tests.readers.keystores import SCRUBBED
from tests.readers.shapes import NOW, Authority, authority, private_key, workshop

from .test_trustfiles_faults import scratch as scratch
from .test_trustfiles_faults import shim as shim

W = workshop()
A, B, TWIN, RSA = (Certificate(root.der) for root in (W.a, W.b, W.twin, W.rsa))
THIRD = authority("Root A")
ROW = subject_hash(A)
HERE = Path(__file__).parent


@pytest.fixture
def journal(tmp_path: Path) -> trustfiles.Journal:
    return trustfiles.Journal(tmp_path / "state")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "roots"
    made.mkdir()
    return made


def hashed(folder: Path, *roots: Authority, way: str = "files") -> Path:
    """A folder as people make it: files with the hash for a name, or ``openssl rehash`` and its links."""
    for number, root in enumerate(roots):
        (folder / f"root-{number}.pem").write_bytes(root.pem)
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True, env=SCRUBBED)
    if way == "files":
        for name in os.listdir(folder):
            if (folder / name).is_symlink():
                (folder / name).resolve().replace(folder / name)
    return folder


def listing(folder: Path) -> dict[str, object]:
    """Everything about a folder: names, bytes or link targets, modes."""
    found: dict[str, object] = {}
    for name in sorted(os.listdir(folder)):
        path = folder / name
        found[name] = os.readlink(path) if path.is_symlink() else (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    return found


def beneath(root: Authority) -> bytes:
    """A certificate that names its issuer's key, as twins of one name need it."""
    key = ec.generate_private_key(ec.SECP256R1())
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db.example.test")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=10))
        .not_valid_after(NOW + timedelta(days=3000))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def openssl_trusts(folder: Path, *roots: Authority) -> list[bool]:
    """Whether the real OpenSSL finds each root by its hash and verifies what it signed."""
    found = []
    for root in roots:
        leaf = folder.parent / "leaf.pem"
        leaf.write_bytes(beneath(root))
        command = ["openssl", "verify", "-no-CAfile", "-no-CAstore", "-CApath", str(folder), str(leaf)]
        found.append(subprocess.run(command, capture_output=True, env=SCRUBBED).returncode == 0)
    return found


@pytest.mark.parametrize("way", ["files", "links"])
def test_a_root_that_is_added_is_found_by_openssl(way: str, folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a, W.twin, way=way)
    before = listing(folder)
    change = trustfiles.add_root(folder, [Certificate(THIRD.der), B], execute=True, journal=journal)
    assert change.executed
    assert len(change.added) == 2
    assert openssl_trusts(folder, W.a, W.twin, W.b, THIRD) == [True] * 4
    assert before.items() <= listing(folder).items()
    again = trustfiles.add_root(folder, [B], execute=True, journal=journal)
    assert again.unchanged
    assert not again.executed


@pytest.mark.parametrize("way", ["files", "links"])
@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_root_that_goes_leaves_no_gap_before_the_others(gone: int, way: str, folder: Path, journal: trustfiles.Journal) -> None:
    roots = [W.a, W.twin, THIRD, W.b]
    hashed(folder, *roots, way=way)
    before = listing(folder)
    change = trustfiles.remove_root(folder, [Certificate(roots[gone].der)], execute=True, retire=True, journal=journal)
    assert change.removed == (Certificate(roots[gone].der),)
    assert openssl_trusts(folder, *roots) == [n != gone for n in range(4)]
    assert sorted(n for n in os.listdir(folder) if n.startswith(ROW)) == [f"{ROW}.0", f"{ROW}.1"]
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True, env=SCRUBBED)
    assert openssl_trusts(folder, *roots)[gone] is False
    trustfiles.undo(folder, execute=True, journal=journal)
    assert listing(folder) == before or way == "files"  # openssl rehash has taken the links away that it did not make
    assert openssl_trusts(folder, *roots) == [True] * 4


@pytest.mark.parametrize("way", ["files", "links"])
@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2), (1, 3)], ids=str)
def test_undo_brings_back_every_name_byte_link_and_mode(
    gone: tuple[int, ...], way: str, folder: Path, journal: trustfiles.Journal
) -> None:
    roots = [W.a, W.twin, THIRD, W.b]
    hashed(folder, *roots, way=way)
    for name in os.listdir(folder):
        if not (folder / name).is_symlink():
            (folder / name).chmod(0o640)
    before = listing(folder)
    trustfiles.remove_root(folder, [Certificate(roots[n].der) for n in gone], execute=True, retire=True, journal=journal)
    assert openssl_trusts(folder, *roots) == [n not in gone for n in range(4)]
    foreseen = trustfiles.undo(folder, execute=False, journal=journal)
    assert len(foreseen.added) == len(gone)
    trustfiles.undo(folder, execute=True, journal=journal)
    assert listing(folder) == before
    with pytest.raises(TrustStoreError, match="no change that could be undone"):
        trustfiles.undo(folder, execute=True, journal=journal)


def test_adding_is_undone_from_its_end(folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a)
    before = listing(folder)
    trustfiles.add_root(folder, [TWIN, B], execute=True, journal=journal)
    between = listing(folder)
    trustfiles.add_root(folder, [RSA], execute=True, journal=journal)
    trustfiles.undo(folder, execute=True, journal=journal)
    assert listing(folder) == between
    trustfiles.undo(folder, execute=True, journal=journal)
    assert listing(folder) == before


def test_what_was_added_behind_it_by_others_stays_when_adding_is_undone(folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a)
    trustfiles.add_root(folder, [TWIN], execute=True, journal=journal)
    (folder / f"{ROW}.2").write_bytes(THIRD.pem)
    trustfiles.undo(folder, execute=True, journal=journal)
    assert openssl_trusts(folder, W.a, W.twin, THIRD) == [True, False, True]


def test_what_was_changed_since_is_not_undone(folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a)
    trustfiles.add_root(folder, [TWIN], execute=True, journal=journal)
    (folder / f"{ROW}.1").write_bytes(THIRD.pem)
    before = listing(folder)
    with pytest.raises(TrustStoreError, match="changed since"):
        trustfiles.undo(folder, execute=True, journal=journal)
    assert listing(folder) == before


REFUSED = {
    "with its key": (W.a.pem + private_key(W.a), "more than the root"),
    "with another root": (W.a.pem + W.rsa.pem, "more than the root"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_holds_more_is_not_taken_away(name: str, folder: Path, journal: trustfiles.Journal) -> None:
    content, why = REFUSED[name]
    hashed(folder, W.b)
    (folder / f"{ROW}.0").write_bytes(content)
    before = listing(folder)
    with pytest.raises(TrustStoreError, match=why):
        trustfiles.remove_root(folder, [A], execute=True, retire=True, journal=journal)
    assert listing(folder) == before


def test_the_last_root_stays_and_removal_asks_for_the_gate(folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a, W.b)
    with pytest.raises(TrustStoreError, match="without a root"):
        trustfiles.remove_root(folder, [A, B], execute=True, retire=True, journal=journal)
    with pytest.raises(GateClosed):
        trustfiles.remove_root(folder, [A], execute=True, journal=journal)


def test_a_root_that_nobody_asked_for_is_not_brought_to_light(folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a)
    (folder / f"{ROW}.2").write_bytes(W.twin.pem)
    before = listing(folder)
    with pytest.raises(TrustStoreError, match="other roots"):
        trustfiles.add_root(folder, [Certificate(THIRD.der)], execute=True, journal=journal)
    assert listing(folder) == before


def test_a_file_that_cannot_be_kept_whole_is_not_taken_away(folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a, W.b)
    try:
        os.setxattr(folder / f"{ROW}.0", "user.origin", b"by hand")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    with pytest.raises(TrustStoreError, match="extended attributes"):
        trustfiles.remove_root(folder, [A], execute=True, retire=True, journal=journal)
    assert A in folders.look(str(folder)).anchors.certificates


def test_a_folder_behind_a_link_stays_inside_what_is_allowed(tmp_path: Path, folder: Path, journal: trustfiles.Journal) -> None:
    hashed(folder, W.a)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(folder)
    with pytest.raises(TrustStoreError, match="leads out"):
        trustfiles.add_root(tmp_path / "in" / "link", [B], execute=True, allowed=str(tmp_path / "in"), journal=journal)
    assert trustfiles.add_root(tmp_path / "in" / "link", [B], execute=True, journal=journal).executed


def test_a_folder_that_a_command_makes_anew_gets_a_patch(
    folder: Path, journal: trustfiles.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed(folder, W.a)
    monkeypatch.setitem(folders.MADE, str(folder), ("update-ca-certificates", "put the root elsewhere"))
    before = listing(folder)
    change = trustfiles.add_root(folder, [B], execute=True, journal=journal)
    assert (change.executed, change.managed) == (False, "`update-ca-certificates`")
    assert W.b.pem in change.patch.encode()
    assert listing(folder) == before


@pytest.mark.skipif(not shutil.which("update-ca-certificates"), reason="no ca-certificates of Debian on this machine")
def test_debians_command_takes_what_is_added_and_drops_what_is_removed(
    tmp_path: Path, journal: trustfiles.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, etc, hooks = tmp_path / "local", tmp_path / "etc", tmp_path / "hooks"
    for made in (local, etc, hooks):
        made.mkdir()
    (tmp_path / "conf").write_text("# none\n")
    monkeypatch.setattr(folders, "SYSTEMS", (folders.System(str(local), ".crt", "update-ca-certificates"),))

    def bundle() -> set[bytes]:
        places = {"certsconf": tmp_path / "conf", "localcertsdir": local, "etccertsdir": etc, "hooksdir": hooks}
        command = ["update-ca-certificates", *(part for n, p in places.items() for part in (f"--{n}", str(p)))]
        subprocess.run(command, check=True, capture_output=True, env=SCRUBBED)
        text = (etc / "ca-certificates.crt").read_bytes()
        return {root.der for root in (W.a, W.b, W.twin, W.rsa) if root.pem in text}

    (local / "own.crt").write_bytes(W.a.pem)
    (local / "ignored.pem").write_bytes(W.rsa.pem)
    (local / "two.crt").write_bytes(W.twin.pem + W.rsa.pem)
    change = trustfiles.add_root(local, [B], execute=True, journal=journal)
    assert "update-ca-certificates" in change.instead
    assert {c.der for c in change.after} == bundle() == {W.a.der, W.b.der, W.twin.der, W.rsa.der}
    held = folders.look(str(local))
    assert {p.code for p in held.anchors.problems} == {"wrong-ending", "several-in-one"}
    trustfiles.remove_root(local, [A], execute=True, retire=True, journal=journal)
    assert bundle() == {W.b.der, W.twin.der, W.rsa.der}
    trustfiles.undo(local, execute=True, journal=journal)
    assert bundle() == {W.a.der, W.b.der, W.twin.der, W.rsa.der}


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def run(shim: Path, folder: Path, act: str, what: str, *rest: object) -> dict[str, Any]:
    pristine = folder / "pristine"
    pristine.mkdir(parents=True)
    hashed(pristine, W.a, W.twin, THIRD, W.b, way="links" if "link" in act else "files")
    for name, root in (("next", W.rsa), ("next2", W.expired)):
        (folder / f"{name}.roots").write_bytes(root.pem)
    ran = subprocess.run(
        [sys.executable, str(HERE / "faulty_folder.py"), str(folder), act, what, *map(str, rest)],
        env=os.environ | {"LD_PRELOAD": str(shim)}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    seen: dict[str, Any] = json.loads(ran.stdout)
    assert {k: v for k, v in seen.items() if isinstance(v, list) and v} == {}
    return seen


ACTS = ("add", "remove", "remove linked", "undo add", "undo remove", "undo remove linked")
EVERYDAY = {
    ("add", "kill"),
    ("remove linked", "kill-after"),
    ("undo remove linked", "kill"),
    ("remove linked", "full and forbidden"),
}


def combined(*kinds: str) -> list[object]:
    """Every act with every kind of fault; a few of them every day."""
    return [
        pytest.param(act, kind, id=f"{act}, {kind}", marks=() if (act, kind) in EVERYDAY else pytest.mark.matrix)
        for act in ACTS
        for kind in kinds
    ]


@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler on this machine")
@pytest.mark.parametrize(("act", "what"), combined("kill", "kill-after"))
def test_killed_at_every_call_no_root_is_missing_that_belongs_there(act: str, what: str, shim: Path, scratch: Path) -> None:
    assert run(shim, scratch / "work", act, what)["rounds"] > 25


@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler on this machine")
@pytest.mark.parametrize(("act", "kind"), combined("full and forbidden", "every other"))
def test_whatever_call_fails_the_folder_is_whole_and_the_error_clear(act: str, kind: str, shim: Path, scratch: Path) -> None:
    seen = run(shim, scratch / "work", act, "errno", *ERRNOS[kind])
    assert set(seen["codes"]) <= {"0", "2"}
    assert seen["codes"]["2"] > 0


ERRNOS = {
    "full and forbidden": (errno.ENOSPC, errno.EPERM),
    "every other": (errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES),
}
