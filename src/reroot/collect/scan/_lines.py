"""Settings that are written one to a line: what dotenv, properties, ini and service files have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._interpolation import look
from ._reader import Entry, Page

QUOTES = "'\"`"


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its offset, without its end."""
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield at, text[at:end].rstrip("\r")
        at = end + 1


def assign(page: Page, name: str, raw: str, at: int, key_at: int, block: int, *, comments: str = "#") -> Entry:
    """Add ``name = raw`` with its quotes taken off, and a comment after it cut; *at* is where *raw* starts."""
    lead = len(raw) - len(raw.lstrip())
    value, at = raw.strip(), at + lead
    if value and value[0] in QUOTES and value.find(value[0], 1) > 0:
        close = value.rfind(value[0])
        rest = value[close + 1 :].strip()
        if rest and not rest.startswith((*comments, ";", ",")):
            close = value.find(value[0], 1)
        value, at = value[1:close], at + 1
    else:
        for mark in comments:
            cut = re.search(rf"\s{re.escape(mark)}", value)
            if cut:
                value = value[: cut.start()].rstrip()
        if value[:1] in comments:
            value = ""
    seen = look(value)
    return page.add(name, value, at, at + len(value), key_at, block, plain=seen.plain, refers=seen.refers, default=seen.default)
