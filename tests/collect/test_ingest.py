"""Logs as they lie about: files, folders, gzip, zstd, pipes; read once, in pieces, by several, and in the middle of being written."""

from __future__ import annotations

import gzip
import os
import random
import resource
import signal
import threading
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reroot.collect import ingest as room
from reroot.collect.ingest import (
    Known,
    Log,
    Piece,
    Ways,
    dump,
    find,
    from_evidence,
    ingest,
    load,
    merge,
    read,
    summed,
    to_evidence,
)
from reroot.collect.ingest import _read as reading
from reroot.collect.ingest import _run as running
from reroot.collect.ingest import _share as sharing
from reroot.errors import InputError
from reroot.logs import CSV, RDS, Row, rollup
from tests.logs.lines import FORGED, TLS13, csv, debian, rds

DEBIAN = "%m [%p] %q%u@%d "
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def log_of(seed: int, connections: int = 400) -> bytes:
    """A log by process with everything in it: logins, alerts, resets, statements of many lines, decoys."""
    chance = random.Random(seed)
    lines = []
    for n in range(connections):
        pid, host, at = (
            chance.randint(100, 999),
            f"10.0.{chance.randint(0, 3)}.{chance.randint(1, 9)}",
            f"10:{n // 60 % 60:02}:{n % 60:02}",
        )
        lines.append(debian(pid, f"connection received: host={host} port={n}", at=at))
        match chance.randint(0, 5):
            case 0:
                lines.append(debian(pid, "could not accept SSL connection: tlsv1 alert unknown ca", at=at))
            case 1:
                lines.append(
                    debian(pid, f'no pg_hba.conf entry for host "{host}", user "a", database "b", no encryption', "FATAL", at=at)
                )
            case 2:
                pass
            case _:
                tls = chance.choice([TLS13, ""])
                lines.append(
                    debian(pid, f"connection authorized: user=u{n % 7} database=d {tls}".rstrip(), at=at, who=f"u{n % 7}@d")
                )
        statement = "SELECT 1\n\t" + "x" * chance.randint(0, 300) + f"\n\t-- LOG:  {FORGED}"
        lines.append(debian(pid, f"duration: 1 ms  statement: {statement}", at=at, who="u@d"))
    return b"".join(lines)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "postgresql.log"
    path.write_bytes(log_of(1))
    return path


def rows_of(found: room.Ingested) -> dict[Row, object]:
    return dict(found.rollup.settled().rows)


def test_a_file_gives_what_its_text_gives(log):
    found = ingest(find([str(log)], "db1"))
    whole = rollup(log.read_bytes(), DEBIAN, "db1")
    assert rows_of(found) == whole.settled().rows
    assert found.rollup.notes == whole.notes
    assert (found.is_complete, found.reads[0].spelling, found.reads[0].torn) == (True, DEBIAN, 0)


@pytest.mark.parametrize("compress", ["gzip", "two members", "zstd"])
def test_a_compressed_log_gives_the_same(log, tmp_path, compress):
    text = log.read_bytes()
    packed = tmp_path / "packed"
    if compress == "gzip":
        packed.write_bytes(gzip.compress(text))
    elif compress == "two members":
        packed.write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
    else:
        zstandard = pytest.importorskip("zstandard", reason="not exercised: logs packed with zstd (zstandard is not installed)")
        packed.write_bytes(zstandard.compress(text[:5000]) + zstandard.compress(text[5000:]))
    assert rows_of(ingest([Log("", str(packed))])) == rows_of(ingest([Log("", str(log))]))


