"""
Folders of roots: OpenSSL's hashed folders, and the anchors folders that a system's update command collects.

A root is one new file; no file that is there is touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import TrustStoreError
from ..pki.certificate import Certificate
from ..readers._folder import NAME, folder, subject_hash
from ..readers._reader import Anchors
from ..truststores import Limits, pem
from ._trustjournal import Journal, new_intent

ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class System:
    """An anchors folder: the ending its files must have, and the command that takes them over."""

    path: str
    ending: str
    command: str


SYSTEMS = (
    System("/usr/local/share/ca-certificates", ".crt", "update-ca-certificates"),
    System("/etc/pki/ca-trust/source/anchors", ".pem", "update-ca-trust extract"),
    System("/usr/share/pki/ca-trust-source/anchors", ".pem", "update-ca-trust extract"),
    System("/etc/pki/trust/anchors", ".pem", "update-ca-certificates"),
    System("/etc/ca-certificates/trust-source/anchors", ".pem", "trust extract-compat"),
)
"""Debian, Ubuntu and Alpine; Fedora and RHEL; SUSE; Arch. Source: each command's manual page.

Debian's and Alpine's commands take one certificate from a file, so each root gets its own.
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A folder of roots: what is in it, and what of that is trusted."""

    path: str
    system: System | None
    entries: dict[str, bytes]
    anchors: Anchors


def look(path: str) -> Held:
    """Read a folder. Small regular files only; links are followed, as OpenSSL does."""
    entries: dict[str, bytes] = {}
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise TrustStoreError(f"cannot be read: {error.strerror}", where=path) from error
    if len(names) > ENTRIES:
        raise TrustStoreError(f"holds {len(names)} files; {ENTRIES} are the limit", where=path)
    for name in names:
        with suppress(OSError):
            fd = os.open(os.path.join(path, name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                if os.path.isfile(os.path.join(path, name)) and os.fstat(fd).st_size <= Limits.CERTIFICATE_BYTES * 16:
                    entries[name] = file.read()
    system = next((s for s in SYSTEMS if os.path.realpath(s.path) == os.path.realpath(path)), None)
    return Held(path, system, entries, _anchors(entries) if system else folder(entries))


def _anchors(entries: dict[str, bytes]) -> Anchors:
    """What the update command takes: the first certificate of each file."""
    found = []
    for content in entries.values():
        first = next((b.certificate for b in pem.blocks(content) if b.certificate is not None), None)
        if first is not None:
            found.append(first)
    return Anchors(True, tuple(dict.fromkeys(found)))


def add(
    path: str, roots: Sequence[Certificate], *, execute: bool, journal: Journal | None = None
) -> tuple[Held, Held, tuple[str, ...]]:
    """One new file for each root that is not found there yet: before, after, and the files' names."""
    before = look(path)
    if before.system is None and not any(NAME.fullmatch(name) for name in before.entries) and before.entries:
        raise TrustStoreError(
            "is neither a hashed folder nor a system's anchors folder", where=path, hint="`openssl rehash` makes a hashed folder"
        )
    taken = dict(before.entries)
    made: dict[str, bytes] = {}
    for root in dict.fromkeys(roots):
        if root in before.anchors.certificates:
            continue
        name = _name(root, before.system, taken)
        taken[name] = made[name] = pem.encode(root)
    after = Held(path, before.system, taken, _anchors(taken) if before.system else folder(taken))
    if not set(before.anchors.certificates) <= set(after.anchors.certificates) or not set(roots) <= set(
        after.anchors.certificates
    ):
        raise TrustStoreError("would not be found there", where=path)
    if execute and made:
        book = journal or Journal()
        for name, content in made.items():
            _create(path, name, content, book)
    return before, after, tuple(made)


def _name(root: Certificate, system: System | None, taken: dict[str, bytes]) -> str:
    if system is not None:
        plain = re.sub(r"[^A-Za-z0-9]+", "-", root.title).strip("-").lower()[:60]
        return f"{plain}-{root.fingerprint[:8]}{system.ending}"
    hash = subject_hash(root)
    number = next(n for n in range(ENTRIES) if f"{hash}.{n}" not in taken)
    return f"{hash}.{number}"


def _create(path: str, name: str, content: bytes, book: Journal) -> None:
    """A new file, whole or not at all; one that came there in between is not overwritten."""
    intent = new_intent("create", os.path.join(os.path.abspath(path), name), b"", content, (), ())
    book.begin(intent)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise TrustStoreError(f"cannot be opened: {error.strerror}", where=path) from error
    try:
        file = os.open(intent.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=fd)
        try:
            os.fchmod(file, 0o644)
            view = memoryview(content)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        finally:
            os.close(file)
        os.link(intent.temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        os.unlink(intent.temporary, dir_fd=fd)
        os.fsync(fd)
    except OSError as error:
        with suppress(OSError):
            os.unlink(intent.temporary, dir_fd=fd)
        book.end("dropped", intent)
        raise TrustStoreError(f"`{name}` cannot be made: {error.strerror}", where=path) from error
    finally:
        os.close(fd)
    book.end("done", intent)
