"""
The journal of trust store changes: what was about to happen, written down before it happens.

One file of JSON lines, only ever appended to. An ``intent`` line is on the disk before the file is touched; ``done`` or
``dropped`` follows. After a crash the file itself tells which of the two it should have been: its hash is the one before or
the one after. The old bytes are kept as the difference from the new ones, so no key is copied without need.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import TrustStoreError

NAME = "trust.journal"


@dataclass(frozen=True, slots=True)
class Delta:
    """How to get from the new bytes to the old: keep ``head`` bytes and ``tail`` bytes, put ``old`` (base64) between them."""

    head: int
    tail: int
    old: str

    def back(self, content: bytes) -> bytes:
        return content[: self.head] + base64.b64decode(self.old) + content[len(content) - self.tail :]


def delta(old: bytes, new: bytes) -> Delta:
    """The shortest single difference between two contents."""
    shorter = min(len(old), len(new))
    head = _common(old, new, shorter)
    tail = _common(old[::-1], new[::-1], shorter - head)
    return Delta(head, tail, base64.b64encode(old[head : len(old) - tail]).decode())


def _common(left: bytes, right: bytes, limit: int) -> int:
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True, slots=True)
class Step:
    """What a step in a folder of roots has beside: the ``group`` of steps it is one of, the step it ``undoes``, the file that
    moves into its name (``last``), and mode and owner of what went.
    """

    group: str
    undoes: str = ""
    last: str = ""
    mode: int = 0o644
    uid: int = -1
    gid: int = -1

    @property
    def owner(self) -> tuple[int, int]:
        return self.uid, self.gid


@dataclass(frozen=True, slots=True)
class Intent:
    """One change of one file. ``before`` and ``after`` are SHA-256; ``temporary`` is the name beside it while it is made."""

    id: str
    act: str
    path: str
    before: str
    after: str
    temporary: str
    delta: Delta
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    at: str = ""
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """An intent and how it ended: ``done``, ``dropped``, or ``open`` when nothing was written after it."""

    intent: Intent
    end: str


def new_intent(act: str, path: str, old: bytes, new: bytes, added: tuple[str, ...], removed: tuple[str, ...]) -> Intent:
    id = secrets.token_hex(6)
    name = os.path.basename(path)[:200]
    return Intent(
        id, act, path, digest(old), digest(new), f".{name}.reroot-{id}", delta(old, new), added, removed,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def default_folder() -> Path:
    """``$REROOT_STATE``, else ``$XDG_STATE_HOME/reroot``, else ``~/.local/state/reroot``."""
    if named := os.environ.get("REROOT_STATE"):
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(base) / "reroot"


class Journal:
    """The journal of one folder. Without it nothing is changed."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.path = self.folder / NAME
        self._lock = threading.Lock()
        self._waiting: list[Intent] = []
        self._safe: set[str] = set()

    @contextmanager
    def _open(self) -> Iterator[int]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = not self.path.exists()
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if new:
                sync_folder(self.folder)
            yield fd
        finally:
            os.close(fd)

    def _failed(self, error: OSError) -> TrustStoreError:
        return TrustStoreError(
            f"the journal `{self.path}` cannot be written: {error.strerror}, so nothing is changed",
            hint="name a folder that can be written with `REROOT_STATE`",
        )

    def begin(self, intent: Intent) -> None:
        """Write down what is about to happen; on the disk when this returns. Threads that wait together share one sync."""
        self._waiting.append(intent)
        with self._lock:
            if intent.id in self._safe:
                self._safe.discard(intent.id)
                return
            together = self._waiting[:]
            del self._waiting[: len(together)]
            try:
                self._append([{"intent": asdict(one)} for one in together], sync=True)
            except BaseException:
                self._waiting[:0] = [one for one in together if one is not intent]  # each tries for itself, and hears the error
                raise
            self._safe |= {one.id for one in together} - {intent.id}

    def end(self, how: str, *intents: Intent) -> None:
        """Write down how it ended. A lost line is no harm: the file itself says how it ended."""
        with suppress(TrustStoreError):
            self._append([{how: intent.id} for intent in intents], sync=False)

    def _append(self, records: list[dict[str, object]], *, sync: bool) -> None:
        data = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode()
        try:
            with self._open() as fd:
                size = os.fstat(fd).st_size
                if size and os.pread(fd, 1, size - 1) != b"\n":
                    data = b"\n" + data
                if os.write(fd, data) < len(data):
                    os.ftruncate(fd, size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fdatasync(fd)
        except OSError as error:
            raise self._failed(error) from error

    def lines(self) -> list[Line]:
        """Every intent in order, with its end. A line torn by a crash is passed over: what it announced never began."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrustStoreError(f"the journal `{self.path}` cannot be read: {error.strerror}") from error
        found: dict[str, Line] = {}
        for line in text.splitlines():
            try:
                record = json.loads(line)
                if isinstance(record, dict) and "intent" in record:
                    intent = _intent(record["intent"])
                    found[intent.id] = Line(intent, "open")
                elif isinstance(record, dict):
                    for how, id in record.items():
                        if id in found and how in ("done", "dropped"):
                            found[id] = Line(found[id].intent, how)
            except (ValueError, TypeError, KeyError):
                continue
        return list(found.values())


def _intent(record: dict[str, object]) -> Intent:
    values = dict(record)
    values["delta"] = Delta(**values["delta"])  # type: ignore[arg-type]
    values["added"], values["removed"] = tuple(values["added"]), tuple(values["removed"])  # type: ignore[arg-type]
    if values.get("step"):
        values["step"] = Step(**values["step"])  # type: ignore[arg-type]
    return Intent(**values)  # type: ignore[arg-type]


def sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
