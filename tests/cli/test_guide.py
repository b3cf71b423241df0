"""`reroot guide aurora`: what AWS tells, the steps with what is known filled in, and what drifts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.collect.inventory import read
from reroot.errors import InputError
from reroot.lab import ca
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora.fleet import Member, clusters, furnish, like
from reroot.lab.aurora.world import Version
from tests.aurora import REGION, aurora

MEMBERS = [
    *clusters({REGION: ["orders"], "eu-west-1": ["search"]}, size=2),
    Member("staging-1", REGION, "staging", is_writer=True, tags={"Environment": "staging"}),
    Member("older", REGION, version="12.9"),
]
OLDER = Version("aurora-postgresql", "12.9", restart_free=False, authorities=(OLD, NEXT))


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    with aurora(tmp_path, monkeypatch, MEMBERS, versions=[OLDER]) as running:
        running.lab.write_roots(tmp_path / "published")
        monkeypatch.chdir(tmp_path)
        yield running


def guide(fleet, *words, code=1):
    done = CliRunner().invoke(reroot, ["guide", "aurora", "--region", REGION, "--roots", str(fleet.folder / "published"), *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def codes(fleet, *words, code=1):
    found = json.loads(guide(fleet, "--json", "-q", *words, code=code).stdout)["findings"]
    return {(f["code"], f["subject"].rpartition(": ")[2]) for f in found}


def test_the_steps_are_filled_in_with_what_is_known(fleet):
    said = guide(fleet, "--write", "plans").stdout
    assert [line[:2] for line in said.splitlines() if line[1:3] == ". "] == [f"{n}." for n in range(1, 8)]
    assert "restarts: older" in said
    assert "reroot plan -i plans/reroot-us-east-1.toml" in said
    assert said.splitlines()[-1].endswith("next: `reroot plan -i plans/reroot-us-east-1.toml`")


def test_an_inventory_is_written_for_each_region_with_roots_of_its_own(fleet):
    guide(fleet, "--region", "eu-west-1", "--write", "plans", "--address", "127.0.0.1")
    plans = fleet.folder / "plans"
    assert {p.name for p in plans.glob("*.toml")} == {"reroot-us-east-1.toml", "reroot-eu-west-1.toml"}
    assert (plans / "roots" / f"eu-west-1-{NEXT}.pem").read_bytes() == fleet.lab.root("eu-west-1", NEXT)
    assert (plans / "roots" / f"us-east-1-{NEXT}.pem").read_bytes() == fleet.lab.root(REGION, NEXT)

    done = CliRunner().invoke(reroot, ["plan", "-i", "plans/reroot-us-east-1.toml", "--json"])
    plan = json.loads(done.stdout)["plan"]
    assert plan["waves"] == [["staging-1"], ["older"], ["orders-2", "orders-1"]]
    assert all(s["serves"][0] == plan["old"] and s["next"] == [plan["next"]] for s in plan["servers"])


def test_an_inventory_that_is_there_is_not_written_over(fleet):
    guide(fleet, "--write", "plans")
    (fleet.folder / "plans" / "reroot-us-east-1.toml").write_text("# mine")
    with pytest.raises(InputError, match="is there already"):
        guide(fleet, "--write", "plans")
    assert (fleet.folder / "plans" / "reroot-us-east-1.toml").read_text() == "# mine"


def test_its_json_is_what_the_laboratory_practises_on(fleet):
    said = json.loads(guide(fleet, "--json", "-q").stdout)
    assert said["schema"] == "reroot/aws-fleet/1"
    assert {m.id for m in like(said)} == {"orders-1", "orders-2", "staging-1", "older"}


def test_only_what_carries_the_tags_is_looked_at(fleet):
    said = json.loads(guide(fleet, "--json", "-q", "--tag", "Environment=staging").stdout)
    assert [i["id"] for i in said["instances"]] == ["staging-1"]


# ── drift ────────────────────────────────────────────────────────────────────────────────────────


def rotated(fleet):
    for instance in fleet.instances:
        fleet.lab.world.show(instance, NEXT, restart=False)
        instance.ca = NEXT


def test_a_fleet_that_is_through_has_nothing_that_drifts(fleet):
    rotated(fleet)
    fleet.lab.world.parameters[REGION, "default"] = {"rds.force_ssl": "1"}
    said = guide(fleet, code=0).stdout
    assert "nothing drifts" in said
    assert "4 instances refuse clients without TLS" in said


def born_old(fleet):
    fleet.client().modify_certificates(CertificateIdentifier=OLD)
    fleet.client().create_db_instance_read_replica(DBInstanceIdentifier="replica", SourceDBInstanceIdentifier="older")


def restored(fleet):
    client = fleet.client()
    client.create_db_snapshot(DBSnapshotIdentifier="nightly", DBInstanceIdentifier="older")
    client.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="back", DBSnapshotIdentifier="nightly", CACertificateIdentifier=OLD
    )


def made_by_hand(fleet):
    fleet.client().create_db_instance(
        DBInstanceIdentifier="new", DBInstanceClass="x", Engine="postgres", EngineVersion="15.4", CACertificateIdentifier=OLD
    )


def waits(fleet):
    fleet.client().modify_db_instance(DBInstanceIdentifier="orders-1", CACertificateIdentifier="rds-ca-ecc384-g1")


def other_waits(fleet):
    fleet.client().modify_db_instance(DBInstanceIdentifier="older", DBInstanceClass="db.r6g.xlarge")


def half(fleet):
    fleet.lab.instance("orders-2").ca = OLD


def leaf_soon(fleet):
    fleet.lab.instance("older").leaf_ends = datetime.now(UTC) + timedelta(days=100)


def override(fleet):
    region = fleet.lab.world.regions[REGION]
    region.override, region.override_until = NEXT, datetime.now(UTC) + timedelta(days=10)


def proxy(fleet):
    fleet.lab.world.proxies.append((REGION, "front", "front.proxy-lab.us-east-1.rds.amazonaws.com"))


def blue_green(fleet):
    fleet.lab.world.deployments.append((REGION, "older", "older-green"))


def by_aws(fleet):
    arn = fleet.client().describe_db_instances(DBInstanceIdentifier="older")["DBInstances"][0]["DBInstanceArn"]
    fleet.lab.world.maintenance[REGION, arn] = {"Action": "ca-certificate-rotation", "AutoAppliedAfterDate": datetime.now(UTC)}


def everywhere(fleet):
    for cluster in fleet.lab.world.clusters.values():
        cluster.global_id = "world"


def withdrawn(fleet):
    fleet.lab.world.regions[REGION].withdrawn.add(OLD)
    fleet.lab.instance("older").ca = OLD


DRIFTS = {
    "a replica that is born on the accounts default, not on its sources CA": (
        born_old,
        {("old-default", REGION), ("other-ca", "replica"), ("replica-apart", "replica")},
    ),
    "a restore that is born on another CA": (restored, {("other-ca", "back"), ("restored-apart", "back")}),
    "a new instance that is born on another CA": (made_by_hand, {("other-ca", "new"), ("born-apart", "new")}),
    "a CA that waits for its window or the next restart": (waits, {("ca-waits", "orders-1")}),
    "other changes that a change at once would flush": (other_waits, {("others-wait", "older")}),
    "a half-rotated cluster": (half, {("mixed-cluster", "orders"), ("other-ca", "orders-2")}),
    "a leaf that AWS renews by itself": (leaf_soon, {("leaf-is-renewed", "older")}),
    "a default that ends": (override, {("override-ends", REGION)}),
    "a proxy of other roots": (proxy, {("proxy", "front")}),
    "a green instance with a CA of its own": (blue_green, {("blue-green", "older-green")}),
    "what AWS will do by itself": (by_aws, {("aws-will-rotate", "older")}),
    "a global cluster of many roots": (everywhere, {("global-cluster", "world")}),
    "no way back": (withdrawn, {("one-way", REGION), ("other-ca", "older")}),
}
WORTH_KNOWING = {"leaf-is-renewed", "override-ends", "proxy", "blue-green", "global-cluster"}


@pytest.mark.parametrize("case", DRIFTS)
def test_what_drifts_is_named(fleet, case):
    rotated(fleet)
    drift, expected = DRIFTS[case]
    drift(fleet)
    found = codes(fleet, code=0 if {c for c, _ in expected} <= WORTH_KNOWING else 1)
    assert {f for f in found if f[0] != "tls-not-forced"} == expected


def test_code_that_names_another_authority_takes_the_rotation_back(fleet):
    rotated(fleet)
    (fleet.folder / "infra").mkdir()
    source = 'resource "aws_db_instance" "{0}" {{\n  engine = "postgres"\n  ca_cert_identifier = "{1}"\n}}\n'
    (fleet.folder / "infra" / "main.tf").write_text(source.format("a", OLD) + source.format("b", NEXT))
    cluster = 'resource "aws_rds_cluster" "c" {{\n  engine = "postgres"\n  ca_certificate_identifier = "{0}"\n}}\n'
    (fleet.folder / "infra" / "cluster.tf").write_text(cluster.format(OLD) + cluster.format(NEXT))
    written = "rds.ClusterInstance.provisioned('w', {{\n  caCertificate: rds.CaCertificate.{0},\n}});\n"
    (fleet.folder / "infra" / "cdk.ts").write_text(written.format("RDS_CA_2019") + written.format("RDS_CA_RSA2048_G1"))
    CliRunner().invoke(reroot, ["scan", "infra", "-o", "json=scan.json"])
    reverting = {where for code, where in codes(fleet, "--scanned", "scan.json") if code == "code-reverts"}
    assert reverting == {"main.tf:3", "cluster.tf:3", "cdk.ts:2"}


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────


def test_a_region_that_is_off_is_named_and_the_answer_is_incomplete(fleet):
    done = guide(fleet, "--region", "ap-south-1", code=4)
    assert "ap-south-1: DescribeDBInstances: InvalidClientTokenId" in done.stdout
    assert "orders-1" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("incomplete: read what is missing, then ask again")


def test_one_denied_call_leaves_the_rest_standing(fleet):
    fleet.lab.faults.denied.add("DescribeDBProxies")
    done = guide(fleet, code=4)
    assert "us-east-1: DescribeDBProxies: AccessDenied" in done.stdout
    assert "orders-1" in done.stdout


def test_a_role_that_may_not_be_assumed_is_named_with_what_it_needs(fleet):
    fleet.lab.faults.denied.add("AssumeRole")
    done = guide(fleet, "--role", "arn:aws:iam::111111111111:role/reroot", code=4)
    assert "us-east-1: DescribeDBInstances: AccessDenied" in done.stdout
    assert "the role must trust this login" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tag", "nothing"), "`nothing` is no tag"),
        (("--scanned", "none.json"), "cannot read it"),
        (("--scanned", "published"), "cannot read it"),
        (("--roots", "none"), "cannot read it"),
    ],
    ids=["tag", "no file", "a folder", "no roots"],
)
def test_bad_input_is_told(fleet, words, said):
    with pytest.raises(InputError, match=said):
        guide(fleet, *words)


def test_what_the_laboratory_stands_up_like_it_has_the_same_findings(fleet, tmp_path, monkeypatch):
    """There and back: the description of a fleet, stood up, is described as it was."""
    for act in (proxy, blue_green, everywhere):
        act(fleet)
    fleet.lab.world.regions[REGION].default = OLD
    fleet.lab.world.parameters[REGION, "default"] = {"rds.force_ssl": "1"}
    words = ("--json", "-q", "--region", "eu-west-1")
    said = json.loads(guide(fleet, *words).stdout)
    (tmp_path / "again").mkdir()
    with aurora(tmp_path / "again", monkeypatch, like(said)) as again:
        furnish(again.lab.world, said)
        again.lab.write_roots(tmp_path / "again" / "published")
        told = json.loads(guide(again, *words).stdout)
    plain = [{(f["code"], f["subject"], f["text"].partition(" (")[0]) for f in one["findings"]} for one in (said, told)]
    assert plain[0] == plain[1]
    assert {"old-default", "proxy", "blue-green", "global-cluster", "other-ca"} <= {code for code, *_ in plain[0]}
    assert [i["tags"] for i in told["instances"]] == [i["tags"] for i in said["instances"]]


def test_two_accounts_of_one_region_get_an_inventory_each(fleet):
    roles = [f"arn:aws:iam::{number}:role/reroot" for number in ("111111111111", "222222222222")]
    guide(fleet, "--write", "plans", *(word for role in roles for word in ("--role", role)))
    plans = fleet.folder / "plans"
    assert {p.name for p in plans.glob("*.toml")} == {
        "reroot-us-east-1-111111111111.toml",
        "reroot-us-east-1-222222222222.toml",
    }
    declared = [read(p) for p in sorted(plans.glob("*.toml"))]
    assert [d.name for d in declared] == ["rds-us-east-1-111111111111", "rds-us-east-1-222222222222"]
    assert [{str(s.provider["role"]) for s in d.servers} for d in declared] == [{roles[0]}, {roles[1]}]


def test_every_instance_can_be_watched_by_the_lines_that_are_written(fleet):
    from psycopg.conninfo import conninfo_to_dict

    guide(fleet, "--write", "plans", "--address", "127.0.0.1")
    lines = (fleet.folder / "plans" / "observe-us-east-1.txt").read_text().splitlines()
    told = [conninfo_to_dict(line) for line in lines]
    assert {t["host"] for t in told} == {i.host for i in fleet.instances if i.region == REGION}
    assert {(t["hostaddr"], t["sslmode"]) for t in told} == {("127.0.0.1", "verify-full")}
    both = (fleet.folder / "plans" / "roots" / "us-east-1.pem").read_bytes()
    assert fleet.lab.root(REGION, OLD) in both
    assert fleet.lab.root(REGION, NEXT) in both


def test_it_says_until_when_there_is_a_way_back_and_that_windows_are_not_waited_for(fleet):
    ends = fleet.lab.world.regions[REGION].authorities[OLD].root.certificate.not_valid_after_utc
    said = guide(fleet).stdout
    assert f"us-east-1: a way back to `{OLD}` exists until {ends:%Y-%m-%d}" in said
    assert "not in the maintenance windows (sun:03:00-sun:04:00 UTC (4)): you choose the hour" in said
    fleet.lab.world.regions[REGION].withdrawn.add(OLD)
    assert f"us-east-1: a way back to `{OLD}` is not there: it is offered no more" in guide(fleet).stdout


def test_its_json_holds_everything_that_a_rotation_has_to_know(fleet):
    for act in (proxy, blue_green, everywhere, by_aws, other_waits):
        act(fleet)
    fleet.client().create_db_instance_read_replica(DBInstanceIdentifier="replica", SourceDBInstanceIdentifier="older")
    said = json.loads(guide(fleet, "--json", "-q", "--region", "eu-west-1").stdout)
    here = next(r for r in said["regions"] if r["name"] == REGION)
    assert here["proxies"] == [["front", "front.proxy-lab.us-east-1.rds.amazonaws.com"]]
    assert here["deployments"] == [["older", "older-green"]]
    assert [name for name, _ in here["global_clusters"]] == ["world"]
    assert {a["id"] for a in here["authorities"]} >= {OLD, NEXT}
    assert here["default"] == NEXT
    by_id = {i["id"]: i for i in said["instances"]}
    assert by_id["replica"]["source"] == "older"
    assert by_id["older"]["restart_free"] is False
    assert by_id["older"]["maintenance"][0][0] == "ca-certificate-rotation"
    assert by_id["older"]["pending"] == ["DBInstanceClass"]
    assert (by_id["orders-1"]["cluster"], by_id["orders-1"]["is_writer"], by_id["orders-2"]["is_writer"]) == (
        "orders",
        True,
        False,
    )
    assert all(i["window"] and i["leaf_ends"] and i["force_ssl"] == "0" for i in said["instances"])


# ── what is really shown ─────────────────────────────────────────────────────────────────────────


def test_a_handshake_stands_beside_the_apis_word_and_liars_of_both_kinds_are_named(fleet):
    fleet.lab.world.show(fleet.lab.instance("orders-1"), NEXT, restart=False)
    fleet.lab.instance("orders-2").ca = NEXT
    said = json.loads(guide(fleet, "--json", "-q", "--probe", "--address", "127.0.0.1").stdout)
    told = {f["subject"]: f["text"] for f in said["findings"] if f["code"] == "served-apart"}
    assert told == {
        "us-east-1: orders-1": f"the API says `{OLD}`, a handshake shows `{NEXT}`",
        "us-east-1: orders-2": f"the API says `{NEXT}`, a handshake shows `{OLD}`",
    }
    assert {i["id"]: i["shows"]["ca"] for i in said["instances"]} == {
        "orders-1": NEXT,
        "orders-2": OLD,
        "staging-1": OLD,
        "older": OLD,
    }


def test_who_cannot_be_shaken_hands_with_is_named_and_the_answer_is_incomplete(fleet):
    fleet.lab.instance("older").stage.port = 1
    said = guide(fleet, "--probe", "--address", "127.0.0.1", code=4).stdout
    assert "us-east-1: older: " in said.partition("not read:")[2]
    assert "served-apart" not in said


def test_a_chain_to_no_root_of_the_region_is_told_with_its_name(fleet):
    leaf = ca.leaf(ca.root("Somebody Else"), "older.lab.us-east-1.rds.lab.test")
    fleet.lab.instance("older").stage.present((leaf.cert_pem, leaf.key_pem))
    assert "a chain to `Somebody Else`, which no CA of us-east-1 is" in guide(fleet, "--probe", "--address", "127.0.0.1").stdout