@pytest.mark.parametrize("damage", ["cut", "flipped", "no gzip"])
def test_a_damaged_archive_is_told_and_what_was_whole_is_kept(log, tmp_path, damage):
    packed = bytearray(gzip.compress(log.read_bytes()))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    elif damage == "flipped":
        packed[len(packed) // 2] ^= 255
    else:
        packed = bytearray(b"\x1f\x8b" + b"no")
    file = tmp_path / "packed.gz"
    file.write_bytes(packed)
    found = ingest([Log("", str(file))])
    assert not found.is_complete
    assert found.unread[0].why.startswith("the gzip file is")
    assert set(rows_of(found)) <= set(rows_of(ingest([Log("", str(log))])))


def test_a_folder_is_read_file_by_file_and_each_file_once(tmp_path):
    for n in range(3):
        (tmp_path / f"postgresql-{n}.log").write_bytes(log_of(n))
    (tmp_path / "link.log").symlink_to(tmp_path / "postgresql-1.log")
    (tmp_path / "empty.log").touch()
    found = ingest(find([str(tmp_path), f"db1={tmp_path}/postgresql-0.log"]))
    assert found.rollup.notes.bytes == sum(len(log_of(n)) for n in range(3))


@pytest.mark.parametrize("place", ["/nowhere", "/dev/null"])
def test_what_is_no_log_is_refused(place):
    with pytest.raises(InputError):
        find([place])


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no log"):
        find([str(tmp_path)])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pieces_cut_anywhere_give_what_the_whole_gives(log, data):
    size = log.stat().st_size
    cuts = [0, *sorted(data.draw(st.lists(st.integers(1, size - 1), max_size=6, unique=True)))]
    pieces = [Piece(Log("", str(log)), a, z) for a, z in zip(cuts, [*cuts[1:], -1], strict=True)]
    found = summed(read(p, Ways(DEBIAN)) for p in data.draw(st.permutations(pieces)))
    whole = rollup(log.read_bytes(), DEBIAN)
    assert rows_of(found) == whole.settled().rows
    assert found.rollup.notes == whole.notes


@pytest.mark.parametrize("block", [1024, 1500, 4096])
def test_the_size_of_the_buffer_does_not_matter(log, monkeypatch, block):
    expected = rows_of(ingest([Log("", str(log))]))
    monkeypatch.setattr(reading, "BLOCK", block)
    monkeypatch.setattr(reading, "CONTEXT", block // 4)
    assert rows_of(ingest([Log("", str(log))], Ways(DEBIAN))) == expected


def test_a_file_system_that_gives_less_than_there_is_hides_nothing(log, monkeypatch):
    whole = read(Piece(find([str(log)])[0]), Ways())
    pread = os.pread
    monkeypatch.setattr(reading.os, "pread", lambda fd, size, at: pread(fd, min(size, 1000), at))
    assert read(Piece(find([str(log)])[0]), Ways()) == whole
    assert whole.rollup.rows


def test_a_line_of_megabytes_is_stepped_over(tmp_path):
    good = rds(f"connection authorized: user=app database=orders {TLS13}", who="app@orders")
    long = rds(
        "duration: 1 ms  statement: SELECT '" + "x" * (3 << 20) + "LOG:  connection authorized: user=a database=b'", who="a@b"
    )
    file = tmp_path / "long.log"
    file.write_bytes(good + long + good + long + good)
    found = ingest([Log("", str(file))], Ways(RDS))
    assert [(r.user, t.number) for r, t in found.rollup.rows.items()] == [("app", 3)]
    assert found.rollup.notes.too_long == 2


def test_two_processes_and_any_number_of_shards_give_the_same(log, monkeypatch, tmp_path):
    expected = ingest([Log("", str(log))])
    monkeypatch.setattr(running, "SMALLEST", 1000)
    assert rows_of(ingest([Log("", str(log))], processes=2)) == rows_of(expected)
    monkeypatch.setattr(running, "PIECE", 7000)
    files = []
    for number in (3, 1, 2):
        file = tmp_path / f"{number}.rollup"
        file.write_bytes(dump(ingest([Log("", str(log))], shard=(number, 3))))
        files.append(str(file))
    merged = merge(files)
    assert rows_of(merged) == rows_of(expected)
    assert merged.rollup.notes == expected.rollup.notes
    assert merged.is_complete
    assert merge(files[:2]).missing == (2,)
    assert not merge(files[:2]).is_complete
    with pytest.raises(InputError, match="shard `1/3` is in"):
        merge([*files, files[1]])


@pytest.fixture
def halves(monkeypatch):
    """Two processes share any file, and fork whatever runs this test beside them."""
    monkeypatch.setattr(running, "SMALLEST", 1000)
    monkeypatch.setattr(sharing, "may_fork", lambda: True)
    return sharing


def test_beside_a_thread_nothing_is_forked_and_the_answer_is_the_same(log, monkeypatch):
    monkeypatch.setattr(running, "SMALLEST", 1000)
    leave = threading.Event()
    beside = threading.Thread(target=leave.wait)
    beside.start()
    try:
        assert not sharing.may_fork()
        assert rows_of(ingest([Log("", str(log))], processes=2)) == rows_of(ingest([Log("", str(log))]))
    finally:
        leave.set()
        beside.join()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_process_took_with_it_is_named_and_the_rest_is_kept(log, halves, monkeypatch):
    """Each of the two takes one half; the one that was forked dies over its own."""
    told, tell = os.pipe()
    parent = os.getpid()

    def read_or_die(*given):
        if os.getpid() == parent:
            os.read(told, 1)
            return read(*given)
        os.write(tell, b".")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(halves, "read", read_or_die)
    found = ingest([Log("", str(log))], processes=2)
    os.close(told)
    os.close(tell)
    assert [r.why for r in found.unread] == [halves.LOST]
    assert not found.is_complete
    assert 0 < found.rollup.notes.bytes < log.stat().st_size


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_forked_process_cannot_go_on_over_is_raised_here(tmp_path, halves):
    file = tmp_path / "cst.log"
    file.write_bytes(rds("connection authorized: user=a database=b").replace(b"UTC", b"CST") * 200)
    with pytest.raises(InputError) as told:
        ingest([Log("", str(file))], Ways(RDS), processes=2)
    assert (told.value.where, told.value.message) == (str(file), "`CST` can mean several time zones")


def test_a_rollup_in_a_file_is_the_rollup(log, tmp_path):
    found = ingest([Log("db1", str(log))])
    file = tmp_path / "r"
    file.write_bytes(dump(found))
    assert load(str(file)) == found
    assert dump(load(str(file))) == dump(found)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema":"reroot/rollup/2"}', b'{"schema":"reroot/rollup/1"}', b"\x00\xff"])
def test_what_is_no_rollup_is_refused(tmp_path, content):
    file = tmp_path / "r"
    file.write_bytes(content)
    with pytest.raises(InputError):
        load(str(file))


# ── once and only once ───────────────────────────────────────────────────────────────────────────


def again(logs: list[Log], *before: room.Ingested) -> room.Ingested:
    known = from_evidence(e for one in before for e in to_evidence(one, NOW))
    return ingest(logs, Ways(DEBIAN), known)


def test_what_was_read_is_not_counted_again_under_another_name(log, tmp_path):
    first = ingest([Log("", str(log))])
    packed = tmp_path / "postgresql.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    for path in (log, packed):
        second = again([Log("", str(path))], first)
        assert not second.rollup.rows
        assert second.reads[0].skipped


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 60_000), max_size=4))
def test_a_log_read_while_it_grows_is_counted_once(tmp_path, cuts):
    text = log_of(3, 200)
    file = tmp_path / "growing.log"
    done: list[room.Ingested] = []
    for cut in [*sorted(cuts), len(text)]:
        file.write_bytes(text[:cut])
        done.append(again([Log("", str(file))], *done))
    counted = sum(t.number for one in done for t in one.rollup.settled().rows.values())
    whole = rollup(text, DEBIAN).settled()
    assert counted == sum(t.number for t in whole.rows.values())
    assert sum(one.rollup.notes.bytes for one in done) == len(text)


