"""
Settings that live in AWS and in no file: environments of Lambda functions and ECS tasks, parameters, secrets, Glue and DMS connections.

Read-only, a few pages at a time, each thing given to the reader its form calls for. Values are used in memory and never kept:
what leaves this file are findings, and those hold no secret. What may not be read is a limit of the scan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...errors import InputError
from .._awsapi import Login, installed, operation_of, partition, session
from ._finding import Harvest, Limit
from ._look import look

Session = Any
Source = tuple[str, Callable[[Session], Iterator[tuple[str, str]]]]
_ODD = re.compile(r"[^\w.\-:@+=,/]")
ENOUGH = 20_000
"""Things of one kind in one region: beyond it the scan says that it stopped."""


def _pages(session: Session, service: str, operation: str, key: str, **arguments: object) -> Iterator[Any]:
    for page in session.client(service).get_paginator(operation).paginate(**arguments):
        yield from page.get(key, ())


def _lambda(session: Session) -> Iterator[tuple[str, str]]:
    for function in _pages(session, "lambda", "list_functions", "Functions"):
        variables = function.get("Environment", {}).get("Variables", {})
        yield f"{function['FunctionName']}.env", _env(variables)


def _ecs(session: Session) -> Iterator[tuple[str, str]]:
    client = session.client("ecs")
    newest: dict[str, str] = {}
    for arn in _pages(session, "ecs", "list_task_definitions", "taskDefinitionArns", status="ACTIVE", sort="ASC"):
        newest[arn.rpartition(":")[0]] = arn
    for arn in newest.values():
        task = client.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        kept = [{k: c[k] for k in ("name", "environment", "secrets", "command") if k in c} for c in task["containerDefinitions"]]
        yield f"{arn.rpartition('/')[2]}.json", json.dumps({"containerDefinitions": kept}, indent=1)


def _parameters(session: Session) -> Iterator[tuple[str, str]]:
    for one in _pages(session, "ssm", "get_parameters_by_path", "Parameters", Path="/", Recursive=True, WithDecryption=True):
        yield one["Name"].strip("/") + ".env", _env({one["Name"].rpartition("/")[2]: one["Value"]})


def _secrets(session: Session) -> Iterator[tuple[str, str]]:
    client = session.client("secretsmanager")
    for one in _pages(session, "secretsmanager", "list_secrets", "SecretList"):
        text = client.get_secret_value(SecretId=one["ARN"]).get("SecretString", "")
        name = one["Name"]
        yield (f"{name}.json", text) if text.lstrip().startswith("{") else (f"{name}.env", _env({name.rpartition("/")[2]: text}))


def _glue(session: Session) -> Iterator[tuple[str, str]]:
    for one in _pages(session, "glue", "get_connections", "ConnectionList", HidePassword=True):
        given = one.get("ConnectionProperties", {})
        url = given.get("JDBC_CONNECTION_URL", "")
        if "postgresql" in url:
            lines = {"url": url}
            if given.get("JDBC_ENFORCE_SSL", "").lower() == "true":
                lines["ssl"] = "true"
            if given.get("CUSTOM_JDBC_CERT"):
                lines["sslrootcert"] = given["CUSTOM_JDBC_CERT"]
            yield f"{one['Name']}.properties", _env(lines)


def _dms(session: Session) -> Iterator[tuple[str, str]]:
    for one in _pages(session, "dms", "describe_endpoints", "Endpoints"):
        if "postgres" in one.get("EngineName", ""):
            mode = {"none": "disable"}.get(one.get("SslMode", "none"), one.get("SslMode"))
            lines = {
                "engine": "postgres",
                "host": one.get("ServerName", ""),
                "sslmode": mode,
                "sslrootcert": one.get("CertificateArn", ""),
            }
            yield f"{one['EndpointIdentifier']}.ini", "[endpoint]\n" + _env({k: v for k, v in lines.items() if v})


SOURCES: tuple[Source, ...] = (
    ("lambda", _lambda),
    ("ecs", _ecs),
    ("ssm", _parameters),
    ("secretsmanager", _secrets),
    ("glue", _glue),
    ("dms", _dms),
)


def _env(pairs: dict[str, Any]) -> str:
    return "".join(f"{name}={str(value).replace(chr(10), ' ')}\n" for name, value in pairs.items())


def account(profiles: Sequence[str], regions: Sequence[str], roles: Sequence[str] = ()) -> dict[str, Harvest]:
    """What the accounts behind *profiles*, or behind *roles* that are assumed from them, hold in *regions*; ``all`` for every one.

    A role that may not be assumed is a limit of the scan, and the other accounts are looked at.
    """
    installed()
    from botocore.exceptions import BotoCoreError, ClientError

    errors = (BotoCoreError, ClientError)
    work: list[tuple[str, Session, Source]] = []
    found: dict[str, Harvest] = {}
    for login in (Login(profile, role) for profile in profiles or ("",) for role in roles or ("",)):
        try:
            door = next(iter(regions), "") or session(Login(login.profile)).region_name or ""
        except errors as error:
            raise InputError(f"AWS cannot be used: {_why(error)}", hint="name a profile with `--profile`") from error
        if not door:
            raise InputError("no AWS region is named", hint="use `--region eu-west-1` or `--all-regions`")
        try:
            first = session(login, partition(login).first if door == "all" else door)
            names = _regions(first) if door == "all" else list(dict.fromkeys(regions)) or [door]
        except errors as error:
            if not login.role:
                raise InputError(f"AWS cannot be used: {_why(error)}", hint="name a profile with `--profile`") from error
            found[_place(login)] = Harvest(limits=[Limit(_place(login), f"could not be read: {operation_of(error, '')} {_why(error)}")])
            continue
        for region in names:
            # a session of its own for each thread: boto3's are not made to be shared
            work += [(f"{_place(login)}{region}", session(login, region, first), source) for source in SOURCES]
    with ThreadPoolExecutor(8) as pool:
        for harvests in pool.map(lambda one: _source(one[0], one[1], one[2], errors), work):
            found.update(harvests)
    return found


def _regions(session: Session) -> list[str]:
    return [str(one["RegionName"]) for one in session.client("ec2").describe_regions()["Regions"]]


def _place(login: Login) -> str:
    """How the things of one account are called: by its profile, and by the account and name of the role."""
    _, _, named = login.role.partition("::")
    number, _, role = named.partition(":role/")
    whose = f"{number}:{role.rpartition('/')[2]}/" if login.role else ""
    return f"aws:{login.profile + '/' if login.profile else ''}{whose}"


def _source(place: str, session: Session, source: Source, errors: tuple[type[Exception], ...]) -> dict[str, Harvest]:
    kind, things = source
    found: dict[str, Harvest] = {}
    try:
        for number, (name, text) in enumerate(things(session)):
            if number >= ENOUGH:
                found[f"{place}/{kind}"] = Harvest(
                    limits=[Limit(f"{place}/{kind}", f"more than {ENOUGH} things: the rest was not looked at")]
                )
                break
            path = f"{place}/{kind}/{_ODD.sub('_', name)}"
            harvest = look(path, text.encode("utf-8", "replace"))
            for finding in harvest.findings:
                finding.spots = {}
            if not harvest.empty():
                found[path] = harvest
    except errors as error:
        found[f"{place}/{kind}"] = Harvest(limits=[Limit(f"{place}/{kind}", f"could not be read: {_why(error)}")])
    return found


def _why(error: Exception) -> str:
    """The service's own word for it, never its message, which may quote a value."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", "error"))
    return type(error).__name__
