"""
A large fleet on an API that throttles, breaks, cuts, lags and lies: the rotation finishes or stops safely, and knows which.

By the laboratory's clock, with the provider's own waits and a rate of ten calls a second: a day of it passes in minutes.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from reroot.app import fleet_of, look, perform
from reroot.collect import aws
from reroot.collect._awsapi import Login
from reroot.collect._awsinventory import Wish, write
from reroot.collect._clock import WALL
from reroot.collect.inventory import read
from reroot.collect.probe import Target, probe
from reroot.errors import GateClosed
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora._clock import Running, Simulated
from reroot.lab.aurora.fleet import clusters
from reroot.ledger import open_ledger
from reroot.pki.certificate import Certificate
from reroot.pki.foreseen import leads_to
from reroot.plan import Phase
from reroot.rotation import Act, Answer, Sees, State
from tests.aurora import REGION, aurora

PER_SECOND = 10
HASTE = {"poll": 0.5, "settle": 1.0, "doubt": 4.0, "watch": 0.0, "wait": 600.0}


@dataclass(frozen=True)
class Day:
    """Clusters of four; seconds that describes lag and that a change takes; the provider's waits, its own where nothing is said."""

    clusters: int
    simulated: bool = True
    stale: float = 60.0
    pace: float = 45.0
    options: dict[str, Any] = field(default_factory=dict)


DAYS = [
    pytest.param(Day(4), id="16"),
    pytest.param(Day(4, False, 2.0, 0.2, HASTE), id="16-by-the-wall-clock", marks=pytest.mark.matrix),
    pytest.param(Day(125), id="500", marks=pytest.mark.matrix),
]


@pytest.fixture(params=DAYS)
def large(request, tmp_path, monkeypatch):
    day = request.param
    members = clusters({REGION: [f"c{n:03}" for n in range(day.clusters)]}, size=4)
    course = Simulated() if day.simulated else Running()
    with aurora(tmp_path, monkeypatch, members, gap=1 / PER_SECOND, spread=True, fresh=10.0, course=course, pace=day.pace) as fleet:
        faults = fleet.lab.faults
        faults.throttle, faults.error, faults.cut, faults.stale = 0.30, 0.10, 0.05, day.stale
        faults.says_old |= {i.id for i in fleet.instances[5::20]}
        fleet.day = day
        yield fleet


def inventory(fleet):
    """As `reroot guide aurora --write` makes it, with one client of every server."""
    region = aws.discover([Login(endpoint_url=fleet.lab.url)], [REGION]).regions[0]
    assert not region.unread
    known = tuple(Certificate(fleet.lab.world.regions[REGION].authorities[id].root.der) for id in (OLD, NEXT))
    written = write(region, Wish(NEXT, old=OLD, soak="0s", address="127.0.0.1", known=known, options=fleet.day.options))
    (fleet.folder / "roots").mkdir(exist_ok=True)
    for name, content in written.roots.items():
        (fleet.folder / "roots" / name).write_bytes(content)
    client = (
        '\n[[client]]\nname = "orders"\ndriver = "libpq"\nversion = "17.2"\nruntime = { libpq = "17.2", openssl = "3.0.19" }\n'
        f'dsn = "host={{host}} port={{port}} user=a sslmode=verify-full sslrootcert={fleet.folder}/orders.pem"\n'
        f'reaches = {[i.id for i in region.instances]}\ntrust_stores = ["orders.pem"]\n'
    )
    text = written.text
    for one in fleet.instances:
        # by its name: two of them may have the same port, each at an address of its own
        text = text.replace(f'"{one.host}"\naddress = "127.0.0.1"\n', f'"{one.host}"\naddress = "{one.stage.host}"\n')
    (fleet.folder / "reroot.toml").write_text(text + client)
    return read(fleet.folder / "reroot.toml")


