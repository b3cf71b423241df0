"""
PEM bundles → blocks with their places, and back.

This lexer is for people and for changes: it finds every block that was meant as one, says what is wrong with it, and knows which
bytes it stands on, so that everything else can be left as it is. What a TLS stack makes of the same bytes is another
question, answered stack by stack in ``readers/``.

    text  -----BEGIN label-----  header lines, blank line  base64  -----END label-----  text  …
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..errors import TrustStoreError
from ..pki.certificate import Certificate
from . import _der
from ._format import Change, Entry, Format, Limits, Roots, readable

CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
"""Labels under which a certificate stands; OpenSSL reads all three (pem.h: PEM_STRING_X509, _OLD, _TRUSTED)."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REMEMBERED = 512 * 1024
"""Files up to this size are lexed once."""

MARK = re.compile(rb"-----(BEGIN|END) ([^\r\n\0-][^\r\n\0]{0,78}?)-----")
LINE_END = re.compile(rb"[ \t]*(?:\r\n|\n|\r)?")
HEADER = re.compile(rb"[ \t]*([A-Za-z0-9-]+):[ \t]*([^\r\n]*)")
ALPHABET = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
WHITE = b" \t\r\n\f\v"


@dataclass(frozen=True, slots=True)
class Block:
    """One PEM block. ``start`` and ``end`` are byte offsets, from ``-----BEGIN`` to past the line end after ``-----``.

    ``der`` is the decoded body, or None when it cannot be decoded; ``damage`` says why, ``""`` when nothing is wrong with the
    armour. For a certificate ``der`` is the X.509 part alone, and ``settings`` holds the trust settings that OpenSSL keeps
    behind it in a TRUSTED CERTIFICATE.
    """

    label: str
    start: int
    end: int
    line: int
    der: bytes | None
    damage: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    settings: bytes = b""

    @property
    def is_certificate(self) -> bool:
        return self.label in CERTIFICATE_LABELS

    @property
    def is_private_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY")

    @property
    def certificate(self) -> Certificate | None:
        return Certificate(self.der) if self.is_certificate and self.der is not None and not self.damage else None


def blocks(content: bytes) -> tuple[Block, ...]:
    """Every block of *content*, in order, damaged ones included."""
    return _remembered(content) if len(content) <= REMEMBERED else _blocks(content)


def _blocks(content: bytes) -> tuple[Block, ...]:
    found: list[Block] = []
    opening: re.Match[bytes] | None = None
    line, counted = 1, 0
    for mark in MARK.finditer(content):
        if mark[1] == b"END" and opening is None:
            continue
        if mark[1] == b"BEGIN":
            if opening is not None:
                found.append(_unended(opening, mark.start(), line))
            opening = mark
            line += content.count(b"\n", counted, mark.start())
            counted = mark.start()
        elif opening is not None:
            found.append(_block(content, opening, mark, line))
            opening = None
        if len(found) > Limits.BLOCKS:
            raise TrustStoreError(f"holds more than {Limits.BLOCKS} PEM blocks")
    if opening is not None:
        found.append(_unended(opening, len(content), line))
    return tuple(found)


_remembered = lru_cache(maxsize=64)(_blocks)


def _unended(opening: re.Match[bytes], end: int, line: int) -> Block:
    return Block(_text(opening[2]), opening.start(), end, line, None, "has no end line")


def _block(content: bytes, opening: re.Match[bytes], closing: re.Match[bytes], line: int) -> Block:
    label = _text(opening[2])
    headers, body = _headers(content[opening.end() : closing.start()])
    der, damage = _decode(body)
    settings = b""
    if opening[2] != closing[2]:
        damage = f"begins as `{label}` and ends as `{_text(closing[2])}`"
    if der is not None and label in CERTIFICATE_LABELS:
        der, settings, shape = _certificate(der, label)
        damage = damage or shape
    end = LINE_END.match(content, closing.end())
    return Block(label, opening.start(), end.end() if end else closing.end(), line, der, damage, headers, settings)


def _headers(body: bytes) -> tuple[tuple[tuple[str, str], ...], bytes]:
    if b":" not in body:
        return (), body
    lines = body.lstrip(b"\r\n").splitlines(keepends=True)
    headers: list[tuple[str, str]] = []
    for number, text in enumerate(lines):
        header = HEADER.match(text)
        if header is None:
            return tuple(headers), b"".join(lines[number:])
        headers.append((_text(header[1]), _text(header[2].strip())))
    return tuple(headers), b""


