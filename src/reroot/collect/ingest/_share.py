"""
Pieces shared among forked processes, this one among them: whoever is free takes the next, and each gives back one sum.

A pool of ``multiprocessing`` costs as much to start as a sparse gigabyte costs to read; it is used where a process must not be forked.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any

from ...logs import total
from ._read import Piece, Read, Ways, read
from ._run import Ingested, summed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ._objects import Known

TURNS = 4_000
"""Pieces are taken in so many turns at most: the numbers of all turns are in a pipe from the beginning, and a pipe holds 64 KB."""

LOST = "the process that read it ended before it was done"


def may_fork() -> bool:
    """Whether this process may be copied as it is: not where the system's libraries forbid it, nor where a thread may hold a lock."""
    threads = sys.modules.get("threading")
    return sys.platform == "linux" and (threads is None or threads.active_count() == 1)


def shared(mine: Sequence[Piece], ways: Ways, known: Sequence[Known], processes: int) -> Ingested:
    """All of *mine*, as one process would have read it."""
    if not may_fork():
        return _pooled(mine, ways, known, processes)
    turns = _numbers(min(len(mine), TURNS))
    answers: dict[int, int] = {}
    try:
        for _ in range(processes - 1):
            pid, answer = _child(turns, mine, ways, known)
            answers[pid] = answer
        sums = [_work(turns, mine, ways, known)]
        for pid in list(answers):
            with open(answers.pop(pid), "rb") as pipe:
                answered = pipe.read()
            os.waitpid(pid, 0)
            sums += _told(answered)
    finally:
        os.close(turns)
        for pid, answer in answers.items():
            os.close(answer)
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    found = {number: one for numbers, part in sums for number, one in zip(numbers, part.reads, strict=True)}
    reads = tuple(found.get(number) or Read(piece, why=LOST) for number, piece in enumerate(mine))
    return Ingested(total(part.rollup for _, part in sums), reads)


def _pooled(mine: Sequence[Piece], ways: Ways, known: Sequence[Known], processes: int) -> Ingested:
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial
    from multiprocessing import get_context

    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return summed(pool.map(partial(read, ways=ways, known=known), mine))


def _numbers(of: int) -> int:
    """A pipe out of which each reader takes the next number."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(number.to_bytes(4, "big") for number in range(of)))
    os.close(writing)
    return reading


def _work(turns: int, mine: Sequence[Piece], ways: Ways, known: Sequence[Known]) -> tuple[list[int], Ingested]:
    numbers: list[int] = []

    def reads() -> Iterator[Read]:
        while turn := os.read(turns, 4):
            for number in range(int.from_bytes(turn, "big"), len(mine), min(len(mine), TURNS)):
                numbers.append(number)
                yield read(mine[number], ways, known)

    return numbers, summed(reads())


def _child(turns: int, mine: Sequence[Piece], ways: Ways, known: Sequence[Known]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        answer: Any
        try:
            answer = _work(turns, mine, ways, known)
        except Exception as error:  # told to the parent, which raises it
            answer = error
        with open(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
    finally:
        os._exit(0)


def _told(answered: bytes) -> list[tuple[list[int], Ingested]]:
    """What a child found; nothing where it ended before it could say so. What it raised is raised."""
    try:
        answer = pickle.loads(answered)  # written by this program, a moment ago
    except (EOFError, pickle.UnpicklingError):
        return []
    if isinstance(answer, Exception):
        raise answer
    return [answer]
