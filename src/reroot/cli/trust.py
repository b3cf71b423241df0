"""Look at trust stores with the eyes of the program that reads them, and change them without losing a root."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ..errors import InputError
from ._output import Outputs, emit, output_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..collect.trustfiles import Change
    from ..model import Secret


@click.group()
def trust() -> None:
    """Look at trust stores with the eyes of the program that reads them, and change them without losing a root.

    \b
    reroot trust show /etc/pki/db.jks --reader java-17
    reroot trust check /etc/pki/db.pem --chain served.pem --reader openssl-3.0
    reroot trust add /etc/pki/db.pem --root next.pem --execute
    reroot trust bundle --for aws:eu-west-1 -o pem=db.pem,p12=db.p12
    """


def _password(context: click.Context, _option: click.Parameter, value: str | None) -> Secret | None:
    from ..model import Secret

    if value is None:
        return None
    try:
        return Secret(Path(value).read_text(encoding="utf-8").split("\n")[0].removesuffix("\r"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the password file cannot be read", where=value) from error


def _when(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime:
    if value is None:
        return datetime.now(UTC)
    from ..collect.cases import moment

    return moment(value)


PASSWORD = click.option(
    "--password-file", "password", callback=_password, metavar="FILE", help="File whose first line is the trust store's password."
)
READER = click.option(
    "--reader", metavar="NAME", help="Whose eyes to look with: openssl-3.0, java-17, node-20, go-1.23, python-3.13 …"
)
AT = click.option("--at", "when", callback=_when, help="The time that counts, as 2027-01-31T00:00:00Z; now when not named.")
EXECUTE = click.option("--execute", is_flag=True, help="Do it. Without this nothing is written.")
ALLOW = click.option("--allow", "allowed", metavar="FOLDER", help="Follow links as long as they stay in this folder.")
KEY = click.option(
    "--key", default="", metavar="KEY", help="Which bundle of a manifest with several: its key, or its first line."
)
FILES = click.argument("files", nargs=-1, required=True, metavar="FILE…")


@trust.command()
@click.argument("file", required=False)
@READER
@click.option("--store-type", help="The type the reader was told: JKS, PKCS12, PEM; what it would assume when not named.")
@PASSWORD
@AT
@click.option("--batch", metavar="CASES", help="Answer many questions: a file with one JSON object a line.")
@output_options
@click.pass_context
def show(
    context: click.Context,
    file: str | None,
    reader: str | None,
    store_type: str | None,
    password: Secret | None,
    when: datetime,
    batch: str | None,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Which roots a program really gets from a trust store."""
    if batch is not None:
        if file is not None:
            raise InputError("`--batch` takes no file beside it")
        context.exit(_answer_batch(batch, outputs, when))
    if file is None:
        raise InputError("no file was named", hint="give a trust store, or `--batch CASES.jsonl`")
    from . import _trust

    shown = _trust.shown(file, reader, store_type, password, when)
    emit(_trust.show_document(shown), outputs, quiet=quiet)
    context.exit(0 if shown.is_fine else 1)


def _answer_batch(source: str, outputs: Outputs, when: datetime) -> int:
    """One answer a line, in the order of the questions; 4 when a line could not be answered."""
    from ..collect._trustcases import answers

    for name, _ in outputs:
        if name not in ("json", "text"):
            raise InputError(f"`{name}` cannot show a batch", hint="use `-o json=OUT.jsonl`")
    import msgspec

    with ExitStack() as stack:
        try:
            lines = sys.stdin.buffer if source == "-" else stack.enter_context(open(source, "rb"))
        except OSError as error:
            raise InputError(f"the cases cannot be read: {error.strerror}", where=source) from error
        targets = [_target(stack, file) for _, file in outputs]
        bad = 0
        for values in answers(lines, when):
            bad += "error" in values
            for target in targets:
                target.write(msgspec.json.encode(values) + b"\n")
    return 4 if bad else 0


def _target(stack: ExitStack, file: str | None) -> BinaryIO:
    if file is None:
        return sys.stdout.buffer
    try:
        return stack.enter_context(open(file, "wb"))
    except OSError as error:
        raise InputError(f"cannot write `{file}`: {error.strerror}") from error


