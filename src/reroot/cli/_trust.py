"""What ``reroot trust`` shows: a trust store, a check, a change."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .. import readers, truststores
from ..collect._trustcases import read
from ..collect._trustlimits import guarded
from ..collect.trustfiles import READERS, Change
from ..errors import RerootError, TrustStoreError
from ..model import Reason, Secret, Stack
from ..pki import TrustSet
from ..pki.certificate import Certificate
from ..reports import Document
from ..reports.text import table
from ..truststores import Entry, Roots

SERIOUS = frozenset(
    {"no-anchors", "damaged-block", "does-not-load", "byte-order-mark", "alias-case", "first-only", "not-for-servers"}
)
"""Problems that are findings by themselves; the others are remarks."""

Result = tuple[str, Change | None, RerootError | None]


@dataclass(frozen=True)
class Shown:
    """One trust store: what it holds, and what the reader gets from it."""

    path: str
    roots: Roots
    reader: str
    proven: bool
    anchors: readers.Anchors
    problems: tuple[readers.Problem, ...]
    when: datetime

    @property
    def is_fine(self) -> bool:
        return self.anchors.loads and not any(p.code in SERIOUS for p in self.problems)


def shown(path: str, reader: str | None, store_type: str | None, password: Secret | None, when: datetime) -> Shown:
    """One trust store, as its format lays it down and as the reader sees it."""
    if os.path.isdir(path):
        return _shown_folder(path, when)
    content = read(path)
    return guarded(content, lambda: _shown_file(path, content, reader, store_type, password, when))


def _shown_file(
    path: str, content: bytes, reader: str | None, store_type: str | None, password: Secret | None, when: datetime
) -> Shown:
    try:
        roots = truststores.read(content, password) if content.strip() else Roots("pem")
    except TrustStoreError as error:
        if reader is None:
            raise TrustStoreError(error.message, where=path, hint=error.hint) from error
        roots = Roots("unknown", notes=(error.message,))
    stack, version, kind = _reader(reader, roots.format, store_type)
    extract = truststores.find(roots.format).extract if roots.format in truststores.names() else None
    anchors = _effective(content if extract is None else extract(content, ""), stack, version, kind, password)
    problems = (*anchors.problems, *readers.remarks(anchors.certificates, when))
    name = f"{stack}-{version}" if version else stack
    return Shown(path, roots, name, readers.prove(stack, version), anchors, problems, when)


def _shown_folder(path: str, when: datetime) -> Shown:
    from ..collect._trustfolders import look

    held = look(path)
    entries = tuple(Entry("root", c.fingerprint[:16], c) for c in held.anchors.certificates)
    problems = (*held.anchors.problems, *readers.remarks(held.anchors.certificates, when))
    name, reader = ("anchors", held.system.command) if held.system else ("hashed", "openssl-3.0")
    return Shown(path, Roots(name, entries), reader, True, held.anchors, problems, when)


def _reader(reader: str | None, format: str, store_type: str | None) -> tuple[str, str, str | None]:
    if reader is not None:
        stack, version = readers.parse(reader)
        readers.find(stack)
        return stack, version, store_type
    stack, version, kind = READERS.get(format, ("openssl", "3.0", "PEM"))
    return stack, version, store_type or kind


def _effective(content: bytes, stack: str, version: str, kind: str | None, password: Secret | None) -> readers.Anchors:
    given = None if password is None else password.reveal()
    return readers.effective(stack, version, content, store_type=kind, password=given)


def show_document(shown: Shown) -> Document:
    data = {
        "path": shown.path,
        "format": shown.roots.format,
        "reader": shown.reader,
        "proven": shown.proven,
        "loads": shown.anchors.loads,
        "error": shown.anchors.error,
        "anchors": [_values(c) for c in shown.anchors.certificates],
        "problems": [{"code": p.code, "text": p.text} for p in shown.problems],
        "entries": [
            {"kind": e.kind, "name": e.name, "fingerprint": e.certificate.fingerprint if e.certificate else None, "note": e.note}
            for e in shown.roots.entries
        ],
        "notes": list(shown.roots.notes),
    }
    return Document("trust-store", data, lambda: _show_text(shown))


def _show_text(shown: Shown) -> str:
    kinds = Counter(entry.kind for entry in shown.roots.entries)
    holds = ", ".join(_count(n, kind) for kind, n in kinds.items()) or "nothing"
    lines = [f"{shown.path}  {shown.roots.format}, holds {holds}", ""]
    if not shown.anchors.loads:
        lines.append(f"{shown.reader} does not load it: {shown.anchors.error}")
    else:
        lines.append(f"{shown.reader} trusts {_count(len(shown.anchors.certificates), 'root')}:")
        lines += ["", table(("root", "valid to", "key", "SHA-256"), (_row(c) for c in shown.anchors.certificates), indent="  ")]
    remarks = [*(f"{p.code}: {p.text}" for p in shown.problems), *shown.roots.notes]
    if not shown.anchors.loads and shown.roots.format in ("pem", "der", "pkcs7") and shown.reader.startswith("java"):
        remarks.append("as a trust store of its own; `--store-type PEM` is how pgJDBC reads its sslrootcert")
    if not shown.proven:
        remarks.append(f"the rules for {shown.reader} were not run beside the real loader")
    if remarks:
        lines += ["", *(f"  - {remark}" for remark in remarks)]
    then = "`reroot trust check` tries a chain" if shown.anchors.certificates else "no chain verifies against it"
    lines += ["", f"{_count(len(shown.anchors.certificates), 'root')}, {_count(len(shown.problems), 'remark')}; {then}"]
    return "\n".join(lines)


def _row(certificate: Certificate) -> tuple[str, str, str, str]:
    if not certificate.is_readable:
        return ("(cannot be read)", "", "", certificate.fingerprint[:16])
    kind, bits = certificate.key
    return certificate.title, f"{certificate.not_after:%Y-%m-%d}", f"{kind} {bits}", certificate.fingerprint[:16]


def _values(certificate: Certificate) -> dict[str, object]:
    if not certificate.is_readable:
        return {"fingerprint": certificate.fingerprint}
    kind, bits = certificate.key
    return {
        "fingerprint": certificate.fingerprint,
        "title": certificate.title,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "key": f"{kind}-{bits}",
        "self_issued": certificate.is_self_issued,
        "ca": certificate.is_ca,
    }


def _count(number: int, word: str) -> str:
    plural = {"entry": "entries"}.get(word, f"{word}s")
    return f"{number} {word if number == 1 else plural}"


# ── check ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Checked:
    """Whether one chain verifies, and by which route."""

    path: str
    reader: str
    trusted: bool | None
    reasons: tuple[Reason, ...]
    route: tuple[Certificate, ...]
    shortcuts: tuple[readers.Shortcut, ...] = ()


def checked(
    path: str, chain: str, reader: str | None, host: str | None, store_type: str | None, password: Secret | None, when: datetime
) -> Checked:
    """Would the program that reads this file accept this chain, and this name?"""
    from ..collect.cases import chain as read_chain
    from ..pki.judge import check_chain, check_name

    seen = shown(path, reader, store_type, password, when)
    presented = read_chain(chain)
    if not seen.anchors.loads:
        return Checked(
            path, seen.reader, False, (Reason("does-not-load", f"{seen.reader} does not load it: {seen.anchors.error}"),), ()
        )
    stack, version = readers.parse(seen.reader)
    found = check_chain(_stack(stack, version), presented, TrustSet(seen.anchors.certificates), when)
    reasons = found.reasons
    trusted = found.trusted
    if host and trusted:
        names = check_name(NAMES.get(stack, "libpq"), presented[0], host)
        reasons, trusted = (*reasons, *names), not names
    spared = readers.shortcuts(seen.anchors.certificates, (c for c in presented[1:] if c.is_readable and c.is_self_issued), when)
    return Checked(path, seen.reader, trusted, reasons, found.path, spared)


NAMES = {"python": "openssl", "node": "node", "node-extra": "node", "java": "pgjdbc", "go": "go", "rustls": "webpki"}
"""Whose matcher compares the host name, by reader; the others are libpq's way."""


