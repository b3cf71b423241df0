"""SQL that stores connections: ``CREATE SERVER``, ``CREATE SUBSCRIPTION``, ``dblink``, ``primary_conninfo``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ._interpolation import look
from ._reader import Page, Reader
from ._text import Text

_SERVER = re.compile(r"\b(?:CREATE|ALTER)\s+SERVER\s+(?:IF\s+NOT\s+EXISTS\s+)?(\S{1,100})", re.IGNORECASE)
_OPTION = re.compile(r"(?:\b(?:ADD|SET)\s+)?(\w{2,40})\s+'((?:[^']|'')*)'")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_OPENING = re.compile(r"--|/\*")
_CONNECTION = re.compile(r"\bCONNECTION\s+'|\bdblink\w*\s*\(|primary_conninfo|\bpostgres(?:ql)?://", re.IGNORECASE)


def claims(path: str) -> int:
    return 9 if path.endswith((".sql", ".psql", ".ddl", ".pgsql", ".sql.tpl", ".sql.j2", ".sql.erb")) else 0


def read(text: Text) -> Page:
    page = Page(text, language="sql")
    body = text.text
    page.prose.extend(comments(body))
    for match in _SERVER.finditer(body):
        if any(a <= match.start() < b for a, b in page.prose):
            continue
        end = body.find(";", match.end())
        end = len(body) if end < 0 else end
        statement = body[match.start() : end]
        if "postgres_fdw" not in statement and "dblink" not in statement and not re.search(r"\bsslmode\b", statement, re.I):
            continue
        block = page.block(f"postgres_fdw {match[1]}", kind="section", start=match.start())
        options = re.search(r"\bOPTIONS\s*\(", statement, re.IGNORECASE)
        for option in _OPTION.finditer(statement, options.end() if options else 0):
            _add(page, option[1], option[2], match.start() + option.start(2), match.start() + option.start(1), block)
    for place in _CONNECTION.finditer(body):
        until = body.find(")", place.end(), place.end() + 8000) if place[0].endswith("(") else -1
        reach = min(max(until, place.end() + 2000), place.end() + 8000, len(body))
        strings = _STRING.finditer(body, max(0, place.start() - 1), reach)
        string = next((s for s in strings if "=" in s[1] or "://" in s[1] or not place[0].endswith("(")), None)
        if string:
            _add(page, place[0].split()[0].strip("'( "), string[1], string.start(1), place.start(), 0)
    return page


def comments(body: str) -> Iterator[tuple[int, int]]:
    """Line and block comments; one that is never closed goes on to the end."""
    at = 0
    while True:
        found = _OPENING.search(body, at)
        if found is None:
            return
        end = body.find("\n" if found[0] == "--" else "*/", found.end())
        at = len(body) if end < 0 else end + 1
        yield found.start(), at


def _add(page: Page, name: str, value: str, at: int, key_at: int, block: int) -> None:
    seen = look(value)
    page.add(name, value, at, at + len(value), key_at, block, plain=seen.plain, refers=seen.refers, default=seen.default)


READER = Reader("SQL", claims, read)
