"""
What the oracle's servers present and its clients trust: chains, trust stores and CRLs, each with one property that divides
drivers.

``Material(folder)`` makes the certificates once; ``chain(kind)`` is what a server serves, ``store(kind, chain)`` the bytes a
client trusts when its server serves that chain, ``crl(kind, chain)`` a revocation list. Kinds are names; ``CHAINS``, ``NAMES``,
``STORES`` and ``CRLS`` list them.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from reroot.lab import ca
from reroot.lab.ca import DAY, Issued

HOST = "db1.lab.test"
NOW = datetime.now(UTC).replace(microsecond=0)
PAST = {"not_before": NOW - 400 * DAY, "not_after": NOW - 10 * DAY}
FUTURE = {"not_before": NOW + 10 * DAY, "not_after": NOW + 400 * DAY}
JAVA_PASSWORD = "changeit"
CLIENT_ONLY = (ExtendedKeyUsageOID.CLIENT_AUTH,)


@dataclass(frozen=True)
class Chain:
    """What a server serves (leaf first, with the leaf's key), the root it should be trusted by, and the leaf's issuer."""

    kind: str
    certificates: tuple[Issued, ...]
    anchor: Issued
    issuer: Issued

    @property
    def pair(self) -> tuple[bytes, bytes]:
        return ca.bundle(*self.certificates), self.certificates[0].key_pem


def server(issuer: Issued, *names: str, **defects: object) -> Issued:
    return ca.leaf(issuer, *(names or (HOST, "localhost")), **defects)


class Authorities:
    """The roots and intermediates that most chains share."""

    def __init__(self) -> None:
        self.old = ca.root("corp-root-2019")
        self.new = ca.root("corp-root-2027")
        self.other = ca.root("unrelated-root")
        self.rsa = ca.root("corp-rsa-root", key="rsa2048")
        self.weak = ca.root("corp-rsa1024-root", key="rsa1024")
        self.bare = ca.root("corp-bare-root", key_id=False, authority_key_id=False)
        self.middle = ca.intermediate(self.new, "corp-intermediate")
        self.lower = ca.intermediate(self.middle, "corp-lower-intermediate")
        self.new_by_old = ca.cross_sign(self.new, self.old)


# ── chains: everything but names ─────────────────────────────────────────────────────────────────


def _chain(leaf: Issued, *above: Issued, anchor: Issued, issuer: Issued | None = None) -> Callable[[str], Chain]:
    return lambda kind: Chain(kind, (leaf, *above), anchor, issuer or (above[0] if above else anchor))


def _chains(a: Authorities) -> dict[str, Callable[[str], Chain]]:
    new, middle, lower = a.new, a.middle, a.lower
    from_middle, from_lower = server(middle), server(lower)
    expired_middle = ca.issue(middle.certificate.subject, new, key=middle.key, ca=True, key_usage=("key_cert_sign",), **PAST)
    twin_middle = ca.intermediate(new, "corp-intermediate")
    rsa_middle = ca.intermediate(a.rsa, "corp-rsa-intermediate", key="rsa2048")
    sha1_middle = ca.intermediate(a.rsa, "corp-sha1-intermediate", key="rsa2048", signature="sha1")
    weak_middle = ca.intermediate(a.rsa, "corp-rsa1024-intermediate", key="rsa1024")
    no_ca_middle = ca.intermediate(new, "corp-not-a-ca", ca=False)
    bare_middle = ca.intermediate(new, "corp-intermediate-without-constraints", ca=None, key_usage=None)
    v_no_sign = ca.intermediate(new, "corp-intermediate-may-not-sign", key_usage=("digital_signature",))
    short = ca.intermediate(new, "corp-intermediate-path-0", path_length=0)
    below_short = ca.intermediate(short, "corp-below-path-0")
    client_middle = ca.intermediate(new, "corp-client-intermediate", extended_key_usage=CLIENT_ONLY)
    critical_middle = ca.intermediate(new, "corp-critical-intermediate", unknown_critical=True)
    permits = ca.intermediate(new, "corp-permits-lab", permitted=["lab.test"])
    forbids = ca.intermediate(new, "corp-forbids-lab", excluded=["lab.test"])
    elsewhere = ca.intermediate(new, "corp-permits-elsewhere", permitted=["elsewhere.test"])
    short_root = ca.root("corp-root-path-0", path_length=0)
    below_short_root = ca.intermediate(short_root, "corp-below-root-path-0")
    no_bc_root = ca.root("corp-root-without-constraints", ca=None, key_usage=None)
    loose_root = ca.root("corp-root-loose-constraints", ca_critical=False, key_usage=None)
    false_root = ca.root("corp-root-ca-false", ca=False, key_usage=None)
    no_sign_root = ca.root("corp-root-may-not-sign", key_usage=("digital_signature",))
    critical_root = ca.root("corp-critical-root", unknown_critical=True)
    expired_root, future_root = ca.root("corp-expired-root", **PAST), ca.root("corp-future-root", **FUTURE)
    forbids_root = ca.root("corp-root-forbids-lab", excluded=["lab.test"])
    self_signed = ca.issue("db1.lab.test", dns=[HOST, "localhost"], ca=None)
    self_signed_not_ca = ca.issue("db1.lab.test", dns=[HOST, "localhost"], ca=False)
    self_signed_ca = ca.issue("db1.lab.test", dns=[HOST, "localhost"], ca=True)
    a_leaf = server(new, "signer.lab.test")
    by_leaf = server(a_leaf)
    other_chain = server(a.other)
    return {
        "old": _chain(server(a.old), anchor=a.old),
        "new": _chain(server(new), anchor=new),
        "new+root": _chain(server(new), new, anchor=new, issuer=new),
        "intermediate": _chain(from_middle, middle, anchor=new),
        "intermediate+root": _chain(from_middle, middle, new, anchor=new),
        "intermediate-missing": _chain(from_middle, anchor=new, issuer=middle),
        "two": _chain(from_lower, lower, middle, anchor=new),
        "two-swapped": _chain(from_lower, middle, lower, anchor=new, issuer=lower),
        "two-shuffled-root": _chain(from_lower, new, middle, lower, anchor=new, issuer=lower),
        "two-upper-missing": _chain(from_lower, lower, anchor=new),
        "two-lower-missing": _chain(from_lower, middle, anchor=new, issuer=lower),
        "cross": _chain(server(new), a.new_by_old, anchor=a.old, issuer=new),
        "cross-new": _chain(server(new), a.new_by_old, anchor=new, issuer=new),
        "cross+old-root": _chain(server(new), a.new_by_old, a.old, anchor=a.old, issuer=new),
        "cross-intermediate": _chain(from_middle, middle, a.new_by_old, anchor=a.old),
        "cross-intermediate-new": _chain(from_middle, middle, a.new_by_old, anchor=new),
        "expired-then-good": _chain(from_middle, expired_middle, middle, anchor=new),
        "good-then-expired": _chain(from_middle, middle, expired_middle, anchor=new),
        "expired-intermediate": _chain(from_middle, expired_middle, anchor=new),
        "twin-intermediate-first": _chain(from_middle, twin_middle, middle, anchor=new, issuer=middle),
        "twin-intermediate-last": _chain(from_middle, middle, twin_middle, anchor=new),
        "junk-between": _chain(from_middle, a.other, middle, anchor=new, issuer=middle),
        "junk-after": _chain(from_middle, middle, a.other, anchor=new),
        "junk-leaf-after": _chain(from_middle, middle, other_chain, anchor=new),
        "leaf-twice": _chain(from_middle, from_middle, middle, anchor=new, issuer=middle),
        "rsa": _chain(server(a.rsa, key="rsa2048"), anchor=a.rsa),
        "ec384": _chain(server(new, key="ec384"), anchor=new),
        "rsa-under-ec": _chain(server(new, key="rsa2048"), anchor=new),
        "ec-under-rsa": _chain(server(a.rsa), anchor=a.rsa),
        "sha1-leaf": _chain(server(a.rsa, key="rsa2048", signature="sha1"), anchor=a.rsa),
        "sha1-intermediate": _chain(server(sha1_middle, key="rsa2048"), sha1_middle, anchor=a.rsa),
        "rsa1024-leaf": _chain(server(a.rsa, key="rsa1024"), anchor=a.rsa),
        "rsa1024-intermediate": _chain(server(weak_middle, key="rsa2048"), weak_middle, anchor=a.rsa),
        "rsa1024-root": _chain(server(a.weak, key="rsa2048"), anchor=a.weak),
        "rsa-intermediate": _chain(server(rsa_middle, key="rsa2048"), rsa_middle, anchor=a.rsa),
        "critical-leaf": _chain(server(new, unknown_critical=True), anchor=new),
        "critical-intermediate": _chain(server(critical_middle), critical_middle, anchor=new),
        "critical-root": _chain(server(critical_root), anchor=critical_root),
        "no-eku": _chain(server(new, extended_key_usage=None), anchor=new),
        "client-eku": _chain(server(new, extended_key_usage=CLIENT_ONLY), anchor=new),
        "client-eku-intermediate": _chain(server(client_middle), client_middle, anchor=new),
        "any-eku": _chain(server(new, extended_key_usage=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), anchor=new),
        "no-ku": _chain(server(new, key_usage=None), anchor=new),
        "odd-ku": _chain(server(new, key_usage=("key_agreement",)), anchor=new),
        "no-key-ids": _chain(server(new, key_id=False, authority_key_id=False), anchor=new),
        "wrong-aki": _chain(server(new, authority_key_id=b"x" * 20), anchor=new),
        "bare-root": _chain(server(a.bare, key_id=False, authority_key_id=False), anchor=a.bare),
        "bare-root-aki": _chain(server(a.bare), anchor=a.bare),
        "leaf-says-ca": _chain(server(new, ca=True), anchor=new),
        "leaf-no-bc": _chain(server(new, ca=None), anchor=new),
        "path-0-ok": _chain(server(short), short, anchor=new),
        "path-0-broken": _chain(server(below_short), below_short, short, anchor=new),
        "root-path-0-ok": _chain(server(short_root), anchor=short_root),
        "root-path-0-broken": _chain(server(below_short_root), below_short_root, anchor=short_root),
        "permits": _chain(server(permits), permits, anchor=new),
        "permits-no-san": _chain(server(permits, dns=(), subject=HOST), permits, anchor=new),
        "forbids": _chain(server(forbids), forbids, anchor=new),
        "forbids-cn-only": _chain(server(forbids, dns=(), subject=HOST), forbids, anchor=new),
        "permits-elsewhere": _chain(server(elsewhere), elsewhere, anchor=new),
        "root-forbids": _chain(server(forbids_root), anchor=forbids_root),
        "issuer-not-ca": _chain(server(no_ca_middle), no_ca_middle, anchor=new),
        "issuer-no-bc": _chain(server(bare_middle), bare_middle, anchor=new),
        "issuer-may-not-sign": _chain(server(v_no_sign), v_no_sign, anchor=new),
        "issuer-is-leaf": _chain(by_leaf, a_leaf, anchor=new),
        "root-no-bc": _chain(server(no_bc_root), anchor=no_bc_root),
        "root-loose-bc": _chain(server(loose_root), anchor=loose_root),
        "root-ca-false": _chain(server(false_root), anchor=false_root),
        "root-may-not-sign": _chain(server(no_sign_root), anchor=no_sign_root),
        "self-signed": _chain(self_signed, anchor=self_signed),
        "self-signed-not-ca": _chain(self_signed_not_ca, anchor=self_signed_not_ca),
        "self-signed-ca": _chain(self_signed_ca, anchor=self_signed_ca),
        "expired-leaf": _chain(server(new, **PAST), anchor=new),
        "future-leaf": _chain(server(new, **FUTURE), anchor=new),
        "expired-root": _chain(server(expired_root), anchor=expired_root),
        "future-root": _chain(server(future_root), anchor=future_root),
        "expired-root-served": _chain(server(expired_root), expired_root, anchor=expired_root),
        "long-lived": _chain(server(new, not_after=NOW + timedelta(days=36500)), anchor=new),
        "unrelated": _chain(other_chain, anchor=a.other),
        "ed25519": _chain(server(new, key="ed25519"), anchor=new),
    }


# ── chains that differ in the leaf's names only ──────────────────────────────────────────────────


def _names(a: Authorities) -> dict[str, Callable[[str], Chain]]:
    def leaf(subject: str | None = "db", dns: tuple[str, ...] = (), ips: tuple[str, ...] = ()) -> Callable[[str], Chain]:
        return _chain(server(a.new, subject=subject, dns=dns, ips=ips), anchor=a.new)

    return {
        "name-san": leaf(dns=(HOST,)),
        "name-cn-only": leaf(HOST),
        "name-cn-only-upper": leaf("DB1.LAB.TEST"),
        "name-cn-and-san": leaf(HOST, dns=(HOST,)),
        "name-cn-right-san-wrong": leaf(HOST, dns=("other.lab.test",)),
        "name-cn-wrong-san-right": leaf("other.lab.test", dns=(HOST,)),
        "name-wrong": leaf("other.lab.test", dns=("other.lab.test",)),
        "name-upper": leaf(dns=("DB1.LAB.TEST",)),
        "name-wildcard": leaf(dns=("*.lab.test",)),
        "name-wildcard-cn": leaf("*.lab.test"),
        "name-wildcard-wide": leaf(dns=("*.test",)),
        "name-wildcard-deep": leaf(dns=("*.*.test",)),
        "name-wildcard-part": leaf(dns=("db*.lab.test",)),
        "name-wildcard-all": leaf(dns=("*",)),
        "name-wildcard-below": leaf(dns=("*.db1.lab.test",)),
        "name-wildcard-middle": leaf(dns=("db1.*.test",)),
        "name-trailing-dot": leaf(dns=("db1.lab.test.",)),
        "name-parent": leaf(dns=("lab.test",)),
        "name-ip": leaf(ips=("127.0.0.1",)),
        "name-ip-and-dns": leaf(dns=(HOST,), ips=("127.0.0.1",)),
        "name-ip-cn": leaf("127.0.0.1"),
        "name-ip-cn-san-dns": leaf("127.0.0.1", dns=(HOST,)),
        "name-ip-cn-san-ip-other": leaf("127.0.0.1", ips=("127.0.0.9",)),
        "name-ip-as-dns": leaf(dns=("127.0.0.1",)),
        "name-ip-other": leaf(ips=("127.0.0.9",)),
        "name-ip-wildcard": leaf(dns=("*.0.0.1",)),
        "name-cn-right-san-ip": leaf(HOST, ips=("127.0.0.9",)),
        "name-cn-right-san-email": leaf("O=Corp,CN=db1.lab.test"),
        "name-cn-two": leaf(f"CN={HOST},CN=other.lab.test"),
        "name-cn-two-swapped": leaf(f"CN=other.lab.test,CN={HOST}"),
        "name-empty-subject": leaf(None, dns=(HOST,)),
        "name-many": leaf(dns=("a.lab.test", "b.lab.test", HOST)),
        "name-localhost": leaf("localhost", dns=("localhost",)),
    }


_PLACEHOLDER = Authorities()
CHAINS: tuple[str, ...] = tuple(_chains(_PLACEHOLDER))
NAMES: tuple[str, ...] = tuple(_names(_PLACEHOLDER))


# ── trust stores ─────────────────────────────────────────────────────────────────────────────────

FOLDER = b"\0folder"
"""Stands for a trust store whose path is a folder."""


def _relabel(pem: bytes, label: str) -> bytes:
    return pem.replace(b" CERTIFICATE-----", f" {label}-----".encode())


def _trusted(one: Issued) -> bytes:
    """OpenSSL's TRUSTED CERTIFICATE with empty auxiliary data."""
    body = base64.encodebytes(one.der + bytes.fromhex("3000"))
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + body + b"-----END TRUSTED CERTIFICATE-----\n"


def _damaged(pem: bytes) -> bytes:
    """A block whose DER is broken off, its base64 still sound."""
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))[:-40]
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def _not_base64(pem: bytes) -> bytes:
    lines = pem.splitlines(keepends=True)
    return b"".join([*lines[:2], b"!!!! this is not base64 !!!!\n", *lines[2:]])


