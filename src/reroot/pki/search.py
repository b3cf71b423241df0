"""
Path building by search: every issuer that fits by name is tried until one path holds.

Java, Go and rustls all search, and differ in what they ask of each certificate. What they ask is a row of a table; the
search is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ..model import Reason, Stack
from ._check import ChainCheck, TrustSet, named
from ._constraints import violated
from .certificate import ANY_EXTENDED_KEY_USAGE, SERVER_AUTH, Certificate, signed_by

Path = tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What one stack asks of a path.

    ``pinned_leaf`` accepts a server certificate that is itself an anchor without a look at anything but (perhaps) its
    dates, purpose and extensions. ``takes_sha1`` is None where that depends on more than the version. ``replaced_anchor`` takes a certificate of the chain for an anchor with the same name and key. ``matches_key_ids``
    passes over an issuer whose key identifier contradicts the child's. ``takes_any_twin`` takes one of several anchors of the same name
    and key, whichever comes first in a set without an order, and tries no other.
    """

    source: str
    anchor_dates: bool
    anchor_must_be_ca: bool
    anchor_path_length: bool
    anchor_name_constraints: bool
    constrains_common_name: bool
    pinned_leaf: bool
    pinned_leaf_dates: bool
    pinned_leaf_purpose: bool
    replaced_anchor: bool
    matches_key_ids: bool
    purpose_of_all: bool
    purpose_of_anchor: bool
    takes_any_purpose: bool
    needs_cert_sign: bool
    needs_digital_signature: bool
    leaf_may_be_ca: bool
    takes_sha1: bool | None
    least_rsa: int
    least_ec: int
    longest: int
    takes_any_twin: bool = False


JAVA = Rules(
    source="OpenJDK sun/security/validator/PKIXValidator.java, EndEntityChecker.java; java.security jdk.certpath.disabledAlgorithms",
    anchor_dates=False,
    anchor_must_be_ca=True,
    anchor_path_length=False,
    anchor_name_constraints=False,
    constrains_common_name=True,
    pinned_leaf=True,
    pinned_leaf_dates=False,
    pinned_leaf_purpose=False,
    replaced_anchor=True,
    matches_key_ids=True,
    purpose_of_all=False,
    purpose_of_anchor=False,
    takes_any_purpose=True,
    needs_cert_sign=True,
    needs_digital_signature=True,
    leaf_may_be_ca=True,
    takes_sha1=None,
    least_rsa=1024,
    least_ec=224,
    longest=7,
    takes_any_twin=True,
)
GO = Rules(
    source="Go crypto/x509/verify.go; run with Go 1.19 to 1.27",
    anchor_dates=True,
    anchor_must_be_ca=True,
    anchor_path_length=True,
    anchor_name_constraints=True,
    constrains_common_name=False,
    pinned_leaf=True,
    pinned_leaf_dates=True,
    pinned_leaf_purpose=True,
    replaced_anchor=False,
    matches_key_ids=False,
    purpose_of_all=True,
    purpose_of_anchor=True,
    takes_any_purpose=True,
    needs_cert_sign=True,
    needs_digital_signature=False,
    leaf_may_be_ca=True,
    takes_sha1=False,
    least_rsa=0,
    least_ec=0,
    longest=100,
)
WEBPKI = Rules(
    source="rustls-webpki src/verify_cert.rs; run with rustls 0.23.40",
    anchor_dates=False,
    anchor_must_be_ca=False,
    anchor_path_length=False,
    anchor_name_constraints=True,
    constrains_common_name=False,
    pinned_leaf=False,
    pinned_leaf_dates=True,
    pinned_leaf_purpose=True,
    replaced_anchor=False,
    matches_key_ids=False,
    purpose_of_all=True,
    purpose_of_anchor=False,
    takes_any_purpose=False,
    needs_cert_sign=False,
    needs_digital_signature=False,
    leaf_may_be_ca=False,
    takes_sha1=False,
    least_rsa=2048,
    least_ec=256,
    longest=8,
)


