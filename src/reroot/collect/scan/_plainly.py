"""Source code without its grammar: pairs and strings on the telling lines. Nothing found this way is decidable."""

from __future__ import annotations

import re

from ._dsn import find
from ._interpolation import look
from ._reader import Page

_PLAIN_PAIR = re.compile(
    r"""["']?([A-Za-z_][\w.\-]{1,60})["']?\s{0,3}(?:=>|[:=])\s{0,3}(?:(["'`])((?:(?!\2)[^\\\n]|\\.){0,400})\2|(verify-\w{2,4}\b|[\w.:!]{1,60}))"""
)
_PLAIN_STRING = re.compile(r"""(["'`])((?:(?!\1)[^\\\n]|\\.){8,400})\1""")


def plainly(page: Page, spots: list[int]) -> None:
    """Without a grammar: pairs and strings on the telling lines. Nothing found this way is decidable."""
    page.sure = False
    body = page.text.text
    seen = -1
    for spot in spots:
        start = body.rfind("\n", 0, spot) + 1
        end = body.find("\n", spot)
        end = len(body) if end < 0 else end
        if start <= seen:
            continue
        seen = start
        line = body[start:end]
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
            computed = not pair[2] and not re.fullmatch(r"true|false|nil|None|null|\d+|:\w+|verify-\w+", value)
            page.add(
                pair[1],
                value,
                start + pair.start(group),
                start + pair.end(group),
                start + pair.start(1),
                plain=not computed,
                refers=(value,) if computed else look(value).refers,
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
                    plain=seen_in.plain,
                    refers=seen_in.refers,
                )
