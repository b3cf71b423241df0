"""Print what people would otherwise write by hand: rights, roles, settings, infrastructure code. Applies nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._emitpatches import patches as _patches
from ._emitrole import role as _role

if TYPE_CHECKING:
    from ..collect._awscalls import Call

SIDS = {"observer": "RerootObserver", "rotator": "RerootRotator", "defaults": "RerootDefaults", "log-reader": "RerootLogReader", "scanner": "RerootScanner", "watcher": "RerootWatcher"}


@click.group(name="emit")
def COMMAND() -> None:
    """Print a policy, a role, settings or code to standard output. Nothing is applied."""


@COMMAND.command("iam")
@click.option("--role", type=click.Choice(tuple(SIDS)), default="observer", show_default=True, help="Whose.")
@click.option("--tag", metavar="KEY=VALUE", help="For the rotator: change only instances that carry this tag.")
@click.option("--account", metavar="ID", default="*", show_default=True, help="The account whose instances may be changed.")
@click.option("--region", metavar="REGION", default="*", show_default=True, help="The region whose instances may be changed; it tells the partition, too.")
@click.option("--bucket", metavar="NAME", default="*", show_default=True, help="For the log-reader: the bucket that holds the logs.")
@click.option("--user", metavar="NAME", default="reroot", show_default=True, help="For the watcher: the database role that it logs in as.")
def iam(role: str, tag: str | None, account: str, region: str, bucket: str, user: str) -> None:
    """The IAM policy for what reroot calls, and nothing else: made from the list that the client itself keeps to.

    observer: everything that only looks. rotator: what one wave needs, for a role that is assumed for that wave. IAM has no
    condition for the CA of a change, and a change of an instance may be any change: so limit the rotator by tag. defaults: what
    `reroot default-ca` needs; AWS limits it to no resource. log-reader: `reroot ingest` of s3://, rds:// and cloudwatch://. scanner:
    `reroot scan aws`; what a key of your own encrypts needs kms:Decrypt of that key, too. watcher: `reroot observe --iam`.

    The ARNs are those of the region's partition (`arn:aws-cn:`, `arn:aws-us-gov:`); without a region, `arn:*:` serves in each.
    """
    click.echo(json.dumps(policy(role, tag, account, region, bucket, user), indent=2))


def policy(
    role: str, tag: str | None = None, account: str = "*", region: str = "*", bucket: str = "*", user: str = "reroot"
) -> Mapping[str, object]:
    """The policy document. Looks come with the resource ``*``; what can be limited to kinds of resources, is."""
    from ..authorities._partitions import in_arn
    from ..collect._awscalls import Role, of
    from ..errors import InputError

    calls = of(Role(role))
    statements: list[Mapping[str, object]] = []
    for sid, changes in (("Everywhere", False), ("ChangeEverywhere", True)):
        actions = [c.action for c in calls if not c.arn and c.changes is changes]
        if actions:
            statements.append({"Sid": f"{SIDS[role]}{sid}", "Effect": "Allow", "Action": actions, "Resource": "*"})
    kinds: dict[tuple[str, bool], list[Call]] = {}
    for call in calls:
        if call.arn:
            kinds.setdefault((call.arn, call.changes), []).append(call)
    key, equals, value = (tag or "").partition("=")
    if tag and not (key and equals):
        raise InputError(f"`{tag}` is no tag", hint="write `--tag KEY=VALUE`")
    for (arn, changes), named in kinds.items():
        kind = named[0].kind or f"{named[0].service}-{named[0].right or named[0].operation}"
        statement: dict[str, object] = {
            "Sid": f"{SIDS[role]}{'Change' if changes else 'Read'}{_word(kind)}",
            "Effect": "Allow",
            "Action": [c.action for c in named],
            "Resource": arn.format(partition=in_arn(region), region=region, account=account, bucket=bucket, user=user),
        }
        if changes and tag:
            word = "db-tag" if kind == "db" else "cluster-tag"
            statement["Condition"] = {"StringEquals": {f"rds:{word}/{key}": value}}
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def _word(kind: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in kind.split("-"))


@COMMAND.command("sql-role")
@click.option("--for", "target", type=click.Choice(("rds", "self-managed")), default="rds", show_default=True, help="Where.")
@click.option("--name", default="reroot", show_default=True, help="The role's name.")
def sql_role(target: str, name: str) -> None:
    """The database role for `reroot observe`: it sees who is connected and where servers connect to.

    It reads no table and no password. On a self-managed server the superuser runs it.
    """
    click.echo(_role(name, target))


@COMMAND.command("pg-settings")
@click.option("--for", "target", type=click.Choice(("rds", "self-managed")), default="rds", show_default=True, help="Where.")
@click.option("--group", default="GROUP", help="The parameter group, for rds.")
def pg_settings(target: str, group: str) -> None:
    """The settings that make a server's log name who connects and who refuses its certificate."""
    if target == "rds":
        click.echo(
            "# log_connections is dynamic: no restart. The line prefix is RDS's own and cannot be changed.\n"
            f"aws rds modify-db-cluster-parameter-group --db-cluster-parameter-group-name {group} \\\n"
            "  --parameters ParameterName=log_connections,ParameterValue=1,ApplyMethod=immediate\n"
            "# an instance that is in no cluster: modify-db-parameter-group --db-parameter-group-name\n"
            f"# undo: aws rds reset-db-cluster-parameter-group --db-cluster-parameter-group-name {group} \\\n"
            "#   --parameters ParameterName=log_connections,ApplyMethod=immediate\n"
            "# rds.force_ssl=1 refuses clients without TLS: first see with `reroot observe` that there are none"
        )
        return
    click.echo(
        "# a reload is enough: SELECT pg_reload_conf()\n"
        "log_connections = on\n"
        "log_line_prefix = '%m [%p] %q%u@%d %h '\n"
        "log_timezone = 'UTC'"
    )


