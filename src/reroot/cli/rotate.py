"""Perform a plan step by step: trust, canary, waves, soak, retire; dry run unless told to act."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._next import again, then
from ._output import Outputs, emit, output_options
from ._rotation import (
    finish,
    held,
    inventory_option,
    ledger_option,
    ledger_place,
    obstacle_lines,
    rehearsals,
    restarts,
    take_over_option,
    teller,
)

if TYPE_CHECKING:
    from ..app import Result
    from ..collect.inventory import Inventory
    from ..plan import Phase, Plan
    from ..reports import Document

PHASES = ("trust", "prove", "canary", "waves", "soak", "retire")


@click.command(name="rotate")
@click.argument("plan_path", metavar="PLAN", type=click.Path(path_type=Path))
@inventory_option
@ledger_option
@take_over_option
@click.option("--execute", is_flag=True, help="Act. Without it, nothing is changed and the steps are shown.")
@click.option(
    "--through", type=click.Choice(PHASES), default="soak", show_default=True,
    help="The last phase to do. The old root is only taken away with `retire`.",
)  # fmt: skip
@click.option("--trial", metavar="SERVER", help="Cut this one server over, watch, and take it back. No gate is asked.")
@click.option(
    "--restarted", multiple=True, metavar="CLIENT", help="You have restarted this client since its trust store changed."
)
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    plan_path: Path,
    inventory_path: Path,
    ledger: str | None,
    take_over: bool,
    execute: bool,
    through: str,
    trial: str | None,
    restarted: tuple[str, ...],
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Go on with PLAN, from wherever it is, until a gate is closed or a phase is done.

    Each step is written in the ledger before it is done and after; killed at any point, the same command goes on. A cut-over
    that a probe does not confirm rolls its whole wave back.

    Exit code 3: a gate is closed; 5: a wave failed and was rolled back; 6: a rollback failed, call a person.
    """
    from .. import plan as rules
    from ..collect.inventory import read
    from ..errors import InputError
    from ..rotation import State

    inventory = read(inventory_path)
    try:
        plan = rules.load(plan_path.read_bytes(), where=str(plan_path))
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", where=str(plan_path), hint="make one with `reroot plan`") from None
    known = {c.name for c in inventory.clients} | {s.name for s in inventory.servers}
    for name in (*restarted, *filter(None, [trial])):
        if name not in known:
            raise InputError(f"`{name}` is not in the inventory", where=str(inventory_path))
    phase = rules.Phase(through)
    if not execute:
        document, blocked = dry_run(inventory, plan, phase, trial, ledger)
        emit(document, outputs, quiet=quiet)
        if blocked:
            ctx.exit(1)
        return
    result = act(inventory, plan, phase, ledger_place(inventory, ledger), take_over, trial, restarted, quiet)
    emit(outcome(plan, result, plan_path), outputs, quiet=quiet)
    if trial is None or result.state is not State.ROLLED_BACK:
        finish(ctx, result)


def act(
    inventory: Inventory,
    plan: Plan,
    through: Phase,
    place: str,
    take_over: bool,
    trial: str | None,
    restarted: tuple[str, ...],
    quiet: bool,
) -> Result:
    from ..app import fleet_of, perform, try_out
    from ..app.watch import heeding, watch_of, watching
    from ..collect.trustfiles import recover
    from ..ledger import open_ledger
    from ..ledger.ledger import holder_name
    from ..model import Evidence, Strength

    with (
        watching(inventory) as watch,
        open_ledger(place) as ledger,
        held(ledger, plan.rotation, take_over=take_over) as lease,
    ):
        recover()
        now = datetime.now(UTC)
        ledger.keep(plan.rotation, tuple(Evidence("restart", c, holder_name(), now, Strength.DECLARED) for c in restarted))
        kept = ledger.evidence(plan.rotation, "rehearsal")
        fleet = fleet_of(
            inventory, watch=watch_of(watch, inventory), restarts=restarts(ledger, plan.rotation), rehearsed=kept
        )
        fleet = heeding(fleet, watch)
        if trial is not None:
            return try_out(plan.rotation, trial, fleet, ledger, lease, tell=teller(quiet))
        return perform(plan, fleet, ledger, lease, through=through, tell=teller(quiet))


def dry_run(
    inventory: Inventory, plan: Plan, through: Phase, trial: str | None, ledger: str | None = None
) -> tuple[Document, bool]:
    """What would be done, with the gates as they stand; and whether one of them would stop it."""
    from .. import rotation
    from ..app.survey import look, provider_of, site_of
    from ..plan import ORDER, Look, changes, is_open, obstacles
    from ..reports import Document

    now = datetime.now(UTC)
    fresh = look(inventory, now, rehearsed=rehearsals(inventory, ledger, begins=True)).plan
    already = frozenset(s.name for s in fresh.servers if s.is_cut_over)
    steps = rotation.trial(trial) if trial else rotation.rotate(plan, already=already)
    shown: list[tuple[str, bool, list[str]]] = []
    blocked = bool(changes(plan, fresh))
    try:
        step = next(steps)
        while trial or ORDER.index(step.phase) <= ORDER.index(through):
            lines: list[str] = []
            closed = False
            if step.act is rotation.Act.GATE:
                found = obstacles(step.phase, Look(plan, fresh, now, max(step.wave, 0)))
                standing = [o for o in found if o.reason.code not in ("not-cut-over", "soaking")]
                closed = not is_open(standing)
                lines = obstacle_lines(standing)
            elif step.act is rotation.Act.CUT_OVER:
                server = next(s for s in inventory.servers if s.name == step.subject)
                lines = [f"      {note}" for note in provider_of(server).describe(site_of(inventory, server))]
            blocked = blocked or closed
            shown.append((f"{step}{' (closed today)' if closed else ''}", closed, lines))
            step = steps.send(rotation.Answer.OK)
    except StopIteration:
        pass
    data = {
        "executed": False,
        "rotation": plan.rotation,
        "through": through.value,
        "steps": [{"step": said, "closed": closed} for said, closed, _ in shown],
    }

    def text() -> str:
        from ..reports.text import counted

        body = "\n".join(line for said, _, lines in shown for line in (f"  {said}", *lines))
        held_by = sum(closed for _, closed, _ in shown)
        to_trust = ("--through", "trust") if blocked and not trial else ()
        follow = f"next: {again(*to_trust, '--execute', without=('through',) if to_trust else ())}"
        counts = f"{counted(len(shown), 'step')}, {counted(held_by, 'gate')} closed today"
        return f"{plan.rotation}: dry run, nothing is changed\n\n{body}\n\n{counts}; {follow}"

    return Document("rotation", data, text), blocked


def outcome(plan: Plan, result: Result, path: Path) -> Document:
    from ..reports import Document

    state = result.state.value if result.state else "rests"
    before = result.rests_before.value if result.rests_before else None
    data = {
        "executed": True,
        "rotation": plan.rotation,
        "state": state,
        "rests_before": before,
        "failures": list(result.failures),
    }

    def text() -> str:
        from ..reports.text import counted

        failures = "".join(f"  {line}\n" for line in result.failures)
        follow = {
            "done": f"the old root is retired; next: {then('status')}",
            "rests": f"it rests before phase {before}; next: {then('rotate', str(path), '--through', str(before), '--execute')}",
            "rolled back": f"the wave serves what it served before; next: {then('plan')}",
            "needs a human": f"some servers could not be taken back; next: {then('status')}, then {then('rollback')}",
        }[state]
        return f"{failures}{plan.rotation}: {state}; {counted(len(result.failures), 'failure')}; {follow}"

    return Document("rotation", data, text)
