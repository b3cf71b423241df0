"""Traps of RDS that spring rarely; and the page that lists every trap with the test that springs it."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reroot.app import look
from reroot.collect import aws
from reroot.collect._awsapi import Api, Login, Rate, Refused
from reroot.collect._awsdrift import findings
from reroot.errors import ProviderError
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora._clock import Simulated
from reroot.lab.aurora.fleet import Member, clusters
from reroot.lab.aurora.world import Cluster, Version
from reroot.providers import find
from reroot.providers._rdslogs import refused
from tests.aurora import REGION, aurora

rds = find("rds")
NOW = datetime.now(UTC)
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "aurora-traps.md"


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    members = [
        *clusters({REGION: ["a"]}, size=2),
        Member("single", REGION, engine="postgres", version="15.4", group="default.postgres15"),
        Member("older", REGION, engine="postgres", version="14.9", group="default.postgres14"),
        *(Member(f"multi-{n}", REGION, "multi", engine="postgres", multi_az=True, is_writer=n == 1) for n in (1, 2, 3)),
    ]
    with aurora(tmp_path, monkeypatch, members) as running:
        yield running


def region(fleet):
    return aws.discover([Login(endpoint_url=fleet.lab.url)], [REGION]).regions[0]


def found(fleet, to=NEXT):
    fleet_ = aws.discover([Login(endpoint_url=fleet.lab.url)], [REGION])
    return {(f.code, f.subject.rpartition(": ")[2]) for f in findings(fleet_, to, NOW)}


def test_what_waits_for_a_multi_az_cluster_is_told_of_the_cluster_and_seen_for_each_member(fleet):
    fleet.client().modify_db_cluster(DBClusterIdentifier="multi", CACertificateIdentifier="rds-ca-ecc384-g1")
    said = fleet.client().describe_db_instances(DBInstanceIdentifier="multi-2")["DBInstances"][0]
    assert said["PendingModifiedValues"] == {}
    assert {("ca-waits", f"multi-{n}") for n in (1, 2, 3)} <= found(fleet)
    with pytest.raises(ProviderError, match="`rds-ca-ecc384-g1` waits for its window already"):
        rds.stage(fleet.site("multi-2", cluster="multi"), NOW)


def test_other_changes_that_wait_for_a_multi_az_cluster_are_not_flushed_by_the_way(fleet):
    fleet.lab.instance("multi-1").pending["EngineVersion"] = "16.1"
    with pytest.raises(ProviderError, match="`EngineVersion`"):
        rds.cut_over(fleet.site("multi-2", cluster="multi"))
    assert fleet.made("ModifyDBCluster") == 0


def test_a_multi_az_cluster_is_taken_back_as_a_whole(fleet):
    for act in (rds.cut_over, rds.roll_back):
        act(fleet.site("multi-3", cluster="multi"))
    assert {fleet.serves()[f"multi-{n}"] for n in (1, 2, 3)} == {OLD}
    assert fleet.made("ModifyDBCluster") == 2


def test_who_waits_to_be_taken_back_does_not_wait_for_other_changes_and_is_told_that_they_came_along(fleet):
    rds.cut_over(fleet.site("a-1"))
    fleet.client().modify_db_instance(DBInstanceIdentifier="a-1", DBInstanceClass="db.r6g.xlarge", ApplyImmediately=False)
    notes = rds.roll_back(fleet.site("a-1"))
    assert "applied with it: `DBInstanceClass`" in notes
    assert fleet.serves()["a-1"] == OLD


@pytest.mark.parametrize("status", ["stopped", "incompatible-parameters", "storage-full"])
def test_an_instance_that_stands_still_is_told_at_once_and_not_waited_for(fleet, status):
    fleet.lab.instance("a-1").status = status
    with pytest.raises(ProviderError, match=f"it is `{status}`, which does not become `available` by itself"):
        rds.stage(fleet.site("a-1"), NOW)
    with pytest.raises(ProviderError, match=f"`a-1` is `{status}`"):
        rds.cut_over(fleet.site("a-1", wait=3600.0))
    assert fleet.made("ModifyDBInstance") == 0


def test_serverless_v1_has_other_roots_and_no_instance_to_rotate(fleet):
    fleet.lab.world.clusters[REGION, "sleepy"] = Cluster("sleepy", REGION, mode="serverless")
    assert ("serverless-v1", "sleepy") in found(fleet)
    assert region(fleet).serverless == (("sleepy", fleet.lab.world.clusters[REGION, "sleepy"].host()),)
    assert not [i for i in region(fleet).instances if i.cluster == "sleepy"]


def test_an_api_that_does_not_say_whether_it_restarts_is_taken_for_one_that_does(fleet, monkeypatch):
    fleet.lab.world.versions["aurora-postgresql", "15.4"] = Version("aurora-postgresql", "15.4", restart_free=None)
    with pytest.raises(ProviderError, match="may need a restart, the API does not say: agree to it with `restart = true`"):
        rds.stage(fleet.site("a-1"), NOW)


def test_tls_is_forced_by_default_from_postgres_15_on_and_not_on_aurora_so_it_is_read(fleet):
    assert {i.id: i.force_ssl for i in region(fleet).instances if i.id in ("a-1", "single", "older")} == {
        "a-1": "0",
        "single": "1",
        "older": "0",
    }


def test_a_leaf_of_the_old_authority_ends_and_nobody_renews_it(fleet):
    fleet.lab.instance("older").leaf_ends = NOW + timedelta(days=30)
    assert ("leaf-ends", "older") in found(fleet)


def test_a_region_that_offers_few_authorities_is_told_apart_from_a_version_that_takes_few(fleet):
    """China's pages list only rds-ca-rsa2048-g1."""
    fleet.lab.world.regions[REGION].withdrawn |= {"rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"}
    codes = {code for code, _ in found(fleet, "rds-ca-ecc384-g1")}
    assert "ca-not-offered" in codes
    assert "ca-not-supported" not in codes
    assert "old-default" not in codes


