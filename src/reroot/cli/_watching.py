"""How a watch is run, once or as a service: which servers, as whom, and what is put into the ledger when."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import click

from ._rotation import ledger_place

if TYPE_CHECKING:
    from ..collect._source import Source
    from ..collect.inventory import Inventory
    from ..collect.sessions import Enforcement, Folded, Missed, Outgoing
    from ..model import Evidence

RIGHTS = "`reroot emit sql-role` prints the rights that are needed"

Out = tuple[str, str, str, str]
"""Server, database, kind and name of what connects out: told once, also after a reconnection."""


class Book:
    """The ledger of a rotation, opened for each save: a watch of weeks holds no connection to it."""

    def __init__(self, inventory: Inventory, place: str) -> None:
        self.inventory = inventory
        self.place = place

    @classmethod
    def at(cls, inventory_path: Path, ledger: str | None) -> Book:
        """``InputError`` where there is no inventory, ``ReachError`` where the ledger cannot be used: said before the watch begins."""
        from ..collect.inventory import read
        from ..ledger import open_ledger

        inventory = read(inventory_path)
        place = ledger_place(inventory, ledger)
        open_ledger(place).close()
        return cls(inventory, place)

    def keep(self, evidence: Iterable[Evidence]) -> None:
        from ..ledger import open_ledger

        with open_ledger(self.place) as ledger:
            ledger.keep(self.inventory.name, tuple(evidence))

    def windows(self) -> tuple[Evidence, ...]:
        from ..ledger import open_ledger

        with open_ledger(self.place) as ledger:
            return ledger.evidence(self.inventory.name, "window")


def named(inventory: Inventory, host: str, hostaddr: str, port: str) -> str:
    """What the inventory calls the server at this address, ``""`` where it does not. The name that was asked for comes first."""
    for asked in (host.lower(), hostaddr):
        for server in inventory.servers:
            if asked and port == str(server.port) and asked in (server.host.lower(), server.address):
                return server.name
    return ""


def sources_of(
    dsns: Sequence[str], file: str | None, aws: tuple[str, str] | None, inventory: Inventory | None, note: Callable[[str], object] = str
) -> list[Source]:
    """Sources with distinct names: those of the inventory where there is one; without it two databases of one server get a number.

    *aws* is the profile and the region for tokens of IAM. *note* is told what the inventory and the sources do not agree on.
    """
    from ..collect._awsapi import Login
    from ..collect._source import Fresh, Source, again_from, iam, lines_of, listed, parsed

    lines = {} if file is None else lines_of(sys.stdin, "standard input") if file == "-" else listed(file)
    found: dict[str, Source] = {}
    for dsn in dict.fromkeys([*dsns, *lines]):
        parameters = parsed(dsn, lines.get(dsn, ""))
        fresh: Fresh | None = None
        if aws is not None:
            fresh = iam(dsn, Login(aws[0]), aws[1])
        elif file not in (None, "-") and dsn in lines:
            assert file is not None
            fresh = again_from(file, dsn)
        plain = Source(dsn).name
        at = [parameters.get(word, default) for word, default in (("host", ""), ("hostaddr", ""), ("port", "5432"))]
        known = named(inventory, *at) if inventory is not None else ""
        if known and known in found:
            note(f"{known}: two DSNs lead to it, and the first is used: one connection sees the sessions of all databases")
            continue
        if inventory is not None and not known:
            note(f"{plain}: no server of `{inventory.path.name}`; what is seen there will be nobody's")
        base = known or plain
        name, number = base, 1
        while name in found:
            number += 1
            name = f"{base} #{number}"
        found[name] = Source(dsn, name, fresh)
    left = [s.name for s in inventory.servers if s.name not in found] if inventory is not None and found else []
    if left:
        note(f"not watched, though `{inventory.path.name if inventory else ''}` names {'them' if left[1:] else 'it'}: {', '.join(left)}")
    return list(found.values())


def watch(
    sources: Sequence[Source],
    folded: Folded,
    missed: list[Missed],
    book: Book | None,
    *,
    every: float,
    lasting: float,
    timeout: float,
    heard: Callable[[Missed], None] | None = None,
) -> tuple[dict[str, Enforcement], list[Outgoing], bool]:
    """Look for as long as it lasts, then keep what was seen; what is forced, what connects out, and whether it was interrupted."""
    from ..collect.sessions import Enforcement, Hourly, Outgoing, Sample, observe

    enforced, out, hourly, interrupted = dict[str, Enforcement](), dict[Out, Outgoing](), Hourly(), False
    try:
        for seen in observe(sources, every=every, lasting=lasting, timeout=timeout):
            if isinstance(seen, Sample):
                folded.add(seen)
                if book is not None:
                    hourly.add(seen)
            elif isinstance(seen, Enforcement):
                enforced[seen.server] = seen
            elif isinstance(seen, Outgoing):
                out[seen.server, seen.database, seen.kind, seen.name] = seen
            else:
                missed.append(seen)
                if heard is not None:
                    heard(seen)
    except KeyboardInterrupt:
        interrupted = True
    if book is not None:
        book.keep(_evidence(hourly.take(), enforced, out.values()))
    return enforced, list(out.values()), interrupted


def serve_on(sources: Sequence[Source], book: Book, *, every: float, timeout: float, save_every: float, quiet: bool) -> None:
    """Watch until SIGTERM or an interruption. What was seen is in the ledger at each save and in the end; it is said who is lost."""
    from ..collect.sessions import Enforcement, Hourly, Outgoing, Sample, counted_in, observe
    from ..errors import RerootError
    from ..reports.text import counted, visible

    def say(line: str) -> None:
        if not quiet:
            click.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}  {visible(line)}", err=True)

    enforced, out, hourly = dict[str, Enforcement](), dict[Out, Outgoing](), Hourly()
    told, lost, losses = set[Out](), dict[str, tuple[float, str]](), 0
    unseen = set[tuple[str, str]]()
    due = _next_save(save_every)

    def save() -> None:
        nonlocal losses
        hours = hourly.take()
        fresh = [o for key, o in out.items() if key not in told]
        try:
            book.keep(_evidence(hours, enforced, fresh))
        except RerootError as error:
            hourly.give_back(hours)
            say(f"not saved, and tried again at the next save: {error.message}")
            return
        told.update(out)
        say(f"saved: {_sums(hours) if hours else 'nothing'}; {counted(losses, 'look')} failed")
        losses = 0

    def say_unseen(server: str, what: str, more: str, hint: str) -> None:
        if (server, what) not in unseen:
            unseen.add((server, what))
            say(f"{server}: {more}{what}; {hint}")

    watching = observe(sources, every=every, lasting=math.inf, timeout=timeout, counted=counted_in(book.windows()))
    with _Stop() as stop:
        try:
            for seen in watching:
                if isinstance(seen, Sample):
                    hourly.add(seen)
                    if seen.server in lost:
                        away = monotonic() - lost.pop(seen.server)[0]
                        say(f"{seen.server}: answers again, after {away:.0f} s in which nobody was seen")
                    if seen.hidden:
                        number = counted(seen.hidden, "session")
                        say_unseen(seen.server, "not shown to this user", f"{number} ", "grant it `pg_read_all_stats`")
                elif isinstance(seen, Enforcement):
                    enforced[seen.server] = seen
                    if seen.why:
                        say_unseen(seen.server, seen.why, "", RIGHTS)
                elif isinstance(seen, Outgoing):
                    out[seen.server, seen.database, seen.kind, seen.name] = seen
                    if not seen.name:
                        place = f" in database `{seen.database}`" if seen.database else ""
                        say_unseen(seen.server, seen.why, f"its {seen.kind}s{place} cannot be read: ", RIGHTS)
                else:
                    losses += 1
                    since, why = lost.get(seen.server, (monotonic(), ""))
                    if why != seen.why:
                        lost[seen.server] = since, seen.why
                        say(f"{seen.server}: {seen.why}; it is tried again")
                if monotonic() >= due:
                    with stop.saving():
                        save()
                    due = _next_save(save_every)
                    if stop.is_asked:
                        break
        except KeyboardInterrupt:
            pass
        with stop.saving():
            say("stopping")
            watching.close()
            save()
    if hourly.hours:
        from ..errors import ReachError

        raise ReachError("what was seen since the last save is lost: the ledger cannot be used", where=book.place)


def _next_save(every: float) -> float:
    """The next moment that is a multiple of *every* by the clock: saves of an hour fall on the hour."""
    now = datetime.now(UTC).timestamp()
    return monotonic() + every - now % every


def _sums(hours: dict[str, Folded]) -> str:
    from ..reports.text import counted

    identities = {who for folded in hours.values() for who in folded.identities}
    sessions = sum(tally.sessions for folded in hours.values() for tally in folded.tallies.values())
    servers = {server for folded in hours.values() for server in folded.windows}
    told = (counted(len(identities), "identity", "identities"), counted(sessions, "new session"), counted(len(servers), "server"))
    return f"{told[0]}, {told[1]} on {told[2]}"


def _evidence(hours: dict[str, Folded], enforced: dict[str, Enforcement], out: Iterable[Outgoing]) -> Iterator[Evidence]:
    from ..collect.sessions import outgoing_evidence, to_evidence

    for hour, folded in hours.items():
        yield from to_evidence(folded, enforced, hour)
    yield from outgoing_evidence(out, datetime.now(UTC))


class _Stop:
    """SIGTERM, which service managers send, SIGHUP and an interruption end the watch, but not in the middle of a save."""

    NUMBERS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    """SIGHUP and SIGINT are left alone where whoever started us has them ignored, as `nohup` does."""

    def __init__(self) -> None:
        self.is_asked = False
        self.is_saving = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        ours = [n for n in self.NUMBERS if n is signal.SIGTERM or signal.getsignal(n) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._asked) for number in ours}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, _number: int, _frame: object) -> None:
        self.is_asked = True
        if not self.is_saving:
            raise KeyboardInterrupt

    @contextmanager
    def saving(self) -> Iterator[None]:
        self.is_saving = True
        yield
        self.is_saving = False