def _stack(reader: str, version: str) -> Stack:
    """Which path-building rules go with a reader: Python's default context is strict from 3.13 on (CPython gh-107361)."""
    family = readers.find(reader).stack
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
    modern = reader == "python" and numbers >= (3, 13)
    if reader != family:
        version = {"openssl": "3.0"}.get(family, version)
    return Stack(family, version, partial_chain=modern, strict=modern)


def check_document(checked: Checked) -> Document:
    data = {
        "path": checked.path,
        "reader": checked.reader,
        "trusted": checked.trusted,
        "reasons": [{"code": r.code, "text": r.text, "source": r.source} for r in checked.reasons],
        "route": [_values(c) for c in checked.route],
        "same_key": _shortcut_values(checked.shortcuts),
    }
    return Document("trust-check", data, lambda: _check_text(checked))


def _check_text(checked: Checked) -> str:
    word = {True: "verifies", False: "does not verify", None: "may or may not verify"}[checked.trusted]
    lines = [f"the chain {word} for {checked.reader} with {checked.path}"]
    if checked.route:
        lines += ["", *(f"  {'  ' * depth}{c.title}" for depth, c in enumerate(reversed(checked.route)))]
    if checked.reasons:
        lines += ["", *(f"  - {reason.text}" for reason in checked.reasons)]
    lines += [f"  ~ {shortcut.text}" for shortcut in checked.shortcuts]
    hint = (
        "`reroot rehearse` asks the client itself"
        if checked.trusted
        else f"`reroot trust show {checked.path}` lists what is trusted"
    )
    return "\n".join([*lines, "", f"1 chain, {_count(len(checked.reasons), 'reason')}; {hint}"])


