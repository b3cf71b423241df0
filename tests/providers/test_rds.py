"""The provider of RDS and Aurora against the stand-in, with every trap of the real API sprung."""

from __future__ import annotations

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from reroot.app import fleet_of, look, perform
from reroot.collect import _awsapi, aws
from reroot.collect._awsapi import Api, Login, Rate, Refused, Unsure
from reroot.collect._awscalls import CALLS
from reroot.collect.ingest._remote import find_remote, open_remote
from reroot.errors import GateClosed, InputError, ProviderError, ReachError, RerootError, RollbackFailed
from reroot.lab import ca
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora._clock import Simulated
from reroot.lab.aurora.fleet import Member, clusters
from reroot.lab.aurora.world import Version
from reroot.ledger import open_ledger
from reroot.model import Verdict
from reroot.plan import Phase
from reroot.providers import find
from reroot.rotation import Act, Answer, Sees, State, Step
from tests.aurora import REGION, aurora

rds = find("rds")
NOW = datetime.now(UTC)
OLDER = Version("aurora-postgresql", "12.9", restart_free=False, authorities=(OLD, NEXT))
LIMITED = Version("aurora-postgresql", "11.9", authorities=(OLD,))


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    members = [
        *clusters({REGION: ["a", "b"]}, size=2),
        Member("older", REGION, version="12.9"),
        Member("limited", REGION, version="11.9"),
        *(Member(f"multi-{n}", REGION, "multi", engine="postgres", multi_az=True, is_writer=n == 1) for n in (1, 2, 3)),
    ]
    with aurora(tmp_path, monkeypatch, members, versions=[OLDER, LIMITED]) as running:
        yield running


def rotate(fleet, inventory, through=Phase.RETIRE, **given):
    """The whole machinery: plan, journal, acts, probes."""
    told = []
    with open_ledger(str(fleet.folder / "ledger.sqlite")) as ledger:
        lease = ledger.acquire(inventory.name, "test", datetime.now(UTC))
        plan = given.pop("plan", None) or look(inventory, datetime.now(UTC)).plan
        try:
            result = perform(plan, fleet_of(inventory, patience=0.3, **given), ledger, lease, through=through, tell=told.append)
        finally:
            ledger.release(lease)
    return result, [e for e in told if e.answer is not None]


def sees(inventory, id, what):
    return fleet_of(inventory, patience=0.3).sees(Step(Act.PROBE, id, Phase.CANARY, 0, what))


# ── there and back ───────────────────────────────────────────────────────────────────────────────


def test_a_fleet_goes_from_the_first_look_to_the_end(fleet):
    inventory = fleet.write(members=["a-1", "a-2", "b-1", "b-2"])
    before = look(inventory, NOW)
    assert {j.verdict for j in before.plan.judgements} == {Verdict.BREAKS}
    assert {j.verdict for j in before.after_trust} == {Verdict.READY}

    result, _ = rotate(fleet, inventory)

    assert result.state is State.DONE
    assert {id: ca for id, ca in fleet.serves().items() if id[0] in "ab"} == dict.fromkeys(["a-1", "a-2", "b-1", "b-2"], NEXT)
    assert fleet.made("ModifyDBInstance") == 4
    assert (fleet.folder / "orders.pem").read_bytes() == fleet.lab.root(REGION, NEXT)


def test_every_act_may_be_done_twice_and_is_asked_for_once(fleet):
    site = fleet.site("a-1")
    rds.stage(site, NOW), rds.stage(site, NOW)
    rds.cut_over(site)
    assert "already" in rds.cut_over(site)[0]
    assert (fleet.serves()["a-1"], fleet.made("ModifyDBInstance")) == (NEXT, 1)
    rds.roll_back(site)
    assert "already" in rds.roll_back(site)[0]
    assert (fleet.serves()["a-1"], fleet.made("ModifyDBInstance")) == (OLD, 2)


def test_the_readers_of_a_cluster_are_judged_with_their_writer(fleet):
    plan = look(fleet.write(members=["a-2", "a-1"]), NOW).plan
    assert plan.waves == (("a-2", "a-1"),)
    assert set(plan.members(0)) == {"a-1", "a-2"}


