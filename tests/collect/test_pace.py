"""A host is never asked faster than its pace, and no host waits for another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reroot.collect._pace import Pace, Waiting


def let_out(jobs: list[str], pace: Pace, lasts: float) -> list[tuple[float, str]]:
    """When each job starts, if each lasts so long and the clock jumps from event to event."""
    waiting: Waiting[str] = Waiting(pace, lambda job: job[0])
    for job in jobs:
        waiting.put(job)
    now, started, running = 0.0, [], []
    while waiting or running:
        while (job := waiting.take(now)) is not None:
            started.append((now, job))
            running.append((now + lasts, job))
        moments = [at for at, _ in running] + ([at] if (at := waiting.next_at()) is not None else [])
        now = max(now, min(moments))
        for end in [r for r in running if r[0] <= now]:
            running.remove(end)
            waiting.back(end[1])
    return started


@given(
    st.lists(st.sampled_from(["a1", "b1", "c1"]), max_size=60),
    st.builds(Pace, st.integers(1, 5), st.sampled_from([1.0, 8.0, 64.0]), st.integers(1, 6)),
    st.sampled_from([0.0, 0.25, 3.0]),
)
def test_every_job_starts_once_and_no_host_is_asked_faster_than_its_pace(jobs, pace, lasts):
    started = let_out(jobs, pace, lasts)
    assert sorted(job for _, job in started) == sorted(jobs)
    for name in "abc":
        times = [at for at, job in started if job[0] == name]
        for i, first in enumerate(times):
            for more, later in enumerate(times[i:], start=1):
                assert more <= pace.burst + (later - first) * pace.per_second + 1e-6
            if lasts:
                assert sum(first - lasts < at <= first for at in times) <= pace.at_once


def test_a_host_with_much_work_does_not_hold_up_another():
    started = let_out(["a1"] * 50 + ["b1"], Pace(at_once=1, per_second=1, burst=1), 0.5)
    assert next(at for at, job in started if job == "b1") == 0.0


def test_nothing_waiting_has_no_moment_to_wait_for():
    waiting: Waiting[str] = Waiting(Pace(), lambda job: job)
    assert waiting.next_at() is None
    assert waiting.take(0.0) is None
    assert not waiting
