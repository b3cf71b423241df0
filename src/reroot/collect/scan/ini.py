"""Sections in brackets: ``pg_service.conf``, ``pgbouncer.ini``, ``odbc.ini``, ``alembic.ini``, ``grafana.ini``, systemd units; and
PostgreSQL's own ``key = 'value'`` files."""

from __future__ import annotations

import re

from ._lines import assign, lines
from ._reader import Page, Reader
from ._text import Text

_SECTION = re.compile(r"\s*\[([^\]\n]*)\]\s*(?:[#;].*)?$")
_PAIR = re.compile(r"\s*([A-Za-z_*][\w.\-]*(?: [\w.\-]+){0,5})\s*+[=:]\s*")
_UNIT = re.compile(r"\s*Environment\s*=\s*(.*)")
_FILE = re.compile(
    r"(^|/)(\.?pg_service\.conf|pgbouncer[\w.-]*\.ini|\.?odbc(inst)?\.ini|\.?pgclirc|my_pgcli|postgresql(\.auto)?\.conf|recovery\.(conf|done)"
    r"|pgpool[\w.-]*\.conf|patroni[\w.-]*\.ini|\.psqlrc)([\w.-]*)$"
)


def claims(path: str) -> int:
    if _FILE.search(path):
        return 9
    return (
        5
        if path.endswith(
            (".ini", ".cfg", ".conf", ".cnf", ".service", ".ini.j2", ".conf.j2", ".conf.template", ".toml.j2", ".config")
        )
        else 0
    )


def read(text: Text) -> Page:
    page = Page(text)
    block = 0
    for at, line in lines(text.text):
        if line.lstrip().startswith(("#", ";")):
            page.prose.append((at, at + len(line)))
            continue
        section = _SECTION.match(line)
        if section:
            block = page.block(section[1].strip(), kind="section", start=at)
            continue
        unit = _UNIT.match(line)
        if unit:
            _environment(page, unit[1], at + unit.start(1), block)
            continue
        match = _PAIR.match(line)
        if match:
            comments = "" if page.blocks[block].label == "databases" else "#"
            assign(page, match[1], line[match.end() :], at + match.end(), at + match.start(1), block, comments=comments)
    return page


def _environment(page: Page, text: str, at: int, block: int) -> None:
    """systemd's ``Environment="A=1" B=2``."""
    for pair in re.finditer(r"""["']?(?<!\w)([A-Za-z_]\w*)=((?:[^\s"']|\\.)*)["']?""", text):
        assign(page, pair[1], pair[2], at + pair.start(2), at + pair.start(1), block)


READER = Reader("ini or conf file", claims, read)
