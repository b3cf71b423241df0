"""
The layout that JKS and JCEKS share, read and written with the standard library alone.

    magic  version  count  { tag  alias  milliseconds  body }…  SHA-1(password as UTF-16BE, "Mighty Aphrodite", everything before)

Tag 1 is a private key with its chain, 2 a trusted certificate, 3 (JCEKS) a secret key. Source: jdk
sun/security/provider/JavaKeyStore.java and com/sun/crypto/provider/JceKeyStore.java.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import TrustStoreError
from ..model import Secret
from ..pki.certificate import Certificate
from . import _javaobject
from ._format import Change, Entry, Limits, Roots, readable

JKS, JCEKS = 0xFEEDFEED, 0xCECECECE
WHITENER = b"Mighty Aphrodite"
KEY, CERTIFICATE, SECRET = 1, 2, 3
DIGEST = 20
SHORTEST = 4 + 2 + 8 + 4
"""Bytes of the smallest entry."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry: its span in the file, and its certificates (a key's chain, its own certificate first) as (type, bytes)."""

    tag: int
    alias: str
    start: int
    end: int
    certificates: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class KeyStore:
    """A whole file: its entries in order."""

    magic: int
    version: int
    items: tuple[Item, ...]
    end: int
    """Where the digest begins."""


def parse(content: bytes) -> KeyStore:
    """The entries of *content*; ``ValueError`` when it is no such file. The digest is not looked at."""
    if len(content) < 12:
        raise ValueError("is too short")
    magic, version, count = struct.unpack_from(">III", content)
    if magic not in (JKS, JCEKS) or version not in (1, 2):
        raise ValueError("is neither JKS nor JCEKS")
    if count & 0x80000000:
        count = 0  # Java counts from 0 up to a negative number: not once
    if count > (len(content) - 12) // SHORTEST or count > Limits.CERTIFICATES:
        raise ValueError(f"claims to hold {count} entries")
    items, at = [], 12
    for _ in range(count):
        item = _item(content, at, version)
        items.append(item)
        at = item.end
    return KeyStore(magic, version, tuple(items), at)


def _item(content: bytes, start: int, version: int) -> Item:
    tag, at = _number(content, start)
    alias, at = _text(content, at)
    at += 8
    if tag == KEY:
        _, at = _bytes(content, at)
        count, at = _number(content, at)
        if count > (len(content) - at) // 6:
            raise ValueError(f"claims a chain of {count} certificates")
        chain = []
        for _ in range(count):
            found, at = _certificate(content, at, version)
            chain.append(found)
        return Item(tag, alias, start, at, tuple(chain))
    if tag == CERTIFICATE:
        found, at = _certificate(content, at, version)
        return Item(tag, alias, start, at, (found,))
    if tag == SECRET:
        return Item(tag, alias, start, _javaobject.end(content, at))
    raise ValueError(f"holds an entry of the unknown kind {tag}")


def _certificate(content: bytes, at: int, version: int) -> tuple[tuple[str, bytes], int]:
    kind = "X.509"
    if version == 2:
        kind, at = _text(content, at)
    data, at = _bytes(content, at)
    return (kind, data), at


