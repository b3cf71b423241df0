"""Walking a tree that nobody vouches for: regular files only, links not followed, depth and number capped and reported."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._finding import Limit
from ._remembered import signature

MAX_FOLDERS_DEEP = 64
MAX_FILES = 1_000_000
NEVER = frozenset({".git", ".hg", ".svn", "__pycache__", ".mypy_cache", ".ruff_cache", ".terraform", ".reroot"})
VENDORED = frozenset(
    {
        "node_modules",
        "site-packages",
        "dist-packages",
        "vendor",
        "bower_components",
        "gems",
        "third_party",
        ".venv",
        "venv",
        "Pods",
        ".bundle",
        ".yarn",
        ".pnpm-store",
    }
)
IGNORE_FILES = frozenset({".gitignore", ".rerootignore"})
KEPT = re.compile(
    r"(^|/)(\.env[\w.-]*|[\w.-]+\.tfvars(\.json)?|database\.ya?ml|[\w.-]+\.(pem|crt|cer|jks|p12|pfx|ca-bundle)|application[\w-]*\.(ya?ml|properties))$"
)
"""Files that a repository ignores exactly because they hold real settings: read all the same."""


def folders_around(path: str) -> Iterator[str]:
    """The folder of a path and those around it, the innermost first, up to ``""`` or ``/``."""
    while True:
        path, above = posixpath.dirname(path), path
        if path == above and path:
            return
        yield path
        if not path:
            return


@dataclass
class Walk:
    """One walk. ``paths`` are relative to the root; ``ignored`` counts what ignore files kept out."""

    root: str
    excludes: Sequence[str] = ()
    gitignore: bool = True
    limits: list[Limit] = field(default_factory=list)
    marks: dict[str, int] | None = None
    """Where the signatures of the folders entered and of the ignore files obeyed are put, if anywhere."""
    ignored: int = 0

    def paths(self) -> Iterator[str]:
        rules = _Rules(self.root, self.excludes, self.gitignore)
        stack: list[tuple[str, int, tuple[Any, ...]]] = [("", 0, rules.start())]
        count = 0
        while stack:
            folder, depth, specs = stack.pop()
            full = os.path.join(self.root, folder) if folder else self.root
            try:
                if self.marks is not None:  # before it is listed: what comes later is noticed the next time
                    self.marks[folder or "."] = signature(os.lstat(full))
                entries = os.scandir(full)
            except OSError as error:
                self.limits.append(Limit(folder or ".", f"cannot be read: {error.strerror}"))
                continue
            with entries:
                found = list(entries)
            names = {e.name for e in found}
            if ".rerootignore" in names or (self.gitignore and ".gitignore" in names):
                specs = rules.extend(specs, folder, names)
                if self.marks is not None:
                    for name in names & IGNORE_FILES:
                        self.marks[os.path.join(folder, name)] = signature(os.lstat(os.path.join(full, name)))
            base = folder + "/" if folder else ""
            for entry in found:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if name in NEVER:
                        continue
                    if depth >= MAX_FOLDERS_DEEP:
                        self.limits.append(Limit(base + name, f"folders nested deeper than {MAX_FOLDERS_DEEP}"))
                    elif specs and name not in VENDORED and rules.says(specs, base + name + "/"):
                        self.ignored += 1
                    else:
                        stack.append((base + name, depth + 1, () if name in VENDORED else specs))
                elif entry.is_file(follow_symlinks=False):
                    if specs and not KEPT.search(name) and rules.says(specs, base + name):
                        self.ignored += 1
                        continue
                    count += 1
                    if count > MAX_FILES:
                        self.limits.append(Limit(".", f"more than {MAX_FILES} files"))
                        return
                    yield base + name


class _Rules:
    """Gitignore's rules, of every folder from the root down; the excludes of the command line among them."""

    def __init__(self, root: str, excludes: Sequence[str], gitignore: bool) -> None:
        self.root, self.excludes, self.gitignore = root, excludes, gitignore

    def start(self) -> tuple[Any, ...]:
        return (("", _spec(self.excludes)),) if self.excludes else ()

    def extend(self, specs: tuple[Any, ...], folder: str, names: Any) -> tuple[Any, ...]:
        patterns: list[str] = []
        for name in (".gitignore", ".rerootignore"):
            if name in names and (self.gitignore or name == ".rerootignore"):
                try:
                    path = os.path.join(self.root, folder, name)
                    if os.path.isfile(path) and os.path.getsize(path) < 1 << 20:
                        with open(path, encoding="utf-8", errors="replace") as file:
                            patterns += file.read().splitlines()
                except OSError:
                    continue
        patterns = [p for p in patterns if p.strip() and not p.startswith("#")]
        return (*specs, (folder + "/" if folder else "", _spec(patterns))) if patterns else specs

    @staticmethod
    def says(specs: tuple[Any, ...], path: str) -> bool:
        """Is *path* ignored? The deepest file that speaks of it decides."""
        for base, spec in reversed(specs):
            verdict = spec.check_file(path[len(base) :]).include
            if verdict is not None:
                return bool(verdict)
        return False


def _spec(patterns: Sequence[str]) -> Any:
    import pathspec

    usable = []
    for pattern in patterns:
        if len(pattern) > 500 or pattern.count("*") > 12:
            continue
        usable.append(pattern)
    try:
        return pathspec.GitIgnoreSpec.from_lines(usable)
    except Exception:  # a pattern of a stranger's file that the library refuses
        return pathspec.GitIgnoreSpec.from_lines(())


def is_vendored(path: str) -> bool:
    """Does *path* stand in other people's code?"""
    return any(part in VENDORED for part in path.split("/")[:-1])
