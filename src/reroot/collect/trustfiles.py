"""
Trust store files: adding roots, taking them away and undoing it, so that no crash, no second writer and no slip loses a root.

    look → new bytes → as the reader sees them: nothing lost, everything gained? → journal → temporary → fsync → rename → journal

Nothing is written unless ``execute`` is true. What cannot be changed safely is refused with the reason; what somebody else
writes is answered with a patch.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import readers, truststores
from ..errors import GateClosed, RerootError, TrustStoreError
from ..model import Secret
from ..pki.certificate import Certificate
from ..truststores import Change as Wanted
from ._trustjournal import Intent, Journal, Line, new_intent
from ._trustlimits import LARGE, guarded
from ._trustmanaged import managed
from ._trustplace import Look, Place, locked, place
from ._trustwrite import Overtaken, drop, replace

__all__ = ["Change", "Journal", "add_root", "many", "recover", "remove_root", "undo"]

TRIES = 3
"""How often a file is read anew when somebody else wrote it in between."""

READERS = {
    "pem": ("openssl", "3.0", "PEM"),
    "der": ("java", "17", "PEM"),
    "pkcs7": ("java", "17", "PEM"),
    "jks": ("java", "17", "JKS"),
    "jceks": ("java", "17", "JCEKS"),
    "pkcs12": ("java", "17", "PKCS12"),
    "kubernetes": ("openssl", "3.0", "PEM"),
    "pasted": ("openssl", "3.0", "PEM"),
}
"""Whose eyes a change is checked with, unless a reader is named: format → reader, version, type."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one trust store, made or only foreseen.

    ``before``, ``after`` are the roots as the reader sees them; ``added``, ``removed`` the difference. ``executed`` is true once
    the new file is in place. ``patch`` is what to do instead where reroot does not write, with ``managed`` saying why.
    """

    path: str
    format: str
    reader: str
    before: tuple[Certificate, ...] = ()
    after: tuple[Certificate, ...] = ()
    executed: bool = False
    id: str = ""
    managed: str = ""
    instead: str = ""
    patch: str = ""

    @property
    def added(self) -> tuple[Certificate, ...]:
        return tuple(c for c in self.after if c not in self.before)

    @property
    def removed(self) -> tuple[Certificate, ...]:
        return tuple(c for c in self.before if c not in self.after)

    @property
    def kept(self) -> tuple[Certificate, ...]:
        return tuple(c for c in self.before if c in self.after)

    @property
    def unchanged(self) -> bool:
        return not self.added and not self.removed and not self.patch and not self.executed


@dataclass(frozen=True, slots=True)
class _Draft:
    """New bytes, and both sides as the reader sees them."""

    new: bytes
    format: str
    reader: str
    before: tuple[Certificate, ...]
    after: tuple[Certificate, ...]


Make = Callable[[bytes], _Draft]


def add_root(
    path: str | Path,
    roots: Sequence[Certificate],
    *,
    execute: bool,
    password: Secret | str | None = None,
    reader: str | None = None,
    allowed: str | None = None,
    journal: Journal | None = None,
    key: str = "",
) -> Change:
    """Put *roots* behind what the file holds; every root that was there stays. Adding what is there changes nothing.

    *reader* (``java-17``) is whose eyes the result is checked with. *allowed* is the folder that links may not lead out of.
    *key* names one of several bundles in a manifest or a source file.
    ``TrustStoreError`` when the file cannot be changed safely: it is then as it was.
    """
    if os.path.isdir(path):
        return _in_folder("add", path, roots, execute, allowed, journal)
    secret = _secret(password)

    def make(content: bytes) -> _Draft:
        draft = _draft(content, Wanted(add=tuple(roots), key=key), secret, reader)
        lost = [c for c in draft.before if c not in draft.after]
        if lost:
            raise TrustStoreError(f"would lose {_names(lost)} in the eyes of {draft.reader}")
        unseen = [c for c in roots if c not in draft.after]
        if unseen:
            raise TrustStoreError(
                f"would hold {_names(unseen)}, and {draft.reader} would still not trust it",
                hint=f"see `reroot trust show --reader {draft.reader}`",
            )
        if set(draft.after) != {*draft.before, *roots}:
            raise TrustStoreError(f"would give {draft.reader} roots that nobody asked for")
        return draft

    return _change(str(path), "add", make, execute=execute, allowed=allowed, journal=journal)


def _in_folder(
    act: str,
    path: str | Path,
    what: Sequence[Certificate] | frozenset[str] | None,
    execute: bool,
    allowed: str | None,
    journal: Journal | None,
) -> Change:
    """The same three changes for a folder of roots."""
    from ..truststores import pem
    from . import _trustfolders as folders

    place = str(path)
    if isinstance(what, frozenset):
        before, after, names = folders.remove(place, what, execute=execute, allowed=allowed, journal=journal)
    elif what is not None:
        before, after, names = folders.add(place, what, execute=execute, allowed=allowed, journal=journal)
    else:
        before, after, names = folders.undo(place, execute=execute, allowed=allowed, journal=journal)
    old, new = before.anchors.certificates, after.anchors.certificates
    made = Change(place, "hashed", "openssl-3.0", old, new, executed=execute and bool(names))
    if system := before.system:
        instead = f"run `{system.command}` to take it over" if names else ""
        made = dataclasses.replace(made, format="anchors", reader=f"`{system.command}`", instead=instead)
    if before.made_by and names:
        by, instead = before.made_by
        patch = pem.create([c for c in new if c not in old]).decode() or f"# {act} them where they come from\n"
        made = dataclasses.replace(made, executed=False, managed=f"`{by}`", instead=f"{instead} and run `{by}`", patch=patch)
    return made


def held(path: str, password: Secret | None = None) -> tuple[Certificate, ...]:
    """The roots of a file or a folder, as its format lays them down: what may be named for removal."""
    from ._trustcases import read

    if os.path.isdir(path):
        from ._trustfolders import look

        return look(path).anchors.certificates
    content = read(path)
    return guarded(content, lambda: truststores.read(content, password)).certificates


def remove_root(
    path: str | Path,
    roots: Collection[Certificate | str],
    *,
    execute: bool,
    retire: bool = False,
    password: Secret | str | None = None,
    reader: str | None = None,
    allowed: str | None = None,
    journal: Journal | None = None,
    key: str = "",
) -> Change:
    """Take *roots* (certificates or fingerprints) out of the file. Acting needs *retire*: the retire gate was passed.

    ``GateClosed`` without it; ``TrustStoreError`` when no root would be left.
    """
    secret = _secret(password)
    gone = frozenset(r if isinstance(r, str) else r.fingerprint for r in roots)
    if execute and not retire:
        raise GateClosed(
            "a root is taken away only once no server uses it and nobody needs to go back",
            where=str(path),
            hint="`reroot status` says whether the retire gate is open; then name it with `--retire`",
        )

    if os.path.isdir(path):
        return _in_folder("remove", path, gone, execute, allowed, journal)

    def make(content: bytes) -> _Draft:
        held = {c.fingerprint for c in truststores.read(content, secret).certificates}
        if held and held <= gone:
            raise TrustStoreError("would be left without a root", hint="add the next root first")
        draft = _draft(content, Wanted(remove=gone, key=key), secret, reader)
        if {c.fingerprint for c in draft.before} - {c.fingerprint for c in draft.after} != gone & {
            c.fingerprint for c in draft.before
        }:
            raise TrustStoreError(f"would not lose just the named roots in the eyes of {draft.reader}")
        if draft.before and not draft.after:
            raise TrustStoreError(f"would be left without a root that {draft.reader} sees", hint="add the next root first")
        return draft

    return _change(str(path), "remove", make, execute=execute, allowed=allowed, journal=journal)


def undo(
    path: str | Path,
    *,
    execute: bool,
    password: Secret | str | None = None,
    reader: str | None = None,
    allowed: str | None = None,
    journal: Journal | None = None,
) -> Change:
    """Bring back, byte for byte, what stood there before the last change that the journal knows of."""
    book = journal or Journal()
    if os.path.isdir(path):
        return _in_folder("undo", path, None, execute, allowed, book)
    secret = _secret(password)
    with place(str(path), allowed) as found:
        last = _last(book.lines(), found)

    def make(content: bytes) -> _Draft:
        from ._trustjournal import digest

        if digest(content) != last.after:
            raise TrustStoreError(
                "was changed since, so the old content cannot simply be put back",
                hint="take the single roots away with `reroot trust remove`",
            )
        old = last.delta.back(content)
        if digest(old) != last.before:
            raise TrustStoreError("cannot be brought back: the journal does not fit")
        name = _format(content)
        return _Draft(old, name, "", _seen(content, name, secret, reader)[1], _seen(old, name, secret, reader)[1])

    return _change(str(path), "undo", make, execute=execute, allowed=allowed, journal=book)


def _last(lines: Sequence[Line], found: Place) -> Intent:
    """The newest change of this file that was not undone."""
    undone: list[str] = []
    for line in reversed(lines):
        if line.intent.path != found.path or line.end == "dropped" or line.intent.step:
            continue
        if line.intent.act == "undo":
            undone.append(line.intent.after)
        elif undone and undone[-1] == line.intent.before:
            undone.pop()
        else:
            return line.intent
    raise TrustStoreError("has no change that could be undone", where=found.path)


# ── one change ───────────────────────────────────────────────────────────────────────────────────


def _change(path: str, act: str, make: Make, *, execute: bool, allowed: str | None, journal: Journal | None) -> Change:
    with place(path, allowed) as found:
        if not execute:
            look = found.look()
            return _foreseen(found, look, _made(make, found, look))
        book = journal or Journal()
        for attempt in range(1, TRIES + 1):
            with locked(found):
                look = found.look()
                draft = _made(make, found, look)
                foreseen = _foreseen(found, look, draft)
                if draft.new == look.content or foreseen.managed:
                    return foreseen
                found.check(look)
                added = tuple(c.fingerprint for c in foreseen.added)
                intent = new_intent(
                    act, found.path, look.content, draft.new, added, tuple(c.fingerprint for c in foreseen.removed)
                )
                book.begin(intent)
                try:
                    replace(found, look, draft.new, intent.temporary)
                except Overtaken:
                    book.end("dropped", intent)
                    if attempt < TRIES:
                        continue
                    raise TrustStoreError(
                        f"was written by somebody else {TRIES} times while it was being changed", where=found.path
                    ) from None
                except TrustStoreError:
                    book.end("dropped" if found.look().digest == intent.before else "done", intent)
                    raise
                book.end("done", intent)
                return _done(foreseen, intent)
    raise AssertionError("unreachable")


def _made(make: Make, found: Place, look: Look) -> _Draft:
    try:
        return guarded(look.content, lambda: make(look.content))
    except TrustStoreError as error:
        if error.where:
            raise
        raise TrustStoreError(error.message, where=found.path, hint=error.hint) from error


def _foreseen(found: Place, look: Look, draft: _Draft) -> Change:
    owner = managed(found, look) if draft.new != look.content else None
    patch = _patch(found.path, look.content, draft) if owner else ""
    by, instead = (owner.by, owner.instead) if owner else ("", "")
    return Change(found.path, draft.format, draft.reader, draft.before, draft.after, False, "", by, instead, patch)


def _done(foreseen: Change, intent: Intent) -> Change:
    return Change(foreseen.path, foreseen.format, foreseen.reader, foreseen.before, foreseen.after, True, intent.id)


def _patch(path: str, old: bytes, draft: _Draft) -> str:
    """A unified diff for text; for a key store the roots to import where it is made."""
    if draft.format in ("pem", "kubernetes", "pasted"):
        import difflib

        lines = [c.decode("utf-8", "backslashreplace").splitlines(keepends=True) for c in (old, draft.new)]
        name = path.lstrip("/")
        return "".join(difflib.unified_diff(lines[0], lines[1], f"a/{name}", f"b/{name}", n=1))
    from ..truststores import pem

    return pem.create([c for c in draft.after if c not in draft.before]).decode()


def _draft(content: bytes, wanted: Wanted, password: Secret | None, reader: str | None) -> _Draft:
    name = _format(content)
    spec = truststores.find(name)
    if spec.write is None:
        raise TrustStoreError(f"is a {spec.title}, which reroot reads and does not change")
    if wanted.key and spec.extract is None:
        raise TrustStoreError(f"is a {spec.title} with one bundle, so there is no key to name")
    new = spec.write(content, wanted, password)
    seen_by, before = _seen(content, name, password, reader, wanted.key)
    return _Draft(new, name, seen_by, before, before if new == content else _seen(new, name, password, reader, wanted.key)[1])


def _format(content: bytes) -> str:
    return truststores.detect(content) if content.strip() else "pem"


def _seen(
    content: bytes, name: str, password: Secret | None, reader: str | None, key: str = ""
) -> tuple[str, tuple[Certificate, ...]]:
    """The reader's name, and the roots it gets. A file that it refuses is not changed; an empty one simply has none."""
    stack, version, kind = READERS.get(name, ("openssl", "3.0", "PEM"))
    if reader is not None:
        stack, version = readers.parse(reader)
        kind = kind if stack == "java" else "PEM"
    shown = f"{stack}-{version}" if version else stack
    extract = truststores.find(name).extract
    if extract is not None:
        content = extract(content, key)
    if not content.strip():
        return shown, ()
    found = readers.effective(stack, version, content, store_type=kind, password=None if password is None else password.reveal())
    if not found.loads:
        why = "; ".join(p.text for p in found.problems) or found.error
        raise TrustStoreError(
            f"is not loaded by {shown}: {why}", hint="repair the file first; reroot does not guess what it should have been"
        )
    return shown, found.certificates


