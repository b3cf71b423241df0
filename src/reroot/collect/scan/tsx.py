"""TSX source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("typescript", "tree_sitter_typescript", (".tsx",), "language_tsx")
READER = Reader("TSX", LANGUAGE.claims, LANGUAGE.read)
