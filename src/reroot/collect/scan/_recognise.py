"""
From names and values to findings: which of them are a PostgreSQL client's TLS settings, and which belong together.

One rule for every kind of file. Entries are grouped into connections (a mapping with the mappings about TLS in it, or variables
with one stem); a group counts when the nearest words that lean anywhere lean to PostgreSQL.
"""

from __future__ import annotations

import re
from collections import defaultdict

from . import _names
from ._contexts import scope_of
from ._counts import PATHISH, lean_of_file
from ._drivers import CODE, guess
from ._finding import Definition, Finding, Harvest
from ._groups import Group, dsns_in, key_of, merged
from ._interpolation import look
from ._reader import Entry, Page
from ._settings import SECRET, finding_at, settings_of

_VALUE = re.compile(r"^[\w./\\:+~@${}()\-,=%*]{0,200}$")
_CONNECTS = re.compile(r"URL|DSN|URI|DATABASE|POSTGRES|CONNECTION")
_ADDRESS = re.compile(r"(?:^|_)(?:DATABASE|DB|POSTGRES(?:QL)?|PG)_?(?:URL|URI|DSN|CONNECTION_STRING)$", re.IGNORECASE)
LIBPQ_FORMS = ("postgres", "postgresql", "keywords", "libpq")
_TLS_ROLES = frozenset({"mode", "roots", "switch", "off", "factory", "truststore"})


def recognise(page: Page, path: str) -> Harvest:
    """What the page of one file says."""
    harvest = Harvest()
    groups: dict[tuple[int, str], Group] = {}
    file_lean = lean_of_file(page, path)
    for entry in page.entries:
        _define(harvest, page, entry, path)
        dsns = dsns_in(entry) if page.language or "\n" not in entry.value else []
        if dsns:
            group = groups.setdefault(key_of(page, entry, True), Group(entry.block, ""))
            group.dsns.extend((entry, dsn) for dsn in dsns)
            continue
        role = _names.role(entry.name)
        if role:
            groups.setdefault(key_of(page, entry, False), Group(entry.block, _names.stem(entry.name))).by_role[role].append(entry)
    defaults: list[tuple[int, Finding]] = []
    by_scope: dict[int, list[Finding]] = defaultdict(list)
    for group in merged(groups).values():
        found = settings_of(page, path, group, file_lean)
        if page.language in CODE:
            by_scope[scope_of(page, group.block)] += found
        if len(found) == 1 and not found[0].mode and not found[0].roots and not group.dsns:
            defaults.append((group.block, found[0]))
        else:
            harvest.findings.extend(found)
    for scope, found in by_scope.items():
        if scope > 0:
            _one_connection(harvest, found)
    for block, finding in defaults:
        start, end = page.blocks[block].start, page.blocks[block].end
        first, last = page.text.place(start)[0], page.text.place(end)[0] if end else 0
        scope = scope_of(page, block)
        if scope > 0 and any(f.mode and not f.form for f in by_scope.get(scope, ())):
            continue  # the same function says it apart
        if not any(first <= f.line <= last and f.kind == "setting" for f in harvest.findings):
            harvest.findings.append(finding)
    _exported(page, harvest)
    harvest.findings.extend(_undecided_calls(page, path, file_lean, harvest.findings))
    harvest.findings.extend(_handed_in(page, path, file_lean))
    return harvest


def _exported(page: Page, harvest: Harvest) -> None:
    """``PGSSLROOTCERT=… psql "sslmode=verify-full"``: the roots are those of the variable, where the string names none."""
    told = [f for f in harvest.findings if f.settings.get("PGSSLROOTCERT") and not f.form and f.roots]
    for finding in harvest.findings if told else ():
        if finding.roots or not finding.mode or finding.driver not in ("psql", "libpq") or finding.form not in LIBPQ_FORMS:
            continue
        before = [f for f in told if f.line == finding.line or (page.language == "shell" and f.line < finding.line)]
        if not before:
            continue
        said = before[-1]
        finding.roots, finding.settings = said.roots, {**finding.settings, "PGSSLROOTCERT": said.settings["PGSSLROOTCERT"]}
        finding.refers = tuple(dict.fromkeys((*finding.refers, *look(said.roots or "").refers)))
        if said.line == finding.line and said.kind == "trust-store-reference" and said in harvest.findings:
            harvest.findings = [f for f in harvest.findings if f is not said]


