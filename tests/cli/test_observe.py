"""What `reroot observe` prints, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from reroot.cli import observe as command
from reroot.cli._watching import sources_of
from reroot.collect.inventory import read
from reroot.errors import InputError
from reroot.lab import ca
from reroot.lab.postgres import Postgres, clean_environment
from reroot.ledger import open_ledger
from reroot.model import Accepts

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


def test_servers_are_named_in_a_file_or_on_standard_input(server, tmp_path):
    told = json.loads(run("--from", "-", "--json", given=f"# ours\n\n{dsn(server)}\n").stdout)
    assert list(told["servers"]) == [f"127.0.0.1:{server.port}"]
    (tmp_path / "list").write_text(f"{dsn(server)}\n{dsn(server)}\n")
    told = json.loads(run("--from", str(tmp_path / "list"), "--json").stdout)
    (one,) = told["servers"].values()
    assert (one["looks"], len(one["starts"])) == (1, 1)
    assert any("host postgres postgres" in rule for rule in one["takes_plaintext_by"])


def test_two_databases_of_one_server_are_told_apart():
    first, second = sources_of(["host=db dbname=a", "host=db dbname=b", "host=db dbname=a"], None, None, None)
    assert (first.name, second.name) == ("db:5432", "db:5432 #2")


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def inventory(server: Postgres, tmp_path: Path) -> Path:
    for name in ("old", "next"):
        (tmp_path / f"{name}.pem").write_bytes(ca.bundle(ca.root(f"{name} root")))
    (tmp_path / "reroot.toml").write_text(
        '[rotation]\nname = "r"\nold_root = "old.pem"\nnext_root = "next.pem"\n'
        f'[[server]]\nname = "db1"\nhost = "db1.example"\naddress = "127.0.0.1"\nport = {server.port}\n'
    )
    return tmp_path / "reroot.toml"


def kept(inventory: Path, kind: str) -> list[dict[str, object]]:
    with open_ledger(inventory.parent / "reroot.sqlite") as ledger:
        return [dict(e.facts) for e in ledger.evidence("r", kind)]


def test_what_was_seen_is_kept_under_the_name_of_the_inventory_by_the_hour(server, inventory):
    with psycopg.connect(dsn(server, "orders", "application_name=shop")):
        result = run(dsn(server), "--keep", "-i", str(inventory), "--json")
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)["servers"]) == ["db1"]
    (shop,) = (s for s in kept(inventory, "session") if s["application"] == "shop")
    assert (shop["server"], shop["encryption"], shop["sessions"]) == ("db1", "tls", 1)
    assert shop["hour"] == str(shop["last_seen"])[:13]
    (window,) = kept(inventory, "window")
    assert (window["server"], window["looks"], window["first"]) == ("db1", 1, window["last"])


def test_a_service_saves_while_it_runs_and_when_it_is_stopped_and_the_next_one_goes_on_from_there(server, inventory):
    # As if the session had begun more than a minute ago: of younger ones it may not be known yet who they are.
    code = "from datetime import timedelta; from reroot.collect import _backend; _backend.AUTHENTICATION = timedelta()"
    words = [sys.executable, "-c", f"{code}; from reroot.cli import main; main()", "observe", dsn(server), "--serve", "--every", "0.1"]
    words += ["--save-every", "1", "-i", str(inventory)]
    with psycopg.connect(dsn(server, "orders", "application_name=long-lived")), psycopg.connect(dsn(server), autocommit=True) as admin:
        for run_number in (1, 2):
            if run_number == 2:
                words[words.index("--save-every") + 1] = "1h"
            (begin,) = admin.execute("select clock_timestamp()").fetchone()
            service = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
            try:
                said = [service.stderr.readline()]
                if run_number == 1:
                    while "saved: " not in said[-1] or "identities" not in said[-1]:
                        said.append(service.stderr.readline())
                        assert said[-1], said
                else:
                    looked = "select 1 from pg_stat_activity where application_name = 'reroot observe' and backend_start > %s"
                    looked += " and state = 'idle' and query like '%%pg_stat_get_activity%%'"
                    while not admin.execute(looked, (begin,)).fetchall():
                        assert service.poll() is None
                os.kill(service.pid, signal.SIGTERM)
                out, err = service.communicate(timeout=60)
            finally:
                service.kill()
            assert (service.returncode, out) == (0, ""), err
            assert "stopping" in err
    rows = [s for s in kept(inventory, "session") if s["application"] == "long-lived"]
    assert sum(int(str(s["sessions"])) for s in rows) == 1
    assert all(w["server"] == "db1" for w in kept(inventory, "window"))


def test_a_service_tells_who_is_lost_and_who_is_back_and_keeps_what_a_lost_ledger_would_not_take(tmp_path):
    with Postgres((ca.bundle(LEAF, ROOT), LEAF.key_pem), RULES) as server, Postgres(accepts=Accepts.NO_TLS) as team:
        for name in ("old", "next"):
            (tmp_path / f"{name}.pem").write_bytes(ca.bundle(ca.root(f"{name} root")))
        ledger = f"postgresql://postgres@127.0.0.1:{team.port}/postgres"
        (tmp_path / "reroot.toml").write_text(
            f'[rotation]\nname = "r"\nold_root = "old.pem"\nnext_root = "next.pem"\nledger = "{ledger}"\n'
            f'[[server]]\nname = "db1"\nhost = "127.0.0.1"\nport = {server.port}\n'
        )
        words = [sys.executable, "-c", "from reroot.cli import main; main()", "observe", dsn(server), "--serve", "--every", "0.1"]
        words += ["--save-every", "1", "-i", str(tmp_path / "reroot.toml")]
        with psycopg.connect(dsn(server, more="application_name=before")):
            service = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())

            def hear(words: str) -> str:
                line = service.stderr.readline()
                while words not in line:
                    assert line, f"it ended before it said {words!r}"
                    line = service.stderr.readline()
                return line

            try:
                hear("saved: ")
                port = team.port
                team._end("keep")
                hear("not saved, and tried again")
                server.restart()
                hear("db1: ")
                hear("db1: answers again")
                team.port = port
                team.start()
                hear("saved: ")
                os.kill(service.pid, signal.SIGINT)
                _, err = service.communicate(timeout=60)
            finally:
                service.kill()
        assert service.returncode == 0, err
        with open_ledger(ledger) as book:
            windows, sessions = book.evidence("r", "window"), book.evidence("r", "session")
        assert len({at for w in windows for at in w.facts["starts"]}) == 2
        assert sum(int(str(s.facts["sessions"])) for s in sessions if s.facts["application"] == "before") == 1
        assert sum(1 for w in windows if w.facts["looks"]) == len(windows)


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
        pytest.param(["host=db", "--serve", "--for", "5m"], "until it is stopped", id="serve-and-for"),
        pytest.param(["host=db", "--serve", "--save-every", "0.5s"], "too short", id="saves-too-often"),
        pytest.param(["host=db", "--region", "eu-west-1"], "tokens of IAM", id="region-without-iam"),
        pytest.param(["host=db user=u", "--iam"], "does not tell its region", id="no-region"),
        pytest.param(["host=db", "--keep", "-i", "/nowhere/reroot.toml"], "there is no", id="no-inventory"),
        pytest.param(["--from", "/nowhere/list"], "cannot read it", id="no-list"),
    ],
)
def test_what_cannot_be_used_is_an_error(words, says):
    with pytest.raises(InputError, match=says):
        run(*words)


def test_a_server_that_does_not_answer_is_told_while_there_is_time_to_mend_it(tmp_path):
    words = ["host=127.0.0.1 port=1 user=u password=hunter2 dbname=d", "--for", "600", "--every", "0.2"]
    program = "from reroot.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "observe", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("watching 127.0.0.1:1")
        said = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        out, rest = running.communicate(timeout=60)
    assert said.startswith("127.0.0.1:1: ")
    assert said.endswith("it is tried again\n")
    assert "hunter2" not in said + out + rest
    assert running.returncode == 130


# ── the watch and the inventory ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        pytest.param("host=DB1.example port={port}", "db1", id="by-its-name"),
        pytest.param("host=127.0.0.1 port={port}", "db1", id="by-its-address"),
        pytest.param("host=alias hostaddr=127.0.0.1 port={port}", "db1", id="by-the-address-beside-another-name"),
        pytest.param("host=db1.example port=1", "db1.example:1", id="another-port"),
    ],
)
def test_a_server_is_called_as_the_inventory_calls_it(server, inventory, asked, name):
    (source,) = sources_of([asked.format(port=server.port)], None, None, read(inventory))
    assert source.name == name


def test_a_single_look_calls_servers_by_the_inventory_that_it_is_given(server, inventory):
    told = json.loads(run(dsn(server), "-i", str(inventory), "--json").stdout)
    assert list(told["servers"]) == ["db1"]
    with pytest.raises(InputError, match="there is no"):
        run(dsn(server), "-i", str(inventory.with_name("slip.toml")))


def test_what_the_inventory_and_the_sources_do_not_agree_on_is_told_before_the_watch(server, inventory):
    inventory.write_text(inventory.read_text() + '[[server]]\nname = "db2"\nhost = "db2.example"\n')
    words = (dsn(server), dsn(server, more="connect_timeout=3"), "host=127.0.0.1 port=1")
    said = run(*words, "--keep", "-i", str(inventory)).stderr.splitlines()
    assert said[0].startswith("watching db1, 127.0.0.1:1 once")
    assert said[1:] == [
        "db1: two DSNs lead to it, and the first is used: one connection sees the sessions of all databases",
        "127.0.0.1:1: no server of `reroot.toml`; what is seen there will be nobody's",
        "not watched, though `reroot.toml` names it: db2",
    ]
    assert {w["server"] for w in kept(inventory, "window")} == {"db1"}


def test_a_line_of_a_file_that_libpq_cannot_read_is_named_and_not_repeated(tmp_path):
    (tmp_path / "servers").write_text("# ours\nhost=db1\nhost=db2 password=hunter2 nonsense\n")
    with pytest.raises(InputError) as raised:
        run("--from", str(tmp_path / "servers"))
    assert raised.value.where == f"{tmp_path / 'servers'}:3"
    with pytest.raises(InputError) as raised:
        run("--from", "-", given="host=db1\nhost=db2 nonsense\n")
    assert raised.value.where == "standard input:2"


def test_a_ledger_that_nothing_is_kept_in_is_refused():
    with pytest.raises(InputError, match="for what is kept"):
        run("host=127.0.0.1 port=1", "--ledger", "x.sqlite")


def serving(words: list[str], inventory: Path, **more: Any) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", "from reroot.cli import main; main()", "observe", "--serve", "-i", str(inventory), *words]
    return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=clean_environment(), **more)


def test_a_service_tells_what_it_may_not_see(server, inventory):
    with psycopg.connect(dsn(server)), serving([dsn(server, "stranger"), "--every", "0.1"], inventory) as service:
        try:
            heard = [service.stderr.readline() for _ in range(1)]
            while not ("not shown to this user; grant it" in "".join(heard) and "pg_hba_file_rules" in "".join(heard)):
                heard.append(service.stderr.readline())
                assert heard[-1], heard
            service.send_signal(signal.SIGTERM)
            _, rest = service.communicate(timeout=60)
        finally:
            service.kill()
    assert service.returncode == 0
    assert (("".join(heard)) + rest).count("not shown to this user") == 1


def test_a_service_is_stopped_in_time_for_its_last_save_also_while_a_server_says_nothing(server, inventory):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = f"host=127.0.0.1 port={mute.getsockname()[1]} user=u dbname=d"
        with serving([dsn(server), silent, "--every", "0.1", "--timeout", "600", "--save-every", "1"], inventory) as service:
            try:
                line = service.stderr.readline()
                while "saved: " not in line:
                    assert line
                    line = service.stderr.readline()
                service.send_signal(signal.SIGTERM)
                _, rest = service.communicate(timeout=60)
            finally:
                service.kill()
    assert service.returncode == 0
    assert "saved: " in rest.splitlines()[-1]


def test_a_hang_up_that_is_ignored_as_with_nohup_ends_no_service(server, inventory):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        service = serving([dsn(server), "--every", "0.1", "--save-every", "1"], inventory)
    finally:
        signal.signal(signal.SIGHUP, before)
    with service:
        try:
            line = service.stderr.readline()
            while "saved: " not in line:
                assert line
                line = service.stderr.readline()
            service.send_signal(signal.SIGHUP)
            for _ in range(2):
                assert "saved: " in service.stderr.readline()
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=60)
        finally:
            service.kill()
    assert service.returncode == 0
