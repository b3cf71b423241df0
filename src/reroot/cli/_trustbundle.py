"""What ``reroot trust bundle`` and ``fetch`` choose, write and show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from .. import authorities, reports, truststores
from ..collect._trustcases import read
from ..collect._trustlimits import guarded
from ..collect._trustsources import roots as named_roots
from ..errors import InputError, TrustStoreError
from ..model import Secret
from ..pki.certificate import Certificate
from ..reports import Document
from ..reports.text import counted, table
from ._output import Outputs, write_whole

WORDS = {"p12": "pkcs12", "pfx": "pkcs12", "p7b": "pkcs7"}
USUAL_PASSWORD = "changeit"
"""Java's own; a trust store of public certificates keeps no secret."""


@dataclass(frozen=True)
class Chosen:
    """The roots of a bundle, and what was left out with the reason."""

    title: str
    roots: tuple[Certificate, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Written:
    path: str
    format: str
    state: str
    password: str = ""


def split_targets(values: Sequence[str]) -> tuple[Outputs, tuple[tuple[str, str], ...]]:
    """``pem=a.pem,p12=b.p12`` and ``text`` or ``json=FILE`` apart: reports, and trust stores to write."""
    outputs: list[tuple[str, str | None]] = []
    files: list[tuple[str, str]] = []
    for value in (part for item in values for part in item.split(",")):
        name, _, file = value.partition("=")
        if name in reports.names():
            outputs.append((name, file or None))
            continue
        name = WORDS.get(name, name)
        if name not in truststores.names() or truststores.find(name).create is None:
            raise click.BadParameter(f"`{name}` is no format of a bundle; there are `pem`, `p12`, `jks`, `jceks`, `p7b`, `der`")
        if not file:
            raise click.BadParameter(f"`{value}` names no file")
        files.append((name, file))
    return tuple(outputs) or (("text", None),), tuple(files)


def chosen(place: str | None, old: str | None, new: str | None, *, only: bool, names: Sequence[str], when: datetime) -> Chosen:
    """Production roots of the region that are in their time; what *old* and *new* name is among them or named as left out."""
    found: list[Certificate] = []
    left: list[tuple[str, str]] = []
    if place is not None:
        family, region = authorities.find(place)
        if not family.roots:
            raise InputError(f"no roots of {family.title} are shipped", hint=family.hint)
        wanted = tuple(id for id in (old, new) if id)
        live = family.select(region, when, ids=wanted if only else ())
        left = [reason for id in wanted if (reason := _left_out(family, region, id, when))]
        if new and any(id == new for id, _ in left):
            raise InputError(f"`{new}` cannot be what comes: {dict(left)[new]}", where=place)
        family.select(region, when, ids=wanted)
        found += [root.certificate for root in live]
    elif old or new:
        raise InputError("`--from` and `--to` name CAs of a family", hint="name it with `--for aws:REGION`")
    for name in names:
        found += named_roots(name, when=when)
    if not found:
        raise InputError("the bundle would be empty", hint="name `--for FAMILY:REGION` or `--root FILE`")
    return Chosen(place or ", ".join(names), tuple(dict.fromkeys(found)), tuple(left))


def _left_out(family: authorities.Family, region: str, id: str, when: datetime) -> tuple[str, str] | None:
    here = [
        r for r in family.roots if r.id == id and r.is_root and not r.stage and (not r.region or not region or r.region == region)
    ]
    if any(root.certificate.is_valid_at(when) for root in here):
        return None
    if not here:
        return id, f"{family.title} has no such root in `{region}`"
    return id, f"expired on {max(r.certificate.not_after for r in here):%Y-%m-%d}"


def write(roots: Sequence[Certificate], files: Sequence[tuple[str, str]], password: Secret | None) -> tuple[Written, ...]:
    """Each file, whole; one that is there already with the same roots is left alone, one with others is not overwritten."""
    made: list[tuple[str, str, bytes | None, str]] = []
    for name, path in files:
        spec = truststores.find(name)
        secret = (password or Secret(USUAL_PASSWORD)) if spec.takes_password else None
        note = USUAL_PASSWORD if spec.takes_password and password is None else ""
        assert spec.create is not None
        if Path(path).exists():
            if _held(path, secret) != set(roots):
                raise TrustStoreError(
                    "is there already, with other roots", where=path, hint="use `reroot trust add`, or name a new file"
                )
            made.append((name, path, None, note))
            continue
        content = spec.create(roots, secret)
        back = truststores.read(content, secret).certificates
        if set(back) != set(roots):
            raise TrustStoreError(f"reads back as {counted(len(back), 'root')} instead of {len(roots)}", where=path)
        made.append((name, path, content, note))
    for _, path, new, _ in made:
        if new is not None:
            write_whole(Path(path), new)
    return tuple(Written(path, name, "unchanged" if content is None else "written", note) for name, path, content, note in made)


def _held(path: str, password: Secret | None) -> set[Certificate]:
    content = read(path)
    return set(guarded(content, lambda: truststores.read(content, password)).certificates)


def document(made: Chosen, written: Sequence[Written], *, when: datetime | None = None) -> Document:
    now = when or datetime.now(UTC)
    data = {
        "for": made.title,
        "roots": [_values(c) for c in made.roots],
        "expired": [c.fingerprint for c in made.roots if c.is_readable and c.not_after < now],
        "left_out": [{"id": id, "why": why} for id, why in made.left_out],
        "files": [{"path": w.path, "format": w.format, "state": w.state} for w in written],
    }
    return Document("trust-bundle", data, lambda: _text(made, written))


def _values(certificate: Certificate) -> dict[str, object]:
    known = authorities.named(certificate.fingerprint)
    return {
        "fingerprint": certificate.fingerprint,
        "title": certificate.title,
        "id": known.id if known else "",
        "not_after": certificate.not_after.isoformat(),
    }


def _text(made: Chosen, written: Sequence[Written]) -> str:
    rows = [(c.title, f"{c.not_after:%Y-%m-%d}", c.fingerprint[:16]) for c in made.roots]
    lines = [table(("root", "valid to", "SHA-256"), rows)]
    lines += [f"left out: {id} ({why})" for id, why in made.left_out]
    if written:
        lines.append("")
    for w in written:
        lines.append(f"{w.state}: {w.path} ({w.format}{', password `' + w.password + '`' if w.password else ''})")
    last = (
        "`reroot trust add FILE --root BUNDLE` puts them into a trust store"
        if written
        else "name files with `-o pem=FILE,p12=FILE`"
    )
    counts = f"{_count(len(made.roots), 'root')} for {made.title}, {_count(len(written), 'file')}"
    return "\n".join([*lines, "", f"{counts}; {last}"])


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
