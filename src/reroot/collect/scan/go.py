"""Go source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("go", "tree_sitter_go", (".go",))
READER = Reader("Go", LANGUAGE.claims, LANGUAGE.read)
