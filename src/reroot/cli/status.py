"""Where the rotation is: phase, gates, blockers, and the last lines of the journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._next import then
from ._output import Outputs, emit, output_options
from ._rotation import inventory_option, ledger_option, ledger_place, obstacle_lines, restarts

if TYPE_CHECKING:
    from ..collect.inventory import Inventory
    from ..ledger import Entry
    from ..model import Evidence
    from ..plan import Obstacle, Phase, Plan

LAST = 10


@click.command(name="status")
@inventory_option
@ledger_option
@output_options
@click.pass_context
def COMMAND(ctx: click.Context, inventory_path: Path, ledger: str | None, outputs: Outputs, quiet: bool) -> None:
    """Look at the fleet and at the ledger, and say how far the rotation is and what holds it.

    The phase is told from what servers serve and trust stores hold, so it is right also when the ledger is lost.

    Exit code 1: the next gate is closed. 4: something could not be read.
    """
    from ..app import look
    from ..app.perform import cut_over_since
    from ..collect.inventory import read
    from ..errors import InputError
    from ..ledger import NoLedger, open_ledger
    from ..plan import Look, is_open, obstacles
    from ..reports import Document
    from ..reports.text import counted

    now = datetime.now(UTC)
    inventory = read(inventory_path)
    entries: tuple[Entry, ...] = ()
    started: dict[str, datetime] = {}
    rehearsed: tuple[Evidence, ...] = ()
    lost = ""
    try:
        with open_ledger(ledger_place(inventory, ledger), create=False) as book:
            entries, started = book.entries(inventory.name), restarts(book, inventory.name)
            rehearsed = book.evidence(inventory.name, "rehearsal")
    except InputError as error:
        if ledger and isinstance(error, NoLedger):
            raise
        lost = error.message
    sight = look(inventory, now, restarts=started, rehearsed=rehearsed)
    phase, gate, wave = where(inventory, sight.plan, now, entries)
    found: tuple[Obstacle, ...] = ()
    if gate is not None:
        found = obstacles(gate, Look(sight.plan, sight.plan, now, wave, cut_over_since(entries)))
    counts = tally(inventory, sight.plan)
    data = {
        "rotation": inventory.name,
        "phase": phase,
        "next_gate": gate.value if gate else None,
        "open": is_open(found),
        "blockers": [{"subject": o.subject, "code": o.reason.code, "text": o.reason.text} for o in found if o.waiver is None],
        **counts,
        "unread": [{"subject": subject, "why": why} for subject, why in sight.unread],
        "ledger": lost or "ok",
        "journal": [
            {"number": e.number, "at": e.at.isoformat(), "event": e.event, "run": e.run, "actor": e.actor, "body": e.body}
            for e in entries[-LAST:]
        ],
    }

    def text() -> str:
        whole = f"{counted(len(entries), 'entry', 'entries')}, the chain of hashes is whole" if entries else "nothing was done yet"
        parts = [
            f"{inventory.name}   {inventory.old_root.title} → {inventory.next_root.title}",
            f"phase {phase}: {counts['stores_ready']} of {counted(counts['stores'], 'trust store')} "
            f"{'holds' if counts['stores'] == 1 else 'hold'} the next root, {counts['servers_next']} of "
            f"{counted(counts['servers'], 'server')} {'serves' if counts['servers'] == 1 else 'serve'} the next chain",
        ]
        if gate is not None:
            held_by = sum(o.waiver is None for o in found)
            state = f"closed by {held_by}" if held_by else "open"
            parts.append("\n".join([f"gate to {gate.value}: {state}", *obstacle_lines(found)]))
        if sight.unread:
            parts.append("not read:\n" + "\n".join(f"  {subject}: {why}" for subject, why in sight.unread))
        parts.append(
            "\n".join(
                [f"journal: {lost or whole}", *map(line, entries[-LAST:])]
            )
        )
        follow = "nothing is left to do" if gate is None else f"next: {then('plan')}, then {then('rotate', 'plan.json')}"
        parts.append(
            f"{counts['servers_next']} of {counted(counts['servers'], 'server')} cut over, {len(found)} before the next gate; {follow}"
        )
        return "\n\n".join(parts)

    emit(Document("status", data, text), outputs, quiet=quiet)
    if sight.unread:
        ctx.exit(4)
    if not is_open(found):
        ctx.exit(1)


def where(inventory: Inventory, plan: Plan, now: datetime, entries: tuple[Entry, ...]) -> tuple[str, Phase | None, int]:
    """The phase that reality shows, the next gate, and the wave it is asked for."""
    from ..plan import Phase, gate_of

    done = {s.name for s in plan.servers if s.is_cut_over}
    for number, wave in enumerate(plan.waves):
        if not done.issuperset(wave):
            ready = all(plan.next in s.roots for s in plan.stores)
            at = (Phase.PROVE if ready else Phase.TRUST) if not done else gate_of(number)
            return at.value, gate_of(number), number
    if any(plan.old in s.roots for s in plan.stores):
        return Phase.SOAK.value, Phase.RETIRE, 0
    return "done", None, 0


def tally(inventory: Inventory, plan: Plan) -> dict[str, int]:
    return {
        "servers": len(plan.servers),
        "servers_next": sum(s.is_cut_over for s in plan.servers),
        "stores": len(plan.stores),
        "stores_ready": sum(plan.next in s.roots for s in plan.stores),
    }


def line(entry: Entry) -> str:
    body = entry.body
    step = body.get("step")
    said = f"{step['act']} {step['subject']}" if isinstance(step, dict) else " ".join(str(v) for v in body.values())
    when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
    return f"  {entry.number:>5}  {when}  run {entry.run}  {entry.event:6}  {said} {body.get('answer', '')}".rstrip()
