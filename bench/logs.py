"""
What does a server's log cost to read, beside grep, ripgrep and pgBadger? Same files, same run, in turns, CPU of whole processes.

    python bench/logs.py                          # 100 MB of each: rds, csv and json, sparse and dense
    python bench/logs.py --mb 1000 --formats rds --no-pgbadger
    python bench/logs.py --spark                  # the same logs on a Spark standalone master with two workers, beside the process pool

The task: who connected how, who was refused, exact against the generator's truth, decoys included. grep and ripgrep only find the
lines; pgBadger parses every line and does other work as well, so its ratio is of times to an answer, as it comes and with all that can be
switched off switched off. It reads 20 MB and is compared by the byte. On a machine that others use too, a round counts only where a loop of Python ran at its full speed before and after it. At 100 MB most of our own time on a sparse log is the start of Python and of our modules, so say both sizes. "reroot" is the
reading itself in its own interpreter; the start of the command line (click, options, tables) is printed once, since it does not grow
with the log.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
RG = ROOT / ".venv/bin/rg"
LITERALS = {
    "rds": ("LOG:  (connection authorized|could not accept SSL connection): ", "LOG:  (connection (authorized|received)|could not accept SSL connection): "),
    "stderr": ("LOG:  (connection authorized|could not accept SSL connection): ", "LOG:  (connection (authorized|received)|could not accept SSL connection): "),
    "csv": (',"(connection authorized|could not accept SSL connection): ', ',"(connection (authorized|received)|could not accept SSL connection): '),
    "json": ('"message":"(connection authorized|could not accept SSL connection): ', '"message":"(connection (authorized|received)|could not accept SSL connection): '),
}  # fmt: skip
PGBADGER = {
    "rds": ["-f", "rds"],
    "stderr": ["-f", "stderr", "-p", "%m [%p] %q%u@%d "],
    "csv": ["-f", "csv"],
    "json": ["-f", "jsonlog"],
}

READ = """
import sys
sys.path.insert(0, {src!r})
from reroot.collect.ingest import Ways, find, ingest
found = ingest(find([{path!r}]), Ways(arrivals={arrivals}, marks=False), processes={processes})
rollup = found.rollup.settled()
if len(sys.argv) > 1:
    import json
    sessions, failures = {{}}, {{}}
    for row, tally in rollup.rows.items():
        if row.event == "session":
            key = "|".join((row.user, row.database, row.application, row.address, row.protocol or "none"))
            sessions[key] = sessions.get(key, 0) + tally.number
        elif row.event == "failed":
            key = row.address + "|" + row.cause
            failures[key] = failures.get(key, 0) + tally.number
    rss = int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024
    print(json.dumps([sessions, failures, found.is_complete, rss]))
else:
    import os
    os._exit(0)
"""


def cost(words: list[str], env: dict[str, str] | None = None, stdout: int = subprocess.PIPE) -> tuple[float, float]:
    """CPU and wall seconds of one process and its children."""
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, stdout=stdout, stderr=subprocess.DEVNULL, env={**compiled, **(env or {})}, check=False)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def program(path: Path, *, arrivals: bool = True, processes: int = 1) -> str:
    return READ.format(src=str(ROOT / "src"), path=str(path), arrivals=arrivals, processes=processes)


def is_exact(path: Path) -> tuple[bool, float]:
    """Whether we tell exactly the generator's truth, and our resident memory in MB."""
    done = subprocess.run([sys.executable, "-c", program(path), "check"], capture_output=True, check=True)
    sessions, failures, complete, rss = json.loads(done.stdout)
    truth = json.loads(Path(f"{path}.truth.json").read_text())
    return sessions == truth["sessions"] and failures == truth["tls_failures"] and complete, rss


def generate(folder: Path, form: str, mix: str, mb: int) -> Path:
    path = folder / f"{form}-{mix}-{mb}"
    if not path.exists():
        subprocess.run(
            [sys.executable, str(HERE / "_genlog.py"), "--format", form, "--mix", mix, "--mb", str(mb), "-o", str(path)],
            check=True,
        )
    return path


def cache_anew(path: Path) -> None:
    """Have the kernel read the file again: pages that it has held for hours can lie so scattered that copying them takes half as long again."""
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while file.read(1 << 20):
            pass


