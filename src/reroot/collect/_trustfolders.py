"""
Folders of roots: OpenSSL's hashed folders, and the anchors folders that a system's update command collects.

A root is a file of its own. Adding one makes a new file and touches no other; taking one away closes the row of its number, so
that no root behind it is hidden. Every step is in the journal before it is made.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from ..errors import TrustStoreError
from ..pki.certificate import Certificate
from ..readers._folder import NAME, folder, subject_hash
from ..readers._reader import Anchors, Problem
from ..reports.text import counted
from ..truststores import Limits, pem
from . import _truststeps
from ._trustjournal import Intent, Journal, Line
from ._trustplace import place, refused

ENTRIES = 20_000
FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class System:
    """An anchors folder: the ending its files must have, the command that takes them over, and whether a file may hold several."""

    path: str
    ending: str
    command: str
    only_ending: bool = True


SYSTEMS = (
    System("/usr/local/share/ca-certificates", ".crt", "update-ca-certificates"),
    System("/etc/pki/ca-trust/source/anchors", ".pem", "update-ca-trust extract", only_ending=False),
    System("/usr/share/pki/ca-trust-source/anchors", ".pem", "update-ca-trust extract", only_ending=False),
    System("/etc/pki/trust/anchors", ".pem", "update-ca-certificates", only_ending=False),
    System("/etc/ca-certificates/trust-source/anchors", ".pem", "trust extract-compat", only_ending=False),
)
"""Debian, Ubuntu and Alpine; Fedora and RHEL; SUSE; Arch. Source: each command's manual page.