def _indented(pem: bytes) -> bytes:
    return b"".join(b"  " + line for line in pem.splitlines(keepends=True))


def _one_line(one: Issued) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(one.der) + b"\n-----END CERTIFICATE-----\n"


Store = Callable[[Chain, Authorities], bytes | None]


def _twin(anchor: Issued, **defects: object) -> Issued:
    return ca.root(anchor.certificate.subject, **defects)


def _without_key_id(anchor: Issued, **defects: object) -> Issued:
    return ca.reissue(anchor, key_id=False, authority_key_id=False, **defects)


def _shared_twins(chain: Chain) -> tuple[Issued, Issued]:
    return _twin(chain.anchor), _twin(chain.anchor, key_id=False, authority_key_id=False)


_STORES: dict[str, Store] = {
    "right": lambda c, a: c.anchor.cert_pem,
    "wrong": lambda c, a: a.other.cert_pem if c.anchor is not a.other else a.old.cert_pem,
    "old": lambda c, a: a.old.cert_pem,
    "new": lambda c, a: a.new.cert_pem,
    "old-new": lambda c, a: ca.bundle(a.old, a.new),
    "new-old": lambda c, a: ca.bundle(a.new, a.old),
    "right-first": lambda c, a: ca.bundle(c.anchor, a.other),
    "right-last": lambda c, a: ca.bundle(a.other, a.old, c.anchor),
    "twin-only": lambda c, a: _twin(c.anchor).cert_pem,
    "twin-first": lambda c, a: ca.bundle(_twin(c.anchor), c.anchor),
    "twin-last": lambda c, a: ca.bundle(c.anchor, _twin(c.anchor)),
    "twin-no-key-id-first": lambda c, a: ca.bundle(_twin(c.anchor, key_id=False, authority_key_id=False), c.anchor),
    "twin-no-key-id-last": lambda c, a: ca.bundle(c.anchor, _twin(c.anchor, key_id=False, authority_key_id=False)),
    "twins-no-key-ids-first": lambda c, a: ca.bundle(
        _twin(c.anchor, key_id=False, authority_key_id=False), _without_key_id(c.anchor)
    ),
    "twins-no-key-ids-last": lambda c, a: ca.bundle(
        _without_key_id(c.anchor), _twin(c.anchor, key_id=False, authority_key_id=False)
    ),
    "twin-expired-first": lambda c, a: ca.bundle(_twin(c.anchor, **PAST), c.anchor),
    "no-key-id": lambda c, a: _without_key_id(c.anchor).cert_pem,
    "intermediate-only": lambda c, a: c.issuer.cert_pem,
    "intermediate-and-wrong": lambda c, a: ca.bundle(a.other, c.issuer),
    "leaf-only": lambda c, a: c.certificates[0].cert_pem,
    "leaf-and-root": lambda c, a: ca.bundle(c.certificates[0], c.anchor),
    "intermediate-and-root": lambda c, a: ca.bundle(c.issuer, c.anchor),
    "all-but-root": lambda c, a: ca.bundle(*[i for i in c.certificates if i.der != c.anchor.der] or [c.issuer]),
    "cross-only": lambda c, a: a.new_by_old.cert_pem,
    "cross-and-old": lambda c, a: ca.bundle(a.new_by_old, a.old),
    "old-and-cross": lambda c, a: ca.bundle(a.old, a.new_by_old),
    "cross-and-new": lambda c, a: ca.bundle(a.new_by_old, a.new),
    "expired": lambda c, a: ca.reissue(c.anchor, **PAST).cert_pem,
    "future": lambda c, a: ca.reissue(c.anchor, **FUTURE).cert_pem,
    "expired-then-good": lambda c, a: ca.bundle(ca.reissue(c.anchor, **PAST), c.anchor),
    "good-then-expired": lambda c, a: ca.bundle(c.anchor, ca.reissue(c.anchor, **PAST)),
    "future-then-good": lambda c, a: ca.bundle(ca.reissue(c.anchor, **FUTURE), c.anchor),
    "reissued": lambda c, a: ca.reissue(c.anchor).cert_pem,
    "reissued-no-bc": lambda c, a: ca.reissue(c.anchor, ca=None, key_usage=None).cert_pem,
    "reissued-loose-bc": lambda c, a: ca.reissue(c.anchor, ca_critical=False, key_usage=None).cert_pem,
    "reissued-ca-false": lambda c, a: ca.reissue(c.anchor, ca=False, key_usage=None).cert_pem,
    "reissued-may-not-sign": lambda c, a: ca.reissue(c.anchor, key_usage=("digital_signature",)).cert_pem,
    "reissued-client-eku": lambda c, a: ca.reissue(c.anchor, extended_key_usage=CLIENT_ONLY).cert_pem,
    "reissued-path-0": lambda c, a: ca.reissue(c.anchor, path_length=0).cert_pem,
    "reissued-no-aki": lambda c, a: ca.reissue(c.anchor, authority_key_id=False).cert_pem,
    "reissued-critical": lambda c, a: ca.reissue(c.anchor, unknown_critical=True).cert_pem,
    "other-key-id": lambda c, a: ca.reissue(c.anchor, key_id=b"y" * 20, authority_key_id=b"y" * 20).cert_pem,
    "twice": lambda c, a: ca.bundle(c.anchor, c.anchor),
    "empty": lambda c, a: b"",
    "blank": lambda c, a: b"\n\n  \n",
    "comment-only": lambda c, a: b"# put the root here\n",
    "missing": lambda c, a: None,
    "folder": lambda c, a: FOLDER,
    "der": lambda c, a: c.anchor.certificate.public_bytes(Encoding.DER),
    "crlf": lambda c, a: c.anchor.cert_pem.replace(b"\n", b"\r\n"),
    "cr": lambda c, a: c.anchor.cert_pem.replace(b"\n", b"\r"),
    "bom": lambda c, a: b"\xef\xbb\xbf" + c.anchor.cert_pem,
    "bom-two": lambda c, a: b"\xef\xbb\xbf" + ca.bundle(a.other, c.anchor),
    "utf16": lambda c, a: c.anchor.cert_pem.decode().encode("utf-16"),
    "no-line-end": lambda c, a: c.anchor.cert_pem.rstrip(b"\n"),
    "glued": lambda c, a: a.other.cert_pem.rstrip(b"\n") + c.anchor.cert_pem,
    "glued-right-first": lambda c, a: c.anchor.cert_pem.rstrip(b"\n") + a.other.cert_pem,
    "damaged-first": lambda c, a: _damaged(a.other.cert_pem) + c.anchor.cert_pem,
    "damaged-last": lambda c, a: c.anchor.cert_pem + _damaged(a.other.cert_pem),
    "not-base64-first": lambda c, a: _not_base64(a.other.cert_pem) + c.anchor.cert_pem,
    "not-base64-last": lambda c, a: c.anchor.cert_pem + _not_base64(a.other.cert_pem),
    "cut-last": lambda c, a: c.anchor.cert_pem + a.other.cert_pem[:120],
    "cut-first": lambda c, a: a.other.cert_pem[:120] + b"\n" + c.anchor.cert_pem,
    "text-between": lambda c, a: b"Corp root, 2027\n===\n" + a.other.cert_pem + b"\nand the next:\n\n" + c.anchor.cert_pem,
    "text-after": lambda c, a: c.anchor.cert_pem + b"# end of file\n",
    "indented": lambda c, a: _indented(c.anchor.cert_pem),
    "one-line": lambda c, a: _one_line(c.anchor),
    "trusted": lambda c, a: _trusted(c.anchor),
    "x509-label": lambda c, a: _relabel(c.anchor.cert_pem, "X509 CERTIFICATE"),
    "lower-label": lambda c, a: c.anchor.cert_pem.replace(b"CERTIFICATE", b"certificate"),
    "with-key": lambda c, a: a.other.key_pem + c.anchor.cert_pem,
    "with-crl": lambda c, a: c.anchor.cert_pem + ca.crl(c.anchor),
    "key-only": lambda c, a: a.other.key_pem,
}
STORES: tuple[str, ...] = tuple(_STORES)


