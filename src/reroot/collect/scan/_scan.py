"""One scan: targets in, what was found out. The rooms above decide; this file walks, reads and puts together."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...errors import InputError
from ._finding import Finding, Harvest, Limit
from ._ignores import accept
from ._join import join
from ._judge import assumed, fingerprint, judge
from ._look import look
from ._walk import Walk
from ._workers import run


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
) -> Scan:
    """Scan *targets*: folders, files, or ``-`` for standard input."""
    result = Scan()
    harvests: dict[str, Harvest] = {}
    for target in targets:
        if target == "-":
            data = stdin() if stdin is not None else b""
            harvests[_stdin_name(data)] = look(_stdin_name(data), data)
            result.files += 1
            continue
        path = Path(target)
        if path.is_dir():
            _folder(path, harvests, result, excludes, gitignore, processes, "" if len(targets) == 1 else target.rstrip("/") + "/")
        elif path.is_file():
            data = path.read_bytes()
            name = target if len(targets) > 1 or not path.is_absolute() else path.name
            harvests[name] = look(name, data)
            result.files += 1
            result.size += len(data)
        else:
            raise InputError(
                f"`{target}` does not exist", hint="a target is a folder, a file, an image's tar, or `-` for standard input"
            )
    now = datetime.now(UTC)
    result.findings = join(harvests, now.date())
    result.incomplete += [limit for harvest in harvests.values() for limit in harvest.limits]
    for finding in result.findings:
        judge(finding, assumed(finding), now)
        finding.fingerprint = fingerprint(finding)
    result.accepted = accept(result.findings, harvests, now.date())
    result.findings.sort(key=lambda f: (f.path, f.line, f.column))
    return result


def _folder(
    root: Path,
    harvests: dict[str, Harvest],
    result: Scan,
    excludes: Sequence[str],
    gitignore: bool,
    processes: int | None,
    prefix: str,
) -> None:
    walk = Walk(str(root), excludes, gitignore)
    paths = list(walk.paths())
    for batch in run(str(root), paths, None, processes or os.cpu_count() or 1):
        result.files += batch.files
        result.size += batch.size
        for number, harvest in batch.found.items():
            harvests[prefix + (paths[number] if number >= 0 else ".")] = harvest
    result.incomplete += walk.limits
    result.ignored += walk.ignored


def _stdin_name(data: bytes) -> str:
    """What standard input looks like: JSON, else YAML."""
    return "stdin.json" if data.lstrip()[:1] in (b"{", b"[") else "stdin.yaml"
