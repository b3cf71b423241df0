"""Java source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("java", "tree_sitter_java", (".java",))
READER = Reader("Java", LANGUAGE.claims, LANGUAGE.read)
