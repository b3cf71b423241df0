"""
Trust stores found on the way: PEM in a file of its own, pasted into code or a ConfigMap, and key stores.

Most certificates in a tree are none of ours (identity partners, mobile apps, web servers). One counts when it is a known root of
a database provider, when its name says so, or when a PostgreSQL setting refers to it; the last is told when the tree is joined.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ._finding import Harvest, Store
from ._text import Text

_BEGIN = re.compile(r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----")
_END = re.compile(r"-----END (?:TRUSTED )?CERTIFICATE-----")
KNOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Amazon RDS"), "Amazon RDS"),
    (re.compile(r"Google Cloud SQL|Google, Inc.*Cloud SQL|Cloud SQL Server CA", re.IGNORECASE), "Google Cloud SQL"),
    (
        re.compile(
            r"Supabase|Aiven|Project CA|Crunchy|DigitalOcean|Heroku Postgres|CloudNativePG|cnpg|Timescale|Neon|Patroni",
            re.IGNORECASE,
        ),
        "managed PostgreSQL",
    ),
)
NAMED = re.compile(
    r"rds|aurora|postgres|pgsql|(?<![a-z])pg(?![a-z])|(?<![a-z])db[-_.]?(ca|root|server|cert|ssl)?(?![a-z])|database|global-bundle|cloud-?sql|\.postgresql/",
    re.IGNORECASE,
)
FOREIGN = re.compile(
    r"redis|mysql|maria|kafka|mongo|elastic|ldap|smtp|rabbit|saml|oidc|jwt|nginx|apache|ingress|apns|apple|android|ios|codesign|signing|ssh|sns|idp|okta|partner|webhook"
    r"|haproxy|traefik|envoy|grpc|etcd|kube|docker|registry|server\.(crt|pem|cer)$|client[\w-]*\.(crt|pem)|tls\.crt$|localhost|fullchain|letsencrypt|wildcard|docdb|documentdb|(?<!rds-)(?<!rds_)proxy",
    re.IGNORECASE,
)
DOCUMENTED = "changeit"
"""The password that Java ships its own trust stores with, and most people keep."""
LOCKED = "it is protected by a password; `reroot trust show FILE --password-file …` opens it"
HEADS = (b"\x30\x81", b"\x30\x82", b"\x30\x83", b"\x30\x80", b"\xfe\xed", b"\xce\xce")
"""How DER, PKCS #12, JKS and JCEKS begin."""
PINNED = re.compile(r"(?:^|[/_.-])(?:pg|postgres(?:ql)?|pgsql|rds|aurora)[\w-]*\.(?:pem|crt|cer)$|pgbouncer", re.IGNORECASE)
"""A name that makes even a leaf ours: somebody pins it."""
MAX_BLOCK = 16_000
MAX_CERTIFICATES = 2000


def pasted(text: Text, path: str, harvest: Harvest, vendored: bool, beside: bool = False) -> None:
    """PEM blocks in a text: each run of blocks that stand together is one store."""
    if "BEGIN" not in text.text:
        return
    runs: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(blocks(text.text)):
        if runs and start - runs[-1][1] < 1500:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
        if number > MAX_CERTIFICATES:
            break
    for start, end in runs[:50]:
        first, _ = text.place(start)
        last, _ = text.place(end)
        before = text.text[max(0, start - 200) : start]
        name = next(iter(re.findall(r"[\w.\-]+", before.rstrip(" \n\t'\"`|>-=:({[\\"))[-1:]), "")
        ders = _ders(text.text[start:end])
        store = _store(path, first, last, "pem", ders, name, vendored)
        store.beside = beside
        harvest.stores.append(store)


def blocks(text: str) -> Iterator[tuple[int, int]]:
    """Where each certificate block begins and ends; linear, however many beginnings have no end."""
    close = -1
    for match in _BEGIN.finditer(text):
        if close < match.end():
            close = text.find("-----END", match.end())
        if close < 0:
            return
        end = _END.match(text, close)
        if end is not None and 20 < close - match.end() < MAX_BLOCK and "-----BEGIN" not in text[match.end() : close]:
            yield match.start(), end.end()