# Stacks that were not run: what every stack above would accept is accepted, what none would is refused, the rest is not known.
STRICT = replace(
    WEBPKI,
    source="no stack was run: the strictest of the others",
    anchor_dates=True,
    anchor_must_be_ca=True,
    anchor_path_length=True,
    purpose_of_anchor=True,
    needs_cert_sign=True,
    constrains_common_name=True,
    matches_key_ids=True,
    needs_digital_signature=True,
)
LAX = replace(
    JAVA,
    source="no stack was run: the most lenient of the others",
    anchor_must_be_ca=False,
    replaced_anchor=False,
    matches_key_ids=False,
    needs_cert_sign=False,
    needs_digital_signature=False,
    takes_sha1=True,
    least_rsa=0,
    least_ec=0,
    longest=100,
)


def unproven(stack: Stack, chain: Path, trust: TrustSet, when: datetime) -> ChainCheck:
    """Erlang's public_key, and .NET on an unknown system: only what is beyond doubt is said.

    Over 366 rows with Erlang/OTP 25 nothing that is said to be trusted was refused.
    """
    own = replace(trust, certificates=tuple(c for c in trust.certificates if c.is_readable and c.is_self_signed))
    strict = search(STRICT, chain, own, when)
    if strict.trusted and not any(_dates(c, when, STRICT) for c in chain if c.is_readable):
        return strict
    lax = search(LAX, chain, trust, when)
    if not lax.trusted:
        return lax
    text = f"TLS stacks differ on this chain, and these rules were not run with {stack.family}: rehearse this client"
    return ChainCheck(None, (Reason("stack-not-proven", text, STRICT.source), *strict.reasons))


def java(_stack: Stack, chain: Path, trust: TrustSet, when: datetime) -> ChainCheck:
    return search(JAVA, chain, trust, when)


def go(_stack: Stack, chain: Path, trust: TrustSet, when: datetime) -> ChainCheck:
    return search(GO, chain, trust, when)


def webpki(_stack: Stack, chain: Path, trust: TrustSet, when: datetime) -> ChainCheck:
    return search(WEBPKI, chain, trust, when)


def java_cannot_parse(chain: Path) -> Reason | None:
    """X509CertInfo.verifyCert(): an empty subject needs a critical SAN, or the handshake ends before anything is judged."""
    for certificate in chain:
        if certificate.is_readable and certificate.has_empty_subject and not certificate.has_critical_alternative_names:
            text = f"Java cannot read {named(certificate)}: its subject is empty and its SAN is not critical"
            return Reason("unreadable-certificate", text, JAVA.source)
    return None


def java_may_not_be_served(chain: Path) -> Reason | None:
    """Java offers no SHA-1 for certificates, and a server on OpenSSL 3.5 then has none to serve; one on 3.0 serves it all the same."""
    if not chain or not chain[0].is_readable or chain[0].is_self_issued or chain[0].signature_hash != "sha1":
        return None
    text = f"{named(chain[0])} is signed with SHA-1, which Java does not offer to take: whether the server serves it all the same is its OpenSSL's"
    return Reason("weak-signature", text, JAVA.source)


def webpki_cannot_use(chain: Path) -> Reason | None:
    """The leaf's key proves the handshake even where nothing is checked: webpki must parse the leaf and know the key's kind."""
    if not chain or not chain[0].is_readable:
        return None
    leaf = chain[0]
    if leaf.unknown_critical_extensions:
        text = f"rustls cannot read {named(leaf)}: it has a critical extension that is not known"
        return Reason("unknown-critical-extension", text, WEBPKI.source)
    kind, size = leaf.key
    if kind == "rsa" and size < WEBPKI.least_rsa:
        return Reason("weak-key", f"rustls takes no signature of the key of {named(leaf)}: rsa {size}", WEBPKI.source)
    return None


