"""
Where one serialized Java object ends.

A secret key inside a JCEKS file is a serialized object without a length before it: to get past it, it must be walked through.
Nothing is built from it. Grammar: Java Object Serialization Specification, section 6.4.2.
"""

from __future__ import annotations

import struct

SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}
DEPTH = 64


class _Walk:
    """One pass over the bytes; class descriptions are remembered, since later ones refer to them by number."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at, self.depth = data, at, 0
        self.handles: list[_Class | None] = []

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("ends in the middle of a serialized object")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self) -> str:
        return self.take(self.number(">H")).decode("utf-8", "replace")

    def content(self) -> int:
        """One content element; its type code."""
        self.depth += 1
        if self.depth > DEPTH:
            raise ValueError("holds a serialized object that is nested too deeply")
        code = self.take(1)[0]
        match code:
            case 0x70 | 0x78:
                pass
            case 0x71:
                self.take(4)
            case 0x73:
                described = self.described()
                self.handles.append(None)
                self.fields(described)
            case 0x74:
                self.handles.append(None)
                self.take(self.number(">H"))
            case 0x75:
                self.array()
            case 0x76:
                self.described()
                self.handles.append(None)
            case 0x77:
                self.take(self.number(">B"))
            case 0x7A:
                self.take(self.number(">I"))
            case 0x7C:
                self.handles.append(None)
                self.take(self.number(">Q"))
            case _:
                raise ValueError("holds a serialized object that cannot be read")
        self.depth -= 1
        return code

    def described(self) -> _Class | None:
        code = self.take(1)[0]
        if code == 0x70:
            return None
        if code == 0x71:
            number = self.number(">I") - 0x7E0000
            if not 0 <= number < len(self.handles):
                raise ValueError("holds a serialized object that refers to nothing")
            return self.handles[number]
        if code != 0x72:
            raise ValueError("holds a serialized object that cannot be read")
        found = _Class(self.text())
        self.take(8)
        self.handles.append(found)
        found.flags = self.number(">B")
        for _ in range(self.number(">H")):
            kind = chr(self.take(1)[0])
            self.text()
            if kind in "[L":
                self.content()
            found.fields.append(kind)
        while self.content() != 0x78:
            pass
        found.parent = self.described()
        return found

    def fields(self, described: _Class | None) -> None:
        lineage = []
        while described is not None:
            lineage.append(described)
            described = described.parent
        for found in reversed(lineage):
            if found.flags & 0x04:
                raise ValueError("holds an externalized object, which cannot be walked through")
            for kind in found.fields:
                if kind in SIZES:
                    self.take(SIZES[kind])
                else:
                    self.content()
            if found.flags & 0x01:
                while self.content() != 0x78:
                    pass

    def array(self) -> None:
        described = self.described()
        self.handles.append(None)
        count = self.number(">I")
        kind = described.name[1:2] if described else ""
        if kind in SIZES:
            self.take(SIZES[kind] * count)
        else:
            for _ in range(count):
                self.content()


class _Class:
    def __init__(self, name: str) -> None:
        self.name = name
        self.flags = 0
        self.fields: list[str] = []
        self.parent: _Class | None = None


def end(data: bytes, at: int) -> int:
    """The offset behind the serialized object that begins at *at*; ``ValueError`` when there is none."""
    walk = _Walk(data, at)
    if walk.take(4) != b"\xac\xed\x00\x05":
        raise ValueError("holds no serialized object where one belongs")
    walk.content()
    return walk.at
