"""The page of one rule: what happens, why, whom it concerns, how it is mended and how it is silenced."""

from __future__ import annotations

from textwrap import fill

from ..rules import Rule
from ._report import Document

LABELS = (
    ("What happens", "what"),
    ("Why", "why"),
    ("Who", "who"),
    ("Outcome", "outcome"),
    ("Fix", "fix"),
    ("Silence", "silencing"),
)
"""The lines of a page, in order: what each is called, and the field of the rule that it shows."""


def document(rule: Rule) -> Document:
    return Document("rule", values(rule), lambda: text(rule))


def values(rule: Rule) -> dict[str, object]:
    return {"id": rule.id, "name": rule.name, "level": rule.level} | {field: getattr(rule, field) for _, field in LABELS}


def text(rule: Rule) -> str:
    lines = [f"{rule.id} {rule.name}   {rule.level}", ""]
    for label, field in LABELS:
        said = str(getattr(rule, field))
        if said:
            lines.append(fill(said, 110, initial_indent=f"{label:<14}", subsequent_indent=" " * 14))
    return "\n".join(lines)
