"""Any split of a log and any order of merging tell the same."""

from __future__ import annotations

import functools
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot.logs import CSV, JSON, RDS, Event, Rollup, layout, rollup, scanner
from reroot.logs._rollup import Notes
from tests.logs.lines import CAME, DEBIAN, FORGED, KNOWN, TLS13, csv, debian, json_line, rds

PIDS = st.integers(1, 4)
MINUTES = st.integers(0, 59)


@st.composite
def servers(draw: st.DrawFn) -> list[bytes]:
    """A log by process: connections that are received and end in every way, line by line."""
    lines = []
    second = 0
    for _ in range(draw(st.integers(1, 12))):
        pid, host = draw(PIDS), f"10.0.0.{draw(st.integers(1, 3))}"
        second += draw(st.integers(1, 400))
        at = f"{10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        lines.append(debian(pid, f"connection received: host={host} port=1", at=at))
        end = draw(st.sampled_from(["login", "alert", "reset", "hba", "nothing"]))
        if end == "login":
            lines.append(
                debian(
                    pid,
                    f"connection authorized: user=a database=b {draw(st.sampled_from(['', TLS13]))}".rstrip(),
                    at=at,
                    who="a@b",
                )
            )
            if draw(st.booleans()):
                lines.append(debian(pid, "could not receive data from client: Connection reset by peer", at=at, who="a@b"))
        elif end == "alert":
            lines.append(debian(pid, "could not accept SSL connection: tlsv1 alert unknown ca", at=at))
        elif end == "reset":
            lines.append(debian(pid, "could not receive data from client: Connection reset by peer", at=at))
        elif end == "hba":
            lines.append(
                debian(pid, f'no pg_hba.conf entry for host "{host}", user "a", database "b", no encryption', "FATAL", at=at)
            )
        if draw(st.booleans()):
            lines.append(debian(pid, f"duration: 1 ms  statement: SELECT 1\n\t-- LOG:  {FORGED}", at=at, who="a@b"))
    return lines


@settings(max_examples=150, deadline=None)
@given(servers(), st.data())
def test_any_split_and_any_order_of_merging_tell_the_same(lines, data):
    whole = rollup(b"".join(lines), DEBIAN)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    parts = [rollup(b"".join(lines[a:z]), DEBIAN) for a, z in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    shuffled = data.draw(st.permutations(parts))
    middle = data.draw(st.integers(0, len(shuffled)))
    left = functools.reduce(operator.add, shuffled[:middle], Rollup())
    right = functools.reduce(operator.add, shuffled[middle:], Rollup())
    assert (left + right) == (right + left)
    assert (left + right).settled().rows == whole.settled().rows
    assert list((left + right).settled().silent()) == list(whole.settled().silent())
    assert (left + right).notes.bytes == whole.notes.bytes


REPLICA = f"replication connection authorized: user=repl application_name=standby1 {TLS13}"
ALERT = "could not accept SSL connection: tlsv1 alert unknown ca"
NO_ENTRY = 'no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", no encryption'


@pytest.mark.parametrize(
    ("write", "how"),
    [
        (
            lambda text, severity="LOG": rds(text, severity, who="app@orders" if "authorized" in text else "[unknown]@[unknown]"),
            RDS,
        ),
        (lambda text, severity="LOG": csv(text).replace(b",LOG,", b"," + severity.encode() + b","), CSV),
        (lambda text, severity="LOG": json_line(text, error_severity=severity), JSON),
        (lambda text, severity="LOG": debian(70, text, severity), DEBIAN),
    ],
    ids=["rds", "csvlog", "jsonlog", "by process"],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_without_arrivals_everything_else_is_told_as_with_them(write, how, data):
    true = [write(KNOWN), write(CAME), write(REPLICA), write(ALERT), write(NO_ENTRY, "FATAL")]
    false = [
        write(f"duration: 1 ms  statement: SELECT 1 --  {text}") for text in (FORGED, REPLICA, CAME, f"LOG:  {REPLICA}", f"x:[1]:LOG:  {FORGED}")
    ]  # fmt: skip
    chunk = b"".join(data.draw(st.lists(st.sampled_from([*true, *false]), max_size=12)))
    few = scanner(layout(how), arrivals=False)
    few.feed(chunk)
    expected = {row: tally for row, tally in rollup(chunk, how).settled().rows.items() if row.event != Event.RECEIVED.value}
    assert few.finish().settled().rows == expected
    assert {row.event for row in rollup(b"".join(true), how).settled().rows} == {"session", "received", "failed", "refused"}


def test_nothing_added_to_a_rollup_is_the_rollup():
    found = rollup(rds("connection received: host=10.0.0.7 port=1"), RDS)
    assert found + Rollup() == Rollup() + found == found
    assert Notes() + found.notes == found.notes