def _decode(body: bytes) -> tuple[bytes | None, str]:
    text = body.translate(None, WHITE)
    if not text:
        return None, "is empty"
    if not ALPHABET.fullmatch(text):
        return None, "holds characters that are not base64"
    try:
        return binascii.a2b_base64(text, strict_mode=True), ""
    except binascii.Error:
        return None, "is not whole base64"


def _certificate(der: bytes, label: str) -> tuple[bytes | None, bytes, str]:
    """The X.509 part, what stands behind it, and what is wrong."""
    try:
        outer = _der.value(der)
    except ValueError as error:
        return der, b"", f"is no certificate: it {error}"
    if outer.tag != _der.SEQUENCE:
        return der, b"", "is no certificate"
    first, rest = der[: outer.end], der[outer.end :]
    if rest and label != "TRUSTED CERTIFICATE":
        return first, rest, f"has {len(rest)} bytes behind the certificate"
    return first, rest, ""


def _text(data: bytes) -> str:
    return data.decode("ascii", "backslashreplace")


def encode(certificate: Certificate, *, end: bytes = b"\n") -> bytes:
    """One certificate as a PEM block, 64 columns, every line ended."""
    text = base64.b64encode(certificate.der)
    lines = (text[i : i + 64] for i in range(0, len(text), 64))
    return end.join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


def line_end(content: bytes) -> bytes:
    """The line end that *content* uses."""
    first = re.search(rb"\r\n|\n|\r", content)
    return b"\n" if first is None or first[0] == b"\r" else first[0]


# ── the format ───────────────────────────────────────────────────────────────────────────────────


def sniff(content: bytes) -> int:
    if b"-----BEGIN " not in content:
        return 0
    found = [b for b in blocks(content) if b.is_certificate]
    if found and found[0].start == 0 and not found[0].damage:
        return 100
    if any(b.start == 0 or content[b.start - 1 : b.start] in (b"\n", b"\r", b"\xbf") for b in found):
        return 90
    return 40 if found else 30


def read(content: bytes, _password: object = None) -> Roots:
    """Every block as an entry; damaged ones are named, never repaired."""
    return Roots("pem", tuple(_entry(block) for block in blocks(content)), _notes(content))


def _entry(block: Block) -> Entry:
    name = f"line {block.line}"
    if block.is_certificate:
        found = block.certificate
        if found is None or not readable(found.der):
            return Entry("damaged", name, note=block.damage or "is no certificate that can be read")
        return Entry("root", name, found, "TRUSTED CERTIFICATE with trust settings" if block.settings else "")
    kind = "key" if block.is_private_key else "crl" if block.label == "X509 CRL" else "other"
    return Entry(kind, name, note=block.damage or block.label)


def _notes(content: bytes) -> tuple[str, ...]:
    return ("begins with a byte order mark",) if content.startswith(BYTE_ORDER_MARK) else ()


def write(content: bytes, change: Change, _password: object = None) -> bytes:
    """*content* without the removed blocks, and with the added ones behind it; every other byte stays."""
    content = _without(content, change.remove)
    held = {e.certificate.fingerprint for e in read(content).entries if e.kind == "root" and e.certificate}
    added = [root for root in dict.fromkeys(change.add) if root.fingerprint not in held]
    if not added:
        return content
    found = blocks(content)
    if found and found[-1].damage == "has no end line":
        raise TrustStoreError(
            f"the block at line {found[-1].line} has no end line, so whatever is added behind it would be lost",
            hint="repair or remove that block first",
        )
    end = line_end(content)
    start = b"" if not content or content.endswith((b"\n", b"\r")) else end
    return content + start + b"".join(encode(root, end=end) for root in added)


def _without(content: bytes, fingerprints: frozenset[str]) -> bytes:
    kept, at = [], 0
    for block in blocks(content):
        if block.certificate is not None and block.certificate.fingerprint in fingerprints:
            kept.append(content[at : block.start])
            at = block.end
    return b"".join((*kept, content[at:]))


def create(roots: Sequence[Certificate], _password: object = None) -> bytes:
    """A new bundle, each certificate under a line with its name."""
    return b"".join(b"# " + _title(root) + b"\n" + encode(root) for root in dict.fromkeys(roots))


def _title(root: Certificate) -> bytes:
    plain = root.title if root.is_readable else root.fingerprint
    return plain.encode("ascii", "backslashreplace").replace(b"\n", b" ").replace(b"-----", b"- - -")


FORMAT = Format(title="PEM bundle", sniff=sniff, read=read, write=write, create=create)
