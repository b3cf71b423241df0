"""The cache: the same answer, without reading what has not changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reroot.collect.scan import _workers
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
    for file in (tmp_path / "cache").rglob("*.bin"):
        file.write_bytes(file.read_bytes()[:-20])
    assert again(tree).findings == first.findings


def test_the_cache_holds_no_password(tree: Path, tmp_path: Path) -> None:
    (tree / "x.env").write_text(
        "DATABASE_URL=postgres://app:hunter2@h/d?sslmode=require\nPGPASSWORD=hunter3\nDB_SSL_PASSWORD=hunter4\n"
    )
    again(tree)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "cache").rglob("*.bin"))
    assert b"require" in kept
    assert b"hunter" not in kept


def test_workers_find_the_same_as_one_process(tree: Path) -> None:
    for number in range(200):
        (tree / f"n{number}.env").write_text(f"PGSSLMODE=require\nPGSSLROOTCERT=/x{number}.pem\n")
    assert scan([str(tree)], processes=3).findings == scan([str(tree)], processes=1).findings
