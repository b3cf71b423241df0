"""GitHub's workflow commands: each finding an annotation at its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rules import RULES
from ._report import Document, Report
from .text import visible

LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def render(document: Document) -> str:
    findings: list[Mapping[str, Any]] = list(document.data.get("findings", ()))  # type: ignore[call-overload]
    lines = []
    for finding in findings:
        name = RULES[finding["rule"]].name if finding["rule"] in RULES else ""
        properties = {
            "file": finding["path"],
            "line": str(finding["line"]),
            "endLine": str(finding["line_end"]),
            "title": f"{finding['rule']} {name}",
        }
        head = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        lines.append(f"::{LEVELS[finding['level']]} {head}::{_data(finding['text'])}")
    for limit in list(document.data.get("incomplete", ())):  # type: ignore[call-overload]
        lines.append(f"::warning file={_property(limit['path'])},title=RR002 not-read::{_data(limit['why'])}")
    return "\n".join(lines) + "\n" if lines else ""


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


REPORT = Report(title="GitHub annotations", render=render, documents=frozenset({"scan"}))
