"""What one reader file must say, and the shape of every answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from ..pki.certificate import Certificate
from ..truststores import _der


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about these bytes that a person should know: ``code`` names the rule, ``text`` says it."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Anchors:
    """What a stack gets from some bytes: whether its own loader accepts them, and the certificates it then trusts, each once.

    ``error`` is what the stack says, in short, when it does not load. A stack may load a file and trust nothing from it.
    """

    loads: bool
    certificates: tuple[Certificate, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Bytes as one version of a stack is given them. ``version`` is its numbers, ``()`` when it is not known."""

    version: tuple[int, ...]
    content: bytes
    store_type: str | None = None
    password: str | None = None


@dataclass(frozen=True)
class Reader:
    """A TLS stack's way to load roots. ``proven`` names the versions whose loader was run against the same bytes.

    ``source`` says where the rules come from. ``stack`` names the path-building rules that the same program follows. ``takes`` names the values of ``store_type`` that it knows.
    """

    title: str
    read: Callable[[Question], Anchors]
    source: str
    stack: str = ""
    proven: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("PEM",)


def failed(error: str, code: str = "does-not-load", problems: Iterable[Problem] = ()) -> Anchors:
    """The loader refuses the file as a whole."""
    return Anchors(False, (), (Problem(code, error), *problems), error)


def loaded(certificates: Sequence[Certificate], problems: Iterable[Problem] = ()) -> Anchors:
    """The loader is content; certificates that stand twice count once."""
    unique = tuple(dict.fromkeys(certificates))
    found = list(problems)
    if len(unique) < len(certificates):
        doubles = len(certificates) - len(unique)
        said = "1 certificate stands there twice; it counts once" if doubles == 1 else f"{doubles} certificates stand there twice; they count once"
        found.append(Problem("duplicate", said))
    if not unique:
        found.append(Problem("no-anchors", "loads, but nothing is trusted"))
    return Anchors(True, unique, tuple(found))


@lru_cache(maxsize=8192)
def openssl_takes(der: bytes) -> bool:
    """Whether OpenSSL's d2i_X509 takes these bytes: the real one is asked, since it is stricter here and laxer there."""
    from OpenSSL import crypto

    try:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, der) is not None
    except (crypto.Error, ValueError):
        return False


EC_KEY = "1.2.840.10045.2.1"


@lru_cache(maxsize=8192)
def strictly_takes(der: bytes) -> bool:
    """Whether a parser that also reads the key and every extension (Go, webpki) takes these bytes; unknown kinds of key pass."""
    certificate = Certificate(der)
    try:
        return key_passes(certificate) and not certificate.has_broken_extensions and algorithms_agree(der)
    except (ValueError, x509.DuplicateExtension):
        return False


def key_passes(certificate: Certificate) -> bool:
    """A key that can be read, or one of a kind that nobody looks into."""
    if certificate.is_readable:
        return True
    try:
        kind = certificate.parsed.public_key_algorithm_oid.dotted_string
        return _is_rsa_key(certificate.der) if kind == RSA_KEY else kind not in KNOWN_KEYS
    except (ValueError, IndexError):
        return False


def _is_rsa_key(der: bytes) -> bool:
    """Two positive numbers, the first of at least 512 bits: Java and Go ask no more, not even that they are odd."""
    signed = _der.children(der, _der.value(der))[0]
    fields = _der.children(der, signed)
    spki = fields[6 if fields[0].tag == 0xA0 else 5]
    _, bits = _der.children(der, spki)
    if der[bits.body] != 0:
        return False
    held = _der.expect(der, bits.body + 1, bits.end, _der.SEQUENCE)
    parts = _der.children(der, held)
    numbers = [_der.integer(der, part) for part in parts]
    shortest = all(_der.encode_integer(n) == der[part.start : part.end] for n, part in zip(numbers, parts, strict=True))
    return held.end == bits.end and shortest and len(numbers) == 2 and numbers[0] >= 1 << 511 and 0 < numbers[1] < 1 << 63


RSA_KEY = "1.2.840.113549.1.1.1"
KNOWN_KEYS = frozenset({EC_KEY, RSA_KEY, "1.2.840.10040.4.1", "1.3.101.112", "1.3.101.113"})


def algorithms_agree(der: bytes) -> bool:
    """Whether the signature's algorithm is the same inside and outside of what is signed, as Java and Go insist."""
    outer = _der.value(der)
    signed, algorithm, *_ = _der.children(der, outer)
    fields = _der.children(der, signed)
    inner = fields[2 if fields[0].tag == 0xA0 else 1]
    return der[inner.start : inner.end] == der[algorithm.start : algorithm.end]
