"""List the drivers whose rules are known, for which versions, and against which they were run."""

from __future__ import annotations

import click

from ._output import Outputs, emit, output_options


@click.command(name="drivers")
@click.argument("name", required=False)
@output_options
def drivers(name: str | None, outputs: Outputs, quiet: bool) -> None:
    """List what is known of each driver, and how well.

    A version outside the rules is never guessed: its clients are `unknown`. NAME shows one driver.
    """
    from .. import drivers as known
    from ..errors import InputError
    from ..reports import Document
    from ..reports.text import table

    names = known.names() if name is None else (name,)
    found = [known.find(each) for each in names]
    if None in found:
        raise InputError(f"there are no rules for the driver `{name}`", hint=f"there are {', '.join(known.names())}")
    rules = [rule for rule in found if rule is not None]
    values: dict[str, object] = {
        "drivers": [
            {
                "name": r.name,
                "title": r.title,
                "versions": r.versions,
                "proven": list(r.proven),
                "measured": list(r.measured),
                "source": r.source,
            }
            for r in rules
        ]
    }

    def text() -> str:
        rows = [(r.name, r.title, r.versions, r.known_by) for r in rules]
        shown = table(("driver", "what it is", "rules hold for", "run against"), rows)
        if name is not None:
            shown += f"\nsource: {rules[0].source}"
        return f"{shown}\n\n{len(rules)} drivers; next: `reroot explain DSN --driver NAME`"

    emit(Document("drivers", values, text), outputs, quiet=quiet)


COMMAND = drivers
