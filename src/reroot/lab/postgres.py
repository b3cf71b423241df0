"""
Real PostgreSQL servers for the laboratory: found on the machine, started in a moment, always cleaned up.

``Postgres`` is one running server on a free loopback port, with a certificate pair, access rules and a log to read; as a context
manager it leaves neither process nor file behind. A guardian process holds it: when we end, in whatever way, the guardian's
input closes, and it stops the server and removes the folder. ``installation.py`` says which servers this machine has.
"""

from __future__ import annotations

import atexit
import base64
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import ReachError
from ..model import Accepts
from .installation import SCRUBBED, Installation, choose, clean_environment, identity, installations

__all__ = ["SCRUBBED", "Installation", "Postgres", "access_rules", "choose", "clean_environment", "fleet", "installations"]

START_SECONDS = 60
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")

# Weak keys and signatures are defects a lab wants to serve; that a client refuses them is the client's own decision.
_SERVER_OPENSSL = """openssl_conf = lab
[lab]
ssl_conf = tls
[tls]
system_default = server
[server]
CipherString = DEFAULT:@SECLEVEL=0
MinProtocol = TLSv1.2
"""

# Runs the server; when its own input ends, because it is told to or because whoever started it is gone, stops the server
# and removes the folder. It lets go of the log, so that the log ends when the server does.
_GUARDIAN = """
folder=$1; shift
trap '' INT TERM HUP
(trap - INT TERM HUP; exec "$@" </dev/null) &
server=$!
exec >/dev/null 2>&1
read word
case $word in crash) kill -QUIT $server ;; *) kill -INT $server ;; esac
wait $server
case $word in keep | crash) ;; *) rm -rf "$folder" ;; esac
"""


# ── a cluster, made once and copied ──────────────────────────────────────────────────────────────

_INITDB = ("-U", "postgres", "-A", "trust", "-N", "--no-instructions", "--locale=C", "--encoding=UTF8")
_templates: dict[Path, Path] = {}
_templates_lock = threading.Lock()


def _template(installation: Installation) -> Path:
    """A freshly initialised data folder of this process; every server starts with a copy of it."""
    with _templates_lock:
        if installation.bin not in _templates:
            who = identity(installation.bin)
            folder = Path(tempfile.mkdtemp(prefix="reroot-initdb-"))
            _remove_when_we_end(folder)
            who.own(folder)
            data = folder / "data"
            done = subprocess.run(
                [*who.prefix, str(installation.bin / "initdb"), "-D", str(data), *_INITDB],
                capture_output=True,
                text=True,
                env=installation.environment(),
                cwd="/",
                **who.arguments(),
            )
            if done.returncode != 0:
                raise ReachError(f"`initdb` of {installation} failed: {done.stderr.strip()[-500:]}")
            _templates[installation.bin] = data
        return _templates[installation.bin]


def _remove_when_we_end(folder: Path) -> None:
    """A shell waits for our end, in whatever way it comes, and removes the folder."""
    script = "trap '' INT TERM HUP; read word; rm -rf \"$0\""
    waiting = subprocess.Popen(["/bin/sh", "-c", script, str(folder)], stdin=subprocess.PIPE, start_new_session=True, cwd="/")
    atexit.register(_let_go, waiting, os.getpid())


