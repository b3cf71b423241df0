""".NET: X509Certificate2Collection.ImportFromPemFile, as Npgsql from 6 reads a root file, and Import for PKCS#12."""

from __future__ import annotations

import base64
import codecs
import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from ..pki.certificate import Certificate
from ..truststores import _der, _pbe, _pfx
from . import _opensslpem
from ._lenient import BOOLEAN, EXTENSIONS, as_java
from ._reader import Anchors, Problem, Question, Reader, failed, loaded, openssl_takes

ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""What File.ReadAllText tells a text's encoding by; UTF-8 without any of them."""
LABEL = r"((?:[!-,.-~](?:[ -]?[!-,.-~])*)?)"
HEADER = re.compile(rf"(?:\A|(?<=[ \t\n\r]))-----BEGIN {LABEL}-----")
FOOTER = re.compile(rf"(?=-----END {LABEL}-----)")
BODY = re.compile(r"[A-Za-z0-9+/ \t\n\r]*[= \t\n\r]*")
"""Fails at the first wrong character, where taking the blanks out first would read a whole file for each header."""
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
BLANKS = dict.fromkeys(map(ord, " \t\n\r"))
SKIPPED = Problem("skipped-block", "blocks that are not written as RFC 7468 has them are passed over without a word")


def anchors(question: Question) -> Anchors:
    """PEM: every CERTIFICATE block, other blocks are skipped; PKCS12: every certificate, with or without Java's attribute."""
    kind = (question.store_type or "PEM").upper()
    if kind == "PKCS12":
        return _pkcs12(question.content, question.password)
    if kind != "PEM":
        return failed(f".NET loads PEM or PKCS12 here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    text = _text(question.content)
    for label, body in _blocks(text):
        if label != "CERTIFICATE":
            continue
        der = base64.b64decode(body)
        if not takes(der):
            return failed("The certificate contents do not contain a PEM with a CERTIFICATE label, or the content is malformed")
        found.append(Certificate(der))
    if not found:
        return _alone(question.content, "no certificate in the file")
    is_all = len(found) >= question.content.count(b"-----BEGIN CERTIFICATE-----")
    return loaded(found, () if is_all else (SKIPPED,))


@lru_cache(maxsize=8192)
def takes(der: bytes) -> bool:
    """OpenSSL's parser and .NET's own, which wants times and truth values as DER writes them. Measured with flipped bits."""
    stripped = as_java(der) if _der.whole(der) and openssl_takes(der) else None
    if stripped is None:
        return False
    try:
        certificate = Certificate(stripped)
        return certificate.not_before is not None and certificate.not_after is not None and _has_strict_booleans(der)
    except ValueError:
        return False


def _has_strict_booleans(der: bytes) -> bool:
    signed = _der.children(der, _der.value(der))[0]
    for wrapped in _der.children(der, signed):
        if wrapped.tag == EXTENSIONS:
            for one in _der.children(der, _der.value(der, wrapped.body, wrapped.end)):
                flags = [der[p.body : p.end] for p in _der.children(der, one) if p.tag == BOOLEAN]
                if any(flag not in (b"\0", b"\xff") for flag in flags):
                    return False
    return True


def _text(content: bytes) -> str:
    for mark, encoding in ENCODINGS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    return content.decode("utf-8", "replace")


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Labels and base64 as PemEncoding.TryFind finds them: a blank before and behind, and nothing but base64 and blanks inside."""
    footers: dict[str, list[int]] = {}
    for footer in FOOTER.finditer(text):
        footers.setdefault(footer[1], []).append(footer.start())
    at = 0
    while opening := HEADER.search(text, at):
        at = opening.end() - 5
        places = footers.get(opening[1], [])
        which = bisect_left(places, opening.end())
        if which == len(places):
            continue
        end = places[which] + len(f"-----END {opening[1]}-----")
        if end < len(text) - 1 and text[end] not in " \t\n\r":
            continue
        if not BODY.fullmatch(text, opening.end(), places[which]):
            continue
        body = text[opening.end() : places[which]].translate(BLANKS)
        if BASE64.fullmatch(body) and len(body) % 4 == 0:
            yield opening[1], body
            at = end


def _pkcs12(content: bytes, password: str | None) -> Anchors:
    """X509Certificate2Collection.Import tells what it has by its content: a certificate alone is taken, too."""
    secret = password or ""
    try:
        pfx = _pfx.parse(content, any_version=True)
    except _pbe.Unsupported as error:
        return failed(str(error), "limit" if "limit" in str(error) else "unsupported")
    except ValueError as error:
        return _alone(content, str(error))
    try:
        if any(SHA224_PRF in safe.algorithm for safe in pfx.safes) or (pfx.mac and pfx.mac.name == "sha224"):
            return failed(UNREADABLE, "unsupported")
        if not _pfx.verifies(pfx, secret):
            return failed(UNREADABLE, "wrong-password")
        contents = [plain for safe in pfx.safes if (plain := _pfx.opened(safe, secret)) is not None]
        held = [bag for plain in contents for bag in _pfx.bags(plain, empty_attributes=True)]
        found = [_first(bag.certificate) for bag in held if bag.certificate is not None]
        for bag in held:
            if bag.kind == _pfx.SHROUDED:
                _opens(bag.raw, secret)
    except _pbe.WrongPassword:
        return failed(UNREADABLE, "wrong-password")
    except _pbe.Unsupported as error:
        return failed(str(error), "limit" if "limit" in str(error) else "unsupported")
    except ValueError as error:
        return failed(f"{UNREADABLE} ({error})")
    return loaded([Certificate(der) for der in found])


SHA224_PRF = _der.encode_oid("1.2.840.113549.2.8")
UNREADABLE = "The certificate data cannot be read with the provided password, the password may be incorrect."


def _alone(content: bytes, why: str) -> Anchors:
    """The constructor of X509Certificate2: one certificate, whatever stands behind it; DER is tried first, then PEM."""
    der = b""
    if content.startswith(b"0"):
        with suppress(ValueError):
            der = content[: _der.value(content).end]
    if not der or not openssl_takes(der):
        with suppress(_opensslpem.BadPem):
            der = next((der for der, _ in _opensslpem.certificates(content, (3, 0), file=True, trusted=True)), b"")
    return loaded([Certificate(der)]) if der and openssl_takes(der) else failed(f"{UNREADABLE} ({why})")


def _first(der: bytes) -> bytes:
    """The certificate at the beginning; what stands behind it is not looked at."""
    der = der[: _der.value(der).end]
    if not openssl_takes(der):
        raise ValueError("holds something that is no certificate")
    return der


def _opens(raw: bytes, password: str) -> None:
    """Raises where a private key was encrypted with another password."""
    _, value, *_ = _der.children(raw, _der.value(raw))
    algorithm, hidden = _der.children(raw, _der.value(raw, value.body, value.end))
    _pbe.cipher_for(raw[algorithm.start : algorithm.end], password)(raw[hidden.body : hidden.end], False)


READER = Reader(
    title=".NET: X509Certificate2Collection, as Npgsql uses it",
    read=anchors,
    source="dotnet/runtime X509Certificate2Collection.cs, PemEncoding.cs; npgsql NpgsqlConnector.cs",
    stack="dotnet",
    proven=("8",),
    takes=("PEM", "PKCS12"),
)
