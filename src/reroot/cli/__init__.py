"""
The command line: one file per command, each parses, calls the rooms below, prints and exits.

To add a command, add a file here which defines ``COMMAND`` and whose docstring starts with the sentence that
``reroot --help`` shows. Nothing else: no command is imported before it is asked for.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import click

from .. import __version__, registry
from ..errors import InputError, RerootError

ORDER = (
    "explain",
    "scan",
    "trust",
    "probe",
    "observe",
    "ingest",
    "coverage",
    "rehearse",
    "plan",
    "rotate",
    "rollback",
    "status",
    "drivers",
    "guide",
    "default-ca",
    "emit",
    "lab",
    "demo",
    "demo-aurora",
)
"""The order of a rotation, for the help page; what is not named here follows by name."""


ENVIRONMENT = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EACCES: "who runs this may not; name another place, or run it as somebody who may",
    errno.EPERM: "who runs this may not; name another place, or run it as somebody who may",
    errno.EROFS: "the file system is read-only; name another place",
    errno.ENOTDIR: "a file stands where a folder is wanted",
}
"""What is wrong with the machine and not with the program, wherever it shows; anything else that no command foresaw is a fault of ours."""


class Commands(click.Group):
    """Commands found in this folder and imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = registry.names(__path__)
        return sorted((n.replace("_", "-") for n in found), key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        module = name.replace("-", "_")
        if module not in registry.names(__path__):
            return None
        return registry.load(__name__, module, "COMMAND", click.Command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in self.list_commands(ctx)])


def summary(name: str) -> str:
    """The first sentence of a command's file, read without importing it."""
    import ast

    source = (Path(__file__).parent / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "REROOT", "max_content_width": 110},
    epilog="Exit codes: 0 nothing stands in the way, 1 something does, 2 bad input, 3 gate closed, 4 incomplete,"
    " 5 a change failed and was undone, 6 it could not be undone, 130 interrupted and safe to resume.",
)
@click.version_option(__version__, prog_name="reroot")
def reroot() -> None:
    """Take a fleet of PostgreSQL servers from one root certificate to the next without breaking a client."""


def main() -> None:
    """The program: every expected error ends in a clear message and its own exit code."""
    try:
        code = reroot.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except RerootError as error:
        show(error)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    except OSError as error:
        if error.errno not in ENVIRONMENT:
            raise
        place = f"`{error.filename}`" if error.filename is not None else "the result"
        show(InputError(f"cannot use {place}: {error.strerror}", hint=ENVIRONMENT[error.errno]))
        code = InputError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def show(error: RerootError) -> None:
    """An error on standard error: where, what, a blank line, one hint."""
    from ..reports.text import visible

    place = f"{error.where}: " if error.where else ""
    click.echo(visible(f"error: {place}{error.message}"), err=True)
    if error.hint:
        click.echo(visible(f"\nhint: {error.hint}"), err=True)
