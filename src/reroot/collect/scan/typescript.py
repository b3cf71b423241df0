"""TypeScript source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("typescript", "tree_sitter_typescript", (".ts", ".mts", ".cts"), "language_typescript")
READER = Reader("TypeScript", LANGUAGE.claims, LANGUAGE.read)
