"""The cache: the same answer, without reading what has not changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reroot.collect.scan import _remembered, _scan, _workers
from reroot.collect.scan._scan import Scan, scan


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    for number in range(5):
        (root / f"{number}.env").write_text("PGSSLMODE=require\n")
    return root


def again(root: Path) -> Scan:
    return scan([str(root)], use_cache=True, processes=1)


def remembered(tmp_path: Path) -> list[Path]:
    return [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_an_unchanged_tree_is_not_read_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = again(tree)
    monkeypatch.setattr(_workers, "look", lambda *_, **__: pytest.fail("read again"))
    assert again(tree).findings == first.findings


def test_a_changed_file_is_read_again_and_a_removed_one_forgotten(tree: Path) -> None:
    again(tree)
    (tree / "1.env").write_text("PGSSLMODE=disable\n")
    os.unlink(tree / "2.env")
    assert {f.path: f.mode for f in again(tree).findings} == {
        "0.env": "require",
        "1.env": "disable",
        "3.env": "require",
        "4.env": "require",
    }


def test_a_damaged_cache_is_no_cache(tree: Path, tmp_path: Path) -> None:
    first = again(tree)
    for file in remembered(tmp_path):
        file.write_bytes(file.read_bytes()[:-20])
    assert again(tree).findings == first.findings


def test_the_cache_holds_no_password(tree: Path, tmp_path: Path) -> None:
    (tree / "x.env").write_text(
        "DATABASE_URL=postgres://app:hunter2@h/d?sslmode=require\nPGPASSWORD=hunter3\nDB_SSL_PASSWORD=hunter4\n"
    )
    again(tree)
    kept = b"".join(file.read_bytes() for file in remembered(tmp_path))
    assert b"require" in kept
    assert b"hunter" not in kept


def test_workers_find_the_same_as_one_process(tree: Path) -> None:
    for number in range(200):
        (tree / f"n{number}.env").write_text(f"PGSSLMODE=require\nPGSSLROOTCERT=/x{number}.pem\n")
    assert scan([str(tree)], processes=3).findings == scan([str(tree)], processes=1).findings


def test_nothing_is_walked_while_nothing_has_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = again(tree)
    monkeypatch.setattr(_scan.Walk, "paths", lambda _: pytest.fail("walked again"))
    second = again(tree)
    assert (second.findings, second.counts()) == (first.findings, first.counts())


CHANGES = {
    "a new file": lambda tree: (tree / "new.env").write_text("PGSSLMODE=allow\n"),
    "a new file in a new folder": lambda tree: ((tree / "in").mkdir(), (tree / "in/new.env").write_text("PGSSLMODE=allow\n")),
    "a file of the same size": lambda tree: (tree / "1.env").write_text("PGSSLMODE=disable\n"),
    "a file that moved": lambda tree: (tree / "1.env").rename(tree / "one.env"),
    "a rule that ignores": lambda tree: (tree / ".gitignore").write_text("notes/\n3.env\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_noticed(change: Callable[[Path], object], tree: Path) -> None:
    (tree / ".gitignore").write_text("notes/\n")
    again(tree)
    change(tree)
    assert again(tree).findings == scan([str(tree)], processes=1).findings


def test_a_change_is_noticed_by_whichever_process_sees_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remembered, "WORTH_A_FORK", 1)
    for number in range(5):
        scan([str(tree)], use_cache=True, processes=3)
        (tree / f"{number}.env").write_text("PGSSLMODE=disable\n")
        found = scan([str(tree)], use_cache=True, processes=3).findings
        assert {f.path for f in found if f.mode == "disable"} == {f"{n}.env" for n in range(number + 1)}


def test_another_question_is_not_answered_with_the_last_answer(tree: Path) -> None:
    again(tree)
    assert {f.path for f in scan([str(tree)], use_cache=True, excludes=["[0-3].env"]).findings} == {"4.env"}


def test_an_ignore_and_a_baseline_hold_for_what_is_remembered(tree: Path) -> None:
    (tree / "0.env").write_text("PGSSLMODE=require # reroot: ignore RR110 until 2999-01-01 reason=known\n")
    first = again(tree)
    assert first.accepted == 1
    known = frozenset(f.fingerprint for f in first.findings if f.path == "4.env")
    second = scan([str(tree)], use_cache=True, accepted=known)
    assert ({f.path for f in second.findings}, second.accepted) == ({"1.env", "2.env", "3.env"}, 2)
