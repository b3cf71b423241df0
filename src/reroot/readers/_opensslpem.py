"""
PEM as OpenSSL reads it: a line-by-line imitation of PEM_read_bio, quirks included.

Source: openssl/crypto/pem/pem_lib.c (get_name, get_header_and_data, sanitize_line, PEM_read_bio_ex) and
openssl/crypto/evp/encode.c (EVP_DecodeUpdate), 1.1.1 to 4.0. Lines come in pieces of 254 bytes, as BIO_gets gives them.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..truststores import _der

PIECE = 254
"""LINESIZE - 1: what BIO_gets reads at most."""

BLANK = bytes((*range(0x21), *range(0x80, 0x100)))
"""What is stripped at a line's end: ``char <= ' '``, and ``char`` is signed on x86-64 and most others."""

BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
SERVER_AUTH, ANY_USE = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"


class Block(NamedTuple):
    """A block that PEM_read_bio gives back."""

    label: bytes
    header: bytes
    der: bytes


class BadPem(ValueError):
    """PEM_read_bio fails otherwise than by "no start line"."""

    @property
    def is_silent(self) -> bool:
        """Nothing is put on OpenSSL's error queue: who asks only the queue takes what came before for the whole."""
        return str(self) in ("no data", "line too long")


def pieces(content: bytes, at: int, *, file: bool) -> Iterator[tuple[bytes, int]]:
    """What repeated BIO_gets calls from *at* give, and where each ends; a file's bytes are cut at NUL (fgets, strlen)."""
    while at < len(content):
        end = content.find(b"\n", at, at + PIECE) + 1 or min(at + PIECE, len(content))
        piece = content[at:end]
        at = end
        yield (piece.split(b"\0", 1)[0] if file and b"\0" in piece else piece), at


def read(content: bytes, version: tuple[int, ...], *, file: bool = True) -> Iterator[Block]:
    """Each block in turn; ends at "no start line"; raises ``BadPem`` where PEM_read_bio fails."""
    if b"-----BEGIN " not in content:
        return
    content = content if content.endswith(b"\n") else content + b"\n"
    marks = version >= (3,) or not version
    plain = b"\0" not in content
    at = 0
    while True:
        label, at = _name(content, at, marks, file=file, plain=plain)
        if label is None:
            return
        header, body, at = _header_and_data(content, at, label, file=file, whole_lines=marks)
        yield Block(label, header, _decode(body))


def _name(content: bytes, at: int, marks: bool, *, file: bool, plain: bool) -> tuple[bytes | None, int]:
    if marks and content.startswith(b"\xef\xbb\xbf", at) and content.find(b"\n", at, at + PIECE) != at + 3:
        end = content.find(b"\n", at, at + PIECE) + 1 or min(at + PIECE, len(content))
        if (label := _begun(content[at + 3 : end])) is not None:
            return label, end
        at = end
    if plain:
        while (found := content.find(b"-----BEGIN ", at)) >= 0:
            line = max(content.rfind(b"\n", at, found) + 1, at)
            end = content.find(b"\n", found, found + PIECE) + 1 or found + PIECE
            if (found - line) % PIECE == 0 and (label := _begun(content[found:end])) is not None:
                return label, end
            at = _piece_end(content, line, found)
        return None, len(content)
    for piece, end in pieces(content, at, file=file):
        if not piece:
            return None, end
        if (label := _begun(piece)) is not None:
            return label, end
    return None, len(content)


def _piece_end(content: bytes, line: int, inside: int) -> int:
    """The end of the piece of the line from *line* that holds *inside*."""
    start = inside - (inside - line) % PIECE
    return content.find(b"\n", start, start + PIECE) + 1 or min(start + PIECE, len(content))


def _begun(piece: bytes) -> bytes | None:
    if piece.startswith(b"-----BEGIN "):
        text = piece.rstrip(BLANK)
        if text.endswith(b"-----") and len(text) >= 16:
            return text[11:-5]
    return None


