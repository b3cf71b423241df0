"""PHP source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("php", "tree_sitter_php", (".php", ".phtml", ".inc"), "language_php")
READER = Reader("PHP", LANGUAGE.claims, LANGUAGE.read)
