"""Files that are no text, told by their first bytes: key stores, archives, pgAdmin's database, UTF-16."""

from __future__ import annotations

import os

from ._finding import Harvest
from ._look import MAX_BYTES, look
from ._text import BOMS


def binary(path: str, fd: int, head: bytes, vendored: bool) -> Harvest | None:
    """What a file that is no UTF-8 text gives; None when it is none of ours."""
    if any(head.startswith(mark) for mark, _ in BOMS):
        os.lseek(fd, 0, os.SEEK_SET)
        return look(path, os.read(fd, MAX_BYTES + 1), vendored=vendored)
    return None
