"""One entry of the journal, its hash, and what may be written into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ..model import Secret

START = "0" * 64
"""What stands for the hash before the first entry."""

CREDENTIALS = (
    (re.compile(r"(://[^\s/:@]*):[^\s/@]*@"), r"\1:***@"),
    (
        re.compile(
            r"(?i)([\w-]*(?:password|passwd|pwd|secret|token))([\"']?\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\"[^\"]*\"|[^\s,;&}]+)"
        ),
        r"\1\2***",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "***"),
)
"""Values are not meant to hold secrets; a server's error text that quotes one is starred all the same."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal.

    ``run`` counts the runs of one rotation from 1. ``event`` is ``begin``, ``intent``, ``answer``, ``held``, ``note`` or ``end``.
    ``fence`` is the number of the lease under which it was written.
    """

    number: int
    at: datetime
    rotation: str
    run: int
    actor: str
    fence: int
    event: str
    body: Mapping[str, object]
    previous: str
    hash: str


def encode(value: object) -> str:
    """JSON with sorted keys, secrets as stars."""
    return msgspec.json.encode(_starred(value), order="sorted", enc_hook=_hook).decode()


def hash_of(previous: str, number: int, at: str, rotation: str, run: int, actor: str, fence: int, event: str, body: str) -> str:
    """SHA-256 over everything an entry says and the hash before it, lower-case hexadecimal."""
    line = msgspec.json.encode([previous, number, at, rotation, run, actor, fence, event, body])
    return hashlib.sha256(line).hexdigest()


def broken_at(entries: Iterable[Entry]) -> int | None:
    """The number of the first entry that was changed, or that an entry is missing before; None when all is well."""
    previous = START
    for number, entry in enumerate(entries, 1):
        body = encode(entry.body)
        expected = hash_of(
            previous, number, entry.at.isoformat(), entry.rotation, entry.run, entry.actor, entry.fence, entry.event, body
        )
        if (entry.number, entry.previous, entry.hash) != (number, previous, expected):
            return entry.number
        previous = entry.hash
    return None


def _hook(value: object) -> object:
    if isinstance(value, Secret):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no plain value")


def _starred(value: object) -> object:
    if isinstance(value, str):
        for pattern, stars in CREDENTIALS:
            value = pattern.sub(stars, value)
        return value
    if isinstance(value, Mapping):
        return {str(k): _starred(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_starred(v) for v in value]
    return value