def _names(certificates: Iterable[Certificate]) -> str:
    return ", ".join(f"`{c.title if c.is_readable else c.fingerprint[:16]}`" for c in certificates)


def _secret(password: Secret | str | None) -> Secret | None:
    return Secret(password) if isinstance(password, str) else password


# ── after a crash ────────────────────────────────────────────────────────────────────────────────


def recover(journal: Journal | None = None) -> tuple[str, ...]:
    """Look at every change that was begun and not ended: take its temporary away and write down what the file says.

    Gives the paths that are neither as before nor as after: somebody else has written them since.
    """
    book = journal or Journal()
    strangers: list[str] = []
    for line in book.lines():
        if line.end != "open":
            continue
        intent = line.intent
        try:
            if intent.step is not None:
                from ._trustfolders import recover as recover_step

                how = recover_step(intent)
                if not how:
                    strangers.append(intent.path)
                book.end(how or "dropped", intent)
                continue
            with place(intent.path) as found, locked(found):
                drop(found, intent.temporary)
                now = found.look().digest
        except TrustStoreError:
            strangers.append(intent.path)
            continue
        if now == intent.after:
            book.end("done", intent)
            continue
        if now != intent.before:
            strangers.append(intent.path)
        book.end("dropped", intent)
    return tuple(strangers)


# ── many files ───────────────────────────────────────────────────────────────────────────────────

WORKERS = 16
"""Files changed side by side: a change mostly waits for the disk."""


def many(
    paths: Sequence[str], one: Callable[[str, Journal], Change], *, execute: bool, journal: Journal | None = None
) -> list[tuple[str, Change | None, RerootError | None]]:
    """*one* for every path, in order; an error of one file leaves the others alone. Begun changes are recovered first."""
    book = journal or Journal()
    if execute:
        recover(book)

    def run(path: str) -> tuple[str, Change | None, RerootError | None]:
        try:
            return path, one(path, book), None
        except RerootError as error:
            error.where = error.where or path
            return path, None, error

    unique = list(dict.fromkeys(paths))
    # A large file is read in a child, and a process with threads had better not be divided.
    alone = unique if len(unique) < WORKERS else [path for path in unique if _size(path) >= LARGE]
    done = {path: run(path) for path in alone}
    if len(done) < len(unique):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(WORKERS) as pool:
            done |= {result[0]: result for result in pool.map(run, (path for path in unique if path not in done))}
    return [done[path] for path in unique]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0
