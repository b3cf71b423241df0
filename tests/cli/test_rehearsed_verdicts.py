"""A rehearsal that was kept outranks what the rules foresee, in the plan that `reroot plan` makes of a real fleet."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from tests.fleets import HOST, lab

pytestmark = [pytest.mark.real, pytest.mark.skipif(shutil.which("psql") is None, reason="not exercised: psql (no psql on this machine)")]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with lab(tmp_path_factory.mktemp("rehearsed"), ["east"]) as running:
        yield running


def rehearse(fleet, client, roots, *more, key=True, ledger="reroot.sqlite", check=0):
    port = fleet.servers[0].port
    dsn = f"host={HOST} port={port} user=app dbname=postgres sslmode=verify-full sslrootcert={fleet.folder / roots}"
    keyed = ("--next-key", "east.key") if key else ()
    kept = ("--ledger", ledger, "--rotation", "lab", "--client", client)
    return fleet.run("rehearse", "--next", "east.crt", *keyed, *kept, *more, "--", "psql", dsn, check=check)


def judged(fleet, client, *words):
    plan = json.loads(fleet.run("plan", "--json", *words, check=None).stdout)["plan"]
    return next(j for j in plan["judgements"] if j["client"] == client)


def codes(judgement):
    return [r["code"] for r in judgement["reasons"]]


def test_a_refusal_that_the_rules_did_not_foresee_closes_the_gate_and_is_reported_loudly(fleet):
    """The inventory lies: it says that the trust store has the next root in it, and the program reads another one."""
    (fleet.folder / "said.pem").write_bytes(fleet.old.cert_pem + fleet.next.cert_pem)
    fleet.write(clients=fleet.client("liar", store="said.pem"))
    assert judged(fleet, "liar")["verdict"] == "ready"
    rehearse(fleet, "liar", "old.pem", check=1)
    found = judged(fleet, "liar")
    assert (found["verdict"], found["then"]["outcome"]) == ("breaks", "refused")
    assert codes(found)[:2] == ["rules-contradicted", "rehearsed"]
    assert "report this" in fleet.run("plan", check=1).stdout


def test_it_counts_until_the_trust_store_changes(fleet):
    fleet.write(clients=fleet.client("old-timer"))
    assert judged(fleet, "old-timer")["verdict"] == "breaks"
    rehearse(fleet, "old-timer", "old.pem", check=1)
    (fleet.folder / "old-timer.pem").write_bytes(fleet.old.cert_pem + fleet.next.cert_pem)
    assert judged(fleet, "old-timer")["verdict"] == "ready"


def test_a_rehearsal_turns_unknown_into_an_answer(fleet):
    """A driver that no rule knows: with today's chain and the next, and both keys."""
    (fleet.folder / "both.pem").write_bytes(fleet.old.cert_pem + fleet.next.cert_pem)
    fleet.write(clients=fleet.client("stranger", store="both.pem").replace('"libpq"\nversion', '"nobody-knows"\nversion'))
    assert judged(fleet, "stranger")["verdict"] == "unknown"
    server = fleet.servers[0].folder
    today = ("--current", str(server / "server.crt"), "--current-key", str(server / "server.key"))
    rehearse(fleet, "stranger", "both.pem", *today)
    found = judged(fleet, "stranger")
    assert (found["now"]["outcome"], found["verdict"]) == ("verified", "unknown")
    assert "restart-not-seen" in codes(found)
    clients = fleet.client("stranger", store="both.pem").replace('"libpq"\nversion', '"nobody-knows"\nversion')
    fleet.write(clients=clients + "started = 2099-01-01T00:00:00Z\n")
    assert judged(fleet, "stranger")["verdict"] == "ready"


