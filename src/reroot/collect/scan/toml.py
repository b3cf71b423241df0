"""TOML: tables, dotted names, inline tables and arrays."""

from __future__ import annotations

import re

from ._braces import read_braces
from ._lines import assign, lines
from ._reader import Page, Reader
from ._text import Text

_TABLE = re.compile(r"\s*\[\[?([^\]\n]+)\]\]?\s*+(?:#.*)?$")
_PAIR = re.compile(r"""\s*((?:[\w\-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[\w\-]+|"[^"\n]*"|'[^'\n]*'))*)\s*=\s*""")


def claims(path: str) -> int:
    return (
        9
        if path.endswith((".toml", ".toml.example", ".toml.template", ".toml.j2", ".toml.tmpl", ".toml.sample"))
        or path.endswith("/Pipfile")
        else 0
    )


def read(text: Text) -> Page:
    page = Page(text)
    block, skip = 0, 0
    body = text.text
    for at, line in lines(body):
        if at < skip:
            continue
        if line.lstrip().startswith("#"):
            page.prose.append((at, at + len(line)))
            continue
        table = _TABLE.match(line)
        if table:
            block = page.block(table[1].strip().replace('"', ""), kind="section", start=at)
            continue
        match = _PAIR.match(line)
        if not match:
            continue
        name, value_at = match[1].replace('"', "").replace("'", ""), at + match.end()
        rest = body[value_at : value_at + 3]
        if rest[:1] in "{[":
            close = _matching(body, value_at)
            inner = page.block(name, block, start=at + match.start(1))
            read_braces(page, start=value_at + 1, end=close, block=inner)
            skip = close
        elif rest in ('"""', "'''"):
            close = body.find(rest, value_at + 3)
            close = len(body) if close < 0 else close
            page.add(name, body[value_at + 3 : close], value_at + 3, close, at + match.start(1), block)
            skip = close
        else:
            assign(page, name, line[match.end() :], value_at, at + match.start(1), block)
    return page


def _matching(body: str, at: int) -> int:
    """Where the bracket that opens at *at* closes, strings left aside."""
    depth, i = 0, at
    while i < len(body):
        c = body[i]
        if c in "\"'":
            i = body.find(c, i + 1)
            if i < 0:
                return len(body)
        elif c in "{[":
            depth += 1
        elif c in "}]":
            depth -= 1
            if not depth:
                return i
        i += 1
    return len(body)


READER = Reader("TOML", claims, read)
