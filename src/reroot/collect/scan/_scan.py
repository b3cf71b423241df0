"""One scan: targets in, what was found out. The rooms above decide; this file walks, reads and puts together."""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError
from ._cache import Cache
from ._finding import Finding, Harvest, Limit
from ._ignores import accept
from ._remembered import Answer, keep, recall
from ._walk import Walk
from ._workers import run

if TYPE_CHECKING:
    from ...pki.certificate import Certificate


PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7z")
PACKED_TAR = re.compile(r"\.(tar\.(gz|zst|bz2|xz)|tgz)$", re.IGNORECASE)
FEW = 16
"""So few files that somebody names are searched sooner than a fast engine is loaded."""


@dataclass(slots=True)
class Scan:
    """What a scan found. ``incomplete`` names everything it gave up on; while it holds anything, nobody may take the
    findings for the whole."""

    findings: list[Finding] = field(default_factory=list)
    incomplete: list[Limit] = field(default_factory=list)
    files: int = 0
    size: int = 0
    ignored: int = 0
    accepted: int = 0

    def counts(self) -> dict[str, int]:
        levels = Counter(f.level for f in self.findings)
        return {
            "findings": len(self.findings),
            "error": levels["error"],
            "warning": levels["warning"],
            "note": levels["note"],
            "files": self.files,
            "bytes": self.size,
            "ignored": self.ignored,
            "accepted": self.accepted,
            "incomplete": len(self.incomplete),
        }


def scan(
    targets: Sequence[str],
    *,
    excludes: Sequence[str] = (),
    gitignore: bool = True,
    processes: int | None = None,
    stdin: Callable[[], bytes] | None = None,
    use_cache: bool = False,
    next_roots: Sequence[Certificate] = (),
    accepted: frozenset[str] = frozenset(),
    progress: Callable[[str], None] = lambda _: None,
    profiles: Sequence[str] = (),
    regions: Sequence[str] = (),
    roles: Sequence[str] = (),
) -> Scan:
    """Scan *targets*: folders, files, or ``-`` for standard input."""
    now = datetime.now(UTC)
    alone = Path(targets[0]) if use_cache and len(targets) == 1 and Path(targets[0]).is_dir() else None
    asked = repr((tuple(excludes), gitignore, now.date().isoformat(), sorted(c.fingerprint for c in next_roots)))
    if alone is not None and (answer := recall(alone, asked, processes or os.cpu_count() or 1)) is not None:
        return _told(answer, accepted, now)
    result = Scan()
    harvests: dict[str, Harvest] = {}
    marks: dict[str, int] = {}
    for target in targets:
        if target == "-":
            data = stdin() if stdin is not None else b""
            from ._look import look

            harvests[_stdin_name(data)] = look(_stdin_name(data), data)
            result.files += 1
            continue
        path = Path(target)
        if target == "aws:" or (target == "aws" and not path.exists()):
            from ._aws import account

            progress("reading from AWS")
            harvests.update(account(profiles, regions, roles))
            result.files = len(harvests)
            continue
        prefix = "" if len(targets) == 1 else target.rstrip("/") + "/"
        if not path.exists():
            raise InputError(
                f"`{target}` does not exist", hint="a target is a folder, a file, an image's tar, or `-` for standard input"
            )
        if _may_be_image(path):
            from ._image import image

            found, files, size = image(path)
            harvests.update({prefix + name: harvest for name, harvest in found.items()})
            result.files += files
            result.size += size
        elif _is_tar(path):
            harvests[prefix + path.name] = Harvest(limits=[Limit(path.name, "is a tar and no image that could be read in full")])
        elif path.is_dir():
            _folder(path, harvests, result, excludes, gitignore, processes, prefix, use_cache, progress, marks)
        else:
            name = path.name if path.is_absolute() else posixpath.normpath(target)
            for batch in run(str(path.parent), [path.name], None, 1, "plain" if len(targets) <= FEW else ""):
                result.files += batch.files
                result.size += batch.size
                for harvest in batch.found.values():
                    harvests[name] = _renamed(harvest, path.name, name)
    progress("putting the pieces together")
    answer = _put_together(harvests, result, next_roots, now)
    if alone is not None and marks and all(limit.path != "." for limit in answer.limits):
        keep(alone, asked, marks, answer)
    return _told(answer, accepted, now)


