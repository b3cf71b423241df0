"""The acts and probes that a rotation's steps are performed with, on a declared fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .. import truststores
from ..collect.inventory import DeclaredServer, Inventory
from ..collect.machine import look as look_at
from ..collect.trustfiles import add_root, remove_root
from ..errors import ProviderError, RerootError, TrustStoreError
from ..model import Evidence, FileState
from ..pki.certificate import Certificate
from ..pki.foreseen import leads_to
from ..pki.names import go as is_named
from ..plan import Plan
from ..reports.text import counted
from ..rotation import Act, Answer, Sees, Step
from . import survey

PATIENCE = 10.0
"""Seconds in which a server must show, twice in a row, what it is to serve: a reload takes effect when the server gets to it."""
PAUSE = 0.05

StoreChange = Callable[[Path, truststores.Change], None]
Watch = Callable[[str], tuple[Answer, str]]


def nobody_watches(server: str) -> tuple[Answer, str]:
    return Answer.OK, "no client was watched"


@dataclass(frozen=True)
class Fleet:
    """``look()`` sees the fleet afresh, ``act(step)`` changes it and returns notes, ``sees(step)`` answers a probe.

    ``act`` raises ``RerootError`` for "failed"; any other end of it is "unsure".
    """

    look: Callable[[], Plan]
    act: Callable[[Step], tuple[str, ...]]
    sees: Callable[[Step], tuple[Answer, str]]
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def change_file(path: Path, change: truststores.Change) -> None:
    """Write the trust store at *path*; ``TrustStoreError`` where somebody else keeps it, with what to do instead."""
    done = add_root(path, change.add, execute=True) if change.add else remove_root(path, change.remove, execute=True, retire=True)
    if done.managed and not done.unchanged:
        raise TrustStoreError(f"is kept by {done.managed}: {done.instead}", where=str(path))


def fleet_of(
    inventory: Inventory,
    *,
    change_store: StoreChange = change_file,
    watch: Watch = nobody_watches,
    restarts: Mapping[str, datetime] | None = None,
    rehearsed: Sequence[Evidence] = (),
    patience: float = PATIENCE,
) -> Fleet:
    """The real one. *watch* says what became of a server's clients after its cut-over; *rehearsed* are the rehearsals kept."""
    servers = {s.name: s for s in inventory.servers}

    changed_at: dict[str, datetime] = {}

    def clock() -> datetime:
        return datetime.now(UTC)

    begun = clock()

    def look() -> Plan:
        return survey.look(inventory, clock(), restarts=restarts, rehearsed=rehearsed).plan

    def act(step: Step) -> tuple[str, ...]:
        if step.act in (Act.ADD_TRUST, Act.REMOVE_TRUST):
            return _change_trust(inventory, step, change_store)
        server = servers[step.subject]
        changed_at[step.subject] = clock()
        provider, site = survey.provider_of(server), survey.site_of(inventory, server)
        match step.act:
            case Act.STAGE:
                return provider.stage(site, clock())
            case Act.CUT_OVER:
                return provider.cut_over(site)
            case Act.ROLL_BACK:
                return provider.roll_back(site)
        raise ProviderError(f"`{step.act.value}` is nothing a server can do", where=step.subject)

    def _clients(name: str) -> tuple[Answer, str]:
        """By who watches, and by the server's own log where the provider can read it."""
        answer, note = watch(name)
        refused = survey.provider_of(servers[name]).refused
        if answer is not Answer.OK or refused is None:
            return answer, note
        try:
            found = refused(survey.site_of(inventory, servers[name]), changed_at.get(name, begun))
        except RerootError as error:
            return Answer.UNSURE, f"its log cannot be read: {error.message}"
        return (Answer.FAILED, "; ".join(found)) if found else (Answer.OK, f"{note}; its log names nobody who refused it")

    def sees(step: Step) -> tuple[Answer, str]:
        match step.sees:
            case Sees.CLIENTS:
                return _clients(step.subject)
            case Sees.BOTH | Sees.NEXT_ONLY:
                return _store_holds(inventory, step)
        return _serves(inventory, servers[step.subject], step, patience)

    return Fleet(look, act, sees, clock)


def _change_trust(inventory: Inventory, step: Step, change_store: StoreChange) -> tuple[str, ...]:
    add = truststores.Change(add=(inventory.next_root,))
    remove = truststores.Change(remove=frozenset({inventory.old_root.fingerprint}))
    change_store(inventory.base / step.subject, add if step.act is Act.ADD_TRUST else remove)
    return ()


def _store_holds(inventory: Inventory, step: Step) -> tuple[Answer, str]:
    file = look_at(str(inventory.base / step.subject))
    if file.state is not FileState.FOUND:
        return Answer.UNSURE, file.why or file.state.value
    try:
        held = {c.fingerprint for c in truststores.read(file.content or b"").certificates}
    except RerootError as error:
        return Answer.UNSURE, error.message
    holds_next, holds_old = inventory.next_root.fingerprint in held, inventory.old_root.fingerprint in held
    good = holds_next if step.sees is Sees.BOTH else holds_next and not holds_old
    return (Answer.OK if good else Answer.FAILED), counted(len(held), "root")


def _unnamed(leaf: Certificate, host: str) -> str:
    """What is wrong with a leaf that somebody else made: the right root says nothing of its names (golang/go #39568)."""
    return "" if is_named(leaf, host) else f"its new certificate does not name `{host}` among its subject alternative names"


def _serves(inventory: Inventory, server: DeclaredServer, step: Step, patience: float) -> tuple[Answer, str]:
    """Two handshakes in a row that show what is wanted, within *patience*; staging must not have changed anything at all."""
    site, provider = survey.site_of(inventory, server), survey.provider_of(server)
    following: tuple[str, ...] = ()
    if not provider.issues:
        try:
            following = survey.fingerprints(provider.discover(site).next)[:1]
        except RerootError as error:
            return Answer.UNSURE, error.message

    def is_wanted(chain: survey.Chain | None) -> bool:
        if not chain:
            return False
        if provider.issues:
            return leads_to(chain, site.next_root if step.sees is Sees.NEXT else site.old_root)
        return (survey.fingerprints(chain)[:1] == following) is (step.sees is Sees.NEXT)

    until, agreed, last = time.monotonic() + patience, 0, survey.Served(None, "it was not probed")
    while True:
        last = survey.served([server])[server.name]
        good = is_wanted(last.chain)
        agreed = agreed + 1 if good else 0
        if agreed == 2 and last.chain:
            lost = _unnamed(last.chain[0], site.host) if provider.issues and step.sees is Sees.NEXT else ""
            return (Answer.FAILED, lost) if lost else (Answer.OK, f"serves {last.chain[0].fingerprint[:16]}")
        if not good and time.monotonic() > until:
            break
        if not good:
            time.sleep(PAUSE)
    if last.chain is not None or last.answered:
        return Answer.FAILED, last.why or f"serves {survey.fingerprints(last.chain)[0][:16]}"
    return Answer.UNSURE, last.why