# ── revocation lists ─────────────────────────────────────────────────────────────────────────────


def _signers(chain: Chain) -> list[Issued]:
    return [c for c in chain.certificates[1:] if c.der != chain.anchor.der]


_CRLS: dict[str, Callable[[Chain, Authorities], bytes]] = {
    "clean": lambda c, a: ca.crl(c.anchor) + b"".join(ca.crl(s) for s in _signers(c)),
    "anchor-only": lambda c, a: ca.crl(c.anchor),
    "old-only": lambda c, a: ca.crl(a.old),
    "other-only": lambda c, a: ca.crl(a.other),
    "leaf-revoked": lambda c, a: b"".join(ca.crl(s, [c.certificates[0]]) for s in (c.anchor, *_signers(c))),
    "expired": lambda c, a: ca.crl(c.anchor, this_update=NOW - 60 * DAY, next_update=NOW - 30 * DAY),
    "future": lambda c, a: ca.crl(c.anchor, this_update=NOW + 10 * DAY, next_update=NOW + 30 * DAY),
    "empty": lambda c, a: b"",
    "damaged": lambda c, a: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
}
CRLS: tuple[str, ...] = tuple(_CRLS)


class Material:
    """The certificates of one run, and the files made of them under *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._files: set[Path] = set()
        self.authorities = Authorities()
        self._chains = _chains(self.authorities) | _names(self.authorities)
        self.chain = cache(self._chain)
        self.store_path = cache(self._store_path)
        self.crl_path = cache(self._crl_path)
        self.home = cache(self._home)
        self.chain_path = cache(self._chain_path)

    def _chain(self, kind: str) -> Chain:
        return self._chains[kind](kind)

    def store(self, kind: str, chain: str) -> bytes | None:
        return _STORES[kind](self.chain(chain), self.authorities)

    def _chain_path(self, chain: str) -> Path:
        return self._written(Path("chains") / f"{chain}.pem", self.chain(chain).pair[0])

    def _store_path(self, kind: str, chain: str) -> Path:
        """The file (or folder, or nothing) that is this trust store."""
        return self._written(Path("stores") / chain / f"{kind}.pem", self.store(kind, chain))

    def _crl_path(self, kind: str, chain: str) -> Path:
        return self._written(Path("crls") / chain / f"{kind}.pem", _CRLS[kind](self.chain(chain), self.authorities))

    def crl_folder(self, kind: str, chain: str) -> Path:
        """A folder as `openssl rehash` leaves it: each list by the hash of its issuer's name."""
        folder = Path("crl-folders") / chain / kind
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        end = b"-----END X509 CRL-----\n"
        for block in self.crl_path(kind, chain).read_bytes().split(end)[:-1]:
            ask = ["openssl", "crl", "-hash", "-noout"]
            done = subprocess.run(ask, input=block + end, capture_output=True)
            name = done.stdout.decode().strip() or "damaged"
            self._written(folder / f"{name}.r0", block + end)
        return self.folder / folder

    def _home(self, chain: str, store: str | None, crl: str | None) -> Path:
        """A client's home, with ``.postgresql/root.crt`` and ``root.crl`` where asked."""
        home = Path("homes") / (f"{chain}-{store}-{crl}" if store or crl else "empty")
        (self.folder / home).mkdir(parents=True, exist_ok=True)
        if store is not None:
            # The same bytes as the file of that kind: some stores are made with fresh keys.
            source = self.store_path(store, chain)
            content = FOLDER if source.is_dir() else source.read_bytes() if source.exists() else None
            self._written(home / ".postgresql" / "root.crt", content)
        if crl is not None:
            self._written(home / ".postgresql" / "root.crl", self.crl_path(crl, chain).read_bytes())
        return self.folder / home

    def java_store_path(self, kind: str, chain: str) -> Path | None:
        """The certificates of a PEM trust store as a Java one, in PKCS #12; None for what is no readable PEM."""
        path = self.store_path(kind, chain)
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            return None
        entries = [pkcs12.PKCS12Certificate(one, f"root-{number}".encode()) for number, one in enumerate(found)]
        encryption = BestAvailableEncryption(JAVA_PASSWORD.encode())
        return self._written(Path("stores") / chain / f"{kind}.p12", pkcs12.serialize_java_truststore(entries, encryption))

    def text(self, folder: str, content: str) -> Path:
        """A file of *content*, named after it."""
        return self._written(Path(folder) / hashlib.sha256(content.encode()).hexdigest()[:16], content.encode())

    def _written(self, name: Path, content: bytes | None) -> Path:
        path = self.folder / name
        with self._lock:
            # Written once: another thread's client may be reading it, and some kinds are made with fresh keys.
            if path not in self._files:
                self._files.add(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                if content == FOLDER:
                    path.mkdir(exist_ok=True)
                elif content is not None:
                    path.write_bytes(content)
        return path
