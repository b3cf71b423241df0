"""C# source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("csharp", "tree_sitter_c_sharp", (".cs", ".csx"))
READER = Reader("C#", LANGUAGE.claims, LANGUAGE.read)
