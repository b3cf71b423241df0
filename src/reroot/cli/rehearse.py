"""Rehearse the day: run a program against a stage that presents the next chain, and tell what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._output import Outputs, emit, output_options

if TYPE_CHECKING:
    from ..collect.rehearse._scenes import Scene
    from ..collect.rehearse.command import Place, Rehearsed
    from ..collect.rehearse.listen import Watch
    from ..model import Evidence, Reason
    from ..pki import Certificate
    from ..rehearsal import Conclusion

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXITS = {"trusts": 0, "rejects": 1, "verifies-nothing": 1, "never-asks-for-tls": 1, "cannot-tell": 4}
"""A program that checks nothing survives the day, and is a finding all the same."""


@click.command(name="rehearse", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--next", "next_chain", type=FILE, help="The chain of after the cut-over, leaf first (PEM).")
@click.option("--next-key", type=FILE, help="Its key, where it is ours; without it the proof is withheld.")
@click.option("--current", type=FILE, help="The chain of today (PEM).")
@click.option("--current-key", type=FILE, help="Its key.")
@click.option("--root", metavar="FILE|FAMILY", help="The next root, where no chain exists yet: PEM, or `aws:eu-west-1`.")
@click.option("--wrong-name", type=FILE, help="A chain of the same authority for another host: is the name checked?")
@click.option("--wrong-name-key", type=FILE, help="Its key.")
@click.option(
    "--server", "servers", multiple=True, metavar="HOST[:PORT]", help="Where the program connects to; else read from COMMAND."
)
@click.option("--way", default="", metavar="NAME", help="How the program is led: PGHOSTADDR, java, node, mounts, isolated …")
@click.option(
    "--hold", type=click.FloatRange(0.05, 10), default=0.5, show_default=True, help="Seconds for which a proof is withheld."
)
@click.option(
    "--patience", type=click.FloatRange(1, 600), default=20.0, show_default=True, help="Seconds for a first connection."
)
@click.option("--show-output", is_flag=True, help="Show what the program prints.")
@click.option("--listen", "listen_at", metavar="HOST:PORT", help="Be the stage for programs that are started elsewhere.")
@click.option("--allow", multiple=True, metavar="NETWORK", help="Who may come, with --listen; loopback without it.")
@click.option("--for", "lasting", type=click.FloatRange(0.1), help="Seconds to listen; until interrupted without it.")
@click.option("--driver", metavar="NAME", help="Foresee with this driver's rules too, and compare.")
@click.option("--dsn", metavar="DSN", help="What that driver is given.")
@click.option("--ledger", metavar="FILE|URL", help="Keep the evidence here, under --rotation.")
@click.option("--rotation", default="", metavar="NAME", help="The rotation that the evidence belongs to.")
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    command: Sequence[str],
    next_chain: Path | None,
    next_key: Path | None,
    current: Path | None,
    current_key: Path | None,
    root: str | None,
    wrong_name: Path | None,
    wrong_name_key: Path | None,
    servers: Sequence[str],
    way: str,
    hold: float,
    patience: float,
    show_output: bool,
    listen_at: str | None,
    allow: Sequence[str],
    lasting: float | None,
    driver: str | None,
    dsn: str | None,
    ledger: str | None,
    rotation: str,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Let a program meet the chain of after the cut-over, and see whether it trusts it.

    COMMAND runs as it is, once for each act; the name that it connects to is led to a stage on this machine. Nothing is behind the
    stage: the session ends after the handshake, no password is asked for. The chain's key is not needed.

    With --listen the stage waits for programs that are started elsewhere and pointed at it.

    Exit code 1: it does not trust the chain, or checks nothing. 4: it cannot be told; the text says why and what to try.
    """
    from ..errors import InputError
    from ..reports import Document

    if bool(command) == bool(listen_at):
        raise InputError("neither a command nor `--listen`" if not command else "both a command and `--listen`",
                         hint="`reroot rehearse --next chain.pem -- psql ...`")  # fmt: skip
    if not (next_chain or root):
        raise InputError("no chain to rehearse", hint="`--next CHAIN.pem`, or `--root` where there is no chain yet")
    if bool(ledger) != bool(rotation):
        raise InputError("`--ledger` and `--rotation` belong together")
    places = tuple(_place(s) for s in servers) if listen_at else tuple(_place(s) for s in servers) or _seen_in(command)
    pairs = {"next": (next_chain, next_key), "current": (current, current_key), "wrong-name": (wrong_name, wrong_name_key)}
    hosts = [p.host for p in places] or _names(next_chain) or ["localhost"]
    scenes = _scenes(pairs, _root(root) if root else None, hosts, hold)
    contradicted = False
    if listen_at:
        watch = _listen(listen_at, scenes, allow, lasting, quiet)
        document = Document("rehearsal-listen", watch.data(), watch.text)
        found, interrupted = [c for _, c in watch.conclusions()], watch.interrupted and lasting is not None
        evidence = watch.evidence()
    else:
        rehearsed = _rehearse(command, places, scenes, way, patience, show_output, quiet)
        beside = [*_by_the_hook(rehearsed), *(_beside_the_rules(rehearsed, driver, dsn) if driver else ())]
        document = Document("rehearsal", data(rehearsed, beside), lambda: text(rehearsed, beside))
        found, interrupted = [rehearsed.conclusion], False
        evidence = [to_evidence(rehearsed, beside, datetime.now(UTC))]
        contradicted = any(r.code == CONTRADICTED for r in beside)
    if ledger:
        from ..ledger import open_ledger

        with open_ledger(ledger) as kept:
            kept.keep(rotation, tuple(evidence))
    emit(document, outputs, quiet=quiet)
    ctx.exit(130 if interrupted else 1 if contradicted else _exit_code(found))