def test_a_ledger_that_is_named_counts_in_place_of_the_inventorys(fleet):
    """For the plan, for one client's page, and for the dry run that goes by both."""
    (fleet.folder / "elsewhere.pem").write_bytes(fleet.old.cert_pem + fleet.next.cert_pem)
    fleet.write(clients=fleet.client("elsewhere", store="elsewhere.pem"))
    rehearse(fleet, "elsewhere", "old.pem", ledger="other.sqlite", check=1)
    assert judged(fleet, "elsewhere")["verdict"] == "ready"
    assert judged(fleet, "elsewhere", "--ledger", "other.sqlite")["verdict"] == "breaks"
    named = fleet.run("explain", "elsewhere", "--ledger", "other.sqlite", "--json", check=1).stdout
    assert {j["verdict"] for j in json.loads(named)["judgements"]} == {"breaks"}
    assert {j["verdict"] for j in json.loads(fleet.run("explain", "elsewhere", "--json").stdout)["judgements"]} == {"ready"}
    said = fleet.run("plan", "--ledger", "other.sqlite", check=1).stdout
    assert "reroot rotate plan.json --through trust --ledger other.sqlite" in said.replace("`", "")


def test_without_the_key_it_cannot_say_yes(fleet):
    (fleet.folder / "both2.pem").write_bytes(fleet.old.cert_pem + fleet.next.cert_pem)
    fleet.write(clients=fleet.client("keyless", store="both2.pem").replace('"libpq"\nversion', '"nobody-knows"\nversion'))
    rehearse(fleet, "keyless", "both2.pem", key=False)
    assert judged(fleet, "keyless")["then"]["outcome"] == "unknown"


def test_whose_it_is_must_be_said_where_it_is_kept(fleet):
    done = fleet.run("rehearse", "--next", "east.crt", "--client", "x", "--", "psql", "host=h", check=2)
    assert "`--client`" in done.stderr


def listened(fleet, client, *comers):
    """A listening stage that *comers* (extra words of a DSN) come to, each often enough for both acts; what it said at its end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ("--next", "east.crt", "--next-key", "east.key", "--listen", f"127.0.0.1:{port}")
    kept = ("--server", f"{HOST}:{fleet.servers[0].port}", "--ledger", "reroot.sqlite", "--rotation", "lab", "--client", client)
    command = [sys.executable, "-c", "from reroot.cli import main; main()", "rehearse", *words, *kept]
    env = fleet.environment()
    with subprocess.Popen(command, cwd=fleet.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as stage:
        try:
            assert "listening on" in stage.stderr.readline()
            for comer in comers:
                for _ in range(2):
                    dsn = f"hostaddr=127.0.0.1 port={port} user=app dbname=postgres sslmode=verify-full {comer}"
                    subprocess.run(["psql", dsn], cwd=fleet.folder, env=env, capture_output=True, timeout=60)
                    assert stage.stderr.readline()  # each is told when it has left
        finally:
            stage.send_signal(signal.SIGINT)
        return stage.communicate(timeout=60)[1]


def test_who_alone_came_to_a_listening_stage_by_the_servers_name_counts(fleet):
    (fleet.folder / "said2.pem").write_bytes(fleet.old.cert_pem + fleet.next.cert_pem)
    fleet.write(clients=fleet.client("elsewhere", store="said2.pem"))
    assert judged(fleet, "elsewhere")["verdict"] == "ready"
    assert "no verdict" not in listened(fleet, "elsewhere", f"host={HOST} sslrootcert=old.pem")
    found = judged(fleet, "elsewhere")
    assert (found["verdict"], codes(found)[0]) == ("breaks", "rules-contradicted")


@pytest.mark.parametrize(
    ("comers", "why"),
    [
        ((f"host={HOST} sslrootcert=old.pem", f"host={HOST} sslrootcert=old.pem ssl_max_protocol_version=TLSv1.2"), "2 clients came"),
        (("host=127.0.0.1 sslrootcert=old.pem",), "asked for no server by name"),
        (("host=another.example sslrootcert=old.pem",), "asked for `another.example`"),
        ((), "0 clients came"),
    ],
    ids=["two-of-them", "by-address", "another-name", "nobody"],
)
def test_what_a_listening_stage_cannot_give_to_one_client_is_said_and_counts_for_none(fleet, comers, why):
    fleet.write(clients=fleet.client("nobody-knows-who", store="old.pem"))
    before = judged(fleet, "nobody-knows-who")
    assert why in listened(fleet, "nobody-knows-who", *comers)
    found = judged(fleet, "nobody-knows-who")
    assert "rehearsed" not in codes(found)
    assert (found["verdict"], found["then"]) == (before["verdict"], before["then"])
