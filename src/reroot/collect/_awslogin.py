"""Clients of AWS services beside RDS's own API, logged in as one ``Login`` says; and tokens of IAM for RDS, which are signed here."""

from __future__ import annotations

from typing import Any

from ..errors import InputError, ReachError
from ._awsapi import HINTS, Login, Refused


def client(login: Login, service: str, region: str = "") -> Any:
    """A boto3 client that tries again by itself: for reading, which may be done twice."""
    try:
        import boto3
        import botocore.exceptions as wrong
        from botocore.config import Config
    except ImportError:
        raise InputError("boto3 is not installed", hint="`pip install 'reroot[aws]'`") from None
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 8}, connect_timeout=5, read_timeout=60)
    where: dict[str, Any] = {"config": config, **({"region_name": region} if region else {})}
    if login.endpoint_url:
        where["endpoint_url"] = login.endpoint_url
    try:
        session = boto3.Session(profile_name=login.profile or None)
        if not login.role:
            return session.client(service, **where)
        sts = session.client("sts", **where)
        lent = sts.assume_role(RoleArn=login.role, RoleSessionName="reroot")["Credentials"]
        keys = {
            "aws_access_key_id": "AccessKeyId",
            "aws_secret_access_key": "SecretAccessKey",
            "aws_session_token": "SessionToken",
        }
        return session.client(service, **{ours: lent[theirs] for ours, theirs in keys.items()}, **where)
    except (wrong.BotoCoreError, wrong.ClientError) as error:
        raise told(error, region or service) from None


def told(error: Exception, where: str) -> ReachError:
    """What AWS, or the way to it, said; it names users and resources, never a secret."""
    answer = getattr(error, "response", None)
    wrong = answer.get("Error", {}) if isinstance(answer, dict) else {}
    code = str(wrong.get("Code", ""))
    said = (
        f"{code}: {wrong.get('Message') or 'no reason given'}" if code else (str(error).splitlines() or [type(error).__name__])[0]
    )
    no_login = "credentials" in said.lower() and not code
    hint = "log in: `aws configure`, `aws sso login`, or set `AWS_PROFILE`" if no_login else HINTS.get(code, "")
    return Refused(code, said, where=where, hint=hint)


def signed(login: Login, region: str, host: str, port: int, user: str) -> str:
    """A token that RDS takes from *user* in place of a password, for 15 minutes. Signed with the login's key; nothing is sent."""
    import botocore.exceptions as wrong

    rds = client(login, "rds", region)
    try:
        return str(rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user, Region=region))
    except (wrong.BotoCoreError, wrong.ClientError) as error:
        raise told(error, host) from None
    finally:
        rds.close()