def _let_go(waiting: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner and waiting.stdin is not None:
        waiting.stdin.close()
        waiting.wait()


# ── one running server ───────────────────────────────────────────────────────────────────────────


def access_rules(accepts: Accepts | str = Accepts.HOST, method: str = "trust") -> str:
    """pg_hba.conf for one way to accept logins over TCP; the local socket is always open, so that a lab can look inside."""
    kind = Accepts(accepts)
    record = "host" if kind is Accepts.NO_TLS else kind.value
    return f"local all all trust\n{record} all all 127.0.0.1/32 {method}\n{record} all all ::1/128 {method}\n"


@dataclass(eq=False)
class Postgres:
    """One PostgreSQL on a free loopback port. A context manager; ``start`` and ``stop`` may also be called by hand.

    *pair* is (chain PEM leaf first, key PEM). *accepts* is a way to accept logins, or a whole pg_hba.conf. *settings* go to
    postgresql.conf. ``folder`` holds ``data/``, ``server.crt``, ``server.key``, ``pg_hba.conf`` and ``server.log``.
    """

    pair: tuple[bytes, bytes] | None = None
    accepts: Accepts | str = Accepts.HOST
    installation: Installation = field(default_factory=choose)
    settings: Mapping[str, str] = field(default_factory=dict)
    name: str = "postgres"
    port: int = 0
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"reroot-{self.name}-"))
        self.data = self.folder / "data"
        self.log_path = self.folder / "server.log"
        self._who = identity(self.installation.bin)
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._made = False

    # -- life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the server takes connections."""
        if not self._made:
            self._make()
        for attempt in range(5):
            if self.port == 0 or attempt:
                self.port = _free_port(self.host)
            self._write_settings()
            seen = len(self._lines)
            self._spawn()
            if self.wait_for_log("ready to accept connections", since=seen):
                return
            self._end("keep")
            if "could not bind" not in "\n".join(self._lines[seen:]):
                break
        raise ReachError(f"{self.installation} did not start: {' / '.join(self._lines[-4:])}", where=str(self.folder))

    def stop(self) -> None:
        """Stops the server and removes its folder; may be called twice."""
        self._end("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self, *, crash: bool = False) -> None:
        """Down and up again on the same port; *crash* ends it without a shutdown, as a power failure would."""
        port = self.port
        self._end("crash" if crash else "keep")
        self.port = port
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._reader.is_alive()

    # -- what it serves

    def write_pair(self, pair: tuple[bytes, bytes]) -> None:
        """Put a chain and its key in place; they count after ``reload``."""
        for file, content in zip(("server.crt", "server.key"), pair, strict=True):
            self._write(file, content)

    def write_access(self, rules: Accepts | str) -> None:
        """Replace pg_hba.conf; counts after ``reload``."""
        text = rules if isinstance(rules, str) and "\n" in rules else access_rules(rules)
        self._write("pg_hba.conf", text.encode())

    def present(self, pair: tuple[bytes, bytes]) -> None:
        """Serve another pair from now on; returns when a new connection was shown its leaf."""
        self.write_pair(pair)
        wanted = _first_certificate(pair[0])
        seen = len(self._lines)
        self.reload()
        for _ in range(50):
            if self.served_leaf() == wanted:
                return
            refused = [line for line in self._lines[seen:] if "configuration was not reloaded" in line]
            if refused:
                raise ReachError(f"the server kept its old certificate: {' / '.join(self._lines[seen:])}", where=self.name)
        raise ReachError("the server did not take the new certificate", where=self.name)

    def served_leaf(self) -> bytes:
        """DER of the certificate that a new connection is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with socket.create_connection((self.host, self.port), timeout=10) as raw:
            raw.sendall(_SSL_REQUEST)
            if raw.recv(1) != b"S":
                raise ReachError("the server offers no TLS", where=self.name)
            with context.wrap_socket(raw) as tls:
                return tls.getpeercert(binary_form=True) or b""

    def reload(self) -> None:
        """Make the server read its files again; returns when it has said so in its log."""
        seen = len(self._lines)
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGHUP)
        self.wait_for_log("received SIGHUP", since=seen)

    # -- its log

    @property
    def log_lines(self) -> tuple[str, ...]:
        with self._news:
            return tuple(self._lines)

    def wait_for_log(self, pattern: str, *, since: int = 0, timeout: float = START_SECONDS) -> str:
        """The first line after the first *since* ones that has *pattern*; waits for it. ``""`` when the server ended instead."""
        sought = re.compile(pattern)
        found: list[str] = []

        def arrived() -> bool:
            found.extend(line for line in self._lines[since:] if sought.search(line))
            return bool(found) or not self._reader.is_alive()

        with self._news:
            if not self._news.wait_for(arrived, timeout):
                raise ReachError(f"`{pattern}` did not appear in the log of {self.name}", where=str(self.log_path))
        return found[0] if found else ""

    # -- inside

    def _make(self) -> None:
        self._who.own(self.folder)
        template = _template(self.installation)
        subprocess.run(["cp", "-a", str(template), str(self.data)], check=True)
        self._write("openssl.cnf", _SERVER_OPENSSL.encode())
        self.write_access(self.accepts)
        if self.pair is not None:
            self.write_pair(self.pair)
        self._made = True

    def _write_settings(self) -> None:
        tls = self.pair is not None and self.accepts is not Accepts.NO_TLS
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "hba_file": str(self.folder / "pg_hba.conf"),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "max_connections": "100",
            "max_wal_size": "64MB",
            "log_connections": "on",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "log_timezone": "UTC",
            "ssl": "on" if tls else "off",
            "ssl_cert_file": str(self.folder / "server.crt"),
            "ssl_key_file": str(self.folder / "server.key"),
            "ssl_ciphers": "DEFAULT:@SECLEVEL=0",
        } | dict(self.settings)
        lines = [f"{key} = '{value}'" for key, value in settings.items()]
        self._write("data/postgresql.conf", ("\n".join(lines) + "\n").encode())

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(content)
        fresh.chmod(0o600)
        self._who.own(fresh)
        fresh.replace(path)

    def _spawn(self) -> None:
        server = [str(self.installation.bin / "postgres"), "-D", str(self.data)]
        self._process = subprocess.Popen(
            [*self._who.prefix, "/bin/sh", "-c", _GUARDIAN, "guardian", str(self.folder), *server],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.installation.environment() | {"OPENSSL_CONF": str(self.folder / "openssl.cnf")},
            cwd="/",
            start_new_session=True,
            **self._who.arguments(),
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with self.log_path.open("ab", buffering=0) as copy:
            for raw in process.stdout:
                copy.write(raw)
                with self._news:
                    self._lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _end(self, word: str) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        try:
            process.stdin.write(f"{word}\n".encode())
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.wait()
        self._reader.join()
        if process.stdout is not None:
            process.stdout.close()


def _first_certificate(chain: bytes) -> bytes:
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    return base64.b64decode(chain.partition(begin)[2].partition(end)[0])


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def fleet(servers: Sequence[Postgres]) -> Iterator[Sequence[Postgres]]:
    """Start several servers side by side; all are stopped in the end, also when one of them does not start."""
    failures: list[BaseException] = []

    def begin(server: Postgres) -> None:
        try:
            server.start()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(server,)) for server in servers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        yield servers
    finally:
        for server in servers:
            server.stop()
