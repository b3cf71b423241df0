"""Logs while they are written: whatever happens to the files, each line is counted once."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reroot.collect.ingest import Follower, Ways
from reroot.errors import InputError
from reroot.logs import RDS, Rollup, rollup
from tests.collect.test_ingest import DEBIAN, log_of
from tests.logs.lines import TLS13, debian, rds


def login(n: int) -> bytes:
    return rds(f"connection authorized: user=u{n} database=d {TLS13}", who=f"u{n}@d")


def users(found: Rollup) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row, tally in found.settled().rows.items():
        if row.user:
            counts[row.user] = counts.get(row.user, 0) + tally.number
    return counts


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "postgresql.log"
    path.write_bytes(login(0) * 3)
    return path


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_only_what_is_new_is_told_and_only_once(log):
    with Follower([str(log)], ways=Ways(RDS)) as follower:
        assert not follower.poll().rows
        append(log, login(1) + login(2)[:50])
        assert users(follower.poll()) == {"u1": 1}
        append(log, login(2)[50:])
        assert users(follower.poll()) == {"u2": 1}
        assert not follower.poll().rows


def test_a_log_is_read_to_its_end_after_it_was_moved_away(log):
    with Follower([str(log)], ways=Ways(RDS)) as follower:
        append(log, login(1))
        log.rename(log.with_suffix(".1"))
        append(log.with_suffix(".1"), login(2))
        append(log, login(3))
        assert users(follower.poll()) == {"u1": 1, "u2": 1, "u3": 1}
        append(log, login(4))
        assert users(follower.poll()) == {"u4": 1}


@pytest.mark.parametrize("copy", [True, False], ids=["copytruncate", "truncate"])
def test_a_truncated_log_is_read_from_its_begin(log, copy):
    with Follower([str(log)], ways=Ways(RDS)) as follower:
        follower.poll()
        if copy:  # under another name it is another log, which this one's follower does not read
            log.with_suffix(".1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
        append(log, login(5))
        assert users(follower.poll()) == {"u5": 1}


def test_a_log_that_was_truncated_and_has_grown_past_it_is_noticed_by_its_begin(log):
    with Follower([str(log)], ways=Ways(RDS)) as follower:
        follower.poll()
        os.truncate(log, 0)
        append(log, (login(7).replace(b"10:15:00", b"11:00:00")) * 9)
        assert users(follower.poll()) == {"u7": 9}


def test_a_log_that_was_moved_within_its_folder_is_not_read_again(tmp_path, log):
    with Follower([str(tmp_path)], ways=Ways(RDS)) as follower:
        append(log, login(1))
        log.rename(log.with_suffix(".1"))
        assert users(follower.poll()) == {"u1": 1}
        assert not follower.poll().rows


def test_new_logs_of_a_folder_are_found_and_archives_left_alone(tmp_path, log):
    with Follower([str(tmp_path)], ways=Ways(RDS)) as follower:
        (tmp_path / "postgresql-2.log").write_bytes(login(8))
        (tmp_path / "postgresql-1.log.gz").write_bytes(gzip.compress(login(9)))
        assert users(follower.poll()) == {"u8": 1}


def test_a_log_that_is_gone_for_a_while_comes_back(log):
    with Follower([str(log)], ways=Ways(RDS)) as follower:
        log.unlink()
        assert not follower.poll().rows
        append(log, login(1))
        assert users(follower.poll()) == {"u1": 1}


def test_a_connection_that_spans_a_rotation_keeps_its_address(tmp_path):
    path = tmp_path / "postgresql.log"
    path.write_bytes(debian(1, "x"))
    with Follower([str(path)], ways=Ways(DEBIAN)) as follower:
        append(path, debian(5, "connection received: host=10.0.0.5 port=1"))
        follower.poll()
        path.rename(path.with_suffix(".1"))
        append(path, debian(5, f"connection authorized: user=a database=b {TLS13}", who="a@b"))
        assert [r.address for r in follower.poll().rows if r.user] == ["10.0.0.5"]


def test_a_line_of_megabytes_is_passed_over(log):
    with Follower([str(log)], ways=Ways(RDS)) as follower:
        append(log, b"x" * (3 << 20))
        follower.poll()
        append(log, b"x" * (1 << 20) + b"\n" + login(1))
        assert users(follower.poll()) == {"u1": 1}


def test_standard_input_cannot_be_followed():
    with pytest.raises(InputError):
        Follower(["-"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_whatever_happens_between_two_looks_each_line_counts_once(tmp_path_factory, seed):
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("logs")
    path, text = folder / "postgresql.log", log_of(seed, 120)
    path.write_bytes(text[:1])
    found, position, rotated = Rollup(), 1, 0
    with Follower([str(folder)], ways=Ways(DEBIAN), from_end=False) as follower:
        while position < len(text):
            until = min(position + chance.randint(1, 6000), len(text))
            if chance.random() < 0.3:
                # A server ends its line before it moves on to the next file.
                until = text.find(b"\n", until - 1) + 1
                append(path, text[position:until])
                rotated += 1
                path.rename(folder / f"old-{rotated}")
            else:
                append(path, text[position:until])
            position = until
            if chance.random() < 0.5:
                found += follower.poll()
        found += follower.poll()
    whole = rollup(text, DEBIAN).settled()
    assert users(found) == users(whole)
    assert found.settled().rows == whole.rows
