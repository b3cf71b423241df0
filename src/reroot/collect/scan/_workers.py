"""
Read and look at many files: forked workers, one buffer each, a shared queue of work, results through a pipe.

A worker that dies takes its files with it as limits of the scan, never the scan.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ._finding import Harvest, Limit, packed, unpacked
from ._look import MAX_BYTES, look
from ._needles import CERTIFICATE_WORDS, WORDS, Find, finder
from ._remembered import signature
from ._stores import HEADS
from ._walk import is_vendored

BUFFER = 1 << 20
OVERLAP = 256
MAX_SCANNED = 256 << 20
STEP = 64
MANIFESTS = frozenset(
    [
        "package.json",
        "requirements.txt",
        "pyproject.toml",
        "Pipfile",
        "setup.py",
        "setup.cfg",
        "Gemfile",
        "go.mod",
        "Cargo.toml",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "composer.json",
        "mix.exs",
    ]
)
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


@dataclass(slots=True)
class Batch:
    """What one worker found, by number of the path: with the signature of each file that is new or changed, and the files gone."""

    found: dict[int, Harvest] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    files: int = 0
    size: int = 0


def run(
    root: str, paths: Sequence[str], known: Callable[[str], int | None] | None, processes: int, engine: str = ""
) -> list[Batch]:
    """Look at *paths* below *root*. *known* gives the signature of a path that need not be read again."""
    if processes <= 1 or len(paths) <= STEP:
        return [_work(root, paths, iter(range(len(paths))), known, engine)]
    packed(Batch())  # what packs is loaded once, and not in each worker
    queue_out, queue_in = os.pipe()
    children: list[tuple[int, int]] = []
    for _ in range(processes):
        answer_out, answer_in = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(queue_out, queue_in, answer_out, answer_in, root, paths, known)
        os.close(answer_in)
        children.append((pid, answer_out))
    os.close(queue_out)
    try:
        for start in range(0, len(paths), STEP * 1024):
            numbers = range(
                start // STEP, min(len(paths), start + STEP * 1024 - 1) // STEP + (1 if start + STEP * 1024 > len(paths) else 0)
            )
            os.write(queue_in, b"".join(n.to_bytes(4, "little") for n in numbers))
    except BrokenPipeError:
        pass
    finally:
        os.close(queue_in)
    return [_collect(pid, answer) for pid, answer in children]


def _collect(pid: int, answer: int) -> Batch:
    with os.fdopen(answer, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(pid, 0)
    try:
        return unpacked(data, Batch)
    except ValueError:
        signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        lost = Harvest(limits=[Limit(".", f"a worker ended early (signal {signal}): its files were not looked at")])
        return Batch(found={-1: lost})


def _child(
    queue_out: int,
    queue_in: int,
    answer_out: int,
    answer_in: int,
    root: str,
    paths: Sequence[str],
    known: Callable[[str], int | None] | None,
) -> None:
    """The life of a worker: never returns."""
    code = 1
    try:
        os.close(queue_in)
        os.close(answer_out)
        batch = _work(root, paths, _taken(queue_out, len(paths)), known)
        with os.fdopen(answer_in, "wb") as pipe:
            pipe.write(packed(batch))
        code = 0
    finally:
        os._exit(code)


def _taken(queue: int, count: int) -> Iterator[int]:
    """Numbers of paths, taken from the shared queue a step at a time."""
    while True:
        ticket = os.read(queue, 4)
        if len(ticket) < 4:
            return
        start = int.from_bytes(ticket, "little") * STEP
        yield from range(start, min(start + STEP, count))


def _work(
    root: str, paths: Sequence[str], numbers: Iterator[int], known: Callable[[str], int | None] | None, engine: str = ""
) -> Batch:
    batch = Batch()
    buffer = bytearray(BUFFER)
    view = memoryview(buffer)
    everything = finder(WORDS, engine)
    certificates: Find | None = None
    prefix = root.rstrip("/") + "/"
    for number in numbers:
        path = paths[number]
        if known is not None:
            try:
                mark = signature(os.lstat(prefix + path))
            except OSError:
                batch.gone.append(number)
            else:
                if known(path) == mark:
                    continue
                batch.changed[number] = mark
        try:
            fd = os.open(prefix + path, _FLAGS)
        except OSError as error:
            batch.found[number] = Harvest(limits=[Limit(path, f"cannot be read: {error.strerror}")])
            continue
        try:
            vendored = is_vendored(path)
            size = os.readv(fd, (view,))
            batch.files += 1
            batch.size += size
            if vendored and certificates is None:
                certificates = finder(CERTIFICATE_WORDS, engine)
            harvest = _one(path, fd, buffer, view, size, certificates if vendored and certificates else everything, vendored)
            if harvest is not None and not harvest.empty():
                batch.found[number] = harvest
        except OSError as error:
            batch.found[number] = Harvest(limits=[Limit(path, f"cannot be read: {error.strerror}")])
        except Exception as error:  # a fault of ours in one file must not take the others with it
            batch.found[number] = Harvest(limits=[Limit(path, f"could not be understood ({type(error).__name__})")])
        finally:
            os.close(fd)
    return batch


def _one(
    path: str, fd: int, buffer: bytearray, view: memoryview, size: int, find: Callable[[memoryview], bool], vendored: bool
) -> Harvest | None:
    if not size:
        return None
    if buffer.find(0, 0, min(size, 1024)) >= 0 or buffer[:2] in HEADS:
        from ._binary import binary

        return binary(path, fd, bytes(view[: min(size, 64)]), vendored)
    hit = find(view[:size]) or (not vendored and path.rpartition("/")[2] in MANIFESTS)
    total = size
    kept = [bytes(view[:size])] if size == BUFFER else []
    while size == BUFFER:
        buffer[:OVERLAP] = buffer[-OVERLAP:]
        more = os.readv(fd, (view[OVERLAP:],))
        total += more
        if total > MAX_SCANNED:
            return Harvest(limits=[Limit(path, f"larger than {MAX_SCANNED >> 20} MiB: the rest was not looked at")])
        hit = hit or (more > 0 and find(view[: OVERLAP + more]))
        if total <= MAX_BYTES:
            kept.append(bytes(view[OVERLAP : OVERLAP + more]))
        size = more + OVERLAP
    if not hit:
        return None
    if total > MAX_BYTES:
        return look(path, b"\0" * (MAX_BYTES + 1))
    return look(path, b"".join(kept) if kept else bytes(view[:size]), vendored=vendored)
