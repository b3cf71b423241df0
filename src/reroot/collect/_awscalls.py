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
    """Who needs the right: whoever looks, whoever changes servers, whoever says what new servers are born on."""

    OBSERVER = "observer"
    ROTATOR = "rotator"
    DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True)
class Call:
    """``operation`` is RDS's own word; ``kind`` the resource that an ARN can limit it to, ``""`` where none can."""

    operation: str
    why: str
    roles: frozenset[Role]
    kind: str = ""
    changes: bool = False

    @property
    def action(self) -> str:
        return f"rds:{self.operation}"


LOOKS = frozenset({Role.OBSERVER})
BOTH = frozenset({Role.OBSERVER, Role.ROTATOR})
ACTS = frozenset({Role.ROTATOR})
ALL = frozenset(Role)

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
    Call("DescribeDBLogFiles", "finding the log that names refused clients", BOTH, "db"),
    Call("DownloadDBLogFilePortion", "reading which clients refused a server's certificate", BOTH, "db"),
    Call("ModifyDBInstance", "changing the CA of one instance, and taking it back", ACTS, "db", True),
    Call("ModifyDBCluster", "the same for a Multi-AZ DB cluster, whose members cannot be changed singly", ACTS, "cluster", True),
    Call("ModifyCertificates", "which CA new instances of a region are born on", frozenset({Role.DEFAULTS}), "", True),
)

CALLS: Mapping[str, Call] = MappingProxyType({call.operation: call for call in _CALLS})


def of(role: Role) -> tuple[Call, ...]:
    """What *role* calls, in the order of the list."""
    return tuple(call for call in _CALLS if role in call.roles)
