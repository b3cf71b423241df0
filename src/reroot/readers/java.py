"""
Java: key stores as ``javax.net.ssl.trustStore`` opens them, and PEM, DER or PKCS#7 as pgJDBC's LibPQFactory reads them.

``PEM`` is CertificateFactory.generateCertificates. ``PKCS12``, ``JKS`` and no type at all are the two dual formats of Java 9 and
later, which read each other's files; ``JCEKS`` reads JKS too. Anchors are what PKIX takes from a key store: trusted entries,
and the own certificate of every key.
"""

from __future__ import annotations

from collections.abc import Callable

from ..pki.certificate import Certificate
from ..truststores import _der, _javakeystore, _pbe, _pfx
from ..truststores._format import Limits
from ._javapem import NotLoaded, first, many, takes
from ._reader import Anchors, Problem, Question, Reader, failed, loaded

TWO_KEY_3DES = _der.encode_oid("1.2.840.113549.1.12.1.4")
EMPTY = "the trustAnchors parameter must be non-empty"


def anchors(question: Question) -> Anchors:
    kind = (question.store_type or _default(question.version)).upper()
    if kind == "PEM":
        try:
            return _warned(loaded(many(question.content, question.version)), EMPTY)
        except NotLoaded as error:
            return failed(str(error))
    tries = TYPES.get(kind)
    if tries is None:
        return failed(f"{kind} not found", "wrong-type")
    return _warned(_first_that_loads(question, tries), EMPTY)


def _default(version: tuple[int, ...]) -> str:
    """keystore.type of java.security: jks until 8, pkcs12 from 9 (JEP 229)."""
    old = version[:2] == (1, 8) or version[:1] == (8,)
    return "JKS" if old else "PKCS12"


def _first_that_loads(question: Question, tries: tuple[Load, ...]) -> Anchors:
    refusals: list[Anchors] = []
    for load in tries:
        try:
            return load(question.content, question.password)
        except _Refused as error:
            refusals.append(failed(str(error), error.code))
            if error.final:
                break
        except _pbe.Unsupported as error:
            refusals.append(failed(str(error), "limit" if "limit" in str(error) else "unsupported"))
        except (ValueError, NotLoaded) as error:
            refusals.append(failed(f"Invalid keystore format: {error}"))
    return next((r for r in refusals if r.problems[0].code == "wrong-password"), refusals[0])


class _Refused(ValueError):
    def __init__(self, text: str, code: str = "does-not-load", *, final: bool = False) -> None:
        super().__init__(text)
        self.code, self.final = code, final


Load = Callable[[bytes, str | None], Anchors]


def _java_store(content: bytes, password: str | None, *, magics: tuple[int, ...]) -> Anchors:
    """JavaKeyStore.engineLoad: the digest is looked at only when there is a password."""
    store = _javakeystore.parse(content)
    if store.magic not in magics:
        raise _Refused("Invalid keystore format")
    entries: dict[str, tuple[int, Certificate | None]] = {}
    for item in store.items:
        chain = [_inner(kind, data) for kind, data in item.certificates]
        entries[item.alias] = (item.tag, chain[0] if chain else None)
    if password is not None and not _javakeystore.verifies(content, store, password):
        raise _Refused("Keystore was tampered with, or password was incorrect", "wrong-password", final=True)
    found = [entries[a][1] for a in entries if a == a.lower()]
    problems = []
    hidden = sum(a != a.lower() for a in entries)
    if hidden:
        one = "1 entry has capital letters in its alias and is never found"
        several = f"{hidden} entries have capital letters in their alias and are never found"
        problems.append(Problem("alias-case", one if hidden == 1 else several))
    if any(tag == _javakeystore.KEY for tag, _ in entries.values()):
        problems.append(Problem("key-as-anchor", "the own certificate of a key entry counts as trusted"))
    if password is None:
        problems.append(Problem("unchecked", "opened without a password: its integrity was not checked"))
    return loaded([c for c in found if c is not None], problems)


def _inner(kind: str, data: bytes) -> Certificate:
    if kind.upper() not in ("X.509", "X509"):
        raise _Refused(f"{kind} not found")
    if takes(data):
        return Certificate(data)
    return first(data)


def _pkcs12(content: bytes, password: str | None) -> Anchors:
    """PKCS12KeyStore.engineLoad: encrypted parts are skipped without a word when there is no password."""
    pfx = _pfx.parse(content)
    if pfx.mac is not None and pfx.mac.rounds > Limits.ITERATIONS:
        _pbe.rounds(pfx.mac.rounds)
    contents: list[list[_pfx.Bag]] = []
    skipped = 0
    for safe in pfx.safes:
        if password is not None and TWO_KEY_3DES in safe.algorithm:
            raise _Refused(
                "keystore password was incorrect: Cannot find any provider supporting 1.2.840.113549.1.12.1.4", "unsupported"
            )
        if password is not None and not password.isascii() and safe.algorithm:
            raise _Refused("keystore password was incorrect: Password is not ASCII", "wrong-password", final=True)
        if password is not None and safe.algorithm:
            _look_at_the_cipher(safe.algorithm)
        try:
            plain = _pfx.opened(safe, password)
        except _pbe.WrongPassword:
            raise _Refused("keystore password was incorrect", "wrong-password", final=True) from None
        if plain is None:
            skipped += 1
            continue
        contents.append(_pfx.bags(plain))
        if any(bag.odd for bag in contents[-1]):
            raise _Refused("keystore password was incorrect: a part of an entry is of a type that is not expected", final=True)
    if password is not None and pfx.mac is not None and len(pfx.mac.salt) < LEAST_SALT:
        raise _Refused("Integrity check failed: Salt must be at least 8 bytes long", "unsupported", final=True)
    if password is not None and pfx.mac is not None and not _pfx.verifies(pfx, password):
        raise _Refused("Integrity check failed: Failed PKCS12 integrity checking", "wrong-password", final=True)
    found, untrusted, keys = _entries(contents)
    problems = []
    if skipped:
        problems.append(
            Problem("no-password", f"opened without a password: {skipped} encrypted parts are skipped without a word")
        )
    if untrusted:
        text = f"{untrusted} certificates lack the attribute that marks them as trusted, and are not"
        problems.append(Problem("no-trust-attribute", text))
    if keys:
        problems.append(Problem("key-as-anchor", "the own certificate of a key entry counts as trusted"))
    return loaded(found, problems)


