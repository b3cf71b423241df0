"""PKCS#7 (.p7b): a signedData that only carries certificates, in DER or in PEM."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TrustStoreError
from ..pki.certificate import Certificate
from . import _der, pem
from ._format import Change, Entry, Format, Limits, Roots, readable

SIGNED_DATA = _der.encode_oid("1.2.840.113549.1.7.2")
DATA = _der.encode_oid("1.2.840.113549.1.7.1")
LABELS = ("PKCS7", "PKCS #7 SIGNED DATA", "CMS", "CERTIFICATE CHAIN")


def certificates_of(data: bytes) -> list[bytes]:
    """The DER of the certificates that a signedData carries, in order; ``ValueError`` when *data* is none."""
    signed, fields = _signed_data(data)
    for field in fields[3:]:
        if field.tag == 0xA0:
            return [signed[c.start : c.end] for c in _der.children(signed, field)]
    return []


def _signed_data(data: bytes) -> tuple[bytes, list[_der.Value]]:
    if not _der.whole(data):
        data = _der.flat(data)
    outer = _der.expect(data, 0, len(data), _der.SEQUENCE)
    kind, *content = _der.children(data, outer)
    if data[kind.start : kind.end] != SIGNED_DATA or len(content) != 1 or content[0].tag != 0xA0:
        raise ValueError("holds no signed data")
    body = _der.expect(data, content[0].body, content[0].end, _der.SEQUENCE)
    fields = _der.children(data, body)
    if [f.tag for f in fields[:3]] != [_der.INTEGER, _der.SET, _der.SEQUENCE]:
        raise ValueError("holds no signed data")
    return data, fields


def sniff(content: bytes) -> int:
    try:
        _signed_data(_body(content))
    except (ValueError, TrustStoreError):
        return 0
    return 95


def _body(content: bytes) -> bytes:
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"-----BEGIN ") and content[:1] == b"0":
        return content
    for block in pem.blocks(content):
        if block.label in LABELS and block.der is not None:
            return block.der
    raise ValueError("holds no PKCS#7 block")


def read(content: bytes, _password: object = None) -> Roots:
    try:
        found = certificates_of(_body(content))
    except ValueError as error:
        raise TrustStoreError(f"is no PKCS#7 file: it {error}") from None
    if len(found) > Limits.CERTIFICATES:
        raise TrustStoreError(f"holds more than {Limits.CERTIFICATES} certificates")
    return Roots("pkcs7", tuple(_entry(number, der) for number, der in enumerate(found, 1)))


def _entry(number: int, der: bytes) -> Entry:
    certificate = Certificate(der)
    if not readable(certificate.der):
        return Entry("damaged", f"certificate {number}", note="is no certificate that can be read")
    return Entry("root", f"certificate {number}", certificate)


def write(content: bytes, change: Change, _password: object = None) -> bytes:
    """The same container with other certificates; the encoding of those that stay is not touched."""
    try:
        body = _body(content)
        signed, fields = _signed_data(body)
    except ValueError as error:
        raise TrustStoreError(f"is no PKCS#7 file: it {error}") from None
    if fields[-1].end - fields[-1].body:
        raise TrustStoreError("carries signatures, and would lose them", hint="make a new bundle with `reroot trust bundle`")
    held = certificates_of(body)
    kept = [der for der in held if Certificate(der).fingerprint not in change.remove]
    kept += [root.der for root in dict.fromkeys(change.add) if root.der not in kept]
    if kept == held:
        return content
    made = _encode(kept, algorithms=signed[fields[1].start : fields[1].end], inner=signed[fields[2].start : fields[2].end])
    return made if body is content else _armour(content, made)


def _armour(content: bytes, made: bytes) -> bytes:
    import base64

    block = next(b for b in pem.blocks(content) if b.label in LABELS)
    text = base64.b64encode(made)
    end = pem.line_end(content)
    lines = (text[i : i + 64] for i in range(0, len(text), 64))
    label = block.label.encode()
    armoured = end.join((b"-----BEGIN " + label + b"-----", *lines, b"-----END " + label + b"-----", b""))
    return content[: block.start] + armoured + content[block.end :]


def create(roots: Sequence[Certificate], _password: object = None) -> bytes:
    """A new container in DER."""
    return _encode([root.der for root in dict.fromkeys(roots)])


NO_ALGORITHMS, NO_CONTENT = _der.tlv(_der.SET), _der.tlv(_der.SEQUENCE, DATA)


def _encode(ders: Sequence[bytes], *, algorithms: bytes = NO_ALGORITHMS, inner: bytes = NO_CONTENT) -> bytes:
    signed = _der.tlv(_der.SEQUENCE, _der.encode_integer(1), algorithms, inner, _der.tlv(0xA0, *ders), _der.tlv(_der.SET))
    return _der.tlv(_der.SEQUENCE, SIGNED_DATA, _der.tlv(0xA0, signed))


FORMAT = Format(title="PKCS#7", sniff=sniff, read=read, write=write, create=create)
