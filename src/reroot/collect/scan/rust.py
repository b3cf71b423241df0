"""Rust source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("rust", "tree_sitter_rust", (".rs",))
READER = Reader("Rust", LANGUAGE.claims, LANGUAGE.read)