def _header_and_data(content: bytes, at: int, label: bytes, *, file: bool, whole_lines: bool) -> tuple[bytes, bytes, int]:
    maybe, inside, after = 0, 1, 2
    state, end = maybe, False
    upper: list[bytes] = []
    lower: list[bytes] = []
    partial = False
    for piece, stop in pieces(content, at, file=file):
        if not piece:
            raise BadPem("bad end line")
        before, partial = partial, len(piece) == PIECE and not piece.endswith(b"\n")
        if state == maybe and b":" in piece:
            state = inside
        text = piece.rstrip(BLANK)
        if not text:
            if not (before and whole_lines):
                if state == after:
                    raise BadPem("bad end line")
                state = after
            continue
        if text.startswith(b"-----END "):
            if text[9:] != label + b"-----":
                raise BadPem("bad end line")
            if state == maybe:
                return b"", b"\n".join(upper), stop
            return b"\n".join(upper), b"\n".join(lower), stop
        if end:
            raise BadPem("bad end line")
        (lower if state == after else upper).append(text.split(b"\0", 1)[0])
        if state == after:
            if len(text) > 64:
                raise BadPem("line too long")
            end = len(text) < 64
    raise BadPem("bad end line")


def _decode(body: bytes) -> bytes:
    text = body.translate(None, b" \t\r\n").split(b"-", 1)[0]
    if not text or len(text) % 4 or not BASE64.fullmatch(text):
        raise BadPem("bad base64 decode" if text else "no data")
    return binascii.a2b_base64(text)


def certificate(der: bytes, *, settings: bool) -> tuple[bytes, bytes] | None:
    """The X.509 part that d2i_X509 takes and what stands behind it; None where it fails.

    With *settings* it is d2i_X509_AUX: what stands behind must be trust settings.
    """
    from ._reader import openssl_takes

    try:
        outer = _der.value(der)
    except ValueError:
        return None
    first, rest = der[: outer.end], der[outer.end :]
    if outer.tag != _der.SEQUENCE or not openssl_takes(first):
        return None
    if settings and rest:
        try:
            if _der.value(rest).tag != _der.SEQUENCE:
                return None
        except ValueError:
            return None
    return first, rest if settings else b""


def certificates(content: bytes, version: tuple[int, ...], *, file: bool, trusted: bool) -> Iterator[tuple[bytes, bytes]]:
    """What a loop over PEM_read_bio_X509 (or, if *trusted*, PEM_read_bio_X509_AUX) gives: the X.509 parts and their settings.

    Blocks of other labels are skipped. Raises ``BadPem`` where the loop ends otherwise than at "no start line".
    """
    labels = {b"CERTIFICATE", b"X509 CERTIFICATE"} | ({b"TRUSTED CERTIFICATE"} if trusted else set())
    for number, block in enumerate(read(content, version, file=file), 1):
        if block.label not in labels:
            continue
        found = None if block.header else certificate(block.der, settings=trusted)
        if found is None:
            raise BadPem(f"block {number} holds no certificate")
        yield found


def trusts_servers(settings: bytes) -> bool:
    """Whether trust settings let a certificate be an anchor for TLS servers (X509_check_trust, X509_TRUST_SSL_SERVER)."""
    try:
        outer = _der.value(settings)
        parts = {part.tag: part for part in _der.children(settings, outer)}
        trusted = _uses(settings, parts.get(_der.SEQUENCE))
        rejected = _uses(settings, parts.get(0xA0))
    except ValueError:
        return True
    if rejected & {SERVER_AUTH, ANY_USE}:
        return False
    return not trusted or bool(trusted & {SERVER_AUTH, ANY_USE})


def _uses(data: bytes, found: _der.Value | None) -> set[str]:
    if found is None:
        return set()
    return {_der.oid(data[use.body : use.end]) for use in _der.children(data, found) if use.tag == _der.OID}
