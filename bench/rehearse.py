"""
What does a handshake with the stage cost, beside PgBouncer's and HAProxy's? And what does a waiting client weigh?

    python bench/rehearse.py                      # 3 × 1,000 handshakes each, P-256 and RSA-2048; 2,000 idle clients; garbage
    python bench/rehearse.py --handshakes 3000 --rounds 5 --garbage 1000000

The servers have one core and the client the other, where there are two; servers take turns, medians of CPU per handshake, and of
the ratio within each round. HAProxy knows no SSLRequest: beside it the stage is spoken to in TLS at once too.

The same OpenSSL, key, one-certificate chain and TLS 1.3 for all. Not the same: PgBouncer 1.18 and HAProxy 2.6 send two session tickets
each (574 and 158 bytes; HAProxy in spite of `no-tls-tickets`, which makes them stateful), PgBouncer asks for a client certificate, and the
stage does neither; it reads the ClientHello besides, to tell clients apart.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src")]
PORT = 16432
TICK = os.sysconf("SC_CLK_TCK")


def stage(chain: str, key: str, port: int) -> None:
    """Our side, in a process of its own, until its input ends."""
    from reroot.collect.rehearse import _scenes as scenes
    from reroot.collect.rehearse.stage import Limits, Stage
    from reroot.rehearsal import Act

    _pin(1)
    scene = scenes.own(Act.NEXT, scenes.read_chain(Path(chain).read_bytes()), Path(key).read_bytes())
    over = []
    limits = Limits(connections=20_000, per_address=20_000, per_second=1e9, patience=600)
    with Stage(lambda _: scene, lambda met: None, limits=limits) as ours:
        ours.listen("127.0.0.1", port)
        ours.watch(0, lambda: over.append(1))
        print("ready", flush=True)
        while not over:
            ours.turn(1.0)


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


def cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def precise_cpu(pid: int) -> float:
    """Seconds of CPU by the scheduler's own clock."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def rss(pid: int) -> int:
    words = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(words[0].split()[1]) * 1024


def shake(port: int, n: int, direct: bool = False) -> None:
    context = ssl._create_unverified_context()
    if direct:
        context.set_alpn_protocols(["postgresql"])
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            if not direct:
                sock.sendall(bytes.fromhex("0000000804d2162f"))
                sock.recv(1)
            with context.wrap_socket(sock):
                pass


def started(command: list[str], ready: str = "") -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if ready:
        process.stdout.readline()
    return process


def ours(folder: Path, port: int) -> subprocess.Popen[bytes]:
    return started([sys.executable, __file__, "stage", str(folder / "chain.pem"), str(folder / "key.pem"), str(port)], "ready")


def pgbouncer(folder: Path, port: int) -> subprocess.Popen[bytes] | None:
    path = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        return None
    settings = folder / f"pgbouncer-{port}.ini"
    settings.write_text(
        "[databases]\n* = host=127.0.0.1 port=1\n[pgbouncer]\nlisten_addr=127.0.0.1\nauth_type=any\nunix_socket_dir=\n"
        f"listen_port={port}\nclient_tls_sslmode=allow\nclient_tls_cert_file={folder}/chain.pem\nclient_tls_key_file={folder}/key.pem\n"
        "max_client_conn=4000\n" + ("user=nobody\n" if os.geteuid() == 0 else "")
    )
    process = started([path, "-q", str(settings)])
    _pin_process(process.pid, 1)
    wait_for(port)
    return process


def haproxy(folder: Path, port: int) -> subprocess.Popen[bytes] | None:
    path = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        return None
    (folder / "both.pem").write_bytes((folder / "chain.pem").read_bytes() + (folder / "key.pem").read_bytes())
    settings = folder / f"haproxy-{port}.cfg"
    settings.write_text(
        "global\n nbthread 1\n maxconn 4000\ndefaults\n mode tcp\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n"
        f"frontend f\n bind 127.0.0.1:{port} ssl crt {folder}/both.pem no-tls-tickets alpn postgresql\n tcp-request session reject\n"
    )
    process = started([path, "-db", "-f", str(settings)])
    _pin_process(process.pid, 1)
    wait_for(port)
    return process


def _pin_process(pid: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(pid, {core})


def wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    sys.exit("the peer does not listen")


def end(process: subprocess.Popen[bytes]) -> None:
    process.stdin.close()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def handshakes(kind: str, n: int, rounds: int) -> None:
    from reroot.lab import ca

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = ca.root("bench root", key=kind)
        leaf = ca.leaf(root, "bench", key=kind)
        (folder / "chain.pem").write_bytes(ca.bundle(leaf))
        (folder / "key.pem").write_bytes(leaf.key_pem)
        (folder / "key.pem").chmod(0o644)  # a key of this measurement only; PgBouncer reads it as nobody
        mine = ours(folder, PORT)
        peers = {"pgbouncer": (pgbouncer(folder, PORT + 1), PORT + 1, False), "haproxy": (haproxy(folder, PORT + 2), PORT + 2, True)}
        for name, (peer, port, direct) in peers.items():
            if peer is None:
                print(f"{kind:8} {name:10} not here")
                continue
            both = {"reroot": (mine, PORT), name: (peer, port)}
            took: dict[str, list[float]] = {who: [] for who in both}
            for _, where in both.values():
                shake(where, 200, direct)
            for _ in range(rounds):
                for who, (process, where) in both.items():
                    before = precise_cpu(process.pid)
                    shake(where, n, direct)
                    took[who].append((precise_cpu(process.pid) - before) / n * 1e3)
            end(peer)
            told = ", ".join(f"{who} {statistics.median(found):.3f} ms" for who, found in took.items())
            ratio = statistics.median(a / b for a, b in zip(took["reroot"], took[name], strict=True))
            print(f"{kind:8} {told} CPU a handshake ({rounds} × {n}{', direct' * direct}): ratio {ratio:.2f}; load {os.getloadavg()[0]:.1f}")
        end(mine)


def crowd(n: int, garbage: int) -> None:
    from reroot.lab import ca

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        leaf = ca.leaf(ca.root("bench root"), "bench")
        (folder / "chain.pem").write_bytes(ca.bundle(leaf))
        (folder / "key.pem").write_bytes(leaf.key_pem)
        process = ours(folder, PORT)
        context = ssl._create_unverified_context()
        shake(PORT, 200)
        before, guests = rss(process.pid), []
        for _ in range(n):
            sock = socket.create_connection(("127.0.0.1", PORT))
            sock.sendall(bytes.fromhex("0000000804d2162f"))
            sock.recv(1)
            guests.append(context.wrap_socket(sock))
        print(f"{n} idle TLS clients: {(rss(process.pid) - before) / n / 1024:.1f} KB each")
        for sock in guests:
            sock.close()
        weighed = []
        for _ in range(10):
            pester(garbage // 10)
            weighed.append(rss(process.pid) // 1024)
        told = " ".join(map(str, weighed))
        print(f"{garbage} connections of garbage: {told} KB after each tenth, {weighed[-1] - weighed[0]:+} KB from first to last")
        end(process)


def pester(n: int) -> None:
    for _ in range(n):
        with socket.create_connection(("127.0.0.1", PORT)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with suppress(OSError):
                sock.recv(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--handshakes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--garbage", type=int, default=50_000)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    _pin(0)
    for kind in ("ec256", "rsa2048"):
        handshakes(kind, given.handshakes, given.rounds)
    crowd(given.clients, given.garbage)


if __name__ == "__main__":
    if sys.argv[1:2] == ["stage"]:
        stage(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
