"""
Write the generated reference pages: commands from their help, rules from their table, drivers from their rules and their runs.

    python tools/docs.py                  write docs/reference/
    python tools/docs.py --check          say which page is out of date, and exit with 1 when one is
    python tools/docs.py --runs ROWS…     take over what runs of `python -m tests.real.matrix --out ROWS` have shown

Runs are kept in docs/reference/drivers/runs.json, since they need real clients; everything else is made anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
REFERENCE = ROOT / "docs" / "reference"
RUNS = REFERENCE / "drivers" / "runs.json"
MADE = "<!-- made by tools/docs.py; do not edit -->\n\n"


def pages() -> Iterator[tuple[Path, str]]:
    yield REFERENCE / "cli.md", MADE + commands()
    yield REFERENCE / "inventory.md", MADE + inventory()
    yield REFERENCE / "rules.md", MADE + rules()
    yield REFERENCE / "drivers" / "README.md", MADE + drivers()


def commands() -> str:
    from reroot.cli import reroot

    parts = ["# Commands\n"]
    with click.Context(reroot, info_name="reroot", terminal_width=110) as context:
        parts += [f"```text\n{reroot.get_help(context)}\n```\n"]
        for name in reroot.list_commands(context):
            command = reroot.get_command(context, name)
            assert command is not None
            parts += _command(command, f"reroot {name}", "##")
    return "\n".join(parts)


def _command(command: click.Command, name: str, level: str) -> Iterator[str]:
    with click.Context(command, info_name=name, terminal_width=110) as context:
        yield f"{level} {name}\n\n```text\n{command.get_help(context)}\n```\n"
        if isinstance(command, click.Group):
            for sub in command.list_commands(context):
                found = command.get_command(context, sub)
                assert found is not None
                yield from _command(found, f"{name} {sub}", level + "#")


def inventory() -> str:
    from inspect import cleandoc

    from reroot.collect import inventory as room

    head, _, example = cleandoc(room.__doc__ or "").partition("\n\n")
    return f"# The inventory\n\n{head}\n\n```toml\n{cleandoc(example)}\n```\n\n`reroot demo` leaves a complete one in `reroot-demo/`.\n"


def rules() -> str:
    from reroot.rules import RULES

    parts = ["# Rules\n\nThe same texts as `reroot explain RR104` shows.\n"]
    for rule in RULES.values():
        parts.append(
            f"## {rule.id} {rule.name}\n\n{rule.what}\n\n{rule.why}\n\n"
            f"- outcome: {rule.outcome}\n- who: {rule.who}\n- fix: {rule.fix}\n- level: {rule.level}\n- silence: `{rule.silencing}`\n"
        )
    return "\n".join(parts)


def drivers() -> str:
    from reroot import drivers as known

    runs = json.loads(RUNS.read_text(encoding="utf-8")) if RUNS.exists() else {"clients": []}
    parts = [
        "# Drivers\n",
        "What reroot knows of each driver, and how well. A version outside the rules is `unknown`, never guessed. *Run against* names",
        "versions whose real driver was compared with the rules here, *measured by hand* those that were tried against an observing",
        "server outside this comparison; where it says *source only*, the rules come from the driver's source code, no run has",
        "proven them, and each verdict says so (RR156).\n",
        "| driver | what it is | rules hold for | run against |",
        "| --- | --- | --- | --- |",
    ]
    for name in known.names():
        driver = known.find(name)
        assert driver is not None
        parts.append(f"| [`{name}`]({driver.source}) | {driver.title} | {driver.versions} | {driver.known_by} |")
    parts += [
        "",
        "## Runs",
        "",
        "Each row is one scenario: settings, environment, home folder, trust store, served chain, host name and server rules, given to the",
        "real driver and to the rules. *Worst* is a row said to be verified that did not connect over TLS; *missed* is a fall to plaintext",
        "that was not foreseen. `make matrix` runs them. `npgsql-9-on-dotnet-8` is .NET's own SslStream and X509Chain under Npgsql's modes and\n"
        "validation callbacks, which were written down after its source.\n",
        "| client | version | on | rows | decided | wrong | worst | missed | unknown | run on |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for run in runs["clients"]:
        on = ", ".join(f"{k} {v}" for k, v in run["runtime"].items())
        numbers = " | ".join(str(run[k]) for k in ("rows", "decided", "wrong", "worst", "missed", "unknown"))
        parts.append(f"| {run['client']} | {run['version']} | {on} | {numbers} | {run['date']} |")
    return "\n".join(parts) + "\n"


def take_runs(files: list[str]) -> None:
    """Replace what is kept of each client by what these rows show."""
    from tests.real import oracle

    kept = json.loads(RUNS.read_text(encoding="utf-8"))["clients"] if RUNS.exists() else []
    found = {run["client"]: run for run in kept}
    for file in files:
        rows = oracle.load(Path(file))
        oracle.foresee(rows)
        for client in sorted({row.client for row in rows}):
            part = oracle.Comparison([row for row in rows if row.client == client])
            case = part.rows[0].case
            found[client] = {
                "client": client,
                "driver": case["driver"],
                "version": str(case.get("driver_version") or ""),
                "runtime": case.get("runtime") or {},
                "rows": len(part.rows),
                "decided": len(part.decided),
                "wrong": len(part.wrong),
                "worst": len(part.false_verified),
                "missed": len(part.missed_plaintext),
                "unknown": len(part.unknown),
                "date": datetime.fromtimestamp(Path(file).stat().st_mtime, UTC).strftime("%Y-%m-%d"),
            }
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    RUNS.write_text(json.dumps({"clients": [found[name] for name in sorted(found)]}, indent=1) + "\n", encoding="utf-8")


def main(words: list[str]) -> int:
    if words[:1] == ["--runs"]:
        take_runs(words[1:])
        words = []
    stale = []
    for path, text in pages():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if words != ["--check"]:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'out of date' if words == ['--check'] else 'written'}: {path.relative_to(ROOT)}")
    return 1 if stale and words == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