def _exit_code(found: Sequence[Conclusion]) -> int:
    codes = {EXITS[c.trust.value] for c in found} | {1 for c in found if c.falls_back}
    return 4 if 4 in codes or not codes else max(codes)


# ── what was asked for ───────────────────────────────────────────────────────────────────────────


def _place(text: str) -> Place:
    from ..collect.probe import parse_target
    from ..collect.rehearse.command import Place

    target = parse_target(text)
    return Place(target.host, target.port)


def _seen_in(command: Sequence[str]) -> tuple[Place, ...]:
    import os

    from ..collect.rehearse.command import places_in
    from ..errors import InputError

    found = places_in(command, os.environ)
    if not found:
        raise InputError("where the command connects to cannot be seen", hint="name it: `--server db1.example.com:5432`")
    return found


def _names(chain: Path | None) -> list[str]:
    from ..collect.rehearse._scenes import read_chain
    from ..pki import Certificate

    return [] if chain is None else list(Certificate(read_chain(chain.read_bytes())[0]).dns_names)[:1]


def _root(text: str) -> Certificate:
    from ..authorities import find
    from ..collect.rehearse._scenes import read_chain
    from ..errors import InputError
    from ..pki import Certificate

    if Path(text).is_file():
        return Certificate(read_chain(Path(text).read_bytes())[0])
    family, region = find(text)
    roots = [r for r in family.roots if r.is_root and not r.stage and (not region or r.region == region)]
    if len(roots) != 1:
        names = ", ".join(f"`{r.certificate.title}`" for r in roots[:6])
        raise InputError(f"`{text}` stands for {len(roots)} roots", hint=f"write the one you mean to a file: {names} …")
    return roots[0].certificate


def _scenes(
    pairs: dict[str, tuple[Path | None, Path | None]], root: Certificate | None, hosts: Sequence[str], hold: float
) -> list[Scene]:
    """The acts in the order in which they are played: first the one that everything else is read beside."""
    from ..collect.rehearse import _scenes as scenes
    from ..pki import Certificate
    from ..rehearsal import Act

    now, acts = datetime.now(UTC), []
    for act in (Act.CURRENT, Act.NEXT, Act.WRONG_NAME):
        chain_file, key_file = pairs[act.value]
        if chain_file is None:
            continue
        chain = scenes.read_chain(chain_file.read_bytes())
        if key_file is None:
            acts.append(scenes.keyless(act, chain, hold))
        else:
            acts.append(scenes.own(act, chain, key_file.read_bytes()))
    if root is not None:
        acts.append(scenes.forged(root, hosts, now))
        usage = root.key_usage
        if usage is None or usage.digital_signature:
            acts.append(scenes.keyless(Act.ROOT, (root.der,), hold))
    held = any(scene.hold for scene in acts)
    like = next((Certificate(s.chain[0]) for s in acts if s.act is Act.NEXT), None)
    return [scenes.control(hosts, now, like, hold=hold if held else 0.0), *acts]


