"""One group of entries → findings: what is set, where it stands, and what of it is decided elsewhere."""

from __future__ import annotations

import re

from . import _dsn, _environment, _names
from ._counts import PATHISH, commented, counts, kind_lean, squeezed_value, strange_scheme
from ._drivers import CODE, NATIVE, guess
from ._finding import Finding, Spot
from ._groups import Group, opens_into
from ._interpolation import look
from ._reader import Entry, Page
from ._values import HOLES

SECRET = re.compile(r"pass|pwd|secret|token|apikey|api_key|private|credential|access_?key", re.IGNORECASE)
NEAR = 15
"""Lines between two variables of one stem that are still shown as one finding."""
_FALLBACK = re.compile(r"env\b|environ|ENV|Environment|\?\?|\|\||\?:|:-|getenv|lookup|default", re.IGNORECASE)
"""What stands before a connection string that only holds when a variable is not set."""
_TLS_LABEL = re.compile(r"^(ssl|tls|sslOptions|ssl_options|sslConfig|TLSConfig|tls\.Config)$")
_SERVICE_FILE = re.compile(r"pg_service\.conf$")
_FILLED = re.compile(r"\$_?\w+$")
"""How a hole of a source's own is kept in a text: ``$s``, ``$_name_``."""
_CALLED = re.compile(r"(?:^|\.|::)(?:a?connect|create_pool|ConnectionPool|AsyncConnectionPool|new|Connection)$")


def settings_of(page: Page, path: str, group: Group, file_lean: int) -> list[Finding]:
    tls = [
        e for role in ("mode", "roots", "switch", "off", "factory", "truststore", "names") for e in group.by_role.get(role, ())
    ]
    tls = [e for e in tls if counts(page, group, e, file_lean)]
    inert = [e for e in tls if without_effect(page, path, e)]
    tls = [e for e in tls if e not in inert]
    found: list[Finding] = []
    if inert and not tls:
        found += [_inert(finding) for finding in [_from_entries(page, path, group, inert)] if finding is not None]
        return found
    if _are_two(page, group, tls):
        apart = Group(group.block, group.stem, dsns=group.dsns)
        return settings_of(page, path, apart, file_lean) + settings_of(page, path, Group(group.block, group.stem, group.by_role), file_lean)
    if group.dsns:
        for entry, dsn in group.dsns:
            if strange_scheme(dsn) or (commented(page, entry)):
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


def _are_two(page: Page, group: Group, tls: list[Entry]) -> bool:
    """Statements of one function or class: a string with a mode of its own, and a mode apart from it, are two connections."""
    if page.language not in CODE or page.language in ("java", "kotlin") or len(group.dsns) != 1:
        return False  # pgjdbc's `Properties` stand beside its URL
    _, dsn = group.dsns[0]
    said = dsn.option("sslmode", "ssl")
    return said is not None and page.blocks[group.block].kind == "mapping" and any(_names.role(e.name) == "mode" and e.block == group.block for e in tls)


def without_effect(page: Page, path: str, entry: Entry) -> bool:
    """Are these the options of PDO's constructor, which are numbers, and not those of the address that PDO is given?"""
    if _names.role(entry.name) not in ("mode", "roots") or not (page.language == "php" or NATIVE.search(path)):
        return False
    return page.blocks[entry.block].label in ("options", "driverOptions")


def _inert(finding: Finding) -> Finding:
    """A setting that its driver never sees."""
    said = " ".join(x for x in (finding.mode, f"roots {finding.roots}" if finding.roots else "") if x)
    finding.driver, finding.rule, finding.spots = finding.driver or "pdo", "RR107", {}
    finding.text = (
        f"{finding.name}: {said} · {finding.driver}: not what was written (these options go to PDO's constructor, which knows none by this name;"
        " `sslmode` and `sslrootcert` belong beside the address)"
    )
    return finding


