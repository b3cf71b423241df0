"""The real stacks, asked what they get from the same files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization

from .keystores import SCRUBBED
from .shapes import Authority, authority, workshop

HERE = Path(__file__).parent
CLIENTS = HERE.parent.parent / ".cache/clients"


class Heard(NamedTuple):
    loads: bool
    anchors: frozenset[str]
    said: str = ""


def java(questions: Sequence[tuple[Path, str, str | None]]) -> list[Heard]:
    """One JVM for all of them."""
    lines = "".join(f"{path}\t{kind}\t{'-' if password is None else password}\n" for path, kind, password in questions)
    ran = subprocess.run(
        ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(HERE / "Oracle.java")],
        input=lines, capture_output=True, text=True, check=True, env=SCRUBBED,
    )  # fmt: skip
    return [
        Heard(w == "ok", frozenset(filter(None, p.split(","))), s) for w, p, s in (x.split("\t") for x in ran.stdout.splitlines())
    ]


DOTNET = CLIENTS / "dotnet/bin/python"


def dotnet(questions: Sequence[tuple[Path, str, str | None]]) -> list[Heard]:
    """One .NET runtime for all of them."""
    lines = "".join(f"{path}\t{kind}\t{'-' if password is None else password}\n" for path, kind, password in questions)
    ran = subprocess.run(
        [str(DOTNET), str(HERE / "oracle_dotnet.py")], input=lines, capture_output=True, text=True, check=True, env=SCRUBBED
    )
    return [
        Heard(w == "ok", frozenset(filter(None, p.split(","))), s) for w, p, s in (x.split("\t") for x in ran.stdout.splitlines())
    ]


def dotnet_verifies(lines: Sequence[str]) -> list[bool]:
    """Roots file, chain file and perhaps a time, by tabs: whether .NET's X509Chain accepts it."""
    ran = subprocess.run(
        [str(DOTNET), str(HERE / "verify_dotnet.py")],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        env=SCRUBBED,
    )
    return [line == "true" for line in ran.stdout.splitlines()]


def go_tools() -> dict[str, str]:
    """Every Go on this machine: its version, ``1.27``, and its program."""
    found = {}
    for program in ("go", *map(str, CLIENTS.glob("go-1.*/go/bin/go"))):
        if shutil.which(program):
            told = subprocess.run([program, "version"], capture_output=True, text=True, check=True, env=SCRUBBED).stdout
            found[told.split()[2].removeprefix("go").rpartition(".")[0]] = program
    return found


def go(files: Sequence[Path], cache_folder: Path, program: str = "go") -> list[Heard]:
    environment = SCRUBBED | {
        "GO111MODULE": "off",
        "GOCACHE": str(cache_folder),
        "HOME": str(cache_folder),
        "GOTOOLCHAIN": "local",
    }
    command = [program, "run", str(HERE / "oracle.go"), *map(str, files)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [Heard(w == "ok", frozenset(filter(None, p.split(",")))) for w, p in (x.split("\t") for x in ran.stdout.splitlines())]


def python(file: Path) -> tuple[bool, int, frozenset[str]]:
    """Whether it loads, how many certificates are in the store then, and the fingerprints of those that are CAs."""
    import hashlib

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=str(file))
    except ssl.SSLError:
        return False, 0, frozenset()
    found = frozenset(hashlib.sha256(der).hexdigest() for der in context.get_ca_certs(binary_form=True))
    return True, context.cert_store_stats()["x509"], found


@cache
def served() -> Mapping[str, tuple[Authority, Authority]]:
    """A server certificate for each of the roots that handshakes are tried with."""
    w = workshop()
    return {
        name: (root, authority("db.example.test", issuer=root, ca=False))
        for name, root in (("a", w.a), ("b", w.b), ("rsa", w.rsa))
    }


def _key(of: Authority) -> str:
    return of.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def node(files: Sequence[Path | None], *, extra: Path | None = None) -> list[dict[str, bool]]:
    """Which servers each file verifies, by handshake; None is Node's own roots, with *extra* added to them."""
    pairs = {name: {"cert": leaf.pem.decode(), "key": _key(leaf)} for name, (_, leaf) in served().items()}
    wanted = {"servers": pairs, "files": [None if f is None else str(f) for f in files]}
    environment = SCRUBBED | ({"NODE_EXTRA_CA_CERTS": str(extra)} if extra else {})
    ran = subprocess.run(
        ["node", str(HERE / "oracle.mjs")], input=json.dumps(wanted), capture_output=True, text=True, check=True, env=environment
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def handshake(cafile: Path, leaf: Authority, folder: Path) -> bool:
    """A whole TLS handshake in memory, with Python's ssl on both sides."""
    pair = folder / f"{leaf.certificate.serial_number:x}.pem"
    pair.write_bytes(leaf.pem + _key(leaf).encode())
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pair)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.load_verify_locations(cafile=str(cafile))
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(a, b)
    server = server_side.wrap_bio(b, a, server_side=True)
    for _ in range(6):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
            except ssl.SSLError:
                return False
    return True


@contextmanager
def says_yes_to_tls() -> Iterator[int]:
    """A port that answers an SSLRequest with S and hangs up: far enough for libpq to have read its root file."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    if peer.recv(8)[4:] == b"\x04\xd2\x16\x2f":
                        peer.sendall(b"S")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def psql_loads(file: Path, port: int) -> tuple[bool, str]:
    """Whether libpq takes this file as sslrootcert."""
    dsn = f"hostaddr=127.0.0.1 host=db port={port} user=u dbname=d sslmode=verify-ca sslrootcert={file} connect_timeout=5"
    ran = subprocess.run(["psql", dsn, "-c", "select 1"], capture_output=True, text=True, env=SCRUBBED | {"HOME": os.devnull})
    return "could not read root certificate file" not in ran.stderr, ran.stderr


__all__ = [
    "DOTNET",
    "Heard",
    "dotnet",
    "go",
    "go_tools",
    "handshake",
    "java",
    "node",
    "psql_loads",
    "python",
    "says_yes_to_tls",
    "served",
]