def shown(fleet):
    """By a handshake with every endpoint: whether it leads to the next root."""
    root = Certificate(fleet.lab.world.regions[REGION].authorities[NEXT].root.der)
    targets = {Target(i.host, i.stage.port, i.stage.host): i.id for i in fleet.instances}
    return {targets[p.target]: leads_to(tuple(map(Certificate, p.chain)), root) for p in probe(targets, timeout=30)}


def rotate(fleet, declared, through, tell=lambda event: None):
    with open_ledger(str(fleet.folder / "ledger.sqlite")) as ledger:
        lease = ledger.acquire(declared.name, "test", datetime.now(UTC))
        plan = look(declared, datetime.now(UTC)).plan
        try:
            return perform(plan, fleet_of(declared, patience=1.0), ledger, lease, through=through, tell=tell)
        finally:
            ledger.release(lease)


def test_a_large_fleet_on_a_bad_day(large):
    began, clock = time.process_time(), large.lab.world.course
    first = clock.now()
    declared = inventory(large)
    begun = WALL.now()
    plan = look(declared, datetime.now(UTC)).plan
    print(f"plan for {len(plan.servers)} instances: {WALL.now() - begun:.1f} s, waves {[len(w) for w in plan.waves]}")
    late = large.lab.instance(plan.waves[2][0]).cluster
    done = set()

    def tell(event):
        if event.answer is Answer.OK and event.step.sees is Sees.NEXT:
            done.add(event.step.subject)
            if len(done) % 50 == 0:
                print(f"{len(done)} done after {len(large.lab.world.calls)} calls, {clock.now() - first:.0f} s", flush=True)
        elif event.answer is Answer.OK and event.step.act is Act.ROLL_BACK:
            done.discard(event.step.subject)
        if event.step.act is Act.CUT_OVER and event.step.wave == 1 and f"{late}-9" not in {i.id for i in large.instances}:
            large.lab.faults.once["CreateDBInstance"] = [""]
            large.client().create_db_instance(
                DBInstanceIdentifier=f"{late}-9", DBInstanceClass="x", Engine="aurora-postgresql", DBClusterIdentifier=late,
                CACertificateIdentifier=OLD,
            )  # fmt: skip

    with pytest.raises(GateClosed, match=f"server `{late}-9` was added"):
        print(rotate(large, declared, Phase.RETIRE, tell))
    assert {id for id, is_next in shown(large).items() if is_next} == done
    assert len(done) == sum(map(len, plan.waves[:2]))
    print(f"stopped at the gate, {len(done)} done: `{late}-9` appeared")

    declared = inventory(large)
    liar = look(declared, datetime.now(UTC)).plan.waves[2][1]
    large.lab.faults.says_done.add(liar)
    assert rotate(large, declared, Phase.RETIRE, tell).state is State.ROLLED_BACK
    assert {id for id, is_next in shown(large).items() if is_next} == done
    print(f"rolled back the wave, {len(done)} done: `{liar}` said that it is done, and was not")

    large.lab.faults.says_done.clear()
    result = rotate(large, inventory(large), Phase.RETIRE, tell)
    assert result.state is State.DONE, result.failures[-5:]
    assert all(shown(large).values())
    assert done == {i.id for i in large.instances}
    assert (large.folder / "orders.pem").read_bytes() == large.lab.root(REGION, NEXT)

    moments = sorted(at for at, _, _, action in large.lab.world.calls if action != "CreateDBInstance")
    busiest = max(i + 1 - bisect_left(moments, at - 1 + 1e-6) for i, at in enumerate(moments))
    print(
        f"{len(done)} done, each by a handshake; {len(moments)} calls in {moments[-1] - first:.0f} s, {busiest} in the busiest second; "
        f"{time.process_time() - began:.0f} s of CPU"
    )
    # By the wall's clock one call may take longer on its way than the next, so there eleven may arrive in a second, but none early.
    assert all(at - first >= number / PER_SECOND - 1e-6 for number, at in enumerate(moments))
    assert busiest <= PER_SECOND or not large.day.simulated
