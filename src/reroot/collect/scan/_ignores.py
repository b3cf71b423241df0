"""
Findings that somebody looked at and accepted: inline ignores with a reason and an end date, and a baseline file.

An ignore hides a finding; it never opens a gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from ._finding import Finding
from ._text import Text

_MARK = re.compile(r"reroot:\s*ignore\s+(RR\d{3}|all)([^\n]{0,300})", re.IGNORECASE)
_UNTIL = re.compile(r"\buntil\s+(\d{4}-\d{2}-\d{2})")
_REASON = re.compile(r"\breason\s*[=:]\s*(\S[^\n]*)")


def inline(text: Text) -> Iterator[tuple[int, str, str, str]]:
    """Each ``reroot: ignore RR203 until 2027-01-31 reason=…``: line, rule, end date, reason; empty where not given."""
    if "reroot:" not in text.text:
        return
    for match in _MARK.finditer(text.text):
        until, reason = _UNTIL.search(match[2]), _REASON.search(match[2])
        line, _ = text.place(match.start())
        yield line, match[1].upper(), until[1] if until else "", reason[1].strip(" -*/>#") if reason else ""


def is_current(until: str, reason: str, today: date) -> str:
    """Empty when an ignore holds today, else what is wrong with it."""
    if not reason:
        return "names no reason"
    if not until:
        return "names no end date (`until 2027-01-31`)"
    try:
        end = date.fromisoformat(until)
    except ValueError:
        return f"has an end date that is none: `{until}`"
    return f"ended on {until}" if end < today else ""


def accept(findings: list[Finding], ignores: Mapping[str, Sequence[tuple[int, str, str, str]]], today: date) -> int:
    """Take out what inline ignores hide, and say of those that hide nothing why; the number taken out."""
    hidden = 0
    for path, marks in ignores.items():
        for line, rule, until, reason in marks:
            wrong = is_current(until, reason, today)
            if wrong:
                findings.append(Finding(path, line, 1, "setting", "RR001", f"this ignore {wrong}, so it hides nothing", line))
                continue
            kept = [
                f
                for f in findings
                if not (f.path == path and f.line <= line + 1 and line <= f.line_end and rule in (f.rule, "ALL"))
            ]
            hidden += len(findings) - len(kept)
            findings[:] = kept
    return hidden
