"""
Ten million pieces of evidence: how long do the questions of a dashboard take, on SQLite and on PostgreSQL?

    python bench/evidence.py                          # both, 10,000,000 rows; about 6 GB each, removed in the end
    python bench/evidence.py --rows 1000000 --folder /tmp/x

The rows are made in the database itself: 200 servers, 60,000 identities, 60 days by the hour, one row in twenty a refusal. Each question
is asked with another server, encryption or day each time, warm; the figure is the 95th percentile as the program sees it, with the rows
turned into Python's. What one save of a watch costs (2,000 sightings of an hour, with their sums) is told beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

SERVERS, IDENTITIES, HOURS = 200, 60_000, 24 * 60
START = datetime(2026, 9, 1, tzinfo=UTC)

# Of sighting n: its identity, hour and refusal follow from n alone, in SQL that both databases understand.
SIGHTINGS = """
select who, (n * {hours} / {rows} + who % 8) % {hours} as h, n * 7919 / {identities} % 20 = 0 as is_refusal
  from (select n, n * 7919 % {identities} as who from ({numbers}) numbers) numbered
"""
FACTS = {
    "sqlite": """
insert into evidence (rotation, kind, subject, source, seen_at, strength, facts)
select 'r', case when is_refusal then 'refusal' else 'session' end, 'user' || who || '@db', 'server log', at, 'observed',
       json_object('server', 'db' || (who % {servers}), 'user', 'user' || who, 'database', 'db', 'application', 'app' || (who % 50),
         'address', '10.' || (who % 250) || '.0.' || (who % 199), 'hour', substr(at, 1, 13), 'encryption', case when who % 9 then 'tls' else 'plaintext' end,
         'protocol', 'TLSv1.3', 'cipher', 'TLS_AES_256_GCM_SHA384', 'cause', case when is_refusal then 'tlsv1 alert unknown ca' else '' end,
         'bearing', 'distrust', 'sessions', 3, 'times', 3, 'first_seen', at, 'last_seen', at)
  from (select who, is_refusal, strftime('%Y-%m-%dT%H:00:00+00:00', '{start}', '+' || h || ' hours') as at from ({sightings}))
""",
    "postgresql": """
insert into evidence (rotation, kind, subject, source, seen_at, strength, facts)
select 'r', case when is_refusal then 'refusal' else 'session' end, 'user' || who || '@db', 'server log', at, 'observed',
       json_build_object('server', 'db' || (who % {servers}), 'user', 'user' || who, 'database', 'db', 'application', 'app' || (who % 50),
         'address', '10.' || (who % 250) || '.0.' || (who % 199), 'hour', substr(at, 1, 13), 'encryption', case when who % 9 > 0 then 'tls' else 'plaintext' end,
         'protocol', 'TLSv1.3', 'cipher', 'TLS_AES_256_GCM_SHA384', 'cause', case when is_refusal then 'tlsv1 alert unknown ca' else '' end,
         'bearing', 'distrust', 'sessions', 3, 'times', 3, 'first_seen', at, 'last_seen', at)::text
  from (select who, is_refusal, to_char(timestamp '{start}' + h * interval '1 hour', 'YYYY-MM-DD"T"HH24:00:00"+00:00"') as at from ({sightings}) s) s
""",
}
# The sums, made the same way: what `keep` would have added up row by row.
SUMS = (
    """
insert into sum_identity (key, rotation, server, "user", database, application, address, encryption, protocol, source, number, first, last)
select 'i' || who, 'r', 'db' || (who % {servers}), 'user' || who, 'db', 'app' || (who % 50), '10.' || (who % 250) || '.0.' || (who % 199),
       case when who % 9 > 0 then 'tls' else 'plaintext' end, 'TLSv1.3', 'server log', 3 * count(*), min(at), max(at)
  from ({timed}) t where not is_refusal group by who
""",
    """
insert into sum_refusal (key, rotation, server, address, "user", cause, bearing, number, first, last)
select 'r' || who, 'r', 'db' || (who % {servers}), '10.' || (who % 250) || '.0.' || (who % 199), 'user' || who, 'tlsv1 alert unknown ca', 'distrust',
       3 * count(*), min(at), max(at)
  from ({timed}) t where is_refusal group by who
""",
    """
insert into sum_hour (key, rotation, server, hour, what, source, number, first, last)
select 'h' || server || '-' || h || what, 'r', server, substr(min(at), 1, 13), what, 'server log', 3 * count(*), min(at), max(at)
  from (select 'db' || (who % {servers}) as server, h, at, case when is_refusal then 'distrust' when who % 9 > 0 then 'tls' else 'plaintext' end as what
          from ({timed}) t) t
 group by server, h, what
""",
    """
insert into sum_hour (key, rotation, server, hour, what, source, number, first, last)
select 'f' || h || what, 'r', '', substr(min(at), 1, 13), what, 'server log', 3 * count(*), min(at), max(at)
  from (select h, at, case when is_refusal then 'distrust' when who % 9 > 0 then 'tls' else 'plaintext' end as what from ({timed}) t) t
 group by h, what
""",
    """
