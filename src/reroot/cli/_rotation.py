"""What the commands of a rotation share: where the inventory and the ledger are, and how gates and verdicts are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..app import Event, Result
    from ..collect.inventory import Inventory
    from ..ledger import Ledger
    from ..ledger.ledger import Lease
    from ..model import Evidence, Judgement
    from ..plan import Obstacle, Plan

Command = TypeVar("Command", bound=Callable[..., Any])

inventory_option = click.option(
    "-i", "--inventory", "inventory_path", type=click.Path(path_type=Path), default=Path("reroot.toml"), show_default=True,
    help="The fleet as declared.",
)  # fmt: skip
ledger_option = click.option("--ledger", metavar="FILE|URL", help="The ledger, in place of the inventory's.")
take_over_option = click.option("--take-over", is_flag=True, help="Take the lease of an operator who is surely gone.")


def ledger_place(inventory: Inventory, given: str | None) -> str:
    place = given or inventory.ledger
    return place if "://" in place or given else str(inventory.base / place)


@contextmanager
def held(ledger: Ledger, rotation: str, *, take_over: bool) -> Iterator[Lease]:
    """The lease, given back in the end."""
    from datetime import UTC, datetime

    from ..ledger.ledger import holder_name

    lease = ledger.acquire(rotation, holder_name(), datetime.now(UTC), take_over=take_over)
    try:
        yield lease
    finally:
        ledger.release(lease)


def teller(quiet: bool) -> Callable[[Event], None]:
    """Shows each step on standard error while it is done."""
    from ..reports.text import visible

    def tell(event: Event) -> None:
        if quiet:
            return
        if event.obstacles:
            for line in obstacle_lines(event.obstacles):
                click.echo(visible(line), err=True)
        elif event.answer is not None:
            note = f": {event.note}" if event.note else ""
            click.echo(visible(f"  {event.answer.value:7} {event.step}{note}"), err=True)

    return tell


def mark(judgement: Judgement) -> str:
    from ..reports.text import MARKS

    return f"{MARKS[judgement.verdict.value]} {judgement.verdict.value.replace('-', ' ')}"


def obstacle_lines(found: Iterable[Obstacle]) -> list[str]:
    """One obstacle in two lines: whom it is about, and why; a waiver is named, the verdict stays."""
    lines = []
    for one in found:
        sign = mark(one.judgement) if one.judgement else "✕ " + one.reason.code
        waived = ""
        if one.waiver is not None:
            waived = f"   waived by {one.waiver.by} until {one.waiver.until:%Y-%m-%d}: {one.waiver.reason}"
        lines.append(f"  {sign}  {one.subject}{waived}")
        reasons = one.judgement.reasons if one.judgement else (one.reason,)
        lines += [f"      {r.text}" for r in reasons[:3]]
    return lines


def matrix(judgements: Sequence[Judgement], plan: Plan) -> str:
    """Clients × servers, columns in the order of the waves; an empty cell: it does not connect there."""
    from ..reports.text import table

    servers = [name for wave in plan.waves for name in wave]
    cells = {(j.client, j.server): mark(j) for j in judgements}
    rows = [(c.name, c.owner or "–", c.driver, *(cells.get((c.name, s), "") for s in servers)) for c in plan.clients]
    return table(("client", "owner", "driver", *servers), rows)


def finish(ctx: click.Context, result: Result) -> None:
    """The exit code of how a rotation ended."""
    from ..rotation import State

    codes = {State.ROLLED_BACK: 5, State.NEEDS_HUMAN: 6}
    if result.state in codes:
        ctx.exit(codes[result.state])


def rehearsals(inventory: Inventory, given: str | None = None, *, begins: bool = False) -> tuple[Evidence, ...]:
    """The rehearsals that were kept for this rotation; none where the inventory's ledger was not begun yet.

    One that cannot be read is an error: it may hold a refusal that the rules did not foresee. So is one that was *given* and is not there,
    unless the command *begins* it.
    """
    from ..ledger import NoLedger, open_ledger

    try:
        with open_ledger(ledger_place(inventory, given), create=False) as book:
            return book.evidence(inventory.name, "rehearsal")
    except NoLedger:
        if given and not begins:
            raise
        return ()


def restarts(ledger: Ledger, rotation: str) -> dict[str, Any]:
    """When clients were said or seen to have started, latest word first."""
    return {e.subject: e.seen_at for e in ledger.evidence(rotation, "restart")}
