"""What each instance of a fleet really shows, beside what AWS's API says of it: a handshake with each address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..pki.certificate import Certificate
from ..pki.foreseen import leads_to
from ._awsdrift import Finding
from ._awsinventory import root_of
from .aws import Fleet, Instance
from .probe import Target, probe


@dataclass(frozen=True, slots=True)
class Shown:
    """``ca`` is the id whose root the chain leads to; empty where none is known for it. ``why`` says why nothing was seen."""

    ca: str = ""
    root: str = ""
    why: str = ""


Key = tuple[str, str, str]


def key(one: Instance) -> Key:
    return one.account, one.region, one.id


def shown(fleet: Fleet, known: Iterable[Certificate] = (), address: str = "", timeout: float = 5.0) -> Mapping[Key, Shown]:
    """By account, region and id. Several addresses must agree; *address* is dialled in place of every host's name."""
    known = tuple(known)
    roots = {(r.name, a.id): root_of(r, a.id, known) for r in fleet.regions for a in r.authorities}
    targets: dict[Target, list[Instance]] = {}
    found: dict[Key, Shown] = {}
    for one in fleet.instances:
        if one.host:
            targets.setdefault(Target(one.host, one.port, address), []).append(one)
        else:
            found[key(one)] = Shown(why="it has no endpoint yet")
    for answer in probe(targets, timeout=timeout):
        chain = tuple(map(Certificate, answer.chain))
        for one in targets[answer.target]:
            ids = [
                id for (region, id), root in roots.items() if region == one.region and root is not None and leads_to(chain, root)
            ]
            said = Shown(ids[0] if ids else "", chain[-1].issuer_title if chain else "", "" if chain else answer.why)
            before = found.setdefault(key(one), said)
            if before != said:
                found[key(one)] = Shown(why="its addresses do not agree")
    return found


def differences(fleet: Fleet, seen: Mapping[Key, Shown]) -> tuple[Finding, ...]:
    """Whose server shows another root than the API says, or an unknown one. Who could not be seen is no finding."""
    found = []
    for one in fleet.instances:
        said = seen.get(key(one))
        if said is None or said.why:
            continue
        if said.ca != one.ca:
            what = f"`{said.ca}`" if said.ca else f"a chain to `{said.root}`, which no CA of {one.region} is"
            text = f"the API says `{one.ca}`, a handshake shows {what}"
            found.append(
                Finding("served-apart", f"{one.region}: {one.id}", text, "believe the handshake; `reroot rollback` finds it, too")
            )
    return tuple(found)


def unseen(fleet: Fleet, seen: Mapping[Key, Shown]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{i.region}: {i.id}", seen[key(i)].why) for i in fleet.instances if key(i) in seen and seen[key(i)].why)
