"""A large fleet on an API that throttles, breaks, cuts, lags and lies: the rotation finishes or stops safely, and knows which."""

from __future__ import annotations

import time
from bisect import bisect_right
from datetime import UTC, datetime

import pytest

from reroot.app import fleet_of, look, perform
from reroot.collect import aws
from reroot.collect._awsapi import Login
from reroot.collect._awsinventory import Wish, write
from reroot.collect.inventory import read
from reroot.collect.probe import Target, probe
from reroot.errors import GateClosed
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora.fleet import clusters
from reroot.ledger import open_ledger
from reroot.pki.certificate import Certificate
from reroot.pki.foreseen import leads_to
from reroot.plan import Phase
from reroot.rotation import Act, Answer, Sees, State
from tests.aurora import REGION, aurora

PER_SECOND = 10


@pytest.fixture(
    params=[pytest.param((4, 40.0, 0.5), id="16"), pytest.param((125, PER_SECOND, 60.0), id="500", marks=pytest.mark.matrix)]
)
def large(request, tmp_path, monkeypatch):
    """(clusters of four, calls a second, seconds that describes lag)."""
    number, rate, stale = request.param
    names = [f"c{n:03}" for n in range(number)]
    with aurora(tmp_path, monkeypatch, clusters({REGION: names}, size=4), gap=1 / rate, spread=True, fresh=min(10.0, number / 2)) as fleet:
        faults = fleet.lab.faults
        faults.throttle, faults.error, faults.cut, faults.stale = 0.30, 0.10, 0.05, stale
        faults.says_old |= {i.id for i in fleet.instances[5::20]}
        fleet.rate = rate
        yield fleet


def inventory(fleet):
    """As `reroot guide aurora --write` makes it, with one client of every server."""
    region = aws.discover([Login(endpoint_url=fleet.lab.url)], [REGION]).regions[0]
    assert not region.unread
    known = tuple(Certificate(fleet.lab.world.regions[REGION].authorities[id].root.der) for id in (OLD, NEXT))
    options = {"poll": 0.1, "settle": 0.2, "doubt": 2.0, "watch": 0.0, "wait": 120.0}
    written = write(region, Wish(NEXT, old=OLD, soak="0s", address="127.0.0.1", known=known, options=options))
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
        text = text.replace(f'"127.0.0.1"\nport = {one.stage.port}\n', f'"{one.stage.host}"\nport = {one.stage.port}\n')
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
    declared = inventory(large)
    began = time.monotonic()
    plan = look(declared, datetime.now(UTC)).plan
    print(f"plan for {len(plan.servers)} instances: {time.monotonic() - began:.1f} s, waves {[len(w) for w in plan.waves]}")
    liar, late = plan.waves[2][1], large.lab.instance(plan.waves[2][0]).cluster
    done = set()

    def tell(event):
        if event.answer is Answer.OK and event.step.sees is Sees.NEXT:
            done.add(event.step.subject)
            print(f"{len(done)} done after {len(large.lab.world.calls)} calls", end="\r", flush=True)
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

    declared = inventory(large)
    large.lab.faults.says_done.add(liar)
    assert rotate(large, declared, Phase.RETIRE, tell).state is State.ROLLED_BACK
    assert {id for id, is_next in shown(large).items() if is_next} == done

    large.lab.faults.says_done.clear()
    result = rotate(large, inventory(large), Phase.RETIRE, tell)
    assert result.state is State.DONE, result.failures[-5:]
    assert all(shown(large).values())
    assert done == {i.id for i in large.instances}
    assert (large.folder / "orders.pem").read_bytes() == large.lab.root(REGION, NEXT)

    moments = sorted(at for at, _, _, action in large.lab.world.calls if action != "CreateDBInstance")
    busiest = max(bisect_right(moments, at + 0.999) - i for i, at in enumerate(moments))
    print(f"{len(moments)} calls in {moments[-1] - moments[0]:.0f} s, {busiest} in the busiest second")
    assert busiest <= large.rate * 1.5 + 1
    assert len(moments) <= large.rate * (moments[-1] - moments[0]) + 1
