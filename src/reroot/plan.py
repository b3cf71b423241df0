"""
The order of a rotation: phases, the gates between them, waves, and the one invariant that all of it serves.

A plan is a value. It is made from one look at the fleet, saved with its SHA-256, and refused when a later look at the
fleet no longer agrees with it. Gates are always asked about a fresh look, never about the saved one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType

import msgspec

from .errors import InputError
from .model import Foreseen, Judgement, Outcome, Reason, Reread, Verdict

INVARIANT = "At every moment every client trusts a root to which every server it may reach chains."


def breaches(
    trusts: Mapping[str, AbstractSet[str]], presents: Mapping[str, str], reaches: Mapping[str, Iterable[str]]
) -> tuple[tuple[str, str], ...]:
    """Where ``INVARIANT`` does not hold: pairs of client and server.

    *trusts* maps a client to the roots it has read, *presents* a server to the root its chain leads to.
    """
    return tuple(
        (client, server) for client, servers in reaches.items() for server in servers if presents[server] not in trusts[client]
    )


class Phase(Enum):
    """The stages of a rotation, in order."""

    SURVEY = "survey"
    TRUST = "trust"
    PROVE = "prove"
    CANARY = "canary"
    WAVES = "waves"
    SOAK = "soak"
    RETIRE = "retire"


ORDER: tuple[Phase, ...] = tuple(Phase)

PURPOSE: Mapping[Phase, str] = MappingProxyType(
    {
        Phase.SURVEY: "find every client and server, and what each would get",
        Phase.TRUST: "add the next root to every trust store, beside the old one",
        Phase.PROVE: "judge every client again, with what it now trusts",
        Phase.CANARY: "cut the first wave over and watch it",
        Phase.WAVES: "cut the other servers over, one at a time",
        Phase.SOAK: "wait for the clients that seldom connect",
        Phase.RETIRE: "take the old root away from every trust store",
    }
)

PASSES = frozenset({Verdict.READY, Verdict.NOT_VERIFYING, Verdict.PLAINTEXT})
"""Verdicts that open a gate. The last two are findings: the rotation changes nothing for such a client."""

DEFAULT_SOAK = timedelta(hours=24)


# ── the plan ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PlannedServer:
    """A server: ``serves`` and ``next`` are SHA-256 fingerprints of chains, leaf first; empty where none could be seen."""

    name: str
    endpoint: str
    provider: str
    wave: int
    cluster: str = ""
    serves: tuple[str, ...] = ()
    next: tuple[str, ...] = ()

    @property
    def is_cut_over(self) -> bool:
        return bool(self.next) and self.serves[:1] == self.next[:1]


@dataclass(frozen=True, slots=True)
class PlannedClient:
    """A client: ``settings`` is the SHA-256 of its effective settings without secrets."""

    name: str
    driver: str
    reaches: tuple[str, ...]
    trust_stores: tuple[str, ...] = ()
    owner: str = ""
    settings: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStore:
    """A trust store and the fingerprints of its roots; ``unreadable`` says why they are not known."""

    path: str
    roots: tuple[str, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """One person takes the risk of one client on one server (``*`` is any), for a reason, until a day.

    It lets a gate pass and is shown wherever the verdict is shown; the verdict stays what it is.
    """

    client: str
    server: str
    by: str
    reason: str
    until: datetime

    def covers(self, client: str, server: str, at: datetime) -> bool:
        return self.client in ("*", client) and self.server in ("*", server) and at < self.until


@dataclass(frozen=True, slots=True)
class Plan:
    """A rotation, as it is going to happen; also what one look at the fleet found.

    ``old`` and ``next`` are fingerprints of roots. ``judgements`` say what the cut-over does to each client,
    ``retirement`` what taking the old root away will. ``waves`` hold names of servers, the canary's first.
    """

    rotation: str
    made_at: datetime
    old: str
    next: str
    old_ends: datetime
    next_ends: datetime
    servers: tuple[PlannedServer, ...]
    clients: tuple[PlannedClient, ...]
    stores: tuple[PlannedStore, ...]
    waves: tuple[tuple[str, ...], ...]
    judgements: tuple[Judgement, ...]
    retirement: tuple[Judgement, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    soak: float = DEFAULT_SOAK.total_seconds()

    def server(self, name: str) -> PlannedServer:
        return next(s for s in self.servers if s.name == name)

    def members(self, wave: int) -> tuple[str, ...]:
        """The servers of a wave and those that may take over from them."""
        names = self.waves[wave]
        clusters = {self.server(n).cluster for n in names} - {""}
        return tuple(s.name for s in self.servers if s.name in names or s.cluster in clusters)


def waves(servers: Iterable[PlannedServer]) -> tuple[tuple[str, ...], ...]:
    """Names of servers by wave, lowest number first, each in the order given.

    Members of one cluster go in one wave: between two waves a failover would change the root under its clients.
    Where no wave was declared apart, the first server (with its cluster) is the canary.
    """
    servers = tuple(servers)
    by_cluster: dict[str, set[int]] = {}
    for server in servers:
        if server.cluster:
            by_cluster.setdefault(server.cluster, set()).add(server.wave)
    for cluster, split in by_cluster.items():
        if len(split) > 1:
            raise InputError(
                f"the members of cluster `{cluster}` are in waves {', '.join(f'`{n}`' for n in sorted(split))}",
                hint="put them in one wave: a failover between two waves would change the root under its clients",
            )
    numbers = sorted({s.wave for s in servers})
    if len(numbers) == 1 and servers:
        first = servers[0]
        canary = tuple(s.name for s in servers if s is first or (s.cluster and s.cluster == first.cluster))
        rest = tuple(s.name for s in servers if s.name not in canary)
        return (canary, rest) if rest else (canary,)
    return tuple(tuple(s.name for s in servers if s.wave == n) for n in numbers)


def as_read(judgement: Judgement, reread: Reread, changed_at: datetime | None, started_at: datetime | None) -> Judgement:
    """*judgement* with regard to when the client read its roots: a trust store that was changed is not yet trusted.

    *changed_at* is the last change of its trust stores, *started_at* the start of its process; None is "not known".
    """
    if judgement.verdict is not Verdict.READY or reread is Reread.EACH_CONNECTION or changed_at is None:
        return judgement
    if started_at is not None and started_at > changed_at:
        return judgement
    missing = Reason(
        "restart-not-seen",
        f"it reads its trust store {reread.value}, and no start after {changed_at:%Y-%m-%d %H:%M:%S} UTC is known",
    )
    return Judgement(
        judgement.client,
        judgement.server,
        Verdict.UNKNOWN,
        judgement.now,
        Foreseen(Outcome.UNKNOWN, (missing, *judgement.then.reasons)),
        (missing, *judgement.reasons),
    )


# ── gates ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands before a gate; with a *waiver* it stands there still, but the gate lets pass."""

    subject: str
    reason: Reason
    judgement: Judgement | None = None
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a gate is asked about: the plan that was saved, the fleet as it is *now*, and since when all servers serve next."""

    plan: Plan
    fresh: Plan
    now: datetime
    wave: int = 0
    cut_over_since: datetime | None = None


Condition = Callable[[Look], tuple[Obstacle, ...]]


def nothing_changed(look: Look) -> tuple[Obstacle, ...]:
    """The fleet is the one that was planned for."""
    return tuple(Obstacle(look.plan.rotation, reason) for reason in changes(look.plan, look.fresh))


def next_root_is_valid(look: Look) -> tuple[Obstacle, ...]:
    if look.now < look.plan.next_ends:
        return ()
    return (Obstacle("next root", Reason("next-root-expired", f"the next root ended at {look.plan.next_ends:%Y-%m-%d}")),)


def there_is_a_way_back(look: Look) -> tuple[Obstacle, ...]:
    """Decided before the start: with an expired old root a rollback heals nobody who verifies."""
    if look.now < look.plan.old_ends:
        return ()
    text = f"the old root ended at {look.plan.old_ends:%Y-%m-%d}: there is no way back to it"
    return (_waivable(look, "*", "*", Obstacle("old root", Reason("one-way", text))),)


def next_pairs_are_known(look: Look) -> tuple[Obstacle, ...]:
    return tuple(
        Obstacle(s.name, Reason("no-next-chain", "the chain it is going to serve is not known"))
        for s in look.fresh.servers
        if s.name in look.plan.waves[look.wave] and not s.next
    )


def clients_pass(look: Look) -> tuple[Obstacle, ...]:
    """Nobody who reaches this wave, or may be failed over into it, breaks, loses TLS or is unknown."""
    names = look.plan.members(look.wave)
    found = [_judged(look, j) for j in look.fresh.judgements if j.server in names and j.verdict not in PASSES]
    judged = {j.server for j in look.fresh.judgements}
    for name in names:
        if name not in judged:
            reason = Reason("no-client-known", "no client is known to reach it, so nobody can say whom the cut-over hits")
            found.append(_waivable(look, "*", name, Obstacle(name, reason)))
    return tuple(found)


def earlier_waves_serve_next(look: Look) -> tuple[Obstacle, ...]:
    done = {name for wave in look.plan.waves[: look.wave] for name in wave}
    return _not_serving_next(look, done)


def all_serve_next(look: Look) -> tuple[Obstacle, ...]:
    return _not_serving_next(look, {s.name for s in look.plan.servers})


def soak_is_over(look: Look) -> tuple[Obstacle, ...]:
    since = look.cut_over_since
    ends = None if since is None else since + timedelta(seconds=look.plan.soak)
    if ends is not None and ends <= look.now:
        return ()
    text = "the servers were not all cut over yet" if ends is None else f"the soak ends at {ends:%Y-%m-%d %H:%M:%S} UTC"
    return (Obstacle(look.plan.rotation, Reason("soaking", text)),)


def clients_live_without_the_old_root(look: Look) -> tuple[Obstacle, ...]:
    return tuple(_judged(look, j) for j in look.fresh.retirement if j.verdict not in PASSES)


GATES: Mapping[Phase, tuple[Condition, ...]] = MappingProxyType(
    {
        Phase.TRUST: (nothing_changed, next_root_is_valid),
        Phase.PROVE: (nothing_changed,),
        Phase.CANARY: (nothing_changed, next_root_is_valid, there_is_a_way_back, next_pairs_are_known, clients_pass),
        Phase.WAVES: (
            nothing_changed,
            next_root_is_valid,
            there_is_a_way_back,
            earlier_waves_serve_next,
            next_pairs_are_known,
            clients_pass,
        ),
        Phase.SOAK: (nothing_changed, all_serve_next),
        Phase.RETIRE: (nothing_changed, all_serve_next, soak_is_over, clients_live_without_the_old_root),
    }
)
"""What must hold before a phase begins. WAVES is asked again before each wave."""


def obstacles(before: Phase, look: Look) -> tuple[Obstacle, ...]:
    """Everything that stands before the gate, waived or not."""
    return tuple(o for condition in GATES.get(before, ()) for o in condition(look))


def is_open(found: Iterable[Obstacle]) -> bool:
    return all(o.waiver is not None for o in found)


def gate_of(wave: int) -> Phase:
    return Phase.CANARY if wave == 0 else Phase.WAVES


def _judged(look: Look, judgement: Judgement) -> Obstacle:
    reason = judgement.reasons[0] if judgement.reasons else Reason(judgement.verdict.value, judgement.verdict.value)
    found = Obstacle(f"{judgement.client} → {judgement.server}", reason, judgement)
    return _waivable(look, judgement.client, judgement.server, found)


def _waivable(look: Look, client: str, server: str, found: Obstacle) -> Obstacle:
    waiver = next((w for w in look.plan.waivers if w.covers(client, server, look.now)), None)
    return Obstacle(found.subject, found.reason, found.judgement, waiver)


def _not_serving_next(look: Look, names: AbstractSet[str]) -> tuple[Obstacle, ...]:
    return tuple(
        Obstacle(s.name, Reason("not-cut-over", "it does not serve the next chain" if s.serves else "it could not be probed"))
        for s in look.fresh.servers
        if s.name in names and not s.is_cut_over
    )


# ── the saved plan ───────────────────────────────────────────────────────────────────────────────


def digest(plan: Plan) -> str:
    """SHA-256 of the plan's canonical JSON, lower-case hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(plan, order="sorted")).hexdigest()


