"""Through the stage to a real server: which real programs get in, which cannot, and that it is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import pytest

from reroot.collect.rehearse import _scenes as scenes
from reroot.collect.rehearse.command import Place, rehearse
from reroot.collect.rehearse.listen import Watch
from reroot.collect.rehearse.stage import Stage
from reroot.collect.rehearse.through import Upstream, forbidden, look_ahead
from reroot.errors import InputError, ReachError
from reroot.lab import ca
from reroot.lab.postgres import Postgres, clean_environment
from reroot.rehearsal import Act

from .clients import CACHE
from .rehearsals import programs

pytestmark = pytest.mark.real
HOST, PORT = "db1.lab.test", 5986
RULES = """\
local all all trust
hostssl all certified 127.0.0.1/32 cert
host all trusted 127.0.0.1/32 trust
host all cleartext 127.0.0.1/32 password
host all md5 127.0.0.1/32 md5
host all bearer 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
"""
ROLES = """
create role scram login password 'pw'; create role trusted login; create role certified login;
create role cleartext login password 'pw'; set password_encryption = md5; create role md5 login password 'pw';
"""


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """A next chain that the stage presents, and a real server behind it with a chain of its own."""
    folder = tmp_path_factory.mktemp("through")
    ours, theirs = ca.root("next root"), ca.root("root of the real server")
    leaf, behind = ca.leaf(ours, HOST), ca.leaf(theirs, "localhost")
    for name, content in {
        "root.pem": ours.cert_pem,
        "chain.pem": ca.bundle(leaf),
        "key.pem": leaf.key_pem,
        "theirs.pem": theirs.cert_pem,
    }.items():
        (folder / name).write_bytes(content)
    with Postgres(pair=(behind.cert_pem, behind.key_pem), accepts=RULES) as server:
        subprocess.run(
            ["psql", "-h", str(server.folder), "-p", str(server.port), "-U", "postgres", "-d", "postgres", "-c", ROLES],
            check=True,
            capture_output=True,
            env=clean_environment({}),
        )
        yield folder, server


def upstream(bed, *, roots=False, plain=False, host="localhost"):
    folder, server = bed
    return Upstream(host, server.port, (folder / "theirs.pem").read_bytes() if roots else b"", plain)


def run(bed, command, to, **env):
    folder, _ = bed
    chain = scenes.read_chain((folder / "chain.pem").read_bytes())
    following = scenes.own(Act.NEXT, chain, (folder / "key.pem").read_bytes())
    acts = [scenes.control([HOST], datetime.now(UTC)), replace(following, through=to)]
    return rehearse(command, [Place(HOST, PORT)], acts, env=clean_environment({"HOME": "/nonexistent", **env}), lasting=60)


def passed(seen):
    return [m.passed for r in seen.runs for m in r.met if m.passed is not None]


def psql(bed, user="scram", more="", ask="select 41 + 1"):
    roots = bed[0] / "root.pem"
    dsn = f"host={HOST} port={PORT} user={user} password=pw dbname=postgres sslmode=verify-full sslrootcert={roots} {more}"
    return ["psql", dsn, "-Atc", ask]


@pytest.mark.parametrize("user", ["scram", "trusted", "cleartext", "md5"])
@pytest.mark.parametrize("way", ["tls", "checked", "plain"])
def test_psql_reaches_the_real_server_and_does_its_work(bed, user, way):
    seen = run(bed, psql(bed, user), upstream(bed, roots=way == "checked", plain=way == "plain"))
    (one,) = passed(seen)
    assert (one.let_in, one.over_tls, seen.runs[-1].exit_code) == (True, way != "plain", 0), one
    assert "42" in seen.runs[-1].words
    assert seen.conclusion.trust.value == "trusts"


def test_much_goes_both_ways(bed):
    lines = "y" * 1000
    script = bed[0] / "copy.sql"
    script.write_text(
        "create temp table t (x text);\ncopy t from stdin;\n" + f"{lines}\n" * 3000 + "\\.\n"
        "select count(*), sum(length(x)) from t;\n"
        "select repeat('z', 3000000);\n"
    )
    seen = run(bed, [*psql(bed)[:2], "-At", "-o", str(bed[0] / "out"), "-f", str(script)], upstream(bed))
    assert seen.runs[-1].exit_code == 0, seen.runs[-1].words[-500:]
    rows = (bed[0] / "out").read_text().splitlines()
    assert "3000|3000000" in rows
    assert len(rows[-1]) == 3_000_000


CANCELLERS = {
    "asyncpg": """
import asyncio, sys, asyncpg
async def main():
    connection = await asyncpg.connect(sys.argv[1])
    try:
        await connection.fetch("select pg_sleep(50)", timeout=0.5)
    except TimeoutError:
        print("still", await connection.fetchval("select 'usable'"))
