"""
A fleet of RDS and Aurora as AWS's API tells of it: instances, clusters, certificate authorities, and what stands around them.

Nothing is believed that a handshake could tell; see ``reroot probe``. What could not be read (a denied call, a region that is
off, an expired login) is named, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..errors import RerootError
from ._awsapi import Api, Login, api

POSTGRES = ("postgres", "aurora-postgresql")
SERVERLESS = "serverless"
"""Aurora Serverless v1's engine mode; v2's instances are instances like others."""
MANAGED_ROTATION = "ca-certificate-rotation"
FORCE = "rds.force_ssl"
EVENTS = 14 * 24 * 60
"""Minutes for which AWS keeps events, sent as it can: what is not there may have happened."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA id of a region. ``thumbprint`` is the SHA-1 of its root's DER, as AWS's own examples are of its published roots."""

    id: str
    thumbprint: str
    ends: datetime
    override: bool = False
    override_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """What an engine version can do: change its certificate without a restart; None where the API does not say."""

    restart_free: bool | None = None
    authorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    """``ca`` is what the API says, which is a hint; ``leaf_ends`` is the end of the server's certificate.

    ``pending`` holds modifications that wait for the window, ``ca_pending`` the CA among them. ``multi_az`` is the member of a
    Multi-AZ DB cluster, which cannot be changed singly. ``maintenance`` are AWS's own pending actions with their dates.
    ``source`` is what it is a replica of; ``restored`` what its event says of its origin, for the two weeks that there is one.
    """

    id: str
    region: str
    host: str
    port: int
    engine: str
    version: str
    status: str
    ca: str
    leaf_ends: datetime | None = None
    ca_pending: str = ""
    pending: tuple[str, ...] = ()
    cluster: str = ""
    is_writer: bool = False
    multi_az: bool = False
    source: str = ""
    window: str = ""
    force_ssl: str = ""
    maintenance: tuple[tuple[str, str], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    created: datetime | None = None
    restored: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """One region of one login. ``unread`` says what could not be read there, and why.

    ``proxies`` and ``serverless`` (Aurora Serverless v1) are name and host of what has certificates of another authority.
    """

    name: str
    login: Login
    authorities: tuple[Authority, ...] = ()
    default: str = ""
    instances: tuple[Instance, ...] = ()
    versions: Mapping[tuple[str, str], Version] = field(default_factory=dict)
    proxies: tuple[tuple[str, str], ...] = ()
    global_clusters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    deployments: tuple[tuple[str, str], ...] = ()
    serverless: tuple[tuple[str, str], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()

    def authority(self, id: str) -> Authority | None:
        return next((a for a in self.authorities if a.id == id), None)

    def version(self, instance: Instance) -> Version:
        return self.versions.get((instance.engine, instance.version), Version())


@dataclass(frozen=True)
class Fleet:
    regions: tuple[Region, ...]

    @property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(i for r in self.regions for i in r.instances)

    @property
    def unread(self) -> tuple[tuple[str, str], ...]:
        return tuple(u for r in self.regions for u in r.unread)

    def region_of(self, instance: Instance) -> Region:
        return next(r for r in self.regions if instance in r.instances)


def discover(
    logins: Sequence[Login], regions: Iterable[str], *, tags: Mapping[str, str] | None = None, around: bool = True
) -> Fleet:
    """Every PostgreSQL instance of *regions*, as each of *logins*; with *tags*, only those that carry all of them.

    *around* also reads what stands around them: maintenance, parameters, proxies, global clusters, blue/green deployments.
    """
    asked = [(login, region) for login in logins or [Login()] for region in dict.fromkeys(regions)]
    with ThreadPoolExecutor(max(1, min(8, len(asked)))) as pool:
        found = list(pool.map(lambda a: survey(api(*a), tags or {}, around=around), asked))
    return Fleet(tuple(found))


def survey(rds: Api, tags: Mapping[str, str], *, around: bool) -> Region:
    """One region, in pages; what cannot be read is left out and named."""
    unread: list[tuple[str, str]] = []

    def pages(operation: str, key: str, **given: object) -> list[Mapping[str, Any]]:
        try:
            return rds.pages(operation, key, **given)
        except RerootError as error:
            unread.append((f"{rds.region}: {operation}", _told(error)))
            return []

    raw = [i for i in pages("DescribeDBInstances", "DBInstances") if i.get("Engine") in POSTGRES]
    if unread:  # without its instances there is nothing more to say of a region
        return Region(rds.region, rds.login, unread=tuple(unread))
    clusters = {c["DBClusterIdentifier"]: c for c in pages("DescribeDBClusters", "DBClusters")}
    known: tuple[Authority, ...] = ()
    default = ""
    try:
        known, default = authorities(rds)
    except RerootError as error:
        unread.append((f"{rds.region}: DescribeCertificates", _told(error)))
    chosen = [i for i in raw if tags.items() <= _tags(i).items()]
    versions = {}
    for engine, version in sorted({(i["Engine"], i["EngineVersion"]) for i in chosen}):
        for one in pages("DescribeDBEngineVersions", "DBEngineVersions", Engine=engine, EngineVersion=version, IncludeAll=True):
            versions[engine, version] = Version(
                one.get("SupportsCertificateRotationWithoutRestart"), tuple(one.get("SupportedCACertificateIdentifiers", ()))
            )
    forced: dict[str, str] = {}
    actions: dict[str, tuple[tuple[str, str], ...]] = {}
    origins: dict[str, str] = {}
    apart = tuple(
        (name, c.get("Endpoint", ""))
        for name, c in clusters.items()
        if c.get("EngineMode") == SERVERLESS and c.get("Engine") in POSTGRES
    )
    region = Region(rds.region, rds.login, known, default, versions=versions)
    if around:
        forced = _forced(chosen, clusters, pages)
        for one in pages("DescribePendingMaintenanceActions", "PendingMaintenanceActions"):
            details = one.get("PendingMaintenanceActionDetails", ())
            actions[one["ResourceIdentifier"]] = tuple((d.get("Action", ""), _date(d)) for d in details)
        for one in pages(
            "DescribeEvents", "Events", SourceType="db-instance", Duration=EVENTS, EventCategories=["creation", "restoration"]
        ):
            if str(one.get("Message", "")).lower().startswith("restored from"):
                origins[one.get("SourceIdentifier", "")] = one["Message"]
        region = _around(region, pages)
    instances = tuple(_instance(i, rds.region, clusters, forced, actions, origins) for i in chosen)
    return Region(
        region.name, region.login, known, default, instances, versions,
        region.proxies, region.global_clusters, region.deployments, apart, tuple(unread),
    )  # fmt: skip


STUCK = ("stopp", "fail", "incompatible-", "inaccessible-", "storage-full", "restore-error", "delet", "insufficient-")
"""How statuses begin that do not become `available` by themselves, or not soon."""


def is_stuck(one: Instance) -> bool:
    return one.status.startswith(STUCK)


def _told(error: RerootError) -> str:
    """What went wrong with what to do about it: it is shown beside others, where there is no place for a hint of its own."""
    return f"{error.message.rstrip('.')}; {error.hint}" if error.hint else error.message


def instance(raw: Mapping[str, Any], region: str, cluster: Mapping[str, Any] | None = None) -> Instance:
    """One instance, as its own describe has it, and that of its *cluster* where that changes as a whole."""
    return _instance(raw, region, {cluster["DBClusterIdentifier"]: cluster} if cluster else {}, {}, {}, {})


def authorities(rds: Api) -> tuple[tuple[Authority, ...], str]:
    """The CA ids of a region and the default for new instances. ``ReachError`` where they cannot be read."""
    found: list[Authority] = []
    default, marker = "", ""
    while True:
        page = rds.look("DescribeCertificates", **({"Marker": marker} if marker else {}))
        default = str(page.get("DefaultCertificateForNewLaunches") or default)
        found += [
            Authority(
                c["CertificateIdentifier"],
                str(c.get("Thumbprint", "")).lower(),
                c["ValidTill"],
                bool(c.get("CustomerOverride")),
                c.get("CustomerOverrideValidTill"),
            )
            for c in page.get("Certificates", ())
        ]
        marker = str(page.get("Marker") or "")
        if not marker:
            return tuple(found), default


def _instance(
    raw: Mapping[str, Any],
    region: str,
    clusters: Mapping[str, Mapping[str, Any]],
    forced: Mapping[str, str],
    actions: Mapping[str, tuple[tuple[str, str], ...]],
    origins: Mapping[str, str],
) -> Instance:
    cluster = raw.get("DBClusterIdentifier", "")
    about = clusters.get(cluster, {})
    # What waits for a Multi-AZ DB cluster is told of the cluster, the CA beneath `CertificateDetails`.
    waits = dict(about.get("PendingModifiedValues", {}))
    ca_waits = waits.pop("CertificateDetails", {}).get("CAIdentifier")
    pending = waits | ({"CACertificateIdentifier": ca_waits} if ca_waits else {}) | raw.get("PendingModifiedValues", {})
    writers = {m["DBInstanceIdentifier"] for m in about.get("DBClusterMembers", ()) if m.get("IsClusterWriter")}
    arn = str(raw.get("DBInstanceArn", ""))
    return Instance(
        id=raw["DBInstanceIdentifier"],
        region=region,
        host=raw.get("Endpoint", {}).get("Address", ""),
        port=raw.get("Endpoint", {}).get("Port", 5432),
        engine=raw["Engine"],
        version=raw["EngineVersion"],
        status=raw.get("DBInstanceStatus", ""),
        ca=raw.get("CACertificateIdentifier", ""),
        leaf_ends=raw.get("CertificateDetails", {}).get("ValidTill"),
        ca_pending=pending.get("CACertificateIdentifier", ""),
        pending=tuple(sorted(k for k, v in pending.items() if k != "CACertificateIdentifier" and v not in ({}, [], None))),
        cluster=cluster,
        is_writer=raw["DBInstanceIdentifier"] in writers or not cluster,
        # Only a Multi-AZ DB cluster has an instance class of its own, and an engine that is not Aurora's.
        multi_az=bool(cluster) and not raw["Engine"].startswith("aurora"),
        source=raw.get("ReadReplicaSourceDBInstanceIdentifier", ""),
        window=raw.get("PreferredMaintenanceWindow", ""),
        force_ssl=forced.get(raw["DBInstanceIdentifier"], ""),
        maintenance=actions.get(arn, ()),
        tags=_tags(raw),
        account=arn.split(":")[4] if arn.count(":") > 5 else "",
        created=raw.get("InstanceCreateTime"),
        restored=origins.get(raw["DBInstanceIdentifier"], ""),
    )


def _forced(chosen: Sequence[Mapping[str, Any]], clusters: Mapping[str, Mapping[str, Any]], pages: Any) -> dict[str, str]:
    """``rds.force_ssl`` of each instance: of its cluster's parameter group where it has one."""
    known: dict[tuple[str, str], str] = {}
    found = {}
    for one in chosen:
        cluster = clusters.get(one.get("DBClusterIdentifier", ""))
        groups = one.get("DBParameterGroups", ())
        if cluster is not None:
            key = ("DBClusterParameters", str(cluster.get("DBClusterParameterGroup", "")))
        else:
            key = ("DBParameters", str(groups[0]["DBParameterGroupName"]) if groups else "")
        if key not in known and key[1]:
            name = "DBClusterParameterGroupName" if cluster is not None else "DBParameterGroupName"
            values = pages(f"Describe{key[0]}", "Parameters", **{name: key[1]})
            known[key] = next((str(p.get("ParameterValue", "")) for p in values if p["ParameterName"] == FORCE), "")
        found[one["DBInstanceIdentifier"]] = known.get(key, "")
    return found


def _around(region: Region, pages: Any) -> Region:
    proxies = tuple(
        (p["DBProxyName"], p.get("Endpoint", ""))
        for p in pages("DescribeDBProxies", "DBProxies")
        if p.get("EngineFamily") == "POSTGRESQL"
    )
    everywhere = tuple(
        (g["GlobalClusterIdentifier"], tuple(m.get("DBClusterArn", "") for m in g.get("GlobalClusterMembers", ())))
        for g in pages("DescribeGlobalClusters", "GlobalClusters")
    )
    deployments = tuple(
        (_name(d.get("Source", "")), _name(d.get("Target", "")))
        for d in pages("DescribeBlueGreenDeployments", "BlueGreenDeployments")
    )
    return Region(
        region.name, region.login, region.authorities, region.default, region.instances, region.versions,
        proxies, everywhere, deployments, region.serverless, region.unread,
    )  # fmt: skip


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _tags(raw: Mapping[str, Any]) -> dict[str, str]:
    return {t["Key"]: t.get("Value", "") for t in raw.get("TagList", ())}


def _date(details: Mapping[str, Any]) -> str:
    for word in ("CurrentApplyDate", "ForcedApplyDate", "AutoAppliedAfterDate"):
        if details.get(word):
            return f"{details[word]:%Y-%m-%d %H:%M} UTC"
    return ""
