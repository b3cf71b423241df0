"""
Who was seen, and whom do we know? Observed identities joined to the declared clients, and what that leaves open.

Three lists: declared clients with what was seen of them; what was seen and belongs to nobody; what is declared and was not seen. The
third is never fine: who was not seen within the window may be the job of the last night of the month.

A client is recognised by what its driver will send (user, database, application) or by the rules that are written for it. A pooler
hides who is behind it, and is said to; where it passes the names on (PgBouncer's ``application_name_add_host``), they are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from .. import drivers
from ..errors import InputError, RerootError
from ..model import Evidence, Files
from ._fold import LOCAL

if TYPE_CHECKING:
    from .inventory import DeclaredClient, Inventory

POOLERS: tuple[tuple[str, str], ...] = (
    ("pgbouncer*", "PgBouncer"),
    ("odyssey*", "Odyssey"),
    ("pgcat*", "PgCat"),
    ("pgpool*", "Pgpool-II"),
    ("supavisor*", "Supavisor"),
    ("pgagroal*", "pgagroal"),
    ("RDS Proxy*", "RDS Proxy"),
    ("cloudsqlproxy*", "Cloud SQL Auth Proxy"),
)
"""What poolers call themselves in ``application_name``, where they do."""

LOOKED = ("session", "window")
AWAY = timedelta(minutes=10)
"""Between two looks; a watch that is restarted, or whose server is, is no shorter than it was."""
"""Kinds of evidence that say that somebody looked."""

FIELDS = ("server", "user", "database", "application", "address")

_BEHIND = re.compile(r"(?P<name>.*) - (?P<address>[0-9a-fA-F.:]+):[0-9]{1,5}")
"""``application_name_add_host`` of PgBouncer: the client's own name, address and port. Source: PgBouncer's config reference."""


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """One identity that connected, over all its sessions and ways to connect."""

    server: str
    user: str
    database: str
    application: str
    address: str
    encryptions: tuple[str, ...] = ()
    sessions: int = 0
    first_seen: str = ""
    last_seen: str = ""

    @property
    def pooler(self) -> str:
        """The pooler that this is, ``""`` for none that is known."""
        return next((title for pattern, title in POOLERS if fnmatchcase(self.application, pattern)), "")


@dataclass(frozen=True, slots=True)
class Rule:
    """By what a client is recognised: patterns as in a shell, an address or a network; what is empty says nothing."""

    user: str = ""
    database: str = ""
    application: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        if self.address:
            try:
                ip_network(self.address, strict=False)
            except ValueError:
                raise InputError(f"`{self.address}` is neither an address nor a network", hint="write `10.0.0.0/8`") from None

    def matches(self, seen: Seen) -> bool:
        pairs = ((self.user, seen.user), (self.database, seen.database), (self.application, seen.application))
        return all(not pattern or fnmatchcase(text, pattern) for pattern, text in pairs) and self._is_from(seen.address)

    @property
    def weight(self) -> int:
        """The more it says, the better it fits."""
        return sum(map(bool, (self.user, self.database, self.application, self.address)))

    def _is_from(self, address: str) -> bool:
        if not self.address:
            return True
        try:
            return ip_address(address) in ip_network(self.address, strict=False)
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Client:
    """A declared client, as far as recognising it goes. ``reaches`` names servers."""

    name: str
    owner: str
    reaches: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """When a server was looked at: the first and last moment, and by what (``pg_stat_activity``, ``server log``).

    ``away`` are the stretches in between, longer than ``AWAY``, from which no watch and no log tells anything.
    """

    first: str
    last: str
    sources: tuple[str, ...]
    away: tuple[tuple[str, str], ...] = ()

    @property
    def said(self) -> str:
        """``A to B UTC``, and when nobody looked in between."""
        said = f"{_minute(self.first)} to {_minute(self.last)} UTC"
        if not self.away:
            return said
        longest = max(self.away, key=lambda gap: _moment(gap[1]) - _moment(gap[0]))
        often = f", and {len(self.away) - 1} more times" if len(self.away) > 2 else ", and once more" if len(self.away) == 2 else ""
        return f"{said} (but nobody looked from {_minute(longest[0])} to {_minute(longest[1])}{often})"


@dataclass(frozen=True)
class Coverage:
    """What was seen beside what is declared. ``shared`` are identities that fit several clients equally well."""

    known: Mapping[str, tuple[Seen, ...]]
    undeclared: tuple[Seen, ...]
    unseen: tuple[tuple[str, str], ...]
    shared: Mapping[Seen, tuple[str, ...]] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    local: tuple[Seen, ...] = ()
    """Nobody's client, and seen over a unix socket alone: PostgreSQL has no TLS there, so no rotation touches it."""

    @property
    def is_complete(self) -> bool:
        """Whether everybody who was seen is declared and everybody who is declared was seen."""
        return not (self.undeclared or self.unseen or self.shared)

    def why_unseen(self, server: str) -> str:
        """What may be said of a client that was not seen on *server*: UNKNOWN, with the window."""
        window = self.windows.get(server)
        if window is None:
            return f"nobody has looked at `{server}`: not known whether it connects"
        return f"not seen on `{server}` from {window.said}: not known whether it still connects"


