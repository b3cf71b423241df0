"""A fleet by its description, up and running: each instance with a real PostgreSQL or a light stage, and the API before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import InputError
from .. import postgres
from . import _catalogue
from ._clock import Course
from ._faults import Faults
from ._stages import Hall, LightStage, PostgresStage, Stage
from ._views import instance_view
from .server import Api
from .world import Cluster, Instance, Version, World

RDS_SETTINGS = {"max_connections": "60", "log_line_prefix": "%t:%r:%u@%d:[%p]:"}
"""The prefix is RDS's own, which nobody can change there."""
ACCESS = "local all all trust\nhost all all 127.0.0.0/8 trust\n"
MOST_SERVERS = 24
"""More instances than this get light stages: a real PostgreSQL takes some 19 MB."""
AGE = timedelta(days=500)
"""How long ago the instances of a fleet were created that is stood up."""


@dataclass(frozen=True, slots=True)
class Member:
    """One instance to stand up."""

    id: str
    region: str
    cluster: str = ""
    is_writer: bool = False
    ca: str = _catalogue.OLD
    engine: str = "aurora-postgresql"
    version: str = "15.4"
    multi_az: bool = False
    global_id: str = ""
    window: str = "sun:03:00-sun:04:00"
    group: str = "default"
    source: str = ""
    restart_free: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class StandIn:
    """``url`` is the API's; ``world`` is what there is, with its faults; ``roots`` are written beneath a folder on demand."""

    world: World
    api: Api

    @property
    def url(self) -> str:
        return self.api.url

    @property
    def faults(self) -> Faults:
        return self.world.faults

    def instance(self, id: str) -> Instance:
        return next(i for i in self.world.instances.values() if i.id == id)

    def root(self, region: str, id: str) -> bytes:
        """PEM of a root, as AWS would publish it."""
        return self.world.regions[region].authorities[id].root.cert_pem

    def write_roots(self, folder: Path) -> None:
        """``REGION-CA.pem`` for every root of every region."""
        folder.mkdir(parents=True, exist_ok=True)
        for region in self.world.regions.values():
            for authority in region.authorities.values():
                (folder / f"{region.name}-{authority.id}.pem").write_bytes(authority.root.cert_pem)


def clusters(shape: Mapping[str, Sequence[str]], *, size: int = 3, **same: Any) -> list[Member]:
    """``{region: [cluster …]}`` as members ``CLUSTER-1`` (the writer) to ``CLUSTER-size``."""
    return [
        Member(f"{cluster}-{n}", region, cluster, is_writer=n == 1, **same)
        for region, names in shape.items()
        for cluster in names
        for n in range(1, size + 1)
    ]


@contextmanager
def stand_in(
    members: Sequence[Member],
    *,
    light: bool = False,
    spread: bool = False,
    pace: float = 0.2,
    versions: Iterable[Version] = (),
    faults: Faults | None = None,
    old_ends: datetime | None = None,
    port: int = 0,
    course: Course | None = None,
) -> Iterator[StandIn]:
    """The API and every instance, until the block ends.

    *light* stages take no login, and have loopback addresses of their own with *spread*; *old_ends* is the end of every old root.
    *course* is the clock that everything happens by, the wall's where none is given.
    """
    _refuse_doubles(members)
    with ExitStack() as stack:
        hall = stack.enter_context(Hall(spread=spread)) if light else None
        world = World(pace=pace, faults=faults, course=course)
        stack.callback(world.close)
        for name in sorted({m.region for m in members} or {"us-east-1"}):
            world.regions[name] = _catalogue.region(name, old_ends=old_ends)
        for version in (*versions, *(Version(m.engine, m.version, m.restart_free) for m in members)):
            world.versions.setdefault((version.engine, version.version), version)
        world.new_stage = _real if hall is None else partial(LightStage, hall)
        _populate(world, members, stack, light=light)
        yield StandIn(world, stack.enter_context(Api(world, port)))


def _real(pair: tuple[bytes, bytes]) -> Stage:
    server = postgres.Postgres(pair, ACCESS, name="aurora", settings=RDS_SETTINGS)
    server.start()
    return PostgresStage(server)


