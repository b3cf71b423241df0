"""A fleet on the RDS stand-in, on disk as a user would have it: roots, trust stores, reroot.toml."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reroot.collect import _awsapi
from reroot.collect._awsapi import Api, Login
from reroot.collect.inventory import Inventory, read
from reroot.lab.aurora._catalogue import NEXT, OLD
from reroot.lab.aurora.fleet import Member, StandIn, clusters, stand_in
from reroot.lab.aurora.world import Instance
from reroot.providers import Site, rds

REGION = "us-east-1"
HASTE = {"poll": 0.02, "settle": 0.6, "doubt": 0.4, "watch": 0.0, "wait": 20.0}


@dataclass
class Aurora:
    """``lab`` is the stand-in; ``folder`` holds reroot.toml with a libpq client that trusts the old root."""

    lab: StandIn
    folder: Path
    clients: list[Any] = field(default_factory=list)

    @property
    def instances(self) -> list[Instance]:
        return list(self.lab.world.instances.values())

    def api(self, region: str = REGION, **given: Any) -> Api:
        return Api(Login(endpoint_url=self.lab.url), region, **given)

    def client(self, region: str = REGION, **given: Any) -> Any:
        import boto3

        self.clients.append(boto3.client("rds", region_name=region, endpoint_url=self.lab.url, **given))
        return self.clients[-1]

    def write(self, *, options: str = "", members: Sequence[str] | None = None, soak: str = "0s", canary: str = "") -> Inventory:
        chosen = self.instances if members is None else [self.lab.instance(id) for id in members]
        first = canary or chosen[0].cluster
        haste = "".join(f", {k} = {v}" for k, v in HASTE.items())
        text = f'[rotation]\nname = "lab"\nold_root = "old.pem"\nnext_root = "next.pem"\nsoak = "{soak}"\n'
        for one in chosen:
            text += (
                f'[[server]]\nname = "{one.id}"\nhost = "{one.host}"\naddress = "127.0.0.1"\nport = {one.stage.port}\naccepts = "host"\n'
                f'cluster = "{one.cluster}"\nwave = {0 if one.cluster == first else 1}\n'
                f'provider = {{ kind = "rds", instance = "{one.id}", region = "{one.region}", ca = "{NEXT}", old_ca = "{OLD}"'
                f', endpoint_url = "{self.lab.url}"{haste}{options} }}\n'
            )
        text += (
            '[[client]]\nname = "orders"\ndriver = "libpq"\nversion = "17.2"\nruntime = { libpq = "17.2", openssl = "3.0.19" }\n'
            f'dsn = "host={{host}} port={{port}} user=a sslmode=verify-full sslrootcert={self.folder}/orders.pem"\n'
            f'reaches = {[i.id for i in chosen]}\ntrust_stores = ["orders.pem"]\n'
        )
        (self.folder / "reroot.toml").write_text(text)
        return read(self.folder / "reroot.toml")

    def site(self, id: str, **options: object) -> Site:
        one = self.lab.instance(id)
        inventory = read(self.folder / "reroot.toml") if (self.folder / "reroot.toml").exists() else self.write()
        given = {"instance": id, "region": one.region, "ca": NEXT, "old_ca": OLD, "endpoint_url": self.lab.url}
        return Site(
            id,
            one.host,
            one.stage.port,
            inventory.old_root,
            inventory.next_root,
            given | HASTE | options,
            self.folder,
            "127.0.0.1",
        )

    def serves(self) -> dict[str, str]:
        """What each server shows, by its CA id: known to the stand-in, whatever its API says."""
        return {i.id: i.serves for i in self.instances}

    def made(self, action: str) -> int:
        return sum(call[3] == action for call in self.lab.world.calls)


@contextmanager
def aurora(folder: Path, monkeypatch: pytest.MonkeyPatch, members: Sequence[Member] = (), **given: Any) -> Iterator[Aurora]:
    """Light stages, changes of a moment, no rate cap to wait for, no picture older than now."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    fresh = given.pop("fresh", 0.0)
    monkeypatch.setattr(rds, "FRESH", fresh)
    monkeypatch.setattr(rds, "KNOWN", fresh and rds.KNOWN)
    if "course" in given:  # a clock of the laboratory's own, and the pauses that users have
        monkeypatch.setattr(_awsapi.RATE, "clock", given["course"])
        monkeypatch.setattr(_awsapi.RATE, "_next", 0.0)
    else:
        monkeypatch.setattr(_awsapi, "BASE", 0.01)
    monkeypatch.setattr(_awsapi.RATE, "gap", given.pop("gap", 0.0))
    _awsapi.api.cache_clear()
    connect, clients = _awsapi._client, []
    monkeypatch.setattr(_awsapi, "_client", lambda login, region: (clients.append(connect(login, region)), clients[-1])[1])
    with stand_in(members or clusters({REGION: ["a", "b"]}, size=2), **({"light": True, "pace": 0.02} | given)) as lab:
        for name, value in lab.api.environment(REGION).items():
            monkeypatch.setenv(name, value)
        region = members[0].region if members else REGION
        (folder / "old.pem").write_bytes(lab.root(region, OLD))
        (folder / "next.pem").write_bytes(lab.root(region, NEXT))
        (folder / "orders.pem").write_bytes(lab.root(region, OLD))
        try:
            yield Aurora(lab, folder, clients)
        finally:
            for client in clients:  # their sockets would be missed by the next test
                client.close()
        assert lab.world.mishaps == []
