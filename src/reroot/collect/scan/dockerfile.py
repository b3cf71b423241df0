"""Dockerfiles: ``ENV`` and ``ARG`` in both their forms, ``COPY``, ``ADD`` and ``RUN``."""

from __future__ import annotations

import re

from ._commands import assignments, comments, joined
from ._interpolation import look
from ._reader import Page, Reader
from ._text import Text

_FILE = re.compile(r"(^|/)([\w.-]*Dockerfile[\w.-]*|Containerfile[\w.-]*|[\w.-]+\.dockerfile)$", re.IGNORECASE)
_OLD = re.compile(r"\s*(ENV|ARG)\s+([A-Za-z_]\w*)\s+(?!=)(\S.*)$", re.IGNORECASE | re.DOTALL)


def claims(path: str) -> int:
    return 10 if _FILE.search(path) and not path.endswith((".dockerignore", ".md")) else 0


def read(text: Text) -> Page:
    page = Page(text, language="dockerfile")
    block = page.block("", kind="environment")
    comments(page, text.text)
    for at, command in joined(text.text):
        page.commands.append((text.at(at), command))
        old = _OLD.match(command)
        if old and "=" not in old[2] and not re.match(r"\s*ENV\s+\w+=", command, re.IGNORECASE):
            value = old[3].strip().strip("\"'")
            start = at + command.index(value, old.start(3)) if value else at + old.start(3)
            seen = look(value)
            page.add(
                old[2],
                value,
                start,
                start + len(value),
                at + old.start(2),
                block,
                plain=seen.plain,
                refers=seen.refers,
                default=seen.default,
            )
        else:
            assignments(page, command, at, block)
    return page


READER = Reader("Dockerfile", claims, read)
