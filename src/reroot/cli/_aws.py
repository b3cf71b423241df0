"""Which accounts and regions of AWS a command looks at: the options, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..collect._awsapi import Login

Command = TypeVar("Command", bound=Callable[..., Any])

profile_option = click.option(
    "--profile", "profiles", multiple=True, metavar="NAME", help="An AWS profile; as often as you like."
)
role_option = click.option(
    "--role", "--role-arn", "roles", multiple=True, metavar="ARN", help="A role to assume; as often as you have accounts."
)


def region_options(command: Command) -> Command:
    for option in (
        click.option(
            "--all-regions",
            is_flag=True,
            help="Every region of your partition; those that the account did not opt into make the answer incomplete.",
        ),
        click.option(
            "--region",
            "regions",
            multiple=True,
            metavar="REGION",
            help="A region to look at; as often as you like. [default: your profile's]",
        ),
    ):
        command = option(command)
    return command


def regions_of(given: tuple[str, ...], every: bool, asked: Sequence[Login]) -> tuple[str, ...]:
    """The regions to look at as each login that is *asked*: those *given*, every one of its partition, or its profile's."""
    from ..collect import _awsapi
    from ..errors import InputError

    _awsapi.installed()
    import botocore.exceptions

    try:
        if every:
            partitions = tuple(dict.fromkeys(_awsapi.partition(login) for login in asked))
            if len(partitions) > 1:
                named = " and ".join(f"`{p.id}`" for p in partitions)
                raise InputError(f"these logins are of {named}, which share no region", hint="ask for each by itself")
            return _awsapi.regions(*partitions)
        found = tuple(dict.fromkeys(given or filter(None, (_awsapi.home(login) for login in asked))))
    except botocore.exceptions.BotoCoreError as error:
        raise InputError(str(error), hint="check `AWS_PROFILE`") from None
    if not found:
        raise InputError("no region is named", hint="`--region eu-west-1`, `--all-regions`, or set `AWS_DEFAULT_REGION`")
    return found


def logins(profiles: tuple[str, ...], roles: tuple[str, ...]) -> list[Login]:
    from ..collect._awsapi import Login

    return [Login(profile, role) for profile in profiles or ("",) for role in roles or ("",)]
