"""
One run of a program for one act: doors opened, the program started and watched, everything taken down again.

The stage and the program are watched by the same loop. A run ends when the program does, or when it has met its act and nothing
more comes for a moment; then the program and what it started are ended.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from ...errors import InputError, ReachError
from ...rehearsal import Ending
from ._peer import NOBODY, Process, peer
from ._places import Place, is_address
from ._ways import CANNOT_LEAD, Journey, Way, kind_of
from .stage import Met, Stage

if TYPE_CHECKING:
    from ._scenes import Scene

SETTLE = 0.4
"""Seconds without a new connection, after the act was met, before a program that goes on running is ended."""
BUSY = 2.0
"""Seconds after the first connection has shown something, for a program that connects again and again without a pause."""
PATIENCE = 20.0
"""Seconds that a program gets for its first connection in one run."""
PARTING = 3.0
"""Seconds between the polite and the other signal."""
UNBOUND = {"PGCHANNELBINDING": "disable"}
"""For a program that goes through to a real server: who would bind its login to its TLS is refused by that server."""
READS_UNBOUND = frozenset({"libpq", "ruby", "perl", "php", "python"})
"""Kinds that read it or ignore it; Go's lib/pq gives up when it is set."""
MAX_WORDS = 64 * 1024
"""How much of the program's output is kept, to find its driver's own words in."""


@dataclass(frozen=True, slots=True)
class Run:
    """One start of the program: the act it met, how it was led, what it did, and its exit code (None when we ended it)."""

    scene: Scene
    way: Way
    met: tuple[Met, ...]
    exit_code: int | None
    seconds: float
    words: str = field(default="", repr=False)


