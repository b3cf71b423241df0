"""Find where PostgreSQL settings and roots are written, and what a rotation will do to each.

reroot scan .
kubectl get deploy,cm -A -o json | reroot scan -
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._output import Outputs, emit, output_options


@click.command("scan", short_help="Find where PostgreSQL settings and roots are written.")
@click.argument("targets", nargs=-1, metavar="TARGET…")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches, written as in a .gitignore.")
@click.option(
    "--gitignore/--no-gitignore", default=True, help="Honour .gitignore; settings files and trust stores are read all the same."
)
@output_options
@click.pass_context
def scan(
    ctx: click.Context, targets: tuple[str, ...], exclude: tuple[str, ...], gitignore: bool, outputs: Outputs, quiet: bool
) -> None:
    """Find where PostgreSQL settings and roots are written: settings files, source code, infrastructure.

    A TARGET is a folder, a file, or - for standard input. Nothing that is scanned is run, and nothing is connected to.
    """
    from ..collect.scan._document import document
    from ..collect.scan._scan import scan as run

    result = run(targets or (".",), excludes=exclude, gitignore=gitignore, stdin=sys.stdin.buffer.read)
    emit(document(result, targets or (".",)), outputs, quiet=quiet)
    if result.incomplete:
        ctx.exit(4)
    if any(f.level == "error" for f in result.findings):
        ctx.exit(1)


COMMAND = scan
_ = Path