insert into sum_window (key, rotation, server, source, number, first, last)
select 'w' || (who % {servers}), 'r', 'db' || (who % {servers}), 'server log', 0, min(at), max(at) from ({timed}) t group by who % {servers}
""",
)
TIMED = {
    "sqlite": "select *, strftime('%Y-%m-%dT%H:00:00+00:00', '{start}', '+' || h || ' hours') as at from ({sightings})",
    "postgresql": "select *, to_char(timestamp '{start}' + h * interval '1 hour', 'YYYY-MM-DD\"T\"HH24:00:00\"+00:00\"') as at from ({sightings}) s",
}
NUMBERS = {
    "sqlite": "with recursive c(n) as (select {low} union all select n + 1 from c where n < {high}) select n from c",
    "postgresql": "select n::bigint from generate_series({low}, {high}) n",
}


def fill(ledger, rows: int) -> float:
    """Evidence and its sums, by SQL; seconds."""
    dialect = ledger._engine.dialect.name
    begin, step = time.perf_counter(), 1_000_000
    words = {"rows": rows, "servers": SERVERS, "identities": IDENTITIES, "hours": HOURS, "start": START.strftime("%Y-%m-%d %H:%M:%S")}

    def sightings(low: int, high: int) -> str:
        return SIGHTINGS.format(numbers=NUMBERS[dialect].format(low=low, high=high), **words)

    for low in range(1, rows + 1, step):
        with ledger._engine.begin() as connection:
            connection.exec_driver_sql(
                FACTS[dialect]
                .format(sightings=sightings(low, min(low + step - 1, rows)), **words)
                .replace("%", "%%" if dialect == "postgresql" else "%")
            )
    timed = TIMED[dialect].format(sightings=sightings(1, rows), **words)
    for statement in SUMS:
        with ledger._engine.begin() as connection:
            connection.exec_driver_sql(
                statement.format(timed=timed, **words).replace("%", "%%" if dialect == "postgresql" else "%")
            )
    with ledger._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("analyze")
    return time.perf_counter() - begin


def questions_of(chance: random.Random) -> dict[str, object]:
    from reroot.ledger import _questions as q

    server = f"db{chance.randrange(SERVERS)}"
    day = (START + timedelta(days=chance.randrange(58))).isoformat()
    week = (START + timedelta(days=chance.randrange(50))).isoformat()[:13]
    return {
        "who connects to one server": q.identities("r", server),
        "who connected last, anywhere": q.identities("r"),
        "who connects without TLS, anywhere": q.identities("r", encryption="plaintext", since=day),
        "sessions by the hour, one server": q.hours("r", server),
        "sessions by the hour, the fleet, from a day of the last 8 weeks": q.hours("r", since=week),
        "who was turned away since a day": q.refusals("r", since=day),
        "who was turned away from one server": q.refusals("r", server),
        "when was each server looked at": q.windows("r"),
    }


def measure(ledger, times: int) -> None:
    chance, took, told = random.Random(1), dict[str, list[float]](), dict[str, int]()
    for _ in range(times):
        for name, question in questions_of(chance).items():
            begin = time.perf_counter()
            rows = ledger.asked(question)
            took.setdefault(name, []).append((time.perf_counter() - begin) * 1e3)
            told[name] = told.get(name, 0) + len(rows)
    assert all(told.values()), told
    for name, each in took.items():
        each.sort()
        print(f"  {name:66} p50 {statistics.median(each):7.1f} ms   p95 {each[int(len(each) * 0.95) - 1]:7.1f} ms")
    worst = max(sorted(each)[int(len(each) * 0.95) - 1] for each in took.values())
    print(f"  the slowest question: p95 {worst:.1f} ms")


def saving(ledger) -> float:
    """Milliseconds of one save of a watch: 2,000 sightings of an hour."""
    from reroot.model import Evidence, Strength

    at = (START + timedelta(days=61)).isoformat()
    pieces = tuple(
        Evidence("session", f"user{n}@db", "server log", START, Strength.OBSERVED, {
            "server": f"db{n % SERVERS}", "user": f"user{n}", "database": "db", "application": "", "address": "10.0.0.1", "hour": at[:13],
            "encryption": "tls", "protocol": "TLSv1.3", "sessions": 1, "first_seen": at, "last_seen": at,
        })
        for n in range(2000)
    )  # fmt: skip
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        ledger.keep("r", pieces)
        took.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(took)


def main() -> None:
    from reroot.lab.postgres import Postgres
    from reroot.ledger import open_ledger
    from reroot.model import Accepts

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--on", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    print(f"{given.rows:,} rows of evidence; cores: {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    with (
        TemporaryDirectory(dir=given.folder) as folder,
        Postgres(accepts=Accepts.NO_TLS, settings={"max_wal_size": "4GB"}) as server,
    ):
        places = {"sqlite": f"{folder}/ledger.sqlite", "postgresql": f"postgresql://postgres@127.0.0.1:{server.port}/postgres"}
        for name in given.on:
            with open_ledger(places[name]) as ledger:
                filled = fill(ledger, given.rows)
            begin = time.perf_counter()
            with open_ledger(places[name]) as ledger:
                print(
                    f"{name}: filled in {filled:.0f} s, opened in {(time.perf_counter() - begin) * 1e3:.0f} ms, load {os.getloadavg()[0]:.1f}"
                )
                measure(ledger, given.times)
                print(f"  one save of 2,000 sightings: {saving(ledger):.0f} ms")


if __name__ == "__main__":
    main()