def measure(path: Path, form: str, rounds: int, pgbadger: bool) -> None:
    cache_anew(path)
    few, more = LITERALS[form]
    c = {"LC_ALL": "C"}
    ours = [sys.executable, "-c"]
    contenders: dict[str, tuple[list[str], dict[str, str]]] = {
        "reroot": ([*ours, program(path)], {}),
        "reroot, no arrivals": ([*ours, program(path, arrivals=False)], {}),
        "reroot, 2 processes": ([*ours, program(path, processes=2)], {}),
        "grep -Fc": (["grep", "-Fc", "connection authorized", str(path)], c),
        "rg, two literals": ([str(RG), "-aN", few, str(path)], {}),
        "rg, three literals": ([str(RG), "-aN", more, str(path)], {}),
    }
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    pace, tried = Pace(), 0
    while len(seen["reroot"]) < rounds and tried < 10 * rounds:
        tried += 1
        row = {name: cost(words, env) for name, (words, env) in contenders.items()}
        if pace.is_full():
            for name, one in row.items():
                seen[name].append(one)
    if not seen["reroot"]:
        print(f"\n{path.name}: none of {tried} rounds was undisturbed")
        return
    medians = {
        name: (statistics.median(a for a, _ in rows), statistics.median(b for _, b in rows)) for name, rows in seen.items()
    }

    def ratio(a: str, b: str) -> float:
        return statistics.median(x[0] / y[0] for x, y in zip(seen[a], seen[b], strict=True) if y[0])

    exact, rss = is_exact(path)
    print(f"\n{path.name}: {path.stat().st_size / 1e6:.0f} MB, {'exact' if exact else 'WRONG'}, {rss:.0f} MB resident;", end="")
    print(f" {len(seen['reroot'])} of {tried} rounds were undisturbed")
    for name, (cpu, wall) in medians.items():
        print(f"  {name:22} CPU {cpu:7.3f} s   wall {wall:7.3f} s")
    for name in ("grep -Fc", "rg, two literals", "rg, three literals"):
        print(f"  reroot is {ratio('reroot', name):5.2f} x {name}, without arrivals {ratio('reroot, no arrivals', name):5.2f} x")
    print(f"  two processes: {medians['reroot, 2 processes'][1] / medians['reroot'][1]:.2f} of the wall time;", halving())
    if pgbadger and shutil.which("pgbadger"):
        small = generate(path.parent, form, path.name.split("-")[1], 20)
        for name, options in (("as it comes", ["-x", "html"]), ("lean", [*LEAN, "-x", "json"])):
            words = ["pgbadger", "-q", *PGBADGER[form], *options, "-o", str(path.parent / "pgbadger.out"), str(small)]
            theirs = min(cost(words)[0] for _ in range(3)) / small.stat().st_size * path.stat().st_size
            print(f"  pgBadger, {name}, by its least of three on {small.stat().st_size / 1e6:.0f} MB:", end="")
            print(f" {theirs / medians['reroot'][0]:,.0f} x as much for each byte, without arrivals", end="")
            print(f" {theirs / medians['reroot, no arrivals'][0]:,.0f} x")


LEAN = [
    "--disable-query", "--disable-checkpoint", "--disable-lock", "--disable-temporary", "--disable-hourly", "--disable-error",
    "--disable-autovacuum", "--disable-type",
]  # fmt: skip


class Pace:
    """How fast this machine runs Python now, beside the fastest that was seen: neighbours can make it half as fast for seconds."""

    SLOWER = 1.15

    def __init__(self) -> None:
        self._cores = os.sched_getaffinity(0)
        self._least = min(self._loop() for _ in range(200))
        self._last = self._least

    def is_full(self) -> bool:
        """Whether it was full at the last call and is now, on each core."""
        before, self._last = self._last, 0.0
        for core in self._cores:
            os.sched_setaffinity(0, {core})
            self._last = max(self._last, min(self._loop() for _ in range(3)))
            self._least = min(self._least, self._last)
        os.sched_setaffinity(0, self._cores)
        return max(before, self._last) <= self._least * self.SLOWER

    @staticmethod
    def _loop() -> float:
        begin, words = time.process_time(), {}
        for number in range(20_000):
            words[number % 5000] = str(number)
        return time.process_time() - begin


LOOP = "for _ in range(8_000_000): pass"


def halving() -> str:
    """What this machine makes of two processes that share nothing at all: virtual cores may be one real one."""
    alone, both = [], []
    for _ in range(5):
        alone.append(cost([sys.executable, "-c", LOOP])[1])
        both.append(cost(["sh", "-c", '"$0" -c "$1" & "$0" -c "$1"; wait', sys.executable, LOOP])[1])
    return f"two empty loops side by side take {statistics.median(both) / statistics.median(alone) / 2:.2f} of the time of one after the other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--formats", nargs="+", default=["rds", "csv", "json"], choices=list(LITERALS))
    parser.add_argument("--mixes", nargs="+", default=["sparse", "dense"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache/logs")
    parser.add_argument("--no-pgbadger", action="store_true")
    parser.add_argument("--spark", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.spark:
        from _spark import beside

        for form in given.formats:
            beside(generate(given.folder, form, "dense", given.mb))
        return
    start = statistics.median(
        cost([sys.executable, "-c", "import sys; sys.path.insert(0, 'src'); from reroot.cli import ingest"])[0] for _ in range(3)
    )
    print(f"cores: {os.cpu_count()}, load {os.getloadavg()[0]:.1f}; start of the command line: {start:.2f} s CPU")
    for form in given.formats:
        for mix in given.mixes:
            measure(generate(given.folder, form, mix, given.mb), form, given.rounds, not given.no_pgbadger)


if __name__ == "__main__":
    main()
