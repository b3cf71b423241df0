"""After a cut-over: real trouble is told within a minute, and ordinary noise is not trouble."""

from __future__ import annotations

import random
from math import isclose
from pathlib import Path

import pytest

from reroot.collect.ingest import Follower, Ways
from reroot.collect.watch import LogWatch, at_least, compare
from reroot.logs import RDS, Rollup, rollup, total
from reroot.rotation import Answer
from tests.logs.lines import TLS13, rds

HOUR = 3600.0


def said(message: str, host: str, times: int = 1, severity: str = "LOG", who: str = "[unknown]@[unknown]") -> Rollup:
    return rollup(rds(message, severity, f"{host}(1)", who) * times, RDS, "db1") if times else Rollup()


def login(host: str, times: int = 1, tls: bool = True, user: str = "app", application: str = "web") -> Rollup:
    words = f"connection authorized: user={user} database=d application_name={application}" + (f" {TLS13}" if tls else "")
    arrival = said(f"connection received: host={host} port=1", host, times)
    return arrival + said(words, host, times, who=f"{user}@d")


def alert(host: str, times: int = 1, words: str = "tlsv1 alert unknown ca") -> Rollup:
    return said(f"connection received: host={host} port=1", host, times) + said(
        f"could not accept SSL connection: {words}", host, times
    )


def silent(host: str, times: int = 1) -> Rollup:
    return said(f"connection received: host={host} port=1", host, times)


USUAL = total([login("10.0.0.1", 60), login("10.0.0.2", 60), alert("10.0.9.9", 360), silent("10.0.8.8", 720)])


@pytest.mark.parametrize(
    ("since", "kinds"),
    [
        (alert("10.0.0.1", 3), ["refuses"]),
        (alert("10.0.0.1", 3, "EOF detected"), []),
        (alert("10.0.0.1", 9, "EOF detected"), ["gone"]),
        (silent("10.0.0.2", 9), ["gone"]),
        (silent("10.0.0.2", 9) + login("10.0.0.2", 3), []),
        (alert("10.0.9.9", 6), []),
        (alert("10.0.9.9", 60), ["refuses"]),
        (silent("10.0.8.8", 12), []),
        (silent("10.0.7.7", 12), []),
        (alert("10.0.0.1", 1), []),
        (login("10.0.0.1", 1, tls=False), ["lost-tls"]),
        (login("10.0.5.5", 1, tls=False), ["lost-tls"]),
        (login("10.0.5.5", 1, tls=False, user="new"), []),
        (login("10.0.0.1", 5), []),
    ],
    ids=["alerts", "few hang-ups", "hang-ups", "silent", "silent but back", "old noise", "more noise", "health check",
         "somebody new", "one alert", "plaintext", "plaintext elsewhere", "new and plaintext", "as before"],
)  # fmt: skip
def test_what_is_trouble_and_what_is_not(since, kinds):
    seen = compare(USUAL.settled(), HOUR, since.settled(), 60.0, "db1")
    assert [c.kind for c in seen.concerns] == kinds


def test_only_the_server_that_was_cut_over_is_looked_at():
    assert not compare(USUAL, HOUR, alert("10.0.0.1", 9), 60.0, "db2").concerns


def test_an_identity_that_was_seen_in_plaintext_before_has_lost_nothing():
    usual = USUAL + login("10.0.0.1", 1, tls=False)
    assert not compare(usual, HOUR, login("10.0.0.1", 3, tls=False), 60.0, "db1").concerns


def test_clients_that_came_back_are_counted_and_the_others_not_called_fine():
    seen = compare(USUAL, HOUR, login("10.0.0.1", 1), 60.0, "db1")
    assert (seen.back, seen.known) == (1, 2)
    assert str(seen) == "1 of 2 clients have connected with TLS since; the others have not been heard of"


@pytest.mark.parametrize(
    ("times", "of", "share", "exact"), [(0, 5, 0.5, 1.0), (5, 5, 0.5, 1 / 32), (1, 2, 0.1, 0.19), (3, 2, 0.5, 0.0)]
)
def test_the_chance_is_the_binomial_one(times, of, share, exact):
    assert isclose(at_least(times, of, share), exact, abs_tol=1e-12)


def minute(chance: random.Random, clients: int, broken: frozenset[int] = frozenset(), seconds: float = 60.0) -> Rollup:
    """What a noisy server logs: clients that come back now and then, health checks, scanners, tools that never trusted."""
    found = []
    for n in range(clients):
        rate = 1 / (20 + 20 * (n % 5))
        times = sum(chance.random() < rate for _ in range(int(seconds)))
        if n in broken:
            # It tries again more often than it used to connect.
            found.append(
                alert(
                    f"10.0.1.{n}",
                    max(times, int(seconds / 10)),
                    chance.choice(["tlsv1 alert unknown ca", "sslv3 alert certificate unknown"]),
                )
            )
        else:
            found.append(login(f"10.0.1.{n}", times, user=f"u{n % 9}"))
            found.append(silent(f"10.0.1.{n}", sum(chance.random() < 1 / 600 for _ in range(int(seconds)))))
    for n in range(4):
        found.append(silent(f"10.0.2.{n}", int(seconds / 5)))
    for n in range(3):
        found.append(alert(f"10.0.3.{n}", sum(chance.random() < 1 / 45 for _ in range(int(seconds)))))
    return total(found)


def replays(runs: int) -> None:
    chance = random.Random(7)
    usual = total([minute(chance, 40, seconds=900.0)]).settled()
    for run in range(runs):
        clean = compare(usual, 900.0, minute(chance, 40).settled(), 60.0, "db1")
        assert not clean.concerns, (run, clean)
        broken = frozenset(chance.sample(range(40), 2))
        seen = compare(usual, 900.0, minute(chance, 40, broken, 30.0).settled(), 30.0, "db1")
        assert {c.who for c in seen.concerns} == {f"10.0.1.{n}" for n in broken}, run


def test_noise_is_no_trouble_and_one_client_in_twenty_is():
    replays(15)


@pytest.mark.matrix
def test_a_thousand_quiet_cut_overs_and_a_thousand_bad_ones():
    replays(1000)


def test_the_watch_reads_the_log_and_answers_the_gate(tmp_path: Path):
    log = tmp_path / "postgresql.log"
    log.write_bytes(rds("x"))
    with Follower([f"db1={log}"], ways=Ways(RDS)) as follower:
        watch = LogWatch(follower, USUAL, HOUR, seconds=0.2, every=0.01)
        assert watch.clients("db1") == (Answer.UNSURE, "its log has not moved since")
        with log.open("ab") as file:
            file.write(
                rds(f"connection authorized: user=app database=d application_name=web {TLS13}", host="10.0.0.1(1)", who="app@d")
            )
        answer, note = watch.clients("db1")
        assert (answer, note[:14]) == (Answer.OK, "1 of 2 clients")
        with log.open("ab") as file:
            file.write(rds("could not accept SSL connection: tlsv1 alert unknown ca", host="10.0.0.1(1)") * 5)
        answer, note = watch.clients("db1")
        assert answer is Answer.FAILED
        assert note == "10.0.0.1: tlsv1 alert unknown ca (5 times since, 0 before)"
