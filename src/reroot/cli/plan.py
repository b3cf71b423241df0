"""Judge every client with every server, and write down the order of a rotation."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._next import then
from ._output import Outputs, emit, output_options, write_whole
from ._rotation import inventory_option, ledger_option, matrix, obstacle_lines, rehearsals

if TYPE_CHECKING:
    from ..app.survey import Sight
    from ..plan import Obstacle, Phase

Gates = list[tuple["Phase", int, tuple["Obstacle", ...]]]


@click.command(name="plan")
@inventory_option
@ledger_option
@click.option(
    "--save", type=click.Path(path_type=Path), default=Path("plan.json"), show_default=True, help="Where the plan goes."
)
@output_options
@click.pass_context
def COMMAND(ctx: click.Context, inventory_path: Path, ledger: str | None, save: Path, outputs: Outputs, quiet: bool) -> None:
    """Look at every server, trust store and client of the inventory, and say what the rotation does to each.

    Nothing is changed. The plan is saved with its SHA-256; `reroot rotate` refuses it when the fleet has changed since. Rehearsals that
    were kept in the ledger count.

    Exit code 1: something stands before a cut-over. 4: something could not be read, so nobody may take the answer for the whole.
    """
    from .. import plan as rules
    from ..app import look
    from ..collect.inventory import read
    from ..reports import Document
    from ..reports.json import render

    now = datetime.now(UTC)
    inventory = read(inventory_path)
    sight = look(inventory, now, rehearsed=rehearsals(inventory, ledger))
    gates = gates_of(sight, now)
    blocking = {(o.subject, o.reason.code) for phase, _, found in gates for o in found if o.waiver is None and counts(phase, o)}
    document = Document(
        "plan",
        {
            **rules.to_data(sight.plan),
            "complete": not sight.unread,
            "gates": [
                {
                    "before": phase.value,
                    "wave": wave,
                    "open": rules.is_open(found),
                    "obstacles": [described(o) for o in found],
                }
                for phase, wave, found in gates
            ],
            "unread": [{"subject": subject, "why": why} for subject, why in sight.unread],
            "after_trust": [{"client": j.client, "server": j.server, "verdict": j.verdict.value} for j in sight.after_trust],
        },
        lambda: text(sight, gates, len(blocking), save),
    )
    write_whole(save, render(document))
    emit(document, outputs, quiet=quiet)
    if sight.unread:
        ctx.exit(4)
    if blocking:
        ctx.exit(1)


def gates_of(sight: Sight, now: datetime) -> Gates:
    """Every gate as it stands now, the waves' one by one."""
    from ..plan import Look, Phase, gate_of, obstacles

    plan = sight.plan
    asked = [(Phase.TRUST, 0), *((gate_of(i), i) for i in range(len(plan.waves))), (Phase.RETIRE, 0)]
    return [(phase, wave, obstacles(phase, Look(plan, plan, now, wave))) for phase, wave in asked]


def described(obstacle: Obstacle) -> dict[str, object]:
    waiver = obstacle.waiver
    return {
        "subject": obstacle.subject,
        "code": obstacle.reason.code,
        "text": obstacle.reason.text,
        "verdict": obstacle.judgement.verdict.value if obstacle.judgement else None,
        "waiver": None if waiver is None else {"by": waiver.by, "reason": waiver.reason, "until": waiver.until.isoformat()},
    }


def counts(phase: Phase, obstacle: Obstacle) -> bool:
    """Whether an obstacle stands in the way today; what only the rotation's own progress will clear does not."""
    from ..plan import Phase

    return phase is not Phase.RETIRE and obstacle.reason.code not in ("not-cut-over", "soaking")


def text(sight: Sight, gates: Gates, blocking: int, save: Path) -> str:
    from ..plan import PASSES, PURPOSE, Phase

    plan = sight.plan
    parts = [f"{plan.rotation}: what the rotation does to each client today", matrix(plan.judgements, plan)]
    for phase, wave, found in gates:
        name = (
            f"{phase.value} (wave {wave}: {', '.join(plan.waves[wave])})" if phase.value in ("canary", "waves") else phase.value
        )
        standing = [o for o in found if counts(phase, o)]
        held = sum(o.waiver is None for o in standing)
        state = f"closed by {held}" if held else "open" if phase is not Phase.RETIRE else "asked after the soak"
        parts.append("\n".join([f"gate to {name}: {state}", f"  {PURPOSE[phase]}", *obstacle_lines(standing)]))
    if sight.unread:
        parts.append("not read:\n" + "\n".join(f"  {subject}: {why}" for subject, why in sight.unread))
    if sight.notes:
        parts.append("notes:\n" + "\n".join(f"  {note}" for note in sight.notes))
    before = {(j.client, j.server) for j in plan.judgements if j.verdict not in PASSES}
    fixed = before - {(j.client, j.server) for j in sight.after_trust if j.verdict not in PASSES}
    if fixed:
        parts.append(f"{len(fixed)} of {len(before)} will pass once phase trust has added the next root to their trust stores")
    total = Counter(j.verdict.value.replace("-", " ") for j in plan.judgements)
    said = ", ".join(f"{n} {v}" for v, n in total.items()) or "no client is known"
    follow = f"next: {then('rotate', str(save), *(('--through', 'trust') if blocking else ()))}"
    if sight.unread:
        follow = "incomplete: read what is missing, then plan again"
    parts.append(f"{said}; {blocking} standing in the way; plan in `{save}`; {follow}")
    return "\n\n".join(parts)