@COMMAND.command("terraform")
@click.option("-i", "--inventory", "inventory_path", type=click.Path(path_type=Path), default=Path("reroot.toml"), show_default=True, help="The fleet as declared.")  # fmt: skip
def terraform(inventory_path: Path) -> None:
    """What infrastructure code must say, so that its next run does not take the rotation back.

    A literal `ca_cert_identifier` reverts the change at the next apply. An unset one follows AWS's default.
    """
    from ..collect.inventory import read
    from ..errors import InputError

    inventory = read(inventory_path)
    servers = [s for s in inventory.servers if s.provider.get("kind") == "rds"]
    if not servers:
        raise InputError("there is no server of the provider `rds` in it", where=str(inventory_path))
    lines = ["# in the same change as the wave of each instance, not after it; `reroot scan` finds the old literals"]
    instances = {str(s.provider.get("instance", "")) for s in servers}
    told: set[str] = set()
    for server in servers:
        instance, ca, old, whole = (str(server.provider.get(k, "")) for k in ("instance", "ca", "old_ca", "cluster"))
        if whole:  # a Multi-AZ DB cluster, whose members Terraform does not know
            kind, id, word = "aws_rds_cluster", whole, "ca_certificate_identifier"
        else:  # a replica stands beside the instance that it follows, and is no member of a cluster
            is_member = bool(server.cluster) and server.cluster not in instances
            kind, id, word = "aws_rds_cluster_instance" if is_member else "aws_db_instance", instance, "ca_cert_identifier"
        if f"{kind} {id}" in told:
            continue
        told.add(f"{kind} {id}")
        lines += [
            f"\n# wave {server.wave}: {kind} with identifier {json.dumps(id)}",
            f"  {word} = {json.dumps(ca)} # was {old}",
        ]
    regions = sorted({(str(s.provider.get("region", "")), str(s.provider.get("ca", ""))) for s in servers})
    for region, ca in regions:
        lines += [
            f"\n# instances that are created later in {region}; taking this resource away takes the override away",
            f'resource "aws_rds_certificate" "{region.replace("-", "_")}" {{',
            f"  certificate_identifier = {json.dumps(ca)}",
            "}",
        ]
    click.echo("\n".join(lines))


COMMAND.add_command(_patches)