Debian's and Alpine's command takes ``*.crt`` and nothing else; the others read every file. Each root gets its own file, since
Debian's leaves a file with several out of the hashed folder.
"""

MADE = {
    "/etc/ssl/certs": ("update-ca-certificates", "put the root into `/usr/local/share/ca-certificates/NAME.crt`"),
    "/etc/pki/ca-trust/extracted/pem/directory-hash": (
        "update-ca-trust extract",
        "put the root into `/etc/pki/ca-trust/source/anchors/`",
    ),
    "/etc/pki/tls/certs": ("update-ca-trust extract", "put the root into `/etc/pki/ca-trust/source/anchors/`"),
    "/var/lib/ca-certificates/openssl": ("update-ca-certificates", "put the root into `/etc/pki/trust/anchors/`"),
}
"""Hashed folders that a command makes anew each time."""


@dataclass(frozen=True, slots=True)
class Held:
    """A folder of roots: what is in it, and what of that is trusted. ``names`` are all names, ``entries`` what could be read."""

    path: str
    system: System | None
    names: frozenset[str]
    entries: dict[str, bytes]
    anchors: Anchors
    made_by: tuple[str, str] | None = None

    def with_entries(self, entries: dict[str, bytes]) -> Held:
        return replace(self, entries=entries, names=self.names | entries.keys(), anchors=_trusted(self.system, entries))


def look(path: str) -> Held:
    """Read a folder. Small regular files only; links to them are followed, as OpenSSL does."""
    with _opened(path, None) as (fd, full):
        return _look(fd, full)


@contextmanager
def _opened(path: str, allowed: str | None) -> Iterator[tuple[int, str]]:
    with place(os.path.join(path, "any"), allowed) as found:
        try:
            yield found.folder, os.path.dirname(found.path)
        except OSError as error:
            raise refused(os.path.dirname(found.path), error) from error


def _look(fd: int, path: str, *, for_a_change: bool = False) -> Held:
    """Every file; what cannot be read is a problem, and for a change a reason to make none."""
    try:
        names = sorted(os.listdir(fd))
    except OSError as error:
        raise TrustStoreError(f"cannot be read: {error.strerror}", where=path) from error
    if len(names) > ENTRIES:
        raise TrustStoreError(f"holds {len(names)} files; {ENTRIES} are the limit", where=path)
    entries: dict[str, bytes] = {}
    unread: list[str] = []
    left = Limits.BYTES
    for name in names:
        try:
            content = _content(fd, name)
        except OSError as error:
            if for_a_change and error.errno not in (errno.ENOENT, errno.ELOOP):
                text = f"cannot be read: {error.strerror}, so what is trusted here cannot be told"
                raise TrustStoreError(text, where=os.path.join(path, name)) from error
            unread.append(name)
            continue
        if content is not None:
            entries[name] = content
            left -= len(content)
        if left < 0:
            raise TrustStoreError(f"holds more than {Limits.BYTES} bytes, which is the limit", where=path)
    here = os.path.realpath(path)
    system = next((s for s in SYSTEMS if os.path.realpath(s.path) == here), None)
    made = next((by for known, by in MADE.items() if os.path.realpath(known) == here), None)
    anchors = _trusted(system, entries)
    if unread:
        problem = Problem(
            "unreadable-file", f"{counted(len(unread), 'file')} cannot be read: `{unread[0]}`{' …' if len(unread) > 1 else ''}"
        )
        anchors = replace(anchors, problems=(*anchors.problems, problem))
    return Held(path, system, frozenset(names), entries, anchors, made)


def _content(fd: int, name: str) -> bytes | None:
    """The bytes of a regular file that is small enough; None for what is no file."""
    if not stat.S_ISREG(os.stat(name, dir_fd=fd).st_mode):
        return None
    file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    with open(file, "rb") as reading:
        status = os.fstat(file)
        return reading.read(FILE_BYTES) if stat.S_ISREG(status.st_mode) and status.st_size <= FILE_BYTES else None


def _trusted(system: System | None, entries: dict[str, bytes]) -> Anchors:
    return folder(entries) if system is None else _collected(system, entries)


def _collected(system: System, entries: dict[str, bytes]) -> Anchors:
    """What the update command takes into its bundle: every certificate of every file that it looks at."""
    found: list[Certificate] = []
    problems: list[Problem] = []
    for name, content in entries.items():
        held = _certificates(content)
        if system.only_ending and not name.endswith(system.ending):
            if held:
                problems.append(
                    Problem("wrong-ending", f"`{name}` is not looked at: `{system.command}` takes `*{system.ending}`")
                )
            continue
        if len(held) > 1 and system.only_ending:
            problems.append(
                Problem("several-in-one", f"`{name}` holds {len(held)} certificates, and gets no name in the hashed folder")
            )
        found += held
    return Anchors(True, tuple(dict.fromkeys(found)), tuple(problems))


def _certificates(content: bytes) -> list[Certificate]:
    if content[:1] == b"0":
        return [Certificate(content)] if Certificate(content).is_readable else []
    return [b.certificate for b in pem.blocks(content) if b.certificate is not None]


# ── changes ──────────────────────────────────────────────────────────────────────────────────────

Plan = list[Callable[[], Intent]]


def add(
    path: str, roots: Sequence[Certificate], *, execute: bool, allowed: str | None = None, journal: Journal | None = None
) -> tuple[Held, Held, tuple[str, ...]]:
    """One new file for each root that is not found there yet: before, after, and the files' names."""
    with _opened(path, allowed) as (fd, full), _held_if(execute, fd, full):
        before = _look(fd, full, for_a_change=True)
        if before.system is None and before.entries and not any(NAME.fullmatch(name) for name in before.entries):
            raise TrustStoreError(
                "is neither a hashed folder nor a system's anchors folder",
                where=full,
                hint="`openssl rehash` makes a hashed folder",
            )
        made: dict[str, bytes] = {}
        for root in dict.fromkeys(roots):
            if root not in before.anchors.certificates:
                made[_name(root, before, made)] = pem.encode(root)
        after = before.with_entries(before.entries | made)
        if set(after.anchors.certificates) != {*before.anchors.certificates, *roots}:
            raise TrustStoreError(
                "would trust other roots than those that are there and those that were named", where=full,
                hint=f"see `reroot trust show {full}`; `openssl rehash` puts the numbers of a hashed folder in order",
            )  # fmt: skip
        if execute and made and before.made_by is None:
            group = secrets.token_hex(6)
            plan: Plan = [partial(_truststeps.come, full, name, content, group) for name, content in made.items()]
            _truststeps.take(fd, full, plan, journal or Journal())
            _check(fd, full, after)
        return before, after, tuple(made)