def _one_connection(harvest: Harvest, found: list[Finding]) -> None:
    """In one function, an address without a TLS option and one set of options apart from it: ``Properties``, ``cfg.TLSConfig``."""
    bare = [f for f in found if f.kind == "setting" and f.form and not f.mode and not f.roots and f.decidable]
    told = [f for f in found if f.kind == "setting" and not f.form and (f.mode or f.roots)]
    if len(bare) != 1 or len(told) != 1 or len(found) != 2 or bare[0] not in harvest.findings:
        return
    address, options = bare[0], told[0]
    if options.driver not in (None, address.driver):
        return
    harvest.findings.remove(address)
    options.driver, options.wrapper, options.host = address.driver, options.wrapper or address.wrapper, options.host or address.host


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
        found.append(_from_elsewhere(page, path, entry, entry.refers))
    return found


def _handed_in(page: Page, path: str, file_lean: int) -> list[Finding]:
    """An address that a settings file takes from a secret or a variable: ``valueFrom`` and Hasura's ``from_env``."""
    if page.language or file_lean < 0:
        return []
    said = {entry.block for entry in page.entries if _names.role(entry.name) in _TLS_ROLES}
    kinds = {e.block: lean for e in page.entries if _names.role(e.name) == "kind" and (lean := _names.leaning(e.value))}
    found: list[Finding] = []
    for entry in page.entries:
        if entry.name == "from_env" and entry.plain and entry.value:
            around, inside = _around(page, entry.block), page.blocks[entry.block]
            lean = next((kinds[block] for block in around if block in kinds), 0)
            near = {block.index for block in page.blocks if block.parent in around[1:3]} | set(around[:3])
            if lean > 0 and _names.role(inside.label) == "url" and not said & near:
                found.append(_from_elsewhere(page, path, entry, (entry.value,)))
        elif not entry.value and not entry.plain and entry.refers and _ADDRESS.search(entry.name) and entry.block not in said:
            found.append(_from_elsewhere(page, path, entry, entry.refers))
    return found


def _around(page: Page, block: int) -> list[int]:
    """A block and those around it, innermost first."""
    blocks: list[int] = []
    while block > 0 and len(blocks) < 8:
        blocks.append(block)
        block = page.blocks[block].parent
    return blocks


def _from_elsewhere(page: Page, path: str, entry: Entry, refers: tuple[str, ...]) -> Finding:
    """A connection of which only is known where its address comes from."""
    labels = page.labels(entry.block)
    finding = finding_at(page, path, entry, entry, labels, "setting")
    guess(finding, page, labels, None, [entry])
    finding.decidable, finding.refers, finding.level, finding.rule = False, refers, "note", "RR121"
    return finding


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
    if SECRET.search(entry.name) or not _VALUE.match(entry.value) or ("://" in entry.value and "@" in entry.value):
        return
    value = entry.value if entry.plain else ""
    lowered = value.lower()
    telling = lowered in _names.MODES or lowered in _names.YES | _names.NO or PATHISH.search(value) or value.startswith("rds-ca")
    if not (telling or (_names.role(entry.name) and entry.refers)):
        return
    if block.kind == "resource" and not block.label.startswith("variable "):
        return
    name = entry.name
    line, _ = page.text.place(entry.key_start)
    harvest.definitions.append(Definition(name, value, path, line, entry.plain, ",".join(entry.refers)))