class Performance:
    """One run of the program for one act."""

    def __init__(
        self,
        command: Sequence[str],
        places: Sequence[Place],
        scene: Scene,
        way: Way,
        env: Mapping[str, str],
        patience: float,
        settle: float,
        show: int | None,
        lasting: float | None = None,
    ) -> None:
        self.command, self.places, self.scene, self.way = command, places, scene, way
        self.env, self.patience, self.settle, self.show, self.lasting = env, patience, settle, show, lasting
        self.met: list[Met] = []
        self.words = bytearray()
        self.first = self.last = 0.0
        self.ended_by_us = False
        self.child: subprocess.Popen[bytes] | None = None
        self.output = -1

    def play(self) -> tuple[Run, Process, list[bytes]]:
        began = monotonic()
        identify = self._identify if sys.platform == "linux" else None
        with Stage(lambda _: self.scene, self._told, identify=identify) as stage:
            led = self._open(stage)
            journey = self.way.prepare(led, self.env)
            try:
                self._start(stage, journey)
                self._watch(stage, began)
            except KeyboardInterrupt:
                if not self._went_through():
                    raise
                # Whoever let it go through for as long as it likes has seen enough.
            finally:
                code = self._end(stage)
                report = _read_all(journey.report)
                journey.end()
        if code == CANNOT_LEAD and not self.met:
            raise ReachError(f"could not lead `{self.command[0]}` by {self.way.title}", hint="name another with `--way`")
        processes = [m.who for m in self.met if isinstance(m.who, Process) and m.who is not NOBODY]
        alike = processes[0] if processes and len({p.family for p in processes}) == 1 else NOBODY
        run = Run(self.scene, self.way, tuple(self.met), code, monotonic() - began, self.words.decode("utf-8", "replace"))
        return run, alike, report.splitlines()

    # ── doors ────────────────────────────────────────────────────────────────────────────────────

    def _open(self, stage: Stage) -> dict[str, str]:
        """Listen on a loopback address of our own, at the program's ports; the same address for all its hosts."""
        hosts, ports = list(dict.fromkeys(p.host for p in self.places)), sorted({p.port for p in self.places})
        if self.way.name == "isolated":
            return {h: h if is_address(h) else "127.0.0.1" for h in hosts}
        error: ReachError | None = None
        for last in range(1, 255):
            address = f"127.77.{os.getpid() % 256}.{last}"
            try:
                for port in ports:
                    stage.listen(address, port)
            except ReachError as trouble:
                error = trouble
                continue
            return dict.fromkeys(hosts, address)
        assert error is not None
        raise error

    def _start(self, stage: Stage, journey: Journey) -> None:
        # An address in the environment would lead it past the stage.
        env = {k: v for k, v in self.env.items() if k != "PGHOSTADDR"} | dict(journey.env)
        if self.scene.through is not None and kind_of(self.command) in READS_UNBOUND:
            env = {**UNBOUND, **env}
        read, write = os.pipe()
        inside: socket.socket | None = None
        passed: tuple[int, ...] = ()
        if journey.isolated:
            ours, inside = socket.socketpair()
            doors = " ".join(f"{p.host if is_address(p.host) else '127.0.0.1'}:{p.port}" for p in dict.fromkeys(self.places))
            env["REROOT_DOORS"] = f"{inside.fileno()} {doors}"
            passed = (inside.fileno(),)
        try:
            self.child = subprocess.Popen(
                [*journey.prefix, *_tied(), *self.command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
                pass_fds=passed,
            )
        except OSError as trouble:
            os.close(read)
            raise InputError(f"cannot start `{self.command[0]}`: {trouble.strerror}") from None
        finally:
            os.close(write)
            if inside is not None:
                inside.close()
        os.set_blocking(read, False)
        self.output = read
        stage.watch(read, lambda: self._listen_to(stage, read))
        if journey.isolated:
            self._take_doors(stage, ours)

    def _take_doors(self, stage: Stage, ours: socket.socket) -> None:
        with ours:
            ours.settimeout(10)
            try:
                _, fds, _, _ = socket.recv_fds(ours, 1, 64)
            except TimeoutError:
                fds = []
            if not fds:
                raise ReachError("a network of its own could not be set up", hint="name another way with `--way`")
            for fd in fds:
                stage.adopt(socket.socket(fileno=fd))
            with suppress(OSError):
                ours.sendall(b"g")

    # ── while it runs ────────────────────────────────────────────────────────────────────────────

    def _identify(self, address: str, port: int) -> object:
        return peer(self.child.pid, address, port) if self.child is not None else NOBODY

    def _told(self, met: Met) -> None:
        if self.ended_by_us:
            return  # what it does then is our doing
        self.met.append(met)
        self.last = monotonic()
        self.first = self.first or self.last

    def _listen_to(self, stage: Stage, fd: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        if not data:
            self._stop_listening(stage)
            return
        if self.show is not None:
            os.write(self.show, data)
        self.words += data
        del self.words[:-MAX_WORDS]

    def _stop_listening(self, stage: Stage) -> None:
        if self.output >= 0:
            stage.forget(self.output)
            os.close(self.output)
            self.output = -1

    def _watch(self, stage: Stage, began: float) -> None:
        assert self.child is not None
        while True:
            stage.turn(0.05)
            now = monotonic()
            if self.child.poll() is not None and not stage.guests:
                stage.turn(0.0)  # what came with its last breath
                return
            if self._went_through():
                if self.lasting is not None and now - began > self.lasting:
                    return
                continue  # it does its work, for as long as that takes
            came = any(m.reaction.ending not in (Ending.NOT_POSTGRESQL, Ending.CANCEL) for m in self.met)
            if came and (now - self.first > max(BUSY, self.settle) or (not stage.guests and now - self.last > self.settle)):
                return
            if not came and not stage.guests and now - began > self.patience:
                return
            if now - began > self.patience + 30:
                return

    def _went_through(self) -> bool:
        return any(m.passed is not None for m in self.met)

    def _end(self, stage: Stage) -> int | None:
        """The program's own exit code; None when it was us who ended it, with everything it has started in its session."""
        child = self.child
        if child is None:
            return None
        code = child.poll()
        if code is None:
            self.ended_by_us = True
            _signal(child.pid, signal.SIGTERM)
            until = monotonic() + PARTING
            while child.poll() is None and monotonic() < until:
                stage.turn(0.02)
        _signal(child.pid, signal.SIGKILL)
        child.wait()
        while self.output >= 0 and self._is_readable():
            self._listen_to(stage, self.output)
        self._stop_listening(stage)
        return code

    def _is_readable(self) -> bool:
        return bool(select.select([self.output], [], [], 0)[0])


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _tied() -> tuple[str, ...]:
    """The program shall not outlive us, however we end. Set last, since a new user namespace forgets it."""
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "KILL", "--") if found else ()


def _read_all(fd: int | None) -> bytes:
    if fd is None:
        return b""
    os.lseek(fd, 0, os.SEEK_SET)
    found = b""
    while chunk := os.read(fd, 65536):
        found += chunk
    return found