def search(rules: Rules, chain: Path, trust: TrustSet, when: datetime) -> ChainCheck:
    """The first path from *chain* to an anchor that *rules* accept; else what stood against every one that was tried."""
    if not chain or not chain[0].is_readable:
        return ChainCheck(False, (Reason("unreadable-certificate", "the server's certificate cannot be read", rules.source),))
    anchors = tuple(c for c in trust.certificates if c.is_readable)
    leaf = chain[0]
    if rules.pinned_leaf and leaf in anchors:
        late = _dates(leaf, when, rules) if rules.pinned_leaf_dates else ()
        if rules.pinned_leaf_purpose:
            late = (*late, *_purpose(rules, (leaf,), when), *_extensions(rules, (leaf,), when))
        return ChainCheck(not late, late, (leaf,))
    against: dict[Reason, None] = {}
    for path in _paths(rules, (leaf,), tuple(c for c in chain[1:] if c.is_readable), anchors):
        found = tuple(_objections(rules, path, when))
        if not found:
            doubts = tuple(_doubts(rules, path, anchors))
            return ChainCheck(None if doubts else True, doubts, path)
        against.update(dict.fromkeys(found))
    return ChainCheck(False, tuple(against) or (_no_issuer(rules, chain),))


def _doubts(rules: Rules, path: Path, anchors: Path) -> Iterator[Reason]:
    """What may still stand against a path that is in order."""
    if rules.takes_sha1 is None and any(c.signature_hash == "sha1" for c in path[:-1]):
        text = "a signature of the chain uses SHA-1: whether that passes depends on the runtime's configuration and on the server"
        yield Reason("weak-signature", text, rules.source)
    if rules.takes_any_twin:
        last = path[-1]
        for twin in anchors:
            if twin.subject == last.subject and twin.spki == last.spki and twin.is_ca != last.is_ca:
                text = (
                    f"{named(twin)} stands for the same authority and is no CA certificate: which of the two is taken is chance"
                )
                yield Reason("invalid-ca", text, rules.source)


def _no_issuer(rules: Rules, chain: Path) -> Reason:
    last = chain[0]
    for candidate in chain[1:]:
        if candidate.is_readable and candidate.subject == last.issuer and candidate != last:
            last = candidate
    return Reason("issuer-not-found", f"no trusted root issued {named(last)}; its issuer is `{last.issuer_title}`", rules.source)


def _paths(rules: Rules, path: Path, others: Path, anchors: Path) -> Iterator[Path]:
    """Paths from the leaf up, anchors first. A signature that does not hold ends a branch."""
    last = path[-1]
    if len(path) > rules.longest:
        return
    for anchor in anchors:
        if anchor.subject == last.issuer and _key_ids_fit(rules, last, anchor) and signed_by(last, anchor):
            yield (*path, anchor)
    for other in others:
        if other in path or other.subject != last.issuer or not _key_ids_fit(rules, last, other):
            continue
        stands_for = rules.replaced_anchor and any(a.subject == other.subject and a.spki == other.spki for a in anchors)
        if not stands_for and signed_by(last, other):
            yield from _paths(rules, (*path, other), others, anchors)


def _key_ids_fit(rules: Rules, child: Certificate, issuer: Certificate) -> bool:
    if not rules.matches_key_ids or child.authority_key_id is None or issuer.subject_key_id is None:
        return True
    return child.authority_key_id == issuer.subject_key_id


def _objections(rules: Rules, path: Path, when: datetime) -> Iterator[Reason]:
    for look in LOOKS:
        yield from look(rules, path, when)


Look = Callable[[Rules, Path, datetime], Iterator[Reason]]


def _valid(rules: Rules, path: Path, when: datetime) -> Iterator[Reason]:
    for certificate in path if rules.anchor_dates else path[:-1]:
        yield from _dates(certificate, when, rules)


def _dates(certificate: Certificate, when: datetime, rules: Rules) -> tuple[Reason, ...]:
    if when < certificate.not_before:
        return (
            Reason("not-yet-valid", f"{named(certificate)} is valid only from {certificate.not_before:%Y-%m-%d}", rules.source),
        )
    if when > certificate.not_after:
        return (Reason("expired", f"{named(certificate)} expired on {certificate.not_after:%Y-%m-%d}", rules.source),)
    return ()


