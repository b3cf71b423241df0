"""
Many questions to ``trust show`` in one run: a JSON object a line in, one out.

Small files are read here. A large one is read in a child process with five seconds and 256 MiB, so that no file, however it
was made, costs the other lines more than that.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from .. import readers
from ..errors import InputError, RerootError, TrustStoreError
from ..truststores import Limits

SECONDS = 4.0
MEMORY = 240 * 2**20
LARGE = 256 * 1024
"""Bytes from which a file gets a child of its own."""

Values = dict[str, object]


def answers(lines: Iterable[bytes], now: datetime) -> Iterator[Values]:
    """The answer to each line, in order. A bad line gets an ``error``; the others are answered."""
    for line in lines:
        if not line.strip():
            continue
        id: object = None
        try:
            case = json.loads(line)
            if not isinstance(case, dict):
                raise InputError("a case is a JSON object")
            id = case.get("id")
            yield {"id": id, **answer(case, now)}
        except RerootError as error:
            place = f"{error.where}: " if error.where else ""
            yield {"id": id, "error": f"{place}{error.message}"}
        except (ValueError, RecursionError):
            yield {"id": id, "error": "the line is not JSON"}
        except Exception as error:  # one line's fault is never another's
            yield {"id": id, "error": f"this case could not be answered: {type(error).__name__}"}


def answer(case: Values, now: datetime) -> Values:
    """``loads``, ``anchors`` and ``problems`` for one case."""
    file, reader = _text(case, "file"), _text(case, "reader")
    store_type, password = _optional(case, "store_type"), _optional(case, "password")
    stack, version = readers.parse(reader)
    readers.find(stack)
    content = read(file)

    def look() -> Values:
        found = readers.effective(stack, version, content, store_type=store_type, password=password)
        problems = (*found.problems, *readers.remarks(found.certificates, now))
        return {
            "loads": found.loads,
            "anchors": sorted(c.fingerprint for c in found.certificates),
            "problems": [{"code": p.code, "text": p.text} for p in problems],
        }

    return look() if len(content) < LARGE else in_child(look)


def read(path: str) -> bytes:
    """The bytes of a regular file within the limit; nothing else is opened for reading."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise TrustStoreError("is no regular file", where=path)
            if status.st_size > Limits.BYTES:
                raise TrustStoreError(f"is {status.st_size} bytes long; {Limits.BYTES} are the limit", where=path)
            return file.read(Limits.BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name cannot be used"
        raise TrustStoreError(f"cannot be read: {why}", where=path) from error


def _text(case: Values, name: str) -> str:
    value = case.get(name)
    if not isinstance(value, str) or not value:
        raise InputError(f"`{name}` is missing or no text")
    return value


def _optional(case: Values, name: str) -> str | None:
    value = case.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"`{name}` is no text")
    return value


def in_child(look: object) -> Values:
    """Run *look* in a child with limits; its answer, or ``TrustStoreError`` when it did not come back in time."""
    assert callable(look)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            _limit()
            try:
                said = json.dumps(look())
            except RerootError as error:
                said = json.dumps({"error": error.message})
            with open(writing, "w", encoding="utf-8") as out:
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
    values: Values = json.loads(answered)
    if "error" in values:
        raise TrustStoreError(str(values["error"]))
    return values


def _limit() -> None:
    with open("/proc/self/statm", "rb") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY // 2, mapped + MEMORY // 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 1, int(SECONDS) + 1))


def _all(fd: int, child: int) -> bytes:
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
