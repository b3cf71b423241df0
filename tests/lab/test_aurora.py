"""The stand-in for the RDS API has the traps of the real one, and is understood by real boto3 and the real command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from reroot.errors import InputError
from reroot.lab.aurora._catalogue import IDS, NEXT, OLD
from reroot.lab.aurora._changes import open_window
from reroot.lab.aurora._clock import Simulated
from reroot.lab.aurora.fleet import Member, clusters, like, stand_in
from reroot.lab.aurora.world import Version
from reroot.pki.certificate import Certificate
from reroot.providers._rdsstage import thumbprint
from tests.aurora import REGION, aurora

OLDER = Version("aurora-postgresql", "12.9", restart_free=False, authorities=(OLD, NEXT))


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    members = [
        *clusters({REGION: ["a"]}, size=2),
        Member("old-1", REGION, version="12.9"),
        *(Member(f"multi-{n}", REGION, "multi", engine="postgres", multi_az=True, is_writer=n == 1) for n in (1, 2, 3)),
        Member("far-1", "eu-west-1"),
    ]
    with aurora(tmp_path, monkeypatch, members, versions=[OLDER]) as running:
        yield running


def one(fleet, id="a-1"):
    return fleet.client().describe_db_instances(DBInstanceIdentifier=id)["DBInstances"][0]


def modify(fleet, id="a-1", ca=NEXT, **given):
    return fleet.client().modify_db_instance(DBInstanceIdentifier=id, CACertificateIdentifier=ca, **given)["DBInstance"]


def refusal(act, *words, **given):
    with pytest.raises(ClientError) as raised:
        act(*words, **given)
    return raised.value.response["Error"]["Code"]


def test_a_region_offers_its_authorities_with_their_validity_and_a_default(fleet):
    said = fleet.client().describe_certificates()

    assert [c["CertificateIdentifier"] for c in said["Certificates"]] == list(IDS)
    assert said["DefaultCertificateForNewLaunches"] == NEXT
    assert all(c["ValidFrom"] < datetime.now(UTC) < c["ValidTill"] for c in said["Certificates"])


def test_every_region_has_roots_of_its_own_under_the_same_ids(fleet):
    here, there = (
        {c["CertificateIdentifier"]: c["Thumbprint"] for c in fleet.client(r).describe_certificates()["Certificates"]}
        for r in (REGION, "eu-west-1")
    )
    assert here.keys() == there.keys()
    assert not set(here.values()) & set(there.values())


def test_a_thumbprint_is_the_sha1_of_the_root_as_aws_publishes_it(fleet):
    authority = fleet.lab.world.regions[REGION].authorities[NEXT]
    said = fleet.client().describe_certificates(CertificateIdentifier=NEXT)["Certificates"][0]
    assert said["Thumbprint"] == thumbprint(Certificate(authority.root.der))


def test_a_change_at_once_runs_its_course_and_is_served(fleet):
    assert modify(fleet, ApplyImmediately=True)["PendingModifiedValues"] == {"CACertificateIdentifier": NEXT}
    assert fleet.lab.world.settled()
    after = one(fleet)
    assert (after["DBInstanceStatus"], after["CACertificateIdentifier"], after["PendingModifiedValues"]) == (
        "available",
        NEXT,
        {},
    )
    assert fleet.serves()["a-1"] == NEXT


def test_nothing_can_be_changed_while_something_is_being_changed(fleet):
    fleet.lab.faults.stuck.add("a-1")
    modify(fleet, ApplyImmediately=True)
    assert refusal(modify, fleet, ApplyImmediately=True) == "InvalidDBInstanceState"


def test_the_end_that_is_told_is_that_of_the_servers_certificate_not_of_the_root(fleet):
    said = one(fleet)["CertificateDetails"]
    root = fleet.client().describe_certificates(CertificateIdentifier=OLD)["Certificates"][0]
    assert said["ValidTill"] < root["ValidTill"]
    assert said["ValidTill"] == fleet.lab.instance("a-1").leaf_ends


def test_a_change_that_is_not_at_once_waits_for_the_window(fleet):
    modify(fleet)
    assert one(fleet)["CACertificateIdentifier"] == OLD
    assert one(fleet)["PendingModifiedValues"] == {"CACertificateIdentifier": NEXT}
    open_window(fleet.lab.world, REGION, "a-1")
    assert fleet.lab.world.settled()
    assert fleet.serves()["a-1"] == NEXT


@pytest.mark.parametrize("whole", [False, True], ids=["an instance", "a Multi-AZ cluster"])
def test_the_window_opens_by_the_stand_ins_own_clock(tmp_path, monkeypatch, whole):
    course = Simulated()
    members = [Member(f"m-{n}", REGION, "m" if whole else "", engine="postgres", multi_az=whole, is_writer=n == 1) for n in (1, 2)]
    with aurora(tmp_path, monkeypatch, members, course=course) as fleet:
        if whole:
            fleet.client().modify_db_cluster(DBClusterIdentifier="m", CACertificateIdentifier=NEXT)
        else:
            modify(fleet, "m-1")
        assert fleet.lab.world.settled(), "what waits for its window is not under way"
        opens = fleet.lab.world.until_window(fleet.lab.instance("m-1"))
        assert 0 < opens <= 7 * 86400
        course.wait(opens - 1)
        assert set(fleet.serves().values()) == {OLD}
        course.wait(2)
        assert fleet.serves() == {"m-1": NEXT, "m-2": NEXT if whole else OLD}
        assert fleet.lab.world.settled()
        assert one(fleet, "m-1")["PendingModifiedValues"] == {}


def test_a_window_finds_nothing_of_what_was_applied_before_it_or_is_gone(tmp_path, monkeypatch):
    course = Simulated()
    with aurora(tmp_path, monkeypatch, course=course) as fleet:
        modify(fleet, "a-1")
        modify(fleet, "a-1", ApplyImmediately=True)
        modify(fleet, "b-2")
        fleet.client().delete_db_instance(DBInstanceIdentifier="b-2", SkipFinalSnapshot=True)
        assert fleet.lab.world.settled()
        before = len(fleet.lab.world.events)
        course.wait(8 * 86400)
        assert fleet.lab.world.settled()
        assert len(fleet.lab.world.events) == before


@pytest.mark.parametrize(
    ("window", "now", "seconds"),
    [
        ("sun:03:00-sun:04:00", "2026-11-22T02:59:00", 60),
        ("sun:03:00-sun:04:00", "2026-11-22T03:00:00", 7 * 86400),
        ("sun:03:00-sun:04:00", "2026-11-22T03:30:00", 7 * 86400 - 1800),
        ("mon:23:30-tue:00:30", "2026-11-22T23:30:00", 86400),
        ("Thu:00:00-Thu:00:30", "2026-11-20T00:00:00", 6 * 86400),
    ],
)
def test_a_window_comes_once_a_week(fleet, window, now, seconds):
    world, instance = fleet.lab.world, fleet.lab.instance("a-1")
    instance.window = window
    course = Simulated()
    running, world.course = world.course, course
    try:
        world._began = datetime.fromisoformat(now).replace(tzinfo=UTC), course.now()
        assert world.until_window(instance) == seconds
    finally:
        world.course = running


def test_a_change_at_once_flushes_whatever_else_is_pending(fleet):
    fleet.client().modify_db_instance(DBInstanceIdentifier="a-1", DBInstanceClass="db.r6g.xlarge", ApplyImmediately=False)
    modify(fleet, ApplyImmediately=True)
    assert fleet.lab.world.settled()
    said = [e["Message"] for e in fleet.client().describe_events(SourceIdentifier="a-1", SourceType="db-instance")["Events"]]
    assert "Pending modifications were applied too: DBInstanceClass" in said
    assert "DB instance restarted" in said


@pytest.mark.parametrize(("id", "restarts"), [("a-1", False), ("old-1", True)], ids=["15.4", "12.9"])
def test_the_engine_version_says_whether_it_restarts(fleet, id, restarts):
    version = one(fleet, id)
    said = fleet.client().describe_db_engine_versions(Engine=version["Engine"], EngineVersion=version["EngineVersion"])
    assert said["DBEngineVersions"][0]["SupportsCertificateRotationWithoutRestart"] is not restarts
    modify(fleet, id, ApplyImmediately=True)
    assert fleet.lab.world.settled()
    events = [e["Message"] for e in fleet.client().describe_events(SourceIdentifier=id, SourceType="db-instance")["Events"]]
    assert ("DB instance restarted" in events) is restarts


@pytest.mark.parametrize("how", ["reboot", "failover"])
def test_a_certificate_without_its_restart_comes_with_the_next_one_planned_or_not(fleet, how):
    modify(fleet, ApplyImmediately=True, CertificateRotationRestart=False)
    assert fleet.lab.world.settled()
    assert fleet.serves()["a-1"] == OLD
    if how == "reboot":
        fleet.client().reboot_db_instance(DBInstanceIdentifier="a-1")
    else:
        fleet.client().failover_db_cluster(DBClusterIdentifier="a")
    assert fleet.lab.world.settled()
    assert fleet.serves()["a-1"] == NEXT


def test_a_failover_changes_the_writer(fleet):
    fleet.client().failover_db_cluster(DBClusterIdentifier="a")
    fleet.lab.world.settled()
    members = fleet.client().describe_db_clusters(DBClusterIdentifier="a")["DBClusters"][0]["DBClusterMembers"]
    assert {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in members} == {"a-1": False, "a-2": True}


def test_an_aurora_cluster_has_no_authority_of_its_own(fleet):
    act = fleet.client().modify_db_cluster
    assert refusal(act, DBClusterIdentifier="a", CACertificateIdentifier=NEXT) == "InvalidParameterCombination"


def test_a_multi_az_cluster_changes_as_a_whole_and_its_members_not_singly(fleet):
    assert refusal(modify, fleet, "multi-2", ApplyImmediately=True) == "InvalidParameterCombination"
    fleet.client().modify_db_cluster(DBClusterIdentifier="multi", CACertificateIdentifier=NEXT, ApplyImmediately=True)
    assert fleet.lab.world.settled()
    assert {fleet.serves()[f"multi-{n}"] for n in (1, 2, 3)} == {NEXT}


def test_an_unknown_authority_is_told_by_instances_and_not_declared_by_clusters(fleet):
    assert refusal(modify, fleet, ca="rds-ca-1999") == "CertificateNotFound"
    act = fleet.client().modify_db_cluster
    assert refusal(act, DBClusterIdentifier="multi", CACertificateIdentifier="rds-ca-1999") == "InvalidParameterValue"


def test_a_version_takes_only_the_authorities_that_it_names(fleet):
    assert refusal(modify, fleet, "old-1", "rds-ca-ecc384-g1") == "InvalidParameterCombination"


def test_new_instances_are_born_on_the_accounts_default_of_their_region(fleet):
    fleet.client().modify_certificates(CertificateIdentifier=OLD)
    born = fleet.client().create_db_instance(
        DBInstanceIdentifier="new-1", DBInstanceClass="x", Engine="postgres", EngineVersion="15.4"
    )
    assert born["DBInstance"]["CACertificateIdentifier"] == OLD
    overridden = fleet.client().describe_certificates(CertificateIdentifier=OLD)["Certificates"][0]
    assert overridden["CustomerOverride"]
    assert overridden["CustomerOverrideValidTill"] == overridden["ValidTill"]
    assert fleet.client("eu-west-1").describe_certificates()["DefaultCertificateForNewLaunches"] == NEXT
    fleet.client().modify_certificates(RemoveCustomerOverride=True)
    assert fleet.client().describe_certificates()["DefaultCertificateForNewLaunches"] == NEXT


def test_a_replica_does_not_inherit_its_sources_authority_but_may_name_one(fleet):
    create = fleet.client().create_db_instance_read_replica
    born = create(DBInstanceIdentifier="replica-1", SourceDBInstanceIdentifier="a-1")["DBInstance"]
    assert (born["CACertificateIdentifier"], one(fleet)["CACertificateIdentifier"]) == (NEXT, OLD)
    named = create(DBInstanceIdentifier="replica-2", SourceDBInstanceIdentifier="a-1", CACertificateIdentifier=OLD)["DBInstance"]
    assert named["CACertificateIdentifier"] == OLD


@pytest.mark.parametrize("how", ["snapshot", "point in time"])
def test_a_restore_is_born_on_the_default_of_its_day_unless_it_names_another(fleet, how):
    client = fleet.client()
    client.create_db_snapshot(DBSnapshotIdentifier="nightly", DBInstanceIdentifier="a-1")
    act, given = {
        "snapshot": (client.restore_db_instance_from_db_snapshot, {"DBSnapshotIdentifier": "nightly"}),
        "point in time": (client.restore_db_instance_to_point_in_time, {"SourceDBInstanceIdentifier": "a-1"}),
    }[how]
    word = "DBInstanceIdentifier" if how == "snapshot" else "TargetDBInstanceIdentifier"
    assert act(**{word: "back-1"}, **given)["DBInstance"]["CACertificateIdentifier"] == NEXT
    born = act(**{word: "back-2"}, **given, CACertificateIdentifier=OLD)["DBInstance"]
    assert (born["CACertificateIdentifier"], born["Engine"], born["EngineVersion"]) == (OLD, "aurora-postgresql", "15.4")
    said = client.describe_events(SourceType="db-instance", EventCategories=["creation"])["Events"]
    assert [e["Message"].startswith("Restored from") for e in said] == [True, True]


def test_a_restored_cluster_cannot_name_an_authority_and_its_instances_can(fleet):
    client = fleet.client()
    client.create_db_cluster_snapshot(DBClusterSnapshotIdentifier="nightly", DBClusterIdentifier="a")
    given = {"DBClusterIdentifier": "back", "SnapshotIdentifier": "nightly", "Engine": "aurora-postgresql"}
    with pytest.raises(ParamValidationError, match="CACertificateIdentifier"):
        client.restore_db_cluster_from_snapshot(**given, CACertificateIdentifier=OLD)
    assert client.restore_db_cluster_from_snapshot(**given)["DBCluster"]["DBClusterMembers"] == []
    create = {"DBInstanceClass": "x", "Engine": "aurora-postgresql", "DBClusterIdentifier": "back"}
    client.create_db_instance(DBInstanceIdentifier="back-1", **create)
    client.create_db_instance(DBInstanceIdentifier="back-2", CACertificateIdentifier=OLD, **create)
    assert (fleet.serves()["back-1"], fleet.serves()["back-2"]) == (NEXT, OLD)


def test_an_immediate_opt_in_cannot_be_undone_and_one_for_the_window_can(fleet):
    arn = one(fleet)["DBInstanceArn"]
    action = "ca-certificate-rotation"
    fleet.lab.world.maintenance[REGION, arn] = {"Action": action, "AutoAppliedAfterDate": datetime.now(UTC)}
    apply = fleet.client().apply_pending_maintenance_action

    def opt(how):
        return apply(ResourceIdentifier=arn, ApplyAction=action, OptInType=how)["ResourcePendingMaintenanceActions"]

    assert opt("next-maintenance")["PendingMaintenanceActionDetails"][0]["CurrentApplyDate"] > datetime.now(UTC)
    assert "OptInStatus" not in opt("undo-opt-in")["PendingMaintenanceActionDetails"][0]
    opt("immediate")
    assert refusal(opt, "undo-opt-in") == "InvalidParameterCombination"
    assert fleet.lab.world.settled()
    assert fleet.serves()["a-1"] == NEXT


def test_records_come_in_pages_of_a_hundred(tmp_path, monkeypatch):
    members = [Member(f"i-{n:03}", REGION) for n in range(250)]
    with aurora(tmp_path, monkeypatch, members) as fleet:
        pages = list(fleet.client().get_paginator("describe_db_instances").paginate())
        assert [len(p["DBInstances"]) for p in pages] == [100, 100, 50]
        wanted = [{"Name": "db-instance-id", "Values": ["i-007", "i-249"]}]
        found = fleet.client().describe_db_instances(Filters=wanted)["DBInstances"]
        assert [i["DBInstanceIdentifier"] for i in found] == ["i-007", "i-249"]


def test_what_befalls_a_call_is_what_boto3_would_see(fleet):
    fleet.lab.faults.once["DescribeDBInstances"] = ["throttle", "error"]
    bare = fleet.client(config=Config(retries={"total_max_attempts": 1}))
    assert refusal(bare.describe_db_instances) == "Throttling"
    assert refusal(bare.describe_db_instances) == "InternalFailure"
    fleet.lab.faults.denied.add("DescribeDBInstances")
    assert refusal(bare.describe_db_instances) == "AccessDenied"


def test_a_stale_describe_says_what_was_true_before(fleet):
    fleet.lab.faults.stale = 3600
    modify(fleet, ApplyImmediately=True)
    fleet.lab.world.settled()
    assert one(fleet)["CACertificateIdentifier"] == OLD
    fleet.lab.faults.stale = 0
    assert one(fleet)["CACertificateIdentifier"] == NEXT


# ── what Terraform's AWS provider asks, in its own order (its internal/service/rds: instance.go, cluster_instance.go, certificate.go)


def available(fleet, id):
    """Its wait after a change: describes by identifier until the status is `available`."""
    waiter = fleet.client().get_waiter("db_instance_available")
    waiter.wait(DBInstanceIdentifier=id, WaiterConfig={"Delay": 0, "MaxAttempts": 500})
    return one(fleet, id)


def test_terraform_reads_and_updates_an_instance_by_its_resource_id(fleet):
    client, id = fleet.client(), one(fleet, "old-1")["DbiResourceId"]
    assert re.fullmatch("db-[0-9A-Z]{2,255}", id), "else the provider takes it for a name"
    read = client.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [id]}])["DBInstances"][0]
    assert client.list_tags_for_resource(ResourceName=read["DBInstanceArn"])["TagList"] == []
    client.add_tags_to_resource(ResourceName=read["DBInstanceArn"], Tags=[{"Key": "reroot", "Value": "yes"}])
    modify(fleet, "old-1", ApplyImmediately=True)
    after = available(fleet, "old-1")
    assert (after["CACertificateIdentifier"], after["TagList"]) == (NEXT, [{"Key": "reroot", "Value": "yes"}])
    client.remove_tags_from_resource(ResourceName=read["DBInstanceArn"], TagKeys=["reroot"])
    assert one(fleet, "old-1")["TagList"] == []


def test_terraforms_own_default_leaves_a_cluster_instance_waiting_for_its_window(fleet):
    """`apply_immediately` is false where nothing is said: its apply succeeds, and its next plan sees the old CA again."""
    modify(fleet, "a-2", ApplyImmediately=False)
    after = available(fleet, "a-2")
    members = fleet.client().describe_db_clusters(DBClusterIdentifier=after["DBClusterIdentifier"])["DBClusters"][0][
        "DBClusterMembers"
    ]
    assert {m["DBInstanceIdentifier"]: m["IsClusterWriter"] for m in members} == {"a-1": True, "a-2": False}
    assert (after["CACertificateIdentifier"], after["PendingModifiedValues"]) == (OLD, {"CACertificateIdentifier": NEXT})
    assert fleet.serves()["a-2"] == OLD


def test_terraform_creates_a_cluster_instance_and_gives_it_its_authority_by_a_change_and_a_reboot(fleet):
    client = fleet.client()
    made = client.create_db_instance(
        DBInstanceIdentifier="a-3", DBInstanceClass="x", Engine="aurora-postgresql", DBClusterIdentifier="a"
    )
    assert made["DBInstance"]["CACertificateIdentifier"] == NEXT
    available(fleet, "a-3")
    modify(fleet, "a-3", OLD, ApplyImmediately=True)
    available(fleet, "a-3")
    client.reboot_db_instance(DBInstanceIdentifier="a-3")
    assert available(fleet, "a-3")["CACertificateIdentifier"] == OLD
    assert fleet.serves()["a-3"] == OLD


def test_terraform_overrides_the_default_authority_and_destroying_it_takes_the_override_away(fleet):
    client = fleet.client()
    assert client.modify_certificates(CertificateIdentifier=OLD)["Certificate"]["CertificateIdentifier"] == OLD
    assert client.describe_certificates(CertificateIdentifier=OLD)["DefaultCertificateForNewLaunches"] == OLD
    client.modify_certificates(RemoveCustomerOverride=True)
    assert client.describe_certificates(CertificateIdentifier=OLD)["DefaultCertificateForNewLaunches"] == NEXT


def test_a_parameter_group_tells_what_was_changed_and_takes_it_back(fleet):
    client = fleet.client()
    given = [{"ParameterName": "log_connections", "ParameterValue": "1", "ApplyMethod": "immediate"}]
    client.modify_db_cluster_parameter_group(DBClusterParameterGroupName="default", Parameters=given)
    said = client.describe_db_cluster_parameters(DBClusterParameterGroupName="default", Source="user")["Parameters"]
    assert [(p["ParameterName"], p["ParameterValue"]) for p in said] == [("log_connections", "1")]
    client.reset_db_cluster_parameter_group(DBClusterParameterGroupName="default", Parameters=given)
    assert client.describe_db_cluster_parameters(DBClusterParameterGroupName="default", Source="user")["Parameters"] == []
    static = [{"ParameterName": "max_connections", "ParameterValue": "10", "ApplyMethod": "immediate"}]
    act = client.modify_db_parameter_group
    assert refusal(act, DBParameterGroupName="default", Parameters=static) == "InvalidParameterCombination"


# ── the AWS command line

SPOKEN = [
    ("describe-db-instances --db-instance-identifier a-1 --query DBInstances[0].CertificateDetails.CAIdentifier", OLD),
    ("describe-db-instances --filters Name=db-cluster-id,Values=a --query DBInstances[].DBInstanceIdentifier", "a-1\ta-2"),
    ("describe-certificates --query DefaultCertificateForNewLaunches", NEXT),
    ("describe-db-engine-versions --engine aurora-postgresql --engine-version 12.9 --query DBEngineVersions[0].SupportsCertificateRotationWithoutRestart", "False"),
    ("modify-db-instance --db-instance-identifier a-2 --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately --query DBInstance.PendingModifiedValues.CACertificateIdentifier", NEXT),
    ("wait db-instance-available --db-instance-identifier a-2", ""),
    ("describe-db-instances --db-instance-identifier a-2 --query DBInstances[0].CACertificateIdentifier", NEXT),
    ("describe-events --source-type db-instance --source-identifier a-2 --query Events[-1].Message", f"The server certificate was changed to {NEXT}"),
    ("modify-db-instance --db-instance-identifier old-1 --ca-certificate-identifier rds-ca-rsa2048-g1 --no-certificate-rotation-restart --apply-immediately --query DBInstance.DBInstanceStatus", "modifying"),
    ("modify-db-cluster --db-cluster-identifier multi --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately --query DBCluster.DBClusterIdentifier", "multi"),
    ("describe-pending-maintenance-actions --query length(PendingMaintenanceActions)", "0"),
    ("modify-certificates --certificate-identifier rds-ca-2019 --query Certificate.CustomerOverride", "True"),
    ("create-db-snapshot --db-snapshot-identifier s --db-instance-identifier a-1 --query DBSnapshot.Status", "available"),
    ("restore-db-instance-from-db-snapshot --db-instance-identifier back --db-snapshot-identifier s --query DBInstance.CACertificateIdentifier", OLD),
    ("describe-db-log-files --db-instance-identifier a-1 --query DescribeDBLogFiles[0].LogFileName", "error/postgresql.log"),
    ("download-db-log-file-portion --db-instance-identifier a-1 --log-file-name error/postgresql.log --query LogFileData", "2026-11-23 10:00:00 UTC::@:[1]:LOG:  ready"),
    ("failover-db-cluster --db-cluster-identifier a --query DBCluster.DBClusterIdentifier", "a"),
]  # fmt: skip
REFUSED = [
    ("describe-db-instances --db-instance-identifier nobody", "(DBInstanceNotFound)"),
    ("modify-db-instance --db-instance-identifier a-1 --ca-certificate-identifier rds-ca-2099", "(CertificateNotFound)"),
    ("modify-db-cluster --db-cluster-identifier a --ca-certificate-identifier rds-ca-2019", "(InvalidParameterCombination)"),
]


@pytest.mark.matrix
@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS command line is not here")
def test_the_aws_command_line_is_understood_from_the_first_look_to_the_log(fleet, exercised):
    log = fleet.folder / "server.log"
    log.write_text("2026-11-23 10:00:00 UTC::@:[1]:LOG:  ready\n")
    fleet.lab.instance("a-1").stage.log = log
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | dict(fleet.lab.api.environment(REGION))

    def aws(words):
        asked = ["aws", "--endpoint-url", fleet.lab.url, "rds", *words.split(" "), "--output", "text"]
        return subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=120)

    for words, said in SPOKEN:
        done = aws(words)
        assert (done.returncode, done.stdout.strip()) == (0, said), f"{words}: {done.stdout}{done.stderr}"
    for words, code in REFUSED:
        done = aws(words)
        assert done.returncode != 0
        assert code in done.stderr, words
    exercised("aws command line")


@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS command line is not here")
def test_the_aws_command_line_understands_it(fleet, exercised):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | dict(fleet.lab.api.environment(REGION))
    asked = ["aws", "--endpoint-url", fleet.lab.url, "rds", "describe-db-instances", "--db-instance-identifier", "a-1", "--query", "DBInstances[0].CertificateDetails.CAIdentifier", "--output", "text"]  # fmt: skip
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, OLD), done.stderr
    exercised("aws command line")


def test_a_fleet_is_stood_up_like_another_ones_description():
    members = like({"instances": [{"id": "x", "region": "eu-west-1", "cluster": "c", "is_writer": True, "ca": "rds-ca-2015"}]})
    assert members == [Member("x", "eu-west-1", "c", is_writer=True, group="group-of-c")]
    for wrong in ({}, {"instances": [{}]}, {"instances": []}, {"instances": 3}):
        with pytest.raises(InputError):
            like(wrong)


def test_two_instances_of_one_name_are_refused():
    with pytest.raises(InputError, match="two instances `x`"), stand_in([Member("x", REGION), Member("x", REGION)], light=True):
        pass


def test_an_old_root_may_end_when_one_wishes(tmp_path, monkeypatch):
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with aurora(tmp_path, monkeypatch, old_ends=ended) as fleet:
        said = fleet.client().describe_certificates(CertificateIdentifier=OLD)["Certificates"][0]
        assert said["ValidTill"] == ended
