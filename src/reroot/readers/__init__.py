"""
Which roots a given TLS stack really gets from some bytes: one file per stack family.

The same file is not the same roots for everyone: one stack takes the first certificate only, another skips what is
damaged, a third loads nothing at all, a fourth loads an empty store without a word. Each file here imitates one stack's own
loader, and ``tests/readers`` runs the real one beside it over the same bytes.

To add a stack, add a file here which defines ``READER``. Nothing else.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .. import registry
from ..errors import InputError
from ..truststores._format import Limits
from ._reader import Anchors, Problem, Question, Reader
from ._remarks import remarks
from ._samekey import Shortcut, shortcuts

__all__ = [
    "Anchors", "Problem", "Question", "Reader", "Shortcut", "effective", "find", "names", "parse", "prove", "remarks", "shortcuts",
]  # fmt: skip


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Every reader, as the command line spells it."""
    return tuple(name.replace("_", "-") for name in registry.names(__path__))


@lru_cache(maxsize=64)
def find(name: str) -> Reader:
    """The reader of one stack; only its own file is imported."""
    module = name.lower().replace("-", "_")
    if module not in registry.names(__path__):
        raise InputError(f"there is no reader `{name}`", hint=f"there are {', '.join(f'`{n}`' for n in names())}")
    return registry.load(__name__, module, "READER", Reader)


def parse(text: str) -> tuple[str, str]:
    """``java-17`` → ``("java", "17")``; a name without a version has ``""``."""
    matched = re.fullmatch(r"([a-z][a-z0-9-]*?)(?:-v?(\d+(?:[._]\d+)*)[0-9A-Za-z.+_-]*)?", text.strip().lower())
    if matched is None:
        raise InputError(f"`{text}` is not the name of a reader", hint="write it as `java-17`, `openssl-3.0` or `python-3.13`")
    return matched[1], (matched[2] or "").replace("_", ".")


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``1.8.0_392`` and ``3.0.19`` alike; ``()`` for none."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", (re.match(r"[\d._]*", version) or [""])[0]))


def effective(
    reader: str, version: str, content: bytes, *, store_type: str | None = None, password: str | None = None
) -> Anchors:
    """Exactly the roots that this version of a stack gets from *content*, or how it fails.

    ``store_type`` is the type the stack was told (``PEM``, ``JKS``, ``PKCS12`` …); None is what it assumes by itself.
    Pure, and remembered: asking again costs a look-up. A file beyond the caps is "does not load" with the code ``limit``.
    """
    look = _remembered if len(content) <= REMEMBERED else _effective
    return look(reader, version, content, store_type, password)


REMEMBERED = 256 * 1024
"""Files up to this size are read once."""


def _effective(reader: str, version: str, content: bytes, store_type: str | None, password: str | None) -> Anchors:
    if len(content) > Limits.BYTES:
        text = f"is larger than {Limits.BYTES // 2**20} MiB"
        return Anchors(False, (), (Problem("limit", text),), text)
    return find(reader).read(Question(numbers(version), content, store_type, password))


_remembered = lru_cache(maxsize=512)(_effective)


def prove(reader: str, version: str) -> bool:
    """Whether the rules for this version were run beside the real loader."""
    return any((version + ".").startswith(known + ".") for known in find(reader).proven)