def test_an_instance_that_is_being_changed_by_somebody_else_is_waited_for(tmp_path, monkeypatch):
    """A describe that is out of date says `available`; the call says that it is not."""
    course = Simulated()
    with aurora(tmp_path, monkeypatch, course=course, gap=0.1, pace=45.0) as fleet:
        fleet.lab.faults.stale = 30.0
        course.wait(60.0)
        fleet.client().modify_db_instance(DBInstanceIdentifier="a-1", DBInstanceClass="db.r6g.xlarge", ApplyImmediately=True)
        rds.cut_over(fleet.site("a-1", poll=5.0, settle=60.0, doubt=90.0, wait=1200.0))
        assert fleet.serves()["a-1"] == NEXT
        assert fleet.made("ModifyDBInstance") > 2, "ours was refused at first, and not given up"


def test_a_certificate_that_waits_for_a_restart_shows_nowhere_and_comes_with_a_failover(fleet):
    """`CertificateRotationRestart = false`: nothing is pending, the API says the old CA, and a night later it is another."""
    fleet.client().modify_db_instance(
        DBInstanceIdentifier="a-1", CACertificateIdentifier=NEXT, CertificateRotationRestart=False, ApplyImmediately=True
    )
    assert fleet.lab.world.settled()
    before = look(fleet.write(members=["a-1", "a-2"]), NOW).plan
    assert [s.is_cut_over for s in before.servers] == [False, False]
    fleet.client().failover_db_cluster(DBClusterIdentifier="a")
    assert fleet.lab.world.settled()
    after = look(fleet.write(members=["a-1", "a-2"]), NOW).plan
    assert {s.name: s.is_cut_over for s in after.servers} == {"a-1": True, "a-2": False}
    assert ("mixed-cluster", "a") in found(fleet)


