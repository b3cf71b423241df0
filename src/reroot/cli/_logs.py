"""How logs that were read are shown: who connected how, who was turned away, what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..collect.ingest import Ingested

SHOWN = 40
"""Rows of each table on a terminal; the JSON holds all."""

LAYOUT_HINT = "`show log_line_prefix` on the server says what to give to `--layout`"


def sessions_of(found: Ingested) -> list[dict[str, object]]:
    """Logins by identity and way to connect, the hours summed."""
    from ..logs import Event, Row, Tally

    rollup = found.rollup.settled()
    sums: dict[Row, Tally] = {}
    hours: dict[Row, dict[str, int]] = {}
    for row, tally in rollup.rows.items():
        if row.event == Event.SESSION.value:
            key = row._replace(hour="")
            sums[key] = sums[key] + tally if key in sums else tally
            hours.setdefault(key, {})[row.hour] = tally.number
    return [
        {
            "server": row.server,
            "user": row.user,
            "database": row.database,
            "application": row.application,
            "address": row.address,
            "encryption": row.encryption,
            "protocol": row.protocol,
            "cipher": row.cipher,
            "sessions": tally.number,
            "first_seen": f"{tally.first}+00:00",
            "last_seen": f"{tally.last}+00:00",
            "new_sessions_by_hour": dict(sorted(hours[row].items())),
        }
        for row, tally in sorted(sums.items())
    ]


def refusals(found: Ingested) -> list[dict[str, object]]:
    from ..logs import Event, Row, Tally, bearing

    rollup = found.rollup.settled()
    sums: dict[Row, Tally] = {}
    turned = ((r, t) for r, t in rollup.rows.items() if r.event in (Event.FAILED.value, Event.REFUSED.value))
    for row, tally in (*turned, *rollup.silent()):
        key = row._replace(hour="")
        sums[key] = sums[key] + tally if key in sums else tally
    return [
        {
            "server": row.server,
            "address": row.address,
            "user": row.user,
            "database": row.database,
            "event": row.event,
            "cause": row.cause,
            "bearing": bearing(row.cause).value,
            "times": tally.number,
            "first_seen": f"{tally.first}+00:00",
            "last_seen": f"{tally.last}+00:00",
        }
        for row, tally in sorted(sums.items())
    ]


def data(found: Ingested) -> dict[str, object]:
    notes = found.rollup.notes
    return {
        "complete": found.is_complete,
        "sessions": sessions_of(found),
        "refusals": refusals(found),
        "logs": [
            {
                "server": r.piece.log.server,
                "path": r.piece.log.path,
                "begin": r.piece.begin,
                "layout": r.spelling,
                "bytes": r.rollup.notes.bytes,
                "read_before": r.skipped,
                "unfinished_bytes": r.torn,
                "why": r.why,
            }
            for r in found.reads
        ],
        "missing_shards": list(found.missing),
        "notes": {
            "bytes": notes.bytes,
            "lines": notes.lines,
            "quoted": notes.quoted,
            "unreadable": notes.unreadable,
            "doubtful": notes.doubtful,
            "too_long": notes.too_long,
        },
    }


def text(found: Ingested) -> str:
    """Who connected how, who was turned away, what could not be read, the counts."""
    from ..reports.text import counted, table

    sessions, turned, notes = sessions_of(found), refusals(found), found.rollup.notes
    parts = []
    if sessions:
        head = ("server", "user", "database", "application", "address", "how", "cipher", "sessions", "last seen (UTC)")
        rows = [
            (
                *(str(s[k] or "–") for k in ("server", "user", "database", "application", "address")),
                str(s["protocol"] or s["encryption"]),
                str(s["cipher"] or "–"),
                str(s["sessions"]),
                _at(s["last_seen"]),
            )
            for s in sessions
        ]
        parts.append(table(head, rows[:SHOWN]) + _more(rows))
    if turned:
        turned.sort(key=lambda r: (_RANK.index(str(r["bearing"])), str(r["address"])))
        gone_rows = [
            (*(str(r[k] or "–") for k in ("server", "address", "user", "bearing", "cause", "times")), _at(r["last_seen"]))
            for r in turned
        ]
        headings = ("server", "address", "user", "about the certificate", "in the server's words", "times", "last seen (UTC)")
        parts.append("turned away, or gone\n" + table(headings, gone_rows[:SHOWN], indent="  ") + _more(gone_rows))
    parts += [f"{r.piece.log.path}: {r.why}" for r in found.unread]
    if found.missing:
        shown = ", ".join(str(n) for n in found.missing[:20])
        parts.append(f"shards that are missing: {shown}\nhint: `reroot ingest merge` all of them")
    if notes.unreadable or notes.doubtful:
        parts.append(
            f"{counted(notes.unreadable, 'line that speaks', 'lines that speak')} of connections "
            f"{'does' if notes.unreadable == 1 else 'do'} not fit the layout; {notes.doubtful} may have been written by a name\n"
            f"hint: {LAYOUT_HINT}"
        )
    old, torn = ([r.piece.log.path for r in found.reads if getattr(r, what)] for what in ("skipped", "torn"))
    if old:
        parts.append(f"{_named(old, found)}: nothing new about connections since it was read")
    if torn:
        parts.append(f"{_named(torn, found)}: the last line has no end yet, and is not counted")
    ways: dict[str, int] = {}
    for s in sessions:
        ways[str(s["encryption"])] = ways.get(str(s["encryption"]), 0) + int(str(s["sessions"]))
    told = ", ".join(f"{n} {way}" for way, n in sorted(ways.items())) or "no session"
    gone: dict[str, int] = {}
    for r in turned:
        gone[str(r["bearing"])] = gone.get(str(r["bearing"]), 0) + int(str(r["times"]))
    away = (
        ", ".join(f"{gone[b]} {_WORDS[b].format(was='was' if gone[b] == 1 else 'were')}" for b in _RANK if b in gone)
        or "nobody turned away"
    )
    follow = "incomplete: see above" if not found.is_complete else "next: `reroot scan` finds how these clients are set up"
    return "\n\n".join([*parts, f"{told}; {away}; {notes.bytes / 1e6:,.1f} MB of log; {follow}"])


_RANK = ("distrust", "undecidable", "plaintext", "other")
_WORDS = {
    "distrust": "refused the certificate",
    "undecidable": "left without saying why",
    "plaintext": "came without TLS and {was} refused",
    "other": "{was} refused for other reasons",
}


def _named(paths: Sequence[str], found: Ingested) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} of {len(found.reads)} logs, {paths[0]} …"


def _at(moment: object) -> str:
    return str(moment)[:19].replace("T", " ")


def _more(rows: Sequence[object]) -> str:
    return f"\n… and {len(rows) - SHOWN} more: `-o json` has all" if len(rows) > SHOWN else ""
