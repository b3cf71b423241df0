"""Practise on a laboratory: an RDS API stand-in over real PostgreSQL servers, shaped like your fleet."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..lab.aurora.fleet import Member, StandIn


@click.group(name="lab")
def COMMAND() -> None:
    """Servers to practise on. Everything is on loopback and gone afterwards."""


@COMMAND.command("aurora")
@click.option(
    "--like", "like_path", type=click.Path(path_type=Path), help="A fleet's JSON, as `reroot guide aurora -o json=FILE` writes."
)
@click.option("--light", is_flag=True, help="Servers that only shake hands, for fleets too large for real ones.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The API's port; a free one where none is given.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reroot-lab"), show_default=True, help="Where roots and environment go.")  # fmt: skip
@click.option("--throttle", type=click.FloatRange(0, 1), default=0.0, help="Share of calls that are throttled.")
@click.option("--errors", type=click.FloatRange(0, 1), default=0.0, help="Share of calls that end with an internal error.")
@click.option("--cut", type=click.FloatRange(0, 1), default=0.0, help="Share of calls that are done and get no answer.")
@click.option("--stale", type=click.FloatRange(0, 3600), default=0.0, help="Seconds by which describes are out of date.")
@click.option("--pace", type=click.FloatRange(0, 600), default=2.0, show_default=True, help="Seconds that a change takes.")
def aurora(
    like_path: Path | None,
    light: bool,
    port: int,
    out: Path,
    throttle: float,
    errors: float,
    cut: float,
    stale: float,
    pace: float,
) -> None:
    """A fleet of Aurora clusters with an RDS API before it, until you press Ctrl-C.

    boto3, Terraform and reroot itself find it by the environment that is written to --out, the AWS command line by its
    --endpoint-url; nothing else of this machine is changed. Each instance is a real PostgreSQL; more than 24 are light.
    """
    from ..lab.aurora._faults import Faults
    from ..lab.aurora.fleet import MOST_SERVERS, furnish, stand_in

    members, document = _members(like_path)
    light = light or len(members) > MOST_SERVERS
    faults = Faults(throttle=throttle, error=errors, cut=cut, stale=stale)
    with stand_in(members, light=light, pace=pace, faults=faults, port=port) as fleet:
        if document is not None:
            furnish(fleet.world, document)
        _write(fleet, out)
        from ..reports.text import counted

        regions = ", ".join(sorted(fleet.world.regions))
        click.echo(
            f"{counted(len(members), 'instance')} in {regions}, each {'a light stage' if light else 'a real PostgreSQL'}; API at {fleet.url}\n\n"
            f"  set -a; . {out}/environment; set +a\n"
            f"  reroot guide aurora --region {sorted(fleet.world.regions)[0]} --roots {out}/roots --address 127.0.0.1 --write .\n"
            "  aws --endpoint-url $AWS_ENDPOINT_URL rds describe-db-instances --query 'DBInstances[].[DBInstanceIdentifier,CACertificateIdentifier]' --output text\n\n"
            "stop it with Ctrl-C"
        )
        _until_interrupted()


def _members(path: Path | None) -> tuple[Sequence[Member], Mapping[str, Any] | None]:
    """The instances to stand up, and the description that they were read from."""
    from ..errors import InputError
    from ..lab.aurora.fleet import clusters, like

    if path is None:
        return clusters({"us-east-1": ("orders", "billing"), "eu-west-1": ("search", "warehouse")}), None
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", where=str(path)) from None
    except ValueError as error:
        raise InputError(f"this is no JSON: {error}", where=str(path)) from None
    return like(document), document


def _write(fleet: StandIn, out: Path) -> None:
    fleet.write_roots(out / "roots")
    region = sorted(fleet.world.regions)[0]
    lines = "".join(f"{key}={value}\n" for key, value in fleet.api.environment(region).items())
    (out / "environment").write_text(lines, encoding="utf-8")


def _until_interrupted() -> None:
    over = threading.Event()
    before = {which: signal.signal(which, lambda *_: over.set()) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        over.wait()
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
