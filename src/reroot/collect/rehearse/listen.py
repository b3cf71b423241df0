"""
A long-running stage for clients that are started elsewhere: each kind of client that comes from an address meets the acts in turn.

Clients are told apart by their address, how their TLS stack speaks and the name they ask for, so that a pool and a health check on
one machine are not mixed up. What one of them has shown is concluded anew whenever it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from ...model import Evidence, Strength
from ...rehearsal import Conclusion, Ending, Family, Reaction, conclude
from ._guest import Caller
from .stage import LOOPBACK, Limits, Met, Network, Stage

if TYPE_CHECKING:
    from ._scenes import Scene
    from .through import Passed

MAX_CLIENTS = 2_000
"""Distinct clients that are told apart; whoever comes after that is served and counted, not remembered."""
MAX_REACTIONS = 64
"""Reactions that are kept of one client."""


@dataclass(frozen=True, slots=True, order=True)
class Client:
    """Whoever comes from *address* with a TLS stack that speaks like *stack* and asks for *name*."""

    address: str
    stack: str = ""
    name: str = ""

    def __str__(self) -> str:
        words = [
            self.address,
            *(f"asking for {self.name}" for _ in [0] if self.name),
            *(f"[{self.stack}]" for _ in [0] if self.stack),
        ]
        return " ".join(words)


@dataclass
class _Record:
    came: int = 0
    reactions: list[Reaction] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    concluded: Conclusion | None = None
    passed: list[Passed] = field(default_factory=list)


class Watch:
    """What has come to the stage so far, client by client. The stage writes and a page may read: one lock is between them."""

    def __init__(self, scenes: Sequence[Scene], tell: Callable[[str], None] | None = None) -> None:
        self.scenes = tuple(scenes)
        self.tell = tell
        self.interrupted = False
        self.turned_away: Callable[[], int] = lambda: 0
        self.beyond = 0
        self._records: dict[Client, _Record] = {}
        self._latest: dict[str, tuple[Client, Scene]] = {}
        self._lock = Lock()

    def cast(self, caller: Caller) -> Scene:
        """The next act for this client. Who has not spoken TLS is taken for whom that address sent last."""
        with self._lock:
            return self._cast(caller)

    def _cast(self, caller: Caller) -> Scene:
        if caller.hello is None:
            known = self._latest.get(caller.address)
            return known[1] if known else self.scenes[0]
        client = Client(caller.address, caller.hello.fingerprint, caller.hello.name)
        record = self._record(client)
        scene = self.scenes[record.came % len(self.scenes)]
        record.came += 1
        if len(self._latest) < MAX_CLIENTS or caller.address in self._latest:
            self._latest[caller.address] = (client, scene)
        return scene

    def told(self, met: Met) -> None:
        if met.reaction.ending in (Ending.NOT_POSTGRESQL, Ending.CANCEL):
            return
        facts = met.reaction.facts
        client = Client(met.address, str(facts.get("tls_stack", "")), str(facts.get("server_name", "")))
        if not client.stack and met.address in self._latest:
            client = self._latest[met.address][0]
        with self._lock:
            record = self._record(client)
            record.first, record.last = record.first or met.at, met.at
            record.reactions.append(met.reaction)
            del record.reactions[:-MAX_REACTIONS]
            record.concluded = None
            if met.passed is not None:
                record.passed.append(met.passed)
                del record.passed[:-MAX_REACTIONS]
        if self.tell is not None:
            self.tell(f"{met.at:%H:%M:%S} {client}: {met.reaction.act.value}: {met.reaction.words}")

    def _record(self, client: Client) -> _Record:
        found = self._records.get(client)
        if found is None:
            found = _Record()
            if len(self._records) < MAX_CLIENTS:
                self._records[client] = found
            else:
                self.beyond += 1
        return found

    def conclusions(self) -> list[tuple[Client, Conclusion]]:
        with self._lock:
            known = sorted((c, r) for c, r in self._records.items() if r.reactions)
            for _, record in known:
                record.concluded = record.concluded or conclude(Family.UNKNOWN, record.reactions)
            return [(c, r.concluded) for c, r in known if r.concluded is not None]

    # ── what is shown ────────────────────────────────────────────────────────────────────────────

    def data(self) -> dict[str, object]:
        found = self.conclusions()
        return {
            "complete": not self.beyond and all(c.trust.value != "cannot-tell" for _, c in found),
            "turned_away": self.turned_away(),
            "not_remembered": self.beyond,
            "clients": [self._row(client, c) for client, c in found],
        }

    def _row(self, client: Client, c: Conclusion) -> dict[str, object]:
        with self._lock:
            kept = self._records[client]
            record = replace(kept, reactions=list(kept.reactions), passed=list(kept.passed))
        return {
            "address": client.address,
            "tls_stack": client.stack,
            "server_name": client.name,
            "connections": record.came,
            "first": record.first.isoformat() if record.first else None,
            "last": record.last.isoformat() if record.last else None,
            "trust": c.trust.value,
            "host_name": c.name.value,
            "falls_back_to_plaintext": c.falls_back,
            "reasons": [{"code": r.code, "text": r.text} for r in c.reasons],
            "hint": c.hint,
            "said": [r.words for r in dict.fromkeys(record.reactions)][:12],
            "through": list(dict.fromkeys("let in" if p.let_in else p.why or "not yet" for p in record.passed))[:12],
            "users": sorted({str(r.facts["user"]) for r in record.reactions if "user" in r.facts}),
        }

    def text(self) -> str:
        from ...reports.text import table

        found = self.conclusions()
        rows = [
            (c.trust.value, str(client), str(self._records[client].came), c.reasons[0].text if c.reasons else "")
            for client, c in found
        ]
        counts = f"{len(found)} client{'s' * (len(found) != 1)}, {self.turned_away()} turned away"
        follow = "next: see who is missing; an act is met once for each connection"
        return table(("", "client", "came", "why"), rows) + f"\n\n{counts}; {follow}"

    def acts(self, client: Client) -> list[dict[str, str]]:
        """Which acts that client has met, and whether their keys were proven."""
        with self._lock:
            met = dict.fromkeys((r.act.value, r.proof.value) for r in self._records[client].reactions)
        return [{"act": act, "proof": proof} for act, proof in met]

    def evidence(self) -> list[Evidence]:
        presented = {s.act.value: [der.hex() for der in s.chain] for s in self.scenes}
        return [
            Evidence(
                "rehearsal",
                str(client),
                "rehearse --listen",
                last,
                Strength.REHEARSED,
                {**self._row(client, c), "presented": presented},
            )
            for client, c in self.conclusions()
            if (last := self._records[client].last) is not None
        ]


def listen(
    host: str,
    port: int,
    scenes: Sequence[Scene],
    *,
    allow: Sequence[Network] = LOOPBACK,
    lasting: float | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tell: Callable[[str], None] | None = None,
    page: tuple[str, int] | None = None,
) -> Watch:
    """Serve whoever is allowed to come, for *lasting* seconds or until interrupted; *page* is where that can be watched."""
    watch = Watch(scenes, tell)
    with ExitStack() as stack:
        stage = stack.enter_context(Stage(watch.cast, watch.told, limits=limits, allow=allow))
        watch.turned_away = lambda: stage.turned_away
        where, door = stage.listen(host, port)
        if page is not None:
            from ._page import Page

            shown = stack.enter_context(Page(*page, f"rehearsal at {where}:{door}", watch.data))
            if tell is not None:
                tell(f"watch it at {shown.address}")
        try:
            if tell is not None:
                acts = ", ".join(s.act.value for s in scenes)
                tell(f"listening on {where}:{door} for {', '.join(map(str, allow))}; acts in turn: {acts}; Ctrl-C ends it")
            stage.play(monotonic() + lasting if lasting is not None else float("inf"))
        except KeyboardInterrupt:
            watch.interrupted = True
    return watch
