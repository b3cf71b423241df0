"""What `reroot ingest` prints, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reroot.cli import ingest as command
from reroot.errors import InputError
from reroot.lab import ca
from reroot.ledger import open_ledger
from tests.logs.lines import TLS13, debian, rds

GOOD = rds(f"connection authorized: user=app database=orders application_name=web {TLS13}", who="app@orders")
PLAIN = rds("connection authorized: user=etl database=orders", who="etl@orders", host="10.0.0.8(5)")
ALERT = rds("could not accept SSL connection: sslv3 alert certificate unknown", host="10.0.0.9(5)")


def run(*words: str, given: bytes = b"") -> Result:
    result = CliRunner().invoke(command.COMMAND, [str(w) for w in words], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "postgresql.log"
    path.write_bytes(GOOD * 3 + PLAIN)
    return str(path)


def test_who_connects_how_is_told_with_a_last_line_of_counts(log):
    result = run(f"db1={log}")
    assert result.exit_code == 0
    web = next(line for line in result.stdout.splitlines() if " web " in line).split()
    assert web[:6] == ["db1", "app", "orders", "web", "10.0.0.7", "TLSv1.3"]
    assert result.stdout.splitlines()[-1].startswith("1 plaintext, 3 tls; nobody turned away; ")


def test_a_client_that_refuses_the_certificate_is_a_finding(log):
    Path(log).write_bytes(GOOD + ALERT)
    result = run(log)
    assert result.exit_code == 1
    assert "10.0.0.9  –     distrust               sslv3 alert certificate unknown" in result.stdout
    assert "1 refused the certificate" in result.stdout.splitlines()[-1]


def test_who_left_without_a_word_is_told_unless_arrivals_are_left_out(log):
    Path(log).write_bytes(GOOD + rds("connection received: host=10.0.0.9 port=51000"))
    assert "10.0.0.9" in run(log).stdout
    told = run(log, "--no-arrivals").stdout
    assert "10.0.0.9" not in told
    assert told.splitlines()[-1].startswith("1 tls; nobody turned away; ")


def test_reading_a_log_loads_nothing_that_only_an_inventory_or_a_ledger_needs(log):
    code = (
        "import sys; from reroot.cli import main; sys.argv = ['reroot', 'ingest', sys.argv[1], '-q']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('cryptography', 'sqlalchemy', 'hashlib', 'reroot.collect.inventory') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code, log], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


def test_json_carries_the_schema_and_every_row(log):
    told = json.loads(run(log, "--json").stdout)
    assert (told["schema"], told["complete"]) == ("reroot/logs/1", True)
    assert [(s["user"], s["sessions"], s["new_sessions_by_hour"]) for s in told["sessions"]] == [
        ("app", 3, {"2026-11-23T10": 3}),
        ("etl", 1, {"2026-11-23T10": 1}),
    ]
    assert told["logs"][0]["layout"] == "%t:%r:%u@%d:[%p]:"


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (b"hello\n" * 99, [], "layout is not recognised"),
        (rds("checkpoint starting") * 9, [], "nothing in here speaks of connections"),
        (GOOD, ["--layout", "%m [%p] %q%u@%d "], "no line fits"),
        (b"", [], "it is empty"),
        (GOOD, ["--layout", "%z"], "is no escape"),
        (GOOD, ["--timezone", "Mars/Phobos"], "is no time zone"),
        (GOOD, ["--shard", "5/4"], "is no shard"),
    ],
)
def test_what_yields_nothing_is_an_error_and_no_empty_success(log, content, words, said):
    Path(log).write_bytes(content)
    with pytest.raises(InputError, match=said) as told:
        run(log, *words)
    assert told.value.hint


@pytest.mark.parametrize(
    ("content", "hint"),
    [(b"hello\n" * 99, "log_line_prefix"), (b"\x1f\x8bnot gzip", "a copy that can be read"), (b"", "a copy that can be read")],
    ids=["unknown", "damaged", "empty"],
)
def test_the_hint_is_about_what_is_wrong_with_the_log(log, content, hint):
    Path(log).write_bytes(content)
    with pytest.raises(InputError) as error:
        run(log)
    assert hint in error.value.hint


def test_standard_input_is_a_log_too():
    program = [sys.executable, "-c", "from reroot.cli import main; main()", "ingest", "-", "--json"]
    done = subprocess.run(program, input=GOOD * 5000, capture_output=True, timeout=60)
    assert json.loads(done.stdout)["sessions"][0]["sessions"] == 5000


def test_what_could_not_be_read_makes_it_incomplete(log):
    Path(log).write_bytes(GOOD + debian(5, "connection authorized: user=a database=b"))
    result = run(log)
    assert result.exit_code == 4
    assert "1 line that speaks of connections does not fit the layout" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("incomplete: see above")


def test_shards_are_saved_and_merged(log, tmp_path):
    Path(log).write_bytes(GOOD + ALERT)
    for n in (1, 2):
        run(log, "--shard", f"{n}/2", "--save", str(tmp_path / f"{n}.rollup"))
    one = run("merge", str(tmp_path / "1.rollup"))
    assert one.exit_code == 4
    assert "shards that are missing: 2" in one.stdout
    both = run("merge", str(tmp_path / "1.rollup"), str(tmp_path / "2.rollup"), "--json")
    whole = run(log, "--json")
    assert {k: json.loads(both.stdout)[k] for k in ("sessions", "refusals")} == {
        k: json.loads(whole.stdout)[k] for k in ("sessions", "refusals")
    }


@pytest.fixture
def inventory(tmp_path: Path) -> str:
    for name in ("old", "next"):
        (tmp_path / f"{name}.pem").write_bytes(ca.bundle(ca.root(f"{name} root")))
    (tmp_path / "reroot.toml").write_text(
        '[rotation]\nname = "r"\nold_root = "old.pem"\nnext_root = "next.pem"\n[[server]]\nname = "db1"\nhost = "db1.example"\n'
    )
    return str(tmp_path / "reroot.toml")


def test_what_is_kept_is_counted_once(log, inventory, tmp_path):
    for expected in (4, 4):
        assert run(f"db1={log}", "--keep", "-i", inventory).exit_code == 0
        with open_ledger(tmp_path / "reroot.sqlite") as ledger:
            assert sum(int(str(e.facts["sessions"])) for e in ledger.evidence("r", "session")) == expected
    with Path(log).open("ab") as more:
        more.write(PLAIN)
    run(f"db1={log}", "--keep", "-i", inventory)
    with open_ledger(tmp_path / "reroot.sqlite") as ledger:
        assert sum(int(str(e.facts["sessions"])) for e in ledger.evidence("r", "session")) == 5


@pytest.mark.parametrize("more", [rds("checkpoint starting: time"), GOOD[:-1], b""], ids=["another line", "torn line", "nothing"])
def test_a_known_log_with_nothing_new_about_connections_is_no_error(log, inventory, tmp_path, more):
    run(f"db1={log}", "--keep", "-i", inventory)
    for _ in range(2):
        with Path(log).open("ab") as file:
            file.write(more)
        result = run(f"db1={log}", "--keep", "-i", inventory, "--json")
        assert result.exit_code == 0
        (told,) = json.loads(result.stdout)["logs"]
        assert (told["read_before"], told["why"]) == (True, "")


def test_a_merged_rollup_is_kept_once(log, inventory, tmp_path):
    run(f"db1={log}", "--save", str(tmp_path / "one.rollup"))
    assert run("merge", str(tmp_path / "one.rollup"), "--keep", "-i", inventory).exit_code == 0
    with pytest.raises(InputError, match="is in the ledger already"):
        run("merge", str(tmp_path / "one.rollup"), "--keep", "-i", inventory)


def test_following_tells_refusals_as_they_come(log):
    program = [sys.executable, "-c", "from reroot.cli import main; main()", "ingest", log, "--follow", "--json"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stderr.readline().startswith(b"following ")
        with Path(log).open("ab") as file:
            file.write(GOOD + ALERT)
        assert b"10.0.0.9: sslv3 alert certificate unknown (1)" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        told = json.loads(running.stdout.read())
    assert [s["sessions"] for s in told["sessions"]] == [1]
    assert running.returncode == 1


def test_following_and_keeping_exclude_each_other(log):
    with pytest.raises(InputError, match="--follow"):
        run(log, "--follow", "--keep")
