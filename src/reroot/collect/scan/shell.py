"""Shell scripts: what they set, and the commands they run."""

from __future__ import annotations

import re

from ._commands import assignments, comments, joined
from ._reader import Page, Reader
from ._text import Text

_FILE = re.compile(
    r"(\.(sh|bash|zsh|ksh|fish|bats|ps1|bat|cmd)|\.sh\.(tpl|j2|tmpl|erb)|(^|/)(Makefile|GNUmakefile|makefile|Justfile|justfile|Procfile|entrypoint|docker-entrypoint|\.bashrc|\.profile|\.zshrc|\.bash_profile|crontab|Vagrantfile)|\.mk)$"
)


def claims(path: str) -> int:
    return 8 if _FILE.search(path) else 0


def read(text: Text) -> Page:
    page = Page(text, language="shell")
    block = page.block("", kind="environment")
    comments(page, text.text)
    for at, command in joined(text.text):
        page.commands.append((text.at(at), command))
        assignments(page, command, at, block)
    return page


READER = Reader("shell script", claims, read)
