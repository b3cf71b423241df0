"""The gate after a cut-over reads the server's own log: who refuses the new certificate is named, who always did is not news."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from reroot import wire
from reroot.app import Fleet, try_out
from reroot.app.watch import baseline, heeding, watch_of, watching
from reroot.collect.inventory import read
from reroot.errors import InputError
from reroot.lab import ca
from reroot.lab.postgres import Postgres
from reroot.ledger import open_ledger
from reroot.rotation import Act, Answer, Sees, State

pytestmark = [pytest.mark.real]

OLD, NEW, OTHER = ca.root("old root"), ca.root("new root"), ca.root("another root")
PAIRS = {root: (ca.bundle(leaf, root), leaf.key_pem) for root, leaf in ((r, ca.leaf(r, "127.0.0.1")) for r in (OLD, NEW))}
NAME = "orders"


@pytest.fixture
def server() -> Iterator[Postgres]:
    with Postgres(PAIRS[OLD], settings={"log_line_prefix": "%m [%p] %q%u@%d "}) as running:
        yield running


@pytest.fixture
def inventory(server: Postgres, tmp_path: Path):
    (tmp_path / "old.pem").write_bytes(ca.bundle(OLD))
    (tmp_path / "next.pem").write_bytes(ca.bundle(NEW))
    (tmp_path / "both.pem").write_bytes(ca.bundle(OLD, NEW))
    (tmp_path / "reroot.toml").write_text(
        '[rotation]\nname = "r"\nold_root = "old.pem"\nnext_root = "next.pem"\n'
        f'[[server]]\nname = "{NAME}"\nhost = "127.0.0.1"\nport = {server.port}\nlog = "{server.log_path}"\n'
    )
    return read(tmp_path / "reroot.toml")


def log_in(server: Postgres, store: Path, times: int = 1) -> int:
    """How often a libpq that checks the server against *store* got in."""
    got_in = 0
    for _ in range(times):
        try:
            psycopg.connect(
                f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres sslmode=verify-ca sslrootcert={store}"
            ).close()
            got_in += 1
        except psycopg.OperationalError:
            pass
    return got_in


def never_trusts(server: Postgres, times: int) -> None:
    """A tool at another address that trusts neither root, and tries again and again."""
    context = ssl.create_default_context(cadata=ca.bundle(OTHER).decode())
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.9", 0)) as connection:
            connection.sendall(wire.ssl_request())
            assert connection.recv(1) == b"S"
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(connection, server_hostname="127.0.0.1")


def performed(server: Postgres, inventory, after_the_cut_over) -> tuple[State | None, tuple[str, ...]]:
    """A trial on the real server: cut over, *after_the_cut_over*, look at the clients by the log, take back."""
    with watching(inventory, seconds=2.0, every=0.05) as watch, open_ledger(inventory.base / "ledger.sqlite") as ledger:
        clients = watch_of(watch, inventory)

        def act(step) -> tuple[str, ...]:
            if step.act in (Act.CUT_OVER, Act.ROLL_BACK):
                server.present(PAIRS[NEW if step.act is Act.CUT_OVER else OLD])
                after_the_cut_over(step)
            return ()

        def sees(step) -> tuple[Answer, str]:
            return clients(step.subject) if step.sees is Sees.CLIENTS else (Answer.OK, "")

        fleet = heeding(Fleet(lambda: None, act, sees), watch)
        lease = ledger.acquire("r", "somebody", datetime.now(UTC))
        ended = try_out("r", NAME, fleet, ledger, lease, tell=lambda _event: None)
        return ended.state, ended.failures


def test_a_client_that_refuses_after_the_switch_is_named_and_one_that_always_did_is_not(server, inventory):
    assert log_in(server, inventory.base / "old.pem", 3) == 3
    never_trusts(server, 30)

    def back(step) -> None:
        never_trusts(server, 3)
        assert log_in(server, inventory.base / "old.pem", 3) == (0 if step.act is Act.CUT_OVER else 3)

    _, failures = performed(server, inventory, back)
    (failure,) = failures
    assert "127.0.0.1: tlsv1 alert unknown ca (3 times since, 0 before)" in failure
    assert "127.0.0.9" not in failure


def test_clients_that_trust_both_roots_open_the_gate_also_beside_one_that_never_trusts(server, inventory):
    assert log_in(server, inventory.base / "both.pem", 3) == 3
    never_trusts(server, 30)

    def back(_step) -> None:
        never_trusts(server, 3)
        assert log_in(server, inventory.base / "both.pem", 3) == 3

    state, failures = performed(server, inventory, back)
    assert (state, failures) == (State.ROLLED_BACK, ())


def test_what_is_usual_is_what_the_log_said_until_now(server, inventory):
    never_trusts(server, 5)
    assert log_in(server, inventory.base / "old.pem", 2) == 2
    usual, spans = baseline({NAME: str(server.log_path)})
    told: Counter[str] = Counter()
    for row, tally in usual.settled().rows.items():
        if row.address != "local":
            told[row.event] += tally.number
    assert (told["failed"], told["session"]) == (5, 2)
    assert 0 < spans[NAME] < timedelta(hours=1).total_seconds()


def test_a_log_that_is_not_there_is_said_before_anything_is_done(server, inventory):
    text = (inventory.base / "reroot.toml").read_text().replace(str(server.log_path), "/nowhere/postgresql.log")
    (inventory.base / "reroot.toml").write_text(text)
    with pytest.raises(InputError, match="/nowhere/postgresql"), watching(read(inventory.base / "reroot.toml")):
        raise AssertionError


def test_without_a_log_nobody_watches(server, inventory):
    text = (inventory.base / "reroot.toml").read_text().replace(f'log = "{server.log_path}"', "")
    (inventory.base / "reroot.toml").write_text(text)
    with watching(read(inventory.base / "reroot.toml")) as watch:
        assert watch is None
        assert watch_of(watch, inventory)(NAME) == (Answer.OK, "no client was watched")
