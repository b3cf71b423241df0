"""
From names and values to findings: which of them are a PostgreSQL client's TLS settings, and which belong together.

One rule for every kind of file. Entries are grouped into connections (a mapping with the mappings about TLS in it, or variables
with one stem); a group counts when the nearest words that lean anywhere lean to PostgreSQL.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from . import _dsn, _environment, _names
from ._drivers import guess
from ._finding import Definition, Finding, Harvest, Spot
from ._interpolation import look
from ._reader import Entry, Page

_INSIDE = re.compile(
    r"^(ssl|tls|options|dialectoptions|connectargs|extra|connectionparameters|properties|datasourceproperties|hikari|sslconfiguration|ssloptions|sslconfig"
    r"|engineoptions|driveroptions|poolconfig|config|xadatasourceproperties|connectionproperties|jdbc|connection|connectionoptions|pg|database_options|init_args|"
    r"sslrootcert|tlsoptions|enginekwargs|handlers|postgressl|postgre_ssl|jsondata|authentication|sslsettings|params|parameters|query)$"
)
_HEAD = re.compile(
    r"\.(hikari|data-?source-?properties|properties|options|ssl|xa|tomcat|dbcp2|connection-?properties|connectionProperties)(?=\.|$)",
    re.IGNORECASE,
)
_SECRET = re.compile(r"pass|pwd|secret|token|apikey|api_key|private|credential|access_?key", re.IGNORECASE)
_VALUE = re.compile(r"^[\w./\\:+~@${}()\-,=%*]{0,200}$")
_PATHISH = re.compile(
    r"\.(pem|crt|cer|jks|p12|pfx|ca|der|bundle|keystore|truststore|bks)\b|/certs?/|/ssl/|/pki/|BEGIN CERT|rds-|system$|^[/~.]",
    re.IGNORECASE,
)
INFRASTRUCTURE = re.compile(r"^rds-ca-|.*CaCertificate\.")
NEAR = 15
"""Lines between two variables of one stem that are still shown as one finding."""


@dataclass(slots=True)
class Group:
    """Entries that settle one connection together."""

    block: int
    stem: str
    by_role: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    dsns: list[tuple[Entry, _dsn.Dsn]] = field(default_factory=list)

    def first(self, role: str) -> Entry | None:
        found = self.by_role.get(role)
        return found[0] if found else None


def recognise(page: Page, path: str) -> Harvest:
    """What the page of one file says."""
    harvest = Harvest()
    groups: dict[tuple[int, str], Group] = {}
    file_lean = lean_of_file(page, path)
    for entry in page.entries:
        _define(harvest, page, entry, path)
        dsns = _dsns(entry) if page.language or "\n" not in entry.value else []
        if dsns:
            group = groups.setdefault(_key(page, entry, True), Group(entry.block, ""))
            group.dsns.extend((entry, dsn) for dsn in dsns)
            continue
        role = _names.role(entry.name)
        if role:
            groups.setdefault(_key(page, entry, False), Group(entry.block, _names.stem(entry.name))).by_role[role].append(entry)
    defaults: list[tuple[int, Finding]] = []
    for group in _merged(groups).values():
        found = _settings(page, path, group, file_lean)
        if len(found) == 1 and not found[0].mode and not found[0].roots and not group.dsns:
            defaults.append((group.block, found[0]))
        else:
            harvest.findings.extend(found)
    for block, finding in defaults:
        start, end = page.blocks[block].start, page.blocks[block].end
        first, last = page.text.place(start)[0], page.text.place(end)[0] if end else 0
        if not any(first <= f.line <= last and f.kind == "setting" for f in harvest.findings):
            harvest.findings.append(finding)
    harvest.findings.extend(_undecided_calls(page, path, file_lean, harvest.findings))
    return harvest


def _undecided_calls(page: Page, path: str, file_lean: int, known: list[Finding]) -> list[Finding]:
    """A connection is made from a variable alone: what decides about TLS stands elsewhere."""
    if file_lean < 1 or not page.language or page.language in ("shell", "dockerfile", "sql", "hcl"):
        return []
    found: list[Finding] = []
    for entry in page.entries:
        if entry.plain or not entry.refers or (entry.name and _names.role(entry.name) != "url"):
            continue
        labels = page.labels(entry.block)
        around = next((label for label in labels if label), "")
        made = _names.MAKER.search(around) or page.language == "prisma" or _names.leaning(around) > 0
        if not made or _names.leaning(around) < 0 or not any(_CONNECTS.search(r.upper()) for r in entry.refers):
            continue
        line = page.text.place(entry.key_start)[0]
        block = page.blocks[entry.block]
        first = min(line, page.text.place(block.start)[0])
        if any(first - 1 <= f.line <= line + 12 and f.kind == "setting" for f in (*known, *found)):
            continue
        finding = _finding(page, path, entry, entry, labels, "setting")
        guess(finding, page, labels, None, [entry])
        finding.decidable, finding.refers, finding.level, finding.rule = False, entry.refers, "note", "RR121"
        found.append(finding)
    return found


def lean_of_file(page: Page, path: str) -> int:
    """2 when the whole file speaks of PostgreSQL alone, 1 when of others too, 0 when of nothing, -1 when only of others."""
    sample = page.text.text[:300_000]
    ours, theirs = _names.speaks(sample)
    if _names.leaning(path) == 1 or (ours and not theirs):
        return 2
    return 1 if ours else -1 if theirs else 0


def _dsns(entry: Entry) -> list[_dsn.Dsn]:
    value = entry.value
    if len(value) < 8 or (":" not in value and "=" not in value):
        return []
    if len(value) > 2000 and "\n" in value:
        return []
    return list(_dsn.find(value))


def _key(page: Page, entry: Entry, is_dsn: bool) -> tuple[int, str]:
    block = entry.block
    blocks = page.blocks
    steps = 0
    while block > 0 and steps < 6 and _opens_into(page, block):
        block, steps = blocks[block].parent, steps + 1
    block = max(block, 0)
    head, dot, _ = entry.name.rpartition(".")
    prefix = _HEAD.sub("", head.lower()) if dot else ""
    if blocks[block].kind in ("environment", "file") or ("_" in entry.name and entry.name.isupper()):
        return block, prefix + "|" + ("" if is_dsn and dot else _names.stem(entry.name).rpartition(".")[2])
    return block, prefix


def _opens_into(page: Page, block: int) -> bool:
    """Does a block only hold options of the connection around it?"""
    here = page.blocks[block]
    if here.kind == "call" and _TRUST.search(here.label):
        return True
    if not here.label and here.kind == "object":
        return here.parent > 0 and page.blocks[here.parent].kind == "call"
    return bool(_INSIDE.match(_names.squeezed(here.label.rpartition(" ")[2])))


def _merged(groups: dict[tuple[int, str], Group]) -> dict[tuple[int, str], Group]:
    """In a mapping, a connection string joins the only group of TLS options beside it."""
    by_block: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for key in groups:
        by_block[key[0]].append(key)
    for keys in by_block.values():
        strings = [k for k in keys if groups[k].dsns and not groups[k].by_role]
        options = [k for k in keys if groups[k].by_role and not groups[k].dsns]
        if (
            len(strings) == 1
            and len(options) == 1
            and "|" not in strings[0][1].rstrip("|") + options[0][1].rstrip("|")
            and strings[0][1].partition("|")[0] == options[0][1].partition("|")[0]
        ):
            groups[options[0]].dsns = groups.pop(strings[0]).dsns
    return groups


# ── one group → findings ─────────────────────────────────────────────────────────────────────────


def _settings(page: Page, path: str, group: Group, file_lean: int) -> list[Finding]:
    tls = [e for role in ("mode", "roots", "switch", "off", "factory", "truststore", "names") for e in group.by_role.get(role, ())]
    tls = [e for e in tls if _counts(page, group, e, file_lean)]
    found: list[Finding] = []
    if group.dsns:
        for entry, dsn in group.dsns:
            if _strange_scheme(dsn) or (_commented(page, entry)):
                continue
            found.append(_from_dsn(page, path, group, entry, dsn, tls if len(group.dsns) == 1 else []))
        if (found and len(group.dsns) == 1) or not tls:
            return found
    if tls:
        for part in _near(page, tls):
            finding = _from_entries(page, path, group, part)
            if finding is not None:
                found.append(finding)
    else:
        default = _left_to_default(page, path, group)
        if default is not None:
            found.append(default)
    return found


def _strange_scheme(dsn: _dsn.Dsn) -> bool:
    return dsn.form == "url" and dsn.host in ("...", "host", "") and not dsn.options and dsn.host == "..."


def _commented(page: Page, entry: Entry) -> bool:
    return any(a <= entry.start < b for a, b in page.prose) if page.language in ("sql",) else False


def _counts(page: Page, group: Group, entry: Entry, file_lean: int) -> bool:
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
    kind_lean = _kind_lean(group)
    if kind_lean:
        return kind_lean > 0
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
    database = any(_names.DATABASE.search(re.sub(r"[_\-.]", " ", t)) for t in (entry.name, *labels[:3]))
    maker = any(_names.MAKER.search(label) for label in labels[:5])
    if role in ("roots", "truststore", "factory"):
        named = "rds" in value or "postgres" in value or "pgsql" in value
        in_code = page.language not in ("", "shell", "dockerfile", "hcl")
        return named or (file_lean > 1 and (database or in_code)) or (file_lean > 0 and maker) or bool(group.first("mode"))
    if role == "off":
        return (file_lean > 1 and (database or bool(page.language))) or (file_lean > 0 and maker)
    return (file_lean > 1 and (database or page.language == "other")) or (file_lean > 0 and maker)


def _kind_lean(group: Group) -> int:
    for entry in group.by_role.get("kind", ()):
        lean = _names.leaning(entry.value)
        if lean:
            return lean
        if squeezed_value(entry.value) in ("pg", "psql", "postgres"):
            return 1
    return 0


def squeezed_value(value: str) -> str:
    return value.strip().strip("'\"").lower()


def _near(page: Page, entries: list[Entry]) -> list[list[Entry]]:
    """Split a group where its lines lie far apart."""
    parts: list[list[Entry]] = []
    last = -1000
    for entry in sorted(entries, key=lambda e: e.key_start):
        line, _ = page.text.place(entry.key_start)
        if line - last > NEAR or not parts:
            parts.append([])
        parts[-1].append(entry)
        last = line
    return parts


def _from_entries(page: Page, path: str, group: Group, entries: list[Entry]) -> Finding | None:
    by_role: dict[str, Entry] = {}
    for entry in entries:
        by_role.setdefault(_names.role(entry.name), entry)
    settings = {_option(page, group, e): _shown(e) for e in entries}
    mode, roots = by_role.get("mode"), by_role.get("roots") or by_role.get("truststore")
    switch, off, factory = by_role.get("switch"), by_role.get("off"), by_role.get("factory")
    if not (mode or roots or off or factory) and switch is not None and not entry_is_switch(switch):
        return None
    pasted = roots is not None and "BEGIN" in roots.value[:80]
    inside_tls = page.language in ("javascript", "typescript", "go") and any(
        _TLS_LABEL.match(label) for label in page.labels(first_of(entries).block)[:2]
    )
    if pasted and not (mode or switch or off or factory or inside_tls):
        return None
    if (
        roots is not None
        and not (pasted or mode or switch or off or factory)
        and roots.plain
        and not _PATHISH.search(roots.value)
        and roots.value not in ("", "system")
    ):
        return None
    first, last = entries[0], max(entries, key=lambda e: e.end)
    labels = page.labels(first.block)
    deciding = mode or off or switch or factory or inside_tls
    finding = _finding(page, path, first, last, labels, "setting" if deciding else "trust-store-reference")
    finding.mode = _mode_text(mode, switch, off, factory)
    finding.roots = _shown(roots) if roots is not None and _shown(roots) else None
    finding.settings = settings
    inside = group.first("pqopt")
    if inside is not None and (given := re.search(r"sslrootcert\s*=\s*([^\s}]+)", inside.value)):
        finding.roots, finding.settings = finding.roots or given[1], {**settings, inside.name: inside.value}
    kind = group.first("kind")
    guess(finding, page, labels, kind, entries)
    host = group.first("host")
    finding.host = host.value if host and host.plain else ""
    own = all(_names.is_own(e.name) for e in entries if _names.role(e.name) in ("switch", "off"))
    deciders = [e for e in entries if e is not roots or not mode]  # where the roots stand does not change what is checked
    finding.decidable = page.sure and own and all(e.plain for e in deciders)
    finding.refers = tuple(dict.fromkeys(r for e in entries for r in e.refers))
    finding.spots = {_names.role(e.name): Spot(e.start, e.end, page.text.place(e.start)[0]) for e in entries if e.exact}
    return finding


_TRUST = re.compile(r"(?:TrustOptions|SSLOptions|SslOptions|addCertPath)$")
"""Calls that only make what a connection is given to trust."""
_FALLBACK = re.compile(r"env\b|environ|ENV|Environment|\?\?|\|\||\?:|:-|getenv|lookup|default", re.IGNORECASE)
"""What stands before a connection string that only holds when a variable is not set."""
_TLS_LABEL = re.compile(r"^(ssl|tls|sslOptions|ssl_options|sslConfig|TLSConfig|tls\.Config)$")
_SERVICE_FILE = re.compile(r"pg_service\.conf$")
_CALLED = re.compile(r"(?:^|\.|::)(?:a?connect|create_pool|ConnectionPool|AsyncConnectionPool|new|Connection)$")
_CONNECTS = re.compile(r"URL|DSN|URI|DATABASE|POSTGRES|CONNECTION")


_NOTHING = frozenset({"none", "null", "nil", "undefined", ""})
_MYSQL_FILE = re.compile(r"(^|/)\.?my(sql)?[\w.-]*\.cnf$")


def path_of(page: Page) -> str:
    return (page.text.whole or page.text).path


def first_of(entries: list[Entry]) -> Entry:
    return min(entries, key=lambda e: e.key_start)


def entry_is_switch(entry: Entry) -> bool:
    """A switch is on, off, a mode, or decided elsewhere; an object or a number is none."""
    value = squeezed_value(entry.value)
    return (
        not entry.plain
        or value in _names.YES | _names.NO | _names.MODES
        or value in ("null", "none", "undefined", ":verify_none")
    )


def _mode_text(mode: Entry | None, switch: Entry | None, off: Entry | None, factory: Entry | None) -> str | None:
    if mode is not None:
        return mode.written or _shown(mode)
    for entry in (off, factory, switch):
        if entry is not None:
            if squeezed_value(entry.value) in _names.MODES:
                return _shown(entry)
            return f"{entry.name.rpartition('.')[2]}={_shown(entry)}"
    return None


def _from_dsn(page: Page, path: str, group: Group, entry: Entry, dsn: _dsn.Dsn, tls: list[Entry]) -> Finding:
    mode = dsn.option("sslmode", "sslmodel")
    roots = dsn.option("sslrootcert", "rootcertificate", "sslca", "sslrootca")
    switch, off = dsn.option("ssl", "tls", "usessl"), dsn.option("trustservercertificate", "sslaccept", "uselibpqcompat")
    factory = dsn.option("sslfactory")
    inside = [e for e in tls if e is not entry]
    labels = page.labels(entry.block)
    finding = _finding(page, path, entry, entry, labels, "setting", offset=dsn.start if entry.exact else 0)
    finding.form, finding.host = dsn.scheme if dsn.form == "url" else dsn.form, dsn.host
    finding.settings = dsn.tls
    finding.in_dsn = tuple(dsn.tls)
    if mode is not None:
        finding.mode = mode.value
    elif switch or factory or (off and off.name.lower() != "uselibpqcompat"):
        one = off if off and off.name.lower() != "uselibpqcompat" else factory or switch
        assert one is not None
        finding.mode = one.value if one.value.lower() in _names.MODES else f"{one.name}={one.value}"
    finding.roots = roots.value if roots is not None else None
    pinned = dsn.option("sslfactoryarg")
    if finding.roots is None and pinned is not None and pinned.plain and factory is not None and "SingleCert" in factory.value:
        finding.roots = pinned.value
    deciders = (mode, switch, off, factory) if mode or switch or factory else (roots, off)
    plain = all(o.plain for o in deciders if o is not None) and dsn.closed
    refers = [r for o in (mode, roots, switch, factory) if o is not None for r in _refers(o.value)]
    for name, option in (("mode", mode or switch), ("roots", roots)):
        if option is not None and entry.exact:
            a, b = entry.start + option.start, entry.start + option.end
            finding.spots[name] = Spot(a, b, page.text.place(a)[0])
    if entry.exact:
        finding.spots["dsn"] = Spot(entry.start + dsn.start, entry.start + dsn.end, finding.line)
    if not dsn.closed:
        refers += list(_refers(entry.value))[-1:]
    if inside:
        extra = _from_entries(page, path, group, inside)
        if extra is not None:
            finding.mode = finding.mode or extra.mode
            finding.roots = finding.roots or extra.roots
            finding.settings = {**extra.settings, **finding.settings}  # the string wins
            plain = plain and extra.decidable
            refers += list(extra.refers)
            finding.line_end = max(finding.line_end, extra.line_end)
            if extra.line < finding.line:
                finding.line, finding.column = extra.line, extra.column
            for key, spot in extra.spots.items():
                finding.spots.setdefault(key, spot)
    kind = group.first("kind")
    guess(finding, page, labels, kind, [entry])
    finding.decidable = page.sure and plain
    before = entry.value[: dsn.start]
    if not entry.plain and _FALLBACK.search(before) and look(entry.value[dsn.start : dsn.end]).plain:
        finding.decidable, refers = False, [*refers, *entry.refers]  # what holds when a variable is not set
    finding.refers = tuple(dict.fromkeys(refers))
    return finding


def _refers(value: str) -> tuple[str, ...]:
    return look(value).refers


def _left_to_default(page: Page, path: str, group: Group) -> Finding | None:
    """A connection to PostgreSQL that says nothing about TLS."""
    kind, host, base = group.first("kind"), group.first("host"), group.first("base")
    named_pg = next((e for e in group.by_role.get("host", ()) if _names.squeezed(e.name) in ("pghost",)), None)
    first = None
    if named_pg is not None:
        first = named_pg
    elif base is not None and ((host is not None and _SERVICE_FILE.search(path)) or _made_by(page, group.block)):
        first = host or base
    elif kind is not None and _kind_lean(group) > 0 and (host or base or group.first("url")) and page.blocks[kind.block].kind != "resource":
        first = kind
    if first is None or path.endswith((".tf", "package.json")):
        return None
    labels = page.labels(first.block)
    finding = _finding(page, path, first, first, labels, "setting")
    finding.host = host.value if host and host.plain else ""
    guess(finding, page, labels, kind, [first])
    url = group.first("url")
    if url is not None and not url.plain:
        finding.decidable, finding.refers, finding.rule = False, url.refers, "RR121"
    return finding


def _made_by(page: Page, block: int) -> bool:
    """Is a block the call that makes a connection to PostgreSQL, and to nothing else?"""
    here = page.blocks[block]
    return here.kind == "call" and _names.leaning(here.label) > 0 and bool(_CALLED.search(here.label))


def _finding(page: Page, path: str, first: Entry, last: Entry, labels: list[str], kind: str, offset: int = 0) -> Finding:
    at = first.key_start if first.name else first.start + offset
    line, column = page.text.place(at)
    if first.name and offset:
        value_line, value_column = page.text.place(first.start + offset)
        if value_line > line:
            line, column = value_line, value_column
    end, _ = page.text.place(max(last.start, last.end - 1)) if last is not first or "\n" not in last.value else (line, 0)
    environment = _environment.of(path, [first.name, *labels])
    return Finding(path, line, column, kind, "", "", max(line, end), environment=environment, name=first.name)


def _option(page: Page, group: Group, entry: Entry) -> str:
    """An option's own name; in JavaScript with the objects around it, up to the connection: ``ssl.rejectUnauthorized``."""
    last = entry.name.rpartition(".")[2]
    if page.language not in ("javascript", "typescript") and _names.squeezed(last) != "rejectunauthorized":
        return last
    names, block = [last], entry.block
    while block > 0 and len(names) < 6 and _opens_into(page, block):
        label = page.blocks[block].label
        if label:
            names.append(label)
        block = page.blocks[block].parent
    return ".".join(reversed(names))


