"""What can be made to go wrong, each by its own switch, at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from ._wire import Fault

THROTTLED = Fault("Throttling", "Rate exceeded", 400)
BROKEN = Fault("InternalFailure", "An internal error occurred.", 500)


@dataclass
class Faults:
    """Shares are of all calls, from 0 to 1; the same *seed* makes the same luck for the same order of calls.

    ``cut``: the call is done, and the connection ends without an answer. ``stale``: describes of instances are this many seconds
    old. ``denied`` names actions. ``says_done`` instances report a change that their server never made,
    ``says_old`` ones never report the change that it made, ``stuck`` ones stay ``modifying``, ``hides_pending`` ones never tell
    what is pending. ``once`` are faults for the next call of an action.
    """

    throttle: float = 0.0
    error: float = 0.0
    cut: float = 0.0
    stale: float = 0.0
    seed: int = 1
    denied: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    says_done: set[str] = field(default_factory=set)
    says_old: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    hides_pending: set[str] = field(default_factory=set)
    once: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._luck = Random(self.seed)

    def before(self, action: str) -> str:
        """What befalls this call: ``throttle``, ``error``, ``cut``, or nothing."""
        waiting = self.once.get(action)
        if waiting:
            return waiting.pop(0)
        drawn = self._luck.random()
        for word, share in (("throttle", self.throttle), ("error", self.error), ("cut", self.cut)):
            if drawn < share:
                return word
            drawn -= share
        return ""
