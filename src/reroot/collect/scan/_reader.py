"""
What a reader of one kind of settings file says: names, values, places. Never what they mean.

A reader turns text into a ``Page``: blocks (a mapping, a section, a call, an object literal) that hold entries (a name and a
value). What an entry means is decided once, in ``_recognise.py``, for every kind of file alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ._text import Text

MAX_DEPTH = 64
MAX_ENTRIES = 50_000
MAX_NAME = 200


class Unreadable(Exception):
    """A file, or a part of it, that its reader gives up on: the scope is incomplete, the scan goes on."""


@dataclass(slots=True)
class Block:
    """A group of entries that belong together. ``label`` is the name it stands under, ``parent`` the index around it."""

    index: int
    parent: int = -1
    label: str = ""
    kind: str = "mapping"
    """``mapping``, ``section``, ``environment``, ``call``, ``object``, ``file``, ``resource``."""
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Entry:
    """One name with its value. Offsets are characters of the whole file.

    ``plain`` is false when the value is not what is written: interpolated, computed, or taken from elsewhere; then ``refers``
    names the variables it takes and ``default`` what stands there when they are unset.
    """

    name: str
    value: str
    start: int
    end: int
    key_start: int
    block: int = 0
    plain: bool = True
    refers: tuple[str, ...] = ()
    default: str | None = None
    written: str = ""
    """The value as written, where ``value`` is what it means: ``SslMode.VerifyCA``."""
    exact: bool = True
    """False when the value is put together from several places, so that its characters have no place of their own."""


@dataclass(slots=True)
class Page:
    """What a reader found in one text."""

    text: Text
    blocks: list[Block] = field(default_factory=lambda: [Block(0, kind="file")])
    entries: list[Entry] = field(default_factory=list)
    language: str = ""
    """``python``, ``javascript`` … for source code, ``shell`` and ``dockerfile`` for commands, else empty."""
    commands: list[tuple[int, str]] = field(default_factory=list)
    """Command lines with continuation lines joined: where each starts, and its text."""
    prose: list[tuple[int, int]] = field(default_factory=list)
    """Spans of comments: nothing in them is a setting."""
    sure: bool = True
    """False when a fallback read the text without its grammar: nothing on the page is decidable."""

    def block(self, label: str, parent: int = 0, kind: str = "mapping", start: int = 0) -> int:
        if len(self.blocks) > MAX_ENTRIES:
            raise Unreadable("too many blocks")
        self.blocks.append(Block(len(self.blocks), parent, label[:MAX_NAME], kind, start))
        return len(self.blocks) - 1

    def add(
        self,
        name: str,
        value: str,
        start: int,
        end: int,
        key_start: int,
        block: int = 0,
        *,
        plain: bool = True,
        refers: Sequence[str] = (),
        default: str | None = None,
    ) -> Entry:
        """Add an entry; offsets are those of ``text`` and are stored as those of the whole file."""
        if len(self.entries) > MAX_ENTRIES:
            raise Unreadable("too many entries")
        at = self.text.at
        name = name[:MAX_NAME]
        entry = Entry(name, value, at(start), at(end), at(key_start), block, plain, tuple(refers), default)
        self.entries.append(entry)
        return entry

    def labels(self, block: int) -> list[str]:
        """The names around a block, innermost first."""
        names: list[str] = []
        while block > 0 and len(names) < MAX_DEPTH:
            names.append(self.blocks[block].label)
            block = self.blocks[block].parent
        return names


@dataclass(frozen=True, slots=True)
class Reader:
    """A kind of settings file. ``claims`` looks at a path (with ``/``) and says how sure it is: 0 is "not mine"."""

    title: str
    claims: Callable[[str], int]
    read: Callable[[Text], Page]
