"""Look at what servers serve: their certificate chain, TLS version and cipher, by a handshake without a login."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import click

from ._output import Outputs, emit, output_options

if TYPE_CHECKING:
    from ..collect.probe import Probed, Target
    from ..pki.certificate import Certificate


@click.command(name="probe")
@click.argument("targets", nargs=-1, metavar="HOST[:PORT]...")
@click.option("--from", "source", type=click.File(encoding="utf-8"), help="More targets, one a line; - is standard input.")
@click.option("--direct", is_flag=True, help="Start TLS without asking first (PostgreSQL 17 and later).")
@click.option("--timeout", type=click.FloatRange(0.1, 600), default=5.0, show_default=True, help="Seconds for one server.")
@click.option("--servername", metavar="NAME", help="Name to ask for (SNI) in place of the host's.")
@click.option("--concurrency", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Connections open at once.")
@output_options
@click.pass_context
def COMMAND(
    ctx: click.Context,
    targets: Sequence[str],
    source: TextIO | None,
    direct: bool,
    timeout: float,
    servername: str | None,
    concurrency: int,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Shake hands with servers and show the certificate chain that each serves.

    Nothing is sent but the request for TLS, the handshake and its end: no user, no password, nothing that alarms in a server's
    log. All addresses of a name are asked; one address at most 20 times a second.

    Exit code 1: a server has no TLS, or serves a certificate that is out of date or unreadable. 4: some server did not answer.
    """
    from ..collect.probe import parse_target, probe
    from ..errors import InputError
    from ..reports import Document

    wanted = [parse_target(text) for text in targets] + (_listed(source) if source else [])
    wanted = list(dict.fromkeys(wanted))
    if not wanted:
        raise InputError("no server to probe", hint="name one: `reroot probe db1.example.com db2.example.com:6432`")
    if not quiet:
        click.echo(f"probing {_count(len(wanted), 'server')}: a handshake each, no login", err=True)
    found = list(probe(wanted, timeout=timeout, concurrency=concurrency, direct=direct, server_name=servername))
    order = {target: i for i, target in enumerate(wanted)}
    found.sort(key=lambda p: (order[p.target], p.address))
    now = datetime.now(UTC)
    emit(Document("probe", data(found, now), lambda: text(found, now)), outputs, quiet=quiet)
    if not all(p.has_answered for p in found):
        ctx.exit(4)
    if any(stands_in_the_way(p, now) for p in found):
        ctx.exit(1)


def _listed(source: TextIO) -> list[Target]:
    from ..collect.probe import parse_target
    from ..errors import InputError

    found = []
    try:
        for number, line in enumerate(source, start=1):
            if word := line.partition("#")[0].strip():
                try:
                    found.append(parse_target(word))
                except InputError as error:
                    raise InputError(error.message, where=f"{source.name}:{number}", hint=error.hint) from None
    except UnicodeDecodeError:
        raise InputError("not a text file", where=source.name, hint="one `HOST` or `HOST:PORT` a line, in UTF-8") from None
    return found


def stands_in_the_way(probed: Probed, now: datetime) -> bool:
    """No TLS, or a certificate in the chain that is unreadable or out of date."""
    return not probed.chain or not all(c.is_readable and c.is_valid_at(now) for c in certificates(probed))


def certificates(probed: Probed) -> list[Certificate]:
    from ..pki.certificate import Certificate

    return [Certificate(der) for der in probed.chain]


def data(found: Sequence[Probed], now: datetime) -> dict[str, object]:
    seen = {c.fingerprint: c for p in found for c in certificates(p)}
    return {
        "complete": all(p.has_answered for p in found),
        "servers": [
            {
                "target": str(p.target),
                "host": p.target.host,
                "port": p.target.port,
                "address": p.address,
                "answer": p.answer.value,
                "protocol": p.protocol,
                "cipher": p.cipher,
                "chain": [c.fingerprint for c in certificates(p)],
                "why": p.why,
                "hint": p.hint,
                "seen_at": p.seen_at.isoformat(),
            }
            for p in found
        ],
        "certificates": {fingerprint: described(c, now) for fingerprint, c in seen.items()},
    }


def described(certificate: Certificate, now: datetime) -> dict[str, object]:
    """One certificate in plain values; only its bytes when nothing else can be read."""
    import ssl

    pem = ssl.DER_cert_to_PEM_cert(certificate.der)
    if not certificate.is_readable:
        return {"readable": False, "pem": pem}
    return {
        "readable": True,
        "title": certificate.title,
        "issuer": certificate.issuer_title,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "days_left": (certificate.not_after - now).days,
        "dns_names": certificate.dns_names,
        "ip_addresses": certificate.ip_addresses,
        "is_ca": certificate.is_ca,
        "key": list(certificate.key),
        "pem": pem,
    }


def text(found: Sequence[Probed], now: datetime) -> str:
    """Servers first, then each distinct chain, then what went wrong, then the counts."""
    from ..collect.probe import Answer
    from ..reports.text import table

    chains = {chain: i for i, chain in enumerate(dict.fromkeys(p.chain for p in found if p.chain), start=1)}
    serves = [f"chain {chains[p.chain]}" if p.chain else p.why for p in found]
    rows = [(p.where, p.answer.value, p.protocol or "–", p.cipher or "–", s) for p, s in zip(found, serves, strict=True)]
    parts = [table(("server", "answer", "protocol", "cipher", "serves"), rows)]
    for probed in {p.chain: p for p in reversed(found) if p.chain in chains}.values():
        sharing = sum(p.chain == probed.chain for p in found)
        parts.append(f"chain {chains[probed.chain]}, served by {_count(sharing, 'address', 'addresses')}\n" + _chain(probed, now))
    causes = dict.fromkeys((p.why, p.hint) for p in found if p.why)
    parts += [f"{why[0].upper()}{why[1:]}\nhint: {hint}" for why, hint in causes]
    counts = {a: sum(p.answer is a for p in found) for a in Answer}
    told = ", ".join(f"{n} {a.value}" for a, n in counts.items() if n)
    ready = all(p.has_answered for p in found)
    follow = "next: `reroot observe` shows who connects to them" if ready else "incomplete: somebody did not answer; probe again"
    return "\n\n".join([*parts, f"{_count(len(found), 'address', 'addresses')}: {told}; {follow}"])


def _chain(probed: Probed, now: datetime) -> str:
    from ..reports.text import table

    rows, names = [], ""
    for i, c in enumerate(certificates(probed)):
        if not c.is_readable:
            rows.append((str(i), "unreadable certificate", "–", "–", "–", "–", c.fingerprint))
            continue
        dates = (c.not_before.date().isoformat(), c.not_after.date().isoformat(), _left(c, now))
        rows.append((str(i), c.title, c.issuer_title, *dates, c.fingerprint))
        if i == 0:
            names = _names((*c.dns_names, *c.ip_addresses)) or "none, only the common name"
    head = ("", "certificate", "issued by", "from", "until", "days left", "sha256")
    return table(head, rows, indent="  ") + (f"\n  names: {names}" if names else "")


def _left(certificate: Certificate, now: datetime) -> str:
    if now > certificate.not_after:
        return "expired"
    return "not yet valid" if now < certificate.not_before else str((certificate.not_after - now).days)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
