"""
Certificates inside other text: where each stands, how it is dressed, and the same text with one more or one less.

    indented   every line behind the same blanks            (YAML block scalars, here-documents)
    escaped    one line with \\n between the parts           (JSON, Java and JavaScript strings)
    base64     the whole PEM text encoded once more          (Kubernetes Secrets)
    quoted     one string literal per line                   (source code; read only)
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import TrustStoreError
from ..pki.certificate import Certificate
from . import pem
from ._format import Change, Entry, Limits, Roots, readable

MARK = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]{0,100000})-----END CERTIFICATE-----")
BASE64 = re.compile(rb"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t[A-Za-z0-9+/]{40,}={0,2}")
NOISE = re.compile(rb"\\[nr]|[\s\\]")
QUOTE = re.compile(rb"[\"'`]")
KEY = re.compile(
    rb"^[ \t]*(?:-[ \t]+|const |let |var |final |static |private |String )*[\"']?([A-Za-z_][A-Za-z0-9._-]{0,60})[\"']?[ \t]*[:=]",
    re.M,
)
GAP = re.compile(rb"(?:\s|\\n|\\r|#[^\n]*\n)*")


@dataclass(frozen=True, slots=True)
class Piece:
    """One certificate in the text, or a base64 text with several. ``value`` numbers the string it belongs to."""

    style: str
    start: int
    end: int
    value: int
    key: str
    certificates: tuple[Certificate, ...]
    prefix: bytes = b""
    damage: str = ""


def pieces(content: bytes) -> list[Piece]:
    """Every pasted certificate, in order; those in one string follow each other and have the same ``value``."""
    found: list[Piece] = []
    spots = sorted(((m.start(), m) for m in (*MARK.finditer(content), *BASE64.finditer(content))), key=lambda spot: spot[0])
    value, before = 0, -1
    for start, match in spots:
        if start < before:
            continue
        if before >= 0 and not GAP.fullmatch(content, before, start):
            value += 1
        piece = _plain(content, match, value) if match.re is MARK else _encoded(content, match, value)
        found.append(piece)
        before = match.end()
        if len(found) > Limits.CERTIFICATES:
            raise TrustStoreError(f"holds more than {Limits.CERTIFICATES} certificates")
    return found


def _plain(content: bytes, match: re.Match[bytes], value: int) -> Piece:
    line = content.rfind(b"\n", 0, match.start()) + 1
    prefix = content[line : match.start()]
    body = match[1]
    # Inside and outside of string literals take turns, and a block begins inside.
    text = NOISE.sub(b"", b"".join(QUOTE.split(body)[::2]))
    if QUOTE.search(body):
        style = "quoted"
    elif b"\\n" in body:
        style = "escaped"
    else:
        style = "indented"
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return Piece(style, match.start(), match.end(), value, _key(content, match.start()), (), prefix, "is not whole base64")
    held = Certificate(der)
    damage = "" if readable(der) else "is no certificate that can be read"
    certificates = (held,) if readable(der) else ()
    return Piece(style, match.start(), match.end(), value, _key(content, match.start()), certificates, prefix, damage)


def _encoded(content: bytes, match: re.Match[bytes], value: int) -> Piece:
    try:
        inner = base64.b64decode(match[0] + b"=" * (-len(match[0]) % 4))
    except binascii.Error:
        return Piece("base64", match.start(), match.end(), value, _key(content, match.start()), (), damage="is not whole base64")
    return Piece("base64", match.start(), match.end(), value, _key(content, match.start()), pem.read(inner).certificates)


def _key(content: bytes, at: int) -> str:
    """The nearest key or name before *at*."""
    # The last line of a base64 body, `Zm9v==`, looks like a key with a value.
    window = MARK.sub(b"", content[max(0, at - 8000) : at]).rpartition(b"-----END CERTIFICATE-----")[2]
    found = KEY.findall(window)
    return found[-1].decode("ascii", "replace") if found else ""


def extract(content: bytes, skip: Iterable[str] = (), *, key: str = "") -> bytes:
    """What a program is given in the end: the pasted certificates as a PEM bundle."""
    return b"".join(pem.encode(c) for piece in _meant(content, skip, key) for c in piece.certificates)


def _meant(content: bytes, skip: Iterable[str], key: str) -> list[Piece]:
    """The pieces that count; with *key* those of one bundle, named by its key or by the line that it begins at."""
    found = [piece for piece in pieces(content) if piece.key not in skip]
    if not key:
        return found
    begins: dict[int, Piece] = {}
    for piece in found:
        begins.setdefault(piece.value, piece)
    lines = {value: content.count(b"\n", 0, piece.start) + 1 for value, piece in begins.items()}
    chosen = [value for value, piece in begins.items() if piece.key == key] or [
        v for v, line in lines.items() if str(line) == key
    ]
    if len(chosen) != 1:
        known = ", ".join(f"`{piece.key or '?'}` at line {lines[value]}" for value, piece in begins.items())
        raise TrustStoreError(
            f"holds {len(chosen) or 'no'} bundles that `{key}` names",
            hint=f"there are {known}" if known else "it holds no bundle",
        )
    return [piece for piece in found if piece.value == chosen[0]]


def read(format: str, content: bytes, skip: Iterable[str] = ()) -> Roots:
    entries: list[Entry] = []
    for piece in pieces(content):
        name = f"line {content.count(bytes([10]), 0, piece.start) + 1}" + (f", {piece.key}" if piece.key else "")
        if piece.damage:
            entries.append(Entry("damaged", name, note=piece.damage))
        kind = "chain" if piece.key in skip else "root"
        entries += [Entry(kind, name, certificate, piece.style) for certificate in piece.certificates]
    return Roots(format, tuple(entries))


def write(content: bytes, change: Change, skip: Iterable[str] = ()) -> bytes:
    """The same text with certificates behind the last one of its only string, dressed as that one is."""
    found = _meant(content, skip, change.key)
    if not found:
        raise TrustStoreError("holds no certificate to put others behind")
    held = {c.fingerprint for piece in found for c in piece.certificates}
    added = [root for root in dict.fromkeys(change.add) if root.fingerprint not in held]
    gone = held & change.remove
    if not added and not gone:
        return content
    values = {piece.value for piece in found}
    if added and len(values) > 1:
        keys = ", ".join(f"`{key}`" for key in dict.fromkeys(piece.key for piece in found))
        raise TrustStoreError(
            f"holds {len(values)} bundles ({keys}), and which one is meant cannot be told",
            hint="name one with `--key KEY`, or with `--key LINE` where keys are the same",
        )
    last = found[-1]
    if any(piece.damage for piece in found):
        raise TrustStoreError("has a damaged certificate, and what stands around it cannot be told apart")
    for piece in reversed(found):
        kept = [c for c in piece.certificates if c.fingerprint not in gone]
        extra = added if piece is last else []
        if len(kept) == len(piece.certificates) and not extra:
            continue
        content = _changed(content, piece, kept, extra, change)
    return content


def _changed(content: bytes, piece: Piece, kept: Sequence[Certificate], extra: Sequence[Certificate], change: Change) -> bytes:
    if piece.style == "quoted":
        raise TrustStoreError("is source code with one string literal a line, which reroot reads and does not write")
    if piece.style == "base64":
        text = content[piece.start : piece.end]
        inner = base64.b64decode(text + b"=" * (-len(text) % 4))
        made = base64.b64encode(pem.write(inner, Change(tuple(extra), change.remove)))
        return content[: piece.start] + made + content[piece.end :]
    between = b"\\n" if piece.style == "escaped" else pem.line_end(content) + (piece.prefix if not piece.prefix.strip() else b"")
    start, end = piece.start, piece.end
    text = content[start:end] if kept else b""
    for root in extra:
        text += (between if text else b"") + between.join(pem.encode(root).rstrip(b"\n").split(b"\n"))
    if not text:
        if content[end : end + len(between)] == between:
            end += len(between)
        elif content[max(0, start - len(between)) : start] == between:
            start -= len(between)
    return content[:start] + text + content[end:]
