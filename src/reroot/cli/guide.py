"""Be led through a rotation, step by step, with what is already known filled in."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._aws import logins, profile_option, region_options, regions_of, role_option
from ._next import again
from ._output import Outputs, emit, output_options, write_whole

if TYPE_CHECKING:
    from ..collect._awsdrift import Finding
    from ..collect._awsinventory import Wish, Written
    from ..collect._awsserved import Shown
    from ..collect.aws import Fleet, Region
    from ..pki.certificate import Certificate

TO = "rds-ca-rsa2048-g1"
Seen = Mapping["tuple[str, str, str]", "Shown"]
"""What a handshake with each instance showed, by account, region and id; empty when nobody asked for it."""


@click.group(name="guide")
def COMMAND() -> None:
    """A rotation as steps to follow, for one kind of fleet. Nothing is changed."""


@COMMAND.command("aurora")
@region_options
@profile_option
@role_option
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Only instances that carry this tag.")
@click.option("--to", default=TO, show_default=True, metavar="CA", help="The CA id to go to.")
@click.option(
    "--canary", default="", metavar="CLUSTER", help="The cluster that goes first. [default: a staging one, else the smallest]"
)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write an inventory for each region, and its roots, into this folder.",
)
@click.option(
    "--scanned", type=click.Path(path_type=Path), help="The JSON of `reroot scan`: finds code that would take the rotation back."
)
@click.option(
    "--roots",
    type=click.Path(path_type=Path),
    help="A folder of roots (PEM) that reroot does not carry: GovCloud's, China's, a stand-in's.",
)
@click.option(
    "--probe", "probing", is_flag=True, help="Shake hands with each instance too: what it shows, beside what the API says."
)
@click.option("--address", default="", metavar="ADDRESS", help="Dial this in place of every host's name; for a stand-in.")
@output_options
@click.pass_context
def aurora(
    ctx: click.Context,
    regions: tuple[str, ...],
    all_regions: bool,
    profiles: tuple[str, ...],
    roles: tuple[str, ...],
    tags: tuple[str, ...],
    to: str,
    canary: str,
    folder: Path | None,
    scanned: Path | None,
    roots: Path | None,
    probing: bool,
    address: str,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """The CA rotation of RDS and Aurora for PostgreSQL, from "which instances" to "is it going to stay so".

    Reads AWS's API, with the rights of `reroot emit iam`; changes nothing. Asked again after the rotation, it is the guard against
    drift. Its JSON is what `reroot lab aurora --like` practises on.

    Exit code 1: an instance, a default or a line of code is on another CA. 4: something could not be read.
    """
    from ..collect import aws
    from ..collect._awsdrift import findings
    from ..collect._awsinventory import Wish
    from ..collect._awsserved import differences, shown
    from ..reports import Document

    asked = logins(profiles, roles)
    wanted = regions_of(regions, all_regions, asked)
    if not quiet:
        click.echo(f"reading {', '.join(wanted)}", err=True)
    fleet = aws.discover(asked, wanted, tags=_pairs(tags))
    now = datetime.now(UTC)
    wish = Wish(to, canary=canary, address=address, known=_known(roots))
    seen = shown(fleet, wish.known, address) if probing else {}
    found = (*differences(fleet, seen), *findings(fleet, to, now, scanned=_scanned(scanned)))
    written = _written(fleet, wish, folder)
    document = Document("aws-fleet", data(fleet, found, to, seen), lambda: text(fleet, found, written, wish, folder, seen))
    emit(document, outputs, quiet=quiet)
    if _unread(fleet, seen):
        ctx.exit(4)
    if any(f.blocks for f in found):
        ctx.exit(1)


def _unread(fleet: Fleet, seen: Seen) -> tuple[tuple[str, str], ...]:
    from ..collect._awsserved import unseen

    return (*fleet.unread, *unseen(fleet, seen))


def data(fleet: Fleet, found: Sequence[Finding], to: str, seen: Seen) -> Mapping[str, object]:
    import msgspec

    from ..collect._awsserved import key

    return {
        "to": to,
        "complete": not _unread(fleet, seen),
        "regions": [
            {
                "name": r.name,
                "default": r.default,
                "authorities": msgspec.to_builtins(r.authorities),
                "proxies": msgspec.to_builtins(r.proxies),
                "serverless": msgspec.to_builtins(r.serverless),
                "global_clusters": msgspec.to_builtins(r.global_clusters),
                "deployments": msgspec.to_builtins(r.deployments),
            }
            for r in fleet.regions
        ],
        "instances": [
            msgspec.to_builtins(i)
            | {"restart_free": r.version(i).restart_free}
            | ({"shows": msgspec.to_builtins(seen[key(i)])} if key(i) in seen else {})
            for r in fleet.regions
            for i in r.instances
        ],
        "findings": msgspec.to_builtins(found),
        "unread": [{"subject": subject, "why": why} for subject, why in _unread(fleet, seen)],
    }


def text(fleet: Fleet, found: Sequence[Finding], written: Sequence[Written], wish: Wish, folder: Path | None, seen: Seen) -> str:
    """The steps, in their order; what is known stands in them."""
    from ..collect._awsserved import key
    from ..reports.text import counted, table

    unread = _unread(fleet, seen)

    rows: list[tuple[str, ...]] = [
        (i.id, i.region, i.cluster or "–", "writer" if i.is_writer else "reader", i.ca, f"{i.leaf_ends:%Y-%m-%d}" if i.leaf_ends else "?", i.status)
        for i in fleet.instances
    ]  # fmt: skip
    head: tuple[str, ...] = ("instance", "region", "cluster", "role", "CA", "certificate until", "status")
    if seen:
        told = (seen.get(key(i)) for i in fleet.instances)
        rows = [(*row, (t.ca or t.root or "?") if t else "?") for row, t in zip(rows, told, strict=True)]
        head = (*head, "shows")
    parts = [table(head, rows)] if rows else []
    steps = _steps(fleet, found, written, wish, folder) if rows or not unread else []
    parts += [_step(number, title, lines) for number, (title, lines) in enumerate(steps, 1)]
    if found:
        parts.append("\n".join(["what stands in the way, or is worth knowing:", *_told(found)]))
    elif rows or not unread:
        parts.append("nothing that was read drifts" if unread else "nothing drifts")
    if unread:
        parts.append("not read:\n" + "\n".join(f"  {subject}: {why}" for subject, why in unread))
    behind = sum(i.ca != wish.to for i in fleet.instances)
    follow = _next(bool(unread), written, folder, behind, {f.code for f in found})
    parts.append(
        f"{counted(len(fleet.instances), 'instance')}, {behind} not on `{wish.to}`; "
        f"{counted(sum(f.blocks for f in found), 'finding')} in the way; {follow}"
    )
    return "\n\n".join(parts)


def _next(incomplete: bool, written: Sequence[Written], folder: Path | None, behind: int, found: set[str]) -> str:
    if incomplete:
        return "incomplete: read what is missing, then ask again"
    if "ca-not-offered" in found and not written:
        return f"next: {again('--to', 'CA', without=('to',))} with a CA that is offered"
    if not behind:
        return "next: ask again each week, and after every restore"
    if folder is None:
        return f"next: {again('--write', 'plans')}"
    if not written:
        return f"next: {again('--roots', 'FOLDER')} with the folder that holds the roots"
    return f"next: `{shlex.join(['reroot', 'plan', '-i', f'{folder}/reroot-{written[0].label}.toml'])}`"


Steps = list[tuple[str, list[str]]]


def _steps(fleet: Fleet, found: Sequence[Finding], written: Sequence[Written], wish: Wish, folder: Path | None) -> Steps:
    from ..reports.text import counted

    forced = Counter(i.force_ssl for i in fleet.instances)
    restarts = [i.id for r in fleet.regions for i in r.instances if i.ca != wish.to and not r.version(i).restart_free]
    inventory = f"{folder}/reroot-{written[0].label}.toml" if folder and written else "reroot-REGION.toml"
    watched = [f"{folder}/observe-{w.label}.txt" for w in written] if folder else ["observe-REGION.txt"]
    return [
        (
            "is TLS forced? rds.force_ssl of each parameter group",
            [
                f"{counted(forced['1'], 'instance refuses', 'instances refuse')} clients without TLS, {forced['0']} take them, {sum(forced.values()) - forced['0'] - forced['1']} not known",
                "its default differs by engine and version, so it was read, not guessed",
            ],
        ),
        (
            "who connects, and how? every client, nightly jobs too",
            [
                *[f"reroot observe --from {file} --for 24h -o json=observed.json     (role: `reroot emit sql-role`)" for file in watched],
                "each instance is asked, readers too: a session is seen where it is; `--iam` logs in without a password",
                "it shows TLS or not, and never who verifies: that is in the clients' settings",
            ],
        ),
        (
            "who verifies? every place where settings and roots are written",
            ["reroot scan .", "then a [[client]] for each in the inventory; psql, pgAdmin, JDBC and Python differ, `reroot explain` says how"],
        ),
        (
            "both roots in every trust store, the old one stays",
            [
                *[line for name in dict.fromkeys(r.name for r in fleet.regions if r.instances) for line in _bundle(name)],
                "psql, pgAdmin and Python take the PEM, JDBC the PEM (`sslrootcert`) or a store (`-Djavax.net.ssl.trustStore`)",
                "what is there already: `reroot trust add FILE --root roots/REGION-CA.pem`, and the old root stays",
                f"reroot rotate plan.json -i {inventory} --through trust --execute",
            ],
        ),
        (
            "the plan: what happens to each client, canary first",
            [
                f"reroot plan -i {inventory}",
                f"restarts: {', '.join(restarts)}" if restarts else "no instance restarts for it",
                *[f"{w.label}: an inventory of its own, since every region has roots of its own" for w in written],
                *[f"left out: {id} {why}" for w in written for id, why in w.left_out],
            ],
        ),
        (
            "the rotation, staging first: readers before the writer, each watched, each with a way back",
            [
                f"reroot rotate plan.json -i {inventory} --through canary --execute",
                f"reroot rotate plan.json -i {inventory} --execute     (back: `reroot rollback -i {inventory}`)",
                *_ways_back(fleet, wish.to),
                *_hours(fleet, wish.to),
                "practise it before: `reroot lab aurora --like FILE`, of this command's `-o json=FILE`",
            ],
        ),
        (
            "so that it stays: defaults, code, restores",
            [*dict.fromkeys(f.hint for f in found if f.code in ("old-default", "code-reverts")), "reroot guide aurora     (again, each week)"],
        ),
    ]  # fmt: skip


def _bundle(region: str) -> list[str]:
    """How the roots of a region are had. What reroot does not carry is compared by `--roots` with the thumbprints that AWS tells."""
    from ..authorities import find
    from ..authorities._partitions import of

    files = f"-o pem={region}.pem,p12={region}.p12,jks={region}.jks"
    address = of(region).bundle(region)
    if region in find("aws")[0].regions or not address:
        return [f"reroot trust bundle --for aws:{region} {files}"]
    return [
        f"reroot trust fetch {address} {files}     (`--pin` each fingerprint that you compared)",
        f"`--roots FOLDER` with {region}.pem in it: of those, the roots whose thumbprints AWS's API tells are taken",
    ]


def _ways_back(fleet: Fleet, to: str) -> list[str]:
    """Until when the old CA can be had again: as long as it is offered and in its time."""
    lines = []
    for region in fleet.regions:
        for id in sorted({i.ca for i in region.instances if i.ca not in ("", to)}):
            known = region.authority(id)
            until = f"until {known.ends:%Y-%m-%d}" if known is not None else "is not there: it is offered no more"
            lines.append(f"{region.name}: a way back to `{id}` {'exists ' if known is not None else ''}{until}")
    return lines


def _hours(fleet: Fleet, to: str) -> list[str]:
    windows = Counter(i.window for i in fleet.instances if i.window and i.ca != to)
    if not windows:
        return []
    from ..reports.text import counted

    shown = ", ".join(f"{window} UTC ({count})" for window, count in windows.most_common(3))
    more = f" and {counted(len(windows) - 3, 'other')}" if len(windows) > 3 else ""
    return [f"changes are made at once, not in the maintenance windows ({shown}{more}): you choose the hour"]


def _step(number: int, title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{number}. {title}", *(f"   {line}" for line in lines)])


def _told(found: Sequence[Finding]) -> list[str]:
    """Findings of one kind and text together: five hundred instances on one CA are one line."""
    grouped: dict[tuple[str, str, bool, str], list[str]] = {}
    for one in found:
        grouped.setdefault((one.code, one.text, one.blocks, one.hint), []).append(one.subject)
    lines = []
    for (code, said, blocks, hint), subjects in grouped.items():
        shown = ", ".join(subjects[:4]) + (f" and {len(subjects) - 4} more" if len(subjects) > 4 else "")
        lines.append(f"  {'✕' if blocks else '·'} {code}: {shown}: {said}" + (f"\n      {hint}" if hint else ""))
    return lines


# ── what was given ───────────────────────────────────────────────────────────────────────────────


def _pairs(tags: tuple[str, ...]) -> dict[str, str]:
    from ..errors import InputError

    found = {}
    for one in tags:
        key, equals, value = one.partition("=")
        if not (key and equals):
            raise InputError(f"`{one}` is no tag", hint="write `--tag KEY=VALUE`")
        found[key] = value
    return found


def _scanned(path: Path | None) -> Sequence[Mapping[str, object]]:
    from ..errors import InputError

    if path is None:
        return ()
    try:
        found = json.loads(path.read_bytes())["findings"]
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", where=str(path)) from None
    except (ValueError, KeyError, TypeError):
        raise InputError("this is no scan", where=str(path), hint="`reroot scan . -o json=FILE` writes one") from None
    return list(found)


def _known(folder: Path | None) -> tuple[Certificate, ...]:
    from ..errors import InputError
    from ..truststores import read

    if folder is None:
        return ()
    files = sorted(folder.glob("*.pem")) if folder.is_dir() else [folder]
    try:
        return tuple(c for file in files for c in read(file.read_bytes()).certificates)
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", where=str(folder)) from None


def _written(fleet: Fleet, wish: Wish, folder: Path | None) -> list[Written]:
    """An inventory for each region that has something to rotate; one that is there already is not overwritten."""
    from ..collect._awsinventory import labels, write
    from ..errors import InputError

    asked = list(zip(fleet.regions, labels(fleet.regions), strict=True))
    made = [(region, write(region, wish, label)) for region, label in asked]
    found = [w for _, w in made if w is not None]
    if folder is None:
        return found
    (folder / "roots").mkdir(parents=True, exist_ok=True)
    for region, one in made:
        if one is None:
            continue
        path = folder / f"reroot-{one.label}.toml"
        if path.exists():
            raise InputError(f"`{path}` is there already", hint="your clients may be in it: give another folder, or move it away")
        for name, content in one.roots.items():
            write_whole(folder / "roots" / name, content.decode("ascii"))
        both = folder / "roots" / f"{one.label}.pem"
        write_whole(both, b"".join(one.roots.values()).decode("ascii"))
        write_whole(folder / f"observe-{one.label}.txt", _watched(region, wish, both))
        write_whole(path, one.text)
    return found


def _watched(region: Region, wish: Wish, roots: Path) -> str:
    """A line for `reroot observe --from` for each instance of *region*, checked against both of its roots."""
    address = f" hostaddr={wish.address}" if wish.address else ""
    return "".join(
        f"host={i.host}{address} port={i.port} user=reroot dbname=postgres sslmode=verify-full sslrootcert={roots.absolute()}\n"
        for i in region.instances
        if i.host
    )
