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
@click.option("--root", metavar="FILE|FAMILY", help="The next root, where no chain exists yet: a PEM file, or a family that has one root.")
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
@click.option(
    "--settle", type=click.FloatRange(0.1, 600), default=0.4, show_default=True, help="Seconds to wait for it to come again."
)
@click.option("--show-output", is_flag=True, help="Show what the program prints.")
@click.option("--listen", "listen_at", metavar="HOST:PORT", help="Be the stage for programs that are started elsewhere.")
@click.option("--allow", multiple=True, metavar="NETWORK", help="Who may come, with --listen; loopback without it.")
@click.option("--page", "page_at", metavar="[HOST:]PORT", help="A page to watch it by, on loopback, with --listen.")
@click.option(
    "--for", "lasting", type=click.FloatRange(0.1), help="Seconds to listen, or for a program that goes --through; without end else."
)
@click.option(
    "--through", metavar="HOST[:PORT]", help="The real server: in the act of the next chain, who logs in goes on to it. Needs --next-key."
)
@click.option("--through-roots", type=FILE, help="Roots to check the real server by (PEM).")
@click.option("--through-plain", is_flag=True, help="Go on to it without TLS.")
@click.option("--driver", metavar="NAME", help="Foresee with this driver's rules too, and compare.")
@click.option("--dsn", metavar="DSN", help="What that driver is given.")
@click.option("--ledger", metavar="FILE|URL", help="Keep the evidence here, under --rotation.")
@click.option("--rotation", default="", metavar="NAME", help="The rotation that the evidence belongs to.")
@click.option(
    "--client", default="", metavar="NAME",
    help="The client of the inventory that COMMAND is, or that alone comes to --listen: then verdicts count the rehearsal.",
)
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
    settle: float,
    show_output: bool,
    listen_at: str | None,
    allow: Sequence[str],
    page_at: str | None,
    lasting: float | None,
    through: str | None,
    through_roots: Path | None,
    through_plain: bool,
    driver: str | None,
    dsn: str | None,
    ledger: str | None,
    rotation: str,
    client: str,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Let a program meet the chain of after the cut-over, and see whether it trusts it.

    COMMAND runs as it is, once for each act; the name that it connects to is led to a stage on this machine. Nothing is behind the
    stage: the session ends after the handshake, no password is asked for. The chain's key is not needed.

    With --through, programs that must get past the handshake to behave (migrations, health checks) reach a real server in one act,
    and do there what they do. What authentication forbids is told before they start.

    With --listen the stage waits for programs that are started elsewhere and pointed at it.

    Exit code 1: it does not trust the chain, or checks nothing. 4: it cannot be told, or it was to go through and did not get in;
    the text says why and what to try.
    """
    from ..errors import InputError
    from ..reports import Document
    from ._rehearsed import CONTRADICTED, beside_the_rules, by_the_hook, data, gone_through, of_the_one, text, to_evidence

    if bool(command) == bool(listen_at):
        raise InputError("neither a command nor `--listen`" if not command else "both a command and `--listen`",
                         hint="`reroot rehearse --next chain.pem -- psql ...`")  # fmt: skip
    if not (next_chain or root):
        raise InputError("no chain to rehearse", hint="`--next CHAIN.pem`, or `--root` where there is no chain yet")
    if page_at and not listen_at:
        raise InputError("`--page` belongs to `--listen`")
    if bool(ledger) != bool(rotation):
        raise InputError("`--ledger` and `--rotation` belong together")
    if client and (not ledger or (listen_at and not servers)):
        raise InputError("`--client` names whose evidence is kept: it belongs to `--ledger` and, with `--listen`, to `--server`",
                         hint="`--server` is the server of the inventory that it is led away from")  # fmt: skip
    places = tuple(_place(s) for s in servers) if listen_at else tuple(_place(s) for s in servers) or _seen_in(command)
    pairs = {"next": (next_chain, next_key), "current": (current, current_key), "wrong-name": (wrong_name, wrong_name_key)}
    hosts = [p.host for p in places] or _names(next_chain) or ["localhost"]
    scenes = _scenes(pairs, _root(root) if root else None, hosts, hold)
    if through:
        scenes = _through(scenes, through, through_roots, through_plain, command, quiet)
    elif through_roots or through_plain:
        raise InputError("`--through-roots` and `--through-plain` belong to `--through`")
    contradicted = kept_out = False
    if listen_at:
        watch = _listen(listen_at, page_at, scenes, allow, lasting, quiet)
        document = Document("rehearsal-listen", watch.data(), watch.text)
        found, interrupted = [c for _, c in watch.conclusions()], watch.interrupted and lasting is not None
        evidence, why = watch.evidence(), ""
        if client:
            evidence, why = of_the_one(watch, client, places)
        elif ledger and evidence:
            why = "no verdict counts what is kept by address"
        if why and not quiet:
            click.echo(f"{why}\n\nhint: let one client come by the server's own name: `--client NAME --server HOST:PORT --allow ADDRESS`",
                       err=True)  # fmt: skip
    else:
        rehearsed = _rehearse(command, places, scenes, way, patience, settle, lasting, show_output, quiet)
        beside = [*by_the_hook(rehearsed), *gone_through(rehearsed), *(beside_the_rules(rehearsed, driver, dsn) if driver else ())]
        document = Document("rehearsal", data(rehearsed, beside), lambda: text(rehearsed, beside))
        found, interrupted = [rehearsed.conclusion], False
        evidence = [to_evidence(rehearsed, beside, datetime.now(UTC), client)]
        contradicted = any(r.code == CONTRADICTED for r in beside)
        kept_out = bool(through) and not any(r.code == "through-let-in" for r in beside)
    if ledger:
        from ..ledger import open_ledger

        with open_ledger(ledger) as kept:
            kept.keep(rotation, tuple(evidence))
    emit(document, outputs, quiet=quiet)
    ctx.exit(130 if interrupted else 1 if contradicted else 4 if kept_out and not _exit_code(found) else _exit_code(found))


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
        one = f"`reroot trust bundle --for {text} --to CA --only -o pem=next.pem` writes the one you mean, then `--root next.pem`"
        raise InputError(f"`{text}` stands for {len(roots)} roots: {names}", hint=family.where(region) or one)
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


def _through(
    scenes: list[Scene], to: str, roots: Path | None, plain: bool, command: Sequence[str], quiet: bool
) -> list[Scene]:
    """The same scenes; who logs in over the next chain goes on to the server *to*. Raises where that cannot be."""
    import os
    from dataclasses import replace

    from ..collect.rehearse._places import login_in
    from ..collect.rehearse.through import Upstream, forbidden, look_ahead
    from ..errors import InputError
    from ..rehearsal import Act, Proof

    if not any(s.act is Act.NEXT and s.proof is Proof.GIVEN for s in scenes):
        raise InputError("nobody gets through without the key of the next chain", hint="`--next-key KEY.pem`, with `--next`")
    why = forbidden(command, os.environ)
    if why:
        raise InputError(f"{why}: it would be refused behind a stage, whatever its trust", hint="rehearse it without `--through`")
    place = _place(to)
    upstream = Upstream(place.host, place.port, roots.read_bytes() if roots else b"", plain)
    ahead = look_ahead(upstream, *login_in(command, os.environ))
    if not quiet:
        click.echo("\n".join((*ahead.notes, "it runs there until it ends, or for as long as `--for` says; Ctrl-C ends it")), err=True)
    return [replace(s, through=upstream, prepared={}) if s.act is Act.NEXT else s for s in scenes]


def _rehearse(
    command: Sequence[str],
    places: Sequence[Place],
    scenes: Sequence[Scene],
    way: str,
    patience: float,
    settle: float,
    lasting: float | None,
    show: bool,
    quiet: bool,
) -> Rehearsed:
    from ..collect.rehearse.command import described, rehearse, ways_for

    first = ways_for(command, places, wanted=way)[0]
    if not quiet:
        from ..reports.text import counted

        where = ", ".join(map(str, places))
        click.echo(f"rehearsing `{command[0]}` in {counted(len(scenes), 'act')}; {where} is led here by {described(first)}", err=True)
    return rehearse(command, places, scenes, way=way, patience=patience, settle=settle, show=2 if show else None, lasting=lasting)


def _listen(
    at: str, page_at: str | None, scenes: Sequence[Scene], allow: Sequence[str], lasting: float | None, quiet: bool
) -> Watch:
    from ..collect.rehearse.listen import listen
    from ..collect.rehearse.stage import LOOPBACK, networks

    place = _place(at)
    page = None
    if page_at is not None:
        shown = _place(page_at if ":" in page_at else f"127.0.0.1:{page_at}")
        page = (shown.host, shown.port)
    tell = None if quiet else lambda line: click.echo(line, err=True)
    allowed = networks(allow) if allow else LOOPBACK
    return listen(place.host, place.port, scenes, allow=allowed, lasting=lasting, tell=tell, page=page)
