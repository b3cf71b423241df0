"""A scan as a document: the contract of its JSON, and how a person reads it."""

from __future__ import annotations

from collections.abc import Sequence

from ...reports import Document
from ...reports.text import counted
from ._finding import Finding, printable
from ._scan import Scan

MARKS = {"error": "✕", "warning": "▲", "note": "·"}


def document(scan: Scan, targets: Sequence[str]) -> Document:
    data = {
        "targets": list(targets),
        "findings": [as_json(f) for f in scan.findings],
        "incomplete": [{"path": limit.path, "why": limit.why} for limit in scan.incomplete],
        "counts": scan.counts(),
    }
    return Document("scan", printable(data), lambda: _text(scan, targets))


def as_json(finding: Finding) -> dict[str, object]:
    return {
        "path": finding.path,
        "line": finding.line,
        "line_end": finding.line_end,
        "column": finding.column,
        "kind": finding.kind,
        "driver": finding.driver,
        "wrapper": finding.wrapper,
        "mode": finding.mode,
        "roots": finding.roots,
        "decidable": finding.decidable,
        "environment": finding.environment,
        "policy": finding.policy,
        "verdict": finding.verdict,
        "rule": finding.rule or None,
        "level": finding.level,
        "text": finding.text,
        "name": finding.name or None,
        "host": finding.host or None,
        "settings": finding.settings,
        "decided_by": list(finding.refers),
        "joined": [{"path": path, "line": line, "value": value} for path, line, value in finding.joined],
        "fingerprint": finding.fingerprint,
    }


def _text(scan: Scan, targets: Sequence[str]) -> str:
    lines: list[str] = []
    previous = ""
    for finding in scan.findings:
        if finding.path != previous:
            lines.append(("\n" if lines else "") + finding.path)
            previous = finding.path
        lines.append(f"  {finding.line:>5}  {MARKS[finding.level]} {finding.rule} {finding.text}")
    if scan.incomplete:
        lines.append("\nnot read in full:")
        lines += [f"  {limit.path}: {limit.why}" for limit in scan.incomplete[:20]]
        if len(scan.incomplete) > 20:
            lines.append(f"  … and {len(scan.incomplete) - 20} more (all of them in `-o json`)")
    counts = scan.counts()
    lines.append("")
    lines.append(_last(counts, scan, targets))
    return "\n".join(lines)


def _last(counts: dict[str, int], scan: Scan, targets: Sequence[str]) -> str:
    levels = ", ".join(counted(counts[level], level) for level in ("error", "warning", "note"))
    found = f"{counted(counts['findings'], 'finding')} in {counted(counts['files'], 'file')}: {levels}"
    if counts["incomplete"]:
        found += f"; {counts['incomplete']} not read in full"
    worst = next((f.rule for level in ("error", "warning") for f in scan.findings if f.level == level and f.rule), "")
    return f"{found}. next: `reroot explain {worst}`" if worst else f"{found}. next: `reroot probe`"