def seen_in(evidence: Iterable[Evidence]) -> tuple[Seen, ...]:
    """Identities from evidence of kind ``session``, whatever brought it; what a pooler passes on is unwrapped."""
    found: dict[tuple[str, ...], Seen] = {}
    counts: dict[tuple[str, ...], dict[str, dict[str, int]]] = {}
    for one in evidence:
        if one.kind != "session":
            continue
        facts = {k: str(v) for k, v in one.facts.items() if v is not None}
        server, user, database, application, address = (facts.get(k, "") for k in FIELDS)
        plain = Seen(server, user, database, application, address)
        seen = behind(plain) or plain
        key = (seen.server, seen.user, seen.database, seen.application, seen.address)
        was = found.get(key)
        # A session that the log told and that was seen open as well is one session.
        by_source = counts.setdefault(key, {}).setdefault(facts.get("encryption", ""), {})
        by_source[one.source] = by_source.get(one.source, 0) + int(facts.get("sessions", "0"))
        found[key] = Seen(
            *key,
            tuple(sorted({*(was.encryptions if was else ()), facts.get("encryption", "")} - {""})),
            sum(max(sources.values()) for sources in counts[key].values()),
            min(filter(None, (was.first_seen if was else "", facts.get("first_seen", ""))), default=""),
            max(was.last_seen if was else "", facts.get("last_seen", "")),
        )
    return tuple(sorted(found.values()))


def behind(seen: Seen) -> Seen | None:
    """Who connected to the pooler, where it says so; None where this is no such name."""
    inner = _BEHIND.fullmatch(seen.application)
    if inner is None:
        return None
    try:
        ip_address(inner["address"])
    except ValueError:
        return None
    return Seen(seen.server, seen.user, seen.database, inner["name"], inner["address"])


def windows_in(evidence: Iterable[Evidence], looks: Iterable[Evidence] = ()) -> Mapping[str, Window]:
    """For each server the time in which it was looked at: what a watch says of itself, and as far as sessions tell.

    *evidence* may be summed; *looks* are the single pieces of kind ``window``, which tell when nobody looked in between.
    """
    spans: dict[str, dict[str, tuple[str, str]]] = {}
    for one in evidence:
        if one.kind not in LOOKED:
            continue
        names = ("first", "last") if one.kind == "window" else ("first_seen", "last_seen")
        server, first, last = (str(one.facts.get(k) or "") for k in ("server", *names))
        told = spans.setdefault(server, {})
        begin, end = told.get(one.source, (first, last))
        told[one.source] = min(begin, first), max(end, last)
    away: dict[str, list[tuple[str, str]]] = {}
    for server, source, gap in _gaps(looks):
        others = (span for name, span in spans.get(server, {}).items() if name != source)
        if not any(begin <= gap[0] and gap[1] <= end for begin, end in others):
            away.setdefault(server, []).append(gap)
    return {
        server: Window(min(b for b, _ in told.values()), max(e for _, e in told.values()), tuple(sorted(told)), tuple(away.get(server, ())))
        for server, told in spans.items()
    }


def _gaps(looks: Iterable[Evidence]) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Server, source, and from when to when that source did not look at it, although it did before and after."""
    spans: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in looks:
        server, first, last = (str(one.facts.get(k) or "") for k in ("server", "first", "last"))
        spans.setdefault((server, one.source), []).append((first, last))
    for (server, source), found in sorted(spans.items()):
        found.sort()
        reached = found[0][1]
        for first, last in found[1:]:
            if first > reached and _moment(first) - _moment(reached) > AWAY:
                yield server, source, (reached, first)
            reached = max(reached, last)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def cover(
    seen: Sequence[Seen],
    clients: Sequence[Client],
    windows: Mapping[str, Window],
    *,
    ours: Iterable[str] = ("reroot observe", "reroot"),
) -> Coverage:
    """Join *seen* to *clients*. Each identity belongs to the clients that reach its server and whose rule says most about it."""
    mine = set(ours)
    known: dict[str, list[Seen]] = {c.name: [] for c in clients}
    undeclared, shared = list[Seen](), {}
    local = list[Seen]()
    for one in seen:
        if one.application in mine:
            continue
        weights = {
            c.name: max((r.weight for r in c.rules if r.matches(one)), default=0)
            for c in clients
            if not one.server or one.server in c.reaches
        }
        best = max(weights.values(), default=0)
        fitting = tuple(name for name, weight in weights.items() if weight == best and best)
        if not fitting:
            (local if one.encryptions == (LOCAL,) else undeclared).append(one)
        for name in fitting:
            known[name].append(one)
        if len(fitting) > 1:
            shared[one] = fitting
    unseen = tuple((c.name, server) for c in clients for server in c.reaches if server not in {s.server for s in known[c.name]})
    return Coverage(
        {name: tuple(found) for name, found in known.items()},
        tuple(undeclared),
        unseen,
        shared,
        windows,
        {c.name: c.owner for c in clients},
        tuple(local),
    )


def clients_of(inventory: Inventory, files: Files) -> tuple[Client, ...]:
    """The declared clients of a fleet, each with the rules written for it (``seen_as``), or with what its driver will send."""
    return tuple(Client(c.name, c.owner, c.reaches, c.seen_as or _rules(inventory, c, files)) for c in inventory.clients)


def _rules(inventory: Inventory, client: DeclaredClient, files: Files) -> tuple[Rule, ...]:
    driver = drivers.find(client.driver)
    if driver is None:
        return ()
    rules = []
    for server in (s for s in inventory.servers if s.name in client.reaches):
        try:
            settings = driver.read(inventory.given(client, server, files))
        except RerootError:
            continue
        user, database, application = (next((v for n in names if (v := settings.get(n))), "") for names in SENT)
        if user:
            rules.append(Rule(*(_literal(text) for text in (user, database, application))))
    return tuple(dict.fromkeys(rules))


SENT = (("user", "username"), ("dbname", "database"), ("application_name", "ApplicationName", "applicationName"))
"""Settings that a server sees, as the drivers call them."""


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
