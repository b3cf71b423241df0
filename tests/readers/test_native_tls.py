"""Rust's native-tls, as sqlx uses it, over every shape: which servers it verifies, by whole handshakes."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reroot.pki.certificate import Certificate
from reroot.readers import Anchors, effective

from . import oracles
from .keystores import SCRUBBED
from .shapes import pem_shapes

SQLX = Path(__file__).parent.parent.parent / ".cache" / "clients" / "rust" / "bin" / "sqlx"
QUICK = (
    "two roots",
    "byte order mark",
    "damaged first",
    "damaged last",
    "PKCS7 in PEM",
    "trusted for servers",
    "key before",
    "CRLF",
)
TEXT = b"SFATAL\0C28P01\0Mno\0\0"
REFUSAL = b"E" + (4 + len(TEXT)).to_bytes(4, "big") + TEXT


@contextmanager
def server(pair: Path, heard: list[bool]) -> Iterator[int]:
    """Says yes to TLS as PostgreSQL does, notes whether a start-up packet came through it, and refuses the login."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.recv(8)
                    peer.sendall(b"S")
                    with context.wrap_socket(peer, server_side=True) as secure:
                        heard.append(b"user" in secure.recv(1000))
                        secure.sendall(REFUSAL)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def held(found: Anchors) -> Mapping[str, bool]:
    names = {(c.subject, c.spki) for c in found.certificates if c.is_readable and c.is_self_issued}
    roots = {name: Certificate(root.der) for name, (root, _) in oracles.served().items()}
    return {name: (root.subject, root.spki) in names for name, root in roots.items()}


@pytest.mark.skipif(not SQLX.exists(), reason="no sqlx on this machine")
@pytest.mark.parametrize("names", [QUICK, pytest.param(tuple(pem_shapes()), marks=pytest.mark.matrix)], ids=["some", "all"])
def test_sqlx_over_native_tls_verifies_what_the_first_certificate_signed(
    names: tuple[str, ...], tmp_path: Path, exercised: Callable[[str], None]
) -> None:
    shapes = pem_shapes()
    heard: dict[str, list[bool]] = {name: [] for name in oracles.served()}
    (tmp_path / "1_none.sql").write_text("select 1")
    wrong = {}
    with ExitStack() as stack:
        ports = {}
        for name, (_, leaf) in oracles.served().items():
            (tmp_path / f"{name}.server").write_bytes(leaf.pem + oracles._key(leaf).encode())
            ports[name] = stack.enter_context(server(tmp_path / f"{name}.server", heard[name]))
        for shape in names:
            roots = tmp_path / "roots.pem"
            roots.write_bytes(shapes[shape])
            real = {}
            for name, port in ports.items():
                heard[name].clear()
                address = f"postgresql://u@127.0.0.1:{port}/d?sslmode=verify-ca&sslrootcert={roots}"
                command = [str(SQLX), "migrate", "run", "--no-dotenv", "--connect-timeout", "0", "--source", str(tmp_path)]
                subprocess.run([*command, "-D", address], capture_output=True, env=SCRUBBED, timeout=60)
                real[name] = any(heard[name])
            mine = held(effective("rust-native-tls", "0.2", shapes[shape]))
            if mine != real:
                wrong[shape] = (mine, real)
    assert wrong == {}
    exercised(f"sqlx, native-tls: {len(names)} files")
