"""One branch-ready patch for each repository below a folder, with its explanation: written to a folder, applied by nobody."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ... import __version__
from ...pki.certificate import Certificate
from ...reports.text import visible
from ...rules import RULES
from ._finding import Finding
from ._fixes import Patch, patches


def repositories(root: Path) -> tuple[Path, ...]:
    """The work trees at or below *root*, two folders deep; *root* itself when there is none."""
    found = [p.parent for pattern in (".git", "*/.git", "*/*/.git") for p in sorted(root.glob(pattern))]
    return tuple(found) or (root,)


def emit(
    root: Path,
    findings: Iterable[Finding],
    out: Path,
    *,
    unsafe: bool,
    roots: Sequence[Certificate] = (),
    identifier: str | None = None,
    taken: set[str] | None = None,
) -> tuple[list[Path], list[str]]:
    """Write the patches; the files written, and what was left alone and why. *taken* are names that stand for others already."""
    taken = set() if taken is None else taken
    made, refused = patches(root, findings, unsafe=unsafe, roots=roots, identifier=identifier)
    by_repository: dict[Path, list[Patch]] = defaultdict(list)
    places = sorted(repositories(root), key=lambda p: -len(p.parts))
    for patch in made:
        place = next((p for p in places if (root / patch.path).is_relative_to(p)), root)
        patch.path = str((root / patch.path).relative_to(place))
        by_repository[place].append(patch)
    written = []
    out.mkdir(parents=True, exist_ok=True)
    for place, here in sorted(by_repository.items()):
        name = re.sub(r"[^\w.-]", "-", str(place.relative_to(root))).strip("-.") or root.resolve().name
        free = next(n for n in (name, *(f"{name}-{i}" for i in range(2, 100_000))) if n not in taken)
        taken.add(free)
        file = out / f"{free}.patch"
        file.write_bytes(_text(here).encode("utf-8", "surrogateescape"))
        written.append(file)
    return written, refused


def _text(here: Sequence[Patch]) -> str:
    """A mail as ``git am`` takes it, and ``git apply`` passes over its head."""
    rules = sorted({rule for patch in here for rule in patch.rules})
    lines = [
        f"From {'0' * 40} Mon Sep 17 00:00:00 2001",
        "From: reroot <reroot@localhost>",
        "Subject: [PATCH] Prepare PostgreSQL clients for the next root certificate",
        "",
    ]
    for rule in rules:
        lines += [f"{rule} {RULES[rule].name}: {RULES[rule].what}", f"  why: {RULES[rule].why}", f"  fix: {RULES[rule].fix}", ""]
    lines += [f"changes {visible(patch.path)}: {', '.join(dict.fromkeys(patch.rules))}" for patch in here]
    crs = " --keep-cr" if any(b"\r\n" in patch.before for patch in here) else ""
    lines += ["---", f"commit: git am{crs} THIS.patch", "try:    git apply --check THIS.patch", "undo:   git apply -R THIS.patch", ""]
    return "\n".join(lines) + "\n" + "".join(patch.diff for patch in here) + f"-- \nreroot {__version__}\n"