def test_a_log_with_the_same_name_and_another_begin_is_another_log(log):
    first = ingest([Log("", str(log))])
    log.write_bytes(log_of(9))
    assert again([Log("", str(log))], first).rollup.notes.bytes == len(log_of(9))


def test_a_last_line_without_an_end_waits_for_it(tmp_path):
    good = rds(f"connection authorized: user=app database=orders {TLS13}", who="app@orders")
    file = tmp_path / "torn.log"
    file.write_bytes(good + good[:-20])
    found = ingest([Log("", str(file))], Ways(RDS))
    assert [t.number for t in found.rollup.rows.values()] == [1]
    assert found.reads[0].torn == len(good) - 20


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 100, b"hello\n" * 1000, zlib.compress(b"x" * 10_000)], ids=["bytes", "text", "zlib"]
)
def test_rubbish_is_named_and_does_not_hide_the_rest(log, tmp_path, content):
    rubbish = tmp_path / "core"
    rubbish.write_bytes(content)
    found = ingest(find([str(tmp_path)]))
    assert [r.piece.log.path for r in found.unread] == [str(rubbish)]
    assert rows_of(found) == rows_of(ingest([Log("", str(log))]))


def test_lines_of_another_layout_in_one_log_are_counted_as_unreadable(tmp_path):
    file = tmp_path / "mixed.log"
    file.write_bytes(
        log_of(1) + csv(f"connection authorized: user=a database=b {TLS13}") + rds("connection authorized: user=a database=b") * 3
    )
    found = ingest([Log("", str(file))])
    assert found.rollup.notes.unreadable == 3
    assert not found.is_complete


def test_memory_does_not_grow_with_the_log(tmp_path):
    statement = rds("duration: 1 ms  statement: SELECT 1" + "x" * 300, who="a@b") * 3000
    file = tmp_path / "big.log"
    file.write_bytes(statement)
    ingest([Log("", str(file))], Ways(RDS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with file.open("ab") as more:
        for _ in range(40):
            more.write(statement)
    assert ingest([Log("", str(file))], Ways(RDS)).rollup.notes.bytes == 41 * len(statement)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024


def test_times_of_an_unknown_zone_name_the_log(tmp_path):
    file = tmp_path / "cst.log"
    file.write_bytes(rds("connection authorized: user=a database=b").replace(b"UTC", b"CST"))
    with pytest.raises(InputError) as told:
        ingest([Log("", str(file))], Ways(RDS))
    assert told.value.where == str(file)
    assert "--timezone" in told.value.hint


def test_evidence_of_logs_has_no_secret_and_says_its_source(log):
    found = list(to_evidence(ingest([Log("db1", str(log))]), NOW))
    assert {e.kind for e in found} == {"session", "refusal", "log"}
    session = next(e for e in found if e.kind == "session")
    assert (session.source, session.facts["server"], session.strength.value) == ("server log", "db1", "observed")
    assert sum(int(str(e.facts["sessions"])) for e in found if e.kind == "session") == log.read_bytes().count(
        b" LOG:  connection authorized: user=u"
    )
    assert from_evidence(found) == (Known(4096, room._objects.digest(log.read_bytes()[:4096]), log.stat().st_size),)


def test_csvlog_and_jsonlog_are_recognised_in_files(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(csv(f"connection authorized: user=a database=b {TLS13}") * 4)
    assert ingest([Log("", str(file))]).reads[0].spelling == CSV
