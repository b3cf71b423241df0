"""Certificates pasted inside source code or configuration."""

from __future__ import annotations

import re

from . import _pasted
from ._format import Change, Format, Roots

DRESSED = re.compile(rb"[\"'`][ \t]*-----BEGIN CERTIFICATE-----|-----BEGIN CERTIFICATE-----(?:\\n|[\"'])")
INDENTED = re.compile(rb"^[ \t]+-----BEGIN CERTIFICATE-----", re.MULTILINE)


def sniff(content: bytes) -> int:
    """A quote before the first block, an escaped line end behind it, or blanks before it."""
    if DRESSED.search(content):
        return 93
    if INDENTED.search(content) or _pasted.BASE64.search(content):
        return 60
    return 0


def read(content: bytes, _password: object = None) -> Roots:
    return _pasted.read("pasted", content)


def write(content: bytes, change: Change, _password: object = None) -> bytes:
    return _pasted.write(content, change)


def extract(content: bytes, key: str = "") -> bytes:
    """The PEM text that the program gets when its own syntax is taken off."""
    return _pasted.extract(content, key=key)


FORMAT = Format(title="certificates inside other text", sniff=sniff, read=read, write=write, extract=extract)
