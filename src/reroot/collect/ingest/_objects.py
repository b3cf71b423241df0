"""
The logs that were named, one by one: files, folders, standard input; plain, gzip or zstd; and what makes each of them itself.

A log is known again by its first bytes, not by its name: ``postgresql.log.1.gz`` is the ``postgresql.log`` of yesterday. So nothing is
counted twice, and of a file that has grown only the new part is read.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from typing import IO, Any, Protocol

    class Stream(Protocol):
        def readinto(self, block: Any, /) -> int | None: ...
        def close(self) -> None: ...


HEAD = 4096
"""Bytes by which a log is known again; the first lines carry times of a millisecond and a process."""

STANDARD_INPUT = "-"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 18


class Log(NamedTuple):
    """One log to read: its ``path``, or ``-``, and the server whose log it is. ``tag`` is what the place itself knows its contents by."""

    server: str
    path: str
    tag: str = ""


class Known(NamedTuple):
    """A log that was read before: the SHA-256 of its first ``head`` bytes, and how many ``bytes`` of it were counted."""

    head: int
    digest: str
    bytes: int


class Unreadable(Exception):
    """A log that cannot be read, or not to its end; told in the report, and no reason to leave the others out."""


def find(places: Sequence[str], server: str = "", since: datetime | None = None) -> tuple[Log, ...]:
    """The logs at *places*, each a file, a folder, ``-``, a place at AWS, or one of these after ``NAME=`` of its server; each once.

    *since* leaves out what AWS says was not written to after it.
    """
    found: dict[str, Log] = {}
    for place in places:
        name, equals, path = place.partition("=")
        if not equals or "://" in name or os.path.exists(place):
            name, path = server, place
        if "://" in path:
            for log in _far(path, name, since):
                found.setdefault(log.path, log)
            continue
        for file in _files(path):
            found.setdefault(os.path.realpath(file) if file != STANDARD_INPUT else file, Log(name, file))
    return tuple(sorted(found.values()))


def _far(place: str, server: str, since: datetime | None) -> Sequence[Log]:
    from ._remote import KINDS, find_remote, is_remote

    if not is_remote(place):
        known = ", ".join(f"`{scheme}://`" for scheme in KINDS)
        raise InputError(f"`{place}` is nothing that logs are read from", hint=f"name a file, a folder, or one of {known}")
    return find_remote(place, server, since)


def _files(path: str) -> Iterator[str]:
    if path == STANDARD_INPUT:
        yield path
        return
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise InputError(f"cannot read `{path}`: {error.strerror}", hint="name files or folders of logs, or `-`") from None
    if stat.S_ISREG(mode):
        yield path
        return
    if not stat.S_ISDIR(mode):
        raise InputError(f"`{path}` is neither a file nor a folder", hint="pipe it in: `… | reroot ingest -`")
    found = False
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(folder, name)
            if not name.startswith(".") and os.path.isfile(file) and os.path.getsize(file):
                found = True
                yield file
    if not found:
        raise InputError(f"there is no log in `{path}`", hint="name the folder that `log_directory` names")


def kind(path: str) -> str:
    """``plain``, ``gzip`` or ``zstd``, by the first bytes; ``remote``, which nobody can begin in the middle of."""
    if path == STANDARD_INPUT:
        return "plain"
    if "://" in path:
        return "remote"
    with open(path, "rb") as file:
        return _kind(file.read(4))


def _kind(begin: bytes) -> str:
    return "gzip" if begin.startswith(_GZIP) else "zstd" if begin == _ZSTD else "plain"


def open_log(log: Log, known: Sequence[Known] = ()) -> Stream:
    """The bytes of a log, decompressed. ``Unreadable`` where that is not possible."""
    raw: Any
    try:
        if log.path == STANDARD_INPUT:
            import sys
            from io import BufferedReader, BytesIO

            given = sys.stdin.buffer
            return given.raw if isinstance(given, BufferedReader) else BytesIO(given.read())
        if "://" in log.path:
            from ._remote import open_remote

            raw = open_remote(log, known)
            how = _kind(raw.peek())
        else:
            how = kind(log.path)
            raw = open(log.path, "rb", buffering=0)  # noqa: SIM115 (the caller closes it)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from None
    if how == "gzip":
        return _Gunzip(raw)
    return _unzstd(raw) if how == "zstd" else raw


class _Gunzip:
    """gzip as a stream, one member after another. What a cut file still holds is given before the cut is told."""

    def __init__(self, raw: IO[bytes]) -> None:
        import zlib

        self._zlib = zlib
        self._raw = raw
        self._inflate = zlib.decompressobj(31)
        self._pending = b""
        self._ended = False

    def readinto(self, block: memoryview, /) -> int:
        try:
            while not self._ended:
                if self._inflate.eof:
                    self._pending = self._inflate.unused_data or self._raw.read(_CHUNK)
                    if not self._pending.rstrip(b"\0"):
                        self._ended = True
                        break
                    self._inflate = self._zlib.decompressobj(31)
                given = self._pending or self._raw.read(_CHUNK)
                text = self._inflate.decompress(given, len(block))
                self._pending = self._inflate.unconsumed_tail
                if text:
                    block[: len(text)] = text
                    return len(text)
                if not given and not self._inflate.eof:
                    raise Unreadable("the gzip file is cut short")
        except self._zlib.error as error:
            raise Unreadable(f"the gzip file is damaged: {error}") from None
        return 0

    def close(self) -> None:
        self._raw.close()


def _unzstd(raw: Any) -> Stream:
    try:
        import zstandard
    except ImportError:
        raw.close()
        raise Unreadable("zstd needs the package `zstandard`: `pip install 'reroot[logs]'`") from None
    return _Unzstd(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True), zstandard.ZstdError)


class _Unzstd:
    def __init__(self, stream: Any, error: type[Exception]) -> None:
        self._stream = stream
        self._error = error

    def readinto(self, block: memoryview, /) -> int:
        try:
            return int(self._stream.readinto(block))
        except self._error as error:
            raise Unreadable(f"the zstd file is damaged: {error}") from None

    def close(self) -> None:
        self._stream.close()


def digest(head: bytes) -> str:
    import hashlib

    return hashlib.sha256(head).hexdigest()


def position(head: bytes, known: Sequence[Known]) -> int:
    """Up to where a log that begins with *head* was counted before; 0 when it is new."""
    return max((k.bytes for k in known if len(head) >= k.head and digest(head[: k.head]) == k.digest), default=0)
