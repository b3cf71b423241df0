"""Ruby source code."""

from __future__ import annotations

from ._reader import Reader
from ._source import Language

LANGUAGE = Language("ruby", "tree_sitter_ruby", (".rb", ".rake", "Gemfile", "Rakefile", ".ru", ".gemspec"))
READER = Reader("Ruby", LANGUAGE.claims, LANGUAGE.read)
