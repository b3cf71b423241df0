"""What one trust store format must say: how it is recognised, read and changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ..model import Secret
from ..pki.certificate import Certificate


@lru_cache(maxsize=8192)
def readable(der: bytes) -> bool:
    """Whether these bytes are a certificate with a subject and a key; looked at once for each."""
    return Certificate(der).is_readable


class Limits:
    """Caps that are looked at before anything is parsed. A file beyond them is refused, never read in part."""

    BYTES: Final = 16 * 1024 * 1024
    CERTIFICATES: Final = 20_000
    BLOCKS: Final = 40_000
    CERTIFICATE_BYTES: Final = 64 * 1024
    ITERATIONS: Final = 1_000_000
    """Rounds of a password's key derivation."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a trust store. ``kind`` is ``root``, ``key`` (a private key; ``certificate`` is its own), ``chain`` (a
    certificate beside a key, or one that no reader takes for a root), ``secret``, ``crl``, ``damaged`` or ``other``.

    ``name`` is the alias, or where the entry stands: ``line 12``. ``note`` says what is particular about it.
    """

    kind: str
    name: str
    certificate: Certificate | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Roots:
    """What a trust store holds, in the order of the file. ``checked`` says whether its integrity was verified."""

    format: str
    entries: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()
    checked: bool = True

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The roots, each once, in order of first appearance."""
        return tuple(dict.fromkeys(e.certificate for e in self.entries if e.kind == "root" and e.certificate is not None))


@dataclass(frozen=True, slots=True)
class Change:
    """Roots to put into a trust store, and roots to take out."""

    add: tuple[Certificate, ...] = ()
    remove: frozenset[str] = field(default_factory=frozenset)
    """Fingerprints."""
    key: str = ""
    """Which of several bundles in one file is meant: its key, or the line that it begins at."""


Read = Callable[[bytes, Secret | None], Roots]
Write = Callable[[bytes, Change, Secret | None], bytes]
Create = Callable[[Sequence[Certificate], Secret | None], bytes]


@dataclass(frozen=True)
class Format:
    """A trust store format.

    ``sniff(content)`` says how surely the bytes are of this format: 0 not at all, 100 without doubt.
    ``read(content, password)`` gives the entries; ``TrustStoreError`` when it cannot be opened.
    ``write(content, change, password)`` gives the new bytes, everything else as it was; None: reroot does not change these files.
    ``create(roots, password)`` makes a new one.
    ``extract(content, key)`` gives the bytes that a TLS stack is handed in the end, where those are not the file's own; *key*
    names one of several bundles, ``""`` means all of them.
    ``takes_password`` says whether a password is part of the format.
    """

    title: str
    sniff: Callable[[bytes], int]
    read: Read
    write: Write | None = None
    create: Create | None = None
    takes_password: bool = False
    extract: Callable[[bytes, str], bytes] | None = None
