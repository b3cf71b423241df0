"""Kotlin source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("kotlin", "tree_sitter_kotlin", (".kt", ".kts"))
READER = Reader("Kotlin", LANGUAGE.claims, LANGUAGE.read)
