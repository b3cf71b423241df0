"""
The inventory of a rotation, written from what AWS tells of one region: every region has roots of its own, so each is a rotation.

The canary is one cluster alone; then one, two, four … clusters make a wave. Within a wave servers go one at a time, and within a
cluster the readers before the writer. Clients are not in it: AWS does not know them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .. import authorities
from ..pki.certificate import Certificate
from .aws import Instance, Region

STAGING = ("staging", "stage", "test", "dev", "development", "qa", "sandbox")
ENVIRONMENT = ("env", "environment", "stage", "tier")


@dataclass(frozen=True)
class Written:
    """``text`` is the inventory, ``roots`` its two root files by name; ``left_out`` says which instances are not in it, and why.

    ``label`` tells it from the others: its region, with the account where several are looked at.
    """

    region: str
    label: str
    text: str
    roots: Mapping[str, bytes]
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Wish:
    """``to`` and ``old`` are CA ids, ``old`` empty for "what most have"; ``options`` go to every provider as they are."""

    to: str
    old: str = ""
    name: str = "rds"
    soak: str = "24h"
    canary: str = ""
    address: str = ""
    known: tuple[Certificate, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)


def labels(regions: Sequence[Region]) -> list[str]:
    """A word for each region of each account, no two alike: the account is in it only where it is needed."""
    names = [r.name for r in regions]
    found: list[str] = []
    for region in regions:
        word = region.name if names.count(region.name) == 1 else f"{region.name}-{_account(region)}"
        while word in found:
            word += "-again"
        found.append(word)
    return found


def _account(region: Region) -> str:
    """The account's number, of its role or else of its instances."""
    role = region.login.role.split(":")
    return (
        (role[4] if len(role) > 5 else "")
        or next((i.account for i in region.instances if i.account), "")
        or region.login.profile
        or "own"
    )


def write(region: Region, wish: Wish, label: str = "") -> Written | None:
    """The inventory of *region*; None when it has nothing to rotate or one of the two roots is not known."""
    label = label or region.name
    old = wish.old or from_ca(region, wish.to)
    roots = {id: root_of(region, id, wish.known) for id in (old, wish.to)}
    if not old or any(root is None for root in roots.values()):
        return None
    chosen = [i for i in region.instances if i.ca in (old, wish.to)]
    left_out = tuple((i.id, f"has `{i.ca}`, neither `{old}` nor `{wish.to}`") for i in region.instances if i not in chosen)
    groups = waves(chosen, wish.canary)
    head = (
        f"# RDS and Aurora in {region.name}, from `{old}` to `{wish.to}`. Written from what AWS tells; add your clients below.\n"
        f"[rotation]\nname = {_quoted(f'{wish.name}-{label}')}\n"
        f'old_root = "roots/{region.name}-{old}.pem"\nnext_root = "roots/{region.name}-{wish.to}.pem"\n'
        f"soak = {_quoted(wish.soak)}\nledger = {_quoted(f'{wish.name}-{label}.sqlite')}\n"
    )
    servers = "".join(_server(one, number, old, wish, region) for number, group in enumerate(groups) for one in group)
    files = {f"{region.name}-{id}.pem": _pem(root) for id, root in roots.items() if root is not None}
    return Written(region.name, label, head + servers, files, left_out)


def from_ca(region: Region, to: str) -> str:
    """The CA id that most instances have and that is not *to*; ``""`` when all have it."""
    counted = Counter(i.ca for i in region.instances if i.ca != to)
    return counted.most_common(1)[0][0] if counted else ""


def root_of(region: Region, id: str, known: Iterable[Certificate]) -> Certificate | None:
    """The root behind a CA id of *region*, found by its thumbprint among *known* and the roots that reroot carries."""
    authority = region.authority(id)
    if authority is None:
        return None
    carried = (root.certificate for root in authorities.families()["aws"].roots)
    for root in (*known, *carried):
        if hashlib.sha1(root.der, usedforsecurity=False).hexdigest() == authority.thumbprint:
            return root
    return None


def waves(instances: Iterable[Instance], canary: str = "") -> list[list[Instance]]:
    """The canary's cluster, then staging, then the smaller ones first, in waves that double; readers before their writer."""
    groups: dict[str, list[Instance]] = {}
    for one in instances:
        groups.setdefault(one.cluster or one.source or one.id, []).append(one)
    for members in groups.values():
        members.sort(key=lambda i: (i.is_writer and not i.source, i.id))
    ordered = sorted(groups.items(), key=lambda g: (g[0] != canary, not any(map(is_staging, g[1])), len(g[1]), g[0]))
    return [[one for _, members in ordered[begin:end] for one in members] for begin, end in _doubling(len(ordered))]


def _doubling(count: int) -> Iterator[tuple[int, int]]:
    """0–1, 1–2, 2–4, 4–8 … up to *count*: each wave is as large as all before it together."""
    begin = 0
    while begin < count:
        end = min(max(1, 2 * begin), count)
        yield begin, end
        begin = end


def is_staging(one: Instance) -> bool:
    return any(one.tags.get(key, "").lower() in STAGING for key in one.tags if key.lower() in ENVIRONMENT)


def _server(one: Instance, wave: int, old: str, wish: Wish, region: Region) -> str:
    options: dict[str, object] = {"kind": "rds", "instance": one.id, "region": one.region, "ca": wish.to, "old_ca": old}
    if one.multi_az:
        options["cluster"] = one.cluster
    for name in ("profile", "role", "endpoint_url"):
        if getattr(region.login, name):
            options[name] = getattr(region.login, name)
    provider = ", ".join(f"{key} = {_quoted(value)}" for key, value in (options | dict(wish.options)).items())
    lines = [f"\n[[server]]\nname = {_quoted(one.id)}\nhost = {_quoted(one.host)}\n"]
    if wish.address:
        lines.append(f"address = {_quoted(wish.address)}\n")
    lines.append(f"port = {one.port}\nwave = {wave}\n")
    accepts = {"1": "hostssl", "0": "host"}.get(one.force_ssl)
    if accepts:
        lines.append(f'accepts = "{accepts}"\n')
    if one.cluster or one.source:
        lines.append(f"cluster = {_quoted(one.cluster or one.source)}\n")
    return "".join([*lines, f"provider = {{ {provider} }}\n"])


def _quoted(value: object) -> str:
    """TOML's basic strings, numbers and booleans are JSON's."""
    return json.dumps(value)


def _pem(root: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return root.parsed.public_bytes(Encoding.PEM)
