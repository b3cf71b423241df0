"""`reroot explain`: one question in plain words, many questions one a line, and what it says of rules, files and clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from reroot import drivers
from reroot.cli import reroot
from reroot.lab import ca

ROOT = ca.root("corp-root")
LEAF = ca.leaf(ROOT, "db.corp.test")


def run(*words: str, text: bytes | None = None):
    return CliRunner().invoke(reroot, ["explain", *words], input=text)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "root.pem").write_bytes(ROOT.cert_pem)
    (tmp_path / "chain.pem").write_bytes(LEAF.cert_pem)
    (tmp_path / "home").mkdir()
    return tmp_path


def case(files, **more: object) -> dict[str, object]:
    return {
        "id": "a",
        "driver": "libpq",
        "driver_version": "17.10",
        "runtime": {"openssl": "3.5.5"},
        "dsn": f"host=db.corp.test password=hunter2 sslmode=verify-full sslrootcert={files / 'root.pem'}",
        "env": {},
        "home": str(files / "home"),
        "server": {"chain": str(files / "chain.pem"), "accepts": "hostssl"},
        "host": "db.corp.test",
    } | more


def batch(files, *cases: object) -> list[dict[str, object]]:
    lines = "\n".join(c if isinstance(c, str) else json.dumps(c) for c in cases)
    (files / "cases.jsonl").write_text(lines + "\n")
    done = run("--batch", str(files / "cases.jsonl"), "-o", f"json={files / 'out.jsonl'}")
    assert done.exit_code in (0, 4), done.output
    return [json.loads(line) for line in (files / "out.jsonl").read_text().splitlines()]


def test_a_case_is_answered_in_the_contracts_own_words(files):
    (answer,) = batch(files, case(files))
    assert answer == {
        "id": "a",
        "settings": {
            "host": "db.corp.test",
            "password": "***",
            "sslmode": "verify-full",
            "sslrootcert": str(files / "root.pem"),
        },
        "policy": {
            "ask": "always",
            "check": "chain-and-host",
            "on_distrust": "fail",
            "roots": {"from": "setting", "path": str(files / "root.pem"), "count": 1},
        },
        "outcome": "verified",
        "reasons": [answer["reasons"][0]],
    }
    assert set(answer["reasons"][0]) == {"code", "text", "source", "rule"}


@pytest.mark.parametrize(
    ("change", "outcome", "code"),
    [
        pytest.param({"dsn": "sslmode=maybe"}, "refused", "settings-error", id="settings-the-driver-refuses"),
        pytest.param({"driver": "nosuch"}, "unknown", "unknown-driver", id="driver"),
        pytest.param({"driver_version": "99"}, "unknown", "unknown-version", id="version"),
        pytest.param({"driver_version": 17}, "verified", "", id="version-as-a-number"),
        pytest.param({"server": None}, "unknown", "", id="no-server"),
        pytest.param({"host": "other.corp.test", "dsn": "sslmode=disable"}, "refused", "server-wants-tls", id="hostssl"),
        pytest.param({"at": "2200-01-01T00:00:00Z"}, "refused", "", id="when-all-has-expired"),
        pytest.param({"dsn": None, "settings": {"host": "db.corp.test", "sslmode": "require"}}, "unverified", "", id="settings"),
        pytest.param({"runtime": None}, "verified", "", id="without-a-runtime"),
    ],
)
def test_each_case_has_its_outcome(files, change, outcome, code):
    (answer,) = batch(files, case(files, **change))
    assert answer["outcome"] == outcome, answer
    assert not code or code in {r["code"] for r in answer["reasons"]}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="torn"),
        pytest.param("[]", id="no-object"),
        pytest.param('{"id": "x", "driver": 5}', id="wrong-type"),
        pytest.param('{"id": "x", "driver": "libpq", "at": "yesterday"}', id="time"),
        pytest.param('{"id": "x", "driver": "libpq", "server": {"accepts": "maybe"}}', id="accepts"),
        pytest.param('{"id": "x", "driver": "libpq", "server": {"chain": "/none.pem"}}', id="chain"),
        pytest.param("[" * 100_000, id="nesting"),
        pytest.param('{"driver": "libpq", "dsn": "password=hunter2", "env": "hunter2"}', id="a-password-in-a-bad-line"),
    ],
)
def test_a_bad_line_gets_its_own_error_and_the_others_are_answered(files, line):
    answers = batch(files, case(files, id=1), line, case(files, id=2))
    assert [a["id"] for a in answers][::2] == [1, 2]
    assert [a.get("outcome") for a in answers][::2] == ["verified", "verified"]
    assert answers[1]["error"]
    assert "hunter2" not in json.dumps(answers)


def test_answers_come_in_the_order_of_the_questions(files):
    assert [a["id"] for a in batch(files, *(case(files, id=i) for i in range(50)))] == list(range(50))


def test_a_batch_with_a_bad_line_is_incomplete(files):
    (files / "cases.jsonl").write_text("{\n")
    assert run("--batch", str(files / "cases.jsonl"), "--json").exit_code == 4


@pytest.mark.parametrize("driver", drivers.names())
@pytest.mark.parametrize(
    "dsn",
    [
        "\0",
        "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
        "x" * 2_000_000,
        "(" * 5000,
        "\u202e%",
        "://",
        "?",
        "=",
    ],
    ids=["nul", "surrogate", "megabytes", "nesting", "direction", "colon", "question", "equals"],
)
def test_hostile_strings_never_crash_a_driver(files, driver, dsn):
    (answer,) = batch(files, case(files, driver=driver, driver_version=None, runtime={}, dsn=dsn))
    assert "error" not in answer, answer
    assert answer["outcome"] in {"verified", "unverified", "plaintext", "refused", "unknown"}


def test_a_person_gets_plain_words(files):
    done = run(
        f"host=db.corp.test sslmode=require sslrootcert={files / 'root.pem'} password=hunter2", "--home", str(files / "home")
    )
    assert done.exit_code == 0
    assert "checks the chain, not the host name" in done.output
    assert "hunter2" not in done.output


def test_a_rotation_is_judged_when_both_chains_are_given(files):
    other = ca.root("corp-next")
    (files / "next.pem").write_bytes(ca.leaf(other, "db.corp.test").cert_pem)
    words = [
        f"host=db.corp.test sslmode=verify-ca sslrootcert={files / 'root.pem'}",
        "--driver",
        "libpq",
        "--accepts",
        "host",
        "--json",
    ]
    done = run(*words, "--chain", str(files / "chain.pem"), "--next-chain", str(files / "next.pem"))
    assert json.loads(done.output)["verdict"] == "breaks"
    assert done.exit_code == 1


@pytest.mark.parametrize("subject", ["RR104", "rr104", "silent-plaintext-fallback"])
def test_a_rule_has_a_page(subject):
    done = run(subject)
    assert done.exit_code == 0
    assert "RR104 silent-plaintext-fallback" in done.output
    assert "What happens" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param([], "nothing to explain", id="nothing"),
        pytest.param(["RR999"], "there is no rule", id="rule"),
        pytest.param(["host=x", "db-east"], "is no client of", id="server-without-client"),
        pytest.param(["host=x", "--batch", "x"], "takes no subject", id="batch-and-subject"),
        pytest.param(["--batch", "/none.jsonl"], "cannot read the cases", id="no-batch-file"),
        pytest.param(["host=x", "--env", "novalue"], "wants NAME=VALUE", id="pair"),
        pytest.param(["host=x", "--chain", "/none.pem"], "chain cannot be read", id="chain"),
    ],
)
def test_bad_words_are_told_apart(words, message):
    done = run(*words)
    assert message in str(done.exception)


INVENTORY = """
[rotation]
name = "r"
old_root = "root.pem"
next_root = "root.pem"

