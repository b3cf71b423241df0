"""plan, rotate, rollback and status, from the command line, on a real fleet."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.fleets import lab

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with lab(tmp_path_factory.mktemp("cli")) as fleet:
        yield fleet


@pytest.fixture
def fleet(running):
    """The fleet before any rotation: servers taken back, trust stores as they were, no ledger."""
    running.run("rollback", "--execute", "--force", check=None) if (running.folder / "reroot.toml").exists() else None
    for path in (*running.folder.glob("*.sqlite*"), *running.folder.glob("plan.json"), running.folder / "orders.pem"):
        path.unlink(missing_ok=True)
    running.write(clients=running.client("orders"))
    assert running.serving() == ["old", "old"]
    return running


def test_a_rotation_from_the_first_look_to_the_end(fleet):
    first = fleet.run("plan", check=1).stdout
    assert "✕ breaks" in first
    assert "2 of 2 will pass once phase trust" in first
    assert first.splitlines()[-1].endswith("next: `reroot rotate plan.json --through trust`")

    fleet.run("rotate", "plan.json", check=1)
    assert fleet.serving() == ["old", "old"]
    assert not (fleet.folder / "reroot.sqlite").exists()

    fleet.run("rotate", "plan.json", "--execute", "--through", "canary")
    assert fleet.serving() == ["next", "old"]
    assert json.loads(fleet.run("status", "--json").stdout)["phase"] == "waves"

    fleet.run("rotate", "plan.json", "--execute")
    assert fleet.serving() == ["next", "next"]
    assert fleet.old.cert_pem in (fleet.folder / "orders.pem").read_bytes()

    done = json.loads(fleet.run("rotate", "plan.json", "--execute", "--through", "retire", "--json").stdout)
    assert (done["schema"], done["state"], done["failures"]) == ("reroot/rotation/1", "done", [])
    assert fleet.old.cert_pem not in (fleet.folder / "orders.pem").read_bytes()
    status = json.loads(fleet.run("status", "--json").stdout)
    assert (status["phase"], status["next_gate"], status["ledger"]) == ("done", None, "ok")

    refused = fleet.run("rollback", "--execute", check=3)
    assert "going back would hurt 1 of the clients" in refused.stderr
    assert fleet.serving() == ["next", "next"]


def pasted(said):
    """The command of the last line, as it would be pasted."""
    return shlex.split(said.splitlines()[-1].rpartition("next: `")[2].partition("`")[0])[1:]


def test_the_last_lines_lead_from_the_plan_through_the_rotation_and_back_with_what_was_given(fleet):
    moved = fleet.folder / "my fleet.toml"
    moved.write_bytes((fleet.folder / "reroot.toml").read_bytes())
    given = ("-i", "my fleet.toml")
    plan = fleet.run("plan", *given, check=1).stdout
    dry = fleet.run(*pasted(plan), "--ledger", "mine.sqlite").stdout
    assert "--through trust" in dry.splitlines()[-1]
    said = fleet.run(*pasted(dry)).stdout
    phases = []
    while fleet.serving() != ["next", "next"]:
        phases.append(said.splitlines()[-1].partition("--through ")[2].split()[0])
        said = fleet.run(*pasted(said)).stdout
    assert phases == ["prove", "canary", "waves"]
    assert fleet.serving() == ["next", "next"]
    back = fleet.run("rollback", *given, "--ledger", "mine.sqlite").stdout
    done = fleet.run(*pasted(back)).stdout
    assert fleet.serving() == ["old", "old"]
    assert pasted(done) == ["status", *given, "--ledger", "mine.sqlite"]
    assert not (fleet.folder / "reroot.sqlite").exists()
    moved.unlink()


def test_a_lost_ledger_is_no_harm(fleet):
    fleet.run("plan", check=1)
    fleet.run("rotate", "plan.json", "--execute")
    for path in fleet.folder.glob("reroot.sqlite*"):
        path.unlink()

    assert json.loads(fleet.run("status", "--json", check=1).stdout)["phase"] == "soak"
    fleet.run("rollback", "--execute")
    assert fleet.serving() == ["old", "old"]


def test_a_client_that_cannot_be_helped_closes_the_gate(fleet):
    fleet.write(clients=fleet.client("orders") + fleet.client("stranger", ours=False))
    fleet.run("plan", check=1)

    refused = fleet.run("rotate", "plan.json", "--execute", check=3)

    assert "the gate to canary is closed by 1" in refused.stderr
    assert "stranger → canary" in refused.stderr
    assert fleet.serving() == ["old", "old"]


def test_a_waiver_opens_the_gate_and_is_shown(fleet):
    waiver = '[[waiver]]\nclient = "stranger"\nserver = "*"\nby = "ana"\nreason = "off on Friday"\nuntil = 2099-01-01T00:00:00Z\n'
    fleet.write(clients=fleet.client("orders") + fleet.client("stranger", ours=False), extra=waiver)
    shown = fleet.run("plan", check=1).stdout

    assert "✕ breaks  stranger → canary   waived by ana until 2099-01-01: off on Friday" in shown
    told = fleet.run("rotate", "plan.json", "--execute")
    assert "waived by ana: off on Friday" in told.stderr
    assert fleet.serving() == ["next", "next"]


def test_a_client_that_loses_tls_and_one_that_verifies_nothing_are_told_apart(fleet):
    clients = fleet.client("quiet", mode="prefer", ours=False) + fleet.client(
        "open", mode="require", store="none.pem", ours=False
    )
    (fleet.folder / "none.pem").unlink()
    fleet.write(clients=clients)
    plan = json.loads(fleet.run("plan", "--json", check=1).stdout)

    verdicts = {(j["client"], j["server"]): j["verdict"] for j in plan["plan"]["judgements"]}
    assert verdicts == {(c, s): v for c, v in (("quiet", "loses-tls"), ("open", "not-verifying")) for s in ("canary", "east")}


def test_a_trial_takes_the_server_back(fleet):
    fleet.run("plan", check=1)
    shown = fleet.run("rotate", "plan.json", "--trial", "east", "--execute")

    assert "cut over east" in shown.stderr
    assert fleet.serving() == ["old", "old"]


def test_a_plan_of_another_fleet_is_refused(fleet):
    fleet.run("plan", check=1)
    fleet.write(clients=fleet.client("orders") + fleet.client("newcomer"))

    refused = fleet.run("rotate", "plan.json", "--execute", check=3)
    assert "client `newcomer` was added" in refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("rotate", "none.json"), 2, "cannot read it"),
        (("rotate", "old.pem"), 2, "this is no plan"),
        (("plan", "-i", "none.toml"), 2, "there is no `none.toml`"),
        (("rollback", "nobody"), 2, "`nobody` is not in the inventory"),
    ],
    ids=["no plan", "not a plan", "no inventory", "no such server"],
)
def test_bad_input_is_told_and_nothing_is_changed(fleet, words, code, said):
    done = fleet.run(*words, check=code)

    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert fleet.serving() == ["old", "old"]


def test_a_server_that_does_not_answer_makes_the_answer_incomplete(fleet):
    text = (fleet.folder / "reroot.toml").read_text()
    (fleet.folder / "reroot.toml").write_text(text.replace(f"port = {fleet.servers[1].port}", "port = 1"))

    plan = json.loads(fleet.run("plan", "--json", check=4).stdout)
    assert plan["complete"] is False
    assert [u["subject"] for u in plan["unread"]] == ["east"]
    verdicts = {j["verdict"] for j in plan["plan"]["judgements"] if j["server"] == "east"}
    assert "ready" not in verdicts


def test_a_ledger_that_was_named_and_is_not_there_is_an_error_to_who_only_reads(fleet):
    fleet.write(clients=fleet.client("orders"))
    for words in (["plan"], ["explain", "orders"], ["status"], ["coverage"]):
        done = fleet.run(*words, "--ledger", "slip.sqlite", check=2)
        assert done.stdout == "", words
        assert done.stderr.startswith("error: there is no ledger at `slip.sqlite`"), words
        assert "begins one" in done.stderr, words
    assert not list(fleet.folder.glob("slip*"))
    assert not (fleet.folder / "plan.json").exists()
    fleet.run("plan", check=1)
    fleet.run("rotate", "plan.json", "--ledger", "slip.sqlite", "--through", "trust", "--execute")
    assert "trust stores hold" in fleet.run("status", "--ledger", "slip.sqlite", check=None).stdout.replace("store holds", "stores hold")
    fleet.run("plan", "--ledger", "slip.sqlite", check=None)


def test_one_of_anything_is_one(tmp_path):
    with lab(tmp_path, ["only"]) as small:
        small.write(clients=small.client("orders"))
        said = small.run("status", check=None).stdout
        assert "0 of 1 trust store holds the next root, 0 of 1 server serves the next chain" in said
        assert "0 of 1 server cut over" in said
        small.run("plan", check=None)
        dry = small.run("rotate", "plan.json", check=None).stdout
        assert "1 gate closed today" in dry
        assert "0 servers to take back, 0 connections hurt" in small.run("rollback", check=None).stdout