def _rehearse(
    command: Sequence[str], places: Sequence[Place], scenes: Sequence[Scene], way: str, patience: float, show: bool, quiet: bool
) -> Rehearsed:
    from ..collect.rehearse.command import described, rehearse, ways_for

    first = ways_for(command, places, wanted=way)[0]
    if not quiet:
        where = ", ".join(map(str, places))
        click.echo(f"rehearsing `{command[0]}` in {len(scenes)} acts; {where} is led here by {described(first)}", err=True)
    return rehearse(command, places, scenes, way=way, patience=patience, show=2 if show else None)


def _listen(at: str, scenes: Sequence[Scene], allow: Sequence[str], lasting: float | None, quiet: bool) -> Watch:
    from ..collect.rehearse.listen import listen
    from ..collect.rehearse.stage import LOOPBACK, networks

    place = _place(at)
    tell = None if quiet else lambda line: click.echo(line, err=True)
    return listen(place.host, place.port, scenes, allow=networks(allow) if allow else LOOPBACK, lasting=lasting, tell=tell)


# ── what is shown ────────────────────────────────────────────────────────────────────────────────


def _by_the_hook(rehearsed: Rehearsed) -> list[Reason]:
    """What a Node program's own options say of the next chain, where the stage cannot see its judgement."""
    from ..collect.rehearse._node import work_out
    from ..rehearsal import Act

    chain = next((r.scene.chain for r in rehearsed.runs if r.scene.act is Act.NEXT), None)
    return list(work_out(rehearsed.reports, chain, datetime.now(UTC))) if chain and rehearsed.reports else []


def _beside_the_rules(rehearsed: Rehearsed, driver: str, dsn: str | None) -> list[Reason]:
    """What the rules foresee for the next chain on this machine, and whether the rehearsal bears it out."""
    import os

    from ..collect.machine import machine
    from ..model import Accepts, Given, Outcome, Reason, Server
    from ..pki import Certificate
    from ..rehearsal import Act, contradiction
    from ..verdict import answer

    chain = next((r.scene.chain for r in rehearsed.runs if r.scene.act is Act.NEXT), None)
    if chain is None:
        return [Reason("not-foreseen", "without a next chain the rules have nothing to foresee")]
    given = Given(
        driver, dsn=dsn, env=dict(os.environ), home=os.path.expanduser("~"), host=rehearsed.places[0].host, files=machine()
    )
    foreseen = answer(given, Server(Accepts.HOST), tuple(Certificate(d) for d in chain), datetime.now(UTC)).foreseen
    against = contradiction(foreseen.outcome, rehearsed.conclusion)
    if against is not None:
        return [against, *foreseen.reasons]
    if Outcome.UNKNOWN in (foreseen.outcome, rehearsed.conclusion.outcome):
        return [Reason("not-compared", f"the rules foresaw `{foreseen.outcome.value}`: nothing to compare", "rules")]
    return [Reason("foreseen", f"as the rules for `{driver}` foresaw: `{foreseen.outcome.value}`", "rules")]


CONTRADICTED = "rules-contradicted"


def data(rehearsed: Rehearsed, beside: Sequence[Reason] = ()) -> dict[str, object]:
    """``complete`` is false where it cannot be told."""
    from ..collect.rehearse._ways import privilege

    c = rehearsed.conclusion
    return {
        "complete": c.trust.value != "cannot-tell",
        "program": rehearsed.command[0].rsplit("/", 1)[-1],
        "servers": [str(p) for p in rehearsed.places],
        "led_by": {"way": rehearsed.way.name, "privilege": privilege(rehearsed.way)},
        "process": {
            "program": rehearsed.process.program,
            "family": rehearsed.process.family.value,
            "libraries": dict(rehearsed.process.libraries),
        },
        "conclusion": concluded(c),
        "beside": [{"code": r.code, "text": r.text, "source": r.source} for r in beside],
        "acts": [
            {
                "act": run.scene.act.value,
                "proof": run.scene.proof.value,
                "presented": _fingerprints(run.scene),
                "exit_code": run.exit_code,
                "seconds": round(run.seconds, 3),
                "reactions": [
                    {
                        "ending": m.reaction.ending.value,
                        "alert": m.reaction.alert,
                        "waited": m.reaction.waited,
                        "tls": m.reaction.tls,
                        "at": m.at.isoformat(),
                        "facts": dict(m.reaction.facts),
                    }
                    for m in run.met
                ],
            }
            for run in rehearsed.runs
        ],
    }


