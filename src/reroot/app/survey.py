"""One look at a declared fleet: what each server serves, what each trust store holds, what becomes of each client."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from .. import providers, truststores
from ..collect.inventory import DeclaredClient, DeclaredServer, Inventory
from ..collect.machine import machine
from ..collect.probe import Answer as Probe
from ..collect.probe import Probed, Target, probe
from ..errors import RerootError, TrustStoreError
from ..model import Accepts, Evidence, File, Files, FileState, Foreseen, Judgement, Outcome, Reason, Reread, Server, Verdict
from ..pki import Certificate
from ..pki.foreseen import beneath, leads_to, likeness
from ..plan import Plan, PlannedClient, PlannedServer, PlannedStore, as_read, waves
from ..rehearsal import Act, outranks, shown
from ..verdict import Answer, answer, judge

Chain = tuple[Certificate, ...]
Likenesses = Mapping[Certificate, Certificate]
Probing = Callable[[Iterable[Target]], Iterable[Probed]]


@dataclass(frozen=True)
class Served:
    """What a server shows: ``chain`` is None where it could not be seen or where its addresses disagree; ``why`` says so."""

    chain: Chain | None
    why: str = ""
    answered: bool = False


@dataclass(frozen=True)
class Sight:
    """A look at the fleet: the plan it makes, the verdicts once every trust store has the next root, and what was not read."""

    plan: Plan
    after_trust: tuple[Judgement, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def site_of(inventory: Inventory, server: DeclaredServer) -> providers.Site:
    options = {k: v for k, v in server.provider.items() if k != "kind"}
    return providers.Site(
        server.name,
        server.host,
        server.port,
        inventory.old_root,
        inventory.next_root,
        options,
        inventory.base,
        server.address,
    )


def shown_as(server: DeclaredServer) -> str:
    """The word of its provider."""
    return str(server.provider.get("kind", "postgres"))


def provider_of(server: DeclaredServer) -> providers.Provider:
    return providers.find(shown_as(server))


def served(servers: Iterable[DeclaredServer], probing: Probing = probe) -> Mapping[str, Served]:
    """A handshake with each server, all at once."""
    targets = {Target(s.host, s.port, s.address): s.name for s in servers}
    found: dict[str, list[Probed]] = {name: [] for name in targets.values()}
    for one in probing(targets):
        found[targets[one.target]].append(one)
    return {name: _agreed(answers) for name, answers in found.items()}


def _agreed(answers: list[Probed]) -> Served:
    silent = [a for a in answers if not a.has_answered]
    if silent or not answers:
        return Served(None, silent[0].why if silent else "no address answered")
    chains = {a.chain for a in answers}
    if len(chains) > 1:
        return Served(None, f"its {len(answers)} addresses serve different chains", True)
    if answers[0].answer is Probe.NO_TLS:
        return Served(None, "it has no TLS", True)
    return Served(tuple(map(Certificate, answers[0].chain)), "", True)


def look(
    inventory: Inventory,
    now: datetime,
    *,
    restarts: Mapping[str, datetime] | None = None,
    probing: Probing = probe,
    rehearsed: Sequence[Evidence] = (),
) -> Sight:
    """The fleet as it is *now*. *restarts* says when clients were last seen to start, beside what the inventory says; *rehearsed* are
    the rehearsals that were kept: for the trust stores as they are, they outrank what the rules foresee."""
    unread: list[tuple[str, str]] = []
    notes: list[str] = []
    files = machine()
    seen = served(inventory.servers, probing)
    following: dict[str, Chain | None] = {}
    likenesses: dict[str, Likenesses] = {}
    hosts = {s.host for s in inventory.servers}
    strangers: dict[str, PlannedServer] = {}
    shown: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for server in inventory.servers:
        if seen[server.name].chain is None:
            unread.append((server.name, seen[server.name].why))
        following[server.name] = None
        shown[server.name] = (fingerprints(seen[server.name].chain), ())
        try:
            found = provider_of(server).discover(site_of(inventory, server))
            expected = expect(found.next, found.issued_by, seen[server.name].chain, now)
            following[server.name], likenesses[server.name] = expected
            shown[server.name] = (
                identity(found, inventory, seen[server.name].chain),
                fingerprints(found.next) if found.issued_by is None else (found.issued_by.fingerprint,),
            )
            notes += [f"{server.name}: {note}" for note in found.notes]
            for peer in found.peers:
                if peer[1] not in hosts:
                    strangers[peer[0]] = PlannedServer(
                        peer[0], f"{peer[1]}:{peer[2]}", shown_as(server), server.wave, server.cluster, (), shown[server.name][1]
                    )
        except RerootError as error:
            unread.append((server.name, error.message))
    planned = tuple(
        PlannedServer(
            s.name,
            f"{s.host}:{s.port}",
            shown_as(s),
            s.wave,
            s.cluster,
            *shown[s.name],
        )
        for s in inventory.servers
    )
    unread += [(name, f"it fails over within `{s.cluster or name}`, and is not in the inventory") for name, s in strangers.items()]
    stores = tuple(_store(inventory, path, files) for path in dict.fromkeys(p for c in inventory.clients for p in c.trust_stores))
    unread += [(s.path, s.unreadable) for s in stores if s.unreadable]
    chains = {name: s.chain for name, s in seen.items()}
    asked = {
        (c.name, name): answer_of(inventory, c, name, files, chains[name], now) for c in inventory.clients for name in c.reaches
    }
    starts = {c.name: t for c in inventory.clients if (t := _last(c.started, (restarts or {}).get(c.name)))}
    judged = judgements(inventory, now, files, chains, following, starts, likenesses=likenesses, rehearsed=rehearsed)
    add = truststores.Change(add=(inventory.next_root,))
    remove = truststores.Change(remove=frozenset({inventory.old_root.fingerprint}))
    trusting = judgements(inventory, now, _with(inventory, files, add), chains, following, starts, before=files, likenesses=likenesses)
    retired = judgements(inventory, now, _with(inventory, files, remove), chains, following, starts, before=files, likenesses=likenesses)
    plan = Plan(
        rotation=inventory.name,
        made_at=now,
        old=inventory.old_root.fingerprint,
        next=inventory.next_root.fingerprint,
        old_ends=inventory.old_root.not_after,
        next_ends=inventory.next_root.not_after,
        servers=(*planned, *strangers.values()),
        clients=tuple(
            PlannedClient(c.name, c.driver, c.reaches, c.trust_stores, c.owner, _digest(c, [asked[c.name, n] for n in c.reaches]))
            for c in inventory.clients
        ),
        stores=stores,
        waves=waves(planned),
        judgements=judged,
        retirement=retired,
        waivers=inventory.waivers,
        soak=inventory.soak.total_seconds(),
    )
    return Sight(plan, trusting, tuple(unread), tuple(notes))


def going_back(inventory: Inventory, now: datetime, names: Iterable[str], probing: Probing = probe) -> tuple[Judgement, ...]:
    """What taking the servers *names* back to their previous pairs does to the clients; whom it cures is left out."""
    names = set(names)
    servers = [s for s in inventory.servers if s.name in names]
    chains = {name: s.chain for name, s in served(servers, probing).items()}
    before: dict[str, Chain | None] = {}
    likenesses: dict[str, Likenesses] = {}
    for server in servers:
        try:
            found = provider_of(server).discover(site_of(inventory, server))
        except RerootError:
            before[server.name] = None
        else:
            before[server.name], likenesses[server.name] = expect(found.previous, found.was_issued_by, chains[server.name], now)
    judged = judgements(inventory, now, machine(), chains, before, {}, likenesses=likenesses)
    return tuple(j for j in judged if not _is_cured(j))


def _is_cured(judged: Judgement) -> bool:
    """Refused or without TLS today, verified afterwards: who waits to be taken back for this must not be kept waiting."""
    return judged.now.outcome in (Outcome.REFUSED, Outcome.PLAINTEXT) and judged.then.outcome is Outcome.VERIFIED


def expect(known: Chain, issuer: Certificate | None, shown: Chain | None, now: datetime) -> tuple[Chain | None, Likenesses]:
    """The chain that is to come: *known*, or what *shown* becomes beneath *issuer*, with the likeness to be trusted for it."""
    if issuer is None:
        return known or None, {}
    if shown is None or not all(c.is_readable for c in shown):
        return None, {}
    if leads_to(shown, issuer):
        return shown, {}
    return beneath(shown, issuer, now.replace(hour=0, minute=0, second=0, microsecond=0)), {issuer: likeness(issuer).certificate}


def identity(found: providers.Found, inventory: Inventory, chain: Chain | None) -> tuple[str, ...]:
    """What a server shows, by fingerprints: its chain; the root first where the provider renews leaves as it likes."""
    if found.issued_by is None or not chain:
        return fingerprints(chain)
    root = next((r for r in (inventory.old_root, inventory.next_root) if leads_to(chain, r)), None)
    return ((root.fingerprint,) if root is not None else ()) + fingerprints(chain)


def judgements(
    inventory: Inventory,
    now: datetime,
    files: Files,
    chains: Mapping[str, Chain | None],
    then: Mapping[str, Chain | None],
    starts: Mapping[str, datetime],
    *,
    before: Files | None = None,
    likenesses: Mapping[str, Likenesses] = MappingProxyType({}),
    rehearsed: Sequence[Evidence] = (),
) -> tuple[Judgement, ...]:
    """Every client with every server it reaches: now with *chains*, then with *then*. *before* holds today's files.

    *likenesses* belong to the chains of *then*, by server. *rehearsed* counts for *files* as they are.
    """
    found = []
    places = {s.name: f"{s.host}:{s.port}" for s in inventory.servers}
    for client in inventory.clients:
        since = _last(*(_written(inventory, path) for path in (*client.trust_stores, client.env_file) if path)) if rehearsed else None
        for name in client.reaches:
            if name not in then:
                continue
            today = answer_of(inventory, client, name, before or files, chains[name], now)
            later = answer_of(inventory, client, name, files, then[name], now, likenesses.get(name, {}))
            if rehearsed:
                words = (rehearsed, client.name, places[name], now, since)
                today, later = _outranked(today, Act.CURRENT, chains[name], *words), _outranked(later, Act.NEXT, then[name], *words)
            found.append(_judgement(inventory, client, name, today, later, starts.get(client.name)))
    return tuple(found)


def answer_of(
    inventory: Inventory,
    client: DeclaredClient,
    name: str,
    files: Files,
    chain: Chain | None,
    now: datetime,
    instead: Likenesses = MappingProxyType({}),
) -> Answer:
    server = next(s for s in inventory.servers if s.name == name)
    known = None if server.accepts is None else Server(accepts=Accepts(server.accepts))
    return answer(inventory.given(client, server, files), known, chain, now, instead=instead)


def _outranked(
    foreseen: Answer, act: Act, chain: Chain | None, kept: Sequence[Evidence], client: str, place: str, now: datetime, since: datetime | None
) -> Answer:
    """What the rules foresee, or what a rehearsal of this very chain has shown in its place."""
    if not chain:
        return foreseen
    seen = shown(kept, client, place, act, [c.der for c in chain], now, since)
    return replace(foreseen, foreseen=outranks(foreseen.foreseen, seen))


def _judgement(
    inventory: Inventory, client: DeclaredClient, name: str, today: Answer, later: Answer, started: datetime | None
) -> Judgement:
    verdict = judge(today.foreseen, later.foreseen)
    said: Foreseen = later.foreseen if verdict is not Verdict.UNKNOWN or later.foreseen.reasons else today.foreseen
    reasons = said.reasons or today.foreseen.reasons or (Reason("no-reason", "nothing more is known"),)
    found = Judgement(client.name, name, verdict, today.foreseen, later.foreseen, reasons)
    policy = later.policy
    if policy is None and any(r.code == "rehearsed" for r in later.foreseen.reasons):
        # When a driver that no rule knows reads its roots again is not known either: it must have been started since.
        return as_read(found, Reread.AT_START, _last(*(_written(inventory, p) for p in client.trust_stores)), started)
    if policy is None or not policy.chain:
        return found
    return as_read(found, policy.reread, _changed_at(inventory, policy.roots.path, policy.reread), started)


def _changed_at(inventory: Inventory, path: str, reread: Reread) -> datetime | None:
    """When the trust store a client reads was last changed; None where it reads none or always reads it afresh."""
    if not path or reread is Reread.EACH_CONNECTION:
        return None
    return _written(inventory, path)


def _written(inventory: Inventory, path: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(os.stat(inventory.base / path).st_mtime, UTC)
    except OSError:
        return None


def _last(*times: datetime | None) -> datetime | None:
    known = [t if t.tzinfo else t.replace(tzinfo=UTC) for t in times if t is not None]
    return max(known, default=None)


def fingerprints(chain: Chain | None) -> tuple[str, ...]:
    return tuple(c.fingerprint for c in chain or ())


def _store(inventory: Inventory, path: str, files: Files) -> PlannedStore:
    file = files(str(inventory.base / path))
    if file.state is not FileState.FOUND:
        return PlannedStore(path, unreadable=file.why or file.state.value)
    try:
        return PlannedStore(path, tuple(c.fingerprint for c in truststores.read(file.content or b"").certificates))
    except TrustStoreError as error:
        return PlannedStore(path, unreadable=error.message)


def _with(inventory: Inventory, files: Files, change: truststores.Change) -> Files:
    """The same machine, with *change* made to every trust store that the rotation would change."""
    changed: dict[str, File] = {}
    ours = {os.path.normpath(inventory.base / p) for c in inventory.clients for p in c.trust_stores}

    def look_at(path: str) -> File:
        if path not in changed:
            changed[path] = look_again(path)
        return changed[path]

    def look_again(path: str) -> File:
        file = files(path)
        if os.path.normpath(path) not in ours or file.content is None:
            return file
        try:
            write = truststores.find(truststores.detect(file.content)).write
            content = file.content if write is None else write(file.content, change, None)
        except TrustStoreError:
            return file
        return File(path, FileState.FOUND, content)

    return look_at


def _digest(client: DeclaredClient, answers: list[Answer]) -> str:
    """SHA-256 of what the client is given, secrets left out."""
    settings = [{k: v.text for k, v in a.settings.values.items()} if a.settings else None for a in answers]
    named = [client.driver, client.version, dict(client.runtime), settings]
    return hashlib.sha256(msgspec.json.encode(named, order="sorted")).hexdigest()
