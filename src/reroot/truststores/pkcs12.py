"""
PKCS#12 (.p12, .pfx): Java's default key store since 9, and what OpenSSL and .NET import.

Added roots go into a safe of their own behind the others, so that nothing which was there is encrypted anew; the
integrity value over the whole is made again with the file's own algorithm and rounds.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ..errors import TrustStoreError
from ..model import Secret
from ..pki.certificate import Certificate
from . import _pbe, _pfx
from ._format import Change, Entry, Format, Roots, readable

NAMES = {_pfx.KEY_BAG: "key", _pfx.SHROUDED: "key", _pfx.CRL_BAG: "crl", _pfx.SECRET_BAG: "secret"}


def sniff(content: bytes) -> int:
    """A sequence that begins with the number 3 and holds a ContentInfo."""
    if content[:1] != b"0":
        return 0
    head = content[:16]
    at = 2 + (head[1] & 0x7F if len(head) > 1 and head[1] > 0x80 else 0)
    if head[at : at + 3] != b"\2\1\3":
        return 0
    try:
        _pfx.parse(content)
    except ValueError:
        return 60
    return 100


def read(content: bytes, password: Secret | None) -> Roots:
    """Every entry; a certificate without Java's trust attribute is ``chain`` when there are keys, else a root with a note."""
    pfx = _open(content, password)
    contents, hidden = _contents(pfx, password)
    keys = any(bag.kind in (_pfx.KEY_BAG, _pfx.SHROUDED) for bag in contents)
    entries = tuple(_entry(number, bag, keys) for number, bag in enumerate(contents, 1))
    notes = ("opened without a password: encrypted parts were not seen",) if hidden else ()
    return Roots("pkcs12", entries, notes, checked=pfx.mac is not None and password is not None)


def _open(content: bytes, password: Secret | None) -> _pfx.Pfx:
    try:
        pfx = _pfx.parse(content)
        if password is not None and not _pfx.verifies(pfx, password.reveal()):
            raise TrustStoreError("was tampered with, or the password is wrong")
    except ValueError as error:
        raise TrustStoreError(f"cannot be opened: it {error}") from None
    return pfx


def _contents(pfx: _pfx.Pfx, password: Secret | None) -> tuple[list[_pfx.Bag], bool]:
    found: list[_pfx.Bag] = []
    hidden = False
    try:
        for safe in pfx.safes:
            plain = _pfx.opened(safe, None if password is None else password.reveal())
            if plain is None:
                hidden = True
            else:
                found += _pfx.bags(plain)
    except _pbe.WrongPassword:
        raise TrustStoreError("cannot be decrypted: the password is wrong") from None
    except ValueError as error:
        raise TrustStoreError(f"cannot be opened: it {error}") from None
    return found, hidden


def _entry(number: int, bag: _pfx.Bag, keys: bool) -> Entry:
    name = bag.name or f"entry {number}"
    if bag.kind != _pfx.CERT_BAG:
        return Entry(NAMES.get(bag.kind, "other"), name)
    certificate = None if bag.certificate is None else Certificate(bag.certificate)
    if certificate is None or not readable(certificate.der):
        return Entry("damaged", name, note="is no certificate that can be read")
    if bag.trusted:
        return Entry("root", name, certificate)
    if keys:
        return Entry("chain", name, certificate, "belongs to a key")
    return Entry("root", name, certificate, "without the attribute that Java asks for: Java does not trust it")


def write(content: bytes, change: Change, password: Secret | None) -> bytes:
    """*content* with one more safe, and without the removed certificates; safes that are not concerned keep every byte."""
    pfx = _open(content, password)
    protected = pfx.mac is not None or any(safe.algorithm for safe in pfx.safes)
    if protected and password is None:
        raise TrustStoreError("cannot be changed without its password", hint="give it with `--password-file`")
    secret = "" if password is None else password.reveal()
    held, _ = _contents(pfx, password)
    trusted = {bag.certificate for bag in held if bag.certificate is not None and bag.trusted}
    keys = any(bag.kind in (_pfx.KEY_BAG, _pfx.SHROUDED) for bag in held)
    added = [root for root in dict.fromkeys(change.add) if root.der not in trusted]
    safes = []
    for safe in pfx.safes:
        raw = safe.raw
        plain = _pfx.opened(safe, secret) if change.remove else None
        if plain is not None:
            inside = _pfx.bags(plain)
            kept = [bag for bag in inside if not _removed(bag, change.remove, keys)]
            if len(kept) < len(inside):
                algorithm = _pbe.fresh(safe.algorithm) if safe.algorithm else b""
                raw = _pfx.safe([bag.raw for bag in kept], algorithm, secret)
        safes.append(raw)
    if not added and safes == [safe.raw for safe in pfx.safes]:
        return content
    if added:
        aliases = {(bag.name or "").lower() for bag in held}
        clash = next((root.fingerprint for root in added if root.fingerprint in aliases), None)
        if clash:
            raise TrustStoreError(f"uses the alias `{clash}` for something else")
        model = next((safe.algorithm for safe in pfx.safes if safe.algorithm), b"")
        algorithm = _pbe.fresh(model) if model else _pbe.modern() if pfx.mac is not None and not _plain(pfx) else b""
        safes.append(_pfx.safe([_pfx.certificate_bag(root.der, root.fingerprint) for root in added], algorithm, secret))
    return _pfx.assemble(safes, pfx.mac, secret)


def _plain(pfx: _pfx.Pfx) -> bool:
    """Certificates that stand unencrypted though the file has a password stay so: that is how it was made."""
    return any(not safe.algorithm and any(b.kind == _pfx.CERT_BAG for b in _pfx.bags(safe.content)) for safe in pfx.safes)


def _removed(bag: _pfx.Bag, fingerprints: frozenset[str], keys: bool) -> bool:
    if bag.certificate is None or not (bag.trusted or not keys):
        return False
    return Certificate(bag.certificate).fingerprint in fingerprints


def create(roots: Sequence[Certificate], password: Secret | None) -> bytes:
    """A new file: AES-256 and SHA-256 with 10,000 rounds, as keytool 17 makes it; Java 8 reads it from 8u301 on."""
    if password is None:
        raise TrustStoreError("needs a password", hint="Java's usual one is `changeit`")
    if not password.reveal().isascii():
        raise TrustStoreError("has a password with more than ASCII in it, which Java does not open")
    bags = [_pfx.certificate_bag(root.der, root.fingerprint) for root in dict.fromkeys(roots)]
    mac = _pfx.Mac("sha256", secrets.token_bytes(20), 10_000, b"")
    return _pfx.assemble([_pfx.safe(bags, _pbe.modern(), password.reveal())], mac, password.reveal())


FORMAT = Format(title="PKCS#12", sniff=sniff, read=read, write=write, create=create, takes_password=True)