@contextmanager
def _held_if(execute: bool, fd: int, path: str) -> Iterator[None]:
    if not execute:
        yield
        return
    with _truststeps.held(fd, path):
        yield


def _check(fd: int, path: str, foreseen: Held) -> None:
    """N in is N out, read back from the folder."""
    found = _look(fd, path, for_a_change=True)
    if set(found.anchors.certificates) != set(foreseen.anchors.certificates):
        raise TrustStoreError(
            "reads back differently from what was foreseen: somebody else changes it, too", where=path,
            hint=f"see `reroot trust show {path}`",
        )  # fmt: skip


def _name(root: Certificate, held: Held, made: dict[str, bytes]) -> str:
    if held.system is not None:
        plain = re.sub(r"[^A-Za-z0-9]+", "-", root.title).strip("-").lower()[:60]
        return f"{plain}-{root.fingerprint[:8]}{held.system.ending}"
    hash = subject_hash(root)
    number = next(n for n in range(ENTRIES + 1) if f"{hash}.{n}" not in held.names and f"{hash}.{n}" not in made)
    return f"{hash}.{number}"


def remove(
    path: str, gone: frozenset[str], *, execute: bool, allowed: str | None = None, journal: Journal | None = None
) -> tuple[Held, Held, tuple[str, ...]]:
    """Take away every file that holds one of these roots and nothing else: before, after, and the files' names."""
    with _opened(path, allowed) as (fd, full), _held_if(execute, fd, full):
        before = _look(fd, full, for_a_change=True)
        names = [name for name, content in before.entries.items() if _holds_only(full, name, content, gone)]
        names.sort(key=_late_numbers_first)
        left = dict(before.entries)
        moves = [(name, _taken(left, name)) for name in names]
        after = before.with_entries(left)
        wanted = {c for c in before.anchors.certificates if c.fingerprint not in gone}
        if set(after.anchors.certificates) != wanted:
            raise TrustStoreError("would not lose just the named roots", where=full, hint=f"see `reroot trust show {full}`")
        if before.anchors.certificates and not wanted:
            raise TrustStoreError("would be left without a root", where=full, hint="add the next root first")
        if execute and moves and before.made_by is None:
            group = secrets.token_hex(6)
            plan: Plan = [partial(_truststeps.go, fd, full, name, last, group) for name, last in moves]
            _truststeps.take(fd, full, plan, journal or Journal())
            _check(fd, full, after)
        return before, after, tuple(names)


def _holds_only(path: str, name: str, content: bytes, gone: frozenset[str]) -> bool:
    held = _certificates(content)
    going = [c for c in held if c.fingerprint in gone]
    if not going:
        return False
    if len(going) < len(held) or content.count(b"-----BEGIN ") > len(held):
        raise TrustStoreError(
            "holds more than the root that goes",
            where=os.path.join(path, name),
            hint="divide the file first, one certificate in each",
        )
    return True


def _late_numbers_first(name: str) -> tuple[int, str, int]:
    """Rows before the files that their links lead to, and each row from its end."""
    found = NAME.fullmatch(name)
    return (0, found[1], -int(found[2])) if found else (1, name, 0)


def _taken(entries: dict[str, bytes], name: str) -> str:
    """Take a name off, and give the name of the file that closes its row; *name* itself when none has to."""
    found = NAME.fullmatch(name)
    last = name
    if found:
        row, number = found[1], int(found[2])
        end = next(n for n in range(ENTRIES + 1) if f"{row}.{n}" not in entries) - 1
        if number < end:
            last = f"{row}.{end}"
    moved = entries.pop(last)
    if last != name:
        entries[name] = moved
    return last


