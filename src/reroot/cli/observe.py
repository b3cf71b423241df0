"""Watch who connects to servers, and how: identities, TLS version and cipher or plaintext, sessions, first and last seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ._output import Outputs, emit, output_options
from ._rotation import inventory_option, ledger_option

if TYPE_CHECKING:
    from ..collect.sessions import Enforcement, Folded, How, Identity, Missed, Outgoing, Tally

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType[float]):
    """``90``, ``90s``, ``5m``, ``2h``, ``1d``; in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)", value.strip())
        if found is None:
            self.fail(f"`{value}` is not a time; write `90s`, `5m`, `2h` or `1d`", param, ctx)
        return float(found[1]) * UNITS[found[2]]


TIME = Duration()


@click.command(name="observe")
@click.argument("dsns", nargs=-1, metavar="DSN...")
@click.option("--from", "source", metavar="FILE", help="More DSNs, one a line, read again at each connection; - is standard input.")
@click.option("--for", "lasting", type=TIME, default=0.0, help="How long to watch: 60s, 5m, 2h; one look without it.")
@click.option("--serve", is_flag=True, help="Watch until stopped, and put what is seen into the ledger by the hour.")
@click.option("--keep", is_flag=True, help="Put what was seen into the ledger in the end.")
@click.option("--save-every", type=TIME, default=3600.0, show_default="1h", help="With --serve: time between two saves.")
@click.option("--every", type=TIME, default=5.0, show_default="5s", help="Time between two looks at one server.")
@click.option("--timeout", type=click.FloatRange(1, 600), default=10.0, show_default=True, help="Seconds for one connection.")
@click.option("--iam", is_flag=True, help="Log in to RDS with a token of IAM, signed anew for each connection.")
@click.option("--region", default="", help="With --iam: the region, where the host's name does not tell it.")
@click.option("--profile", default="", help="With --iam: the profile of the AWS configuration.")
@inventory_option
@ledger_option
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    dsns: Sequence[str],
    source: str | None,
    lasting: float,
    serve: bool,
    keep: bool,
    save_every: float,
    every: float,
    timeout: float,
    iam: bool,
    region: str,
    profile: str,
    inventory_path: Path,
    ledger: str | None,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Show who is connected to servers, and by which encryption.

    DSN is what libpq takes: `host=db1 user=watcher dbname=postgres` or `postgresql://watcher@db1/postgres`. Passwords belong in
    ~/.pgpass, where neither the process list nor the shell's history shows them. `reroot emit sql-role` prints the role it needs.

    What is not connected while it looks is not seen: watch for as long as the rarest client's pause. With --serve it goes on through
    restarts and failovers of what it watches, reads changed passwords again, and ends on SIGTERM after a last save.

    Exit code 4: some server did not answer, or did not show all its sessions. 130: interrupted, after showing what was seen until then.
    """
    from ..collect.inventory import read
    from ..collect.sessions import Folded, Missed
    from ..errors import InputError
    from ..reports import Document
    from ..reports.text import visible
    from ._watching import Book, serve_on, sources_of, watch

    if every < 0.1:
        raise InputError("`--every` is too short", hint="a tenth of a second is the least; 5 s costs a server next to nothing")
    if serve and (lasting or keep):
        raise InputError("`--serve` watches until it is stopped, and keeps what it sees", hint="leave out `--for` and `--keep`")
    if save_every < 1:
        raise InputError("`--save-every` is too short", hint="a second is the least; an hour is what the ledger counts by")
    if (region or profile) and not iam:
        raise InputError("`--region` and `--profile` are for tokens of IAM", hint="add `--iam`")
    if ledger and not (keep or serve) and ctx.get_parameter_source("ledger") is ParameterSource.COMMANDLINE:
        raise InputError("`--ledger` is for what is kept", hint="add `--keep` or `--serve`")
    book = Book.at(inventory_path, ledger) if keep or serve else None
    is_asked = inventory_path.exists() or ctx.get_parameter_source("inventory_path") is not ParameterSource.DEFAULT
    inventory = book.inventory if book is not None else read(inventory_path) if is_asked else None
    notes = list[str]()
    sources = sources_of(dsns, source, (profile, region) if iam else None, inventory, notes.append)
    if not sources:
        raise InputError("no server to watch", hint="name one: `reroot observe 'host=db1.example.com user=watcher'`")
    if not quiet:
        looks = f"every {every:g} s" + (f" for {lasting:g} s" if lasting else " until stopped") if lasting or serve else "once"
        click.echo(f"watching {', '.join(s.name for s in sources)} {looks}: one connection each, reading only", err=True)
        for note in notes if book is not None else ():
            click.echo(visible(note), err=True)
    if serve:
        assert book is not None
        serve_on(sources, book, every=every, timeout=timeout, save_every=save_every, quiet=quiet)
        return
    folded, missed = Folded(), list[Missed]()
    heard = None if quiet or not lasting else _teller()
    enforced, out, interrupted = watch(sources, folded, missed, book, every=every, lasting=lasting, timeout=timeout, heard=heard)
    parts = (folded, enforced, out, missed)
    document = Document("sessions", data(*parts), lambda: text(*parts))
    emit(document, outputs, quiet=quiet)
    if interrupted:
        ctx.exit(130)
    if not is_complete(folded, missed):
        ctx.exit(4)


def _teller() -> Callable[[Missed], None]:
    """Says once for each server and reason that it does not answer, while there is still time to mend it."""
    from ..reports.text import visible

    told = set[tuple[str, str]]()

    def tell(one: Missed) -> None:
        if (one.server, one.why) not in told:
            told.add((one.server, one.why))
            click.echo(visible(f"{one.server}: {one.why}; it is tried again"), err=True)

    return tell


def is_complete(folded: Folded, missed: Sequence[Missed]) -> bool:
    return not missed and not any(window.hidden for window in folded.windows.values())


def data(
    folded: Folded, enforced: Mapping[str, Enforcement], out: Sequence[Outgoing], missed: Sequence[Missed]
) -> dict[str, object]:
    return {
        "complete": is_complete(folded, missed),
        "servers": {
            name: {
                "first_look": window.first.isoformat(),
                "last_look": window.last.isoformat(),
                "looks": window.samples,
                "hidden_sessions": window.hidden,
                "tls_decided_by": enforced[name].source if name in enforced else None,
                "accepts": _accepts(enforced[name]) if name in enforced else None,
                "takes_plaintext_by": list(enforced[name].plaintext_rules) if name in enforced else [],
                "starts": [at.isoformat() for at in window.starts],
                "why": enforced[name].why if name in enforced else "",
            }
            for name, window in folded.windows.items()
        },
        "identities": [
            _row(who, how, tally, enforced.get(who.server)) for (who, how), tally in sorted(folded.tallies.items())
        ],
        "outgoing": [
            {
                "server": o.server,
                "kind": o.kind,
                "name": o.name,
                "database": o.database,
                "settings": dict(o.settings),
                "why": o.why,
            }
            for o in out
        ],
        "missed": [{"server": m.server, "at": m.at.isoformat(), "why": m.why, "hint": m.hint} for m in missed],
    }


def _accepts(known: Enforcement) -> str | None:
    return known.everyone.value if known.everyone else None


def _row(who: Identity, how: How, tally: Tally, known: Enforcement | None) -> dict[str, object]:
    taken, rule = known.takes(who) if known else (None, "not asked")
    return {
        "server": who.server,
        "database": who.database,
        "user": who.user,
        "application": who.application,
        "address": who.address,
        "kind": who.kind,
        "encryption": _encryption(who, how),
        "protocol": how.protocol,
        "cipher": how.cipher,
        "sessions": tally.sessions,
        "most_at_once": tally.most,
        "first_seen": tally.first_seen.isoformat(),
        "last_seen": tally.last_seen.isoformat(),
        "oldest_session": tally.oldest.isoformat(),
        "newest_session": tally.newest.isoformat(),
        "new_sessions_by_hour": dict(tally.hours),
        "server_accepts": taken.value if taken else None,
        "rule": rule,
    }


def _encryption(who: Identity, how: How) -> str:
    from ..collect.sessions import LOCAL

    return LOCAL if who.address == LOCAL else how.encryption


def text(folded: Folded, enforced: Mapping[str, Enforcement], out: Sequence[Outgoing], missed: Sequence[Missed]) -> str:
    """Who connects how; where the servers themselves connect to; what was not seen; the counts."""
    from ..reports.text import counted, table

    rows = [_line(who, how, tally, enforced.get(who.server)) for (who, how), tally in sorted(folded.tallies.items())]
    head = ("server", "user", "database", "application", "address", "how", "cipher", "sessions", "last seen (UTC)", "server takes")
    parts = [table(head, rows)] if rows else ["nobody was connected"]
    leaving = [
        (o.server, o.database or "–", o.kind, o.name, " ".join(f"{k}={v}" for k, v in o.settings.items()) or o.why)
        for o in out
        if o.name
    ]
    if leaving:
        headings = ("server", "database", "by", "name", "settings")
        parts.append("these servers are clients too\n" + table(headings, leaving, indent="  "))
    for unread in (o for o in out if not o.name):
        place = f" in database `{unread.database}`" if unread.database else ""
        parts.append(f"{unread.server}: its {unread.kind}s{place} cannot be read: {unread.why}")
    for _, known in sorted(enforced.items()):
        if known.plaintext_rules:
            listed = "".join(f"\n  {rule}" for rule in known.plaintext_rules)
            parts.append(f"{known.server} lets in without TLS, by{listed}")
    for name, window in sorted(folded.windows.items()):
        if window.hidden:
            one = "session is" if window.hidden == 1 else "sessions are"
            parts.append(f"{name}: {window.hidden} {one} not shown to this user\nhint: `grant pg_monitor to …`")
    for _, known in sorted(enforced.items()):
        if known.why:
            hint = "`grant execute on function pg_hba_file_rules() to …` and `grant select on pg_hba_file_rules to …`"
            parts.append(f"{known.server}: {known.why}\nhint: {hint}")
    failures: dict[tuple[str, str, str], int] = {}
    for m in missed:
        failures[m.server, m.why, m.hint] = failures.get((m.server, m.why, m.hint), 0) + 1
    parts += [f"{server}: {why} (at {counted(n, 'look')})\nhint: {hint}" for (server, why, hint), n in failures.items()]
    ways: dict[str, int] = {}
    for (who, how), tally in folded.tallies.items():
        ways[_encryption(who, how)] = ways.get(_encryption(who, how), 0) + tally.sessions
    told = ", ".join(f"{n} {way}" for way, n in sorted(ways.items())) or "no session"
    follow = (
        "next: `reroot scan` finds how their clients are set up"
        if is_complete(folded, missed)
        else "incomplete: see above, then look again"
    )
    identities = counted(len(folded.identities), "identity", "identities")
    looks = counted(sum(w.samples for w in folded.windows.values()), "look")
    return "\n\n".join([*parts, f"{identities} in {looks}, sessions: {told}; {follow}"])


def _line(who: Identity, how: How, tally: Tally, known: Enforcement | None) -> tuple[str, ...]:
    from ..collect.sessions import LOCAL

    taken = known.takes(who)[0] if known else None
    application = who.application or ("–" if who.kind == "client backend" else who.kind)
    return (
        who.server,
        who.user,
        who.database or "–",
        application,
        who.address or "–",
        how.protocol or _encryption(who, how),
        how.cipher or "–",
        str(tally.sessions),
        tally.last_seen.strftime("%H:%M:%S"),
        taken.value if taken else "–" if who.address == LOCAL else "?",
    )