def to_data(plan: Plan) -> Mapping[str, object]:
    """``{"sha256": …, "plan": {…}}``, plain JSON values."""
    return {"sha256": digest(plan), "plan": msgspec.to_builtins(plan, order="sorted")}


def load(text: str | bytes, *, where: str = "") -> Plan:
    """The plan of a saved document; refused when it was changed after it was saved."""
    try:
        document = msgspec.json.decode(text)
        plan = msgspec.convert(document["plan"], Plan)
        said = document["sha256"]
    except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"this is no plan: {error}", where=where, hint="make one with `reroot plan`") from None
    if digest(plan) != said:
        raise InputError("the plan was changed after it was saved", where=where, hint="make a new one with `reroot plan`")
    return plan


def changes(saved: Plan, fresh: Plan) -> tuple[Reason, ...]:
    """How the fleet differs from the plan, other than by the rotation's own progress."""
    found: list[Reason] = []

    def changed(code: str, text: str) -> None:
        found.append(Reason(code, text))

    for word, before, after in (("old", saved.old, fresh.old), ("next", saved.next, fresh.next)):
        if before != after:
            changed("root-changed", f"the {word} root was `{before[:16]}`, is `{after[:16]}`")
    servers = {s.name: s for s in fresh.servers}
    clients = {c.name: c for c in fresh.clients}
    stores = {s.path: s for s in fresh.stores}
    for kind, before_names, after_names in (
        ("server", {s.name for s in saved.servers}, set(servers)),
        ("client", {c.name for c in saved.clients}, set(clients)),
    ):
        for name in sorted(before_names ^ after_names):
            changed(f"{kind}-changed", f"{kind} `{name}` was {'removed' if name in before_names else 'added'}")
    for server in saved.servers:
        if (now := servers.get(server.name)) is None:
            continue
        for word in ("endpoint", "provider", "wave", "cluster"):
            if getattr(server, word) != getattr(now, word):
                changed("server-changed", f"{word} of `{server.name}` was `{getattr(server, word)}`, is `{getattr(now, word)}`")
        if server.next and now.next != server.next:
            changed("next-pair-changed", f"`{server.name}` is to serve another chain than planned")
        if server.serves and now.serves and now.serves[0] not in (server.serves[0], *server.next[:1]):
            changed("serves-changed", f"`{server.name}` serves a certificate that is neither the planned old nor next one")
    for client in saved.clients:
        there = clients.get(client.name)
        if there is not None and (client.settings, client.reaches) != (there.settings, there.reaches):
            changed("client-changed", f"the settings of `{client.name}` changed")
    for store in saved.stores:
        found_store = stores.get(store.path)
        lost = set(store.roots) - {saved.old} - set(() if found_store is None else found_store.roots)
        if lost:
            changed("roots-lost", f"`{store.path}` lost {len(lost)} of its roots")
    return tuple(found)
