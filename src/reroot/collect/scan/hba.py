"""``pg_hba.conf``: which logins a server takes, and whether it insists on TLS for them."""

from __future__ import annotations

import re

from ._lines import lines
from ._reader import Page, Reader
from ._text import Text

_LINE = re.compile(r"\s*(local|host|hostssl|hostnossl|hostgssenc|hostnogssenc)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+(\S+))?")


def claims(path: str) -> int:
    return 10 if re.search(r"(^|/)pg_hba[\w.-]*(\.conf|\.j2|\.tpl|\.template)$", path) else 0


def read(text: Text) -> Page:
    """Each rule is an entry: its kind is the name, whom and from where the value."""
    page = Page(text)
    block = page.block("pg_hba", kind="section")
    for at, line in lines(text.text):
        if line.lstrip().startswith("#"):
            page.prose.append((at, at + len(line)))
            continue
        match = _LINE.match(line)
        if match:
            page.add(
                match[1], line[match.start(2) : match.end(4)], at + match.start(2), at + match.end(4), at + match.start(1), block
            )
    return page


READER = Reader("pg_hba.conf", claims, read)
