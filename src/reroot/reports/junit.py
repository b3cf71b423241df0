"""JUnit XML: one suite, one case for each finding; errors fail, warnings and notes pass with their text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..rules import RULES
from ._report import Document, Report
from .text import visible

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(document: Document) -> str:
    findings: list[Mapping[str, Any]] = list(document.data.get("findings", ()))  # type: ignore[call-overload]
    incomplete: list[Mapping[str, str]] = list(document.data.get("incomplete", ()))  # type: ignore[call-overload]
    failures = sum(f["level"] == "error" for f in findings)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites><testsuite name="reroot scan" tests="{len(findings) + len(incomplete)}" failures="{failures}" errors="{len(incomplete)}">',
    ]
    for finding in findings:
        name = RULES[finding["rule"]].name if finding["rule"] in RULES else ""
        title = f"{finding['rule']} {name} line {finding['line']}"
        head = f"<testcase classname={_quoted(finding['path'])} name={_quoted(title)}>"
        text = _clean(finding["text"])
        inside = (
            f"<failure message={_quoted(finding['text'])}/>"
            if finding["level"] == "error"
            else f"<system-out>{escape(text)}</system-out>"
        )
        lines.append(f"{head}{inside}</testcase>")
    for limit in incomplete:
        lines.append(
            f"<testcase classname={_quoted(limit['path'])} name={_quoted('RR002 not-read')}><error message={_quoted(limit['why'])}/></testcase>"
        )
    return "\n".join([*lines, "</testsuite></testsuites>", ""])


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", visible(text))


def _quoted(text: str) -> str:
    return quoteattr(_clean(text))


REPORT = Report(title="JUnit XML", render=render, documents=frozenset({"scan"}))
