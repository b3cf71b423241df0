"""JSON, with the comments and trailing commas that people put into it: pgAdmin's ``servers.json``, task definitions,
``appsettings.json``, ``data-sources.json``, CloudFormation, ``kubectl -o json``."""

from __future__ import annotations

from . import _shapes
from ._braces import read_braces
from ._reader import Page, Reader
from ._text import Text


def claims(path: str) -> int:
    return (
        8
        if path.endswith(
            (".json", ".jsonc", ".json5", ".tfstate", ".ipynb", ".json.erb", ".json.j2", ".json.tpl", ".webmanifest")
        )
        else 0
    )


def read(text: Text) -> Page:
    page = Page(text)
    read_braces(page, hash_comments=False)
    _shapes.settle(page)
    return page


READER = Reader("JSON", claims, read)
