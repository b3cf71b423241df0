"""Clojure and EDN: maps of keywords, as next.jdbc, HikariCP's wrapper and Aero's settings files have them. Nothing is evaluated."""

from __future__ import annotations

import re

from ._interpolation import look
from ._reader import MAX_DEPTH, Page, Reader, Unreadable
from ._text import Text

_TOKEN = re.compile(
    r"""(?P<space>[\s,]+)|(?P<comment>;[^\n]*)|(?P<skip>\#_)|(?P<string>\#?"(?>[^"\\]|\\.)*+")
    |(?P<open>\#?[({\[])|(?P<close>[)}\]])|(?P<word>[^\s,;"(){}\[\]]+)""",
    re.VERBOSE | re.DOTALL,
)
_ENV = re.compile(r"""(?:\#env\s+|getenv\s+"|\(env\s+:)([\w-]+)""")
_DEFAULT = re.compile(r'"([^"\n]*)"\s*[\])]\s*$')
_OR = re.compile(r"[(#]or\s|getenv\s+\"[\w-]+\"\s+\"")
_LITERAL = re.compile(r"true|false|nil|-?\d+|:[\w./-]+")


def claims(path: str) -> int:
    return 9 if path.endswith((".clj", ".cljc", ".cljs", ".edn", ".bb")) else 0


def read(text: Text) -> Page:
    """Each map is a block; a keyword in it with the form that follows is an entry. Strings elsewhere stand alone."""
    page = Page(text, language="clojure")
    body = text.text
    stack: list[tuple[str, int, int]] = [("", 0, 0)]
    key: tuple[str, int] | None = None
    for match in _TOKEN.finditer(body):
        kind, at = match.lastgroup, match.start()
        if kind in ("space", "comment", "skip"):
            if kind == "comment":
                page.prose.append(match.span())
            continue
        bracket, block, opened = stack[-1]
        if kind == "open":
            if len(stack) > 4 * MAX_DEPTH:
                raise Unreadable(f"nested deeper than {4 * MAX_DEPTH}")
            inner = page.block(key[0] if key else "", block, start=at) if match[0] == "{" else block
            stack.append((match[0], inner, key[1] if key and match[0] != "{" else -1))
            if match[0] == "{" or key is None:
                key = None
        elif kind == "close":
            if len(stack) > 1:
                stack.pop()
                if bracket.endswith("{"):
                    page.blocks[block].end = match.end()
                elif opened >= 0:
                    _computed(page, body, opened, match.end(), block)
            key = None if stack[-1][0].endswith("{") else key
        elif kind == "word" and bracket.endswith("{") and match[0].startswith(":") and key is None:
            key = (match[0].lstrip(":").rpartition("/")[2], at)
        elif bracket.endswith("{") and key is not None:
            if kind == "word" and match[0].startswith("#"):
                continue
            _pair(page, body, key, match, block)
            key = None
        elif kind == "string" and key is None:
            value = match[0].strip("#")[1:-1]
            page.add("", value, match.end() - len(value) - 1, match.end() - 1, at, block, plain=look(value).plain)
    return page


def _pair(page: Page, body: str, key: tuple[str, int], match: re.Match[str], block: int) -> None:
    raw, start, end = match[0], match.start(), match.end()
    if raw.startswith('"'):
        page.add(key[0], raw[1:-1], start + 1, end - 1, key[1], block)
        return
    env = _ENV.search(body, key[1], end)
    plain = env is None and _LITERAL.fullmatch(raw) is not None
    refers = () if plain else (env[1] if env else raw,)
    page.add(key[0], raw.lstrip(":"), start, end, key[1], block, plain=plain, refers=refers)


def _computed(page: Page, body: str, key_at: int, end: int, block: int) -> None:
    """``:password (System/getenv "X")``: what decides is named, and what holds when it is not set."""
    raw = body[key_at:end]
    name, _, value = raw.partition(" ")
    if not re.fullmatch(r":[\w./-]+", name) or len(raw) > 400:
        return
    decides = _ENV.findall(raw) or re.findall(r"\(\s*([\w./!?*-]+)", raw)[:1]
    default = _DEFAULT.search(raw) if _OR.search(raw) else None
    start = key_at + len(name) + 1
    page.add(name[1:].rpartition("/")[2], " ".join(value.split())[:160], start, end, key_at, block, plain=False, refers=decides, default=default[1] if default else None)


READER = Reader("Clojure", claims, read)
