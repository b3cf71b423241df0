"""Java ``.properties``: names with dots, ``=`` or ``:`` or a blank, lines continued by a backslash, escapes kept as written."""

from __future__ import annotations

import re

from ._lines import assign, lines
from ._reader import Page, Reader
from ._text import Text

_PAIR = re.compile(r"\s*((?:[^\s=:\\]|\\.)+)\s*[=:\s]\s*")


def claims(path: str) -> int:
    return (
        9
        if path.endswith((".properties", ".properties.template", ".properties.example", ".properties.j2", ".properties.tmpl"))
        else 0
    )


def read(text: Text) -> Page:
    page = Page(text)
    pending: tuple[str, int, int, str] | None = None
    for at, line in lines(text.text):
        if pending is not None:
            name, key_at, value_at, so_far = pending
            value = so_far + line.strip()
        elif line.lstrip().startswith(("#", "!")):
            page.prose.append((at, at + len(line)))
            continue
        else:
            match = _PAIR.match(line)
            if not match:
                continue
            name, key_at, value_at, value = match[1].replace("\\", ""), at + match.start(1), at + match.end(), line[match.end() :]
        if value.endswith("\\") and not value.endswith("\\\\"):
            pending = (name, key_at, value_at, value[:-1])
            continue
        pending = None
        assign(page, name, value, value_at, key_at, 0, comments="")
    return page


READER = Reader("Java properties", claims, read)