def undo(
    path: str, *, execute: bool, allowed: str | None = None, journal: Journal | None = None
) -> tuple[Held, Held, tuple[str, ...]]:
    """Take back the last change of this folder, step by step from its end."""
    book = journal or Journal()
    with _opened(path, allowed) as (fd, full), _held_if(execute, fd, full):
        before = _look(fd, full, for_a_change=True)
        steps = _last(book.lines(), full)
        group = secrets.token_hex(6)
        entries, stands = dict(before.entries), _Stands(fd, full)
        plan: Plan = []
        for intent in reversed(steps):
            name = os.path.basename(intent.path)
            stands.must_be(name, intent.after)
            if intent.act == "come":
                last = _taken(entries, name)
                stands.moves(last, name)
                plan.append(partial(_away, fd, full, name, last, group, intent.id))
            else:
                _given_back(fd, entries, stands, intent)
                plan.append(partial(_truststeps.back, intent, group))
        after = before.with_entries(entries)
        if execute:
            _truststeps.take(fd, full, plan, book)
            _check(fd, full, after)
        return before, after, tuple(os.path.basename(intent.path) for intent in steps)


def _last(lines: Sequence[Line], path: str) -> list[Intent]:
    """The steps of the newest change of this folder that were done and not undone."""
    here = [
        line.intent for line in lines if line.intent.step and line.end == "done" and os.path.dirname(line.intent.path) == path
    ]
    undone = {intent.step.undoes for intent in here if intent.step}
    left = [intent for intent in here if intent.step and not intent.step.undoes and intent.id not in undone]
    if not left:
        raise TrustStoreError("has no change that could be undone", where=path)
    newest = left[-1].step
    return [intent for intent in left if intent.step and newest and intent.step.group == newest.group]


class _Stands:
    """What stands under each name, as it will be after the steps so far."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd, self.path = fd, path
        self.known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self.known:
            self.known[name] = _truststeps.state(self.fd, name)
        return self.known[name]

    def must_be(self, name: str, state: str) -> None:
        if self[name] != state:
            raise TrustStoreError(
                f"`{name}` was changed since, so what was there cannot simply be put back", where=self.path,
                hint="take the single roots away with `reroot trust remove`, or add them",
            )  # fmt: skip

    def moves(self, last: str, name: str) -> None:
        self.known[name], self.known[last] = (self[last], "") if last != name else ("", "")


def _away(fd: int, path: str, name: str, last: str, group: str, undoes: str) -> Intent:
    made = _truststeps.go(fd, path, name, last, group)
    assert made.step is not None
    return replace(made, step=replace(made.step, undoes=undoes))


def _given_back(fd: int, entries: dict[str, bytes], stands: _Stands, intent: Intent) -> None:
    assert intent.step is not None
    name, last = os.path.basename(intent.path), intent.step.last
    if last:
        stands.must_be(last, "")
        stands.known[last] = stands[name]
        entries[last] = entries.pop(name)
    stands.known[name] = intent.before
    if intent.before.startswith(_truststeps.LINK):
        target = intent.before.removeprefix(_truststeps.LINK)
        held = entries.get(target)
        entries[name] = held if held is not None else _read_target(fd, target)
    else:
        entries[name] = base64.b64decode(intent.delta.old)


def _read_target(fd: int, target: str) -> bytes:
    try:
        return _content(fd, target) or b""
    except OSError:
        return b""


def recover(intent: Intent) -> str:
    """After a crash in the middle of a step: tidy up, and say how it ended (``""``: somebody else was there since)."""
    path = os.path.dirname(intent.path)
    with _opened(path, None) as (fd, full), _truststeps.held(fd, full):
        try:
            return _truststeps.settle(fd, intent)
        except OSError as error:
            raise TrustStoreError(f"cannot be tidied up: {error.strerror}", where=full) from error