def _near(page: Page, entries: list[Entry]) -> list[list[Entry]]:
    """Split a group where its lines lie far apart, and where a name is said once more: that is the next connection."""
    parts: list[list[Entry]] = []
    last = -1000
    for entry in sorted(entries, key=lambda e: e.key_start):
        line, _ = page.text.place(entry.key_start)
        again = bool(parts) and _names.role(entry.name) in ("mode", "roots") and any(e.name == entry.name for e in parts[-1])
        if line - last > NEAR or not parts or again:
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
        and not PATHISH.search(roots.value)
        and roots.value not in ("", "system")
    ):
        return None
    first, last = entries[0], max(entries, key=lambda e: e.end)
    labels = page.labels(first.block)
    deciding = mode or off or switch or factory or inside_tls
    finding = finding_at(page, path, first, last, labels, "setting" if deciding else "trust-store-reference")
    finding.mode = _mode_text(mode, switch, off, factory)
    finding.roots = _shown(roots) if roots is not None and _shown(roots) else None
    finding.settings = settings
    if any("aws_dms_endpoint" in label for label in labels) and finding.roots is None:
        imported = next((e for e in page.entries if e.block == first.block and e.name == "certificate_arn"), None)
        if imported is not None:
            finding.roots, finding.settings = _shown(imported), {**settings, imported.name: imported.value}
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
    url = group.first("url")
    finding.reads = url.refers if url is not None and not url.plain else ()
    finding.spots = {_names.role(e.name): Spot(e.start, e.end, page.text.place(e.start)[0]) for e in entries if e.exact}
    return finding


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
    finding = finding_at(page, path, entry, entry, labels, "setting", offset=dsn.start if entry.exact else 0)
    finding.form, finding.host = dsn.scheme if dsn.form == "url" else dsn.form, dsn.host
    finding.settings = dsn.tls
    finding.in_dsn = tuple(dsn.tls)
    if mode is not None:
        finding.mode = _written(page, entry, mode)
    elif switch or factory or (off and off.name.lower() != "uselibpqcompat"):
        one = off if off and off.name.lower() != "uselibpqcompat" else factory or switch
        assert one is not None
        finding.mode = one.value if one.value.lower() in _names.MODES else f"{one.name}={one.value}"
    finding.roots = _written(page, entry, roots) if roots is not None else None
    pinned = dsn.option("sslfactoryarg")
    if finding.roots is None and pinned is not None and pinned.plain and factory is not None and "SingleCert" in factory.value:
        finding.roots = pinned.value
    deciders = (mode, switch, off, factory) if mode or switch or factory else (roots, off)
    plain = all(o.plain for o in deciders if o is not None) and dsn.closed
    refers = [r for o in (mode, roots, switch, factory) if o is not None for r in _deciders(page, entry, o)]
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
    if finding.driver == "prisma" and finding.roots is None and (server := dsn.option("sslcert")) is not None:
        finding.roots = _written(page, entry, server)  # Prisma's name for the roots
        if entry.exact:
            a, b = entry.start + server.start, entry.start + server.end
            finding.spots["roots"] = Spot(a, b, page.text.place(a)[0])
    if not finding.mode and not finding.roots and (more := next((e for e in page.entries if e.block == entry.block and e.name == "**"), None)):
        finding.rule, plain, refers = "RR121", False, [*refers, *more.refers]
    finding.decidable = page.sure and plain
    before = entry.value[: dsn.start]
    if not entry.plain and _FALLBACK.search(before) and look(entry.value[dsn.start : dsn.end]).plain:
        finding.decidable, refers = False, [*refers, *entry.refers]  # what holds when a variable is not set
    finding.refers = tuple(dict.fromkeys(refers))
    return finding


def _hole(page: Page, entry: Entry, option: _dsn.Option) -> re.Match[str] | None:
    """What a hole for an option's value is written as in the source: ``%s``, ``{self.ca}``."""
    if not _FILLED.match(option.value):
        return None
    hole = re.compile(rf"(?<!\w){re.escape(option.name)}\s?=\s?'?(%(?:\(\w+\))?[-+0-9.]*[a-z]|\{{[^{{}}\n]{{0,80}}\}})", re.IGNORECASE)
    return hole.search(path_text(page), entry.start, entry.end)


def path_text(page: Page) -> str:
    return (page.text.whole or page.text).text


def _written(page: Page, entry: Entry, option: _dsn.Option) -> str:
    hole = _hole(page, entry, option)
    return hole[1] if hole is not None else option.value


def _deciders(page: Page, entry: Entry, option: _dsn.Option) -> tuple[str, ...]:
    """The variables that decide about an option; where holes are filled by their order, what is given for this one."""
    hole = _hole(page, entry, option)
    if hole is None:
        return _refers(option.value)
    holes = [m.start() for m in HOLES.finditer(path_text(page), entry.start, entry.end)]
    if hole.start(1) in holes and len(holes) == len(entry.refers):
        return (entry.refers[holes.index(hole.start(1))],)
    named = hole[1].strip("{}").partition(":")[0]
    return (named,) if named and hole[1].startswith("{") else () if hole[1].startswith("{") else _refers(option.value)


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
    elif (
        kind is not None
        and kind_lean(group) > 0
        and (host or base or group.first("url"))
        and page.blocks[kind.block].kind != "resource"
    ):
        first = kind
    if first is None or path.endswith((".tf", "package.json")):
        return None
    labels = page.labels(first.block)
    finding = finding_at(page, path, first, first, labels, "setting")
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


def finding_at(page: Page, path: str, first: Entry, last: Entry, labels: list[str], kind: str, offset: int = 0) -> Finding:
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
    while block > 0 and len(names) < 6 and opens_into(page, block):
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
    if SECRET.search(entry.name.rpartition(".")[2]) and entry.plain:
        return "***"
    value = re.sub(r"\s+", " ", value)
    return value if len(value) <= 160 else value[:157] + "…"
