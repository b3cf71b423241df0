"""
What the last scan of a tree found, so that an unchanged file is not read again.

Kept in the user's cache folder, never in the tree; told apart by inode, size and times. It holds findings, and those hold no
secret.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ... import __version__
from ._finding import Harvest, packed, unpacked


@dataclass(slots=True)
class Cached:
    """The signature of every file that was looked at, and what the telling ones gave."""

    version: str = ""
    signatures: dict[str, int] = field(default_factory=dict)
    found: dict[str, Harvest] = field(default_factory=dict)


class Cache:
    """The cache of one tree."""

    def __init__(self, root: Path) -> None:
        self.file = file_for(root, "files")
        self.version = version()
        self.cached = self._load()

    def _load(self) -> Cached:
        try:
            cached = unpacked(self.file.read_bytes(), Cached)
        except (OSError, ValueError):
            return Cached(self.version)
        return cached if cached.version == self.version else Cached(self.version)

    def renew(
        self, paths: Sequence[str], changed: Mapping[str, int], gone: Collection[str], found: dict[str, Harvest]
    ) -> dict[str, Harvest]:
        """All that is known of *paths* now: *found* in what *changed*, and what was known of the rest."""
        old = self.cached
        if not changed and not gone and len(paths) == len(old.signatures):
            return old.found
        signatures = {path: old.signatures[path] for path in paths if path in old.signatures and path not in gone}
        signatures.update(changed)
        kept = {path: harvest for path, harvest in old.found.items() if path in signatures and path not in changed}
        kept.update(found)
        self._save(signatures, kept)
        return kept

    def _save(self, signatures: dict[str, int], found: dict[str, Harvest]) -> None:
        self.cached = Cached(self.version, signatures, found)
        write(self.file, packed(self.cached))


def file_for(root: Path, kind: str) -> Path:
    """Where what is remembered of the tree *root* is kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reroot" / "scan"
    return base / f"{hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]}.{kind}"


def write(file: Path, data: bytes) -> None:
    """Whole or not at all; a cache that cannot be written is no error."""
    temporary = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_bytes(data)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)


@lru_cache
def version() -> str:
    """Changes whenever what a scan says may change: with the release, and with the code that it rests on."""
    package = Path(__file__).parents[2]
    folders = (Path(__file__).parent, package / "drivers", package / "rules")
    files = [e for folder in folders for e in os.scandir(folder) if e.name.endswith(".py")]
    marks = [f"{e.name}{e.stat().st_size}{e.stat().st_mtime_ns}" for e in files]
    return f"{__version__} {hashlib.sha256(''.join(sorted(marks)).encode()).hexdigest()[:16]}"
