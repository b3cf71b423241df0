"""
Certificates as Java's CertificateFactory("X.509") reads them: PEM of any label, DER, PKCS#7, one after the other.

Source: jdk sun/security/provider/X509Factory.java (readOneBlock, checkHeaderFooter, parseX509orPKCS7Cert); measured with 17.0.15.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import lru_cache, partial

from ..pki.certificate import Certificate
from ..truststores import _der
from ..truststores.pkcs7 import certificates_of
from ._lenient import as_java, critical_alone, is_refused_by_java
from ._reader import EC_KEY, algorithms_agree, key_passes

BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")
HEADER = re.compile(rb"[\r\n]-----")


class NotLoaded(ValueError):
    """The factory throws."""


def many(content: bytes, version: tuple[int, ...] = ()) -> list[Certificate]:
    """generateCertificates: all of them, or ``NotLoaded``. An empty stream is an empty list."""
    if not content:
        return []
    each = _blocks(content, version)
    first = next(each, None)
    if first is None:
        raise NotLoaded("No certificate data found")
    try:
        return [_certificate(der) for der in certificates_of(first)]
    except ValueError:
        pass
    return [_certificate(first), *map(_certificate, each)]


def first(content: bytes, version: tuple[int, ...] = ()) -> Certificate:
    """generateCertificate: the first block, whatever follows."""
    der = next(_blocks(content, version), None)
    if der is None:
        raise NotLoaded("Could not parse certificate: java.io.IOException: Empty input")
    return _certificate(der)


def _certificate(der: bytes) -> Certificate:
    if not takes(der):
        raise NotLoaded("Could not parse certificate")
    return Certificate(der)


@lru_cache(maxsize=8192)
def takes(der: bytes) -> bool:
    """X509CertImpl: strict DER, one signature algorithm, a known curve, and critical extensions that can be read."""
    stripped = as_java(der) if _der.whole(der) else None
    if stripped is None:
        return False
    whole, der, certificate = der, stripped, Certificate(stripped)
    try:
        key = (
            _ec_key(certificate)
            if certificate.parsed.public_key_algorithm_oid.dotted_string == EC_KEY
            else key_passes(certificate)
        )
        sound = key and algorithms_agree(der) and not is_refused_by_java(whole)
        return sound and not (certificate.has_broken_extensions and _critical_is_broken(der))
    except (ValueError, IndexError):
        return False


CURVES = {_der.encode_oid("1.2.840.10045.3.1.7"): 65, _der.encode_oid("1.3.132.0.34"): 97, _der.encode_oid("1.3.132.0.35"): 133}
"""The curves that Java has since 16 (JDK-8235540), with the length of a point."""


def _ec_key(certificate: Certificate) -> bool:
    """A named curve that Java knows and an uncompressed point of its length; whether it lies on the curve is not looked at."""
    der = certificate.der
    signed = _der.children(der, _der.value(der))[0]
    fields = _der.children(der, signed)
    algorithm, bits = _der.children(der, fields[6 if fields[0].tag == 0xA0 else 5])
    _, curve = _der.children(der, algorithm)
    return CURVES.get(der[curve.start : curve.end]) == bits.end - bits.body - 1 and der[bits.body : bits.body + 2] == b"\0\4"


def _critical_is_broken(der: bytes) -> bool:
    """Whether a critical extension cannot be read; one that is not critical is kept as it is, unread."""
    return any(Certificate(alone).has_broken_extensions for alone in critical_alone(der))


def _blocks(content: bytes, version: tuple[int, ...]) -> Iterator[bytes]:
    trims = not version or version >= (17,)  # 11 takes no blank behind a header or a footer
    armoured = _armoured_25 if version >= (25,) else partial(_armoured, trims=trims)
    at = 0
    while at < len(content):
        if content[at] == _der.SEQUENCE:
            try:
                der, end = _one(content, at)
            except ValueError as error:
                raise NotLoaded(str(error)) from None
            yield der
            at = end
            continue
        found = armoured(content, at)
        if found is None:
            return
        der, at = found
        yield der


def _one(content: bytes, at: int) -> tuple[bytes, int]:
    """The value at *at*, and where it ends; indefinite lengths are made definite, as readBERInternal does."""
    if content[at + 1 : at + 2] == b"\x80":
        return _der.definite(content, at)
    end = _der.value(content, at).end
    return content[at:end], end


def _armoured(content: bytes, at: int, *, trims: bool = True) -> tuple[bytes, int] | None:
    if content.startswith(b"-----", at):
        at += 5
    else:
        opening = HEADER.search(content, at)
        if opening is None:
            return None
        at = opening.end()
    ending = re.compile(rb"[\r\n]").search(content, at)
    if ending is None or (ending.end() >= len(content) and ending[0] == b"\r"):
        raise NotLoaded("Incomplete data")
    header = b"-----" + content[at : ending.start()]
    line_end = b"\n"
    at = ending.end()
    if ending[0] == b"\r":
        if content[at : at + 1] == b"\n":
            at += 1
        else:
            line_end = b"\r"
    dash = content.find(b"-", at)
    if dash < 0:
        raise NotLoaded("Incomplete data")
    text = content[at:dash].translate(None, b"\t\n\r ")
    closing = re.compile(rb"[\r\n]" if line_end == b"\r" else rb"\n").search(content, dash)
    stop, after = (closing.start(), closing.end()) if closing else (len(content), len(content))
    footer = content[dash:stop].replace(b"\r", b"")
    if trims:
        header, footer = header.rstrip(b" \t\f\v"), footer.rstrip(b" \t\f\v")
    _check(header, footer)
    if not BASE64.fullmatch(text):
        raise NotLoaded("Illegal base64")
    return base64.b64decode(text + b"=" * (-len(text) % 4)), after


BEGUN = re.compile(rb"([^-\r\n]*)-----(?: |(\r\n|\n)|(\r)([^\n]))")


CUT_FOOTER = re.compile(rb"-{1,4}|-{5}[^-]*-{0,4}")


def _armoured_25(content: bytes, at: int) -> tuple[bytes, int] | None:
    """jdk sun/security/util/Pem.java readPEM since 25: five hyphens anywhere begin a block, and the end of file ends quietly."""
    opening = content.find(b"-----", at)
    if opening < 0:
        return None
    begun = BEGUN.match(content, opening + 5)
    if begun is None:
        stop = re.compile(rb"[^-\r\n]*-{0,4}").match(content, opening + 5)
        if stop is not None and stop.end() >= len(content):
            return None
        raise NotLoaded("Incomplete header")
    header = b"-----" + begun[1] + b"-----"
    if len(header) < 16 or not header.startswith(b"-----BEGIN "):
        raise NotLoaded("Illegal header: " + header[:60].decode("ascii", "backslashreplace"))
    line_end = b"\n" if begun[2] else b"\r" if begun[3] else b""
    dash = content.find(b"-", begun.end())
    if dash < 0:
        return None
    text = (begun[4] or b"") + content[begun.end() : dash].translate(None, b"\t\n\r ")
    closing = re.compile(rb"-{5}([^-]*)-{5}").match(content, dash)
    if closing is None:
        if CUT_FOOTER.fullmatch(content, dash):
            return None
        raise NotLoaded("Incomplete footer")
    after = closing.end()
    while after < len(content) and content[after : after + 1] not in (line_end, b" "):
        if content[after : after + 1] != b"\r":
            raise NotLoaded("Invalid PEM format: No EOL char found in footer")
        after += 1
    _check(header, b"-----" + closing[1] + b"-----")
    if not BASE64.fullmatch(text):
        raise NotLoaded("Illegal base64")
    return base64.b64decode(text + b"=" * (-len(text) % 4)), after + 1


def _check(header: bytes, footer: bytes) -> None:
    if len(header) < 16 or not header.startswith(b"-----BEGIN ") or not header.endswith(b"-----"):
        raise NotLoaded("Illegal header: " + header[:60].decode("ascii", "backslashreplace"))
    if len(footer) < 14 or not footer.startswith(b"-----END ") or not footer.endswith(b"-----"):
        raise NotLoaded("Illegal footer: " + footer[:60].decode("ascii", "backslashreplace"))
    if header[11:-5] != footer[9:-5]:
        raise NotLoaded("Header and footer do not match")
