"""A file's text with places: where each character stands in the file, so that a finding has its line and a fix its bytes."""

from __future__ import annotations

import codecs
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(slots=True)
class Text:
    """Decoded text. ``encode(decode(data)) == data`` for every input: bytes that are no UTF-8 are kept as surrogates.

    ``pieces`` is set for text that stands inside another file (a ConfigMap's ``application.properties``): pairs of where a
    piece starts here and where it starts there.
    """

    path: str
    text: str
    encoding: str = "utf-8"
    bom: bytes = b""
    pieces: tuple[tuple[int, int], ...] = ()
    whole: Text | None = None
    _lines: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)

    @classmethod
    def decode(cls, path: str, data: bytes) -> Text:
        for mark, encoding in BOMS:
            if data.startswith(mark):
                try:
                    return cls(path, data[len(mark) :].decode(encoding, "surrogateescape"), encoding, mark)
                except UnicodeDecodeError:
                    break
        return cls(path, data.decode("utf-8", "surrogateescape"))

    def encode(self, text: str) -> bytes:
        """The file's bytes if *text* stood in the place of this text."""
        return self.bom + text.encode(self.encoding, "surrogateescape")

    def inside(self, path: str, spans: Sequence[tuple[int, int]]) -> Text:
        """The *spans* of this text as a text of its own; *path* names what kind of file it would be."""
        pieces, parts, length = [], [], 0
        for start, end in spans:
            pieces.append((length, self.at(start)))
            parts.append(self.text[start:end])
            length += end - start
        return Text(path, "".join(parts), self.encoding, self.bom, tuple(pieces), self.whole or self)

    def at(self, offset: int) -> int:
        """Where *offset* of this text stands in the whole file, in characters."""
        if not self.pieces:
            return offset
        if not self._starts:
            self._starts = [here for here, _ in self.pieces]
        here, there = self.pieces[max(0, bisect_right(self._starts, offset) - 1)]
        return there + offset - here

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset in the whole file."""
        root = self.whole or self
        if not root._lines:
            starts, find, at = [0], root.text.find, root.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            root._lines = starts
        line = bisect_right(root._lines, offset)
        return line, offset - root._lines[line - 1] + 1

    def starts(self, line: int) -> int:
        """Where a line of the whole file, from 1, starts."""
        self.place(0)
        return (self.whole or self)._lines[line - 1]

    def line_at(self, line: int) -> str:
        """The text of one line of the whole file, from 1."""
        self.place(0)
        root = self.whole or self
        if not 0 < line <= len(root._lines):
            return ""
        end = root._lines[line] if line < len(root._lines) else len(root.text)
        return root.text[root._lines[line - 1] : end].rstrip("\r\n")
