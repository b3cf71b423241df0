"""
So much time for one file and no more: whatever a stranger has written, the scan comes to its end.

Time is the processor's, in the file's own process, so that a busy machine changes nothing. Where signals cannot be had (another
thread than the main one, another system) there is no limit.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 10.0


class TooLong(Exception):
    """The time is up."""


@contextmanager
def patience(seconds: float | None = None) -> Iterator[None]:
    """Raises ``TooLong`` out of what takes longer."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS if seconds is None else seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise TooLong
