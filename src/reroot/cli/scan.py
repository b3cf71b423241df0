"""Find where PostgreSQL settings and roots are written, and what a rotation will do to each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ._aws import role_option
from ._output import Outputs, emit, output_options, write_whole

if TYPE_CHECKING:
    from ..collect.scan._scan import Scan
    from ..pki.certificate import Certificate

HOLDS = ("breaks", "loses-tls", "unknown", "not-verifying", "plaintext")


def _fail_on(_context: click.Context, _option: click.Parameter, value: str) -> frozenset[str]:
    words = frozenset(word.strip() for word in value.split(",") if word.strip())
    if words - set(HOLDS):
        raise click.BadParameter(f"`{sorted(words - set(HOLDS))[0]}` is none of {', '.join(f'`{w}`' for w in HOLDS)}")
    return words


@click.command("scan")
@click.argument("targets", nargs=-1, metavar="TARGET…")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches, written as in a .gitignore.")
@click.option(
    "--gitignore/--no-gitignore", default=True, help="Honour .gitignore; settings files and trust stores are read all the same."
)
@click.option(
    "--fail-on", default="breaks,loses-tls,unknown", show_default=True, callback=_fail_on, help="What makes the exit code 1."
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@click.option("--allow-incomplete", is_flag=True, help="Do not exit with 4 when something could not be read in full.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Leave out the findings that this file accepts.")
@click.option("--write-baseline", type=click.Path(path_type=Path), help="Write a file that accepts the findings of now.")
@click.option("--fix", is_flag=True, help="Add the roots named by --root to the PEM trust stores found; old roots stay.")
@click.option("--unsafe-fixes", is_flag=True, help="Also propose verify-full, replace frozen addresses, update --ca-identifier.")
@click.option("--diff", is_flag=True, help="Print the fixes as a patch and change nothing.")
@click.option(
    "--root", "roots", multiple=True, type=click.Path(path_type=Path), help="PEM file with the next root, for fixes and verdicts."
)
@click.option("--ca-identifier", metavar="NAME", help="The next certificate authority's identifier, for infrastructure code.")
@click.option("--cache/--no-cache", default=True, help="Remember unchanged files between scans, in your cache folder.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Worker processes; one for each core when not named.")
@click.option("--profile", "profiles", multiple=True, help="AWS profile for `aws`, as often as you like.")
@role_option
@click.option("--region", "regions", multiple=True, help="AWS region for `aws`, as often as you like.")
@click.option("--all-regions", is_flag=True, help="Every AWS region that is switched on.")
@output_options
@click.pass_context
def scan(
    context: click.Context,
    targets: tuple[str, ...],
    exclude: tuple[str, ...],
    gitignore: bool,
    fail_on: frozenset[str],
    exit_zero: bool,
    allow_incomplete: bool,
    baseline: Path | None,
    write_baseline: Path | None,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    roots: tuple[Path, ...],
    ca_identifier: str | None,
    cache: bool,
    jobs: int | None,
    profiles: tuple[str, ...],
    roles: tuple[str, ...],
    regions: tuple[str, ...],
    all_regions: bool,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Find where PostgreSQL settings and roots are written: settings files, source code, infrastructure, images, archives.

    A TARGET is a folder, a file, an image (docker save, OCI layout), - for standard input, or aws (read only). Nothing that is
    scanned is run, and but for aws nothing is connected to.

    \b
    reroot scan .
    kubectl get deploy,cm -A -o json | reroot scan -
    """
    from ..collect.scan import _baseline
    from ..collect.scan._document import document
    from ..collect.scan._judge import holds
    from ..collect.scan._scan import scan as run

    _check_fixes(targets, fix, unsafe_fixes, diff, roots, ca_identifier)
    result = run(
        targets or (".",),
        excludes=exclude,
        gitignore=gitignore,
        processes=jobs,
        stdin=sys.stdin.buffer.read,
        use_cache=cache,
        next_roots=read_roots(roots),
        accepted=_baseline.read(baseline) if baseline else frozenset(),
        profiles=profiles,
        roles=roles,
        regions=("all",) if all_regions else regions,
        progress=_progress if sys.stderr.isatty() and not quiet else lambda _: None,
    )
    if sys.stderr.isatty() and not quiet:
        _progress("")
    if write_baseline:
        write_whole(write_baseline, _baseline.text(result.findings))
    if fix or unsafe_fixes or diff:
        _mend(result, targets or (".",), roots, ca_identifier, unsafe=unsafe_fixes or (diff and not fix), only_print=diff)
        if diff:
            context.exit(4 if result.incomplete and not allow_incomplete else 0)
    emit(document(result, targets or (".",)), outputs, quiet=quiet)
    if exit_zero:
        return
    if result.incomplete and not allow_incomplete:
        context.exit(4)
    if any(holds(f) in fail_on for f in result.findings if f.level != "note"):
        context.exit(1)


def _check_fixes(
    targets: tuple[str, ...], fix: bool, unsafe: bool, diff: bool, roots: tuple[Path, ...], identifier: str | None
) -> None:
    """Say before a scan what would come to nothing after it."""
    if (fix or unsafe) and any(t == "-" or (t.startswith("aws") and not Path(t).exists()) for t in targets):
        raise InputError("standard input and AWS cannot be changed", hint="name the files instead")
    if fix and not (roots or unsafe):
        raise InputError("`--fix` adds roots, and none is named", hint="name one with `--root FILE`, or use `--unsafe-fixes`")
    if identifier and not (unsafe or diff):
        raise InputError("`--ca-identifier` changes what the next apply does", hint="use it with `--unsafe-fixes` or `--diff`")
    if (fix or unsafe or diff) and len(targets) > 1:
        raise InputError("fixes take one target at a time")


def _progress(what: str) -> None:
    """One line on the terminal that the next one overwrites; empty to take it away."""
    from ..reports.text import visible

    click.echo(f"\r\x1b[K{visible(what)}{' …' if what else ''}", err=True, nl=False)


def read_roots(files: tuple[Path, ...]) -> tuple[Certificate, ...]:
    """The certificates of the files that ``--root`` names."""
    if not files:
        return ()
    from .. import truststores

    found: list[Certificate] = []
    for file in files:
        try:
            found += truststores.read(file.read_bytes()).certificates
        except OSError as error:
            raise InputError(f"cannot read the root: {error.strerror}", where=str(file)) from error
    return tuple(found)


def _mend(
    result: Scan, targets: tuple[str, ...], roots: tuple[Path, ...], identifier: str | None, *, unsafe: bool, only_print: bool
) -> None:
    from ..collect.scan._fixes import patches, write

    root = Path(targets[0])
    made, refused = patches(root, result.findings, unsafe=unsafe, roots=read_roots(roots), identifier=identifier)
    for patch in made:
        if only_print:
            click.echo(patch.diff.encode("utf-8", "surrogateescape"), nl=False)
        else:
            write(root, patch)
            click.echo(f"changed {patch.path}: {', '.join(dict.fromkeys(patch.rules))}", err=True)
    for reason in refused:
        click.echo(f"left alone: {reason}", err=True)
    if not made:
        click.echo("nothing to change", err=True)


COMMAND = scan
