"""GovCloud and China: which regions a login has, what is read there, and where the roots are had that reroot does not carry."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from reroot.authorities._partitions import of
from reroot.cli import reroot
from reroot.cli._aws import regions_of
from reroot.collect._awsapi import Login, partition
from reroot.collect.inventory import read
from reroot.collect.scan import _aws
from reroot.errors import InputError
from reroot.lab.aurora.fleet import Member
from tests.aurora import NEXT, OLD, aurora

PROFILES = """\
[profile plain]
region = eu-central-1
[profile gov]
region = us-gov-east-1
[profile china]
region = cn-north-1
[profile nowhere]
"""
GOV, CHINA = "us-gov-west-1", "cn-northwest-1"


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    (tmp_path / "config").write_text(PROFILES)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    keys = "".join(f"[{name}]\naws_access_key_id = x\naws_secret_access_key = x\n" for name in ("plain", "gov", "china"))
    (tmp_path / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


LOGINS = [
    (Login(), "aws"),
    (Login("nowhere"), "aws"),
    (Login("plain"), "aws"),
    (Login("gov"), "aws-us-gov"),
    (Login("china"), "aws-cn"),
    (Login("nowhere", "arn:aws-us-gov:iam::123456789012:role/reroot"), "aws-us-gov"),
    (Login(role="arn:aws-cn:iam::123456789012:role/reroot"), "aws-cn"),
]


@pytest.mark.parametrize(("login", "id"), LOGINS, ids=[f"{login.profile}{login.role[:13]}-{id}" for login, id in LOGINS])
def test_a_login_has_the_regions_of_its_partition_and_no_others(profiles, login, id):
    assert partition(login).id == id
    every = regions_of((), True, [login])
    assert every
    assert {of(name).id for name in every} == {id}


@pytest.mark.parametrize("profile", ["plain", "gov", "china"])
def test_without_a_region_it_is_the_profiles(profiles, profile):
    (region,) = regions_of((), False, [Login(profile)])
    assert f"[profile {profile}]\nregion = {region}\n" in PROFILES


def test_logins_of_two_partitions_share_no_region(profiles):
    with pytest.raises(InputError, match="`aws-us-gov` and `aws-cn`, which share no region"):
        regions_of((), True, [Login("gov"), Login("china")])


@pytest.mark.parametrize(
    ("profile", "door"), [("plain", "us-east-1"), ("gov", "us-gov-west-1"), ("china", "cn-northwest-1")], ids=str
)
def test_a_scan_asks_for_every_region_where_the_profiles_partition_answers(profiles, profile, door, monkeypatch):
    monkeypatch.setattr(_aws, "_regions", lambda session: [f"asked-at-{session.region_name}"])
    monkeypatch.setattr(_aws, "SOURCES", [("told", lambda session: iter([("x.env", f"PGHOST={session.region_name}\n")]))])
    assert {place.split("/")[1] for place in _aws.account([profile], ["all"])} == {f"asked-at-{door}"}


@pytest.mark.parametrize("region", [GOV, CHINA])
def test_the_guide_names_where_roots_are_published_and_takes_them_from_a_folder(region, tmp_path, monkeypatch):
    members = [Member("orders-1", region, "orders", is_writer=True), Member("single", region, engine="postgres")]
    with aurora(tmp_path, monkeypatch, members) as fleet:
        monkeypatch.chdir(tmp_path)
        words = ["guide", "aurora", "--region", region, "--write", "plans"]
        without = CliRunner().invoke(reroot, words)
        assert not list((tmp_path / "plans").glob("*.toml"))
        fleet.lab.write_roots(tmp_path / "published")
        done = CliRunner().invoke(reroot, [*words, "--roots", "published"])
        (arn,) = {i["DBInstanceArn"].split(":db:")[0] for i in fleet.client(region).describe_db_instances()["DBInstances"]}
    assert f"reroot trust fetch {of(region).bundle(region)} -o pem={region}.pem" in without.output
    assert "with the folder that holds the roots" in without.output
    assert (without.exit_code, done.exit_code) == (1, 1), done.output
    declared = read(tmp_path / "plans" / f"reroot-{region}.toml")
    assert {str(s.provider["region"]) for s in declared.servers} == {region}
    assert (tmp_path / "plans" / "roots" / f"{region}-{NEXT}.pem").read_bytes() == fleet.lab.root(region, NEXT)
    assert (tmp_path / "plans" / "roots" / f"{region}-{OLD}.pem").read_bytes() == fleet.lab.root(region, OLD)
    assert arn.startswith(f"arn:{of(region).id}:rds:{region}:")


@pytest.mark.parametrize("region", [GOV, CHINA])
def test_a_bundle_that_is_not_carried_is_an_error_that_names_its_address(region):
    done = CliRunner().invoke(reroot, ["trust", "bundle", "--for", f"aws:{region}"])
    assert isinstance(done.exception, InputError)
    assert of(region).bundle(region) in done.exception.hint


def test_the_rights_of_a_rotator_in_china_name_chinas_partition():
    done = CliRunner().invoke(reroot, ["emit", "iam", "--role", "rotator", "--region", CHINA, "--account", "123456789012"])
    resources = {s["Resource"] for s in json.loads(done.stdout)["Statement"]}
    assert resources == {"*", f"arn:aws-cn:rds:{CHINA}:123456789012:db:*", f"arn:aws-cn:rds:{CHINA}:123456789012:cluster:*"}
