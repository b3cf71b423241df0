"""JavaScript source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("javascript", "tree_sitter_javascript", (".js", ".mjs", ".cjs", ".jsx"))
READER = Reader("JavaScript", LANGUAGE.claims, LANGUAGE.read)
