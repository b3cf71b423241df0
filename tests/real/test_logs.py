"""
Real servers' logs: connections of an instant are all found, in every layout and version, and every client that turns away is told.

Refusals are made by the clients that this machine has, one after another, and read from what the server wrote meanwhile.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from reroot.collect.ingest import Follower, Ways, find, ingest
from reroot.errors import ReachError
from reroot.lab import ca
from reroot.lab.postgres import Installation, Postgres, fleet, installations
from reroot.logs import Bearing, Rollup, bearing, rollup
from tests.real import oracle
from tests.real.clients import Client, Worker, found
from tests.real.scenarios import Scenario

pytestmark = [pytest.mark.real]

PREFIX = "%m [%p] %q%u@%d "
LAYOUTS = {"debian": PREFIX, "rds": "%t:%r:%u@%d:[%p]:", "by process": "%m [%p] "}
ROOT = ca.root("log root")
LEAF = ca.leaf(ROOT, "127.0.0.1")
PAIR = (ca.bundle(LEAF, ROOT), LEAF.key_pem)
RULES = "local all all trust\nhostssl all app 127.0.0.1/32 trust\nhost all etl 127.0.0.1/32 trust\nhost all postgres 127.0.0.1/32 trust\n"


class Collected(Postgres):
    """A server whose logging collector writes csvlog and jsonlog, so that its own output ends early."""

    def wait_for_log(self, pattern: str, *, since: int = 0, timeout: float = 60.0) -> str:
        pause = threading.Event()
        for _ in range(600):
            try:
                psycopg.connect(f"host={self.folder} port={self.port} user=postgres dbname=postgres").close()
                return pattern
            except psycopg.OperationalError:
                if not self.running:
                    return ""
                pause.wait(0.05)
        raise ReachError("the server did not start", where=self.name)


def connect_and_leave(server: Postgres, count: int) -> Counter[tuple[str, str]]:
    """*count* sessions of an instant each; what became of them, by user and encryption."""
    with psycopg.connect(f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres", autocommit=True) as admin:
        admin.execute("create role app login")
        admin.execute("create role etl login")
    truth: Counter[tuple[str, str]] = Counter({("postgres", "tls"): 1})
    where = f"host=127.0.0.1 port={server.port} dbname=postgres connect_timeout=20"
    for n in range(count):
        user, mode = (("app", "require"), ("etl", "disable"), ("etl", "require"))[n % 3]
        psycopg.connect(f"{where} user={user} sslmode={mode} application_name=job-{n % 5}").close()
        truth[user, "tls" if mode == "require" else "plaintext"] += 1
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"{where} user=app sslmode=disable")
    return truth


def told(rollup: Rollup) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for row, tally in rollup.settled().rows.items():
        if row.event == "session" and row.address != "local":
            assert row.address == "127.0.0.1"
            counts[row.user, row.encryption] += tally.number
    return counts


def refused_plaintext(rollup: Rollup) -> int:
    rows = rollup.settled().rows.items()
    return sum(
        t.number for r, t in rows if bearing(r.cause) is Bearing.PLAINTEXT and (r.user, r.encryption) == ("app", "plaintext")
    )


@pytest.mark.parametrize("installation", installations(), ids=lambda i: str(i.major))
@pytest.mark.parametrize("prefix", LAYOUTS.values(), ids=LAYOUTS)
def test_connections_of_an_instant_are_all_found(installation: Installation, prefix: str) -> None:
    with Postgres(PAIR, RULES, installation, settings={"log_line_prefix": prefix, "log_disconnections": "on"}) as server:
        with Follower([f"db1={server.log_path}"], ways=Ways(prefix), from_end=False) as follower:
            truth = connect_and_leave(server, 60)
            server.restart()
            followed = follower.poll()
        recognised = ingest(find([f"db1={server.log_path}"]))
    assert told(followed) == truth
    assert refused_plaintext(followed) == 3
    assert recognised.is_complete
    assert recognised.reads[0].spelling == prefix
    assert told(recognised.rollup) == truth


@pytest.mark.parametrize("installation", [i for i in installations() if i.major >= 15], ids=lambda i: str(i.major))
def test_csvlog_and_jsonlog_tell_the_same(installation: Installation, tmp_path: Path) -> None:
    settings = {
        "logging_collector": "on",
        "log_destination": "csvlog,jsonlog,stderr",
        "log_filename": "server.log",
        "log_directory": "log",
    }
    with Collected(PAIR, RULES, installation, settings=settings) as server:
        truth = connect_and_leave(server, 30)
        server.restart()
        for name in ("server.csv", "server.json", "server.log"):
            read = ingest(find([str(server.data / "log" / name)]))
            assert read.is_complete, name
            assert told(read.rollup) == truth, name
            assert refused_plaintext(read.rollup) == 3, name


# ── every client that turns away ─────────────────────────────────────────────────────────────────

WAYS_TO_FAIL = {
    "wrong root": Scenario(chain="new", mode="verify-full", store="wrong"),
    "wrong root, verify-ca": Scenario(chain="new", mode="verify-ca", store="wrong"),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[oracle.Oracle]:
    with oracle.Oracle() as running:
        yield running


def turned_away(lab: oracle.Oracle, clients: list[Client], exercised: Callable[[str], None]) -> list[str]:
    """One attempt of each client at each server and way to fail; what was not attributed to its address and a fitting cause."""
    wrong = []
    for client in clients:
        worker = Worker(client, lab.hosts, lab.folder / f"{client.name}.log")
        try:
            worker.introduce()
            for way, scenario in WAYS_TO_FAIL.items():
                for major, server in lab.with_tls.items():
                    seen = len(server.log_lines)
                    row = lab._row(worker, 0, Scenario(**{**vars_of(scenario), "server": major}))
                    if row is None or row.real["outcome"] != "refused":
                        continue
                    exercised(f"{client.name}: 1 rows")
                    # A line of our own ends the stretch: what the server says of the client it says before it reaps its process.
                    server.reload()
                    text = "\n".join(server.log_lines[seen:]).encode() + b"\n"
                    if b"connection received" not in text:
                        continue  # its settings were refused before it connected
                    found = rollup(text, PREFIX).settled()
                    rows = [r for r in found.rows if r.event in ("failed", "refused")] + [r for r, _ in found.silent()]
                    fits = [
                        r
                        for r in rows
                        if r.address == "127.0.0.1" and bearing(r.cause) in (Bearing.DISTRUST, Bearing.UNDECIDABLE)
                    ]
                    if not fits or any(bearing(r.cause) is Bearing.OTHER for r in rows):
                        wrong.append(f"{client.name} {way} at {major}: {[r.cause for r in rows]}\n{text.decode()}")
        finally:
            worker.close()
    return wrong


def vars_of(scenario: Scenario) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(scenario)


def test_every_client_that_turns_away_is_told_with_its_address_and_a_cause(lab, exercised):
    wrong = turned_away(lab, [c for c in found()[0] if c.everyday], exercised)
    assert not wrong, "\n".join(wrong)


@pytest.mark.matrix
def test_every_client_of_the_machine_that_turns_away_is_told(lab, exercised):
    wrong = turned_away(lab, found()[0], exercised)
    assert not wrong, "\n".join(wrong)


def test_both_layouts_of_a_fleet_are_tied_to_their_server(tmp_path: Path) -> None:
    servers = [Postgres(PAIR, RULES, name=f"fleet-{n}", settings={"log_line_prefix": p}) for n, p in enumerate(LAYOUTS.values())]
    with fleet(servers):
        truths = {s.name: connect_and_leave(s, 9) for s in servers}
        for server in servers:
            server.restart()
        read = ingest(find([f"{s.name}={s.log_path}" for s in servers]))
    for server in servers:
        own = Rollup({r: t for r, t in read.rollup.settled().rows.items() if r.server == server.name})
        assert told(own) == truths[server.name]


@pytest.mark.matrix
def test_a_spark_cluster_of_two_workers_gives_the_same_rollup(tmp_path: Path) -> None:
    from bench import _spark

    from tests.collect.test_ingest import log_of

    if not _spark.PYTHON.exists():
        pytest.skip("pyspark is not installed in `.cache/spark` (`make spark`)")
    log = tmp_path / "postgresql.log"
    log.write_bytes(b"".join(log_of(seed, 2000) for seed in range(3)))
    log.chmod(0o644)
    answer = _spark.run(log, log.stat().st_size // 5, tmp_path)
    expected = ingest(find([str(log)]))
    assert answer["rows"] == sorted([*map(str, row), *tally] for row, tally in expected.rollup.settled().rows.items())
    assert answer["executors"] == 2
    assert answer["pieces"] == 5
    assert answer["complete"]
