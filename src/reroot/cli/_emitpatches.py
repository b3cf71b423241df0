"""``reroot emit patches``: one branch-ready patch for each repository, with its explanation."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import InputError


@click.command("patches")
@click.argument("targets", nargs=-1, metavar="FOLDER…")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where the patches go.")
@click.option(
    "--root", "roots", multiple=True, type=click.Path(path_type=Path), help="PEM file with a root to add to the trust stores found."
)
@click.option("--unsafe-fixes", is_flag=True, help="Also propose verify-full and replace frozen addresses.")
@click.option("--ca-identifier", metavar="NAME", help="With --unsafe-fixes: the authority that infrastructure code is to name.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches, written as in a .gitignore.")
@click.option("--gitignore/--no-gitignore", default=True, help="Honour .gitignore.")
def patches(
    targets: tuple[str, ...],
    out: Path,
    roots: tuple[Path, ...],
    unsafe_fixes: bool,
    ca_identifier: str | None,
    exclude: tuple[str, ...],
    gitignore: bool,
) -> None:
    """Write one patch for each repository in or below FOLDER, for `git am` or `git apply`. Nothing else is changed.

    Adding a root is safe: the old ones stay. Everything else is asked for by name. Each patch says in its head what is changed,
    why, how to check it and how to undo it.

    \b
    reroot emit patches ~/src --root next.pem --out patches
    """
    from ..collect.scan import _patches
    from ..collect.scan._scan import scan
    from .scan import read_roots

    if not (roots or unsafe_fixes):
        raise InputError("no change is asked for", hint="name a root to add with `--root FILE`, or use `--unsafe-fixes`")
    if ca_identifier and not unsafe_fixes:
        raise InputError("`--ca-identifier` changes what the next apply does", hint="use it with `--unsafe-fixes`")
    added = read_roots(roots)
    taken: set[str] = set()
    incomplete = 0
    for target in targets or (".",):
        if not Path(target).is_dir():
            raise InputError(f"`{target}` is no folder", hint="patches are made for folders and the repositories in them")
        found = scan([target], excludes=exclude, gitignore=gitignore, next_roots=added)
        incomplete += len(found.incomplete)
        written, refused = _patches.emit(
            Path(target), found.findings, out, unsafe=unsafe_fixes, roots=added, identifier=ca_identifier, taken=taken
        )
        for file in written:
            click.echo(file)
        for reason in refused:
            click.echo(f"left alone: {reason}", err=True)
    if not taken:
        click.echo("nothing to change", err=True)
    if incomplete:
        click.echo(f"{incomplete} places were not read in full: `reroot scan` names them", err=True)
        raise click.exceptions.Exit(4)