def _der(body: str) -> bytes:
    cleaned = re.sub(r"\\[nr]|[^A-Za-z0-9+/=]", "", re.sub(r"\\[nrt]", "", body))
    try:
        return base64.b64decode(cleaned + "=" * (-len(cleaned) % 4))
    except (binascii.Error, ValueError):
        return b""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What counts of one certificate."""

    title: str
    fingerprint: str
    end: str
    is_ca: bool
    self_issued: bool
    known: tuple[str, ...]


@lru_cache(maxsize=8192)
def _seen(der: bytes) -> _Seen | None:
    """A certificate, looked at once however many files hold it; None when it is damaged."""
    from ...pki.certificate import Certificate

    certificate = Certificate(der)
    if not certificate.is_readable:
        return None
    whole = f"{certificate.parsed.subject.rfc4514_string()} {certificate.issuer_title}"
    known = tuple(family for pattern, family in KNOWN if pattern.search(whole))
    end = certificate.not_after.date().isoformat()
    return _Seen(certificate.title, certificate.fingerprint, end, certificate.is_ca, certificate.is_self_issued, known)


@lru_cache(maxsize=512)
def _ders(run: str) -> tuple[bytes, ...]:
    return tuple(_der(run[run.index("-----", start + 11) + 5 : run.index("-----END", start)]) for start, end in blocks(run))


def _store(path: str, line: int, line_end: int, form: str, ders: Sequence[bytes], name: str, vendored: bool) -> Store:
    store = Store(path, line, line_end, form, len(ders), 0, name=name, vendored=vendored)
    subjects: list[str] = []
    prints: list[str] = []
    ends: list[str] = []
    known: set[str] = set()
    for der in ders:
        seen = _seen(der)
        if seen is None:
            store.failed = "a certificate is damaged"
            continue
        subjects.append(seen.title)
        prints.append(seen.fingerprint)
        ends.append(seen.end)
        store.roots += seen.self_issued
        store.intermediates += seen.is_ca and not seen.self_issued
        store.leafs += not seen.is_ca
        known.update(seen.known)
    store.subjects, store.fingerprints, store.ends, store.known = (
        tuple(subjects[:40]),
        tuple(prints),
        tuple(ends),
        tuple(sorted(known)),
    )
    return store


def key_store(path: str, data: bytes, harvest: Harvest, vendored: bool) -> None:
    """A binary trust store: told by content, read without a password as far as that goes."""
    from ... import truststores
    from ...errors import RerootError
    from ...model import Secret

    form, failed, locked = "key store", "", False
    for password in (None, Secret(DOCUMENTED)):
        try:
            form = truststores.detect(data)
            roots = truststores.read(data, password, format=form)
        except RerootError as error:
            failed = failed or error.message
            locked = locked or "password" in f"{error.message} {error.hint}".lower()
            continue
        if roots.certificates:
            harvest.stores.append(_store(path, 0, 0, form, [c.der for c in roots.certificates], "", vendored))
            return
        locked = locked or any("password" in note for note in roots.notes)
    if locked:
        harvest.stores.append(Store(path, 0, 0, form, 0, 0, vendored=vendored, failed=LOCKED))
    elif failed and path.endswith((".jks", ".p12", ".pfx")):
        harvest.stores.append(Store(path, 0, 0, form, 0, 0, vendored=vendored, failed=failed))


def is_ours(store: Store) -> bool:
    """Does a store speak for itself, without any setting that refers to it?"""
    if store.known:
        return True
    if not store.count and store.form == "pem":
        return False
    words = f"{store.path} {store.name}".strip()
    if FOREIGN.search(words.rpartition("/")[2]) or (
        FOREIGN.search(store.path) and not re.search(r"rds|postgres|pgsql", words, re.IGNORECASE)
    ):
        return False
    if store.beside:
        return True
    told = store.roots > 0 or not store.count or store.intermediates > 0 or "root" in words or bool(PINNED.search(store.path))
    return bool(NAMED.search(words)) and told
