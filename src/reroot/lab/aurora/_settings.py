"""Parameter groups and tags: what a user turns on before a rotation, and what rights are limited by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ._answers import Given, Values, group_of
from ._wire import Fault
from .world import World

DYNAMIC = ("log_connections", "log_disconnections")
"""Parameters that reach the servers here, at once. The others are remembered and told, and wait for a restart that changes nothing."""


def modify_group(world: World, region: str, given: Given) -> Values:
    name, word = group_of(given)
    for one in given["Parameters"]:
        if one.get("ApplyMethod") == "immediate" and one["ParameterName"] not in (*DYNAMIC, "rds.force_ssl"):
            raise Fault(
                "InvalidParameterCombination", f"cannot use immediate apply method for static parameter {one['ParameterName']}"
            )
        world.parameters.setdefault((region, name), {})[one["ParameterName"]] = one.get("ParameterValue", "")
    _reach(world, region, name)
    return {word: name}


def reset_group(world: World, region: str, given: Given) -> Values:
    name, word = group_of(given)
    values = world.parameters.get((region, name), {})
    wanted = [one["ParameterName"] for one in given.get("Parameters", ())] or list(values)
    for one in wanted:
        values.pop(one, None)
    _reach(world, region, name)
    return {word: name}


def _reach(world: World, region: str, group: str) -> None:
    values = world.parameters.get((region, group), {})
    for instance in world.instances.values():
        cluster = world.clusters.get((region, instance.cluster))
        if instance.region == region and group == (cluster.group if cluster else instance.group):
            instance.stage.configure(
                {name: "on" if values.get(name) in ("1", "on") else "off" for name in DYNAMIC if name in values}
            )


def add_tags(world: World, region: str, given: Given) -> Values:
    one = world.instance(region, given["ResourceName"].rpartition(":")[2])
    one.tags = {**one.tags, **{t["Key"]: t.get("Value", "") for t in given["Tags"]}}
    return {}


def remove_tags(world: World, region: str, given: Given) -> Values:
    one = world.instance(region, given["ResourceName"].rpartition(":")[2])
    one.tags = {k: v for k, v in one.tags.items() if k not in given["TagKeys"]}
    return {}


SETTINGS: Mapping[str, Callable[[World, str, Given], Values]] = {
    "ModifyDBParameterGroup": modify_group,
    "ModifyDBClusterParameterGroup": modify_group,
    "ResetDBParameterGroup": reset_group,
    "ResetDBClusterParameterGroup": reset_group,
    "AddTagsToResource": add_tags,
    "RemoveTagsFromResource": remove_tags,
}
