"""
One way to call RDS: with a rate cap, full-jitter back-off and a deadline for looks, and no second try for a change.

A change that got no answer, or a broken one, may have happened: that is ``Unsure``, and whoever asked has to look before
anything is asked again. Only an answer that says "not done" (throttled) is tried again by itself.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..authorities._partitions import COMMERCIAL, PARTITIONS, Partition, of
from ..errors import InputError, ReachError
from ._awscalls import CALLS, LISTED
from ._clock import WALL, Clock

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled", "SlowDown"}
)
BASE, CAP = 0.1, 5.0
"""Seconds: the first back-off is up to BASE, each following up to twice as long, none longer than CAP."""

HINTS: Mapping[str, str] = {
    "ExpiredToken": "log in again, then go on with the same command",
    "ExpiredTokenException": "log in again, then go on with the same command",
    "RequestExpired": "check this machine's clock, or log in again",
    "InvalidClientTokenId": "the key is not known there: check the profile, and whether the account opted into this region",
    "UnrecognizedClientException": "the key is not known there: check the profile, and whether the account opted into this region",
    "OptInRequired": "the account did not opt into this region",
    "AuthFailure": "check the profile and its key",
    "SignatureDoesNotMatch": "check the secret key and this machine's clock",
    "AssumeRole AccessDenied": "the role must trust this login, and the login be allowed `sts:AssumeRole` of it",
    "AccessDenied": "`reroot emit iam` prints the rights that are needed",
    "AccessDeniedException": "`reroot emit iam` prints the rights that are needed",
    "DBInstanceNotFound": "it is gone, or in another region or account",
    "DBClusterNotFoundFault": "it is gone, or in another region or account",
    "CertificateNotFound": "`reroot guide aurora` lists the CA ids of each region",
    "InvalidDBInstanceState": "wait until the instance is available, then do this again",
}


LOCKED_OUT = frozenset(
    {"NoCredentials", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException",
     "OptInRequired", "AuthFailure", "SignatureDoesNotMatch", "AccessDenied", "AccessDeniedException"}
)  # fmt: skip
"""Answers that stay as they are until a person does something: waiting is no help."""


EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})


class Unsure(Exception):
    """A change was sent and its answer is not known: it may have happened."""


class Refused(ReachError):
    """AWS said no; *code* is its word for it."""

    def __init__(self, code: str, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class Login:
    """As whom, and at which door. Everything empty: what the environment says."""

    profile: str = ""
    role: str = ""
    endpoint_url: str = ""


class Rate:
    """At most so many calls a second by *clock*, over all threads."""

    def __init__(self, per_second: float = 10.0, clock: Clock = WALL) -> None:
        self.gap, self.clock = 1 / per_second, clock
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until it is one's turn. Who comes late does not bring the next one nearer: two calls are never closer than the gap."""
        with self._lock:
            now = self.clock.now()
            if self._next > now:
                self.clock.wait(self._next - now)
            self._next = max(self.clock.now(), self._next) + self.gap


RATE = Rate()
"""Of this process: what it asks of AWS, from whichever room."""


class Api:
    """RDS in one region, as one login. Safe to share between threads. Everything that waits for it waits by its rate's clock."""

    def __init__(self, login: Login, region: str, *, rate: Rate = RATE, deadline: float = 120.0) -> None:
        self.login, self.region, self._rate, self._deadline = login, region, rate, deadline
        self._lock = threading.Lock()
        self._client: Any = None

    @property
    def clock(self) -> Clock:
        return self._rate.clock

    def look(self, operation: str, **given: object) -> Mapping[str, Any]:
        """One describe, tried again until the deadline as long as trying again may help."""
        return self._until(operation, given, lambda error: _may_pass(error))

    def pages(self, operation: str, key: str, **given: object) -> list[Mapping[str, Any]]:
        """Every record of a describe that comes in pages."""
        found: list[Mapping[str, Any]] = []
        marker = ""
        while True:
            page = self.look(operation, **given, **({"Marker": marker} if marker else {}))
            found += page.get(key, ())
            marker = str(page.get("Marker") or "")
            if not marker:
                return found

    def change(self, operation: str, **given: object) -> Mapping[str, Any]:
        """A change. ``Refused`` when AWS said no; ``Unsure`` when nobody can say whether it happened."""
        assert CALLS[operation].changes
        try:
            return self._until(operation, given, lambda error: _code(error) in THROTTLED)
        except Refused as refused:
            if refused.code in ("", "InternalFailure", "InternalError", "ServiceUnavailable"):
                raise Unsure(f"`{operation}` got no usable answer: {refused.message}") from None
            raise

    def _until(self, operation: str, given: Mapping[str, object], again: Callable[[Exception], bool]) -> Mapping[str, Any]:
        import botocore.exceptions as wrong

        if operation not in CALLS:
            raise AssertionError(f"{operation} is in no policy")
        client, renewed = self._connected(), False
        until, tries = self.clock.now() + self._deadline, 0
        while True:
            self._rate.wait()
            try:
                answer: Mapping[str, Any] = getattr(client, _method(operation))(**given)
                return answer
            except (wrong.BotoCoreError, wrong.ClientError) as error:
                if (
                    self.login.role and _code(error) in EXPIRED and not renewed
                ):  # a role is lent for an hour; a rotation lasts longer
                    client, renewed = self._connected(instead_of=client), True
                    continue
                pause = random.uniform(0, min(CAP, BASE * 2**tries))
                if not again(error) or self.clock.now() + pause > until:
                    raise self.refused(error, operation) from None
                self.clock.wait(pause)
                tries += 1

    def _connected(self, instead_of: Any = None) -> Any:
        """The client; another one *instead_of* one whose role has ended, unless somebody was there before."""
        import botocore.exceptions as wrong

        with self._lock:
            if self._client is None or self._client is instead_of:
                try:
                    self._client = _client(self.login, self.region)
                except (wrong.BotoCoreError, wrong.ClientError) as error:
                    raise self.refused(error, "AssumeRole" if self.login.role else "login") from None
            return self._client

    def refused(self, error: Exception, operation: str) -> Refused:
        """What went wrong, for a person. AWS's messages name users and resources, never a secret."""
        code = _code(error)
        operation = operation_of(error, operation)
        where = f"{self.region}, {operation}"
        if not code:
            hint = "log in: `aws configure`, `aws sso login`, or set `AWS_PROFILE`" if _is_login(error) else ""
            return Refused("NoCredentials" if _is_login(error) else "", str(error).splitlines()[0], where=where, hint=hint)
        said = getattr(error, "response", {}).get("Error", {}).get("Message") or code
        hint = f"{operation} {code}" if operation == "AssumeRole" else code
        return Refused(code, f"{code}: {said}", where=where, hint=HINTS.get(hint) or HINTS.get(code, ""))


