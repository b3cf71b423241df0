"""
Logs that lie at AWS: objects of S3, the log files of an RDS instance, and log groups of CloudWatch. Each is a stream like any other.

    s3://BUCKET/PREFIX                   objects under a prefix; gzip and zstd by their first bytes, as exports of CloudWatch are
    rds://REGION/INSTANCE                the log files that RDS keeps of an instance, by DownloadDBLogFilePortion
    cloudwatch://REGION/LOG-GROUP        each stream of a group is the log of one instance

Who we are and where the doors are is what AWS's own tools would take: the environment and its profiles. An object is known again by its
ETag and is not read twice. A stream of CloudWatch is known up to a moment, since its begin is thrown away after a while.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ...errors import InputError, ReachError
from .._awsapi import Login, Refused, api
from .._awslogin import client, told
from ._objects import Known, Log, Unreadable

SETTLED = 60
"""Seconds after which CloudWatch has surely taken in what was logged; what is younger is left for the next time."""

TRIES = 5
_EXPORTED = re.compile(r"(?:.*/)?[0-9a-f-]{36}/(?P<stream>[^/]+)/[0-9]{6}\.gz")
_STREAM = re.compile(r"(?P<instance>.+?)(?:\.[0-9]+)?")


def is_remote(place: str) -> bool:
    return place.partition("://")[0] in KINDS and "://" in place


def find_remote(place: str, server: str, since: datetime | None) -> Sequence[Log]:
    """The logs at *place*, those that were written to after *since*; ``InputError`` when there is none."""
    scheme, _, rest = place.partition("://")
    found = KINDS[scheme].find(rest, server, since)
    if not found:
        more = f" that was written to since {since:%Y-%m-%d %H:%M}" if since else ""
        raise InputError(f"there is no log{more}", where=place, hint=HINTS[scheme])
    return sorted(found)


def open_remote(log: Log, known: Sequence[Known]) -> Reader:
    return KINDS[log.path.partition("://")[0]].open(log, known)


def _parts(rest: str, shape: str, hint: str) -> tuple[str, str]:
    first, _, more = rest.partition("/")
    if not first or not more.strip("/"):
        raise InputError(f"`{shape.partition(':')[0]}://{rest}` is not whole", hint=f"write `{shape}`, as in `{hint}`")
    return first, more


class Reader:
    """Bytes that come in parts."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._pending = memoryview(b"")

    def peek(self) -> bytes:
        """The first bytes, left where they are."""
        while not self._pending:
            try:
                self._pending = memoryview(next(self._parts))
            except StopIteration:
                return b""
            except ReachError as error:
                raise Unreadable(error.message) from None
        return bytes(self._pending[:4])

    def readinto(self, block: memoryview, /) -> int:
        self.peek()
        size = min(len(block), len(self._pending))
        block[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        return size

    def read(self, size: int) -> bytes:
        block = bytearray(size)
        return bytes(block[: self.readinto(memoryview(block))])

    def close(self) -> None:
        self._parts = iter(())


@dataclass(frozen=True)
class Kind:
    """One kind of place: ``find`` lists its logs, ``open`` gives the bytes of one, from a position where it can."""

    find: Callable[[str, str, datetime | None], Sequence[Log]]
    open: Callable[[Log, Sequence[Known]], Reader]


# ── S3 ───────────────────────────────────────────────────────────────────────────────────────────


@lru_cache
def _s3() -> Any:
    return client(Login(), "s3")


def _objects(rest: str, server: str, since: datetime | None) -> list[Log]:
    import botocore.exceptions as wrong

    bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise InputError("`s3://` names no bucket", hint="write `s3://BUCKET/PREFIX`")
    found = []
    try:
        for page in _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for one in page.get("Contents", ()):
                key = one["Key"]
                # An export begins with an object that only tests whether it may write.
                if not one["Size"] or key.endswith("aws-logs-write-test") or (since and one["LastModified"] < since):
                    continue
                exported = _EXPORTED.fullmatch(key)
                name = server or (_instance(exported["stream"]) if exported else "")
                found.append(Log(name, f"s3://{bucket}/{key}", str(one["ETag"]).strip('"')))
    except (wrong.BotoCoreError, wrong.ClientError) as error:
        raise told(error, f"s3://{rest}") from None
    return found


def _open_object(log: Log, _known: Sequence[Known]) -> Reader:
    return Reader(_object(log))


def _object(log: Log) -> Iterator[bytes]:
    """The bytes of an object; after a cut they go on where they were, and only if it is still the same object."""
    import botocore.exceptions as wrong

    bucket, _, key = log.path.removeprefix("s3://").partition("/")
    position, tries = 0, 0
    while True:
        try:
            more: dict[str, str] = {"Range": f"bytes={position}-"} if position else {}
            answer = _s3().get_object(Bucket=bucket, Key=key, **({"IfMatch": f'"{log.tag}"'} if log.tag else {}), **more)
            with closing(answer["Body"]) as body:
                for part in body.iter_chunks(1 << 18):
                    position += len(part)
                    yield part
            return
        except (wrong.BotoCoreError, wrong.ClientError, OSError) as error:
            tries += 1
            if tries >= TRIES or isinstance(error, wrong.ClientError):
                raise told(error, log.path) from None
            time.sleep(0.1 * 2**tries)


# ── RDS ──────────────────────────────────────────────────────────────────────────────────────────


def _log_files(rest: str, server: str, since: datetime | None) -> list[Log]:
    region, more = _parts(rest, "rds://REGION/INSTANCE", "rds://eu-central-1/orders-1")
    instance, _, name = more.strip("/").partition("/")
    rds = api(Login(), region)
    given: dict[str, object] = {"DBInstanceIdentifier": instance, "FilenameContains": name or "postgresql.log"}
    if since is not None:
        given["FileLastWritten"] = int(since.timestamp() * 1000)
    files = rds.pages("DescribeDBLogFiles", "DescribeDBLogFiles", **given)
    # With `log_destination = csvlog` the same is written twice; the one that is always there is taken.
    names = [str(one["LogFileName"]) for one in files if one.get("Size")]
    return [Log(server or instance, f"rds://{region}/{instance}/{file}") for file in names if name or not file.endswith(".csv")]


def _open_log_file(log: Log, _known: Sequence[Known]) -> Reader:
    return Reader(_portions(log))


def _portions(log: Log) -> Iterator[bytes]:
    region, instance, name = log.path.removeprefix("rds://").split("/", 2)
    rds, marker, more = api(Login(), region), "0", True
    while more:
        part = rds.look("DownloadDBLogFilePortion", DBInstanceIdentifier=instance, LogFileName=name, Marker=marker)
        text = str(part.get("LogFileData") or "")
        yield text.encode("utf-8", "surrogateescape")
        following, more = str(part.get("Marker") or ""), bool(part.get("AdditionalDataPending"))
        if more and following == marker:
            raise Refused("", "RDS gives the same portion again and again", where=log.path)
        marker = following


# ── CloudWatch ───────────────────────────────────────────────────────────────────────────────────


@lru_cache
def _cloudwatch(region: str) -> Any:
    return client(Login(), "logs", region)


def _streams(rest: str, server: str, since: datetime | None) -> list[Log]:
    import botocore.exceptions as wrong

    region, group = _parts(rest, "cloudwatch://REGION/LOG-GROUP", "cloudwatch://eu-central-1/aws/rds/cluster/orders/postgresql")
    group = group if not group.startswith("aws/") else "/" + group
    begin = int(since.timestamp() * 1000) if since else 0
    found = []
    try:
        for page in _cloudwatch(region).get_paginator("describe_log_streams").paginate(logGroupName=group):
            for one in page["logStreams"]:
                if one.get("lastIngestionTime", one.get("lastEventTimestamp", begin)) >= begin:
                    name = one["logStreamName"]
                    of = server or (_instance(name) if len(name) and "/" not in name else "")
                    tag = f"cloudwatch:{region}:{group}:{name}"
                    found.append(Log(of, f"cloudwatch://{region}/{group.lstrip('/')}#{name}", tag))
    except (wrong.BotoCoreError, wrong.ClientError) as error:
        raise told(error, f"cloudwatch://{rest}") from None
    return found


def _open_stream(log: Log, known: Sequence[Known]) -> Reader:
    begin = max((k.bytes for k in known if k.digest == log.tag), default=0)
    end = (int(datetime.now(UTC).timestamp()) - SETTLED) * 1000
    return Events(_events(log, begin, end), end)


class Events(Reader):
    """Of a stream of events ``until`` is the moment, in milliseconds, up to which they were read."""

    def __init__(self, parts: Iterator[bytes], until: int) -> None:
        super().__init__(parts)
        self.until = until


def _events(log: Log, begin: int, end: int) -> Iterator[bytes]:
    import botocore.exceptions as wrong

    _, region, group, name = log.tag.split(":", 3)
    token: Mapping[str, str] = {}
    while begin < end:
        try:
            page = _cloudwatch(region).get_log_events(
                logGroupName=group, logStreamName=name, startTime=begin, endTime=end, startFromHead=True, **token
            )
        except (wrong.BotoCoreError, wrong.ClientError) as error:
            raise told(error, log.path) from None
        if page["events"]:
            yield b"".join(one["message"].rstrip("\n").encode("utf-8", "surrogateescape") + b"\n" for one in page["events"])
        if page["nextForwardToken"] == token.get("nextToken"):
            return  # the same token again says that there is no more
        token = {"nextToken": page["nextForwardToken"]}


def _instance(stream: str) -> str:
    """RDS calls the streams of an instance by its name, and numbers them: ``orders-1.0``."""
    found = _STREAM.fullmatch(stream)
    return found["instance"] if found else stream


KINDS: Mapping[str, Kind] = {
    "s3": Kind(_objects, _open_object),
    "rds": Kind(_log_files, _open_log_file),
    "cloudwatch": Kind(_streams, _open_stream),
}
HINTS: Mapping[str, str] = {
    "s3": "`aws s3 ls` shows what is there",
    "rds": "`aws rds describe-db-log-files` shows what RDS keeps: a few days",
    "cloudwatch": "`aws logs describe-log-streams` shows what is there; the instance must export its `postgresql` log",
}
