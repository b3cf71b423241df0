"""``.env`` files, systemd ``EnvironmentFile``s and lists of ``-e`` variables: one ``NAME=value`` to a line."""

from __future__ import annotations

import re

from ._lines import assign, lines
from ._reader import Page, Reader
from ._text import Text

_NAME = re.compile(r"(?:\s*|- )(?:export\s+|set\s+|SetEnv\s+|Environment=\"?)?([A-Za-z_][\w.\-]*)\s*[=:]", re.IGNORECASE)
_FILE = re.compile(
    r"(^|/)(\.?env(\.[\w.-]+)?|[^/]*\.env(\.[\w-]+)?|\.envrc|env\.(example|sample|template)|[^/]+\.environment|dotenv[\w.-]*|[^/]+\.env\.(j2|tpl|erb))$"
)

_OTHER = re.compile(
    r"\.([cm]?[jt]sx?|py|rb|go|java|kts?|php|cs|fs|vb|rs|exs?|scala|groovy|gradle|clj[cs]?|edn|swift|dart|vue|svelte|ya?ml|json[c5]?|toml|tf|tfvars|hcl"
    r"|sh|bash|zsh|ps1|xml|properties|sql|nix|lua|p[lm]|r)$",
    re.IGNORECASE,
)
"""``env.go`` and ``prod.env.yaml`` are what their endings say."""


def claims(path: str) -> int:
    return 9 if _FILE.search(path) and not _OTHER.search(path) else 0


def read(text: Text) -> Page:
    page = Page(text)
    block = page.block("", kind="environment")
    for at, line in lines(text.text):
        bare = line.lstrip()
        if bare.startswith(("#", ";", "//")):
            page.prose.append((at, at + len(line)))
            continue
        match = _NAME.match(line)
        if match and line[match.end() - 1] == "=":
            assign(page, match[1], line[match.end() :], at + match.end(), at + match.start(1), block)
    return page


READER = Reader("environment file", claims, read)
