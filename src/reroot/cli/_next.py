"""The command of a last line, ready to be pasted: with the inventory, the ledger and whatever else this one was given."""

from __future__ import annotations

import re
import shlex

import click
from click.core import ParameterSource

SHARED = {
    "plan": ("inventory_path", "ledger"),
    "rotate": ("inventory_path", "ledger"),
    "rollback": ("inventory_path", "ledger"),
    "status": ("inventory_path", "ledger"),
}
"""What each command has in common with its neighbours."""

OURS = frozenset({"outputs", "quiet", "json", "take_over"})
"""Not said again: how this answer was to look; and a lease that was taken over is ours now."""

_PASSWORD = re.compile(r"(?P<before>://[^:/@]*:|[?&](?:ssl)?password=)[^@&/]*")


def then(verb: str, *words: str) -> str:
    """Another command of this rotation."""
    context = click.get_current_context(silent=True)
    given = [w for name in SHARED[verb] for w in _said(context, name)] if context else []
    return f"`{shlex.join(['reroot', verb, *words, *given])}`"


def again(*words: str, without: tuple[str, ...] = ()) -> str:
    """This command as it was given, and *words*."""
    context = click.get_current_context()
    verb = context.command_path.split()[1:]
    given = [w for p in _arguments_first(context.command) if p.name not in OURS.union(without) for w in _said(context, p.name or "")]
    return f"`{shlex.join(['reroot', *verb, *given, *words])}`"


def _arguments_first(command: click.Command) -> list[click.Parameter]:
    return sorted(command.params, key=lambda p: isinstance(p, click.Option))


def _said(context: click.Context, name: str) -> list[str]:
    """How a parameter was given on the command line; nothing where it was not."""
    if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
        return []
    parameter = next(p for p in context.command.params if p.name == name)
    value = context.params[name]
    values = [_shown(str(one)) for one in (value if isinstance(value, tuple | list) else (value,))]
    if isinstance(parameter, click.Argument):
        return values
    word = parameter.opts[0]
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return [word] if value else list(parameter.secondary_opts[:1])
    return [part for one in values for part in (word, one)]


def _shown(text: str) -> str:
    """No password of a ledger's URL: whoever pastes this has to put it in again."""
    return _PASSWORD.sub(r"\g<before>***", text) if "://" in text else text
