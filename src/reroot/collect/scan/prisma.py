"""``schema.prisma``: the ``datasource`` block, whose address is nearly always ``env("…")``."""

from __future__ import annotations

import re

from ._braces import read_braces
from ._reader import Page, Reader
from ._text import Text

_DATASOURCE = re.compile(r"\bdatasource\s+\w+\s*\{[^{}]*\}")
_ENV = re.compile(r"""env\(\s*["'](\w+)["']\s*\)""")


def claims(path: str) -> int:
    return 9 if path.endswith(".prisma") else 0


def read(text: Text) -> Page:
    page = Page(text, language="prisma")
    for match in _DATASOURCE.finditer(text.text):
        read_braces(page, start=match.start(), end=match.end())
    for entry in page.entries:
        found = _ENV.search(text.text[entry.start : entry.end])
        if found:
            entry.plain, entry.refers = False, (found[1],)
    return page


READER = Reader("Prisma schema", claims, read)
