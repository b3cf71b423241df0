"""Instances and clusters in RDS's own words: what a describe says of them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ...authorities._partitions import in_arn
from ._catalogue import Authority, Region
from .world import ACCOUNT, Cluster, Happening, Instance, Snapshot, World


def arn(region: str, kind: str, id: str) -> str:
    return f"arn:{in_arn(region)}:rds:{region}:{ACCOUNT}:{kind}:{id}"


def resource_id(one: Instance) -> str:
    """``db-`` and capital letters and digits: infrastructure code tells by it from a name."""
    return f"db-{sha256(f'{one.region}/{one.id}'.encode()).hexdigest()[:26].upper()}"


def instance_view(world: World, one: Instance) -> dict[str, Any]:
    says_old = one.id in world.faults.says_old
    as_a_whole = bool(one.cluster) and world.clusters[one.region, one.cluster].multi_az  # its cluster tells what waits
    pending = {} if as_a_whole or one.id in world.faults.hides_pending else dict(one.pending)
    shown: dict[str, Any] = {
        "DBInstanceIdentifier": one.id,
        "DBInstanceClass": "db.r6g.large",
        "Engine": one.engine,
        "EngineVersion": one.version,
        "DBInstanceStatus": one.status,
        "MasterUsername": "postgres",
        "DBName": "postgres",
        "Endpoint": {"Address": one.host, "Port": one.stage.port, "HostedZoneId": "ZLAB"},
        "InstanceCreateTime": one.created,
        "PreferredMaintenanceWindow": one.window,
        "PendingModifiedValues": pending,
        "MultiAZ": False,
        "AvailabilityZone": f"{one.region}a",
        "DBParameterGroups": [{"DBParameterGroupName": one.group, "ParameterApplyStatus": "in-sync"}],
        "CACertificateIdentifier": one.ca,
        "CertificateDetails": {"CAIdentifier": one.ca, "ValidTill": one.leaf_ends},
        "DBInstanceArn": arn(one.region, "db", one.id),
        "DbiResourceId": resource_id(one),
        "TagList": [{"Key": k, "Value": v} for k, v in one.tags.items()],
        "AutoMinorVersionUpgrade": True,
        "StorageEncrypted": True,
    }
    if says_old and one.said:
        shown["CACertificateIdentifier"] = one.said[0][1]["CACertificateIdentifier"]
        shown["CertificateDetails"] = one.said[0][1]["CertificateDetails"]
    if one.cluster:
        shown["DBClusterIdentifier"] = one.cluster
    if one.source:
        shown["ReadReplicaSourceDBInstanceIdentifier"] = one.source
    return shown


def cluster_view(world: World, one: Cluster) -> dict[str, Any]:
    members = [world.instances[one.region, m] for m in one.members]
    shown: dict[str, Any] = {
        "DBClusterIdentifier": one.id,
        "Engine": one.engine,
        "EngineVersion": one.version,
        "EngineMode": one.mode,
        "Status": "available" if all(m.status == "available" for m in members) else "modifying",
        "Endpoint": one.host(),
        "ReaderEndpoint": one.host(reader=True),
        "MultiAZ": True,
        "Port": next((m.stage.port for m in members if m.is_writer), 5432),
        "DBClusterMembers": [{"DBInstanceIdentifier": m.id, "IsClusterWriter": m.is_writer, "PromotionTier": 1} for m in members],
        "DBClusterArn": arn(one.region, "cluster", one.id),
        "DBClusterParameterGroup": one.group,
        "PreferredMaintenanceWindow": "sun:03:00-sun:04:00",
    }
    if one.multi_az and members:
        shown["CertificateDetails"] = {"CAIdentifier": members[0].ca, "ValidTill": members[0].leaf_ends}
        shown["DBClusterInstanceClass"] = "db.m6gd.large"
        waits = dict(members[0].pending)
        if ca := waits.pop("CACertificateIdentifier", ""):
            waits["CertificateDetails"] = {"CAIdentifier": ca}
        shown["PendingModifiedValues"] = {} if members[0].id in world.faults.hides_pending else waits
    if one.global_id:
        shown["GlobalClusterIdentifier"] = one.global_id
    return shown


def certificate_view(region: Region, one: Authority) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "CertificateIdentifier": one.id,
        "CertificateType": "CA",
        "Thumbprint": one.thumbprint,
        "ValidFrom": one.root.certificate.not_valid_before_utc,
        "ValidTill": one.root.certificate.not_valid_after_utc,
        "CertificateArn": f"arn:{in_arn(region.name)}:rds:{region.name}::cert:{one.id}",
        "CustomerOverride": region.override == one.id,
    }
    if region.override == one.id and region.override_until is not None:
        shown["CustomerOverrideValidTill"] = region.override_until
    return shown


def event_view(one: Happening) -> dict[str, Any]:
    return {
        "SourceIdentifier": one.source,
        "SourceType": "db-instance",
        "Message": one.message,
        "EventCategories": [one.category],
        "Date": one.at,
        "SourceArn": arn(one.region, "db", one.source),
    }


def snapshot_view(one: Snapshot) -> dict[str, Any]:
    return {
        "DBSnapshotIdentifier": one.id,
        "DBInstanceIdentifier": one.source,
        "Engine": one.engine,
        "EngineVersion": one.version,
        "Status": "available",
        "SnapshotType": "manual",
        "DBSnapshotArn": arn(one.region, "snapshot", one.id),
    }


def cluster_snapshot_view(one: Snapshot) -> dict[str, Any]:
    return {
        "DBClusterSnapshotIdentifier": one.id,
        "DBClusterIdentifier": one.source,
        "Engine": one.engine,
        "EngineVersion": one.version,
        "Status": "available",
        "SnapshotType": "manual",
        "DBClusterSnapshotArn": arn(one.region, "cluster-snapshot", one.id),
    }
