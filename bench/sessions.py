"""
What does one look at a server's sessions cost it, and us, next to the documented join? Same server, same sessions, in turns.

    python bench/sessions.py                          # 10, 100 and 1,000 sessions, 4 of 5 with TLS
    python bench/sessions.py --sessions 1000 --looks 300

A full look asks everybody who they are; a glance, between two of them, only who is new. The join is the page's: ``pg_stat_ssl`` with ``pg_stat_activity`` by pid, with the columns that the same answer needs. Server CPU
is the watching backend's own, from its process times; ours is this process's while it asks and reads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

JOIN = """
select a.datname, a.usename, a.application_name, a.client_addr, a.backend_start, s.ssl, s.version, s.cipher
  from pg_stat_ssl s join pg_stat_activity a using (pid)
 where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
"""


def cpu_of(pid: int) -> float:
    """Seconds of CPU of one thread-less process, in the scheduler's own nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure(look, pid: int, looks: int) -> tuple[float, float, float]:
    """Milliseconds for one look: the server's CPU, ours, and on the wall."""
    server, ours, wall = cpu_of(pid), time.process_time(), time.perf_counter()
    for _ in range(looks):
        look()
    wall, ours = time.perf_counter() - wall, time.process_time() - ours
    return (cpu_of(pid) - server) / looks * 1e3, ours / looks * 1e3, wall / looks * 1e3


def main() -> None:
    import psycopg

    from reroot.collect import _backend
    from reroot.collect._backend import Backend
    from reroot.collect._source import Source
    from reroot.lab import ca, postgres

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--looks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    # As if all these sessions had begun more than a minute ago, as those of pools have.
    _backend.AUTHENTICATION = timedelta()
    root = ca.root("bench root")
    leaf = ca.leaf(root, "127.0.0.1")
    limit = {"max_connections": str(max(given.sessions) + 20)}
    with postgres.Postgres((ca.bundle(leaf, root), leaf.key_pem), settings=limit) as server:
        dsn = f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres"
        print(f"{server.installation}, {given.rounds} rounds of {given.looks} looks, medians, ms; cores: {os.cpu_count()}")
        held: list[psycopg.Connection] = []
        watch = Backend(Source(dsn))
        plain = psycopg.connect(dsn, autocommit=True, prepare_threshold=0)

        def join() -> list[tuple]:
            return plain.execute(JOIN, prepare=True).fetchall()

        for n in sorted(given.sessions):
            while len(held) < n:
                mode, name = ("disable" if len(held) % 5 == 0 else "require"), f"app-{len(held) % 20}"
                held.append(psycopg.connect(f"{dsn} sslmode={mode} application_name={name}"))
            assert len(join()) == n + 1
            assert sum(s.open for s in watch.sample(full=True).sessions) == n + 1
            found: dict[str, list[tuple[float, float, float]]] = {}
            for _ in range(given.rounds):
                for name, look, pid in (
                    ("join", join, plain.info.backend_pid),
                    ("full look", lambda: watch.sample(full=True), watch.connection.info.backend_pid),
                    ("glance", watch.sample, watch.connection.info.backend_pid),
                ):
                    found.setdefault(name, []).append(measure(look, pid, given.looks))
            medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
            for name, (theirs, ours, wall) in medians.items():
                print(f"{n:5} sessions  {name:9}  server {theirs:6.3f}  client {ours:6.3f}  wall {wall:6.3f}")
            # One look in eleven is a full one at the default pace of 5 s.
            mixed = [(full + 10 * glance) / 11 for full, glance in zip(medians["full look"], medians["glance"], strict=True)]
            for name, each in (("a full look", medians["full look"]), ("looks every 5 s, on average", mixed)):
                ratios = [a / b for a, b in zip(medians["join"], each, strict=True)]
                print(
                    f"{n:5} sessions  {name}: server {each[0]:.2f} ms, client {each[1]:.2f} ms; "
                    f"the join costs  server {ratios[0]:.1f} x  client {ratios[1]:.1f} x  wall {ratios[2]:.1f} x"
                )
        watch.close()


if __name__ == "__main__":
    main()
