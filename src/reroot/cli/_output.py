"""The options every command takes for its output, and the one way results leave the program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import reports
from ..errors import InputError
from ..reports import Document

Command = TypeVar("Command", bound=Callable[..., Any])
Outputs = tuple[tuple[str, str | None], ...]
"""Pairs of format and file; None is standard output."""


def output_options(command: Command) -> Command:
    """Adds ``-o FORMAT[=FILE]`` (repeatable), ``--json`` and ``-q``; the command gets ``outputs`` and ``quiet``."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors on the terminal."),
        click.option("--json", is_flag=True, expose_value=False, callback=_json_flag, is_eager=True, help="Same as -o json."),
        click.option(
            "-o",
            "--output",
            "outputs",
            multiple=True,
            metavar="FORMAT[=FILE]",
            callback=_parse,
            help="Where the result goes, as often as you like: text, json, json=FILE …",
        ),
    ):
        command = option(command)
    return command


def _json_flag(context: click.Context, _option: click.Parameter, value: bool) -> None:
    context.meta["reroot.json"] = value


def _parse(context: click.Context, _option: click.Parameter, values: Sequence[str]) -> Outputs:
    outputs: list[tuple[str, str | None]] = []
    for value in values:
        name, equals, file = value.partition("=")
        if name not in reports.names():
            raise click.BadParameter(f"`{name}` is not a format; there are {', '.join(f'`{n}`' for n in reports.names())}")
        if equals and not file:
            raise click.BadParameter(f"`{value}` names no file")
        outputs.append((name, file or None))
    if context.meta.get("reroot.json"):
        outputs.append(("json", None))
    return tuple(outputs) or (("text", None),)


def emit(document: Document, outputs: Outputs, *, quiet: bool = False) -> None:
    """Write *document* in every format asked for. Files appear whole or not at all."""
    for name, file in outputs:
        report = reports.find(name)
        if report.documents is not None and document.name not in report.documents:
            raise InputError(f"`{name}` cannot show `{document.name}`", hint="use `-o text` or `-o json`")
        if file is not None:
            write_whole(Path(file), report.render(document))
        elif not (quiet and name == "text"):
            _to_terminal(name, report.render(document))


def write_whole(path: Path, result: str | bytes) -> None:
    """Write a result file by way of a temporary one beside it; a device or a pipe is written to as it is, and stays what it is."""
    content = result.encode() if isinstance(result, str) else result
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(content)
        except OSError as error:
            raise InputError(f"cannot write `{path}`: {error.strerror}") from error
        return
    temporary = path.with_name(f".{path.name}.reroot")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write `{path}`: {error.strerror}") from error


def _to_terminal(name: str, rendered: str) -> None:
    if sys.stdout is None:  # closed by whoever started us: there is nobody to tell
        return
    if name == "text" and sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        styled = Text(rendered)
        for pattern, style in STYLES:
            styled.highlight_regex(pattern, style)
        Console(highlight=False, soft_wrap=True).print(styled, end="")
        return
    click.echo(rendered.encode(sys.stdout.encoding or "utf-8", "backslashreplace"), nl=False)


STYLES = (
    (r"✕[^\n]{0,2}breaks|✕", "bold red"),
    (r"▼[^\n]{0,2}loses TLS|▼", "bold yellow"),
    (r"●", "green"),
    (r"(?m)^hint:", "bold cyan"),
)