LEAST_SALT = 8
NO_CIPHERS = ("2.16.840.1.101.3.4.1.22", _pbe.TRIPLE_DES)
"""AES-192 and triple DES, which PBES2Parameters does not know."""


def _look_at_the_cipher(algorithm: bytes) -> None:
    """com/sun/crypto/provider/PBES2Parameters.java, PBES2Core.java."""
    salt, _, cipher = _pbe.described(algorithm)
    if cipher in NO_CIPHERS:
        raise _Refused("PBE parameter parsing error: expecting the object identifier for AES cipher", "unsupported", final=True)
    if cipher and salt < LEAST_SALT:
        raise _Refused("Salt must be at least 8 bytes long", "unsupported", final=True)


def _entries(contents: list[list[_pfx.Bag]]) -> tuple[list[Certificate], int, int]:
    """The anchors, how many certificates are none, and how many keys have a certificate: loadSafeContents and what follows it."""
    entries: dict[str, Certificate | int | None] = {}
    loose: list[tuple[Certificate, bytes | None, str | None]] = []
    keys: list[tuple[str, bytes | None]] = []
    unnamed = 0
    private = 0
    for bags in contents:
        for number, bag in enumerate(bags):
            name, key_id = bag.name, bag.key_id
            if bag.kind == _pfx.CERT_BAG and bag.certificate is not None:
                certificate = _inner("X.509", bag.certificate)
                if key_id is None and private == 1 and number == 0:
                    key_id = b"01"
                if not bag.trusted:
                    loose.append((certificate, key_id, name))
                    continue
                if name is None:
                    unnamed += 1
                    name = str(unnamed)
                entries[name.lower()] = certificate
            elif bag.kind in (_pfx.SHROUDED, _pfx.SECRET_BAG):
                if bag.kind != _pfx.SECRET_BAG:
                    private += 1
                    if key_id is None and private == 1:
                        key_id = b"01"
                if name is None:
                    unnamed += 1
                    name = str(unnamed)
                entries[name.lower()] = None
                if bag.kind != _pfx.SECRET_BAG:
                    entries[name.lower()] = len(keys)
                    keys.append((name, key_id))
    matched = 0
    for number, (name, key_id) in enumerate(keys):
        own = _matching(loose, name, key_id) if key_id is not None else None
        if own is not None and entries.get(name.lower()) == number:
            entries[name.lower()] = own
            matched += 1
    return [c for c in entries.values() if isinstance(c, Certificate)], len(loose) - matched, matched


def _matching(loose: list[tuple[Certificate, bytes | None, str | None]], name: str, key_id: bytes) -> Certificate | None:
    """findMatchedCertificate: by key id, better still with the same alias, else by alias alone."""
    by_id, by_name = None, None
    for certificate, cert_id, alias in loose:
        same = alias is not None and alias.lower() == name.lower()
        if cert_id == key_id:
            by_id = certificate
            if same:
                return certificate
        elif same:
            by_name = certificate
    return by_id or by_name


def _jks(content: bytes, password: str | None) -> Anchors:
    return _java_store(content, password, magics=(_javakeystore.JKS,))


def _jceks(content: bytes, password: str | None) -> Anchors:
    return _java_store(content, password, magics=(_javakeystore.JCEKS, _javakeystore.JKS))


TYPES: dict[str, tuple[Load, ...]] = {
    "PKCS12": (_pkcs12, _jks),
    "JKS": (_jks, _pkcs12),
    "JCEKS": (_jceks,),
    "CASEEXACTJKS": (_jks,),
}
"""jdk sun/security/util/KeyStoreDelegator.java: which formats a type tries, in order."""


def _warned(found: Anchors, text: str) -> Anchors:
    """A store without anchors loads, and every connection fails later."""
    if not found.loads or found.certificates:
        return found
    problems = tuple(p for p in found.problems if p.code != "no-anchors")
    return Anchors(True, (), (*problems, Problem("no-anchors", f"opens, and trusts nothing: `{text}` at the first connection")))


READER = Reader(
    title="Java: javax.net.ssl.trustStore, and CertificateFactory for PEM",
    read=anchors,
    source="jdk JavaKeyStore.java, PKCS12KeyStore.java, KeyStoreDelegator.java, X509Factory.java, TrustStoreUtil.java",
    stack="java",
    proven=("11", "17", "21", "25"),
    takes=("PKCS12", "JKS", "JCEKS", "PEM"),
)
