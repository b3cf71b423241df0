"""Who is at the other end of a connection: told by the kernel's tables, which are not one moment's."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from reroot.collect.rehearse import _peer

CONNECT = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)"


@pytest.mark.parametrize("missed", range(_peer.LOOKS))
def test_an_entry_that_the_table_passed_over_is_looked_for_again(missed, monkeypatch):
    look, left = _peer._inode, missed

    def passing_over(pid: int, address: str, port: int) -> str:
        nonlocal left
        left -= 1
        return "" if left >= 0 else look(pid, address, port)

    monkeypatch.setattr(_peer, "_inode", passing_over)
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = subprocess.Popen([sys.executable, "-c", CONNECT, str(server.getsockname()[1])], start_new_session=True)
        try:
            connection, (host, port) = server.accept()
            with connection:
                found = _peer.peer(program.pid, host, port)
        finally:
            program.kill()
            program.wait()
    assert found.program
    assert found is not _peer.NOBODY


def test_a_connection_that_is_nobodys_here_is_nobodys():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert _peer.peer(1, "127.0.0.1", server.getsockname()[1]) == _peer.NOBODY
