"""
Many questions to ``trust show`` in one run: a JSON object a line in, one out.

No file, however it was made, costs the other lines more than five seconds and 256 MiB.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime

from .. import readers
from ..errors import InputError, RerootError, TrustStoreError
from ..truststores import Limits
from ._trustlimits import guarded

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

    return guarded(content, look)


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
        hint = "`reroot trust fetch` brings a bundle from an address" if "://" in path else ""
        raise TrustStoreError(f"cannot be read: {why}", where=path, hint=hint) from error


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
