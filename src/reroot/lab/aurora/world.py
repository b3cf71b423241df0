"""
What there is: regions, clusters and instances of the stand-in, and how a change of an instance runs its course.

A change takes time: ``available`` → ``modifying`` → (``rebooting``) → ``available``. What an instance looked like before is kept
for a while, for describes that are out of date.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ._catalogue import Authority, Region
from ._clock import Course, Running
from ._faults import Faults
from ._stages import Stage
from ._wire import fault

ACCOUNT = "123456789012"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Version:
    """An engine version: whether a certificate can be changed without a restart, and which CA ids it takes."""

    engine: str
    version: str
    restart_free: bool = True
    authorities: tuple[str, ...] = ("rds-ca-2019", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")


@dataclass(eq=False)
class Instance:
    """``ca`` is what the API says, ``serves`` what the server shows; ``staged`` waits for the next restart, planned or not.

    ``pending`` are modifications that wait for the window, by RDS's names.
    """

    id: str
    region: str
    stage: Stage
    ca: str
    serves: str
    leaf_ends: datetime
    names: tuple[str, ...]
    engine: str = "aurora-postgresql"
    version: str = "15.4"
    cluster: str = ""
    source: str = ""
    is_writer: bool = False
    status: str = "available"
    pending: dict[str, Any] = field(default_factory=dict)
    staged: str = ""
    window: str = "sun:03:00-sun:04:00"
    group: str = "default"
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    said: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.names[0]


@dataclass(eq=False)
class Cluster:
    """``multi_az`` is a Multi-AZ DB cluster, whose CA is set for all members at once; else it is Aurora's.

    ``mode`` is ``serverless`` for Aurora Serverless v1, which has no instances.
    """

    id: str
    region: str
    engine: str = "aurora-postgresql"
    version: str = "15.4"
    multi_az: bool = False
    global_id: str = ""
    group: str = "default"
    mode: str = "provisioned"
    members: list[str] = field(default_factory=list)

    def host(self, *, reader: bool = False) -> str:
        return f"{self.id}.cluster-{'ro-' if reader else ''}lab.{self.region}.rds.lab.test"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, as ``DescribeEvents`` has it."""

    source: str
    region: str
    message: str
    at: datetime
    category: str = "configuration change"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of an instance, or with ``cluster`` of a cluster. It remembers no CA."""

    id: str
    region: str
    source: str
    engine: str
    version: str
    cluster: bool = False


class World:
    """Everything, behind one lock. ``pace`` is how many seconds of its ``course`` a change takes."""

    def __init__(self, *, pace: float = 0.2, faults: Faults | None = None, course: Course | None = None) -> None:
        self.lock = threading.RLock()
        self.course = course or Running()
        self._began = datetime.now(UTC), self.course.now()
        self.pace = pace
        self.faults = faults or Faults()
        self.regions: dict[str, Region] = {}
        self.instances: dict[tuple[str, str], Instance] = {}
        self.clusters: dict[tuple[str, str], Cluster] = {}
        self.versions: dict[tuple[str, str], Version] = {}
        self.parameters: dict[tuple[str, str], dict[str, str]] = {}
        self.snapshots: dict[tuple[str, str], Snapshot] = {}
        self.proxies: list[tuple[str, str, str]] = []
        self.deployments: list[tuple[str, str, str]] = []
        self.maintenance: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[Happening] = []
        self.calls: list[tuple[float, str, str, str]] = []
        self.new_stage: Callable[[tuple[bytes, bytes]], Stage] | None = None

    def close(self) -> None:
        self.course.close()
        for instance in self.instances.values():
            instance.stage.stop()

    # -- looking things up

    def region(self, name: str) -> Region:
        return self.regions[name]

    def instance(self, region: str, id: str) -> Instance:
        found = self.instances.get((region, id))
        if found is None:
            raise fault("DBInstanceNotFoundFault", f"DBInstance {id} not found.")
        return found

    def cluster(self, region: str, id: str) -> Cluster:
        found = self.clusters.get((region, id))
        if found is None:
            raise fault("DBClusterNotFoundFault", f"DBCluster {id} not found.")
        return found

    def authority(self, region: str, id: str) -> Authority:
        found = {a.id: a for a in self.region(region).offered()}.get(id)
        if found is None:
            raise fault("CertificateNotFoundFault", f"Certificate {id} not found.")
        return found

    def version_of(self, thing: Instance | Cluster) -> Version:
        return self.versions.get((thing.engine, thing.version)) or Version(thing.engine, thing.version)

    # -- what happens

    def happened(self, source: str, region: str, message: str, category: str = "configuration change") -> None:
        self.events.append(Happening(source, region, message, datetime.now(UTC).replace(microsecond=0), category))

    def note(self, instance: Instance, view: Callable[[Instance], dict[str, Any]]) -> None:
        """Remember what *instance* looks like now, for describes that lag behind."""
        instance.said.append((self.course.now(), view(instance)))
        del instance.said[:-50]

    def later(self, act: Callable[[], None], seconds: float | None = None) -> None:
        """Do *act* when its time has come."""
        self.course.later(self.pace if seconds is None else seconds, act)

    def until_window(self, instance: Instance) -> float:
        """Seconds to the beginning of the next maintenance window of *instance*, by the stand-in's own clock."""
        at, moment = self._began
        now = at + timedelta(seconds=self.course.now() - moment)
        day, hour, minute = instance.window.partition("-")[0].split(":")
        opens = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        opens += timedelta(days=(DAYS.index(day.lower()) - now.weekday()) % 7)
        return (opens - now + timedelta(days=7 if opens <= now else 0)).total_seconds()

    def settled(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is under way."""
        return self.course.settled(timeout)

    @property
    def mishaps(self) -> list[str]:
        return self.course.mishaps

    def show(self, instance: Instance, id: str, *, restart: bool) -> None:
        """Have the server behind *instance* show a fresh leaf of the CA *id*."""
        chain, key, ends = self.authority_even_withdrawn(instance.region, id).serve(instance.names)
        if restart:
            instance.stage.restart((chain, key))
        else:
            instance.stage.present((chain, key))
        instance.serves, instance.leaf_ends = id, ends

    def authority_even_withdrawn(self, region: str, id: str) -> Authority:
        return self.region(region).authorities[id]


def soon(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
