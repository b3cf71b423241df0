"""Which hour a line is counted in: clocks that jump, are set back or name another zone."""

from __future__ import annotations

import pytest

from reroot.logs import CSV, JSON, RDS, rollup
from tests.logs.lines import DEBIAN, KNOWN, csv, debian, json_line, rds


def in_zone(line: bytes, zone: str, at: str) -> bytes:
    """The line at another time of its day; the begin of a session, further on in the line, is left as it is."""
    return line.replace(b"10:15:00", at.encode(), 1).replace(b"UTC", zone.encode(), 1)


@pytest.mark.parametrize(
    ("line", "how"),
    [
        (rds(KNOWN, who="app@orders"), RDS),
        (csv(KNOWN), CSV),
        (json_line(KNOWN), JSON),
        (debian(70, KNOWN, who="app@orders"), DEBIAN),
    ],
    ids=["rds", "csvlog", "jsonlog", "by process"],
)
def test_when_clocks_are_set_back_an_hour_that_comes_twice_is_two_hours(line, how):
    chunk = in_zone(line, "-03", "23:10:00") + in_zone(line, "-03", "23:50:00") + in_zone(line, "-04", "23:55:00")
    found = rollup(chunk + in_zone(line, "-04", "23:56:00"), how).settled()
    assert sorted((r.hour, t.number, t.first[11:], t.last[11:]) for r, t in found.rows.items()) == [
        ("2026-11-24T02", 2, "02:10:00", "02:50:00"),
        ("2026-11-24T03", 2, "03:55:00", "03:56:00"),
    ]


@pytest.mark.parametrize("how", [RDS, CSV, JSON])
def test_a_client_is_counted_in_each_hour_however_it_is_known_again(how):
    line = {RDS: rds(KNOWN, who="app@orders"), CSV: csv(KNOWN), JSON: json_line(KNOWN)}[how]
    times = ["10:15:00", "10:59:59", "11:00:00", "11:00:00", "12:30:00", "11:59:00", "99:00:00"]
    found = rollup(b"".join(in_zone(line, "UTC", at) for at in times), how)
    assert {r.hour[11:]: (t.number, t.first[11:], t.last[11:]) for r, t in found.rows.items()} == {
        "10": (2, "10:15:00", "10:59:59"),
        "11": (3, "11:00:00", "11:59:00"),
        "12": (1, "12:30:00", "12:30:00"),
    }
    assert found.notes.unreadable == 1


def test_a_clock_that_jumps_back_counts_into_the_hour_that_the_line_names():
    early, late = (
        rds("connection authorized: user=a database=b").replace(b"10:15", b"09:59"),
        rds("connection authorized: user=a database=b"),
    )
    found = rollup(early + late + early, RDS).rows
    assert {r.hour: t.number for r, t in found.items()} == {"2026-11-23T09": 2, "2026-11-23T10": 1}