def concluded(c: Conclusion) -> dict[str, object]:
    return {
        "trust": c.trust.value,
        "host_name": c.name.value,
        "falls_back_to_plaintext": c.falls_back,
        "outcome": c.outcome.value,
        "reasons": [{"code": r.code, "text": r.text} for r in c.reasons],
        "hint": c.hint,
    }


def _fingerprints(scene: Scene) -> list[str]:
    from ..pki import Certificate

    return [Certificate(der).fingerprint for der in scene.chain]


def to_evidence(rehearsed: Rehearsed, beside: Sequence[Reason], now: datetime) -> Evidence:
    from ..model import Evidence, Strength

    facts = {
        **data(rehearsed, beside),
        "presented": {r.scene.act.value: [der.hex() for der in r.scene.chain] for r in rehearsed.runs},
    }
    return Evidence("rehearsal", rehearsed.command[0].rsplit("/", 1)[-1], "rehearse", now, Strength.REHEARSED, facts)


SAYS = {
    "trusts": "● trusts the next chain",
    "rejects": "✕ does not accept the next chain",
    "verifies-nothing": "○ verifies nothing",
    "never-asks-for-tls": "– never asks for TLS",
    "cannot-tell": "? cannot be told",
}


def text(rehearsed: Rehearsed, beside: Sequence[Reason] = ()) -> str:
    """The conclusion first, then what the acts have shown, then who was at the other end."""
    from ..collect.rehearse.command import described
    from ..reports.text import table

    c = rehearsed.conclusion
    head = f"{SAYS[c.trust.value]}: `{rehearsed.command[0].rsplit('/', 1)[-1]}` at {', '.join(map(str, rehearsed.places))}"
    parts = [head + "\n\n" + "\n".join(f"  {r.text}" for r in c.reasons if r.code != "reaction")]
    rows = [
        (
            run.scene.act.value,
            "ours" if run.scene.proof.value == "given" else "withheld, then wrong",
            *_met(run.met),
            f"{run.seconds:.1f} s",
        )
        for run in rehearsed.runs
    ]
    parts.append(table(("act", "key", "TLS", "the program", "took"), rows))
    who = rehearsed.process
    if who.program:
        parts.append(
            f"at the other end: {who.program} {' '.join(f'({name}: {file})' for name, file in who.libraries.items())}".rstrip()
        )
    if any(r.code == CONTRADICTED for r in beside):
        parts.insert(0, "✕ the rules and the rehearsal contradict each other: please report this")
    parts += [f"beside the acts: {r.text}" for r in beside]
    if c.hint:
        parts.append(f"hint: {c.hint}")
    came = sum(len(run.met) for run in rehearsed.runs)
    told = f"{len(rehearsed.runs)} acts, {came} connection{'s' * (came != 1)}, led by {described(rehearsed.way)}"
    return "\n\n".join([*parts, f"{told}; {NEXT[c.trust.value]}"])


NEXT = {
    "trusts": "next: `reroot plan`",
    "rejects": "next: `reroot trust add` the next root, then rehearse again",
    "verifies-nothing": "next: let it verify (`sslmode=verify-full`), then rehearse again",
    "never-asks-for-tls": "next: let it ask for TLS and verify",
    "cannot-tell": "incomplete: see the hint, and rehearse again",
}


def _met(met: Sequence[object]) -> tuple[str, str]:
    from ..collect.rehearse.stage import Met

    seen = [m.reaction for m in met if isinstance(m, Met)]
    if not seen:
        return "–", "did not come"
    words = list(dict.fromkeys(r.words for r in seen))
    return next((r.tls for r in seen if r.tls), "–"), ", then ".join(words[:3])
