"""
Five seconds and 256 MiB for every trust store, however it was made.

What is small is read here. What is large, or asks for many rounds of key derivation, is read in a child process with limits, and
only its answer comes back: a clear error when it does not come in time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..errors import RerootError, TrustStoreError

SECONDS = 4.0
MEMORY = 240 * 2**20
LARGE = 256 * 1024
"""Bytes from which a file gets a child of its own."""
ROUNDS = 100_000
"""… and rounds of key derivation; keytool writes 10,000 and OpenSSL 2,048."""

T = TypeVar("T")


def is_costly(content: bytes) -> bool:
    if len(content) >= LARGE:
        return True
    if content[:1] != b"0":
        return False
    from ..truststores._pfx import rounds_of

    return rounds_of(content) > ROUNDS


def guarded(content: bytes, look: Callable[[], T]) -> T:
    """What *look* gives for *content*; ``TrustStoreError`` when that takes more than the limits."""
    return in_child(look) if is_costly(content) else look()


def in_child(look: Callable[[], T]) -> T:
    """Run *look* in a child with limits. What it gives must be made of plain values and certificates."""
    import pickle

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            _limit()
            try:
                said = pickle.dumps((look(), None))
            except RerootError as error:
                said = pickle.dumps((None, (error.message, error.where, error.hint)))
            with open(writing, "wb") as out:
                out.write(said)
            code = 0
        except BaseException:
            pass
        finally:
            os._exit(code)
    os.close(writing)
    try:
        answered = _all(reading, child)
    finally:
        os.close(reading)
    _, status = os.waitpid(child, 0)
    if status or not answered:
        raise TrustStoreError(f"takes more than {SECONDS} s or {MEMORY // 2**20} MiB to read, which is the limit")
    found, refused = pickle.loads(answered)
    if refused is not None:
        raise TrustStoreError(refused[0], where=refused[1], hint=refused[2])
    answer: T = found
    return answer


def _limit() -> None:
    import resource

    with open("/proc/self/statm", "rb") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY // 2, mapped + MEMORY // 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 1, int(SECONDS) + 1))


def _all(fd: int, child: int) -> bytes:
    import select
    import signal
    import time

    parts: list[bytes] = []
    end = time.monotonic() + SECONDS
    while (left := end - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            break
        part = os.read(fd, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return b""
