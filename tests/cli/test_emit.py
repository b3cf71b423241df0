"""`reroot emit`: what is printed can be used as it is."""

from __future__ import annotations

import json
import tomllib

import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.collect._awscalls import Role
from reroot.errors import InputError
from reroot.lab.aurora.fleet import Member
from reroot.lab.postgres import Postgres
from tests.aurora import aurora


def emit(*words):
    done = CliRunner().invoke(reroot, ["emit", *words])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_policy_limits_changes_by_tag_account_and_region_and_looks_not_at_all():
    document = json.loads(
        emit("iam", "--role", "rotator", "--tag", "reroot=rds-2026", "--account", "123456789012", "--region", "eu-west-1")
    )
    by_sid = {s["Sid"]: s for s in document["Statement"]}
    change = by_sid["RerootRotatorChangeDb"]
    assert change["Action"] == ["rds:ModifyDBInstance"]
    assert change["Resource"] == "arn:aws:rds:eu-west-1:123456789012:db:*"
    assert change["Condition"] == {"StringEquals": {"rds:db-tag/reroot": "rds-2026"}}
    assert by_sid["RerootRotatorChangeCluster"]["Condition"] == {"StringEquals": {"rds:cluster-tag/reroot": "rds-2026"}}
    assert by_sid["RerootRotatorEverywhere"]["Resource"] == "*"
    assert all(s["Effect"] == "Allow" and s["Sid"].isalnum() for s in document["Statement"])


def test_the_observer_may_change_nothing():
    actions = [a for s in json.loads(emit("iam"))["Statement"] for a in s["Action"]]
    assert actions
    assert all(a.startswith("rds:Describe") or a == "rds:DownloadDBLogFilePortion" for a in actions)


def test_the_log_readers_policy_is_for_one_bucket_and_its_objects():
    by_action = {s["Action"][0]: s["Resource"] for s in json.loads(emit("iam", "--role", "log-reader", "--bucket", "logs"))["Statement"]}
    assert by_action["s3:ListBucket"] == "arn:*:s3:::logs"
    assert by_action["s3:GetObject"] == "arn:*:s3:::logs/*"
    assert by_action["logs:DescribeLogStreams"] == "arn:*:logs:*:*:log-group:*"
    assert by_action["rds:DescribeDBLogFiles"] == "arn:*:rds:*:*:db:*"


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_only_the_roles_that_change_may_change(role):
    statements = json.loads(emit("iam", "--role", role))["Statement"]
    sids = [s["Sid"] for s in statements]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
    changes = [a for s in statements for a in s["Action"] if a.partition(":")[2].startswith(("Modify", "Put", "Delete", "Create"))]
    assert bool(changes) == (role in ("rotator", "defaults"))


PARTITIONS = [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("*", "*")]


@pytest.mark.parametrize(("region", "partition"), PARTITIONS, ids=[region for region, _ in PARTITIONS])
def test_a_policys_arns_are_of_the_regions_partition_and_are_taken_by_iam(region, partition, monkeypatch):
    moto = pytest.importorskip("moto", reason="not exercised: policies as IAM reads them (moto is not installed)")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    texts = {role.value: emit("iam", "--role", role.value, "--region", region) for role in Role}
    arns = [s["Resource"] for text in texts.values() for s in json.loads(text)["Statement"] if s["Resource"] != "*"]
    assert {tuple(arn.split(":")[:2]) for arn in arns} == {("arn", partition)}
    with moto.mock_aws():
        iam = boto3.client("iam", "eu-west-1" if region == "*" else region)
        for role, text in texts.items():
            iam.create_policy(PolicyName=role, PolicyDocument=text)
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
            iam.create_policy(PolicyName="x", PolicyDocument=texts["rotator"].replace(f"arn:{partition}:", "arn:nowhere:"))
        iam.close()


def test_a_tag_without_a_value_sign_is_refused():
    with pytest.raises(InputError, match="`reroot` is no tag"):
        emit("iam", "--role", "rotator", "--tag", "reroot")


@pytest.mark.real
def test_the_role_sees_who_is_connected_and_reads_no_table():
    import psycopg

    with Postgres(name="emit") as server:
        admin = f"host={server.folder} port={server.port} user=postgres dbname=postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("create table secret (x int)")
            connection.execute(emit("sql-role", "--name", 'wa"tch').encode())
        with psycopg.connect(
            f"host={server.folder} port={server.port} user='wa\"tch' dbname=postgres", autocommit=True
        ) as watcher:
            watcher.execute("select usename, ssl from pg_stat_ssl join pg_stat_activity using (pid)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                watcher.execute("select * from secret")


@pytest.mark.real
def test_the_settings_of_a_self_managed_server_are_taken_by_it():
    with Postgres(name="emit") as server:
        with (server.data / "postgresql.conf").open("a") as file:
            file.write(emit("pg-settings", "--for", "self-managed"))
        server.reload()
        assert not [line for line in server.log_lines if "contains errors" in line or "syntax error" in line]


def test_the_settings_of_rds_name_the_group_and_the_way_back():
    said = emit("pg-settings", "--group", "mine")
    assert "--db-cluster-parameter-group-name mine" in said
    assert "undo: aws rds reset-db-cluster-parameter-group" in said


def test_infrastructure_code_says_the_next_authority_for_every_instance_and_for_later_ones(tmp_path, monkeypatch):
    with aurora(tmp_path, monkeypatch) as fleet:
        fleet.write()
    said = emit("terraform", "-i", str(tmp_path / "reroot.toml"))
    assert said.count('ca_cert_identifier = "rds-ca-rsa2048-g1" # was rds-ca-2019') == 4
    assert 'resource "aws_rds_certificate" "us_east_1"' in said
    assert tomllib.loads('x = "rds-ca-rsa2048-g1"')["x"] in said


def test_each_kind_of_server_has_its_own_resource_and_argument(tmp_path, monkeypatch):
    members = [
        Member("a-1", "us-east-1", "a", is_writer=True),
        Member("single", "us-east-1", engine="postgres"),
        Member("replica", "us-east-1", engine="postgres", source="single"),
        *(Member(f"multi-{n}", "us-east-1", "multi", engine="postgres", multi_az=True, is_writer=n == 1) for n in (1, 2, 3)),
    ]
    with aurora(tmp_path, monkeypatch, members) as fleet:
        fleet.lab.write_roots(tmp_path / "published")
        words = [
            "guide",
            "aurora",
            "--region",
            "us-east-1",
            "--roots",
            str(tmp_path / "published"),
            "--write",
            str(tmp_path / "plans"),
        ]
        assert CliRunner().invoke(reroot, words).exit_code == 1
    said = emit("terraform", "-i", str(tmp_path / "plans" / "reroot-us-east-1.toml")).splitlines()
    told = {line.partition(": ")[2]: said[at + 1].split()[0] for at, line in enumerate(said) if line.startswith("# wave")}
    assert told == {
        'aws_rds_cluster_instance with identifier "a-1"': "ca_cert_identifier",
        'aws_db_instance with identifier "single"': "ca_cert_identifier",
        'aws_db_instance with identifier "replica"': "ca_cert_identifier",
        'aws_rds_cluster with identifier "multi"': "ca_certificate_identifier",
    }
