"""
What stands behind an instance and is shown to its clients: a real PostgreSQL, or a light stage that only shakes hands.

Five hundred servers do not fit on a laptop; five hundred listening sockets of one thread do. Both show a chain, take another
one, restart and stop.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ..postgres import Postgres

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
GSS_REQUEST = bytes.fromhex("0000000804d21630")
Pair = tuple[bytes, bytes]


class Stage(Protocol):
    """What is behind an instance; ``log`` is None where nothing is written."""

    log: Path | None

    @property
    def port(self) -> int: ...

    def present(self, pair: Pair) -> None:
        """Show *pair* to new connections from now on."""

    def restart(self, pair: Pair) -> None:
        """Down and up again, with *pair*."""

    def configure(self, settings: Mapping[str, str]) -> None:
        """Take dynamic settings, by PostgreSQL's names."""

    def stop(self) -> None: ...


class PostgresStage:
    """A real PostgreSQL."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.log: Path | None = server.log_path

    @property
    def port(self) -> int:
        return self.server.port

    def present(self, pair: Pair) -> None:
        self.server.present(pair)

    def restart(self, pair: Pair) -> None:
        self.server.write_pair(pair)
        self.server.restart()

    def configure(self, settings: Mapping[str, str]) -> None:
        with (self.server.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.server.reload()

    def stop(self) -> None:
        self.server.stop()


class LightStage:
    """A listening socket of a ``Hall``: says yes to TLS, shows its chain, and takes no login."""

    log: Path | None = None

    def __init__(self, hall: Hall, pair: Pair) -> None:
        self._hall = hall
        self.host = hall.address()
        self.listener = socket.create_server((self.host, 0), backlog=64)
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.present(pair)
        hall.admit(self)

    def present(self, pair: Pair) -> None:
        self.context = self._hall.context(pair)

    def restart(self, pair: Pair) -> None:
        self.present(pair)

    def configure(self, settings: Mapping[str, str]) -> None:
        pass

    def stop(self) -> None:
        self._hall.dismiss(self)


class Hall:
    """Light stages in one thread, their handshakes in a few more. A context manager.

    With *spread* each has a loopback address of its own (Linux), as servers have: a probe goes easy on each address.
    """

    def __init__(self, workers: int = 4, *, spread: bool = False) -> None:
        self._numbers = itertools.count(1) if spread else None
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="light-stage")
        self._lock = threading.Lock()
        self._news: list[tuple[LightStage, bool]] = []
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="light-stages")
        self._folder = tempfile.TemporaryDirectory(prefix="reroot-stages-")
        self._thread.start()

    def __enter__(self) -> Hall:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._over = True
        self._wake()
        self._thread.join()
        self._pool.shutdown()
        self._wake_out.close()
        self._folder.cleanup()

    def address(self) -> str:
        if self._numbers is None:
            return "127.0.0.1"
        number = next(self._numbers)
        return f"127.77.{number >> 8}.{number & 255}"

    def admit(self, stage: LightStage) -> None:
        self._tell(stage, True)

    def dismiss(self, stage: LightStage) -> None:
        self._tell(stage, False)

    def context(self, pair: Pair) -> ssl.SSLContext:
        """A server context; the module reads pairs from files only."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with self._lock:
            chain, key = Path(self._folder.name, "chain.pem"), Path(self._folder.name, "key.pem")
            chain.write_bytes(pair[0])
            key.touch(0o600)
            key.write_bytes(pair[1])
            made.load_cert_chain(chain, key)
        return made

    def _tell(self, stage: LightStage, there: bool) -> None:
        with self._lock:
            self._news.append((stage, there))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the thread saw that it is over before it was woken for it
            self._wake_out.send(b"x")

    def _run(self) -> None:
        while not self._over:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._wake_in.recv(4096)
                    self._take_news()
                    continue
                stage: LightStage = key.data
                with contextlib.suppress(OSError):
                    connection, _ = stage.listener.accept()
                    self._pool.submit(_greet, connection, stage)
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if key.data is not None:
                key.data.listener.close()
        self._wake_in.close()
        self._selector.close()

    def _take_news(self) -> None:
        with self._lock:
            news, self._news = self._news, []
        for stage, there in news:
            if there:
                self._selector.register(stage.listener, selectors.EVENT_READ, stage)
            else:
                self._selector.unregister(stage.listener)
                stage.listener.close()


def _greet(connection: socket.socket, stage: LightStage) -> None:
    """One visitor: TLS when it is asked for, then the door."""
    with contextlib.suppress(OSError, ssl.SSLError), connection:
        connection.settimeout(5)
        asked = connection.recv(8, socket.MSG_WAITALL)
        if asked == GSS_REQUEST:
            connection.sendall(b"N")
            asked = connection.recv(8, socket.MSG_WAITALL)
        if asked == SSL_REQUEST:
            connection.sendall(b"S")
            with stage.context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)
