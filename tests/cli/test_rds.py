"""A rotation of RDS instances from the command line: what stands in the way is named for each, the rest goes on, and exit codes say so."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.errors import GateClosed, RerootError
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora.fleet import clusters
from tests.aurora import REGION, aurora


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    with aurora(tmp_path, monkeypatch, clusters({REGION: ["a", "b"]}, size=2)) as running:
        monkeypatch.chdir(tmp_path)
        running.write()
        yield running


def run(*words, code):
    done = CliRunner().invoke(reroot, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        assert isinstance(done.exception, RerootError), done.exception
        assert done.exception.exit_code == code, done.exception
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def serves(fleet):
    return {id: ca for id, ca in fleet.serves().items() if id[0] in "ab"}


# ── taking back, with nothing but the servers to go by ───────────────────────────────────────────


def cut(fleet, id):
    fleet.client().modify_db_instance(DBInstanceIdentifier=id, CACertificateIdentifier=NEXT, ApplyImmediately=True)
    assert fleet.lab.world.settled()


def says_done(fleet):
    fleet.lab.faults.says_done.add("b-1")
    cut(fleet, "b-1")
    assert (fleet.lab.instance("b-1").ca, fleet.serves()["b-1"]) == (NEXT, OLD)


def says_old(fleet):
    fleet.lab.faults.says_old.add("b-1")
    cut(fleet, "b-1")
    said = fleet.client().describe_db_instances(DBInstanceIdentifier="b-1")["DBInstances"][0]["CACertificateIdentifier"]
    assert (said, fleet.serves()["b-1"]) == (OLD, NEXT)


def waits_for_its_window(fleet):
    fleet.client().modify_db_instance(DBInstanceIdentifier="b-1", CACertificateIdentifier=NEXT, ApplyImmediately=False)


@pytest.mark.parametrize("liar", [says_done, says_old, waits_for_its_window], ids=lambda f: f.__name__)
def test_a_rollback_without_names_finds_those_that_lie_and_those_that_wait(fleet, liar):
    cut(fleet, "a-2")
    liar(fleet)
    found = json.loads(run("rollback", "--json", code=0).stdout)
    assert found["servers"] == ["a-2", "b-1"]
    run("rollback", "--execute", "-q", code=0)
    assert set(serves(fleet).values()) == {OLD}
    assert fleet.lab.instance("b-1").ca == OLD
    assert not fleet.lab.instance("b-1").pending
    fleet.lab.faults.says_old.clear()
    assert json.loads(run("rollback", "--json", code=0).stdout)["servers"] == []


def test_a_rollback_that_cannot_read_an_instance_says_so_and_takes_the_others_back(fleet):
    cut(fleet, "a-2")
    fleet.client().delete_db_instance(DBInstanceIdentifier="b-2", SkipFinalSnapshot=True)
    done = run("rollback", "--execute", "--force", "--json", code=4)
    assert json.loads(done.stdout)["unread"] == ["b-2"]
    assert "there is no instance `b-2`" in done.stderr
    assert fleet.serves()["a-2"] == OLD


# ── what stands in the way ───────────────────────────────────────────────────────────────────────


def no_credentials(fleet, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def expired(fleet, monkeypatch):
    fleet.lab.faults.expired.add("AKIALABLABLABLABLAB0")


def denied(fleet, monkeypatch):
    fleet.lab.faults.denied.add("DescribeDBEngineVersions")


def region_off(fleet, monkeypatch):
    fleet.lab.world.regions[REGION].off = True


HINDRANCES = {
    no_credentials: ("Unable to locate credentials", "log in: `aws configure`"),
    expired: ("ExpiredToken", "log in again"),
    denied: ("AccessDenied", "`reroot emit iam`"),
    region_off: ("InvalidClientTokenId", "opted into this region"),
}


@pytest.mark.parametrize("hindrance", HINDRANCES, ids=lambda f: f.__name__)
def test_what_keeps_the_api_from_answering_is_named_for_each_instance_with_what_to_do(fleet, monkeypatch, hindrance):
    hindrance(fleet, monkeypatch)
    said = run("plan", code=4).stdout
    for id in serves(fleet):
        line = next(line for line in said.splitlines() if line.startswith(f"  {id}: "))
        assert all(word in line for word in HINDRANCES[hindrance])
    assert "incomplete: read what is missing, then plan again" in said
    with pytest.raises(GateClosed):
        run("rotate", "plan.json", "--execute", code=3)
    assert set(serves(fleet).values()) == {OLD}


def test_an_unknown_authority_is_named_for_its_instance_and_the_wave_before_it_stands(fleet):
    path = fleet.folder / "reroot.toml"
    text = path.read_text()
    at = text.index('name = "b-2"')
    path.write_text(text[:at] + text[at:].replace(f'ca = "{NEXT}"', 'ca = "rds-ca-2099"', 1))
    run("plan", code=1)
    done = run("rotate", "plan.json", "--execute", code=5)
    assert "`rds-ca-2099` is no CA of us-east-1: it offers `rds-ca-2019`" in done.stdout
    assert serves(fleet) == {"a-1": NEXT, "a-2": NEXT, "b-1": OLD, "b-2": OLD}
    assert json.loads(run("rollback", "--json", code=0).stdout)["servers"] == ["a-1", "a-2"]


def test_an_instance_that_vanished_is_named_and_the_others_are_judged(fleet):
    fleet.client().delete_db_instance(DBInstanceIdentifier="b-2", SkipFinalSnapshot=True)
    said = run("plan", code=4).stdout
    assert "  b-2: there is no instance `b-2` in us-east-1" in said
    assert "a-1" in said
    assert len(json.loads(run("status", "--json", code=4).stdout)) > 0


def test_a_token_that_expires_half_way_ends_with_the_calls_to_make_by_hand(fleet, monkeypatch):
    run("plan", code=1)
    act = fleet.lab.world.show

    def then_it_expires(instance, id, **given):
        act(instance, id, **given)
        if instance.id == "b-1":
            fleet.lab.faults.expired.add("AKIALABLABLABLABLAB0")

    monkeypatch.setattr(fleet.lab.world, "show", then_it_expires)
    done = run("rotate", "plan.json", "--execute", code=6)
    assert f"by hand: `aws rds modify-db-instance --db-instance-identifier b-1 --ca-certificate-identifier {OLD}" in done.stdout
    assert serves(fleet)["a-1"] == NEXT