asyncio.run(main())
""",
    # Again and again, since a cancel request that comes before the statement does nothing.
    "psycopg2": """
import sys, threading, psycopg2
connection, over = psycopg2.connect(sys.argv[1]), threading.Event()
def cancel():
    while not over.wait(0.3):
        connection.cancel()
threading.Thread(target=cancel, daemon=True).start()
try:
    connection.cursor().execute("select pg_sleep(50)")
except psycopg2.errors.QueryCanceled:
    over.set()
    print("still usable")
""",
}


@pytest.mark.parametrize("name", CANCELLERS)
def test_a_statement_is_cancelled_through_the_stage(bed, name):
    """asyncpg asks for it over TLS, libpq 16 and older without."""
    python = CACHE / "python/bin/python"
    if not python.exists():
        pytest.skip("no Python drivers here")
    url = f"postgresql://scram:pw@{HOST}:{PORT}/postgres?sslmode=verify-full&sslrootcert={bed[0]}/root.pem"
    seen = run(bed, [str(python), "-c", CANCELLERS[name], url], upstream(bed))
    assert "still usable" in seen.runs[-1].words, seen.runs[-1].words


def test_a_program_that_binds_its_login_is_refused_and_that_is_told(bed):
    seen = run(bed, psql(bed, more="channel_binding=prefer"), upstream(bed))
    (one,) = passed(seen)
    assert not one.let_in
    assert "channel binding" in one.why
    (one,) = passed(run(bed, psql(bed, more="channel_binding=prefer"), upstream(bed, plain=True)))
    assert one.let_in


GETS_IN = {
    "psql-15": "tls", "psql-17": "tls", "psycopg": "tls", "psycopg2": "tls", "asyncpg": "tls", "node-postgres": "tls",
    "lib-pq-verify-full": "tls", "ruby-pg": "tls", "pdo": "tls", "dbd-pg": "tls", "pgjdbc-42.5.5": "tls", "pgjdbc-42.7.4": "plain",
}  # fmt: skip
"""By which way on: pgJDBC binds since 42.7.4, and reads no variable that says not to."""


@pytest.mark.parametrize("name", GETS_IN)
def test_real_programs_get_through(bed, name, exercised):
    program = next((p for p in programs(bed[0]) if p.name == name), None)
    if program is None:
        pytest.skip(f"no {name} here")
    roots = bed[0] / "root.pem"
    command = [_as_scram(word) for word in program.command("trusts", roots, roots)]
    for way in ("tls", "plain") if GETS_IN[name] == "plain" else ("tls",):
        seen = run(bed, command, upstream(bed, plain=way == "plain"))
        found = passed(seen)
        assert found, (seen.conclusion, seen.runs[-1].words[-500:])
        assert found[0].let_in is (way == GETS_IN[name]), (found, seen.runs[-1].words[-500:])
        assert found[0].let_in or "channel binding" in found[0].why
    exercised(name)


def _as_scram(word):
    """The same program with a login that the server knows."""
    return (
        word.replace("somebody@", "scram:pw@").replace("user=somebody", "user=scram&password=pw").replace("/somewhere", "/postgres")
        .replace(":5999", f":{PORT}").replace("port: 5999", f"port: {PORT}")
        .replace("port=5999;dbname=somewhere", f"port={PORT};dbname=postgres").replace("'somebody', ''", "'scram', 'pw'")
        .replace("'somebody')", "'scram', 'pw')").replace("}).connect()", "}).connect().then(() => process.exit(0))").replace('user: "somebody", database: "somewhere"', 'user: "scram", password: "pw", database: "postgres"')
    )  # fmt: skip


def test_a_listening_stage_passes_on_who_meets_the_next_chain_and_tells_it(bed):
    folder, _ = bed
    chain = scenes.read_chain((folder / "chain.pem").read_bytes())
    following = replace(scenes.own(Act.NEXT, chain, (folder / "key.pem").read_bytes()), through=upstream(bed))
    watch = Watch([scenes.control([HOST], datetime.now(UTC)), following])
    stage = Stage(watch.cast, watch.told)
    over = Event()
    with stage:
        host, port = stage.listen("127.0.0.1", 0)

        def play():
            while not over.is_set() or stage.guests:
                stage.turn(0.02)

        thread = Thread(target=play, daemon=True)
        thread.start()
        said = []
        for _ in range(2):
            dsn = f"host={HOST} hostaddr={host} port={port} user=trusted dbname=postgres sslmode=verify-full sslrootcert={folder}/root.pem"
            done = subprocess.run(["psql", dsn, "-Atc", "select 42"], env=clean_environment({}), capture_output=True, text=True)
            said.append(done.stdout.strip())
        over.set()
        thread.join(30)
        assert not stage.guests
    assert said == ["", "42"]
    assert [c["through"] for c in watch.data()["clients"]] == [["let in"]]


# ── beforehand ───────────────────────────────────────────────────────────────────────────────────


def test_what_a_login_needs_is_seen_before_the_program_starts(bed):
    assert look_ahead(upstream(bed), "scram", "postgres").binds
    assert not look_ahead(upstream(bed, plain=True), "scram", "postgres").binds
    assert look_ahead(upstream(bed), "trusted", "postgres").asks == "nothing"
    assert look_ahead(upstream(bed), "cleartext", "postgres").asks == "a password in clear"
    assert look_ahead(upstream(bed), "", "").asks == "unknown"


def test_looking_ahead_leaves_no_complaint_in_the_server_s_log(bed):
    _, server = bed
    before = len(server.log_path.read_text())
    for user in ("scram", "trusted", "cleartext"):
        look_ahead(upstream(bed), user, "postgres")
    subprocess.run(["psql", f"host=localhost port={server.port} user=trusted dbname=postgres"],
                   input="select 'afterwards'", text=True, check=True, capture_output=True, env=clean_environment({}))  # fmt: skip
    told = server.log_path.read_text()[before:]
    assert "SSL error" not in told
    assert "could not receive" not in told


@pytest.mark.parametrize(
    ("user", "options", "error", "message"),
    [
        ("certified", {}, InputError, "would not let `certified` in"),
        ("bearer", {}, InputError, "would not let `bearer` in"),
        ("scram", {"roots": True, "host": "127.0.0.1"}, ReachError, "is not taken"),
    ],
)
def test_what_authentication_forbids_is_told(bed, user, options, error, message):
    with pytest.raises(error, match=message) as caught:
        look_ahead(upstream(bed, **options), user, "postgres")
    assert caught.value.hint


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(ReachError, match="cannot be reached"):
        look_ahead(Upstream("127.0.0.1", 1), "u", "d")


@pytest.mark.parametrize(
    ("command", "env", "is_forbidden"),
    [
        (["psql", "host=h channel_binding=require"], {}, True),
        (["psql", "postgres://h/d?channel_binding=require&x=y"], {}, True),
        (["java", "-jar", "x"], {"SPRING_DATASOURCE_URL": "jdbc:postgresql://h/d?channelBinding=require"}, True),
        (["psql"], {"PGCHANNELBINDING": "require"}, True),
        (["psql", "host=h channel_binding=prefer"], {"PGCHANNELBINDING": "prefer"}, False),
        (["psql", "host=h"], {}, False),
    ],
)
def test_a_program_that_demands_binding_is_known_beforehand(command, env, is_forbidden):
    assert bool(forbidden(command, env)) is is_forbidden


# ── as a user runs it ────────────────────────────────────────────────────────────────────────────


def command_line(bed, *words):
    done = subprocess.run(
        [str(Path(sys.executable).with_name("reroot")), "rehearse", *words],
        cwd=bed[0],
        env=clean_environment({"HOME": "/nonexistent"}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


KEYED = ("--json", "--next", "chain.pem", "--next-key", "key.pem")


def test_the_command_tells_what_the_server_asks_and_that_it_let_the_program_in(bed):
    code, out, err = command_line(bed, *KEYED, "--through", f"localhost:{bed[1].port}", "--", *psql(bed))
    assert code == 0, err
    assert "SCRAM-SHA-256-PLUS" in err
    assert [r["code"] for r in json.loads(out)["beside"]] == ["through-let-in"]
    assert "pw" not in (out + err).replace("sha256", "").split()


def test_a_service_that_goes_on_is_ended_by_the_user_and_concluded(bed):
    script = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); p.wait()"
    words = (*KEYED, "--show-output", "--through", f"localhost:{bed[1].port}", "--way", "PGHOSTADDR")
    command = ("--", sys.executable, "-c", script, *psql(bed)[:2], "-Atc", "select 'ready'", "-c", "select pg_sleep(600)")
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("reroot")), "rehearse", *words, *command],
        cwd=bed[0],
        env=clean_environment({"HOME": "/nonexistent"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        for line in running.stderr:
            if line.strip() == "ready":
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=100)
    document = json.loads(out)
    assert document["conclusion"]["trust"] == "trusts", err
    assert [r["code"] for r in document["beside"]] == ["through-let-in"]
    assert running.returncode == 0


@pytest.mark.parametrize(
    ("words", "more", "code", "message"),
    [
        (("--next", "chain.pem"), "", 2, "without the key"),
        (KEYED, "channel_binding=require", 2, "demands SCRAM channel binding"),
        (KEYED, "channel_binding=prefer", 4, "nobody may stand between"),
    ],
    ids=["keyless", "demands", "prefers"],
)
def test_what_cannot_go_through_is_told(bed, words, more, code, message):
    found, out, err = command_line(bed, *words, "--through", f"localhost:{bed[1].port}", "--", *psql(bed, more=more))
    assert found == code, out + err
    assert message in out + err
