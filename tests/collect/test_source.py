"""Each connection asks anew how to get in: passwords change, and a token of IAM is good for a quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from reroot.collect._awsapi import Login
from reroot.collect._backend import Backend, _hint
from reroot.collect._source import Source, again_from, iam, listed
from reroot.collect.sessions import Missed, Observed, Sample, observe
from reroot.errors import InputError, ReachError
from reroot.lab import ca
from reroot.lab.postgres import Postgres, installations
from tests.collect.ldap import Door

ROOT = ca.root("source root")
LEAF = ca.leaf(ROOT, "127.0.0.1")
PAIR = (ca.bundle(LEAF, ROOT), LEAF.key_pem)
GUARDED = "local all all trust\nhost all watcher 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
RDS = "orders.cluster-abc123.eu-central-1.rds.amazonaws.com"


@pytest.fixture
def guarded() -> Iterator[Postgres]:
    with Postgres(PAIR, GUARDED) as server:
        with psycopg.connect(f"host={server.folder} port={server.port} user=postgres dbname=postgres", autocommit=True) as admin:
            admin.execute("create role watcher login in role pg_monitor password 'first'")
        yield server


def until(looks: Iterator[Observed], kind: type) -> list[Any]:
    """What is seen until the first of *kind*, with it."""
    seen: list[Any] = []
    for one in looks:
        seen.append(one)
        if isinstance(one, kind):
            return seen
    raise AssertionError(seen)


def changed(server: Postgres, password: str) -> None:
    with psycopg.connect(f"host={server.folder} port={server.port} user=postgres dbname=postgres", autocommit=True) as admin:
        admin.execute(f"alter role watcher password '{password}'")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'")


def test_a_password_that_is_changed_in_its_file_is_used_at_the_next_connection(guarded, tmp_path):
    file = tmp_path / "servers"
    line = f"host=127.0.0.1 port={guarded.port} user=watcher dbname=postgres password={{}}"
    file.write_text("# ours\n" + line.format("first") + "\n")
    (dsn,) = listed(str(file))
    looks = observe([Source(dsn, "db1", again_from(str(file), dsn))], every=0.1, lasting=60)
    until(looks, Sample)
    changed(guarded, "second")
    assert "first" not in repr(until(looks, Missed))
    file.write_text(line.format("second") + "\n")
    assert until(looks, Sample)[-1].server == "db1"
    looks.close()


def test_a_password_in_the_password_file_is_read_again(guarded, tmp_path):
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{guarded.port}:*:watcher:first\n")
    file.chmod(0o600)
    source = Source(f"host=127.0.0.1 port={guarded.port} user=watcher dbname=postgres passfile={file}")
    Backend(source).close()
    changed(guarded, "second")
    with pytest.raises(ReachError, match="password authentication failed"):
        Backend(source)
    file.write_text(f"127.0.0.1:{guarded.port}:*:watcher:second\n")
    Backend(source).close()


def test_a_list_that_is_gone_or_no_text_is_an_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        listed(str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        listed(str(tmp_path / "binary"))


# ── tokens of IAM ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")


@pytest.mark.parametrize(
    ("host", "region", "signed_for"),
    [
        (RDS, "", "eu-central-1"),
        ("db.abc.cn-north-1.rds.amazonaws.com.cn", "", "cn-north-1"),
        ("db.abc.us-gov-west-1.rds.amazonaws.com", "", "us-gov-west-1"),
        ("orders.internal", "sa-east-1", "sa-east-1"),
    ],
)
def test_a_token_is_signed_for_its_host_user_and_region(keys, host, region, signed_for):
    dsn = iam(f"host={host} port=5433 user=watcher dbname=postgres", Login(), region)()
    given = psycopg.conninfo.conninfo_to_dict(dsn)
    token = urlsplit("https://" + str(given["password"]))
    words = {name: values[0] for name, values in parse_qs(token.query).items()}
    assert (token.hostname, token.port) == (host, 5433)
    assert (words["Action"], words["DBUser"], words["X-Amz-Expires"]) == ("connect", "watcher", "900")
    assert words["X-Amz-Credential"].split("/")[2:] == [signed_for, "rds-db", "aws4_request"]
    assert given["sslmode"] == "require"


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        (f"host={RDS} user=u sslmode=prefer", "could travel without TLS"),
        (f"host={RDS}", "for one user"),
        (f"host={RDS},{RDS} user=u", "for one host"),
        ("user=u", "for one host"),
        ("host=db.example.com user=u", "does not tell its region"),
        ("host=evil.rds.amazonaws.com.example user=u", "does not tell its region"),
        ("host=db.abc.cn-north-1.rds.amazonaws.com user=u", "does not tell its region"),
        ("host=db.abc.eu-west-1.rds.amazonaws.com.cn user=u", "does not tell its region"),
    ],
)
def test_where_no_token_can_be_used_it_is_said_before_anything_is_tried(dsn, says):
    with pytest.raises(InputError, match=says):
        iam(dsn, Login())


def test_without_a_login_at_aws_the_server_is_missed_and_the_watch_goes_on(keys, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    source = Source(f"host={RDS} user=watcher", fresh=iam(f"host={RDS} user=watcher", Login()))
    (missed,) = observe([source])
    assert isinstance(missed, Missed)
    assert "credentials" in missed.why.lower()
    assert "aws" in missed.hint


@pytest.mark.skipif(
    not any(i.major == 15 and i.source.startswith("system") for i in installations()), reason="needs a PostgreSQL built with LDAP"
)
def test_a_server_that_takes_tokens_is_watched_through_reconnections(keys, tmp_path):
    """A real server that hands the password on to a judge; RDS does the same through PAM."""
    used: set[str] = set()

    def judge(name: str, token: str) -> bool:
        fresh = token not in used and token.startswith("127.0.0.1:") and "DBUser=watcher" in token
        used.add(token)
        return fresh and name == "cn=watcher"

    with Door(judge) as door:
        rules = (
            "local all all trust\n"
            f'hostssl all watcher 127.0.0.1/32 ldap ldapserver=127.0.0.1 ldapport={door.port} ldapprefix="cn="\n'
        )
        installation = next(i for i in installations() if i.major == 15 and i.source.startswith("system"))
        with Postgres(PAIR, rules, installation) as server:
            admin_dsn = f"host={server.folder} port={server.port} user=postgres dbname=postgres"
            with psycopg.connect(admin_dsn, autocommit=True) as admin:
                admin.execute("create role watcher login in role pg_monitor")
                dsn = f"host=127.0.0.1 port={server.port} user=watcher dbname=postgres"
                looks = observe([Source(dsn, "db1", iam(dsn, Login(), "eu-central-1"))], every=1.1, lasting=120)
                until(looks, Sample)
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'")
                seen = until(looks, Missed) + until(looks, Sample)
                looks.close()
    assert len(door.asked) >= len(used) >= 2
    assert not any(token in repr(seen) for token in used)


def test_a_line_that_cannot_be_read_loses_nobody_elses_server(tmp_path):
    file = tmp_path / "servers"
    mine, other = "host=db1 user=watcher password=first", "host=db2 user=watcher password=first"
    file.write_text(f"{mine}\n{other}\n")
    fresh = again_from(str(file), other)
    file.write_text(f"# the second is torn\nhost=db1 user=watcher password='sec\n{other.replace('first', 'second')}\n")
    assert fresh() == other.replace("first", "second")
    with pytest.raises(InputError) as raised:
        again_from(str(file), mine)()
    assert raised.value.message == f"`{file}:2`: a connection string that libpq cannot read"
    file.write_text(f"{other}\n")
    assert again_from(str(file), mine)() == mine


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        pytest.param('root certificate file "/x.pem" does not exist\nEither provide the file …', "sslrootcert", id="no-root-file"),
        pytest.param('server certificate for "a" does not match host name "b"', "hostaddr=ADDRESS", id="another-name"),
        pytest.param('database "x" does not exist', "database", id="no-database"),
    ],
)
def test_what_failed_leads_to_what_mends_it(said, hint):
    assert hint in _hint(psycopg.OperationalError(said), said)


def test_the_lines_of_a_message_stay_apart_and_the_password_is_in_none():
    source = Source("host=db password='two  words'")
    assert source.without_password("refused  by two  words\n\tIs it running?\n") == "refused by ***; Is it running?"
