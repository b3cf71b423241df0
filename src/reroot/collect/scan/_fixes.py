"""
Fixes: bytes spliced at the place of a finding, then read again; a fix that does not give what was meant is dropped.

Safe fixes add roots and keep old ones. Unsafe ones change what a client does: they propose ``verify-full``, replace an address
that stopped being updated, bring the literal of a certificate authority up to date.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...authorities import partitions
from ...errors import RerootError
from ...pki.certificate import Certificate
from . import reader_for
from ._finding import Finding
from ._look import look
from ._steps import CURRENT, FROZEN
from ._text import Text

WEAK = frozenset({"require", "prefer", "allow", "no-verify"})
WITHOUT_FULL = frozenset({"prisma"})
"""Whose modes end at `require`: what they verify is another option."""
SPELLINGS = {"npgsql": "VerifyFull"}


STORE = re.compile(r"\.(pem|crt|cer|ca-bundle)$")


@dataclass(frozen=True, slots=True)
class Splice:
    """Characters of a file to be replaced."""

    start: int
    end: int
    new: str
    rule: str


@dataclass(slots=True)
class Patch:
    """A changed file: its bytes before and after, the rules it mends, and what was not mended and why."""

    path: str
    before: bytes
    after: bytes
    rules: list[str] = field(default_factory=list)

    @property
    def diff(self) -> str:
        """A unified diff with ``a/`` and ``b/``; binary files are only named."""
        if b"\0" in self.before[:1024]:
            return f"Binary files a/{self.path} and b/{self.path} differ\n"
        old, new = _lines(self.before), _lines(self.after)
        lines = []
        end = "\t" if " " in self.path else ""  # where a name with blanks ends
        for line in difflib.unified_diff(old, new, f"a/{self.path}{end}", f"b/{self.path}{end}"):
            lines.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
        return "".join(lines)


def _lines(data: bytes) -> list[str]:
    """The lines as git counts them: a line ends with a line feed and with nothing else."""
    return re.findall(r"[^\n]*\n|[^\n]+", data.decode("utf-8", "surrogateescape"))


def patches(
    root: Path, findings: Iterable[Finding], *, unsafe: bool, roots: Sequence[Certificate] = (), identifier: str | None = None
) -> tuple[list[Patch], list[str]]:
    """The patches for *findings* below *root*, and in words what could not be mended."""
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if "!/" not in finding.path and not finding.vendored:
            by_path[finding.path].append(finding)
    found: list[Patch] = []
    refused: list[str] = []
    for path, here in sorted(by_path.items()):
        file = root / path if root.is_dir() else root
        if not file.is_file() or file.is_symlink():
            continue
        before = file.read_bytes()
        patch = Patch(path, before, before)
        if roots:
            _add_roots(patch, here, roots, refused)
        if unsafe:
            _splice(patch, here, identifier, refused)
        if patch.after != patch.before:
            found.append(patch)
    return found, refused


def write(root: Path, patch: Patch) -> None:
    """Put a patch in place: whole or not at all, its mode kept."""
    file = root / patch.path if root.is_dir() else root
    temporary = file.with_name(f".{file.name}.reroot")
    try:
        temporary.write_bytes(patch.after)
        os.chmod(temporary, file.stat().st_mode & 0o7777)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _add_roots(patch: Patch, findings: Iterable[Finding], roots: Sequence[Certificate], refused: list[str]) -> None:
    from ... import truststores
    from ...truststores import Change

    here = [f for f in findings if f.kind == "trust-store-file"]
    store = next((f for f in here if STORE.search(f.path) or (f.line == 1 and reader_for(f.path) is None)), None)
    if store is None:
        for pasted in sorted(here, key=lambda f: -f.line):
            _add_inside(patch, pasted, roots, refused)
        return
    try:
        form = truststores.detect(patch.before)
        held = {c.fingerprint for c in truststores.read(patch.before, format=form).certificates}
        missing = tuple(c for c in roots if c.fingerprint not in held)
        writer = truststores.find(form).write
        if not missing or writer is None:
            return
        if form != "pem":
            refused.append(f"{patch.path}: is a {form}; add the root with `reroot trust add`")
            return
        after = writer(patch.before, Change(add=missing), None)
        now = {c.fingerprint for c in truststores.read(after, format=form).certificates}
    except RerootError as error:
        refused.append(f"{patch.path}: {error.message}")
        return
    if now != held | {c.fingerprint for c in missing}:
        refused.append(f"{patch.path}: would not hold what was meant")
        return
    patch.after = after
    patch.rules.append("RR202")


def _add_inside(patch: Patch, finding: Finding, roots: Sequence[Certificate], refused: list[str]) -> None:
    """Certificates pasted into a file of another kind, one line of the file for each of theirs: a ConfigMap, a Helm value."""
    text = Text.decode(patch.path, patch.after)
    last = text.line_at(finding.line_end)
    ending = re.fullmatch(r"([ \t]*)-----END CERTIFICATE-----[ \t]*", last)
    before = _held(patch.path, patch.after, finding.line)
    missing = [c for c in roots if c.fingerprint not in before]
    if not missing:
        return
    if ending is None or not before:
        refused.append(f"{patch.path}:{finding.line}: certificates written into other text; add the root by hand")
        return
    from ... import truststores

    newline = "\r\n" if "\r\n" in text.text else "\n"
    writer = truststores.find("pem").write
    assert writer is not None
    block = writer(b"", truststores.Change(add=tuple(missing)), None).decode()
    added = [ending[1] + line for line in block.splitlines() if line]
    at = text.text.index(last, text.starts(finding.line_end)) + len(last.rstrip())
    after = text.encode(text.text[:at] + "".join(newline + line for line in added) + text.text[at:])
    if _held(patch.path, after, finding.line) != before | {c.fingerprint for c in missing}:
        refused.append(f"{patch.path}:{finding.line}: would not hold what was meant")
        return
    patch.after = after
    patch.rules.append("RR202")


def _held(path: str, data: bytes, line: int) -> set[str]:
    """The certificates of the store that begins at *line* of a file."""
    return {mark for store in look(path, data).stores if store.line == line for mark in store.fingerprints}


def _splice(patch: Patch, findings: Sequence[Finding], identifier: str | None, refused: list[str]) -> None:
    text = Text.decode(patch.path, patch.after)
    splices = [s for f in findings for s in _wanted(f, text.text, identifier)]
    splices = sorted({(s.start, s.end): s for s in splices}.values(), key=lambda s: -s.start)
    for splice in splices:
        changed = text.text[: splice.start] + splice.new + text.text[splice.end :]
        after = text.encode(changed)
        if not _reads_back(patch.path, after, splice, text):
            refused.append(f"{patch.path}:{text.place(splice.start)[0]}: would not read back as meant ({splice.rule})")
            continue
        text = Text.decode(patch.path, after)
        patch.after = after
        patch.rules.append(splice.rule)


def _wanted(finding: Finding, text: str, identifier: str | None) -> Iterable[Splice]:
    mode, roots = finding.spots.get("mode"), finding.spots.get("roots")
    if (
        finding.kind == "setting"
        and finding.decidable
        and mode is not None
        and finding.environment not in ("test", "example", "ci")
    ):
        written = text[mode.start : mode.end]
        if (
            written.lower() in WEAK
            and finding.driver not in WITHOUT_FULL
            and finding.rule in ("RR103", "RR104", "RR110", "RR114")
            and (finding.roots or finding.rule == "RR103")
        ):
            new = SPELLINGS.get(finding.driver or "", "verify-full")
            yield Splice(mode.start, mode.end, new.upper() if written.isupper() else new, finding.rule)
    if roots is None:
        return
    written = text[roots.start : roots.end]
    if finding.rule == "RR204" and FROZEN.fullmatch(written) and "$" not in written:
        bundle = partitions.of_address(written).bundle()  # GovCloud's and China's roots are in no other partition's bundle
        if bundle:
            yield Splice(roots.start, roots.end, bundle, "RR204")
    if (
        finding.kind == "infrastructure"
        and identifier
        and finding.decidable
        and re.fullmatch(r"rds-ca-[\w-]+", written)
        and written != identifier
    ):
        yield Splice(roots.start, roots.end, identifier, finding.rule)


def _reads_back(path: str, after: bytes, splice: Splice, before: Text) -> bool:
    """The changed file, read again, says the new thing at the same line."""
    line, _ = before.place(splice.start)
    again = [f for f in look(path, after).findings if f.line <= line <= f.line_end]
    if splice.rule == "RR204":
        return bool(CURRENT.search(splice.new)) and any(f.roots == splice.new for f in again)
    return any(splice.new in (f.mode, f.roots) for f in again)
