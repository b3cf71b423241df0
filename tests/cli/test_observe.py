"""What `reroot observe` prints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from reroot.cli import observe as command
from reroot.errors import InputError
from reroot.lab import ca
from reroot.lab.postgres import Postgres, clean_environment

ROOT = ca.root("watch root")
LEAF = ca.leaf(ROOT, "127.0.0.1")
RULES = "local all all trust\nhostssl all all 127.0.0.1/32 trust\nhost postgres postgres 127.0.0.1/32 trust\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres((ca.bundle(LEAF, ROOT), LEAF.key_pem), RULES) as running:
        with psycopg.connect(dsn(running), autocommit=True) as admin:
            admin.execute("create role stranger login; create role orders login")
        yield running


def dsn(server: Postgres, user: str = "postgres", more: str = "") -> str:
    return f"host=127.0.0.1 port={server.port} user={user} dbname=postgres {more}"


def run(*words: str, given: str = "") -> Result:
    result = CliRunner().invoke(command.COMMAND, words, input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_who_connects_how_is_shown_with_what_the_server_takes(server):
    plain = dsn(server, more="sslmode=disable application_name=nightly")
    with psycopg.connect(plain), psycopg.connect(dsn(server, "orders", "application_name=shop")):
        result = run(dsn(server))
    assert result.exit_code == 0
    assert result.stderr == f"watching 127.0.0.1:{server.port} once: one connection each, reading only\n"
    rows = {line.split()[3]: line.split() for line in result.stdout.splitlines() if line.startswith("127.0.0.1:")}
    assert (rows["nightly"][5], rows["nightly"][-1]) == ("plaintext", "host")
    assert (rows["shop"][5], rows["shop"][-1]) == ("TLSv1.3", "hostssl")
    assert result.stdout.splitlines()[-1].endswith("next: `reroot scan` finds how their clients are set up")


def test_json_carries_the_schema_and_no_secret(server):
    with psycopg.connect(dsn(server, "orders", "application_name=shop")):
        result = run(dsn(server, more="password=hunter2"), "-o", "json")
    told = json.loads(result.stdout)
    assert (told["schema"], told["complete"]) == ("reroot/sessions/1", True)
    (shop,) = (one for one in told["identities"] if one["application"] == "shop")
    assert (shop["encryption"], shop["server_accepts"], shop["sessions"]) == ("tls", "hostssl", 1)
    assert "hostssl all all" in shop["rule"]
    assert "hunter2" not in result.output


def test_hidden_sessions_and_servers_that_do_not_answer_make_it_incomplete(server):
    hidden = run(dsn(server, "stranger"))
    assert hidden.exit_code == 4
    assert "hint: `grant pg_monitor to …`" in hidden.stdout
    missed = run("host=127.0.0.1 port=1", "--json", "-q")
    assert missed.exit_code == 4
    assert "refused" in json.loads(missed.stdout)["missed"][0]["why"]


def test_an_interrupted_watch_shows_what_it_has_seen(server):
    words = [sys.executable, "-c", "from reroot.cli import main; main()", "observe", dsn(server), "--for", "10m", "--every", "0.1"]
    with psycopg.connect(dsn(server, more="application_name=held")):
        watch = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
        with psycopg.connect(dsn(server), autocommit=True) as admin:
            while not admin.execute("select 1 from pg_stat_activity where application_name = 'reroot observe'").fetchall():
                assert watch.poll() is None
        watch.stderr.readline()
        os.kill(watch.pid, signal.SIGINT)
        out, err = watch.communicate(timeout=30)
    assert watch.returncode == 130, err
    assert out.splitlines()[0].startswith(("server", "nobody"))


def test_two_databases_of_one_server_are_told_apart():
    first, second = command.named(["host=db dbname=a", "host=db dbname=b", "host=db dbname=a"])
    assert (first.name, second.name) == ("db:5432", "db:5432 #2")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), (" 5s ", 5), ("0", 0)]
)
def test_times_are_read_as_people_write_them(text, seconds):
    assert command.TIME.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s", "1w", "1e3", "٣s", "9" * 12])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(click.BadParameter):
        command.TIME.convert(text, None, None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param([], "no server to watch", id="nobody"),
        pytest.param(["host=db", "--every", "0.01"], "too short", id="too-often"),
        pytest.param(["host=db nonsense"], "libpq cannot read", id="not-a-dsn"),
    ],
)
def test_what_cannot_be_used_is_an_error(words, says):
    with pytest.raises(InputError, match=says):
        run(*words)
