"""
Every call that reroot makes of AWS, by who makes it: the only list. The API client refuses a call that is not in it, and
``reroot emit iam`` prints it as a policy, so that policy and code cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Role(Enum):
    """Who needs the right: who looks, who changes servers, who says what new servers are born on; who reads logs, scans accounts, or
    logs in to databases."""

    OBSERVER = "observer"
    ROTATOR = "rotator"
    DEFAULTS = "defaults"
    LOG_READER = "log-reader"
    SCANNER = "scanner"
    WATCHER = "watcher"


@dataclass(frozen=True, slots=True)
class Call:
    """``operation`` is the service's own word; ``kind`` the resource of RDS that an ARN can limit it to, ``""`` where none can.

    Where the right is called otherwise than the call, ``right`` is its name; ``limit`` is the ARN for services beside RDS.
    """

    operation: str
    why: str
    roles: frozenset[Role]
    kind: str = ""
    changes: bool = False
    service: str = "rds"
    right: str = ""
    limit: str = ""

    @property
    def action(self) -> str:
        return f"{self.service}:{self.right or self.operation}"

    @property
    def arn(self) -> str:
        """What it can be limited to, with places for ``partition``, ``region``, ``account``, ``bucket`` and ``user``; ``""``
        for nothing."""
        return f"arn:{{partition}}:rds:{{region}}:{{account}}:{self.kind}:*" if self.kind else self.limit


LOOKS = frozenset({Role.OBSERVER})
BOTH = frozenset({Role.OBSERVER, Role.ROTATOR})
ACTS = frozenset({Role.ROTATOR})
ALL = frozenset({Role.OBSERVER, Role.ROTATOR, Role.DEFAULTS})
READS = frozenset({Role.LOG_READER})
SCANS = frozenset({Role.SCANNER})
LOG_GROUPS = "arn:{partition}:logs:{region}:{account}:log-group:*"

_CALLS = (
    Call("DescribeDBInstances", "each instance's CA, leaf, status, window and pending changes", BOTH),
    Call("DescribeDBClusters", "which instances fail over to each other", BOTH),
    Call("DescribeCertificates", "the CA ids of a region, their roots and the default for new instances", ALL),
    Call("DescribeDBEngineVersions", "whether a version takes the CA, and without a restart", BOTH),
    Call("DescribePendingMaintenanceActions", "what AWS is going to do by itself, and when", LOOKS),
    Call("DescribeGlobalClusters", "clusters that fail over to another region", LOOKS),
    Call("DescribeDBProxies", "proxies, whose certificates are of another authority", LOOKS),
    Call("DescribeBlueGreenDeployments", "instances that will take another's place", LOOKS),
    Call("DescribeDBParameters", "rds.force_ssl", LOOKS, "pg"),
    Call("DescribeDBClusterParameters", "rds.force_ssl of clusters", LOOKS, "cluster-pg"),
    Call("DescribeEvents", "which instances were restored of late", LOOKS),
    Call("DescribeDBLogFiles", "finding the log that names refused clients", BOTH | READS, "db"),
    Call("DownloadDBLogFilePortion", "reading which clients refused a server's certificate", BOTH | READS, "db"),
    Call("ModifyDBInstance", "changing the CA of one instance, and taking it back", ACTS, "db", True),
    Call("ModifyDBCluster", "the same for a Multi-AZ DB cluster, whose members cannot be changed singly", ACTS, "cluster", True),
    Call("ModifyCertificates", "which CA new instances of a region are born on", frozenset({Role.DEFAULTS}), "", True),
    Call("ListObjectsV2", "`ingest s3://`: which logs there are", READS, service="s3", right="ListBucket", limit="arn:{partition}:s3:::{bucket}"),
    Call("GetObject", "`ingest s3://`: reading them", READS, service="s3", limit="arn:{partition}:s3:::{bucket}/*"),
    Call("DescribeLogStreams", "`ingest cloudwatch://`: whose logs there are", READS, service="logs", limit=LOG_GROUPS),
    Call("GetLogEvents", "`ingest cloudwatch://`: reading them", READS, service="logs", limit=LOG_GROUPS),
    Call("ListFunctions", "`scan aws`: environments of functions", SCANS, service="lambda"),
    Call("ListTaskDefinitions", "`scan aws`: which tasks there are", SCANS, service="ecs"),
    Call("DescribeTaskDefinition", "`scan aws`: environments of tasks", SCANS, service="ecs"),
    Call("GetParametersByPath", "`scan aws`: parameters", SCANS, service="ssm", limit="arn:{partition}:ssm:{region}:{account}:parameter/*"),
    Call("ListSecrets", "`scan aws`: which secrets there are", SCANS, service="secretsmanager"),
    Call(
        "GetSecretValue", "`scan aws`: how they say to connect", SCANS,
        service="secretsmanager", limit="arn:{partition}:secretsmanager:{region}:{account}:secret:*",
    ),
    Call("GetConnections", "`scan aws`: connections of Glue", SCANS, service="glue"),
    Call("DescribeEndpoints", "`scan aws`: connections of DMS", SCANS, service="dms"),
    Call("DescribeRegions", "`scan aws --all-regions`", SCANS, service="ec2"),
    Call(
        "connect", "`observe --iam`: a token in place of a password, which is signed here", frozenset({Role.WATCHER}),
        service="rds-db", limit="arn:{partition}:rds-db:{region}:{account}:dbuser:*/{user}",
    ),
)  # fmt: skip

CALLS: Mapping[str, Call] = MappingProxyType({call.operation: call for call in _CALLS if call.service == "rds"})
"""What is asked of RDS, by its operation."""

LISTED = frozenset((call.service, call.operation) for call in _CALLS)
"""All that a session may call, by service and operation."""


def of(role: Role) -> tuple[Call, ...]:
    """What *role* calls, in the order of the list."""
    return tuple(call for call in _CALLS if role in call.roles)
