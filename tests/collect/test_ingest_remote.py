"""Logs at AWS are read like any other: objects of S3, the files that RDS keeps, the streams of CloudWatch; each counted once."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from reroot.collect import _awsapi
from reroot.collect.ingest import Follower, Ingested, Known, Ways, _remote, find, from_evidence, ingest, to_evidence
from reroot.errors import InputError, ReachError
from reroot.logs import Row, rollup
from tests.collect.test_ingest import log_of
from tests.logs.lines import TLS13, rds

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DEBIAN = "%m [%p] %q%u@%d "
LINES = [
    rds("connection received: host=10.0.0.7 port=5"),
    rds(f"connection authorized: user=app database=orders {TLS13}", who="app@orders"),
    rds("could not accept SSL connection: tlsv1 alert unknown ca", host="10.0.0.9(5)"),
]


class Aws:
    """As much of S3, RDS and CloudWatch Logs as is read from, over HTTP; *cut_after* ends an object's first answers early."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.files: dict[str, list[str]] = {}
        self.events: dict[str, list[tuple[int, str]]] = {}
        self.cuts: list[int] = []
        self.asked: list[str] = []
        self.denies = ""
        aws = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None: ...

            def do_GET(self) -> None:
                aws.s3(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                target = self.headers.get("X-Amz-Target", "")
                aws.logs(self, target.rpartition(".")[2], body) if target else aws.rds(self, parse_qs(body))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Aws:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @staticmethod
    def answer(to: BaseHTTPRequestHandler, body: bytes, status: int = 200, claims: int | None = None, **headers: str) -> None:
        to.send_response(status)
        for name, value in {"Content-Length": str(claims or len(body)), **headers}.items():
            to.send_header(name.replace("_", "-"), value)
        to.end_headers()
        to.wfile.write(body)
        to.close_connection = claims is not None

    def s3(self, to: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(to.path)
        words = parse_qs(parts.query)
        self.asked.append(f"GET {to.headers.get('Range', '')}".strip())
        if self.denies == "s3":
            return self.answer(to, b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>", 403)
        if "list-type" in words:
            prefix = words.get("prefix", [""])[0]
            rows = "".join(
                f"<Contents><Key>{escape(k)}</Key><LastModified>2026-11-23T10:00:00.000Z</LastModified>"
                f"<ETag>&quot;{hash(v) & 0xFFFFFFFF:08x}&quot;</ETag><Size>{len(v)}</Size></Contents>"
                for k, v in sorted(self.objects.items())
                if k.startswith(prefix)
            )
            return self.answer(to, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())
        whole = self.objects[unquote(parts.path).split("/", 2)[2]]
        if to.headers.get("If-Match", "").strip('"') not in ("", f"{hash(whole) & 0xFFFFFFFF:08x}"):
            return self.answer(to, b"<Error><Code>PreconditionFailed</Code><Message>changed</Message></Error>", 412)
        begin = int(re.sub(r"bytes=(\d+)-", r"\1", to.headers.get("Range", "0")))
        if self.cuts:
            return self.answer(to, whole[begin : begin + self.cuts.pop(0)], 206 if begin else 200, claims=len(whole) - begin)
        return self.answer(to, whole[begin:], 206 if begin else 200)

    def rds(self, to: BaseHTTPRequestHandler, words: dict[str, list[str]]) -> None:
        action = words["Action"][0]
        self.asked.append(action)
        if self.denies == "rds":
            return self.answer(
                to, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>", 403
            )
        if action == "DescribeDBLogFiles":
            rows = "".join(
                f"<DescribeDBLogFilesDetails><LogFileName>{name}</LogFileName><LastWritten>1</LastWritten>"
                f"<Size>{sum(map(len, parts))}</Size></DescribeDBLogFilesDetails>"
                for name, parts in self.files.items()
            )
            inner = f"<DescribeDBLogFiles>{rows}</DescribeDBLogFiles>"
        else:
            parts, number = self.files[words["LogFileName"][0]], int(words["Marker"][0])
            more = number + 1 < len(parts)
            text = "".join(f"&#{ord(c)};" if c in "\t\r" else escape(c) for c in parts[number])
            inner = f"<LogFileData>{text}</LogFileData><Marker>{number + 1}</Marker><AdditionalDataPending>{str(more).lower()}</AdditionalDataPending>"
        return self.answer(to, f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>".encode())

    def logs(self, to: BaseHTTPRequestHandler, action: str, body: str) -> None:
        import json

        given = json.loads(body)
        self.asked.append(action)
        if given["logGroupName"] != "/aws/rds/instance/orders/postgresql":
            said = {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
            return self.answer(to, json.dumps(said).encode(), 400)
        if action == "DescribeLogStreams":
            streams = [{"logStreamName": n, "lastIngestionTime": e[-1][0] if e else 0} for n, e in self.events.items()]
            return self.answer(to, json.dumps({"logStreams": streams}).encode())
        events = [e for e in self.events[given["logStreamName"]] if given["startTime"] <= e[0] < given["endTime"]]
        begin = int(given.get("nextToken", "f/0").removeprefix("f/"))
        page = [{"timestamp": at, "message": text} for at, text in events[begin : begin + 2]]
        told = {"events": page, "nextForwardToken": f"f/{begin + len(page)}", "nextBackwardToken": "b/0"}
        return self.answer(to, json.dumps(told).encode())


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with Aws() as running:
        for name, value in {
            "AWS_ENDPOINT_URL": running.url, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2",
            "AWS_DEFAULT_REGION": "eu-central-1", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        caches = (_remote._s3, _remote._cloudwatch, _awsapi.api)
        for cache in caches:
            cache.cache_clear()
        yield running
        for cache in caches:
            cache.cache_clear()


def rows_of(found: Ingested) -> dict[Row, object]:
    return dict(found.rollup.settled().rows)


def again(found: Ingested) -> tuple[Known, ...]:
    return from_evidence(to_evidence(found, NOW))


# ── S3 ───────────────────────────────────────────────────────────────────────────────────────────


def test_objects_are_read_as_they_are_packed_and_known_again_by_their_tag(aws):
    text = log_of(1)
    aws.objects = {"logs/year=2026/a.log": text, "logs/year=2026/b.log.gz": gzip.compress(log_of(2)), "other/c.log": log_of(3)}
    logs = find(["db1=s3://bucket/logs/year=2026/"])
    found = ingest(logs)
    assert found.is_complete
    assert [log.path for log in logs] == ["s3://bucket/logs/year=2026/a.log", "s3://bucket/logs/year=2026/b.log.gz"]
    assert rows_of(found) == (rollup(text, DEBIAN, "db1") + rollup(log_of(2), DEBIAN, "db1")).settled().rows
    aws.asked.clear()
    repeated = ingest(find(["db1=s3://bucket/logs/year=2026/"]), known=again(found))
    assert all(read.skipped for read in repeated.reads)
    assert aws.asked == ["GET"]  # the list, and no object


def test_an_equals_sign_in_a_key_is_no_name_of_a_server(aws):
    aws.objects = {"year=2026/a.log": b"".join(LINES)}
    assert [log.server for log in find(["s3://bucket/year=2026/"], "db9")] == ["db9"]


def test_an_object_that_breaks_off_is_read_on_from_there(aws):
    text = gzip.compress(log_of(4, 20_000))
    aws.objects = {"a.gz": text}
    aws.cuts = [len(text) // 3, 1]
    found = ingest(find(["db1=s3://bucket/a.gz"]))
    assert found.is_complete
    assert rows_of(found) == rollup(log_of(4, 20_000), DEBIAN, "db1").settled().rows
    assert aws.asked[-2:] == [f"GET bytes={len(text) // 3}-", f"GET bytes={len(text) // 3 + 1}-"]


def test_an_object_that_is_another_one_by_then_is_told_and_not_mixed(aws):
    aws.objects = {"a.log": log_of(1)}
    logs = find(["s3://bucket/a.log"])
    aws.objects["a.log"] = log_of(2)
    found = ingest(logs)
    assert not found.is_complete
    assert "PreconditionFailed" in found.unread[0].why
    assert not rows_of(found)


def test_an_export_of_cloudwatch_is_recognised_and_tells_its_instance(aws):
    text = b"".join(b"2026-11-23T10:15:00.123Z " + line for line in LINES)
    statement = rds("duration: 1 ms  statement: SELECT 1", who="a@b") + b"\tLOG:  connection authorized: user=x database=y\n"
    task = "exports/3f0b1c2d-0000-4000-8000-aabbccddeeff"
    aws.objects = {
        "exports/aws-logs-write-test": b"Permission Check Successful",
        f"{task}/orders-1.0/000000.gz": gzip.compress(text + b"2026-11-23T10:15:01.000Z " + statement),
    }
    found = ingest(find(["s3://bucket/exports"]))
    assert found.reads[0].spelling == "cloudwatch:%t:%r:%u@%d:[%p]:"
    assert found.is_complete
    assert rows_of(found) == rollup(b"".join(LINES), "%t:%r:%u@%d:[%p]:", "orders-1").settled().rows
    assert found.rollup.notes.quoted == 1


# ── RDS ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_files_of_an_instance_are_read_portion_by_portion(aws):
    text = b"".join(LINES * 3).decode()
    aws.files = {
        "error/postgresql.log.2026-11-23-10": [text[:100], text[100:250], text[250:]],
        "error/postgresql.log.2026-11-23-10.csv": ["not again"],
        "error/postgresql.log.2026-11-23-11": [],
    }
    found = ingest(find(["rds://eu-central-1/orders-1"]))
    assert found.is_complete
    assert rows_of(found) == rollup(text.encode(), "%t:%r:%u@%d:[%p]:", "orders-1").settled().rows
    assert [r.piece.log.path for r in found.reads] == ["rds://eu-central-1/orders-1/error/postgresql.log.2026-11-23-10"]
    aws.files["error/postgresql.log.2026-11-23-10"].append(LINES[1].decode())
    grown = ingest(find(["rds://eu-central-1/orders-1"]), known=again(found))
    assert sum(t.number for r, t in grown.rollup.rows.items() if r.event == "session") == 1


# ── CloudWatch ───────────────────────────────────────────────────────────────────────────────────

GROUP = "cloudwatch://eu-central-1/aws/rds/instance/orders/postgresql"


def test_the_streams_of_a_group_are_the_logs_of_their_instances_and_are_read_on_from_the_last_moment(aws):
    settled = datetime.now(UTC) - timedelta(minutes=5)
    at = int(settled.timestamp() * 1000)
    aws.events = {
        "orders-1.0": [(at + n, line.decode().rstrip("\n")) for n, line in enumerate(LINES)],
        "orders-2.0": [(at, LINES[1].decode())],
    }
    found = ingest(find([GROUP]))
    assert found.is_complete
    assert {row.server for row in rows_of(found)} == {"orders-1", "orders-2"}
    one = {row: tally for row, tally in rows_of(found).items() if row.server == "orders-1"}
    assert one == rollup(b"".join(LINES), "%t:%r:%u@%d:[%p]:", "orders-1").settled().rows
    repeated = ingest(find([GROUP]), known=again(found))
    assert not rows_of(repeated)
    assert all(read.skipped for read in repeated.reads)
    earlier = tuple(Known(0, k.digest, at + 2) for k in again(found) if k.digest.endswith("orders-1.0"))
    rest = ingest([log for log in find([GROUP]) if log.server == "orders-1"], known=earlier)
    assert [r.cause for r in rows_of(rest)] == ["tlsv1 alert unknown ca"]


def test_what_was_logged_just_now_is_left_for_the_next_time(aws):
    aws.events = {"orders-1.0": [(int(datetime.now(UTC).timestamp() * 1000), LINES[1].decode())]}
    found = ingest(find([GROUP]))
    assert not rows_of(found)
    assert found.reads[0].skipped


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("place", "kind", "says"),
    [
        pytest.param("s3://", InputError, "names no bucket", id="no-bucket"),
        pytest.param("s3://bucket/nothing", InputError, "there is no log", id="nothing-there"),
        pytest.param("rds://orders-1", InputError, "is not whole", id="no-region"),
        pytest.param("rds://eu-central-1/orders-1", InputError, "there is no log", id="no-files"),
        pytest.param("cloudwatch://eu-central-1/other", ReachError, "does not exist", id="no-group"),
        pytest.param("gs://bucket/x", InputError, "nothing that logs are read from", id="another-cloud"),
    ],
)
def test_a_place_that_gives_nothing_is_an_error(aws, place, kind, says):
    with pytest.raises(kind, match=says):
        find([place])


@pytest.mark.parametrize("service", ["s3", "rds"])
def test_a_denied_call_is_told_with_what_to_do(aws, service):
    aws.denies = service
    with pytest.raises(ReachError, match="AccessDenied") as caught:
        find([{"s3": "s3://bucket/a", "rds": "rds://eu-central-1/a"}[service]])
    assert "hunter2" not in str(caught.value)


def test_a_portion_that_comes_again_and_again_does_not_go_on_for_ever(aws, monkeypatch):
    class Stuck:
        def look(self, _operation: str, **_given: object) -> dict[str, object]:
            return {"LogFileData": LINES[1].decode(), "Marker": "7", "AdditionalDataPending": True}

    monkeypatch.setattr(_remote, "api", lambda *_: Stuck())
    (read,) = ingest([_remote.Log("db1", "rds://r/i/error/postgresql.log")], Ways("%t:%r:%u@%d:[%p]:")).reads
    assert "again and again" in read.why


def test_what_lies_at_aws_is_not_followed(aws):
    with pytest.raises(InputError, match="cannot be followed"):
        Follower(["s3://bucket/a"])


# ── rights ───────────────────────────────────────────────────────────────────────────────────────


def allowed(role: str) -> set[str]:
    from reroot.cli.emit import policy

    return {action for statement in policy(role)["Statement"] for action in statement["Action"]}


def test_the_log_readers_policy_is_what_ingest_calls_and_nothing_else(aws, monkeypatch):
    from botocore.client import BaseClient

    made = set()
    call = BaseClient._make_api_call

    def recorded(client, operation, given):
        made.add(f"{client.meta.service_model.service_name}:{operation}".replace("s3:ListObjectsV2", "s3:ListBucket"))
        return call(client, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", recorded)
    aws.objects = {"a.log": log_of(1)}
    aws.files = {"error/postgresql.log.2026-11-23-10": [b"".join(LINES).decode()]}
    at = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp() * 1000)
    aws.events = {"orders-1.0": [(at, LINES[1].decode())]}
    assert ingest(find(["db1=s3://bucket/", "rds://eu-central-1/orders-1", GROUP])).is_complete
    assert made == allowed("log-reader")


def test_a_token_of_iam_needs_no_call_and_the_right_to_connect_as_that_user(aws):
    from reroot.cli.emit import policy
    from reroot.collect._awsapi import Login
    from reroot.collect._awslogin import signed

    token = signed(Login(), "eu-central-1", "orders-1.x.eu-central-1.rds.amazonaws.com", 5432, "watch")
    asked = parse_qs(urlsplit("https://" + token).query)
    assert (asked["Action"], asked["DBUser"], aws.asked) == (["connect"], ["watch"], [])
    (statement,) = policy("watcher", account="123456789012", region="eu-central-1", user="watch")["Statement"]
    assert statement["Action"] == ["rds-db:connect"]
    assert statement["Resource"] == "arn:aws:rds-db:eu-central-1:123456789012:dbuser:*/watch"
