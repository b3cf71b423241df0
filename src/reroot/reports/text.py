"""Text for people: what the document says of itself, with every character that could fool a terminal made visible."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from ._report import Document, Report

MARKS = {
    "ready": "●",
    "breaks": "✕",
    "loses-tls": "▼",
    "not-verifying": "○",
    "plaintext": "–",
    "unknown": "?",
}
"""The glyph that stands beside a verdict's word; colour never carries meaning alone."""


def render(document: Document) -> str:
    text = visible(document.text())
    return text if text.endswith("\n") or not text else text + "\n"


def visible(text: str) -> str:
    r"""Control and direction-changing characters as ``\x1b``-like escapes; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c.encode("unicode_escape").decode()
        for c in text
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, indent: str = "") -> str:
    """Columns as wide as they need to be, two spaces apart, no rules; the last column is not padded."""
    lines = [tuple(head), *(tuple(visible(cell).replace("\n", " ") for cell in row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 finding``, ``2 findings``: the count with its noun."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


REPORT = Report(title="text for people", render=render)
