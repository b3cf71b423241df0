"""
A rotation of a fleet of Aurora clusters, from discovery to retirement, on the stand-in's API and real PostgreSQL servers.

First with a client that nobody knows of and that is not ready: its refusals in the canary's log take the canary back and name
its address. Then with everybody ready, region by region, with the clients running.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..collect import aws
from ..collect._awsapi import Login
from ..collect._awsinventory import Wish, write
from ..collect.inventory import Inventory, read
from ..lab.aurora._catalogue import NEXT, OLD
from ..lab.aurora.clients import ADDRESS, PARTS, declared, make_roles, program
from ..lab.aurora.fleet import StandIn, clusters, stand_in
from ..lab.clients import Crowd, Program
from ..model import Verdict
from ..pki.certificate import Certificate
from ..plan import Phase
from ..reports.text import table
from ..rotation import Answer, State
from . import look
from .demo import Surprise, Tale, _rotate
from .fleet import Watch
from .survey import look as survey_look

SHAPE = {"us-east-1": ("orders", "billing"), "eu-west-1": ("search", "warehouse")}
STRANGER = "127.0.0.9"
HASTE = {"poll": 0.2, "settle": 15.0, "doubt": 5.0, "watch": 2.0, "wait": 180.0}
"""The provider's waits, for servers that need a fraction of a second where Aurora needs minutes."""


@dataclass
class Scene:
    """``folder`` holds an inventory for each region and the clients' trust stores."""

    folder: Path
    fleet: StandIn
    crowd: Crowd
    inventories: dict[str, Path]


@contextmanager
def scene(folder: Path, tale: Tale) -> Iterator[Scene]:
    """The fleet and its clients, up and running; the inventories are written by ``discover``."""
    (folder / "roots").mkdir()
    with stand_in(clusters(SHAPE)) as fleet:
        fleet.write_roots(folder / "published")
        make_roles(fleet)
        with Crowd([program(folder, part, fleet) for part in PARTS]) as crowd:
            count = len(fleet.world.instances)
            tale.tell(f"  {count} instances, {len(fleet.world.clusters)} clusters, {len(SHAPE)} regions; API at {fleet.url}")
            yield Scene(folder, fleet, crowd, {})


def discover(scene: Scene, tale: Tale) -> None:
    """What the API tells, and an inventory for each region."""
    login = Login(endpoint_url=scene.fleet.url)
    found = aws.discover([login], SHAPE)
    if found.unread:
        raise Surprise(f"not read: {found.unread}")
    rows = [(i.id, i.region, i.cluster, "writer" if i.is_writer else "reader", i.ca) for i in found.instances]
    tale.tell(table(("instance", "region", "cluster", "role", "CA"), rows, indent="  "))
    known = tuple(_certificate(p) for p in sorted((scene.folder / "published").glob("*.pem")))
    for region in found.regions:
        wish = Wish(NEXT, name="demo", soak="1s", address=ADDRESS, known=known, options=HASTE, canary=SHAPE[region.name][0])
        written = write(region, wish)
        if written is None:
            raise Surprise(f"there is nothing to rotate in {region.name}")
        for name, content in written.roots.items():
            (scene.folder / "roots" / name).write_bytes(content)
        path = scene.folder / f"reroot-{region.name}.toml"
        path.write_text(written.text + "".join(declared(scene.folder, p, scene.fleet) for p in PARTS if p.region == region.name))
        scene.inventories[region.name] = path
        tale.tell(f"  {path.name}: canary `{SHAPE[region.name][0]}`, readers before the writer")


def readiness(scene: Scene, tale: Tale) -> None:
    for region, path in scene.inventories.items():
        judged = look(read(path), datetime.now(UTC)).plan.judgements
        by_client = {j.client: j.verdict.value for j in judged}
        tale.tell(f"  {region}: " + ", ".join(f"{client} {verdict}" for client, verdict in sorted(by_client.items())))


