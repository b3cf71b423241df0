"""Changes of trust store files: what is added is trusted, what was there stays, and what is unsafe is refused with the reason."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reroot import readers, truststores
from reroot.collect import _trustwrite, trustfiles
from reroot.errors import GateClosed, TrustStoreError
from reroot.model import Secret
from reroot.pki.certificate import Certificate
from reroot.truststores import Change, pem
from tests.readers.shapes import authority, pem_shapes, private_key, workshop

PASSWORD = "changeit"
FORMATS = ("pem", "jks", "jceks", "pkcs12", "pkcs7")


@pytest.fixture
def journal(tmp_path: Path) -> trustfiles.Journal:
    return trustfiles.Journal(tmp_path / "state")


def roots(*names: str) -> tuple[Certificate, ...]:
    w = workshop()
    return tuple(Certificate(getattr(w, name).der) for name in names)


def store(folder: Path, format: str, *names: str) -> Path:
    path = folder / f"store.{format}"
    create = truststores.find(format).create
    assert create is not None
    path.write_bytes(create(roots(*names), Secret(PASSWORD)))
    return path


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if ".reroot" in name]


@pytest.mark.parametrize("format", FORMATS)
def test_added_roots_are_trusted_and_the_old_ones_stay(format: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, format, "a")
    change = trustfiles.add_root(path, roots("b", "rsa"), execute=True, password=PASSWORD, journal=journal)
    assert change.executed
    assert (change.kept, change.added, change.removed) == (roots("a"), roots("b", "rsa"), ())
    assert truststores.read(path.read_bytes(), Secret(PASSWORD)).certificates == roots("a", "b", "rsa")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("format", FORMATS)
def test_adding_twice_changes_nothing_and_says_so(format: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, format, "a")
    trustfiles.add_root(path, roots("b"), execute=True, password=PASSWORD, journal=journal)
    before, status = path.read_bytes(), path.stat()
    change = trustfiles.add_root(path, roots("b"), execute=True, password=PASSWORD, journal=journal)
    assert change.unchanged
    assert not change.executed
    assert path.read_bytes() == before
    assert path.stat().st_ino == status.st_ino


@pytest.mark.parametrize("format", FORMATS)
def test_a_dry_run_writes_nothing(format: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, format, "a")
    before = path.read_bytes()
    change = trustfiles.add_root(path, roots("b"), execute=False, password=PASSWORD, journal=journal)
    assert change.added == roots("b")
    assert not change.executed
    assert path.read_bytes() == before
    assert not journal.path.exists()


@pytest.mark.parametrize("format", FORMATS)
def test_undo_brings_back_every_byte(format: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, format, "a")
    contents = [path.read_bytes()]
    for name in ("b", "rsa"):
        trustfiles.add_root(path, roots(name), execute=True, password=PASSWORD, journal=journal)
        contents.append(path.read_bytes())
    trustfiles.remove_root(path, roots("a"), execute=True, retire=True, password=PASSWORD, journal=journal)
    for content in reversed(contents):
        trustfiles.undo(path, execute=True, password=PASSWORD, journal=journal)
        assert path.read_bytes() == content
    with pytest.raises(TrustStoreError, match="no change that could be undone"):
        trustfiles.undo(path, execute=True, password=PASSWORD, journal=journal)


def test_undo_is_refused_when_somebody_else_wrote_since(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    path.write_bytes(path.read_bytes() + b"# mine\n")
    with pytest.raises(TrustStoreError, match="changed since"):
        trustfiles.undo(path, execute=True, journal=journal)
    assert path.read_bytes().endswith(b"# mine\n")


@pytest.mark.parametrize("format", FORMATS)
def test_removal_needs_the_retire_gate(format: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, format, "a", "b")
    before = path.read_bytes()
    with pytest.raises(GateClosed):
        trustfiles.remove_root(path, roots("a"), execute=True, password=PASSWORD, journal=journal)
    assert path.read_bytes() == before
    change = trustfiles.remove_root(path, roots("a"), execute=True, retire=True, password=PASSWORD, journal=journal)
    assert change.removed == roots("a")
    assert truststores.read(path.read_bytes(), Secret(PASSWORD)).certificates == roots("b")


def test_the_last_root_is_not_taken_away(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    with pytest.raises(TrustStoreError, match="without a root"):
        trustfiles.remove_root(path, roots("a"), execute=True, retire=True, journal=journal)


def test_bytes_outside_the_change_stay(tmp_path: Path, journal: trustfiles.Journal) -> None:
    w = workshop()
    content = b"# our roots\r\n\r\n" + w.a.pem + private_key(w.leaf) + b"# the end"
    path = tmp_path / "mixed.pem"
    path.write_bytes(content)
    trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    assert path.read_bytes().startswith(content + b"\r\n-----BEGIN CERTIFICATE-----")
    trustfiles.remove_root(path, roots("a"), execute=True, retire=True, journal=journal)
    assert path.read_bytes().startswith(b"# our roots\r\n\r\n" + private_key(w.leaf) + b"# the end\r\n")


SHAPES = pem_shapes()


def _extract(content: bytes) -> Callable[[bytes], bytes] | None:
    try:
        return truststores.find(truststores.detect(content)).extract
    except TrustStoreError:
        return None


@pytest.mark.parametrize("name", sorted(SHAPES))
@pytest.mark.parametrize("reader", ["openssl-3.0", "java-17", "go-1.19", "node-20"])
def test_whatever_the_file_is_like_no_root_is_lost(name: str, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_bytes(SHAPES[name])
    stack, version = readers.parse(reader)

    def seen() -> frozenset[Certificate]:
        content = path.read_bytes()
        if content.strip() and (extract := _extract(content)):
            content = extract(content)
        return frozenset(readers.effective(stack, version, content, store_type="PEM").certificates)

    before = seen()
    new = Certificate(authority("Next").der)
    try:
        change = trustfiles.add_root(path, [new], execute=True, reader=reader, journal=trustfiles.Journal(tmp_path / "state"))
    except TrustStoreError:
        assert path.read_bytes() == SHAPES[name]
        return
    assert change.executed
    assert seen() == before | {new}


@given(st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=4), st.integers(0, 5))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_bundle_is_the_old_one_with_something_behind_it(names: list[str], cut: int) -> None:
    content = b"".join(SHAPES[name] for name in names)
    content = content[: len(content) - cut]
    try:
        new = pem.write(content, Change(add=roots("b")))
    except TrustStoreError:
        return
    assert new.startswith(content)
    assert pem.write(new, Change(add=roots("b"))) == new
    assert roots("b")[0] in pem.read(new).certificates


# ── the file's own facts ─────────────────────────────────────────────────────────────────────────


def test_owner_mode_and_attributes_stay(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    path.chmod(0o2640)
    os.setxattr(path, "user.origin", b"by hand")
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    path.chmod(0o2640)
    before = path.stat()
    trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert os.getxattr(path, "user.origin") == b"by hand"


@pytest.mark.skipif(not shutil.which("setfacl"), reason="no setfacl on this machine")
def test_an_access_list_stays_and_the_folders_default_does_not_creep_in(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    subprocess.run(["setfacl", "-m", "u:1234:r", str(path)], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u:4321:rw", str(tmp_path)], check=True)
    before = subprocess.run(["getfacl", "-cn", str(path)], check=True, capture_output=True).stdout
    trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    assert subprocess.run(["getfacl", "-cn", str(path)], check=True, capture_output=True).stdout == before


def test_a_file_with_two_names_is_refused(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    os.link(path, tmp_path / "other.pem")
    with pytest.raises(TrustStoreError, match="2 names"):
        trustfiles.add_root(path, roots("b"), execute=True, journal=journal)


def test_an_immutable_file_is_refused(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    if subprocess.run(["chattr", "+i", str(path)], capture_output=True).returncode:
        pytest.skip("this file system or user cannot make a file immutable")
    try:
        with pytest.raises(TrustStoreError, match="immutable"):
            trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.parametrize("kind", ["fifo", "folder of something else", "missing", "device"])
def test_what_is_no_file_is_refused(kind: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = tmp_path / "store"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind.startswith("folder"):
        path.mkdir()
        (path / "notes.txt").touch()
    elif kind == "device":
        path = Path("/dev/null")
    with pytest.raises(TrustStoreError):
        trustfiles.add_root(path, roots("b"), execute=True, journal=journal)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_file_of_somebody_else_is_refused_to_those_who_cannot_keep_its_owner(tmp_path: Path) -> None:
    path = store(tmp_path, "pem", "a")
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            trustfiles.add_root(path, roots("b"), execute=True, journal=trustfiles.Journal(tmp_path / "nobody"))
        except TrustStoreError as error:
            code = 0 if "cannot be changed" in error.message and "owner" in error.hint else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert path.read_bytes() == before
    assert leftovers(tmp_path) == []


# ── links ────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, journal: trustfiles.Journal) -> None:
    (tmp_path / "here").mkdir()
    target = store(tmp_path, "pem", "a")
    link = tmp_path / "here" / "link.pem"
    link.symlink_to(target)
    before = target.read_bytes()
    with pytest.raises(TrustStoreError, match="leads out of"):
        trustfiles.add_root(link, roots("b"), execute=True, journal=journal)
    assert target.read_bytes() == before


@pytest.mark.parametrize("way", ["relative", "absolute", "through a folder"])
def test_an_allowed_link_is_followed_and_stays_a_link(way: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    (tmp_path / "real").mkdir()
    target = store(tmp_path / "real", "pem", "a")
    link = tmp_path / "link.pem"
    if way == "through a folder":
        (tmp_path / "alias").symlink_to("real")
        link = tmp_path / "alias" / target.name
    else:
        link.symlink_to(target if way == "absolute" else f"real/{target.name}")
    change = trustfiles.add_root(link, roots("b"), execute=True, allowed=str(tmp_path), journal=journal)
    assert change.executed
    assert roots("b")[0] in pem.read(target.read_bytes()).certificates
    assert stat.S_ISLNK((tmp_path / "alias" if way == "through a folder" else link).lstat().st_mode)


@pytest.mark.parametrize("link", ["../out.pem", "/etc/hostname", "x/../../out.pem", "loop"])
def test_a_link_that_leaves_the_allowed_folder_is_refused(link: str, tmp_path: Path, journal: trustfiles.Journal) -> None:
    inside = tmp_path / "in"
    (inside / "x").mkdir(parents=True)
    (tmp_path / "out.pem").write_bytes(workshop().a.pem)
    path = inside / ("loop" if link == "loop" else "link.pem")
    path.symlink_to(link)
    with pytest.raises(TrustStoreError):
        trustfiles.add_root(path, roots("b"), execute=True, allowed=str(inside), journal=journal)
    assert (tmp_path / "out.pem").read_bytes() == workshop().a.pem


def test_a_path_outside_the_allowed_folder_is_refused(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    (tmp_path / "in").mkdir()
    with pytest.raises(TrustStoreError, match="stands outside"):
        trustfiles.add_root(path, roots("b"), execute=True, allowed=str(tmp_path / "in"), journal=journal)


# ── files that others write ──────────────────────────────────────────────────────────────────────


def test_a_kubernetes_mount_gets_a_patch_instead(tmp_path: Path, journal: trustfiles.Journal) -> None:
    mount = tmp_path / "mount"
    (mount / "..2026_01").mkdir(parents=True)
    store(mount / "..2026_01", "pem", "a").rename(mount / "..2026_01" / "ca.pem")
    (mount / "..data").symlink_to("..2026_01")
    (mount / "ca.pem").symlink_to("..data/ca.pem")
    before = (mount / "ca.pem").read_bytes()
    change = trustfiles.add_root(mount / "ca.pem", roots("b"), execute=True, journal=journal)
    assert not change.executed
    assert "Kubernetes" in change.managed
    assert (mount / "ca.pem").read_bytes() == before
    if shutil.which("patch"):
        (tmp_path / "copy.pem").write_bytes(before)
        subprocess.run(
            ["patch", "-p1", str(tmp_path / "copy.pem")], input=change.patch, text=True, check=True, capture_output=True
        )
        assert pem.read((tmp_path / "copy.pem").read_bytes()).certificates == roots("a", "b")


@pytest.mark.parametrize(
    "head", [b"# Managed by Puppet\n", b"# This file is managed by Ansible\n", b"# ansible managed: x\n", b"# DO NOT EDIT\n"]
)
def test_a_file_that_names_its_owner_gets_a_patch_instead(head: bytes, tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(head + workshop().a.pem)
    change = trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    assert not change.executed
    assert change.patch.count("+-----BEGIN CERTIFICATE-----") == 1


def test_a_bind_mounted_file_gets_a_patch_instead(tmp_path: Path) -> None:
    path = store(tmp_path, "pem", "a")
    (tmp_path / "mounted.pem").touch()
    program = (
        "from reroot.collect import trustfiles; from reroot.truststores import pem; import sys, pathlib\n"
        "root = pem.blocks(pathlib.Path(sys.argv[2]).read_bytes())[0].certificate\n"
        "change = trustfiles.add_root(sys.argv[1], [root], execute=True, journal=trustfiles.Journal(pathlib.Path(sys.argv[3])))\n"
        "print(change.executed, change.managed)"
    )
    (tmp_path / "b.pem").write_bytes(workshop().b.pem)
    script = 'mount --bind "$1" "$2" && shift && exec "$PYTHON" -c "$PROGRAM" "$@"'
    ran = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            script,
            "sh",
            str(path),
            str(tmp_path / "mounted.pem"),
            str(tmp_path / "b.pem"),
            str(tmp_path / "s"),
        ],
        env=os.environ | {"PYTHON": sys.executable, "PROGRAM": program},
        capture_output=True,
        text=True,
    )
    if "Operation not permitted" in ran.stderr or "unshare" in ran.stderr or "mount" in ran.stderr:
        pytest.skip("no mounts here: " + ran.stderr.strip())
    assert ran.stdout.strip() == "False a bind mount of this one file", ran.stderr


# ── others at work ───────────────────────────────────────────────────────────────────────────────


def test_a_write_in_between_is_noticed_and_kept(
    tmp_path: Path, journal: trustfiles.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(tmp_path, "pem", "a")
    real, times = _trustwrite._make, []

    def disturbed(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        if not times:
            path.write_bytes(path.read_bytes() + workshop().rsa.pem)
        times.append(1)

    monkeypatch.setattr(_trustwrite, "_make", disturbed)
    trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    assert len(times) == 2
    assert pem.read(path.read_bytes()).certificates == roots("a", "rsa", "b")


def test_after_three_lost_races_nothing_was_changed(
    tmp_path: Path, journal: trustfiles.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(tmp_path, "pem", "a")
    real = _trustwrite._make

    def disturbed(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        path.write_bytes(path.read_bytes() + b"# again\n")

    monkeypatch.setattr(_trustwrite, "_make", disturbed)
    with pytest.raises(TrustStoreError, match="3 times"):
        trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    assert path.read_bytes().count(b"# again\n") == 3
    assert leftovers(tmp_path) == []


def test_a_change_that_was_cut_off_is_cleaned_up_at_the_next_start(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    before = path.read_bytes()
    child = os.fork()
    if child == 0:
        _trustwrite.os.rename = lambda *a, **k: os._exit(9)  # type: ignore[assignment]
        trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert len(leftovers(tmp_path)) == 1
    assert trustfiles.recover(journal) == ()
    assert leftovers(tmp_path) == []
    assert path.read_bytes() == before
    assert [line.end for line in journal.lines()] == ["dropped"]


def test_without_a_journal_nothing_is_changed(tmp_path: Path) -> None:
    path = store(tmp_path, "pem", "a")
    before = path.read_bytes()
    (tmp_path / "state").write_text("a file where the folder belongs")
    with pytest.raises(TrustStoreError, match="journal"):
        trustfiles.add_root(path, roots("b"), execute=True, journal=trustfiles.Journal(tmp_path / "state"))
    assert path.read_bytes() == before


def test_a_torn_line_of_the_journal_is_passed_over(tmp_path: Path, journal: trustfiles.Journal) -> None:
    path = store(tmp_path, "pem", "a")
    trustfiles.add_root(path, roots("b"), execute=True, journal=journal)
    with journal.path.open("ab") as file:
        file.write(b'{"intent": {"id": "half')
    trustfiles.add_root(path, roots("rsa"), execute=True, journal=journal)
    assert [line.end for line in journal.lines()] == ["done", "done"]


def test_the_journal_holds_no_key_and_is_for_its_owner_only(tmp_path: Path, journal: trustfiles.Journal) -> None:
    w = workshop()
    path = tmp_path / "mixed.pem"
    path.write_bytes(private_key(w.leaf) + w.leaf.pem + w.a.pem)
    trustfiles.add_root(path, roots("b"), execute=True, password="hunter2-not-needed", journal=journal)
    assert b"PRIVATE" not in journal.path.read_bytes()
    assert b"hunter2" not in journal.path.read_bytes()
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("format", ["jks", "jceks", "pkcs12"])
@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_key_store_is_not_changed_without_its_password(
    format: str, password: str | None, tmp_path: Path, journal: trustfiles.Journal
) -> None:
    path = store(tmp_path, format, "a")
    before = path.read_bytes()
    with pytest.raises(TrustStoreError, match="password"):
        trustfiles.add_root(path, roots("b"), execute=True, password=password, journal=journal)
    assert path.read_bytes() == before


def test_one_file_that_cannot_be_changed_does_not_keep_the_others_from_it(tmp_path: Path, journal: trustfiles.Journal) -> None:
    files = []
    for number in range(12):
        files.append(tmp_path / f"{number}.pem")
        files[-1].write_bytes(workshop().a.pem if number != 7 else b"-----BEGIN CERTIFICATE-----\nnothing")

    results = trustfiles.many(
        [str(f) for f in files], lambda path, book: trustfiles.add_root(path, roots("b"), execute=True, journal=book), execute=True,
        journal=journal,
    )  # fmt: skip
    assert [path for path, change, _ in results if change is None] == [str(files[7])]
    assert all(change.executed for _, change, _ in results if change is not None)