def _put_together(harvests: dict[str, Harvest], result: Scan, next_roots: Sequence[Certificate], now: datetime) -> Answer:
    """All findings, judged; nothing is left out yet."""
    from ._join import join
    from ._judge import assumed, fingerprint, judge

    findings = join(harvests, now.date(), frozenset(c.fingerprint for c in next_roots))
    for finding in findings:
        judge(finding, assumed(finding), now)
        finding.fingerprint = fingerprint(finding)
    findings.sort(key=lambda f: (f.path, f.line, f.column))
    limits = result.incomplete + [limit for harvest in harvests.values() for limit in harvest.limits]
    ignores = {path: harvest.ignores for path, harvest in harvests.items() if harvest.ignores}
    return Answer("", "", b"", b"", findings, limits, ignores, result.files, result.size, result.ignored)


def _told(answer: Answer, accepted: frozenset[str], now: datetime) -> Scan:
    """An answer without the findings that somebody accepted."""
    findings = [f for f in answer.findings if f.fingerprint not in accepted]
    known = len(answer.findings) - len(findings)
    known += accept(findings, answer.ignores, now.date())
    findings.sort(key=lambda f: (f.path, f.line, f.column))
    return Scan(findings, answer.limits, answer.files, answer.size, answer.ignored, known)


def _folder(
    root: Path,
    harvests: dict[str, Harvest],
    result: Scan,
    excludes: Sequence[str],
    gitignore: bool,
    processes: int | None,
    prefix: str,
    use_cache: bool,
    progress: Callable[[str], None],
    marks: dict[str, int],
) -> None:
    walk = Walk(str(root), excludes, gitignore, marks=marks if use_cache else None)
    progress(f"walking {root}")
    paths = list(walk.paths())
    progress(f"looking at {len(paths)} files")
    cache = Cache(root) if use_cache else None
    changed: dict[str, int] = {}
    gone: set[str] = set()
    found: dict[str, Harvest] = {}
    before = result.files
    for batch in run(str(root), paths, cache.cached.signatures.get if cache else None, processes or os.cpu_count() or 1):
        result.files += batch.files
        result.size += batch.size
        changed.update((paths[number], mark) for number, mark in batch.changed.items())
        gone.update(paths[number] for number in batch.gone)
        found.update((paths[number] if number >= 0 else ".", harvest) for number, harvest in batch.found.items())
    if cache is not None:
        found = cache.renew(paths, changed, gone, found)
        result.files = before + len(paths)
        marks.update(cache.cached.signatures)
        if gone:
            marks.clear()  # somebody is at work here
    for name, harvest in found.items():
        harvests[prefix + name] = _renamed(harvest, name, prefix + name) if prefix else harvest
    result.incomplete += [Limit(posixpath.normpath(prefix + limit.path), limit.why) for limit in walk.limits]
    result.ignored += walk.ignored


def _may_be_image(path: Path) -> bool:
    """An image's own module is only read for what could be one: a tar, or a folder with an index."""
    if path.is_dir() and not (path / "oci-layout").is_file():
        return False
    if path.is_file() and PACKED_TAR.search(path.name) and _first(path, 4).startswith(PACKED):
        raise InputError(
            "is packed as a whole, and an image is read from its end", where=str(path), hint="unpack it first: `gunzip`, `unzstd`, `unxz`"
        )
    if path.is_file() and not _is_tar(path):
        return False
    from ._image import is_image

    return is_image(path)


def _is_tar(path: Path) -> bool:
    return path.is_file() and _first(path, 512)[257:262] == b"ustar"


def _first(path: Path, size: int) -> bytes:
    """How a file begins; nothing of one that cannot be read, which is told where all of it is read."""
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _renamed(harvest: Harvest, old: str, new: str) -> Harvest:
    for items in (harvest.findings, harvest.definitions, harvest.copies, harvest.stores, harvest.limits):
        for item in items:
            item.path = new + item.path.removeprefix(old)
    return harvest


def _stdin_name(data: bytes) -> str:
    """What standard input looks like: JSON, else YAML."""
    return "stdin.json" if data.lstrip()[:1] in (b"{", b"[") else "stdin.yaml"
