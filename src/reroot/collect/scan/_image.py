"""
Container images as ``docker save`` and OCI layouts have them: layers applied in order, without any engine and without disk.

Layers are read from the top down, each once and as a stream: a file that a higher layer replaced or took away is not looked at.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, cast

from ._archives import NAMED, archive
from ._finding import Harvest, Limit
from ._look import MAX_BYTES, look
from ._needles import CERTIFICATE_WORDS, WORDS, finder
from ._stores import HEADS, key_store
from ._walk import folders_around, is_vendored
from ._workers import MANIFESTS

MAX_FILES = 2_000_000
CHUNK = 1 << 20
OVERLAP = 256
MAX_UNPACKED = 4 << 30
MAX_RATIO = 200
SYSTEM = ("usr/share/", "usr/lib/", "etc/ssl/certs/", "proc/", "sys/")
BINARY = re.compile(r"\.(so[\d.]*|a|o|pyc|pyo|class|png|jpe?g|gif|ico|woff2?|ttf|gz|xz|bz2|zst|mo|dll|exe|node)$")


class _Lacks(Exception):
    """A layer that cannot be read for want of something that can be installed."""


class _Source:
    """Where the blobs of an image are: members of a tar, or files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tar = None if path.is_dir() else tarfile.open(path, "r:")  # noqa: SIM115 - closed by close()
        self.members: dict[str, tarfile.TarInfo] = {}
        try:
            for member in self.tar or ():
                if member.isreg() or member.issym() or member.islnk():
                    self.members[posixpath.normpath(member.name)] = member
        except (OSError, tarfile.TarError, EOFError):
            self.close()
            raise

    def close(self) -> None:
        if self.tar is not None:
            self.tar.close()

    def has(self, name: str) -> bool:
        return (self.path / name).is_file() if self.tar is None else posixpath.normpath(name) in self.members

    def open(self, name: str) -> IO[bytes]:
        if self.tar is None:
            return open(self.path / name, "rb")
        member = self.members[posixpath.normpath(name)]
        if member.issym():
            member = self.members[posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))]
        file = self.tar.extractfile(member)
        if file is None:
            raise KeyError(name)
        return file

    def read(self, name: str, most: int = 16 << 20) -> bytes:
        with self.open(name) as file:
            return file.read(most)


def is_image(path: Path) -> bool:
    """Is *path* an OCI layout, or a tar with an image in it?"""
    if path.is_dir():
        return (path / "oci-layout").is_file() and (path / "index.json").is_file()
    try:
        with open(path, "rb") as file:
            file.seek(257)
            if file.read(5) != b"ustar":
                return False
        with tarfile.open(path, "r:") as tar:
            for _ in range(5_000):
                member = tar.next()
                if member is None:
                    return False
                if posixpath.normpath(member.name) in ("manifest.json", "oci-layout", "index.json"):
                    return True
    except (OSError, tarfile.TarError):
        return False
    return False


def image(path: Path) -> tuple[dict[str, Harvest], int, int]:
    """What an image gives: harvests by path inside it, and how many files and bytes were looked at."""
    harvests: dict[str, Harvest] = {}
    files = size = 0
    try:
        with closing(_Source(path)) as source:
            for config, layers in _images(source):
                _configuration(source, config, harvests)
                gone: set[str] = set()
                opaque: set[str] = set()
                for layer in reversed(layers):
                    try:
                        more, amount = _layer(source, layer, harvests, gone, opaque)
                    except (_Lacks, OSError, tarfile.TarError, ValueError, EOFError) as reason:
                        why = str(reason) if isinstance(reason, _Lacks) else f"is no layer that could be read in full ({reason})"
                        harvests.setdefault(f"{layer}/", Harvest()).limits.append(Limit(layer, why))
                        continue
                    files, size = files + more, size + amount
    except (OSError, tarfile.TarError, KeyError, ValueError, TypeError, EOFError, zlib.error) as error:
        harvests.setdefault("", Harvest()).limits.append(
            Limit(str(path), f"is no image that could be read in full ({type(error).__name__})")
        )
    return harvests, files, size


def _images(source: _Source) -> Iterator[tuple[str, list[str]]]:
    if source.has("manifest.json"):
        for one in json.loads(source.read("manifest.json")):
            yield one["Config"], list(one["Layers"])
        return
    pending = [("index.json", 0)]
    while pending:
        name, depth = pending.pop()
        document = json.loads(source.read(name))
        if "layers" in document:
            yield _blob(document["config"]["digest"]), [_blob(layer["digest"]) for layer in document["layers"]]
        elif depth < 4:
            pending += [(_blob(m["digest"]), depth + 1) for m in document.get("manifests", ())]


def _blob(digest: str) -> str:
    kind, _, value = digest.partition(":")
    if not value.isalnum():
        raise ValueError("not a digest")
    return f"blobs/{kind}/{value}"


