"""Source code in languages without a grammar here: Elixir, Scala, Groovy, Perl … Found, and never decided."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language(
    "other",
    "",
    (
        ".exs",
        ".ex",
        ".scala",
        ".sc",
        ".groovy",
        ".gradle",
        "Jenkinsfile",
        ".pl",
        ".pm",
        ".swift",
        ".hs",
        ".ml",
        ".lua",
        ".cpp",
        ".cc",
        ".c",
        ".dart",
        ".erl",
        ".vb",
        ".fs",
        ".r",
        ".R",
        ".nix",
        ".jl",
        ".cr",
        ".vue",
        ".svelte",
    ),
)
READER = Reader("source code", LANGUAGE.claims, LANGUAGE.read)