REFUSAL = "2026-11-23 10:31:{:02} UTC:10.0.0.9({}):[unknown]@[unknown]:[{}]:LOG:  could not accept SSL connection: {}\n"


def test_a_large_log_is_read_once_however_often_one_looks_at_it(fleet):
    """RDS gives a megabyte at a time; from the beginning at each look, a busy hour would never be read."""
    path = fleet.folder / "server.log"
    path.write_text("".join(REFUSAL.format(n % 60, n, n, "EOF detected").replace("10.0.0.9", "10.0.0.3") for n in range(25_000)))
    fleet.lab.instance("a-1").stage.log = path
    since = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    looks = []

    def grow(seconds):
        looks.append(fleet.made("DownloadDBLogFilePortion"))
        with path.open("a") as file:
            file.write(whole[:50] if len(looks) == 1 else whole[50:] if len(looks) == 2 else "")

    whole = REFUSAL.format(5, 1, 1, "tlsv1 alert unknown ca")
    clock = Simulated()
    clock.wait = grow
    rate = Rate(10, clock)
    rate.gap = 0.0
    api = Api(Login(endpoint_url=fleet.lab.url), REGION, rate=rate)
    assert refused(api, "a-1", since, 60.0, 5.0, ours="10.0.0.3") == ("10.0.0.9 refused the certificate: tlsv1 alert unknown ca",)
    assert looks == [3, 4], "three portions, then what is new: half a line, and its other half"


ROLE = "arn:aws:iam::123456789012:role/reroot"


def test_a_role_that_was_lent_for_an_hour_is_assumed_again_in_the_middle_of_a_rotation(fleet):
    site = fleet.site("a-1", role=ROLE)
    rds.stage(site, NOW)
    fleet.lab.faults.expired |= set(fleet.lab.api.lent)
    rds.cut_over(site)
    assert fleet.serves()["a-1"] == NEXT
    assert fleet.made("ModifyDBInstance") == 1
    assert fleet.made("AssumeRole") == 2


def test_a_change_whose_role_has_ended_was_not_made_and_is_asked_for_again(fleet):
    api = Api(Login(role=ROLE, endpoint_url=fleet.lab.url), REGION)
    api.look("DescribeCertificates")
    fleet.lab.faults.expired |= set(fleet.lab.api.lent)
    api.change("ModifyDBInstance", DBInstanceIdentifier="a-1", CACertificateIdentifier=NEXT, ApplyImmediately=True)
    assert fleet.lab.world.settled()
    assert fleet.serves()["a-1"] == NEXT


def test_a_login_that_has_ended_itself_cannot_assume_the_role_again(fleet):
    api = Api(Login(role=ROLE, endpoint_url=fleet.lab.url), REGION)
    api.look("DescribeCertificates")
    fleet.lab.faults.expired |= {*fleet.lab.api.lent, "AKIALABLABLABLABLAB0"}
    with pytest.raises(Refused, match="ExpiredToken") as raised:
        api.look("DescribeCertificates")
    assert "AssumeRole" in raised.value.where


def test_a_role_is_assumed_although_the_first_answers_are_broken(fleet):
    fleet.lab.faults.once["AssumeRole"] = ["throttle", "error"]
    Api(Login(role=ROLE, endpoint_url=fleet.lab.url), REGION).look("DescribeCertificates")
    assert fleet.made("AssumeRole") == 3


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def test_every_trap_of_the_page_has_a_test_that_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 30
    known = {path: _functions(ROOT / path) for path, _ in named}
    assert [(path, name) for path, name in named if name not in known[path]] == []


def test_every_row_of_the_page_names_a_test_and_a_source():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "---" not in line][1:]
    rows = [r for r in rows if not r.startswith("| trap ")]
    assert [r for r in rows if "`tests/" not in r or len([c for c in r.strip("|").split("|") if c.strip()]) != 4] == []


def _functions(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)}