def _configuration(source: _Source, name: str, harvests: dict[str, Harvest]) -> None:
    config = json.loads(source.read(name)).get("config") or {}
    lines = [f"ENV {pair}" for pair in config.get("Env") or () if "\n" not in pair]
    for key in ("Entrypoint", "Cmd"):
        if config.get(key):
            lines.append("CMD " + " ".join(str(word) for word in config[key]).replace("\n", " "))
    harvests["(image configuration)/Dockerfile"] = look("(image configuration)/Dockerfile", "\n".join(lines).encode())


class _Packed:
    """A layer's bytes, unpacked as they are read: damage is an ``OSError``, and what unpacks without end ends."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int) -> bytes:
        try:
            data = self.stream.read(size)
        except Exception as error:  # each packer has errors of its own
            raise OSError(f"damaged ({type(error).__name__})") from error
        self.left -= len(data)
        if self.left < 0:
            raise _Lacks("unpacks to too much: the rest was not looked at")
        return data


@contextmanager
def _stream(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """A layer as a stream of members, whatever it is packed with."""
    head, size = file.read(4), file.seek(0, io.SEEK_END)
    file.seek(0)
    unpack = next((how for mark, how in PACKERS if head.startswith(mark)), None)
    packed = _Packed(unpack(file) if unpack else file, MAX_UNPACKED + MAX_RATIO * size)
    with tarfile.open(fileobj=cast(IO[bytes], packed), mode="r|", bufsize=CHUNK) as tar:
        yield tar


def _zstd(file: IO[bytes]) -> IO[bytes]:
    try:
        import zstandard
    except ImportError as error:
        raise _Lacks("is packed with zstd: `pip install 'reroot[image]'` reads it") from error
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    return cast(IO[bytes], unpacker.stream_reader(file, read_size=CHUNK, read_across_frames=True, closefd=False))


PACKERS: tuple[tuple[bytes, Callable[[IO[bytes]], IO[bytes]]], ...] = (
    (b"\x1f\x8b", lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file))),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"BZh", lambda file: cast(IO[bytes], bz2.BZ2File(file))),
    (b"\xfd7zX", lambda file: cast(IO[bytes], lzma.LZMAFile(file))),  # noqa: SIM115
)


def _layer(source: _Source, name: str, harvests: dict[str, Harvest], gone: set[str], opaque: set[str]) -> tuple[int, int]:
    files = size = 0
    everything, certificates = finder(WORDS), finder(CERTIFICATE_WORDS)
    here_gone: set[str] = set()
    here_opaque: set[str] = set()
    try:
        with source.open(name) as file, _stream(file) as tar:
            for member in tar:
                path = posixpath.normpath(member.name).lstrip("/")
                folder, base = posixpath.split(path)
                if base == ".wh..wh..opq":
                    here_opaque.add(folder)
                    continue
                if base.startswith(".wh."):
                    here_gone.add(posixpath.join(folder, base[4:]))
                    continue
                if path in gone or _below(path, gone) or _below(path, opaque) or path.startswith(".."):
                    continue
                if not member.isdir():
                    here_gone.add(path)
                if not member.isreg() or not member.size or BINARY.search(base):
                    continue
                files += 1
                if files > MAX_FILES:
                    raise _Lacks(f"more than {MAX_FILES} files: the rest was not looked at")
                stream = tar.extractfile(member)
                if stream is None:
                    continue
                vendored = is_vendored(path) or path.startswith(SYSTEM)
                harvest, amount = _member(path, stream, member.size, certificates if vendored else everything, vendored)
                size += amount
                if harvest is not None and not harvest.empty():
                    harvests[path] = harvest
                tar.members = []  # type: ignore[attr-defined]  # a stream forgets what it has passed
    finally:  # what a damaged layer took away is gone all the same
        gone |= here_gone
        opaque |= here_opaque
    return files, size


def _below(path: str, folders: set[str]) -> bool:
    return bool(folders) and any(folder in folders for folder in folders_around(path))


def _member(path: str, stream: IO[bytes], length: int, find: object, vendored: bool) -> tuple[Harvest | None, int]:
    data = stream.read(min(length, CHUNK))
    if b"\0" in data[:1024] or data[:2] in HEADS:
        if data[:4] == b"PK\x03\x04" and NAMED.search(path) and length <= 64 << 20:
            return archive(path, io.BytesIO(data + stream.read(length)), vendored=True), length
        if data[:2] in HEADS and length <= MAX_BYTES:
            harvest = Harvest()
            key_store(path, data + stream.read(MAX_BYTES), harvest, vendored)
            return harvest, length
        return None, len(data)
    assert callable(find)
    hit = bool(find(memoryview(data))) or posixpath.basename(path) in MANIFESTS
    read, tail = len(data), data[-OVERLAP:]
    parts = [data]
    while read < length:
        more = stream.read(CHUNK)
        if not more:
            break
        read += len(more)
        hit = hit or bool(find(memoryview(tail + more)))
        tail = more[-OVERLAP:]
        if read <= MAX_BYTES:
            parts.append(more)
    if not hit:
        return None, read
    if length > MAX_BYTES:
        return Harvest(limits=[Limit(path, f"larger than {MAX_BYTES >> 20} MiB: only looked for words")]), read
    return look(path, b"".join(parts), vendored=vendored), read
