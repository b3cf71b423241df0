"""What AWS holds and no file does, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")

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
