"""DER: certificates as they are, one or several side by side."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TrustStoreError
from ..pki.certificate import Certificate
from . import _der
from ._format import Change, Entry, Format, Limits, Roots, readable


def parts(content: bytes) -> list[bytes]:
    """The certificates side by side; ``ValueError`` when something else stands there."""
    found: list[bytes] = []
    for value in _der.values(content, 0, len(content)):
        if value.tag != _der.SEQUENCE:
            raise ValueError("holds something that is no certificate")
        if len(found) >= Limits.CERTIFICATES:
            raise ValueError(f"holds more than {Limits.CERTIFICATES} certificates")
        found.append(content[value.start : value.end])
    return found


def sniff(content: bytes) -> int:
    if content[:1] != b"0":
        return 0
    try:
        first = _der.value(content)
        inner = _der.expect(content, first.body, first.end, _der.SEQUENCE)
        version = _der.value(content, inner.body, inner.end)
    except ValueError:
        return 0
    return 80 if version.tag in (0xA0, _der.INTEGER) else 0


def read(content: bytes, _password: object = None) -> Roots:
    try:
        found = [Certificate(der) for der in parts(content)]
    except ValueError as error:
        raise TrustStoreError(f"is no DER certificate: it {error}") from None
    return Roots("der", tuple(_entry(number, certificate) for number, certificate in enumerate(found, 1)))


def _entry(number: int, certificate: Certificate) -> Entry:
    if not readable(certificate.der):
        return Entry("damaged", f"certificate {number}", note="is no certificate that can be read")
    return Entry("root", f"certificate {number}", certificate)


def write(content: bytes, change: Change, _password: object = None) -> bytes:
    """Certificates side by side are read by Java and Python only, so a file of one is not made a file of two."""
    try:
        held = parts(content)
    except ValueError as error:
        raise TrustStoreError(f"is no DER certificate alone: it {error}") from None
    kept = [der for der in held if Certificate(der).fingerprint not in change.remove]
    added = [root.der for root in dict.fromkeys(change.add) if root.der not in kept]
    if added and len(kept) + len(added) > 1:
        raise TrustStoreError(
            "is a DER file, and most readers take one certificate from it",
            hint="make a PEM bundle with `reroot trust bundle` and point the client to it",
        )
    if not kept and not added:
        raise TrustStoreError("would be left empty", hint="remove the file and the setting that names it")
    return b"".join((*kept, *added)) if added or kept != held else content


def create(roots: Sequence[Certificate], _password: object = None) -> bytes:
    if len(roots) != 1:
        raise TrustStoreError(f"a DER file holds one certificate, and {len(roots)} were given", hint="use `pem`")
    return roots[0].der


FORMAT = Format(title="DER certificate", sniff=sniff, read=read, write=write, create=create)
