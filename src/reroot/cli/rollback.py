"""Take servers back to the certificates they served before; needs no plan and no ledger, only the servers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._next import again, then
from ._output import Outputs, emit, output_options
from ._rotation import finish, held, inventory_option, ledger_option, ledger_place, mark, take_over_option, teller

if TYPE_CHECKING:
    from ..collect.inventory import Inventory
    from ..model import Judgement


@click.command(name="rollback")
@click.argument("servers", nargs=-1, metavar="[SERVER]...")
@inventory_option
@ledger_option
@take_over_option
@click.option("--execute", is_flag=True, help="Act. Without it, nothing is changed.")
@click.option("--force", is_flag=True, help="Also when clients no longer trust the old root.")
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    servers: tuple[str, ...],
    inventory_path: Path,
    ledger: str | None,
    take_over: bool,
    execute: bool,
    force: bool,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Roll SERVERs back, or all that serve or would load the next chain.

    What is to be taken back is seen from the servers and their files, not from the journal: a lost ledger is no harm.

    Exit code 3: clients would be hurt; 4: a server could not be read, and may have to go back too; 6: a server could not be taken
    back, call a person.
    """
    from ..app import fleet_of, take_back
    from ..app.survey import going_back
    from ..collect.inventory import read
    from ..errors import InputError
    from ..ledger import open_ledger
    from ..plan import PASSES
    from ..reports import Document

    inventory = read(inventory_path)
    for name in servers:
        if name not in {s.name for s in inventory.servers}:
            raise InputError(f"`{name}` is not in the inventory", where=str(inventory_path))
    names, unread = (servers, ()) if servers else changed(inventory)
    judged = going_back(inventory, datetime.now(UTC), names)
    if not execute or not names:
        hurt = [j for j in judged if j.verdict not in PASSES]
        data = {"executed": False, "servers": list(names), "hurt": [f"{j.client} → {j.server}" for j in hurt]}
        data["unread"] = list(unread)
        emit(Document("rollback", data, lambda: dry_text(names, hurt, force)), outputs, quiet=quiet)
        ctx.exit(4 if unread else 1 if hurt else 0)
    with open_ledger(ledger_place(inventory, ledger)) as book, held(book, inventory.name, take_over=take_over) as lease:
        result = take_back(
            inventory.name, names, fleet_of(inventory), book, lease, judged=() if force else judged, tell=teller(quiet)
        )
    from ..reports.text import counted

    state = result.state.value if result.state else ""
    data = {"executed": True, "servers": list(names), "state": state, "failures": list(result.failures), "unread": list(unread)}
    emit(
        Document(
            "rollback",
            data,
            lambda: f"{counted(len(names), 'server')}: {state}; {counted(len(result.failures), 'failure')}; next: {then('status')}",
        ),
        outputs,
        quiet=quiet,
    )
    if state != "rolled back":
        finish(ctx, result)
    if unread:
        ctx.exit(4)


def changed(inventory: Inventory) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Servers that serve the next chain, or are said to, or would after a restart, and have a pair to go back to; then the unread."""
    from ..app.survey import fingerprints, provider_of, served, site_of
    from ..errors import RerootError
    from ..pki.foreseen import leads_to

    seen = served(inventory.servers)
    names, unread = [], []
    for server in inventory.servers:
        try:
            found = provider_of(server).discover(site_of(inventory, server))
        except RerootError as error:
            click.echo(f"  {server.name}: {error.message}", err=True)
            unread.append(server.name)
            continue
        chain = seen[server.name].chain
        if found.issued_by is not None:
            names += [server.name] if found.told_next or (chain and leads_to(chain, found.issued_by)) else []
            continue
        leaves = (fingerprints(chain)[:1], fingerprints(found.configured)[:1])
        if found.previous and fingerprints(found.next)[:1] in leaves and found.previous[0] != found.next[0]:
            names.append(server.name)
    return tuple(names), tuple(unread)


def dry_text(names: tuple[str, ...], hurt: list[Judgement], force: bool) -> str:
    from ..reports.text import counted

    lines = [f"  would go back: {name}" for name in names]
    lines += [f"  {mark(j)}  {j.client} → {j.server}: {j.reasons[0].text if j.reasons else ''}" for j in hurt]
    follow = f"next: {again('--execute') if names else then('status')}"
    if hurt and not force:
        follow = "next: give them the old root back with `reroot trust add`"
    counts = f"{counted(len(names), 'server')} to take back, {counted(len(hurt), 'connection')} hurt by it"
    return "\n".join([*lines, f"{counts}; {follow}"])