[[server]]
name = "east"
host = "db.corp.test"

[[client]]
name = "orders-api"
driver = "libpq"
reaches = ["east"]
"""


@pytest.mark.parametrize(
    ("word", "is_declared", "hint"),
    [
        pytest.param("orders-apx", True, "did you mean `orders-api`?", id="a-slip-in-a-clients-name"),
        pytest.param("silent-plaintext-falback", True, "did you mean `silent-plaintext-fallback`?", id="a-slip-in-a-rules-name"),
        pytest.param("zzz", True, "clients are `orders-api`", id="nothing-like-it"),
        pytest.param("orders-api", False, "name it with `-i`", id="a-client-from-the-wrong-folder"),
    ],
)
def test_a_word_that_is_nothing_is_not_taken_for_a_connection_string(files, word, is_declared, hint):
    place = files / "reroot.toml"
    if is_declared:
        place.write_text(INVENTORY)
    done = run(word, "-i", str(place))
    assert f"`{word}` is no connection string, rule, file or client" in str(done.exception)
    assert hint in done.exception.hint


def test_a_file_that_cannot_be_read_is_told_and_is_not_all_well(files):
    (files / "app.env").write_text("DATABASE_URL=postgresql://app@db.corp.test/app\n")
    (files / "app.env").chmod(0)
    alone = ["unshare", "-U", "--map-user=1000", "--map-group=1000"] if os.getuid() == 0 else []
    if alone and subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("root reads everything, and this machine has no namespaces of users")
    code = "from reroot.cli import main; main()"
    done = subprocess.run(
        [*alone, sys.executable, "-c", code, "explain", str(files / "app.env")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {files / 'app.env'}: cannot be read: Permission denied\n"


def test_a_folder_is_for_scan(files):
    done = run(str(files / "home"))
    assert "is a folder" in str(done.exception)
    assert "reroot scan" in done.exception.hint


def test_a_rule_is_explained_without_reading_certificates():
    code = "import sys; from reroot.cli import reroot; reroot(['explain', 'RR104'], standalone_mode=False); print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_settings_file_is_explained_with_the_rules_it_meets(tmp_path):
    (tmp_path / "app.env").write_text("DATABASE_URL=postgresql://app:hunter2@db.corp.test/app?sslmode=require\n")
    done = run(str(tmp_path / "app.env"))
    assert "DATABASE_URL" in done.output
    assert "What happens" in done.output
    assert "hunter2" not in done.output


def test_drivers_are_listed_with_what_is_known_of_them():
    done = CliRunner().invoke(reroot, ["drivers", "--json"])
    listed = {d["name"]: d for d in json.loads(done.output)["drivers"]}
    assert set(listed) == set(drivers.names())
    assert listed["libpq"]["proven"] == ["15", "17", "18"]


def test_an_unknown_driver_is_an_error_that_names_the_known_ones():
    done = CliRunner().invoke(reroot, ["drivers", "nosuch"])
    assert "`nosuch`" in str(done.exception)


@pytest.mark.parametrize(
    ("driver", "hint"),
    [("psycog2", "did you mean `psycopg2`? `reroot drivers`"), ("nosuch", "`reroot drivers` lists")],
    ids=["near", "far"],
)
def test_a_driver_without_rules_is_answered_with_those_that_have_some(driver, hint):
    done = CliRunner().invoke(reroot, ["explain", "--driver", driver, "host=db sslmode=require"])
    assert f"hint: {hint}" in done.output
    assert "--chain" not in done.output


def test_what_will_not_connect_is_something_in_the_way(files):
    done = run("host=db.corp.test sslmode=verify-full sslrootcert=/nowhere/root.pem", "--home", str(files / "home"))
    assert "refused: does not connect" in done.output
    assert done.exit_code == 1


def test_one_certificate_is_one(files):
    dsn = f"host=db.corp.test sslmode=verify-ca sslrootcert={files / 'root.pem'}"
    done = run(dsn, "--driver", "libpq", "--accepts", "host", "--chain", str(files / "chain.pem"), "--home", str(files / "home"))
    assert ", 1 certificate)" in done.output
