"""Python source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("python", "tree_sitter_python", (".py", ".pyi", ".pyw", ".py.j2", ".py.tmpl"), braces=True)
READER = Reader("Python", LANGUAGE.claims, LANGUAGE.read)
