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


def pieces(content: bytes, *, file: bool) -> Iterator[bytes]:
    """What repeated BIO_gets calls give; a file's bytes are cut at NUL (fgets and strlen), a memory buffer's are not."""
    for line in content.split(b"\n") if content else ():
        line += b"\n"
        for at in range(0, len(line), PIECE):
            piece = line[at : at + PIECE]
            yield piece.split(b"\0", 1)[0] if file and b"\0" in piece else piece


def read(content: bytes, version: tuple[int, ...], *, file: bool = True) -> Iterator[Block]:
    """Each block in turn; ends at "no start line"; raises ``BadPem`` where PEM_read_bio fails."""
    if b"-----BEGIN " not in content:
        return
    lines = pieces(content if content.endswith(b"\n") else content + b"\n", file=file)
    marks = version >= (3,) or not version
    while (label := _name(lines, marks)) is not None:
        header, body = _header_and_data(lines, label, whole_lines=marks)
        yield Block(label, header, _decode(body))


def _name(lines: Iterator[bytes], marks: bool) -> bytes | None:
    first = True
    for piece in lines:
        if not piece:
            return None
        if first and marks and len(piece) > 3 and piece.startswith(b"\xef\xbb\xbf"):
            piece = piece[3:]
        first = False
        if piece.startswith(b"-----BEGIN "):
            text = piece.rstrip(BLANK)
            if text.endswith(b"-----") and len(text) >= 16:
                return text[11:-5]
    return None


def _header_and_data(lines: Iterator[bytes], label: bytes, *, whole_lines: bool) -> tuple[bytes, bytes]:
    maybe, inside, after = 0, 1, 2
    state, end = maybe, False
    upper: list[bytes] = []
    lower: list[bytes] = []
    partial = False
    for piece in lines:
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
            return (b"", b"\n".join(upper)) if state == maybe else (b"\n".join(upper), b"\n".join(lower))
        if end:
            raise BadPem("bad end line")
        (lower if state == after else upper).append(text.split(b"\0", 1)[0])
        if state == after:
            if len(text) > 64:
                raise BadPem("bad end line")
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
