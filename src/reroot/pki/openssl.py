"""
Path building as OpenSSL does it, by OpenSSL itself.

The path, its signatures, dates, constraints and revocation are judged by the OpenSSL that pyOpenSSL carries. What a bare
store does not judge, since it belongs to the TLS connection, is added here: the purpose of every certificate of the
path and the security level of its keys and signatures.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..model import Reason, Stack
from ._check import ChainCheck, TrustSet, named
from .certificate import SERVER_AUTH, Certificate

if TYPE_CHECKING:
    from OpenSSL import crypto

SOURCE = "OpenSSL crypto/x509/x509_vfy.c"

# RFC 3280's server-gated cryptography usages pass for serverAuth: crypto/x509/v3_purp.c, check_purpose_ssl_server().
SERVER_PURPOSES = frozenset({SERVER_AUTH, "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"})

# Security bits that a level asks for: SSL_CTX_set_security_level(3).
LEVEL_BITS = (0, 80, 112, 128, 192, 256)
RSA_BITS = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
HASH_BITS = {"md5": 39, "sha1": 63, "sha224": 112, "sha256": 128, "sha384": 192, "sha512": 256, "": 256}

# The errors of a path that deserve their own word, by X509_V_ERR_* number.
CODES = {
    2: "issuer-not-found",
    7: "signature-failure",
    9: "not-yet-valid",
    10: "expired",
    3: "crl-missing",
    11: "crl-not-yet-valid",
    12: "crl-expired",
    18: "self-signed-leaf",
    19: "root-not-trusted",
    20: "root-not-trusted",
    21: "root-not-trusted",
    23: "revoked",
    24: "invalid-ca",
    25: "path-too-long",
    26: "wrong-purpose",
    34: "unknown-critical-extension",
    47: "name-constraint",
    48: "name-constraint",
    66: "weak-key",
    67: "weak-key",
    68: "weak-signature",
    79: "invalid-ca",
}


def check(stack: Stack, chain: tuple[Certificate, ...], anchors: TrustSet, when: datetime) -> ChainCheck:
    """Would a client on this OpenSSL accept *chain* (leaf first) with these *anchors* at *when*?"""
    built = build(stack, chain, anchors, when)
    if not built.trusted:
        return built
    path = built.path
    if (other := _other_kind_of_key(stack, path, anchors)) is not None:
        return ChainCheck(None, (other,), path)
    unlisted = () if _numbers(stack.version) >= (3, 6) else _anchor_revocation(path, anchors, when)
    if unlisted and not stack.version:
        return ChainCheck(None, unlisted, path)
    against = (*_purpose(path), *_empty_subjects(stack, path), *unlisted)
    if against:
        return ChainCheck(False, against, path)
    return _level(stack, path)


def build(stack: Stack, chain: tuple[Certificate, ...], anchors: TrustSet, when: datetime) -> ChainCheck:
    """The path alone: signatures, dates, constraints, revocation. Neither purpose nor strength is looked at."""
    from OpenSSL import crypto

    if not chain:
        return ChainCheck(False, (Reason("no-certificate", "the server sends no certificate", SOURCE),))
    try:
        return ChainCheck(True, (), _path(stack.partial_chain, stack.strict, chain, anchors, when))
    except crypto.X509StoreContextError as error:
        refusal = _refusal(error)
        # Before 3.0 the path length of a self-issued certificate was not looked at, and this OpenSSL cannot be told so.
        return ChainCheck(None if refusal.code == "path-too-long" and stack.version.startswith("1.") else False, (refusal,))
    except (ValueError, crypto.Error) as error:
        return ChainCheck(False, (Reason("unreadable-certificate", f"a certificate cannot be read: {error}", SOURCE),))


def _other_kind_of_key(stack: Stack, path: tuple[Certificate, ...], anchors: TrustSet) -> Reason | None:
    """Before 3.0 an issuer was taken by name alone, also where its key cannot have made the signature; this OpenSSL looks on."""
    if not stack.version.startswith("1."):
        return None
    for issuer in path[1:]:
        for twin in anchors.certificates:
            if twin.is_readable and twin.subject == issuer.subject and twin.key[0] != issuer.key[0]:
                text = f"{named(twin)} has the name of {named(issuer)} and a key of another kind: OpenSSL 1 may take the one for the other"
                return Reason("signature-failure", text, SOURCE)
    return None


def _refusal(error: crypto.X509StoreContextError) -> Reason:
    number, depth, message = error.errors[0], error.errors[1], error.errors[2]
    certificate = Certificate(error.certificate.to_cryptography().public_bytes(Encoding.DER))
    code = CODES.get(int(number), "chain-refused")
    return Reason(code, f"{message} at depth {depth}: {named(certificate)}, issued by `{certificate.issuer_title}`", SOURCE)


@lru_cache(maxsize=4096)
def _native(certificate: Certificate) -> crypto.X509:
    from OpenSSL import crypto

    return crypto.X509.from_cryptography(certificate.parsed)


@lru_cache(maxsize=512)
def _store(partial: bool, strict: bool, anchors: TrustSet, when: datetime) -> crypto.X509Store:
    from OpenSSL import crypto

    store = crypto.X509Store()
    for certificate in anchors.certificates:
        if certificate.is_readable:
            store.add_cert(_native(certificate))
    flags = 0
    if partial:
        flags |= crypto.X509StoreFlags.PARTIAL_CHAIN
    if strict:
        flags |= crypto.X509StoreFlags.X509_STRICT
    if anchors.checks_revocation:
        flags |= crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL
        for der in anchors.crls:
            store.add_crl(_revocation_list(der))
    if flags:
        store.set_flags(flags)
    store.set_time(when)
    return store


@lru_cache(maxsize=4096)
def _path(
    partial: bool, strict: bool, chain: tuple[Certificate, ...], anchors: TrustSet, when: datetime
) -> tuple[Certificate, ...]:
    from OpenSSL import crypto

    context = crypto.X509StoreContext(
        _store(partial, strict, anchors, when), _native(chain[0]), [_native(c) for c in chain[1:] if c.is_readable]
    )
    found = context.get_verified_chain()
    return tuple(Certificate(c.to_cryptography().public_bytes(Encoding.DER)) for c in found)


def _purpose(path: tuple[Certificate, ...]) -> tuple[Reason, ...]:
    """X509_PURPOSE_SSL_SERVER, asked of every certificate of the path."""
    against = []
    for depth, certificate in enumerate(path):
        usages = certificate.extended_key_usage
        if usages is not None and not usages & SERVER_PURPOSES:
            against.append(Reason("wrong-purpose", f"{named(certificate)} is not for TLS servers (extended key usage)", SOURCE))
        usage = certificate.key_usage
        if depth == 0 and usage is not None and not (usage.digital_signature or usage.key_encipherment or usage.key_agreement):
            against.append(Reason("wrong-purpose", f"{named(certificate)} may not be used for TLS (key usage)", SOURCE))
    return tuple(against)


def _empty_subjects(stack: Stack, path: tuple[Certificate, ...]) -> tuple[Reason, ...]:
    """check_extensions() under X509_STRICT; the OpenSSL 4 at hand no longer asks for it, those before do."""
    if not stack.strict or len(path) < 2 or _numbers(stack.version) >= (4,):
        return ()
    return tuple(
        Reason("chain-refused", f"the subject of {named(certificate)} is empty, and its SAN is not critical", SOURCE)
        for certificate in path
        if certificate.has_empty_subject and not certificate.has_critical_alternative_names
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _anchor_revocation(path: tuple[Certificate, ...], trust: TrustSet, when: datetime) -> tuple[Reason, ...]:
    """Up to OpenSSL 3.5 a self-signed anchor needs a revocation list of its own that leaves it out; the OpenSSL at hand asks for none."""
    anchor = path[-1]
    if not trust.checks_revocation or not anchor.is_self_issued:
        return ()
    own = [crl for crl in map(_revocation_list, trust.crls) if crl.issuer.public_bytes() == anchor.subject]
    if not own:
        return (Reason("crl-missing", f"no revocation list covers {named(anchor)}", SOURCE),)
    valid = [crl for crl in own if crl.last_update_utc <= when <= (crl.next_update_utc or when)]
    if not valid:
        return (Reason("crl-expired", f"the revocation list of {named(anchor)} is not valid at that time", SOURCE),)
    newest = max(valid, key=lambda crl: crl.last_update_utc)
    if newest.get_revoked_certificate_by_serial_number(anchor.parsed.serial_number) is not None:
        return (Reason("revoked", f"{named(anchor)} stands in its own revocation list", SOURCE),)
    return ()


@lru_cache(maxsize=512)
def _revocation_list(der: bytes) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(der)


def _level(stack: Stack, path: tuple[Certificate, ...]) -> ChainCheck:
    """Keys of all certificates, and signatures of all but the last, against the security level."""
    weakest, reason = min(_strengths(stack, path), key=lambda pair: pair[0])
    if stack.security_level is None:
        lowest, highest = LEVEL_BITS[1], LEVEL_BITS[2]
    else:
        lowest = highest = LEVEL_BITS[stack.security_level]
    if weakest < lowest:
        return ChainCheck(False, (reason,), path)
    if weakest < highest:
        text = f"{reason.text}; whether that passes depends on OpenSSL's security level (1 or 2)"
        return ChainCheck(None, (Reason("security-level-unknown", text, reason.source),), path)
    return ChainCheck(True, (), path)


def _strengths(stack: Stack, path: tuple[Certificate, ...]) -> list[tuple[int, Reason]]:
    found = []
    for depth, certificate in enumerate(path):
        kind, size = certificate.key
        bits = size // 2 if kind == "ec" else next((b for n, b in RSA_BITS if size >= n), 0) if kind in {"rsa", "dsa"} else 128
        found.append((bits, Reason("weak-key", f"the key of {named(certificate)} is too weak: {kind} {size}", LEVEL_SOURCE)))
        if depth < len(path) - 1:
            strength = HASH_BITS.get(certificate.signature_hash, 128)
            if certificate.signature_hash == "sha1" and stack.version.startswith("1."):
                strength = 80
            text = f"the signature of {named(certificate)} is too weak: {certificate.signature_hash}"
            found.append((strength, Reason("weak-signature", text, LEVEL_SOURCE)))
    return found


LEVEL_SOURCE = "OpenSSL SSL_CTX_set_security_level(3); crypto/x509/x509_vfy.c check_key_level(), check_sig_level()"
