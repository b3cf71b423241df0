"""The last line of an answer: what is pasted from it is what the user would have had to type."""

from __future__ import annotations

import shlex

import click
import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.cli._next import SHARED, again, then
from reroot.cli._rotation import inventory_option, ledger_option, take_over_option

URL = "postgresql://app:hunter2@db/ledger?sslpassword=hunter3&sslmode=verify-full"


@click.command(name="rotate")
@click.argument("plan")
@inventory_option
@ledger_option
@take_over_option
@click.option("--through", default="soak")
@click.option("--restarted", multiple=True)
@click.option("--cache/--no-cache", default=True)
def command(**_):
    click.echo(again("--execute"))
    click.echo(again("--through", "trust", "--execute", without=("through",)))
    click.echo(then("plan"))
    click.echo(then("rollback"))


group = click.Group("reroot", {"rotate": command})


def told(*words):
    done = CliRunner().invoke(group, ["rotate", *words])
    assert done.exception is None
    return [line.strip("`").removeprefix("reroot ") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("p.json",), ("rotate p.json --execute", "rotate p.json --through trust --execute", "plan", "rollback")),
        (
            ("p.json", "-i", "my fleet.toml", "--ledger", "l.sqlite", "--take-over"),
            (
                "rotate p.json -i 'my fleet.toml' --ledger l.sqlite --execute",
                "rotate p.json -i 'my fleet.toml' --ledger l.sqlite --through trust --execute",
                "plan -i 'my fleet.toml' --ledger l.sqlite",
                "rollback -i 'my fleet.toml' --ledger l.sqlite",
            ),
        ),
        (
            ("p.json", "--through", "canary", "--restarted", "a", "--restarted", "b c", "--no-cache"),
            (
                "rotate p.json --through canary --restarted a --restarted 'b c' --no-cache --execute",
                "rotate p.json --restarted a --restarted 'b c' --no-cache --through trust --execute",
                "plan",
                "rollback",
            ),
        ),
    ],
    ids=["nothing given", "inventory and ledger", "flags and lists"],
)
def test_what_was_given_is_given_again(words, expected):
    assert tuple(told(*words)) == expected


def test_no_password_of_a_ledger_is_shown_again():
    said = "\n".join(told("p.json", "--ledger", URL))
    assert "hunter" not in said
    assert "postgresql://app:***@db/ledger?sslpassword=***&sslmode=verify-full" in said


@pytest.mark.parametrize("verb", sorted(SHARED))
def test_each_command_takes_what_is_handed_on_to_it(verb):
    known = {parameter.name for parameter in reroot.get_command(click.Context(reroot), verb).params}
    assert known.issuperset(SHARED[verb])


def test_a_word_that_the_shell_would_read_is_quoted():
    assert shlex.split(told("$(x).json")[0])[1] == "$(x).json"
