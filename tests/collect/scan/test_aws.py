"""What AWS holds and no file does, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

boto3 = pytest.importorskip("boto3", reason="not exercised: scan aws (the extra `aws` is not installed)")
moto = pytest.importorskip("moto", reason="not exercised: scan aws (moto is not installed)")

from reroot.collect.scan import _aws  # noqa: E402
from reroot.collect.scan._scan import scan  # noqa: E402
from reroot.errors import InputError  # noqa: E402

REGION = "eu-west-1"
pytestmark = pytest.mark.filterwarnings("default")  # what the stand-in and its parts warn of is not ours


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with moto.mock_aws():
        yield


@pytest.fixture
def filled(account: None) -> None:
    parameters = boto3.client("ssm", REGION)
    parameters.put_parameter(Name="/orders/DATABASE_URL", Value="postgres://u:hunter2@h/d?sslmode=verify-ca", Type="SecureString")
    parameters.put_parameter(Name="/orders/SMTP", Value="smtp://x", Type="String")
    secrets = boto3.client("secretsmanager", REGION)
    secrets.create_secret(
        Name="prod/db", SecretString=json.dumps({"engine": "postgres", "sslmode": "require", "password": "hunter3"})
    )
    secrets.create_secret(Name="prod/url", SecretString="jdbc:postgresql://h/d?sslmode=disable&password=hunter4")
    tasks = boto3.client("ecs", REGION)
    for mode in ("disable", "verify-full"):
        environment = [{"name": "PGSSLMODE", "value": mode}]
        tasks.register_task_definition(
            family="app", containerDefinitions=[{"name": "a", "image": "a", "memory": 64, "environment": environment}]
        )
    glue = boto3.client("glue", REGION)
    properties = {"JDBC_CONNECTION_URL": "jdbc:postgresql://h/d", "JDBC_ENFORCE_SSL": "true", "PASSWORD": "hunter5"}
    glue.create_connection(ConnectionInput={"Name": "dw", "ConnectionType": "JDBC", "ConnectionProperties": properties})


def test_settings_are_found_where_aws_keeps_them(filled: None) -> None:
    result = scan(["aws"], regions=[REGION])
    assert {f.path.removeprefix(f"aws:{REGION}/"): f.mode for f in result.findings} == {
        "ssm/orders/DATABASE_URL.env": "verify-ca",
        "secretsmanager/prod/db.json": "require",
        "secretsmanager/prod/url.env": "disable",
        "ecs/app:2.json": "verify-full",
        "glue/dw.properties": "ssl=true",
    }


def test_no_secret_leaves(filled: None) -> None:
    assert "hunter" not in repr(scan(["aws"], regions=[REGION]))


def test_what_may_not_be_read_is_a_limit(account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    def denied(_session: object) -> Iterator[tuple[str, str]]:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListSecrets")
        yield

    monkeypatch.setattr(_aws, "SOURCES", (("secretsmanager", denied),))
    result = scan(["aws"], regions=[REGION])
    assert [(limit.path, limit.why) for limit in result.incomplete] == [
        (f"aws:{REGION}/secretsmanager", "could not be read: AccessDeniedException")
    ]


def test_without_a_region_nothing_is_guessed(account: None) -> None:
    with pytest.raises(InputError, match="no AWS region is named"):
        scan(["aws:"])


# ── several accounts, and rights ─────────────────────────────────────────────────────────────────

ROLES = ("arn:aws:iam::111111111111:role/reroot", "arn:aws:iam::222222222222:role/path/reroot")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every call that is made of AWS, by service and operation."""
    from botocore.client import BaseClient

    calls: list[tuple[str, str]] = []
    call = BaseClient._make_api_call

    def recorded(self: BaseClient, operation: str, given: object) -> object:
        calls.append((self.meta.service_model.service_name, operation))
        return call(self, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    return calls


@pytest.fixture
def accounts(account: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two accounts with a parameter each, that one comes to by a role."""
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    for role, mode in zip(ROLES, ("require", "verify-full"), strict=True):
        lent = boto3.client("sts", REGION).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = {
            "aws_access_key_id": lent["AccessKeyId"], "aws_secret_access_key": lent["SecretAccessKey"],
            "aws_session_token": lent["SessionToken"],
        }  # fmt: skip
        for region in (REGION, "eu-central-1"):
            parameters = boto3.client("ssm", region, **keys)
            parameters.put_parameter(Name="/app/DATABASE_URL", Value=f"postgres://u@h/d?sslmode={mode}", Type="String")


def test_each_account_is_looked_at_by_its_role_in_each_region(accounts: None, made: list[tuple[str, str]]) -> None:
    result = scan(["aws"], regions=[REGION, "eu-central-1"], roles=ROLES)
    assert not result.incomplete
    assert {(f.path.removesuffix("/ssm/app/DATABASE_URL.env"), f.mode) for f in result.findings} == {
        ("aws:111111111111:reroot/eu-west-1", "require"),
        ("aws:111111111111:reroot/eu-central-1", "require"),
        ("aws:222222222222:reroot/eu-west-1", "verify-full"),
        ("aws:222222222222:reroot/eu-central-1", "verify-full"),
    }
    assert made.count(("sts", "AssumeRole")) == 2, "once for each account, not for each region and service"


def test_a_role_is_assumed_again_before_its_hour_is_over(accounts: None, made: list[tuple[str, str]]) -> None:
    from datetime import timedelta

    from reroot.collect._awsapi import Login, session

    lent = session(Login(role=ROLES[0]), REGION)
    logs = lent.client("ssm")
    logs.get_parameters_by_path(Path="/")
    assert made.count(("sts", "AssumeRole")) == 1
    held = lent.get_credentials()
    before = held.access_key
    held._expiry_time -= timedelta(minutes=55)
    logs.get_parameters_by_path(Path="/")
    assert made.count(("sts", "AssumeRole")) == 2
    assert held.access_key != before


def test_a_role_that_may_not_be_assumed_is_a_limit_and_the_other_account_is_looked_at(
    accounts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    call = BaseClient._make_api_call

    def denies(self: BaseClient, operation: str, given: dict[str, object]) -> object:
        if given.get("RoleArn") == ROLES[0]:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return call(self, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", denies)
    result = scan(["aws"], regions=[REGION], roles=ROLES)
    assert [(limit.path, limit.why) for limit in result.incomplete] == [
        ("aws:111111111111:reroot/", "could not be read: AssumeRole AccessDenied")
    ]
    assert [f.mode for f in result.findings] == ["verify-full"]


def test_the_scanners_policy_is_what_a_scan_calls_and_nothing_else(
    filled: None, made: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from reroot.cli.emit import policy

    asked = _aws._regions
    monkeypatch.setattr(_aws, "_regions", lambda session: [name for name in asked(session) if name == REGION])
    scan(["aws"], regions=["all"])
    allowed = {action for statement in policy("scanner")["Statement"] for action in statement["Action"]}
    assert {f"{service}:{operation}" for service, operation in made} == allowed


def test_a_call_that_is_in_no_policy_is_not_made(account: None, made: list[tuple[str, str]]) -> None:
    from reroot.collect._awsapi import Login, session

    with pytest.raises(AssertionError, match="ssm DeleteParameter is in no policy"):
        session(Login(), REGION).client("ssm").delete_parameter(Name="/app/DATABASE_URL")
