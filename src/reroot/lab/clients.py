"""
Real clients that connect all the time: programs with their own driver, settings and trust store, run beside a fleet.

Each writes down what it got, so that "no client noticed" is something that can be counted.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from ..errors import ReachError
from .installation import choose, clean_environment

PROGRAMS = Path(__file__).parent / "programs"
PAUSE = 0.3
"""Seconds between two rounds of one client."""

LOOK = 0.05
"""Seconds between two looks at what the clients wrote."""

JAR_PLACES = ("/usr/share/java/postgresql.jar", ".cache/clients/postgresql-42.7.4.jar")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection of one client: ``began`` is in seconds since the epoch, ``outcome`` is tls, plaintext or refused."""

    client: str
    server: str
    began: float
    outcome: str
    error: str = ""


@dataclass(frozen=True)
class Program:
    """A client: ``driver`` is one of ``available()``, ``targets`` maps a server's name to what the driver is given for it."""

    name: str
    driver: str
    targets: Mapping[str, str]
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1)
def available() -> Mapping[str, str]:
    """Drivers that run here, with their versions; ``in-house`` always does."""
    found = {"in-house": "1.0"}
    psql = _psql()
    if psql:
        found["psql"] = subprocess.run([psql, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    for module in ("psycopg", "psycopg2", "asyncpg"):
        if find_spec(module) is not None:
            from importlib.metadata import PackageNotFoundError, version

            for package in (module, f"{module}-binary"):
                try:
                    found[module] = version(package)
                    break
                except PackageNotFoundError:
                    continue
    if shutil.which("javac") and jar():
        found["pgjdbc"] = _jar_version(jar())
    return found


def _psql() -> str:
    beside = choose().bin / "psql"
    return shutil.which("psql") or (str(beside) if beside.exists() else "")


def jar() -> str:
    """pgJDBC's jar; ``""`` when none is found. The variable REROOT_PGJDBC names one."""
    named = os.environ.get("REROOT_PGJDBC", "")
    return next((place for place in (named, *JAR_PLACES) if place and Path(place).exists()), "")


def _jar_version(path: str) -> str:
    from zipfile import ZipFile

    with ZipFile(path) as archive:
        manifest = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    lines = dict(line.split(": ", 1) for line in manifest.splitlines() if ": " in line)
    return lines.get("Implementation-Version") or lines.get("Bundle-Version") or "unknown"


class Crowd:
    """Programs, running until the block ends. Each also ends by itself when this process does."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self.programs = tuple(programs)
        self._folder = Path(mkdtemp(prefix="reroot-clients-"))
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Crowd:
        try:
            self._running += [self._start(program) for program in self.programs]
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def attempts(self, *, since: float = 0.0, servers: Iterable[str] | None = None) -> list[Attempt]:
        """Every connection that began at *since* or later."""
        wanted = None if servers is None else set(servers)
        found = []
        for program in self.programs:
            results = self._results(program)
            for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
                try:
                    row = json.loads(line)
                except ValueError:  # the last line, half written
                    continue
                if row["began"] >= since and (wanted is None or row["server"] in wanted):
                    found.append(Attempt(program.name, row["server"], row["began"], row["outcome"], row["error"]))
        return found

    def round(self, servers: Iterable[str], *, timeout: float = 20.0) -> list[Attempt]:
        """Wait until every client has tried each of *servers* that it knows once more, from now on; those attempts."""
        since, servers = time.time(), tuple(servers)
        missing = {(p.name, s) for p in self.programs for s in servers if s in p.targets}
        until = time.monotonic() + timeout
        while True:
            found = self.attempts(since=since, servers=servers)
            left = missing - {(a.client, a.server) for a in found}
            if not left:
                return found
            if time.monotonic() > until or any(p.poll() is not None for p in self._running):
                names = ", ".join(sorted({name for name, _ in left}))
                raise ReachError(f"no word of {names} within {timeout:g} s")
            time.sleep(LOOK)

    def _results(self, program: Program) -> Path:
        return self._folder / f"{program.name}.jsonl"

    def _start(self, program: Program) -> subprocess.Popen[bytes]:
        environment = clean_environment({"HOME": str(program.home), "REROOT_PSQL": _psql(), **program.env})
        return subprocess.Popen(
            self._command(program), env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _command(self, program: Program) -> list[str]:
        if program.driver == "pgjdbc":
            subprocess.run(
                ["javac", "-cp", jar(), "-d", str(self._folder), str(PROGRAMS / "Connects.java")], check=True, capture_output=True
            )
            options = [f"-Duser.home={program.home}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m"]
            pairs = [word for pair in program.targets.items() for word in pair]
            pause = str(int(PAUSE * 1000))
            return ["java", *options, "-cp", f"{self._folder}:{jar()}", "Connects", str(self._results(program)), pause, *pairs]
        job = {
            "driver": program.driver,
            "results": str(self._results(program)),
            "pause": PAUSE,
            "targets": dict(program.targets),
        }
        return [sys.executable, str(PROGRAMS / "connects.py"), json.dumps(job)]

    def _stop(self) -> None:
        for process in self._running:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
