"""Command lines as shells and Dockerfiles write them: continuation joined, words taken apart, nothing run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._interpolation import look
from ._lines import lines
from ._reader import Page

MESSAGE = re.compile(r"^\s*(?:@?echo|printf|log\w*|print|info|warn|Write-Host|#|//)\b", re.IGNORECASE)
"""A command that only says something."""
_QUOTED = re.compile(r"""(?<![=\w])("(?:[^"\\]|\\.)*"|'[^']*')""")
_WHOLE = re.compile(r"""["'][A-Za-z_][\w.]*=[^\s"']*["']$""")
_EXPORT = re.compile(
    r"""(?:^|(?<=[\s;|({"'`]))(?:export\s+|declare\s+-x\s+|local\s+|readonly\s+)?([A-Za-z_][\w.]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;&|)"'`]*)"""
)


def joined(text: str, *, comment: str = "#") -> Iterator[tuple[int, str]]:
    """Each command line with its offset; the text keeps its length, so offsets inside hold."""
    start, parts = 0, ""
    for at, line in lines(text):
        if not parts:
            start = at
        elif len(parts) < at - start:
            parts += " " * (at - start - len(parts))
        if line.lstrip().startswith(comment):
            if parts:
                parts += " " * len(line)
            continue
        if line.endswith("\\"):
            parts += line[:-1] + " "
            continue
        parts += line
        if parts.strip():
            yield start, parts
        parts = ""
    if parts.strip():
        yield start, parts


def assignments(page: Page, command: str, at: int, block: int) -> None:
    """``NAME=value`` wherever a command line sets one."""
    if MESSAGE.match(command):
        return
    hidden = [q.span() for q in _QUOTED.finditer(command) if "=" in q[0] and not _WHOLE.match(q[0])]
    for match in _EXPORT.finditer(command):
        if any(a <= match.start(1) < b for a, b in hidden):
            continue
        raw = match[2]
        quote = 1 if raw[:1] in ("'", '"') else 0
        value = raw[quote : len(raw) - quote] if quote else raw
        start = at + match.start(2) + quote
        seen = look(value) if raw[:1] != "'" else look("")
        page.add(
            match[1],
            value,
            start,
            start + len(value),
            at + match.start(1),
            block,
            plain=seen.plain,
            refers=seen.refers,
            default=seen.default,
        )


def comments(page: Page, text: str, mark: str = "#") -> None:
    for at, line in lines(text):
        if line.lstrip().startswith(mark):
            page.prose.append((at, at + len(line)))