def _populate(world: World, members: Sequence[Member], stack: ExitStack, *, light: bool) -> None:
    made: list[tuple[Member, tuple[str, ...], datetime, tuple[bytes, bytes]]] = []
    for one in members:
        if one.cluster:
            known = world.clusters.setdefault(
                (one.region, one.cluster),
                Cluster(one.cluster, one.region, one.engine, one.version, one.multi_az, one.global_id, one.group),
            )
            known.members.append(one.id)
        names = [f"{one.id}.lab.{one.region}.rds.lab.test"]
        if one.cluster:
            names += [known.host(), known.host(reader=True)]
        chain, key, ends = world.authority(one.region, one.ca).serve(tuple(names))
        made.append((one, tuple(names), ends, (chain, key)))
    born = datetime.now(UTC).replace(microsecond=0) - AGE
    stages: list[Stage] = []
    if light:
        assert world.new_stage is not None
        stages = [world.new_stage(pair) for *_, pair in made]
    else:
        servers = [postgres.Postgres(pair, ACCESS, name=one.id, settings=RDS_SETTINGS) for one, _, _, pair in made]
        stack.enter_context(postgres.fleet(servers))
        stages = [PostgresStage(server) for server in servers]
    for (one, where, ends, _), stage in zip(made, stages, strict=True):
        instance = Instance(
            one.id, one.region, stage, one.ca, one.ca, ends, where,
            engine=one.engine, version=one.version, cluster=one.cluster, is_writer=one.is_writer,
            source=one.source, window=one.window, group=one.group, tags=one.tags, created=born,
        )  # fmt: skip
        world.instances[one.region, one.id] = instance
        world.note(instance, lambda i: instance_view(world, i))


def like(document: Mapping[str, Any]) -> list[Member]:
    """The members of a fleet of which ``reroot guide aurora --json`` wrote an inventory, by its own names."""
    try:
        found = [
            Member(
                id=str(one["id"]),
                region=str(one["region"]),
                cluster=str(one.get("cluster", "")),
                is_writer=bool(one.get("is_writer", False)),
                ca=one["ca"] if one.get("ca") in _catalogue.IDS else _catalogue.OLD,
                engine=str(one.get("engine", "aurora-postgresql")),
                version=str(one.get("version", "15.4")),
                multi_az=bool(one.get("multi_az", False)),
                window=str(one.get("window", "")) or "sun:03:00-sun:04:00",
                group=_group(one),
                source=str(one.get("source", "")),
                restart_free=one.get("restart_free") is not False,
                tags={str(k): str(v) for k, v in one.get("tags", {}).items()},
            )
            for one in document["instances"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"this describes no fleet: {error}", hint="`reroot guide aurora -o json=inventory.json` writes one"
        ) from None
    if not found:
        raise InputError("there is no instance in it")
    return found


def furnish(world: World, document: Mapping[str, Any]) -> None:
    """What stands around the instances there, as the same JSON tells it: defaults, forced TLS, proxies, blue/green, global clusters."""
    for one in document["instances"]:
        if one.get("force_ssl") in ("0", "1"):
            world.parameters.setdefault((one["region"], _group(one)), {})["rds.force_ssl"] = one["force_ssl"]
    for told in document.get("regions", ()):
        region = world.regions.get(told.get("name", ""))
        if region is None:
            continue
        if told.get("default") in _catalogue.IDS:
            region.default = told["default"]
        world.proxies += [(region.name, name, host) for name, host in told.get("proxies", ())]
        world.deployments += [(region.name, source, target) for source, target in told.get("deployments", ())]
        for name, arns in told.get("global_clusters", ()):
            for arn in arns:
                where = (arn.split(":")[3], arn.rpartition(":")[2]) if arn.count(":") > 5 else ("", "")
                if where in world.clusters:
                    world.clusters[where].global_id = name


def _group(one: Mapping[str, Any]) -> str:
    """A parameter group for each cluster, or single instance: nothing tells how the others share theirs."""
    return f"group-of-{one.get('cluster') or one['id']}"


def _refuse_doubles(members: Sequence[Member]) -> None:
    seen: set[tuple[str, str]] = set()
    for one in members:
        if (one.region, one.id) in seen:
            raise InputError(f"there are two instances `{one.id}` in `{one.region}`")
        seen.add((one.region, one.id))