@trust.command()
@click.argument("file")
@click.option("--chain", required=True, metavar="FILE", help="PEM file with the chain a server presents, leaf first.")
@READER
@click.option("--host", help="The name the client connects to; no name is checked without it.")
@click.option("--store-type", help="The type the reader was told: JKS, PKCS12, PEM; what it would assume when not named.")
@PASSWORD
@AT
@output_options
@click.pass_context
def check(
    context: click.Context,
    file: str,
    chain: str,
    reader: str | None,
    host: str | None,
    store_type: str | None,
    password: Secret | None,
    when: datetime,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Whether a chain verifies against a trust store, for the program that reads it."""
    from . import _trust

    checked = _trust.checked(file, chain, reader, host, store_type, password, when)
    emit(_trust.check_document(checked), outputs, quiet=quiet)
    context.exit({True: 0, False: 1, None: 4}[checked.trusted])


@trust.command()
@FILES
@click.option("--root", "names", multiple=True, required=True, help="A file, `aws:REGION/ID`, or a known root's fingerprint.")
@READER
@PASSWORD
@ALLOW
@KEY
@EXECUTE
@output_options
@click.pass_context
def add(
    context: click.Context,
    files: tuple[str, ...],
    names: tuple[str, ...],
    reader: str | None,
    password: Secret | None,
    allowed: str | None,
    key: str,
    execute: bool,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Put roots into trust stores; every root that is there stays."""
    from ..collect import trustfiles
    from ..collect._trustsources import roots

    wanted = tuple(dict.fromkeys(root for name in names for root in roots(name)))

    def one(path: str, book: trustfiles.Journal) -> Change:
        return trustfiles.add_root(
            path, wanted, execute=execute, password=password, reader=reader, allowed=allowed, journal=book, key=key
        )

    _each(context, files, one, execute=execute, outputs=outputs, quiet=quiet)


@trust.command()
@FILES
@click.option(
    "--root", "names", multiple=True, required=True, help="A root of the file: fingerprint, name, or a file that holds it."
)
@click.option(
    "--retire", is_flag=True, help="Say that the retire gate was passed: no server uses the root, nobody needs to go back."
)
@READER
@PASSWORD
@ALLOW
@KEY
@EXECUTE
@output_options
@click.pass_context
def remove(
    context: click.Context,
    files: tuple[str, ...],
    names: tuple[str, ...],
    retire: bool,
    reader: str | None,
    password: Secret | None,
    allowed: str | None,
    key: str,
    execute: bool,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Take roots out of trust stores, once the retire gate is open."""
    from ..collect import trustfiles
    from ..collect._trustsources import among

    def one(path: str, book: trustfiles.Journal) -> Change:
        gone = among(trustfiles.held(path, password), names, where=path)
        return trustfiles.remove_root(
            path, gone, execute=execute, retire=retire, password=password, reader=reader, allowed=allowed, journal=book, key=key
        )

    _each(context, files, one, execute=execute, outputs=outputs, quiet=quiet)


@trust.command()
@FILES
@READER
@PASSWORD
@ALLOW
@EXECUTE
@output_options
@click.pass_context
def undo(
    context: click.Context,
    files: tuple[str, ...],
    reader: str | None,
    password: Secret | None,
    allowed: str | None,
    execute: bool,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Bring back, byte for byte, what stood there before the last change."""
    from ..collect import trustfiles

    def one(path: str, book: trustfiles.Journal) -> Change:
        return trustfiles.undo(path, execute=execute, password=password, reader=reader, allowed=allowed, journal=book)

    _each(context, files, one, execute=execute, outputs=outputs, quiet=quiet)


def _each(
    context: click.Context, files: Sequence[str], one: Callable[..., Change], *, execute: bool, outputs: Outputs, quiet: bool
) -> None:
    """Every file in turn; what cannot be changed does not keep the others from it."""
    from ..collect.trustfiles import many
    from . import _trust

    results = many(files, one, execute=execute)
    emit(_trust.change_document(results, execute=execute), outputs, quiet=quiet)
    errors = [error for _, _, error in results if error is not None]
    if errors:
        from . import show as show_error

        for error in errors:
            show_error(error)
        context.exit(max(error.exit_code for error in errors))
    context.exit(1 if any(change is not None and change.patch for _, change, _ in results) else 0)


@trust.command()
@click.option("--for", "place", metavar="FAMILY[:REGION]", help="Whose servers: aws:eu-west-1, aws-proxy, azure …")
@click.option("--from", "old", metavar="ID", help="The CA that is being left; kept while it is valid.")
@click.option("--to", "new", metavar="ID", help="The CA that comes.")
@click.option("--only", is_flag=True, help="Only the CAs named by --from and --to, not every one the region may use.")
@click.option("--root", "names", multiple=True, help="A root beside them: a file, or a known root's fingerprint.")
@click.option(
    "-o", "--output", "targets", multiple=True, metavar="FORMAT=FILE,…", help="pem=FILE, p12=FILE, jks=FILE; also text, json."
)
@click.option("--json", "as_json", is_flag=True, help="Same as -o json.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors on the terminal.")
@PASSWORD
@AT
def bundle(
    place: str | None,
    old: str | None,
    new: str | None,
    only: bool,
    names: tuple[str, ...],
    targets: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    password: Secret | None,
    when: datetime,
) -> None:
    """Make the smallest bundle that serves: no expired roots, no Beta or Preview ones."""
    from . import _trustbundle

    outputs, files = _trustbundle.split_targets((*targets, "json") if as_json else targets)
    made = _trustbundle.chosen(place, old, new, only=only, names=names, when=when)
    written = _trustbundle.write(made.roots, files, password)
    emit(_trustbundle.document(made, written), outputs, quiet=quiet)


@trust.command()
@click.argument("address")
@click.option("--pin", "pins", multiple=True, metavar="SHA256", help="A fingerprint that is expected, beside those known.")
@click.option("--accept-unpinned", is_flag=True, help="Take certificates that match no pinned fingerprint, too.")
@click.option(
    "-o", "--output", "targets", multiple=True, metavar="FORMAT=FILE,…", help="pem=FILE, p12=FILE, jks=FILE; also text, json."
)
@click.option("--json", "as_json", is_flag=True, help="Same as -o json.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors on the terminal.")
@PASSWORD
@AT
def fetch(
    address: str,
    pins: tuple[str, ...],
    accept_unpinned: bool,
    targets: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    password: Secret | None,
    when: datetime,
) -> None:
    """Bring a bundle from an address, and refuse what matches no pinned fingerprint."""
    from ..collect._trustfetch import fetched
    from . import _trustbundle

    outputs, files = _trustbundle.split_targets((*targets, "json") if as_json else targets)
    roots = fetched(address, pins=pins, accept_unpinned=accept_unpinned)
    made = _trustbundle.Chosen(address, roots, ())
    written = _trustbundle.write(roots, files, password)
    emit(_trustbundle.document(made, written, when=when), outputs, quiet=quiet)


COMMAND = trust
