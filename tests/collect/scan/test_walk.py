"""Which files a scan looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

from reroot.collect.scan import _walk
from reroot.collect.scan._walk import Walk


def tree(root: Path, files: dict[str, str]) -> Path:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(body)
    return root


@pytest.mark.parametrize(
    ("ignore", "wanted"),
    [
        ("build/\n", {"src/a.py", "keep.log", "src/b.log"}),
        ("*.log\n", {"src/a.py", "build/x.py"}),
        ("*.log\n!keep.log\n", {"src/a.py", "build/x.py", "keep.log"}),
        ("/src/*.log\n", {"src/a.py", "build/x.py", "keep.log"}),
        ("# nothing\n\n", {"src/a.py", "build/x.py", "keep.log", "src/b.log"}),
    ],
)
def test_gitignore_means_what_it_means_to_git(ignore: str, wanted: set[str], tmp_path: Path) -> None:
    tree(tmp_path, {"src/a.py": "", "src/b.log": "", "build/x.py": "", "keep.log": "", ".gitignore": ignore})
    assert set(Walk(str(tmp_path)).paths()) - {".gitignore"} == wanted


def test_a_deeper_gitignore_has_the_last_word(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*.conf\n", "a/.gitignore": "!x.conf\n", "a/x.conf": "", "b/x.conf": ""})
    assert {p for p in Walk(str(tmp_path)).paths() if p.endswith(".conf")} == {"a/x.conf"}


def test_what_a_repository_hides_because_it_is_real_is_read_all_the_same(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            ".gitignore": ".env\n*.tfvars\n*.pem\nnode_modules/\nout/\n",
            ".env": "",
            "prod.tfvars": "",
            "rds.pem": "",
            "node_modules/pg/x.js": "",
            "out/y.js": "",
        },
    )
    walk = Walk(str(tmp_path))
    assert set(walk.paths()) == {".gitignore", ".env", "prod.tfvars", "rds.pem", "node_modules/pg/x.js"}
    assert walk.ignored == 1


def test_excludes_and_rerootignore_hold_without_gitignore(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "a.py\n", ".rerootignore": "b.py\n", "a.py": "", "b.py": "", "c.py": ""})
    assert set(Walk(str(tmp_path), ["c.*"], gitignore=False).paths()) == {".gitignore", ".rerootignore", "a.py"}


def test_gits_own_folder_is_never_looked_at(tmp_path: Path) -> None:
    tree(tmp_path, {".git/config": "sslmode=require", "a.py": ""})
    assert set(Walk(str(tmp_path)).paths()) == {"a.py"}


def test_too_many_files_are_a_limit_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_walk, "MAX_FILES", 3)
    tree(tmp_path, {f"f{i}": "" for i in range(5)})
    walk = Walk(str(tmp_path))
    assert len(list(walk.paths())) == 3
    assert "more than 3 files" in walk.limits[0].why
