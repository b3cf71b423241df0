"""The pace at which AWS is asked."""

from __future__ import annotations

from itertools import pairwise

from reroot.collect._awsapi import Rate
from reroot.lab.aurora._clock import Simulated


def test_who_comes_late_does_not_bring_the_next_one_nearer():
    class Late(Simulated):
        def wait(self, seconds):
            super().wait(seconds * 1.9)

    clock = Late()
    rate, turns = Rate(10, clock), []
    for _ in range(100):
        rate.wait()
        turns.append(clock.now())
    assert min(b - a for a, b in pairwise(turns)) >= rate.gap - 1e-9