def _shown(entry: Entry) -> str:
    """A value as written, cut short where it is long, hidden where it could be a secret."""
    value = entry.value.strip()
    if "BEGIN CERT" in value[:60] or "BEGIN TRUSTED" in value[:60]:
        return "(certificates written here)"
    if _SECRET.search(entry.name.rpartition(".")[2]) and entry.plain:
        return "***"
    value = re.sub(r"\s+", " ", value)
    return value if len(value) <= 160 else value[:157] + "…"


def _define(harvest: Harvest, page: Page, entry: Entry, path: str) -> None:
    """Keep what a variable is set to, for the code elsewhere that reads it."""
    block = page.blocks[entry.block]
    if not entry.name or len(entry.name) > 100 or len(harvest.definitions) > 5_000:
        return
    if block.kind not in ("environment", "file", "section", "mapping", "resource") or page.language in (
        "python",
        "javascript",
        "java",
        "go",
    ):
        return
    if _SECRET.search(entry.name) or not _VALUE.match(entry.value) or ("://" in entry.value and "@" in entry.value):
        return
    value = entry.value if entry.plain else ""
    lowered = value.lower()
    telling = lowered in _names.MODES or lowered in _names.YES | _names.NO or _PATHISH.search(value) or value.startswith("rds-ca")
    if not (telling or (_names.role(entry.name) and entry.refers)):
        return
    if block.kind == "resource" and not block.label.startswith("variable "):
        return
    name = entry.name
    line, _ = page.text.place(entry.key_start)
    harvest.definitions.append(Definition(name, value, path, line, entry.plain, ",".join(entry.refers)))
