"""Does an entry speak of PostgreSQL? The nearest words that lean anywhere decide."""

from __future__ import annotations

import re

from . import _dsn, _names
from ._drivers import CODE
from ._groups import Group
from ._reader import Entry, Page

PATHISH = re.compile(
    r"\.(pem|crt|cer|jks|p12|pfx|ca|der|bundle|keystore|truststore|bks)\b|/certs?/|/ssl/|/pki/|BEGIN CERT|rds-|system$|^[/~.]",
    re.IGNORECASE,
)
INFRASTRUCTURE = re.compile(r"^rds-ca-[\w-]*$|.*CaCertificate\.")
_NOTHING = frozenset({"none", "null", "nil", "undefined", ""})
_WORDS = re.compile(r"[_\-.]|(?<=[a-z])(?=[A-Z])")
"""Where the words of a name end: ``db_config``, ``dbConfig``."""
_MYSQL_FILE = re.compile(r"(^|/)\.?my(sql)?[\w.-]*\.cnf$")


def lean_of_file(page: Page, path: str) -> int:
    """2 when the whole file speaks of PostgreSQL alone, 1 when of others too, 0 when of nothing, -1 when only of others."""
    sample = page.text.text[:300_000]
    ours, theirs = _names.speaks(sample)
    if _names.leaning(path) == 1 or (ours and not theirs):
        return 2
    return 1 if ours else -1 if theirs else 0


def strange_scheme(dsn: _dsn.Dsn) -> bool:
    return dsn.form == "url" and dsn.host in ("...", "host", "") and not dsn.options and dsn.host == "..."


def commented(page: Page, entry: Entry) -> bool:
    return any(a <= entry.start < b for a, b in page.prose) if page.language in ("sql",) else False


def counts(page: Page, group: Group, entry: Entry, file_lean: int) -> bool:
    """Does this entry speak of PostgreSQL? The nearest words decide."""
    role = _names.role(entry.name)
    word = _names.squeezed(entry.name)
    value = entry.value.strip().lower()
    if role == "names":
        return bool(group.first("mode"))
    if (
        role in ("switch", "off", "roots", "truststore")
        and page.blocks[entry.block].kind == "call"
        and not group.dsns
        and not entry.name
    ):
        return False
    if (value in _names.STRANGE_MODES and role == "mode") or word.startswith("clienttls") or INFRASTRUCTURE.match(entry.value):
        return False
    if word == "ssl" and not page.language and page.blocks[entry.block].label == "parameters":
        return False  # the server's own switch, as the operators for Kubernetes write it
    if role == "mode" and page.language and not entry.plain and file_lean < 1 and not any("_" in r for r in entry.refers):
        return False
    if role == "truststore" and file_lean < 2 and word.startswith(("connectssl", "sslt", "kafka", "producer", "consumer")):
        return False
    if role == "mode" and entry.plain and entry.value.strip().isupper() and file_lean < 2 and "_" in entry.value:
        return False
    if page.language and role in ("mode", "roots") and entry.plain and value in _NOTHING:
        return False
    name_lean = _names.leaning(entry.name)
    if name_lean < 0 or _MYSQL_FILE.search(path_of(page)):
        return False
    if word.endswith(("sslrootcert", "servertlssslmode", "servertlscafile")) or word.startswith("pgssl"):
        return True
    if name_lean > 0 and (role != "switch" or "ssl" in word or "tls" in word):
        return True
    lean_of_kind = kind_lean(group)
    if lean_of_kind:
        return lean_of_kind > 0
    labels = page.labels(entry.block)
    for label in labels:
        lean = _names.leaning(label)
        if lean:
            return lean > 0
    if group.dsns:
        return True
    if role == "mode":
        plain_name = word.endswith("sslmode") and "ssl_mode" not in entry.name.lower() and "ssl-mode" not in entry.name.lower()
        if value in _names.LIBPQ_MODES or value in ("no-verify", "verify_full", "verify_ca"):
            return plain_name or file_lean >= 0
        return (plain_name or file_lean > 1) and (not entry.plain or value in _names.MODES or not value)
    database = any(_names.DATABASE.search(_WORDS.sub(" ", t)) for t in (entry.name, *labels[:3]))
    maker = any(_names.MAKER.search(label) for label in labels[:5])
    if role in ("roots", "truststore", "factory"):
        in_code = page.language not in ("", "shell", "dockerfile", "hcl")
        named = (file_lean >= 0 or not in_code) and any(word in value for word in ("rds", "postgres", "pgsql"))
        return named or (file_lean > 1 and (database or in_code)) or (file_lean > 0 and maker) or bool(group.first("mode"))
    if role == "off":
        return (file_lean > 1 and (database or bool(page.language))) or (file_lean > 0 and maker)
    of_a_server = page.language in CODE and bool(group.first("base") or group.first("host"))
    return (file_lean > 1 and (database or of_a_server or page.language == "other")) or (file_lean > 0 and maker)


def kind_lean(group: Group) -> int:
    for entry in group.by_role.get("kind", ()):
        lean = _names.leaning(entry.value)
        if lean:
            return lean
        if squeezed_value(entry.value) in ("pg", "psql", "postgres"):
            return 1
    return 0


def squeezed_value(value: str) -> str:
    return value.strip().strip("'\"").lower()


def path_of(page: Page) -> str:
    return (page.text.whole or page.text).path
