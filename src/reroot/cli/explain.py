"""Say what a driver will do with its settings, why, and what a rotation does to it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from ..errors import InputError, RerootError
from ..model import Files
from ..reports import Document
from ._output import Outputs, emit, output_options
from ._rotation import ledger_option

if TYPE_CHECKING:
    from ..pki import Certificate


@click.command()
@click.argument("subject", required=False)
@click.argument("server", required=False)
@click.option(
    "-i",
    "--inventory",
    "inventory_path",
    type=click.Path(path_type=Path),
    default=Path("reroot.toml"),
    show_default=True,
    help="Where clients are declared.",
)
@ledger_option
@click.option("--driver", help="The client's driver: libpq, psycopg2, pgjdbc … A JDBC URL needs none.")
@click.option("--driver-version", help="Its version; without one, every version is considered.")
@click.option("--runtime", multiple=True, metavar="NAME=VERSION", help="What it stands on: libpq=15, openssl=3.0.19, java=17 …")
@click.option("--env", "env", multiple=True, metavar="NAME=VALUE", help="A variable of the client's environment.")
@click.option("--home", type=click.Path(), help="The folder that stands for the client's home; yours when not named.")
@click.option("--host", help="The name it connects to, where its settings name none.")
@click.option("--chain", type=click.Path(), help="PEM file with the chain the server presents now, leaf first.")
@click.option("--next-chain", type=click.Path(), help="PEM file with the chain it will present after the rotation.")
@click.option("--accepts", type=click.Choice(["hostssl", "host", "hostnossl", "no-tls"]), help="Which logins the server takes.")
@click.option("--at", help="The time that counts, as 2027-01-31T00:00:00Z; now when not named.")
@click.option("--batch", type=click.Path(allow_dash=True), help="Answer many questions: a file with one JSON object a line.")
@output_options
@click.pass_context
def explain(
    context: click.Context,
    subject: str | None,
    server: str | None,
    inventory_path: Path,
    ledger: str | None,
    driver: str | None,
    driver_version: str | None,
    runtime: tuple[str, ...],
    env: tuple[str, ...],
    home: str | None,
    host: str | None,
    chain: str | None,
    next_chain: str | None,
    accepts: str | None,
    at: str | None,
    batch: str | None,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Say what a driver will do with its settings, and why.

    SUBJECT is a connection string, a rule (RR104), a client of the inventory (then SERVER may name one of its servers), or a
    settings file or trust store.

    \b
    reroot explain 'host=db sslmode=require' --driver psycopg2
    reroot explain RR104
    reroot explain 'jdbc:postgresql://db/app?ssl=true' --chain now.pem --next-chain next.pem
    reroot explain --batch cases.jsonl -o json=answers.jsonl

    Exit code 1: it does not connect, the rotation would change what it gets, or a file breaks a rule. 4: some line of a batch could not
    be answered.
    """
    if batch is not None:
        if subject is not None:
            raise InputError("`--batch` takes no subject beside it")
        context.exit(answer_batch(batch, outputs))
    if subject is None:
        raise InputError(
            "nothing to explain", hint="give a connection string, a rule, a client or a file, or `--batch CASES.jsonl`"
        )
    now = _moment(at) if at else datetime.now(UTC)
    found = _about(subject, server, inventory_path, now, driver, ledger)
    if found is not None:
        document, well = found
        emit(document, outputs, quiet=quiet)
        context.exit(0 if well else 1)
    if server is not None:
        raise InputError(f"`{subject}` is no client of `{inventory_path}`", hint="a server is named only beside a client")
    from ..collect.machine import machine
    from ..model import Accepts, Given, Outcome, Server, Verdict
    from ..reports._explanation import document as explanation
    from ..verdict import answer, judge

    given = Given(
        driver=driver or ("pgjdbc" if subject.startswith("jdbc:") else "libpq"),
        version=driver_version,
        runtime=_pairs(runtime, "--runtime"),
        dsn=subject,
        env=_pairs(env, "--env"),
        home=home or str(Path.home()),
        host=host,
        files=machine(),
    )
    known = Server(Accepts(accepts)) if accepts else None
    today = answer(given, known, _chain(chain) if chain else None, now)
    then = answer(given, known, _chain(next_chain), now) if next_chain else None
    emit(explanation(given, today, then), outputs, quiet=quiet)
    is_refused = today.foreseen.outcome is Outcome.REFUSED
    if is_refused or (then is not None and judge(today.foreseen, then.foreseen) is not Verdict.READY):
        context.exit(1)


def _about(
    subject: str, server: str | None, inventory_path: Path, now: datetime, driver: str | None, ledger: str | None
) -> tuple[Document, bool] | None:
    """A document on a rule, a client or a file, and whether all is well with it; None for a connection string."""
    from . import _subjects

    if driver is not None:
        return None
    rule = _subjects.rule(subject)
    if rule is not None:
        from ..reports._rulepage import document

        return document(rule), True
    client = _subjects.client(subject, server, inventory_path, now, ledger)
    if client is None and "=" not in subject and "://" not in subject and Path(subject).is_file():
        return _subjects.file(subject)
    if client is None and server is None:
        _subjects.refuse_word(subject, inventory_path)
    return client


def _moment(text: str) -> datetime:
    from ..collect import cases  # reads certificates, which most questions do without

    return cases.moment(text)


def _chain(path: str) -> tuple[Certificate, ...]:
    from ..collect import cases

    return cases.chain(path)


def _pairs(values: Iterable[str], option: str) -> dict[str, str]:
    found = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise InputError(f"`{option}` wants NAME=VALUE")
        found[name] = text
    return found


def answer_batch(source: str, outputs: Outputs) -> int:
    """One answer a line, in the order of the questions; lines that are none get an error of their own."""
    from ..collect.machine import machine

    for name, _ in outputs:
        if name not in {"json", "text"}:
            raise InputError(f"`{name}` cannot show a batch", hint="use `-o json=OUT.jsonl`")
    with ExitStack() as stack:
        try:
            lines = sys.stdin.buffer if source == "-" else stack.enter_context(open(source, "rb"))
        except OSError as error:
            raise InputError(f"cannot read the cases: {error.strerror}", where=source) from error
        targets = [_target(stack, file) for _, file in outputs]
        bad = 0
        for values in answers(lines, machine(), datetime.now(UTC)):
            bad += "error" in values
            line = _encode(values)
            for target in targets:
                target.write(line)
    return 4 if bad else 0


def _target(stack: ExitStack, file: str | None) -> BinaryIO:
    if file is None:
        return sys.stdout.buffer
    try:
        return stack.enter_context(open(file, "wb"))
    except OSError as error:
        raise InputError(f"cannot write `{file}`: {error.strerror}") from error


def _encode(values: dict[str, object]) -> bytes:
    import msgspec

    return msgspec.json.encode(values) + b"\n"


def answers(lines: Iterable[bytes], files: Files, now: datetime) -> Iterator[dict[str, object]]:
    """The answers to lines of questions."""
    from ..collect import cases
    from ..reports._answer import as_values
    from ..verdict import answer

    for line in lines:
        if not line.strip():
            continue
        try:
            case = cases.read(line, files, now)
            yield {"id": case.id, **as_values(answer(case.given, case.server, case.chain, case.at))}
        except RerootError as error:
            place = f"{error.where}: " if error.where else ""
            yield {"id": cases.line_id(line), "error": f"{place}{error.message}"}
        except Exception as error:  # one line's fault is never another's: the rest is answered
            yield {"id": cases.line_id(line), "error": f"this case could not be answered: {type(error).__name__}"}


COMMAND = explain