def surprise_at_the_canary(scene: Scene, tale: Tale) -> None:
    """Somebody nobody declared connects to the canary and trusts the old root alone."""
    region = next(iter(SHAPE))
    inventory = read(scene.inventories[region])
    canary = next(i for i in scene.fleet.world.instances.values() if i.cluster == SHAPE[region][0] and not i.is_writer)
    home = scene.folder / "stranger"
    home.mkdir()
    store = home / "roots.pem"
    store.write_bytes(scene.fleet.root(region, OLD))
    dsn = f"{ADDRESS} {canary.stage.port} {canary.host} stranger {store} {STRANGER}"
    began = time.time()
    with Crowd([Program("stranger", "in-house", {canary.id: dsn}, home)]) as stranger:
        stranger.round([canary.id])
        state = _rotate(inventory, look(inventory, datetime.now(UTC)).plan, tale, Phase.SOAK, _watch(scene))
        if state is not State.ROLLED_BACK:
            raise Surprise(f"a client that is not ready was not noticed: {state}")
        if not any(f"{STRANGER} refused" in line for line in tale.lines):
            raise Surprise(f"nobody named {STRANGER}")
        back = stranger.round([canary.id])
        if any(a.outcome != "tls" for a in back[-1:]):
            raise Surprise("the canary was not taken back")
        failed = sum(a.outcome != "tls" for a in stranger.attempts())
    tale.tell(f"  {STRANGER} was refused {failed} times, is named in the report, and connects again")
    _no_failures(scene, region, began, tale)
    if {i.serves for i in scene.fleet.world.instances.values()} != {OLD}:
        raise Surprise("an instance was left on the next root")


def rotate(scene: Scene, tale: Tale, region: str) -> None:
    """One region, canary first, to the retirement of its old root."""
    inventory = read(scene.inventories[region])
    began = time.time()
    plan = look(inventory, datetime.now(UTC)).plan
    if (ended := _rotate(inventory, plan, tale, Phase.SOAK, _watch(scene))) is not None:
        raise Surprise(f"the rotation ended as {ended.value} before its soak")
    time.sleep(inventory.soak.total_seconds())
    if (ended := _rotate(inventory, plan, tale, Phase.RETIRE, lambda _: (Answer.OK, ""))) is not State.DONE:
        raise Surprise(f"the old root was not retired: {ended}")
    scene.crowd.round([i.id for i in scene.fleet.world.instances.values() if i.region == region])
    _no_failures(scene, region, began, tale)


def proof(scene: Scene, tale: Tale) -> None:
    """A handshake with every instance: done is what is shown, not what the API says."""
    served = {}
    for path in scene.inventories.values():
        inventory = read(path)
        served.update({s.name: s for s in survey_look(inventory, datetime.now(UTC)).plan.servers})
    wrong = [name for name, server in served.items() if not server.is_cut_over]
    if wrong:
        raise Surprise(f"not on the next root: {', '.join(wrong)}")
    calls = scene.fleet.world.calls
    seconds = calls[-1][0] - calls[0][0]
    tale.tell(f"  {len(served)} of {len(served)} instances show the next root; {len(calls)} API calls in {seconds:.0f} s")


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _watch(scene: Scene) -> Watch:
    def watch(server: str) -> tuple[Answer, str]:
        found = scene.crowd.round([server])
        bad = sorted({a.client for a in found if a.outcome != "tls"})
        said = f"{', '.join(bad)} failed" if bad else f"{len(found)} declared clients connected anew, all by TLS"
        return (Answer.FAILED if bad else Answer.OK), said

    return watch


def _no_failures(scene: Scene, region: str, began: float, tale: Tale) -> None:
    inventory: Inventory = read(scene.inventories[region])
    judged = look(inventory, datetime.now(UTC)).plan.judgements
    ready = {(j.client, j.server) for j in judged if j.verdict is Verdict.READY}
    attempts = [a for a in scene.crowd.attempts(since=began) if (a.client, a.server) in ready]
    bad = [a for a in attempts if a.outcome != "tls"]
    if bad or not attempts:
        first = bad[0] if bad else None
        raise Surprise(f"{first.client} was {first.outcome} at {first.server}: {first.error}" if first else "nobody connected")
    tale.tell(f"  {len(attempts)} connections of ready clients in {region}: 0 failed")


def _certificate(path: Path) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return Certificate(x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER))
