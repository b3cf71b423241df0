"""Say which CA new RDS instances of a region are born on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ._aws import logins, profile_option, region_options, regions_of, role_option
from ._next import again
from ._output import Outputs, emit, output_options

if TYPE_CHECKING:
    from ..collect._awsapi import Api
    from ..providers._rdsdefault import Default

WORDS = {
    "so": "as wanted",
    "would": "would change",
    "done": "changed",
    "refused": "refused",
    "unsure": "not known",
    "unread": "not read",
}
CODES = {"unread": 4, "unsure": 4, "refused": 5, "would": 1}
"""The exit code of the worst of them, in this order."""


@dataclass(frozen=True)
class Row:
    """One region of one login: what it was, what it is, and how it stands (a key of ``WORDS``)."""

    region: str
    how: str
    before: Default | None = None
    now: Default | None = None
    why: str = ""
    hint: str = ""


@click.command(name="default-ca")
@click.option("--to", metavar="CA", help="The CA id that new instances are to have.")
@click.option("--remove", is_flag=True, help="Take the account's own choice away: AWS's default holds again.")
@region_options
@profile_option
@role_option
@click.option("--execute", is_flag=True, help="Act. Without it, nothing is changed.")
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    to: str | None,
    remove: bool,
    regions: tuple[str, ...],
    all_regions: bool,
    profiles: tuple[str, ...],
    roles: tuple[str, ...],
    execute: bool,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Show, and with --to and --execute set, the CA of instances that are created without one, in each region.

    It concerns every engine and every new instance, replica and restore, so set it when the clients trust the next root. A restored
    cluster cannot name a CA: for it this default is the only way. The rights are those of `reroot emit iam --role defaults`.

    Exit code 1: a region is on another CA and nothing was changed; 4: a region was not read, or what came of it is not known;
    5: a change was refused.
    """
    from ..collect._awsapi import api
    from ..errors import InputError
    from ..reports import Document

    if to and remove:
        raise InputError("`--to` and `--remove` do not go together")
    if execute and not (to or remove):
        raise InputError("nothing is said to be done", hint="give `--to CA` or `--remove`")
    wanted = None if not (to or remove) else to or ""
    rows = [
        _row(api(login, region), wanted, execute)
        for login in logins(profiles, roles)
        for region in regions_of(regions, all_regions, (login,))
    ]
    data = {"to": to or "", "executed": execute, "regions": [_data(row) for row in rows]}
    emit(Document("aws-default", data, lambda: _text(rows, wanted, execute)), outputs, quiet=quiet)
    ctx.exit(next((code for how, code in CODES.items() if any(row.how == how for row in rows)), 0))


def _row(rds: Api, wanted: str | None, execute: bool) -> Row:
    """A region that cannot be read or changed is named, and the others go on."""
    from ..collect._awsapi import Unsure
    from ..errors import ReachError, RerootError
    from ..providers import _rdsdefault

    try:
        before = _rdsdefault.look(rds)
    except ReachError as error:
        return Row(rds.region, "unread", why=error.message, hint=error.hint)
    if wanted is None or _rdsdefault.is_so(before, wanted):
        return Row(rds.region, "so", before, before)
    refusal = _rdsdefault.against(before, wanted)
    if refusal:
        return Row(rds.region, "refused", before, before, refusal)
    if not execute:
        return Row(rds.region, "would", before, before)
    try:
        return Row(rds.region, "done", before, _rdsdefault.change(rds, wanted))
    except Unsure as lost:
        return Row(rds.region, "unsure", before, None, str(lost), "do it again: asking twice does no harm")
    except RerootError as error:
        return Row(rds.region, "refused", before, before, error.message, error.hint)


def _data(row: Row) -> Mapping[str, object]:
    import msgspec

    return {
        "region": row.region,
        "how": row.how,
        "before": msgspec.to_builtins(row.before),
        "now": msgspec.to_builtins(row.now),
        "why": row.why,
    }


def _text(rows: Sequence[Row], wanted: str | None, execute: bool) -> str:
    from ..reports.text import counted, table

    shown = []
    for row in rows:
        now = row.now or row.before
        by = "?" if now is None else "the account" if now.overridden else "AWS"
        until = f"{now.until:%Y-%m-%d}" if now is not None and now.until else "–"
        shown.append(
            (row.region, now.ca if now else "?", by, until, WORDS[row.how] if wanted is not None or row.how != "so" else "")
        )
    parts = [table(("region", "new instances are born on", "said by", "until", ""), shown)]
    parts += [f"{row.region}: {row.why}" + (f"\n  {row.hint}" if row.hint else "") for row in rows if row.why]
    back = [
        f"back: `reroot default-ca {f'--to {row.before.ca}' if row.before.overridden else '--remove'} --region {row.region} --execute`"
        for row in rows
        if row.how in ("done", "would", "unsure") and row.before is not None
    ]
    kinds = [
        f"{sum(row.how == how for row in rows)} {word}"
        for how, word in WORDS.items()
        if any(row.how == how for row in rows) and not (wanted is None and how == "so")
    ]
    follow = f"next: {again('--execute')}" if any(row.how == "would" for row in rows) else "next: `reroot guide aurora`"
    return "\n".join([*parts, *back, f"{counted(len(rows), 'region')}{': ' + ', '.join(kinds) if kinds else ''}; {follow}"])
