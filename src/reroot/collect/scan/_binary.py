"""Files that are no text, told by their first bytes: key stores, archives, pgAdmin's database, UTF-16."""

from __future__ import annotations

import os

from ._archives import open_archive
from ._finding import Harvest
from ._look import MAX_BYTES, look
from ._pgadmin import NAMED as PGADMIN
from ._pgadmin import servers
from ._stores import HEADS, key_store
from ._text import BOMS


def binary(path: str, fd: int, head: bytes, vendored: bool) -> Harvest | None:
    """What a file that is no UTF-8 text gives; None when it is none of ours."""
    if any(head.startswith(mark) for mark, _ in BOMS):
        os.lseek(fd, 0, os.SEEK_SET)
        return look(path, os.read(fd, MAX_BYTES + 1), vendored=vendored)
    if head[:4] == b"PK\x03\x04":
        return open_archive(path, fd, vendored)
    if head.startswith(b"SQLite format 3\0") and PGADMIN.search(path):
        return servers(path, f"/proc/self/fd/{fd}")
    if head[:2] in HEADS and os.fstat(fd).st_size <= MAX_BYTES:
        os.lseek(fd, 0, os.SEEK_SET)
        harvest = Harvest()
        key_store(path, os.read(fd, MAX_BYTES), harvest, vendored)
        return harvest
    return None