def _authorities(rules: Rules, path: Path, _when: datetime) -> Iterator[Reason]:
    """Every issuer is a CA, may sign certificates, and its path length holds."""
    for depth, issuer in enumerate(path[1:], 1):
        is_anchor = depth == len(path) - 1
        constraints = issuer.basic_constraints
        if is_anchor and not rules.anchor_must_be_ca:
            pass
        elif (constraints is None and issuer.is_version_3) or (constraints is not None and not constraints.value.ca):
            yield Reason("invalid-ca", f"{named(issuer)} is not a CA certificate", rules.source)
        elif rules.needs_cert_sign and issuer.key_usage is not None and not issuer.key_usage.key_cert_sign:
            yield Reason("invalid-ca", f"{named(issuer)} may not sign certificates (key usage)", rules.source)
        limit = constraints.value.path_length if constraints is not None else None
        between = sum(1 for c in path[1:depth] if not c.is_self_issued)
        if limit is not None and between > limit and (rules.anchor_path_length or not is_anchor):
            yield Reason(
                "path-too-long", f"{named(issuer)} allows {limit} CA certificates beneath it, there are {between}", rules.source
            )


def _purpose(rules: Rules, path: Path, _when: datetime) -> Iterator[Reason]:
    asked = path if rules.purpose_of_anchor else path[:-1] if rules.purpose_of_all else path[:1]
    fitting = {SERVER_AUTH, ANY_EXTENDED_KEY_USAGE} if rules.takes_any_purpose else {SERVER_AUTH}
    for certificate in asked:
        usages = certificate.extended_key_usage
        if usages is not None and not usages & fitting:
            yield Reason("wrong-purpose", f"{named(certificate)} is not for TLS servers (extended key usage)", rules.source)
    usage = path[0].key_usage
    if rules.needs_digital_signature and usage is not None and not usage.digital_signature:
        yield Reason("wrong-purpose", f"{named(path[0])} may not be used for signatures (key usage)", rules.source)
    if not rules.leaf_may_be_ca and path[0].is_ca:
        yield Reason("ca-as-server", f"{named(path[0])} is a CA certificate and may not stand for a server", rules.source)


def _extensions(rules: Rules, path: Path, _when: datetime) -> Iterator[Reason]:
    for certificate in path[:-1] if not rules.anchor_dates else path:
        if certificate.unknown_critical_extensions:
            oid = certificate.unknown_critical_extensions[0]
            yield Reason(
                "unknown-critical-extension", f"{named(certificate)} has an unknown critical extension {oid}", rules.source
            )


def _strength(rules: Rules, path: Path, _when: datetime) -> Iterator[Reason]:
    least = {"rsa": rules.least_rsa, "dsa": rules.least_rsa, "ec": rules.least_ec}
    for certificate in path:
        kind, size = certificate.key
        if size < least.get(kind, 0):
            yield Reason("weak-key", f"the key of {named(certificate)} is too weak: {kind} {size}", rules.source)
    for certificate in path[:-1]:
        if certificate.signature_hash in {"md5", "unknown"} or (
            certificate.signature_hash == "sha1" and rules.takes_sha1 is False
        ):
            text = f"the signature of {named(certificate)} is too weak: {certificate.signature_hash}"
            yield Reason("weak-signature", text, rules.source)


def _names(rules: Rules, path: Path, _when: datetime) -> Iterator[Reason]:
    for depth, issuer in enumerate(path[1:], 1):
        is_anchor = depth == len(path) - 1
        if issuer.name_constraints is not None and (rules.anchor_name_constraints or not is_anchor):
            for certificate in path[:depth]:
                if certificate is path[0] or not certificate.is_self_issued:
                    text = violated(issuer.name_constraints, certificate, common_names=rules.constrains_common_name)
                    if text:
                        yield Reason("name-constraint", f"{named(issuer)} does not allow {text}", rules.source)


LOOKS: tuple[Look, ...] = (_valid, _authorities, _purpose, _extensions, _strength, _names)
FAMILIES: Mapping[str, Callable[[Stack, Path, TrustSet, datetime], ChainCheck]] = {
    "java": java,
    "go": go,
    "webpki": webpki,
    "erlang": unproven,
}