def _number(content: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(content):
        raise ValueError("is cut off")
    return int.from_bytes(content[at : at + 4], "big"), at + 4


def _text(content: bytes, at: int) -> tuple[str, int]:
    if at + 2 > len(content):
        raise ValueError("is cut off")
    end = at + 2 + int.from_bytes(content[at : at + 2], "big")
    if end > len(content):
        raise ValueError("is cut off")
    return _modified_utf8(content[at + 2 : end]), end


CHARACTERS = re.compile(rb"(?:[\x00-\x7f]|[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2})*")


def _modified_utf8(data: bytes) -> str:
    """What DataInputStream.readUTF makes of it: a zero may take two bytes, and a character beyond the first plane takes six."""
    if data.isascii():
        return data.decode()
    if not CHARACTERS.fullmatch(data):
        raise ValueError("has an alias that is no text")
    text, at = [], 0
    while at < len(data):
        first = data[at]
        size = 1 if first < 0x80 else 2 if first < 0xE0 else 3
        number = first & (0x7F, 0x1F, 0x0F)[size - 1]
        for byte in data[at + 1 : at + size]:
            number = number << 6 | byte & 0x3F
        text.append(chr(number))
        at += size
    return "".join(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _bytes(content: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(content, at)
    if at + size > len(content):
        raise ValueError("is cut off")
    return content[at : at + size], at + size


def digest(body: bytes, password: str) -> bytes:
    """The keyed digest behind the entries."""
    return hashlib.sha1(password.encode("utf-16-be", "surrogatepass") + WHITENER + body, usedforsecurity=False).digest()


def verifies(content: bytes, store: KeyStore, password: str) -> bool:
    return hmac.compare_digest(digest(content[: store.end], password), content[store.end : store.end + DIGEST])


# ── the format's side ────────────────────────────────────────────────────────────────────────────


def read(name: str, content: bytes, password: Secret | None) -> Roots:
    """Every entry. Without a password Java opens the file too, unchecked; so does this."""
    store = _open(content, password)
    notes = () if password else ("opened without a password: its integrity was not checked",)
    return Roots(name, tuple(_entry(item) for item in store.items), notes, checked=password is not None)


def _open(content: bytes, password: Secret | None) -> KeyStore:
    try:
        store = parse(content)
    except ValueError as error:
        raise TrustStoreError(f"cannot be opened: it {error}") from None
    if password is not None and not verifies(content, store, password.reveal()):
        raise TrustStoreError("was tampered with, or the password is wrong", hint="Java's usual password is `changeit`")
    return store


def _entry(item: Item) -> Entry:
    if item.tag == SECRET:
        return Entry("secret", item.alias)
    first = Certificate(item.certificates[0][1]) if item.certificates else None
    if item.tag == KEY:
        return Entry("key", item.alias, first, f"a private key with {len(item.certificates)} certificates")
    if first is None or not readable(first.der):
        return Entry("damaged", item.alias, note="is no certificate that can be read")
    return Entry("root", item.alias, first)


def write(content: bytes, change: Change, password: Secret | None) -> bytes:
    """*content* with entries taken out and put behind the others; those that stay keep every byte."""
    if password is None:
        raise TrustStoreError("cannot be changed without its password", hint="give it with `--password-file`")
    store = _open(content, password)
    kept = [item for item in store.items if not _removed(item, change.remove)]
    held = {item.certificates[0][1] for item in kept if item.tag == CERTIFICATE}
    added = [root for root in dict.fromkeys(change.add) if root.der not in held]
    if len(kept) == len(store.items) and not added:
        return content
    aliases = {item.alias.lower() for item in kept}
    fresh = [_encode(root, aliases, store.version) for root in added]
    head = struct.pack(">III", store.magic, store.version, len(kept) + len(fresh))
    body = b"".join((head, *(content[item.start : item.end] for item in kept), *fresh))
    return body + digest(body, password.reveal())


def _removed(item: Item, fingerprints: Iterable[str]) -> bool:
    return item.tag == CERTIFICATE and hashlib.sha256(item.certificates[0][1]).hexdigest() in set(fingerprints)


def _encode(root: Certificate, aliases: set[str], version: int) -> bytes:
    """A trusted certificate under its fingerprint. Java asks for a time; the certificate's own start keeps the bytes the same."""
    alias = root.fingerprint
    if alias in aliases:
        raise TrustStoreError(f"uses the alias `{alias}` for something else")
    kind = b"\0\5X.509" if version == 2 else b""
    name = alias.encode()
    when = int(root.not_before.timestamp() * 1000)
    head = struct.pack(">IH", CERTIFICATE, len(name)) + name + struct.pack(">q", when)
    return head + kind + struct.pack(">I", len(root.der)) + root.der


def create(magic: int, roots: Sequence[Certificate], password: Secret | None) -> bytes:
    """A new file."""
    if password is None:
        raise TrustStoreError("needs a password", hint="Java's usual one is `changeit`")
    fresh = [_encode(root, set(), 2) for root in dict.fromkeys(roots)]
    body = struct.pack(">III", magic, 2, len(fresh)) + b"".join(fresh)
    return body + digest(body, password.reveal())
