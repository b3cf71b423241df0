"""
How instances and clusters come and go. Whoever is born without naming a CA gets the account's default of that day in that region:
replicas not their source's, restores not their snapshot's. A cluster that is restored cannot name one; nor has Aurora's one to give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...authorities._partitions import in_arn
from ._answers import Given, Values
from ._views import cluster_snapshot_view, cluster_view, instance_view, snapshot_view
from ._wire import Fault, fault
from .world import Cluster, Instance, Snapshot, World

CA = "CACertificateIdentifier"


def create_instance(world: World, region: str, given: Given) -> Values:
    return _born(world, region, given["DBInstanceIdentifier"], given, None, "DB instance created")


def create_replica(world: World, region: str, given: Given) -> Values:
    source = world.instance(region, given.get("SourceDBInstanceIdentifier", "").rpartition(":")[2])
    return _born(world, region, given["DBInstanceIdentifier"], given, source, "Read replica created", source.id)


def restore_snapshot(world: World, region: str, given: Given) -> Values:
    name = given.get("DBSnapshotIdentifier", "").removeprefix(f"arn:{in_arn(region)}:rds:{region}:").rpartition("snapshot:")[2]
    of = world.snapshots.get((region, name))
    if of is None or of.cluster:
        raise fault("DBSnapshotNotFoundFault", f"DBSnapshot not found: {name}")
    return _born(world, region, given["DBInstanceIdentifier"], given, of, f"Restored from snapshot {name}")


def restore_instance(world: World, region: str, given: Given) -> Values:
    source = world.instance(region, given.get("SourceDBInstanceIdentifier", ""))
    id = given["TargetDBInstanceIdentifier"]
    return _born(world, region, id, given, source, f"Restored from DB instance {source.id} to {id}")


def create_snapshot(world: World, region: str, given: Given) -> Values:
    of = world.instance(region, given["DBInstanceIdentifier"])
    made = Snapshot(given["DBSnapshotIdentifier"], region, of.id, of.engine, of.version)
    world.snapshots[region, made.id] = made
    return {"DBSnapshot": snapshot_view(made)}


def create_cluster_snapshot(world: World, region: str, given: Given) -> Values:
    of = world.cluster(region, given["DBClusterIdentifier"])
    made = Snapshot(given["DBClusterSnapshotIdentifier"], region, of.id, of.engine, of.version, cluster=True)
    world.snapshots[region, made.id] = made
    return {"DBClusterSnapshot": cluster_snapshot_view(made)}


def create_cluster(world: World, region: str, given: Given) -> Values:
    return _cluster_born(world, region, given, given.get("EngineVersion", "15.4"))


def restore_cluster(world: World, region: str, given: Given) -> Values:
    """The model has no CA among its parameters; its instances are created one by one, and may each name one."""
    name = given["SnapshotIdentifier"].rpartition(":")[2]
    of = world.snapshots.get((region, name))
    if of is None:
        raise fault("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot not found: {name}")
    return _cluster_born(world, region, given, of.version)


def restore_cluster_to_point(world: World, region: str, given: Given) -> Values:
    of = world.cluster(region, given.get("SourceDBClusterIdentifier", ""))
    return _cluster_born(world, region, {**given, "Engine": of.engine}, of.version)


def delete_instance(world: World, region: str, given: Given) -> Values:
    one = world.instance(region, given["DBInstanceIdentifier"])
    shown = instance_view(world, one)
    del world.instances[region, one.id]
    if one.cluster:
        world.cluster(region, one.cluster).members.remove(one.id)
    one.stage.stop()
    return {"DBInstance": shown | {"DBInstanceStatus": "deleting"}}


def _cluster_born(world: World, region: str, given: Given, version: str) -> Values:
    id = given["DBClusterIdentifier"]
    if (region, id) in world.clusters:
        raise fault("DBClusterAlreadyExistsFault", f"DB Cluster already exists: {id}")
    if given.get(CA):
        raise Fault("InvalidParameterCombination", "CACertificateIdentifier is valid for Multi-AZ DB clusters only.")
    one = Cluster(id, region, given["Engine"], version)
    world.clusters[region, id] = one
    return {"DBCluster": cluster_view(world, one)}


def _born(
    world: World, region: str, id: str, given: Given, like: Instance | Snapshot | None, said: str, source: str = ""
) -> Values:
    if (region, id) in world.instances:
        raise fault("DBInstanceAlreadyExistsFault", "DB instance already exists")
    ca = given.get(CA) or world.region(region).born
    cluster = given.get("DBClusterIdentifier", "")
    names = [f"{id}.lab.{region}.rds.lab.test"]
    if cluster:
        names += [world.cluster(region, cluster).host(), world.cluster(region, cluster).host(reader=True)]
    chain, key, ends = world.authority(region, ca).serve(tuple(names))
    assert world.new_stage is not None
    one = Instance(
        id,
        region,
        world.new_stage((chain, key)),
        ca,
        ca,
        ends,
        tuple(names),
        engine=like.engine if like else given.get("Engine", "aurora-postgresql"),
        version=like.version if like else given.get("EngineVersion", "15.4"),
        cluster=cluster,
        source=source,
        is_writer=bool(cluster) and not world.cluster(region, cluster).members,
    )
    world.instances[region, id] = one
    if cluster:
        world.cluster(region, cluster).members.append(id)
    world.happened(id, region, said, "creation")
    world.note(one, lambda i: instance_view(world, i))
    return {"DBInstance": instance_view(world, one)}


BIRTHS: Mapping[str, Callable[[World, str, Given], Values]] = {
    "CreateDBInstance": create_instance,
    "CreateDBInstanceReadReplica": create_replica,
    "CreateDBSnapshot": create_snapshot,
    "CreateDBClusterSnapshot": create_cluster_snapshot,
    "CreateDBCluster": create_cluster,
    "RestoreDBInstanceFromDBSnapshot": restore_snapshot,
    "RestoreDBInstanceToPointInTime": restore_instance,
    "RestoreDBClusterFromSnapshot": restore_cluster,
    "RestoreDBClusterToPointInTime": restore_cluster_to_point,
    "DeleteDBInstance": delete_instance,
}