# ── changes ──────────────────────────────────────────────────────────────────────────────────────


def change_document(results: Sequence[Result], *, execute: bool) -> Document:
    def data() -> dict[str, object]:
        return {"executed": execute, "files": [_change_values(*result) for result in results]}

    return Document("trust-change", data, lambda: _change_text(results, execute=execute))


def _change_values(path: str, change: Change | None, error: RerootError | None) -> dict[str, object]:
    if change is None:
        return {"path": path, "error": error.message if error else "", "hint": error.hint if error else ""}
    return {
        "path": change.path,
        "format": change.format,
        "reader": change.reader,
        "executed": change.executed,
        "unchanged": change.unchanged,
        "added": [_values(c) for c in change.added],
        "removed": [_values(c) for c in change.removed],
        "kept": [c.fingerprint for c in change.kept],
        "same_key": _shortcut_values(_spared(change)),
        "managed": change.managed,
        "instead": change.instead,
        "patch": change.patch,
    }


def _change_text(results: Sequence[Result], *, execute: bool) -> str:
    lines: list[str] = []
    counts: Counter[str] = Counter()
    for path, change, error in results:
        if change is None:
            counts["refused"] += 1
            lines += [f"{path}  refused: {error.message if error else ''}", ""]
            continue
        counts["added"] += len(change.added)
        counts["removed"] += len(change.removed)
        counts["kept"] += len(change.kept)
        counts["patches"] += bool(change.patch)
        counts["unchanged"] += change.unchanged
        if len(results) <= 20 or not change.unchanged:
            lines += [*_one_change(change), ""]
    total = [_count(len(results), "file"), f"{counts['added']} added, {counts['removed']} removed, {counts['kept']} kept"]
    total += [f"{counts[word]} {word}" for word in ("unchanged", "refused", "patches") if counts[word]]
    pending = not execute and counts["added"] + counts["removed"]
    last = "nothing was written: add `--execute` to do it" if pending else "`reroot trust show FILE` shows the result"
    return "\n".join([*lines, f"{', '.join(total)}; {last}"])


def _one_change(change: Change) -> list[str]:
    state = "unchanged" if change.unchanged else "changed" if change.executed else "not written"
    lines = [
        f"{change.path}  {change.format}, {f'as {change.reader} reads it' if change.reader else 'as it was before'}; {state}"
    ]
    lines += [f"  + {_line(c)}" for c in change.added]
    lines += [f"  - {_line(c)}" for c in change.removed]
    if len(change.kept) <= 10:
        lines += [f"  = {_line(c)}" for c in change.kept]
    else:
        lines += [f"  = {len(change.kept)} more roots, as they were"]
    lines += [f"  ~ {shortcut.text}" for shortcut in _spared(change)]
    if change.instead and not change.patch:
        lines += ["", f"then {change.instead}"]
    if change.patch:
        lines += ["", f"written by {change.managed}: {change.instead}", "", change.patch.rstrip("\n")]
    return lines


def _spared(change: Change) -> tuple[readers.Shortcut, ...]:
    """Roots that were added although a root of the same name and key is there: for some clients nothing had to change."""
    return readers.shortcuts(change.kept, change.added, datetime.now(UTC)) if change.added else ()


def _shortcut_values(found: Sequence[readers.Shortcut]) -> list[dict[str, object]]:
    return [{"old": s.old.fingerprint, "new": s.new.fingerprint, "needs_no_change": dict(s.stacks)} for s in found]


def _line(certificate: Certificate) -> str:
    title, until, _, print_ = _row(certificate)
    return f"{title}  {'to ' + until if until else ''}  {print_}"


__all__ = ["Checked", "Shown", "change_document", "check_document", "checked", "show_document", "shown"]
