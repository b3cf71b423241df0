"""`reroot default-ca`: what new instances are born on, region by region; dry until it is told otherwise, believed when it is seen."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.errors import InputError
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora.fleet import clusters
from tests.aurora import REGION, aurora

OTHER = "eu-west-1"
BOTH = ("--region", REGION, "--region", OTHER)


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    with aurora(tmp_path, monkeypatch, clusters({REGION: ["a"], OTHER: ["b"]}, size=1)) as running:
        for region in running.lab.world.regions.values():
            region.default = OLD
        yield running


def default_ca(*words, code):
    done = CliRunner().invoke(reroot, ["default-ca", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def how(*words, code):
    return {r["region"]: r["how"] for r in json.loads(default_ca(*words, "--json", code=code))["regions"]}


def born(fleet):
    return {name: region.born for name, region in fleet.lab.world.regions.items()}


def test_it_shows_what_there_is_and_changes_nothing(fleet):
    said = default_ca(*BOTH, code=0)
    assert said.count(OLD) == 2
    assert "AWS" in said
    assert fleet.made("ModifyCertificates") == 0


def test_nothing_is_changed_without_execute(fleet):
    assert how("--to", NEXT, *BOTH, code=1) == {REGION: "would", OTHER: "would"}
    assert fleet.made("ModifyCertificates") == 0
    assert "back: `reroot default-ca --remove --region us-east-1 --execute`" in default_ca("--to", NEXT, *BOTH, code=1)


def test_each_region_has_a_default_of_its_own(fleet):
    assert how("--to", NEXT, "--region", REGION, "--execute", code=0) == {REGION: "done"}
    assert born(fleet) == {REGION: NEXT, OTHER: OLD}
    assert how("--to", NEXT, *BOTH, code=1) == {REGION: "so", OTHER: "would"}


def test_the_override_is_told_with_its_end_and_taken_away_again(fleet):
    said = default_ca("--to", NEXT, "--region", REGION, "--execute", code=0)
    ends = fleet.lab.world.regions[REGION].authorities[NEXT].root.certificate.not_valid_after_utc
    assert "the account" in said
    assert f"{ends:%Y-%m-%d}" in said
    default_ca("--remove", "--region", REGION, "--execute", code=0)
    assert born(fleet)[REGION] == OLD
    assert how("--remove", "--region", REGION, "--execute", code=0) == {REGION: "so"}
    assert fleet.made("ModifyCertificates") == 2


def test_a_region_that_cannot_be_read_and_one_that_does_not_offer_it_are_named_and_the_others_go_on(fleet):
    fleet.lab.world.regions[OTHER].withdrawn.add(NEXT)
    words = ("--to", NEXT, *BOTH, "--region", "mars-1", "--execute")
    assert how(*words, code=4) == {REGION: "done", OTHER: "refused", "mars-1": "unread"}
    said = default_ca(*words, code=4)
    assert "eu-west-1: `rds-ca-rsa2048-g1` is no CA of eu-west-1: it offers `rds-ca-2019`" in said
    assert "mars-1: InvalidClientTokenId" in said
    assert "opted into this region" in said
    assert born(fleet) == {REGION: NEXT, OTHER: OLD}


def test_a_denied_change_is_refused_with_the_rights_it_needs(fleet):
    fleet.lab.faults.denied.add("ModifyCertificates")
    said = default_ca("--to", NEXT, "--region", REGION, "--execute", code=5)
    assert "AccessDenied" in said
    assert "`reroot emit iam`" in said


@pytest.mark.parametrize("lost", ["cut", "error", "error after", "throttle"])
def test_a_lost_answer_is_looked_for(fleet, lost):
    fleet.lab.faults.once["ModifyCertificates"] = [lost]
    assert how("--to", NEXT, "--region", REGION, "--execute", code=0) == {REGION: "done"}
    assert born(fleet)[REGION] == NEXT


def test_a_default_that_is_never_seen_to_change_is_not_known(fleet):
    fleet.lab.faults.once["ModifyCertificates"] = ["error"] * 5
    assert how("--to", NEXT, "--region", REGION, "--execute", code=4) == {REGION: "unsure"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", NEXT, "--remove"), "do not go together"),
        (("--execute",), "nothing is said to be done"),
        ((), "no region is named"),
    ],
    ids=["both", "neither", "no region"],
)
def test_bad_input_is_told(fleet, monkeypatch, words, said):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(InputError, match=said):
        default_ca(*words, code=2)


def test_its_policy_is_what_it_calls_and_nothing_else(fleet):
    default_ca("--to", NEXT, "--region", REGION, "--execute", code=0)
    document = json.loads(CliRunner().invoke(reroot, ["emit", "iam", "--role", "defaults"]).stdout)
    allowed = {a.removeprefix("rds:") for s in document["Statement"] for a in s["Action"]}
    assert {call[3] for call in fleet.lab.world.calls} == allowed
