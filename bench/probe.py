"""
How fast do we probe, next to `openssl s_client` and sslyze? Same stub, same machine, taken in turns; medians.

    python bench/probe.py                       # 1,000 targets ours, 100 s_client, 60 sslyze; three rounds
    python bench/probe.py --targets 5000 --rounds 5 --key rsa2048
    python bench/probe.py --real                # what a probe costs a real PostgreSQL, and at the default pace

The stub has one core and the client the other, where there are two. sslyze comes from PyPI into an environment of its own under
`.cache/`. It makes several handshakes a target, so its figure is "time to an answer", not "the same work".
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]
from _stub import host  # noqa: E402

PORT = 15432


def client(targets: int, hosts: int, ports: int, per_second: float) -> dict[str, float]:
    """Our side, in this process: wall and CPU seconds of probing."""
    from reroot.collect.probe import Answer, Pace, Target, probe

    places = [Target(host(i % hosts), PORT + i // hosts % ports) for i in range(targets)]
    pace = Pace(at_once=64, per_second=per_second, burst=targets)
    wall, cpu = time.perf_counter(), time.process_time()
    seen = list(probe(places, timeout=30, concurrency=200, pace=pace))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ok = sum(p.answer is Answer.TLS and len(p.chain) == 2 for p in seen)
    return {"n": targets, "ok": ok, "wall": wall, "cpu": cpu, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(command: list[str], n: int, *, times: int = 1) -> dict[str, float]:
    """Another program *times* over, *n* probes in all: wall and CPU seconds of its processes."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for _ in range(times):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=_client_core)
        if done.returncode != 0:
            sys.exit(f"{command[0]}: {done.stderr.decode()[-500:]}{done.stdout.decode()[-500:]}")
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"n": n, "ok": n, "wall": wall, "cpu": cpu}


def ours(targets: int, hosts: int, ports: int) -> dict[str, float]:
    command = [sys.executable, __file__, "client", str(targets), str(hosts), str(ports)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, preexec_fn=_client_core).stdout)


def sslyze() -> list[str]:
    folder = HERE.parent / ".cache" / "sslyze"
    if not (folder / "bin" / "sslyze").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", "sslyze"], check=True)
    return [str(folder / "bin" / "sslyze"), "--starttls", "postgres", "--certinfo"]


def _client_core() -> None:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _server_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@contextmanager
def stub(hosts: int, ports: int, key: str):
    from reroot.lab import ca

    root = ca.root("bench root", key=key)
    leaf = ca.leaf(root, "db.bed.test", key=key)
    with tempfile.TemporaryDirectory() as folder:
        chain, private = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(ca.bundle(leaf, root))
        private.write_bytes(leaf.key_pem)
        command = [sys.executable, str(HERE / "_stub.py"), str(chain), str(private)]
        command += ["--hosts", str(hosts), "--ports", str(ports), "--port", str(PORT)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=_server_core) as server:
            server.stdout.readline()
            yield
            server.stdin.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=250)
    parser.add_argument("--key", default="ec256", choices=["ec256", "rsa2048"])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--real", action="store_true")
    given = parser.parse_args()
    if given.real:
        return real(300)
    ports = -(-given.targets // given.hosts)
    peers = {} if given.no_peers else {
        "openssl s_client": lambda: measured(
            ["openssl", "s_client", "-starttls", "postgres", "-showcerts", "-connect", f"127.0.0.1:{PORT}"], 100, times=100
        ),
        "sslyze --certinfo": lambda: measured(sslyze() + [f"{host(i)}:{PORT}" for i in range(60)], 60),
    }  # fmt: skip
    if peers:
        sslyze()
    runs: dict[str, list[dict[str, float]]] = {}
    with stub(given.hosts, ports, given.key):
        for _ in range(given.rounds):
            for name, run in {"reroot probe": lambda: ours(given.targets, given.hosts, ports), **peers}.items():
                runs.setdefault(name, []).append(run())
    rates = {name: statistics.median(r["n"] / r["wall"] for r in found) for name, found in runs.items()}
    costs = {name: statistics.median(r["cpu"] / r["n"] * 1e3 for r in found) for name, found in runs.items()}
    print(f"{given.key}, {given.targets} targets, median of {given.rounds}, one core")
    our_rate, our_cost = rates["reroot probe"], costs["reroot probe"]
    for name, found in runs.items():
        missed = sum(int(r["n"] - r["ok"]) for r in found)
        line = f"{name:20} {rates[name]:7.0f}/s  {costs[name]:7.3f} ms CPU each  missed {missed}"
        if name in peers:
            line += f"  we: {our_rate / rates[name]:.0f} x its rate, 1/{costs[name] / our_cost:.0f} of its CPU"
        print(line)
    print(f"memory {statistics.median(r['rss'] for r in runs['reroot probe']):.0f} MB")


def real(probes: int) -> None:
    """CPU that *probes* cost each PostgreSQL of this machine, from its own process times, and how long the default pace takes."""
    from reroot.collect.probe import Pace, Target, probe
    from reroot.lab import ca, postgres

    root = ca.root("bench root", key="rsa2048")
    leaf = ca.leaf(root, "db.bed.test", key="rsa2048")
    for installation in postgres.installations():
        with postgres.Postgres((ca.bundle(leaf, root), leaf.key_pem), installation=installation) as server:
            postmaster = int((server.data / "postmaster.pid").read_text().splitlines()[0])
            places = [Target(f"n{i}.bed.test", server.port, server.host) for i in range(probes)]
            for name, pace in (("unpaced", Pace(64, 1e6, probes)), ("default pace", Pace())):
                before, wall = _cpu_of(postmaster), time.perf_counter()
                ok = sum(p.has_answered for p in probe(places, timeout=30, pace=pace))
                wall, cpu = time.perf_counter() - wall, _cpu_of(postmaster) - before
                share = f"{cpu / wall:.0%} of a core"
                each = f"{ok / wall:.0f}/s, {cpu / ok * 1e3:.2f} ms of CPU each"
                print(f"{installation}, {name}: {ok} of {probes}, {each}, {share}")


def _cpu_of(pid: int) -> float:
    """Seconds of CPU of a process and of all its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        _, _, n, hosts, ports = sys.argv
        print(json.dumps(client(int(n), int(hosts), int(ports), 1e6)))
    else:
        main()
