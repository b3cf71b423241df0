"""The calls that look: one function for each, from a world and a request's parameters to the answer's values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ...authorities._partitions import in_arn
from ._views import arn, certificate_view, cluster_view, event_view, instance_view, resource_id, snapshot_view
from ._wire import Fault
from .world import ACCOUNT, Instance, World

Values = dict[str, Any]
Given = Mapping[str, Any]
Look = Callable[[World, str, Given], Values]
FORCE = "rds.force_ssl"


def describe_certificates(world: World, region: str, given: Given) -> Values:
    here = world.region(region)
    wanted = given.get("CertificateIdentifier")
    if wanted:
        world.authority(region, wanted)
    return {
        "DefaultCertificateForNewLaunches": here.born,
        **_page([certificate_view(here, a) for a in here.offered() if wanted in (None, a.id)], given, "Certificates"),
    }


def describe_instances(world: World, region: str, given: Given) -> Values:
    found = [i for (where, _), i in sorted(world.instances.items()) if where == region]
    wanted = given.get("DBInstanceIdentifier")
    if wanted:
        found = [world.instance(region, wanted.rpartition(":")[2])]
    for one in given.get("Filters", ()):
        value = _FILTERS.get(one["Name"])
        if value is None:
            raise Fault("InvalidParameterValue", f"Unrecognized filter name: {one['Name']}")
        found = [i for i in found if value(i) in one["Values"]]
    return _page([_seen(world, i) for i in found], given, "DBInstances")


_FILTERS: Mapping[str, Callable[[Instance], str]] = {
    "db-instance-id": lambda i: i.id,
    "db-cluster-id": lambda i: i.cluster,
    "engine": lambda i: i.engine,
    "dbi-resource-id": resource_id,
}


def _seen(world: World, one: Instance) -> Values:
    """What a describe says, which may be what was true a while ago."""
    before = world.course.now() - world.faults.stale
    if not world.faults.stale or one.id in world.faults.says_old:
        return instance_view(world, one)
    old = [view for at, view in one.said if at <= before]
    return old[-1] if old else one.said[0][1] if one.said else instance_view(world, one)


def describe_clusters(world: World, region: str, given: Given) -> Values:
    wanted = given.get("DBClusterIdentifier")
    found = [c for (where, _), c in sorted(world.clusters.items()) if where == region]
    if wanted:
        found = [world.cluster(region, wanted.rpartition(":")[2])]
    return _page([cluster_view(world, c) for c in found], given, "DBClusters")


def describe_global_clusters(world: World, region: str, given: Given) -> Values:
    names = sorted({c.global_id for c in world.clusters.values() if c.global_id})
    found = []
    for name in names:
        members = [c for c in world.clusters.values() if c.global_id == name]
        found.append(
            {
                "GlobalClusterIdentifier": name,
                "Status": "available",
                "Engine": members[0].engine,
                "GlobalClusterMembers": [
                    {"DBClusterArn": arn(c.region, "cluster", c.id), "IsWriter": c is members[0]} for c in members
                ],
            }
        )
    return _page(found, given, "GlobalClusters")


def describe_versions(world: World, region: str, given: Given) -> Values:
    found = [
        {
            "Engine": v.engine,
            "EngineVersion": v.version,
            "SupportsCertificateRotationWithoutRestart": v.restart_free,
            "SupportedCACertificateIdentifiers": [a for a in v.authorities if a not in world.region(region).withdrawn],
        }
        for v in world.versions.values()
        if given.get("Engine") in (None, v.engine) and given.get("EngineVersion") in (None, v.version)
    ]
    return _page(found, given, "DBEngineVersions")


def describe_maintenance(world: World, region: str, given: Given) -> Values:
    wanted = given.get("ResourceIdentifier")
    found = [
        {"ResourceIdentifier": resource, "PendingMaintenanceActionDetails": [details]}
        for (where, resource), details in world.maintenance.items()
        if where == region and wanted in (None, resource)
    ]
    return _page(found, given, "PendingMaintenanceActions")


PARAMETERS: Mapping[str, tuple[str, str]] = {
    FORCE: ("0", "system"),
    "log_connections": ("0", "engine-default"),
    "ssl_min_protocol_version": ("TLSv1.2", "engine-default"),
}
"""What a parameter group says when nobody changed it."""
FORCED = re.compile(r"default\.postgres(\d+)$")
"""RDS for PostgreSQL forces TLS from 15 on, Aurora does not: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html"""


def group_of(given: Given) -> tuple[str, str]:
    """The parameter group of a request, and the word that it was given by."""
    word = next(w for w in ("DBParameterGroupName", "DBClusterParameterGroupName") if w in given)
    return str(given[word]), word


def describe_parameters(world: World, region: str, given: Given) -> Values:
    name, _ = group_of(given)
    values = world.parameters.get((region, name), {})
    unset = {name: {"ParameterValue": value, "Source": source} for name, (value, source) in PARAMETERS.items()}
    newer = FORCED.match(name)
    if newer and int(newer[1]) >= 15:
        unset[FORCE]["ParameterValue"] = "1"
    given_by_user = {name: {"ParameterValue": value, "Source": "user"} for name, value in values.items()}
    found = [
        {"ParameterName": name, **said}
        for name, said in (unset | given_by_user).items()
        if given.get("Source") in (None, said["Source"])
    ]
    return _page(found, given, "Parameters")


def describe_groups(world: World, region: str, given: Given) -> Values:
    return _page([{"DBParameterGroupName": n} for n in _groups(world, region, given)], given, "DBParameterGroups")


def describe_cluster_groups(world: World, region: str, given: Given) -> Values:
    return _page([{"DBClusterParameterGroupName": n} for n in _groups(world, region, given)], given, "DBClusterParameterGroups")


def _groups(world: World, region: str, given: Given) -> list[str]:
    asked = given.get("DBParameterGroupName") or given.get("DBClusterParameterGroupName")
    known = {i.group for i in world.instances.values() if i.region == region}
    known |= {c.group for c in world.clusters.values() if c.region == region} | {g for r, g in world.parameters if r == region}
    return sorted(n for n in known if asked in (None, n))


def describe_proxies(world: World, region: str, given: Given) -> Values:
    found = [
        {"DBProxyName": name, "Status": "available", "EngineFamily": "POSTGRESQL", "Endpoint": host, "RequireTLS": True}
        for where, name, host in world.proxies
        if where == region
    ]
    return _page(found, given, "DBProxies")


def describe_deployments(world: World, region: str, given: Given) -> Values:
    found = [
        {
            "BlueGreenDeploymentIdentifier": f"bgd-{s}",
            "Source": arn(region, "db", s),
            "Target": arn(region, "db", t),
            "Status": "AVAILABLE",
        }
        for where, s, t in world.deployments
        if where == region
    ]
    return _page(found, given, "BlueGreenDeployments")


def describe_events(world: World, region: str, given: Given) -> Values:
    if given.get("SourceIdentifier") and not given.get("SourceType"):
        raise Fault("InvalidParameterCombination", "The parameter SourceType must be provided with SourceIdentifier.")
    since = datetime.now(UTC) - timedelta(minutes=given.get("Duration", 60))
    kinds = given.get("EventCategories")
    found = [
        event_view(e)
        for e in world.events
        if e.region == region
        and e.at >= since
        and given.get("SourceIdentifier") in (None, e.source)
        and (not kinds or e.category in kinds)
    ]
    return _page(found, given, "Events")


def describe_log_files(world: World, region: str, given: Given) -> Values:
    log = world.instance(region, given["DBInstanceIdentifier"]).stage.log
    if log is None or not log.exists():
        return {"DescribeDBLogFiles": []}
    status = log.stat()
    if status.st_mtime * 1000 < given.get("FileLastWritten", 0):
        return {"DescribeDBLogFiles": []}
    shown = {"LogFileName": "error/postgresql.log", "LastWritten": int(status.st_mtime * 1000), "Size": status.st_size}
    return {"DescribeDBLogFiles": [shown]}


def log_portion(world: World, region: str, given: Given) -> Values:
    """Lines from a marker on; the marker is a byte offset, and the last line, if it is not whole, is left for the next call."""
    log = world.instance(region, given["DBInstanceIdentifier"]).stage.log
    if log is None or given["LogFileName"] != "error/postgresql.log":
        raise Fault("DBLogFileNotFoundFault", f"DBLog File: {given['LogFileName']} is not found on the DB instance", 404)
    content = log.read_bytes()
    begin = int(given.get("Marker") or 0)
    lines = content[begin:].splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    portion = lines[: given.get("NumberOfLines") or 10_000]
    end = begin + sum(map(len, portion))
    return {
        "LogFileData": b"".join(portion).decode("utf-8", "replace"),
        "Marker": str(end),
        "AdditionalDataPending": len(portion) < len(lines),
    }


def describe_snapshots(world: World, region: str, given: Given) -> Values:
    wanted = (given.get("DBSnapshotIdentifier"), given.get("DBInstanceIdentifier"))
    found = [
        snapshot_view(s)
        for (where, _), s in world.snapshots.items()
        if where == region and not s.cluster and wanted[0] in (None, s.id) and wanted[1] in (None, s.source)
    ]
    return _page(found, given, "DBSnapshots")


def list_tags(world: World, region: str, given: Given) -> Values:
    one = world.instance(region, given["ResourceName"].rpartition(":")[2])
    return {"TagList": [{"Key": k, "Value": v} for k, v in one.tags.items()]}


def caller(world: World, region: str, given: Given) -> Values:
    return {"Account": ACCOUNT, "Arn": f"arn:{in_arn(region)}:iam::{ACCOUNT}:user/lab", "UserId": "AIDALAB"}


def _page(found: Sequence[Values], given: Given, name: str) -> Values:
    """At most ``MaxRecords`` (100) from the marker on."""
    begin, size = int(given.get("Marker") or 0), min(int(given.get("MaxRecords") or 100), 100)
    page: Values = {name: list(found[begin : begin + size])}
    if begin + size < len(found):
        page["Marker"] = str(begin + size)
    return page


LOOKS: Mapping[str, Look] = {
    "DescribeCertificates": describe_certificates,
    "DescribeDBInstances": describe_instances,
    "DescribeDBClusters": describe_clusters,
    "DescribeGlobalClusters": describe_global_clusters,
    "DescribeDBEngineVersions": describe_versions,
    "DescribePendingMaintenanceActions": describe_maintenance,
    "DescribeDBParameters": describe_parameters,
    "DescribeDBClusterParameters": describe_parameters,
    "DescribeDBParameterGroups": describe_groups,
    "DescribeDBClusterParameterGroups": describe_cluster_groups,
    "DescribeDBProxies": describe_proxies,
    "DescribeBlueGreenDeployments": describe_deployments,
    "DescribeEvents": describe_events,
    "DescribeDBLogFiles": describe_log_files,
    "DownloadDBLogFilePortion": log_portion,
    "DescribeDBSnapshots": describe_snapshots,
    "ListTagsForResource": list_tags,
    "GetCallerIdentity": caller,
}
