"""Clients of AWS services beside RDS's own API, logged in as one ``Login`` says; and tokens of IAM for RDS, which are signed here."""

from __future__ import annotations

from typing import Any

from ..errors import ReachError
from ._awsapi import HINTS, Login, Refused, installed, operation_of, options, session


def client(login: Login, service: str, region: str = "") -> Any:
    """A boto3 client that tries again by itself: for reading, which may be done twice."""
    installed()
    import botocore.exceptions as wrong

    patient = {"retries": {"mode": "adaptive", "total_max_attempts": 8}, "read_timeout": 60}
    try:
        return session(login, region).client(service, **options(login, **patient))
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
    hint = "log in: `aws configure`, `aws sso login`, or set `AWS_PROFILE`" if no_login else HINTS.get(f"{operation_of(error, '')} {code}") or HINTS.get(code, "")
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