def test_a_client_is_judged_against_a_chain_that_only_aws_will_make(fleet):
    """Foretold beneath a likeness of the root; what is really served afterwards gets the same verdict."""
    inventory = fleet.write(members=["a-1", "a-2"])
    (fleet.folder / "orders.pem").write_bytes(fleet.lab.root(REGION, OLD) + fleet.lab.root(REGION, NEXT))
    foretold = {(j.client, j.server): j.verdict for j in look(inventory, NOW).plan.judgements}
    for id in ("a-1", "a-2"):
        rds.cut_over(fleet.site(id))
    assert {(j.client, j.server): j.verdict for j in look(inventory, NOW).plan.judgements} == foretold
    assert set(foretold.values()) == {Verdict.READY}


def test_a_client_that_pins_the_present_intermediate_breaks(fleet):
    inventory = fleet.write(members=["a-1"])
    sub = fleet.lab.world.regions[REGION].authorities[OLD].subordinate.cert_pem
    (fleet.folder / "orders.pem").write_bytes(fleet.lab.root(REGION, OLD) + sub)
    assert {j.verdict for j in look(inventory, NOW).plan.judgements} == {Verdict.BREAKS}


# ── what speaks against it, before anything is changed ───────────────────────────────────────────

REFUSALS = {
    "an authority that the region does not offer": (
        "a-1",
        {"ca": "rds-ca-1999"},
        "is no CA of us-east-1: it offers `rds-ca-2019`",
    ),
    "an authority that is another root": ("a-1", {"ca": "rds-ca-ecc384-g1"}, "is not the inventory's next root"),
    "a version that does not take it": ("limited", {}, "does not take `rds-ca-rsa2048-g1`"),
    "a restart that nobody agreed to": ("older", {}, "needs a restart: agree to it with `restart = true`"),
    "a member of a Multi-AZ cluster": ("multi-1", {}, "changes as a whole: give `cluster`"),
    "a cluster where it has none": ("a-1", {"cluster": "a"}, "an Aurora cluster has no CA of its own"),
    "no way back": ("a-1", {"old_ca": "rds-ca-2015"}, "there is no way back: us-east-1 offers `rds-ca-2015` no more"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_speaks_against_it_is_known_before_anything_is_changed(fleet, case):
    id, options, said = REFUSALS[case]
    with pytest.raises(ProviderError) as raised:
        rds.stage(fleet.site(id, **options), NOW)
    assert said in raised.value.message
    assert fleet.made("ModifyDBInstance") == fleet.made("ModifyDBCluster") == 0


@pytest.mark.parametrize(
    ("id", "options"),
    [("older", {"restart": True}), ("a-1", {"old_ca": "rds-ca-2015", "one_way": True})],
    ids=["restart", "one way"],
)
def test_a_person_may_agree_to_it(fleet, id, options):
    rds.stage(fleet.site(id, **options), NOW)
    rds.cut_over(fleet.site(id, **options))
    assert fleet.serves()[id] == NEXT


def test_other_pending_changes_are_not_flushed_by_the_way(fleet):
    fleet.client().modify_db_instance(DBInstanceIdentifier="a-1", DBInstanceClass="db.r6g.xlarge", ApplyImmediately=False)
    for act in (lambda s: rds.stage(s, NOW), rds.cut_over):
        with pytest.raises(ProviderError, match="`DBInstanceClass`"):
            act(fleet.site("a-1"))
    assert fleet.serves()["a-1"] == OLD
    rds.cut_over(fleet.site("a-1", flush=True))
    assert fleet.serves()["a-1"] == NEXT


def test_another_authority_that_waits_for_its_window_is_not_overrun(fleet):
    fleet.client().modify_db_instance(DBInstanceIdentifier="a-1", CACertificateIdentifier="rds-ca-ecc384-g1")
    with pytest.raises(ProviderError, match="`rds-ca-ecc384-g1` waits for its window already"):
        rds.stage(fleet.site("a-1"), NOW)


def test_an_old_root_that_has_ended_is_no_way_back(tmp_path, monkeypatch):
    ended = NOW.replace(microsecond=0) - timedelta(hours=1)
    with aurora(tmp_path, monkeypatch, old_ends=ended) as fleet, pytest.raises(ProviderError, match="there is no way back"):
        rds.stage(fleet.site("a-1"), NOW)


def test_a_restart_is_never_declined_so_nothing_waits_for_a_failover(fleet):
    rds.cut_over(fleet.site("older", restart=True))
    assert fleet.serves()["older"] == NEXT
    assert fleet.lab.instance("older").staged == ""


def test_a_multi_az_cluster_is_changed_as_a_whole_and_once(fleet):
    for n in (1, 2, 3):
        rds.cut_over(fleet.site(f"multi-{n}", cluster="multi"))
    assert {fleet.serves()[f"multi-{n}"] for n in (1, 2, 3)} == {NEXT}
    assert fleet.made("ModifyDBCluster") == 1


# ── nobody is believed ───────────────────────────────────────────────────────────────────────────


def test_an_instance_that_says_done_and_serves_the_old_root_is_rolled_back(fleet):
    fleet.lab.faults.says_done.add("b-1")
    result, told = rotate(fleet, fleet.write(members=["a-1", "a-2", "b-1", "b-2"]))
    assert result.state is State.ROLLED_BACK
    assert {id: c for id, c in fleet.serves().items() if id[0] in "ab"} == {"a-1": NEXT, "a-2": NEXT, "b-1": OLD, "b-2": OLD}
    assert any("the API says that it is done, but a handshake still shows another root" in e.note for e in told)


def test_an_instance_that_serves_the_next_root_and_says_old_is_done(fleet):
    fleet.lab.faults.says_old |= {"a-1", "b-2"}
    result, told = rotate(fleet, fleet.write(members=["a-1", "a-2", "b-1", "b-2"]))
    assert result.state is State.DONE
    assert any("although the API does not say so" in e.note for e in told)


def test_a_change_of_which_nothing_is_pending_and_nothing_came_is_not_done(fleet):
    """terraform-provider-aws #33546: the value is taken, nothing happens, nothing is pending."""
    fleet.lab.faults.hides_pending.add("a-1")
    fleet.lab.faults.says_done.add("a-1")
    rds.cut_over(fleet.site("a-1"))
    assert sees(fleet.write(members=["a-1"]), "a-1", Sees.NEXT)[0] is Answer.FAILED


def test_the_right_root_over_a_certificate_without_names_is_not_done(fleet):
    """golang/go #39568: the CA id was right, and the certificates beneath it had no subject alternative names."""
    inventory = fleet.write(members=["a-1"])
    instance = fleet.lab.instance("a-1")
    authority = fleet.lab.world.regions[REGION].authorities[NEXT]
    leaf = ca.leaf(authority.subordinate, instance.host, dns=[])
    instance.stage.present((leaf.cert_pem + authority.subordinate.cert_pem, leaf.key_pem))
    answer, said = sees(inventory, "a-1", Sees.NEXT)
    assert answer is Answer.FAILED
    assert "does not name" in said


def test_a_certificate_that_aws_renews_by_itself_is_no_change_of_plan(fleet):
    inventory = fleet.write(members=["a-1", "a-2"])
    plan = look(inventory, NOW).plan
    fleet.lab.world.show(fleet.lab.instance("a-2"), OLD, restart=False)
    result, _ = rotate(fleet, inventory, plan=plan)
    assert result.state is State.DONE


def test_a_half_rotated_cluster_says_that_a_failover_changes_the_root(fleet):
    rds.cut_over(fleet.site("a-2"))
    assert any(
        "a failover of `a` changes it: `a-2` has `rds-ca-rsa2048-g1`" in note for note in rds.discover(fleet.site("a-1")).notes
    )


def test_a_stuck_instance_ends_as_not_known_and_is_not_asked_again(fleet):
    fleet.lab.faults.stuck.add("a-1")
    fleet.lab.faults.says_done.add("a-1")
    fleet.lab.faults.hides_pending.add("a-1")
    with pytest.raises(Unsure, match="not done after"):
        rds.cut_over(fleet.site("a-1", wait=0.5))
    assert fleet.made("ModifyDBInstance") == 1


# ── answers that get lost ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lost", ["cut", "error after"])
def test_a_lost_answer_is_followed_by_a_look_not_by_a_second_call(fleet, lost):
    fleet.lab.faults.once["ModifyDBInstance"] = [lost]
    notes = rds.cut_over(fleet.site("a-1"))
    assert "got no answer, but was done" in notes[0]
    assert (fleet.serves()["a-1"], fleet.made("ModifyDBInstance")) == (NEXT, 1)


def test_a_call_that_broke_and_did_nothing_is_unsure_until_somebody_looked(fleet):
    fleet.lab.faults.once["ModifyDBInstance"] = ["error"] * 4
    with pytest.raises(Unsure):
        rds.cut_over(fleet.site("a-1"))
    assert (fleet.serves()["a-1"], fleet.made("ModifyDBInstance")) == (OLD, 4)
    result, _ = rotate(fleet, fleet.write(members=["a-1", "a-2"]))
    assert result.state is State.DONE


def test_between_two_changes_of_one_instance_it_is_always_looked_at(fleet):
    fleet.lab.faults.once["ModifyDBInstance"] = ["cut", "error", "error"]
    assert rotate(fleet, fleet.write(members=["a-1", "a-2"]))[0].state is State.DONE
    seen = [call[3] for call in fleet.lab.world.calls if call[3] in ("ModifyDBInstance", "DescribeDBInstances")]
    changes = [i for i, action in enumerate(seen) if action == "ModifyDBInstance"]
    assert all("DescribeDBInstances" in seen[a:b] for a, b in pairwise(changes))


def test_what_a_liar_said_before_a_lost_answer_is_no_sign_that_it_was_done(fleet):
    rds.cut_over(fleet.site("a-1"))
    fleet.lab.faults.says_old.add("a-1")
    fleet.lab.faults.once["ModifyDBInstance"] = ["error"]
    rds.roll_back(fleet.site("a-1"))
    assert (fleet.serves()["a-1"], fleet.made("ModifyDBInstance")) == (OLD, 3)


def test_a_throttled_change_is_tried_again_since_it_was_not_made(fleet):
    fleet.lab.faults.once["ModifyDBInstance"] = ["throttle", "throttle"]
    rds.cut_over(fleet.site("a-1"))
    assert fleet.serves()["a-1"] == NEXT


@pytest.mark.parametrize("act", ["cut_over", "roll_back"])
def test_an_expired_token_is_told_at_once_and_not_waited_for(fleet, act):
    site = fleet.site("a-1", wait=3600.0)
    fleet.lab.faults.expired.add("AKIALABLABLABLABLAB0")
    with pytest.raises(RerootError, match="ExpiredToken"):
        getattr(rds, act)(site)
    assert fleet.made("DescribeDBInstances") == 1


def test_a_token_that_expires_after_the_call_leaves_it_to_the_handshake(fleet):
    inventory = fleet.write(members=["a-1"])
    fleet.lab.faults.stuck.add("a-1")
    site, api = fleet.site("a-1", wait=3600.0), fleet.api()
    asked = type(api).change

    def change_and_expire(self, operation, **given):
        try:
            return asked(self, operation, **given)
        finally:
            fleet.lab.faults.expired.add("AKIALABLABLABLABLAB0")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_awsapi.Api, "change", change_and_expire)
        with pytest.raises(Unsure, match="it was asked for, and cannot be looked at any more: ExpiredToken"):
            rds.cut_over(site)
    assert fleet.lab.world.settled()
    assert sees(inventory, "a-1", Sees.NEXT)[0] is Answer.OK


def test_stale_describes_of_a_lost_answer_do_not_lead_to_a_second_change(fleet):
    fleet.lab.faults.once["ModifyDBInstance"] = ["cut"]
    fleet.lab.faults.stale = 0.3
    rds.cut_over(fleet.site("a-1", doubt=3.0))
    assert (fleet.serves()["a-1"], fleet.made("ModifyDBInstance")) == (NEXT, 1)


# ── calls ────────────────────────────────────────────────────────────────────────────────────────


def test_looks_are_tried_again_until_the_deadline_and_then_given_up(fleet):
    fleet.lab.faults.once["DescribeDBInstances"] = ["throttle", "error", "cut"]
    assert len(fleet.api().pages("DescribeDBInstances", "DBInstances")) == len(fleet.instances)
    fleet.lab.faults.throttle = 1.0
    course = Simulated()
    with pytest.raises(Refused, match="Throttling"):
        fleet.api(rate=Rate(10, course), deadline=60.0).look("DescribeDBInstances")
    assert 55 < course.now() < 61


def test_two_calls_are_never_closer_than_the_gap_whoever_makes_them(fleet):
    rate = Rate(50)
    api, began = fleet.api(rate=rate), rate.clock.now()
    threads = [threading.Thread(target=lambda: [api.look("DescribeCertificates") for _ in range(10)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moments = sorted(at for at, _, _, action in fleet.lab.world.calls if action == "DescribeCertificates")
    assert len(moments) == 30
    assert all(at - began >= number * rate.gap - 1e-6 for number, at in enumerate(moments))


def test_a_call_that_no_policy_names_is_refused_by_the_client_itself(fleet):
    with pytest.raises(AssertionError, match="in no policy"):
        fleet.api().look("DeleteDBInstance")


def fault(fleet, monkeypatch, which):
    if which == "no credentials":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
    elif which == "expired":
        fleet.lab.faults.expired.add("AKIALABLABLABLABLAB0")
    elif which == "denied":
        fleet.lab.faults.denied.add("DescribeDBInstances")
    elif which == "a region that is off":
        fleet.lab.world.regions[REGION].off = True


@pytest.mark.parametrize(
    ("which", "hint"),
    [
        ("no credentials", "log in"),
        ("expired", "log in again"),
        ("denied", "`reroot emit iam`"),
        ("a region that is off", "opted into this region"),
    ],
    ids=lambda v: v if " " in v or v in ("expired", "denied") else "",
)
def test_what_stands_in_the_way_is_named_with_what_to_do(fleet, monkeypatch, which, hint):
    fault(fleet, monkeypatch, which)
    with pytest.raises(Refused) as raised:
        fleet.api().look("DescribeDBInstances")
    assert hint in raised.value.hint
    assert REGION in raised.value.where


def test_one_region_that_cannot_be_read_does_not_hide_the_others(tmp_path, monkeypatch):
    members = [*clusters({REGION: ["a"], "eu-west-1": ["c"]}, size=2)]
    with aurora(tmp_path, monkeypatch, members) as fleet:
        fleet.lab.world.regions["eu-west-1"].off = True
        found = aws.discover([Login(endpoint_url=fleet.lab.url)], [REGION, "eu-west-1", "mars-1"])
        assert {i.id for i in found.instances} == {"a-1", "a-2"}
        assert [subject for subject, _ in found.unread] == ["eu-west-1: DescribeDBInstances", "mars-1: DescribeDBInstances"]


def test_an_instance_that_vanished_is_named_and_the_rest_goes_on(fleet):
    inventory = fleet.write(members=["a-1", "a-2", "older"])
    fleet.client().delete_db_instance(DBInstanceIdentifier="older", SkipFinalSnapshot=True)
    sight = look(inventory, NOW)
    assert {subject for subject, _ in sight.unread} == {"older"}
    assert {j.server for j in sight.after_trust if j.verdict is Verdict.READY} == {"a-1", "a-2"}
    with pytest.raises(ProviderError, match="not found"):
        rds.cut_over(fleet.site("a-1", instance="older"))


def test_a_member_that_appears_half_way_closes_the_next_gate(fleet):
    inventory = fleet.write(members=["a-1", "a-2", "b-1", "b-2"])
    plan = look(inventory, NOW).plan
    rotate(fleet, inventory, Phase.CANARY, plan=plan)
    fleet.client().create_db_instance(
        DBInstanceIdentifier="b-3", DBInstanceClass="x", Engine="aurora-postgresql", DBClusterIdentifier="b"
    )
    with pytest.raises(GateClosed, match="server `b-3` was added"):
        rotate(fleet, inventory, plan=plan)
    assert fleet.serves()["b-1"] == OLD
    assert ("b-3", "it fails over within `b`, and is not in the inventory") in look(inventory, NOW).unread


def test_a_rollback_that_fails_names_the_call_to_make_by_hand(fleet):
    rds.cut_over(fleet.site("a-1"))
    fleet.lab.faults.denied.add("ModifyDBInstance")
    with pytest.raises(RollbackFailed) as raised:
        rds.roll_back(fleet.site("a-1"))
    assert f"aws rds modify-db-instance --db-instance-identifier a-1 --ca-certificate-identifier {OLD}" in raised.value.message


def test_a_role_is_assumed_before_anything_is_asked(fleet):
    api = Api(Login(role="arn:aws:iam::123456789012:role/reroot", endpoint_url=fleet.lab.url), REGION)
    api.look("DescribeCertificates")
    assert [call[3] for call in fleet.lab.world.calls][-2:] == ["AssumeRole", "DescribeCertificates"]


def test_an_option_with_a_typing_error_is_refused_with_the_right_word(fleet):
    with pytest.raises(InputError) as raised:
        rds.discover(fleet.site("a-1", old_cs="x"))
    assert raised.value.hint == "did you mean `old_ca`?"


# ── rights ───────────────────────────────────────────────────────────────────────────────────────


def allowed(role):
    from reroot.cli.emit import policy

    document = json.loads(json.dumps(policy(role)))
    return {action.removeprefix("rds:") for statement in document["Statement"] for action in statement["Action"]}


def test_the_rotators_policy_is_what_a_rotation_calls_and_nothing_else(fleet, monkeypatch):
    made = []
    look_up = _awsapi.Api._until
    monkeypatch.setattr(_awsapi.Api, "_until", lambda self, op, *rest: (made.append(op), look_up(self, op, *rest))[1])
    assert rotate(fleet, fleet.write(members=["a-1", "a-2"]))[0].state is State.DONE
    rds.cut_over(fleet.site("multi-1", cluster="multi"))
    rds.roll_back(fleet.site("multi-1", cluster="multi"))
    serve_log(fleet)
    rds.refused(fleet.site("a-1"), NOW - timedelta(days=1))
    assert set(made) == allowed("rotator")
    assert set(made) == {call[3] for call in fleet.lab.world.calls}


def serve_log(fleet):
    (fleet.folder / "server.log").write_text("2026-11-23 10:00:00 UTC::@:[1]:LOG:  ready\n")
    fleet.lab.instance("a-1").stage.log = fleet.folder / "server.log"


def test_the_observers_policy_is_what_a_discovery_calls_and_nothing_else(fleet):
    """With `reroot ingest rds://…`, which reads the same logs."""
    aws.discover([Login(endpoint_url=fleet.lab.url)], [REGION])
    serve_log(fleet)
    for log in find_remote(f"rds://{REGION}/a-1", "", None):
        assert b"ready" in open_remote(log, ()).read(1000)
    assert Counter(call[3] for call in fleet.lab.world.calls).keys() == allowed("observer")


def test_every_call_of_the_list_belongs_to_somebody_and_says_why():
    assert all(call.roles and call.why for call in CALLS.values())
    assert {o for o, call in CALLS.items() if call.changes} == {"ModifyDBInstance", "ModifyDBCluster", "ModifyCertificates"}
    assert allowed("defaults") == {"DescribeCertificates", "ModifyCertificates"}
    assert not {c for c in allowed("observer") if CALLS[c].changes}


def test_a_log_that_may_not_be_read_is_not_a_clean_log(fleet):
    inventory = fleet.write(members=["a-1"])
    fleet.lab.faults.denied.add("DescribeDBLogFiles")
    answer, said = sees(inventory, "a-1", Sees.CLIENTS)
    assert answer is Answer.UNSURE
    assert "cannot be read" in said
    with pytest.raises(ProviderError, match="its log, which would name who refuses it, cannot be read"):
        rds.stage(fleet.site("a-1"), NOW)
    rds.stage(fleet.site("a-1", log=False), NOW)
    assert rds.refused(fleet.site("a-1", log=False), NOW) == ()


def test_a_picture_of_a_region_that_has_a_hole_is_not_taken_for_the_whole(fleet):
    fleet.lab.faults.denied.add("DescribeDBEngineVersions")
    with pytest.raises(ReachError, match="AccessDenied"):
        rds.discover(fleet.site("a-1"))
