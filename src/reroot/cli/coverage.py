"""Join who was seen to who is declared: strangers, clients that were never seen, and the window in which it was looked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._next import then
from ._output import Outputs, emit, output_options
from ._rotation import inventory_option, ledger_option, ledger_place

if TYPE_CHECKING:
    from ..collect.identity import Coverage, Seen


@click.command(name="coverage")
@inventory_option
@ledger_option
@output_options
@click.pass_context
def COMMAND(ctx: click.Context, inventory_path: Path, ledger: str | None, outputs: Outputs, quiet: bool) -> None:
    """Show who was seen and is not declared, and who is declared and was not seen.

    What was seen comes from the ledger: `reroot ingest --keep`, `reroot observe --keep` or `--serve`. A client that was not seen
    within the window is not fine, it is not known. Exit code 1: somebody is not declared, or not seen.
    """
    from ..collect.identity import clients_of, cover, seen_in, windows_in
    from ..collect.inventory import read
    from ..collect.machine import machine
    from ..ledger import open_ledger
    from ..reports import Document

    inventory = read(inventory_path)
    with open_ledger(ledger_place(inventory, ledger), create=False) as book:
        evidence = tuple(book.sighted(inventory.name))
        windows = windows_in(evidence, book.evidence(inventory.name, "window"))
    found = cover(seen_in(evidence), clients_of(inventory, machine()), windows)
    emit(Document("coverage", data(found), lambda: text(found)), outputs, quiet=quiet)
    if not found.is_complete:
        ctx.exit(1)


def _row(seen: Seen) -> dict[str, object]:
    return {
        "server": seen.server,
        "user": seen.user,
        "database": seen.database,
        "application": seen.application,
        "address": seen.address,
        "encryptions": list(seen.encryptions),
        "sessions": seen.sessions,
        "first_seen": seen.first_seen,
        "last_seen": seen.last_seen,
        "pooler": seen.pooler,
    }


def data(found: Coverage) -> dict[str, object]:
    return {
        "complete": found.is_complete,
        "windows": {s: {"first": w.first, "last": w.last, "sources": list(w.sources), "away": [list(gap) for gap in w.away]} for s, w in found.windows.items()},
        "clients": [
            {"client": name, "owner": found.owners.get(name, ""), "seen": [_row(s) for s in seen]}
            for name, seen in found.known.items()
        ],
        "undeclared": [_row(s) for s in found.undeclared],
        "local": [_row(s) for s in found.local],
        "unseen": [
            {"client": c, "server": s, "owner": found.owners.get(c, ""), "verdict": "unknown", "why": found.why_unseen(s)}
            for c, s in found.unseen
        ],
        "shared": [{**_row(s), "clients": list(names)} for s, names in found.shared.items()],
    }


NEXT: tuple[tuple[str, Callable[[Coverage], bool]], ...] = (
    ("declare the strangers", lambda found: bool(found.undeclared)),
    ("look longer for the unseen", lambda found: bool(found.unseen)),
    ("tell apart who fits several", lambda found: bool(found.shared)),
)


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def text(found: Coverage) -> str:
    """Strangers first, then the unseen, then what is ambiguous, the windows, the counts."""
    from ..reports.text import counted, table

    parts = []
    if found.undeclared:
        head = ("server", "user", "database", "application", "address", "how", "sessions", "last seen (UTC)", "pooler")
        rows = [
            (
                *(t or "–" for t in (s.server, s.user, s.database, s.application, s.address)),
                ", ".join(s.encryptions),
                str(s.sessions),
                _minute(s.last_seen),
                s.pooler or "–",
            )
            for s in found.undeclared
        ]
        parts.append("seen, and nobody's client\n" + table(head, rows, indent="  "))
    if found.unseen:
        rows2 = [(c, found.owners.get(c) or "–", "? unknown", found.why_unseen(s)) for c, s in found.unseen]
        parts.append("declared, and not seen\n" + table(("client", "owner", "verdict", "why"), rows2, indent="  "))
    if found.shared:
        rows3 = [(s.user, s.application or "–", s.address or "–", ", ".join(names)) for s, names in found.shared.items()]
        parts.append("fits several clients\n" + table(("user", "application", "address", "clients"), rows3, indent="  "))
        parts.append("hint: tell them apart with `seen_as` in the inventory")
    if found.local:
        users = ", ".join(sorted({s.user for s in found.local}))
        parts.append(f"{counted(len(found.local), 'identity', 'identities')} over a unix socket, where there is no TLS to rotate: {users}")
    parts += [
        f"{s} was looked at by {', '.join(w.sources)} from {w.said}" for s, w in sorted(found.windows.items())
    ]
    known = sum(1 for seen in found.known.values() if seen)
    left = [said for said, is_left in NEXT if is_left(found)]
    follow = f"next: {then('plan')}" if found.is_complete else f"next: {', '.join(left)}"
    of = f"{known} of {counted(len(found.known), 'client')} seen"
    counts = f"{of}, {counted(len(found.undeclared), 'stranger')}, {len(found.unseen)} not seen"
    return "\n\n".join([*parts, f"{counts}; {follow}"])