@lru_cache(maxsize=256)
def api(login: Login, region: str) -> Api:
    """The one client of this process for *login* in *region*."""
    return Api(login, region)


def installed() -> Any:
    """boto3; ``InputError`` that says how it is had."""
    try:
        import boto3
    except ImportError:
        raise InputError("boto3 is not installed", hint="`pip install 'reroot[aws]'`") from None
    return boto3


def session(login: Login, region: str = "", like: Any = None) -> Any:
    """A boto3 session of *login*, which calls nothing that is in no policy. *like*: one of the same login, whose role is taken over.

    A role is assumed here, and again by itself whenever its hour comes to an end.
    """
    boto3 = installed()
    given = {"profile_name": login.profile or None, "region_name": region or None}
    made = own = boto3.Session(**given)
    if login.role:
        from botocore.credentials import RefreshableCredentials
        from botocore.session import Session

        def lend() -> dict[str, str]:
            # A role may be assumed twice, so boto3 may try again by itself.
            sts = own.client("sts", **options(login, retries={"mode": "standard", "total_max_attempts": 6}))
            try:
                lent = sts.assume_role(RoleArn=login.role, RoleSessionName="reroot")["Credentials"]
            finally:
                sts.close()
            keys = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "token": "SessionToken"}
            return {ours: lent[theirs] for ours, theirs in keys.items()} | {"expiry_time": lent["Expiration"].isoformat()}

        inner = Session()
        inner._credentials = (
            like.get_credentials() if like else RefreshableCredentials.create_from_metadata(lend(), lend, "sts-assume-role")
        )
        made = boto3.Session(botocore_session=inner, **given)
    made.events.register("provide-client-params", _refuse_unlisted)
    return made


def _refuse_unlisted(model: Any, **_: object) -> None:
    if (model.service_model.service_name, model.name) not in LISTED:
        raise AssertionError(f"{model.service_model.service_name} {model.name} is in no policy")


def options(login: Login, **config: Any) -> dict[str, Any]:
    """What each client is made with."""
    from botocore.config import Config

    return {"config": Config(connect_timeout=5, **config), "endpoint_url": login.endpoint_url or None}


def _client(login: Login, region: str) -> Any:
    # Trying again is decided here, where it is known what may be tried again.
    once = {"retries": {"total_max_attempts": 1}, "read_timeout": 30, "max_pool_connections": 10}
    return session(login, region).client("rds", **options(login, **once))


def partition(login: Login) -> Partition:
    """Which partition *login* is of: the ARN of its role says it, else its profile's region; AWS's own where nothing does."""
    said = login.role.split(":")[1:2]
    named = next((p for p in PARTITIONS if [p.id] == said), None)
    return named or of(home(login))


def home(login: Login) -> str:
    """The region that the profile or the environment names; ``""`` for none."""
    return str(installed().Session(profile_name=login.profile or None).region_name or "")


def regions(within: Partition = COMMERCIAL) -> tuple[str, ...]:
    """Every region of a partition that botocore knows RDS in; an account need not have opted into all of them."""
    return tuple(installed().Session().get_available_regions("rds", partition_name=within.id))


@lru_cache(maxsize=64)
def _method(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def operation_of(error: Exception, asked: str) -> str:
    """What failed: the call that was *asked* for, or the role that had to be assumed for it."""
    return "AssumeRole" if getattr(error, "operation_name", "") == "AssumeRole" else asked


def _status(error: Exception) -> int:
    response = getattr(error, "response", None)
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) if isinstance(response, dict) else 0


def _is_login(error: Exception) -> bool:
    import botocore.exceptions as wrong

    kinds = (
        wrong.NoCredentialsError,
        wrong.PartialCredentialsError,
        wrong.CredentialRetrievalError,
        wrong.ProfileNotFound,
        wrong.SSOError,
        wrong.TokenRetrievalError,
    )
    return isinstance(error, kinds)


def _may_pass(error: Exception) -> bool:
    """Throttled, broken inside, or cut off on the way."""
    import botocore.exceptions as wrong

    code = _code(error)
    if code:
        return code in THROTTLED or _status(error) >= 500
    kinds = (wrong.HTTPClientError, wrong.ConnectionError, wrong.ResponseStreamingError)
    return isinstance(error, kinds)
