"""A small real fleet on disk and on loopback: servers of an old root, clients with their trust stores, and reroot.toml."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reroot.lab import ca
from reroot.lab.postgres import Postgres, clean_environment, fleet

HOST = "db.test"
CLIENT = """
[[client]]
name = "{name}"
owner = "{owner}"
driver = "libpq"
version = "{version}"
runtime = {{ libpq = "{version}", openssl = "3.0.19" }}
dsn = "host={{host}} hostaddr={{address}} port={{port}} user=app dbname=postgres sslmode={mode} sslrootcert={store}"
reaches = {reaches}
trust_stores = {stores}
"""
SERVER = """
[[server]]
name = "{name}"
host = "db.test"
address = "127.0.0.1"
port = {port}
accepts = "host"
wave = {wave}
[server.provider]
kind = "postgres"
certificate = "{folder}/server.crt"
key = "{folder}/server.key"
data_directory = "{folder}/data"
next_certificate = "{name}.crt"
next_key = "{name}.key"
"""


@dataclass
class Lab:
    """``folder`` holds reroot.toml and every trust store; ``servers`` run."""

    folder: Path
    servers: Sequence[Postgres]
    old: ca.Issued
    next: ca.Issued
    leaves: dict[str, ca.Issued] = field(default_factory=dict)

    def write(self, *, clients: str = "", soak: str = "0s", extra: str = "") -> Path:
        """reroot.toml for what there is."""
        text = (
            f'[rotation]\nname = "lab"\nold_root = "old.pem"\nnext_root = "next.pem"\nsoak = "{soak}"\n'
            + "".join(
                SERVER.format(name=s.name, port=s.port, wave=i, folder=s.folder) for i, s in enumerate(self.servers)
            )
            + clients
            + extra
        )
        path = self.folder / "reroot.toml"
        path.write_text(text)
        return path

    def client(self, name: str, *, mode: str = "verify-full", store: str = "", ours: bool = True, version: str = "17.2") -> str:
        """A client whose trust store holds the old root; *ours* says whether reroot may change it."""
        path = self.folder / (store or f"{name}.pem")
        if not path.exists():
            path.write_bytes(self.old.cert_pem)
        return CLIENT.format(
            name=name,
            owner="team",
            version=version,
            mode=mode,
            store=path,
            reaches=[s.name for s in self.servers],
            stores=[path.name] if ours else [],
        )

    def run(self, *words: str, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        """The program itself, in the lab's folder."""
        done = subprocess.run(
            [sys.executable, "-c", "from reroot.cli import main; main()", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check is not None:
            assert done.returncode == check, (words, done.returncode, done.stdout, done.stderr)
        return done

    def environment(self) -> dict[str, str]:
        return clean_environment({"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"), "PYTHONWARNINGS": "error"})

    def serving(self) -> list[str]:
        """``old`` or ``next`` for each server, by a handshake of the lab's own."""
        leaves = {s.name: s.served_leaf() for s in self.servers}
        return ["next" if leaves[s.name] == self.leaves[s.name].der else "old" for s in self.servers]


@contextmanager
def lab(folder: Path, names: Sequence[str] = ("canary", "east")) -> Iterator[Lab]:
    """A fleet that is up and serves the old root's certificates; stopped and removed in the end."""
    old, following = ca.root("old root"), ca.root("next root")
    pairs = {}
    servers = []
    for name in names:
        current = ca.leaf(old, HOST, "127.0.0.1")
        servers.append(Postgres((current.cert_pem, current.key_pem), name=name))
        pairs[name] = ca.leaf(following, HOST, "127.0.0.1")
        (folder / f"{name}.crt").write_bytes(pairs[name].cert_pem)
        (folder / f"{name}.key").write_bytes(pairs[name].key_pem)
        os.chmod(folder / f"{name}.key", 0o600)
    (folder / "old.pem").write_bytes(old.cert_pem)
    (folder / "next.pem").write_bytes(following.cert_pem)
    with fleet(servers):
        yield Lab(folder, servers, old, following, pairs)
