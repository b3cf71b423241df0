"""Source code without its grammar: pairs and strings on the telling lines. Nothing found this way is decidable."""

from __future__ import annotations

import re

from ._dsn import find
from ._interpolation import look
from ._reader import Page
from ._values import ENV

_PLAIN_PAIR = re.compile(
    r"""["']?([A-Za-z_][\w.\-]{1,60})["']?\s{0,3}(?:=>|[:=])\s{0,3}(?:(["'`])((?:(?!\2)[^\\\n]|\\.){0,400})\2|(verify-\w{2,4}\b|[\w.:!]{1,60}))"""
)
_CALL = re.compile(r"\([^()\n]{0,200}\)")
_STATEMENT = re.compile(r"^[ \t]*config[ \t]+:\w+,[ \t]*([\w.]+),?[ \t]*(?:\[)?", re.MULTILINE)
"""Elixir: what follows is said of one repository of Ecto's."""
_PLAIN_STRING = re.compile(r"""(["'`])((?:(?!\1)[^\\\n]|\\.){8,400})\1""")


def plainly(page: Page, spots: list[int]) -> None:
    """Without a grammar: pairs and strings on the telling lines. Nothing found this way is decidable."""
    page.sure = False
    body = page.text.text
    seen = -1
    begins = [(m.start(), page.block(m[1], start=m.start())) for m in _STATEMENT.finditer(body)]
    for spot in spots:
        start = body.rfind("\n", 0, spot) + 1
        end = body.find("\n", spot)
        end = len(body) if end < 0 else end
        if start <= seen:
            continue
        seen = start
        line = body[start:end]
        block = next((block for at, block in reversed(begins) if at <= start), 0)
        if line.lstrip().startswith(("#", "//", "*", "--")) or len(line) > 4000:
            continue
        strings = [s for s in _PLAIN_STRING.finditer(line) if any(True for _ in find(s[2]))]
        taken = [s.span() for s in strings]
        pairs: list[tuple[int, int]] = []
        for pair in _PLAIN_PAIR.finditer(line):
            if any(a <= pair.start() < b for a, b in taken):
                continue
            group = 3 if pair[2] else 4
            value = pair[group]
            taken.append(pair.span())
            pairs.append(pair.span())
            call = _CALL.match(line, pair.end()) if not pair[2] and pair.end() == pair.end(4) else None
            if call is not None and ENV.match(value + call[0]):
                value += call[0]
                taken[-1] = (pair.start(), call.end())
            computed = not pair[2] and not re.fullmatch(r"true|false|nil|None|null|\d+|:\w+|verify-\w+", value)
            page.add(
                pair[1],
                value,
                start + pair.start(group),
                start + pair.start(group) + len(value),
                start + pair.start(1),
                block,
                plain=not computed,
                refers=tuple(ENV.findall(value)) or (value.partition("(")[0],) if computed else look(value).refers,
            )
        for string in _PLAIN_STRING.finditer(line):
            if any(a <= string.start() < b for a, b in pairs):
                continue
            if string.span() in taken or not any(a <= string.start() < b for a, b in taken):
                seen_in = look(string[2])
                page.add(
                    "",
                    string[2],
                    start + string.start(2),
                    start + string.end(2),
                    start + string.start(2),
                    block,
                    plain=seen_in.plain,
                    refers=seen_in.refers,
                )
