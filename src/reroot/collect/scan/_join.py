"""
Put the pieces together: the mode stands in one file, the root in another, the switch in a third.

Variables meet the code that reads them, paths meet the files they name (through COPY, mounts and downloads), settings without a
driver meet the project's manifests, and certificates nobody vouched for become trust stores when a setting refers to them.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import takewhile
from typing import NamedTuple, TypeVar

from . import _environment, _stores
from ._finding import Copied, Definition, Finding, Harvest, Store
from ._names import squeezed
from ._walk import folders_around

MAX_JOINED = 5
STRING_WINS = frozenset({"node-postgres"})
"""Where TLS options of a connection string put those of the code out of force (pg-connection-string)."""
Known = tuple[str, str, str]
"""From a manifest: a driver, its version as written, what wraps it."""
Thing = TypeVar("Thing")
_CERTIFICATES = re.compile(r"\.(pem|crt|cer|ca-bundle)$")
LANGUAGE_OF = {
    ".py": {"psycopg2", "psycopg", "asyncpg", "pg8000"},
    ".js": {"node-postgres", "postgres-js", "prisma"},
    ".ts": {"node-postgres", "postgres-js", "prisma"},
    ".go": {"pgx", "lib-pq"},
    ".rs": {"sqlx", "tokio-postgres", "libpq"},
    ".rb": {"ruby-pg"},
    ".php": {"pdo", "php-pgsql"},
    ".java": {"pgjdbc", "r2dbc", "vertx"},
    ".kt": {"pgjdbc", "r2dbc", "vertx"},
}


class _Projects(NamedTuple):
    """The top folders that are projects of their own, since manifests are in them; *above* is how much of each path is above them."""

    above: int
    own: frozenset[str]

    def top(self, path: str) -> str:
        return path[self.above :].partition("/")[0] if "/" in path[self.above :] else ""


def _projects(harvests: Mapping[str, Harvest]) -> _Projects:
    whole = [posixpath.dirname(path) for path in harvests if path.startswith("/")]  # several targets, named from the root on
    above = len(posixpath.commonpath(whole).rstrip("/")) + 1 if whole else 0
    told = _Projects(above, frozenset())
    return told._replace(own=frozenset(told.top(p) for p, harvest in harvests.items() if harvest.drivers) - {""})


def join(harvests: Mapping[str, Harvest], today: date, wanted: frozenset[str] = frozenset()) -> list[Finding]:
    """All findings of a scan, each with what the other files add to it. *wanted* are the fingerprints of the next roots."""
    findings = [f for h in harvests.values() for f in h.findings]
    projects = _projects(harvests)
    definitions: dict[str, dict[str, list[Definition]]] = defaultdict(lambda: defaultdict(list))
    for harvest in harvests.values():
        for definition in harvest.definitions:
            definitions[squeezed(definition.name.rpartition(".")[2])][projects.top(definition.path)].append(definition)
    copies = [c for h in harvests.values() for c in h.copies]
    stores = {
        s.path: s for h in harvests.values() for s in h.stores if s.line <= 1 or s.form != "pem" or _CERTIFICATES.search(s.path)
    }
    _name_drivers(findings, harvests)
    for finding in findings:
        if finding.refers:
            _values(finding, definitions, projects)
    _driver_of_variables(findings, projects)
    _strings(findings, projects)
    referred = _resolve(findings, stores, copies, wanted)
    findings += _store_findings([s for h in harvests.values() for s in h.stores], referred, findings, today, wanted)
    return _once(findings)


# ── drivers ──────────────────────────────────────────────────────────────────────────────────────


def _name_drivers(findings: Iterable[Finding], harvests: Mapping[str, Harvest]) -> None:
    by_folder: dict[str, list[Known]] = defaultdict(list)
    for path, harvest in harvests.items():
        if harvest.drivers:
            by_folder[posixpath.dirname(path)].extend(harvest.drivers)
    every = [d for known in by_folder.values() for d in known]
    every = every if len({d[0] for d in every}) == 1 else []
    for finding in findings:
        if finding.driver is not None and not (finding.driver == "libpq" and finding.wrapper == "django"):
            _version(finding, _nearest(finding.path, by_folder, every))
            continue
        if finding.kind == "infrastructure":
            continue
        known = _nearest(finding.path, by_folder, every)
        ends = posixpath.splitext(finding.path)[1]
        if ends in LANGUAGE_OF:
            known = [k for k in known if k[0] in LANGUAGE_OF[ends]]
        names = {k[0] for k in known}
        if finding.wrapper == "django":
            names &= {"psycopg", "psycopg2"}
        if finding.form in ("postgres", "postgresql", "hung") and len(names) > 1:
            names -= {"asyncpg", "pg8000"}
        if len(names) == 1:
            one = next(k for k in known if k[0] in names)
            finding.driver, finding.version = one[0], one[1] or None if one[2] in ("", "pg-promise") else None
            finding.wrapper = finding.wrapper or one[2] or None
        elif len(names) > 1 and finding.driver is None:
            finding.candidates = tuple(dict.fromkeys(k[0] for k in known if k[0] in names))
        elif finding.name.startswith("PG") and finding.driver is None and not names:
            finding.driver = "libpq"


def _nearest(path: str, by_folder: Mapping[str, list[Known]], every: list[Known]) -> list[Known]:
    return next((by_folder[folder] for folder in folders_around(path) if folder in by_folder), every)


def _version(finding: Finding, known: Iterable[Known]) -> None:
    for driver, version, wrapper in known:
        if driver == finding.driver and version and wrapper in ("", "pg-promise"):
            finding.version = version


def _driver_of_variables(findings: list[Finding], projects: _Projects) -> None:
    """A variable is read by the driver of the code that refers to it: the nearest code, and never another project's."""
    readers: dict[str, dict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in findings:
        if finding.driver:
            for name in (*finding.refers, *finding.reads):
                readers[squeezed(name)][projects.top(finding.path)].append(finding)
    for finding in findings:
        if finding.driver is None and finding.name:
            found = _near(readers.get(squeezed(finding.name), {}), finding.path, projects)
            most = max((_shared(f.path, finding.path) for f in found), default=0)
            nearest = [f for f in found if _shared(f.path, finding.path) == most]
            if len({f.driver for f in nearest}) == 1:
                finding.driver, finding.wrapper = nearest[0].driver, nearest[0].wrapper


MAX_NEAR = 200
FLEET = 4
"""So many top folders with manifests of their own are repositories side by side, not the parts of one."""


def _near(by_top: Mapping[str, list[Thing]], path: str, projects: _Projects) -> list[Thing]:
    """What stands in the same top folder, else in the ones that belong to no other project."""
    here, own = projects.top(path), projects.own
    if here in by_top:
        return by_top[here][:MAX_NEAR]
    found: list[Thing] = []
    is_fleet = len(own) >= FLEET
    for top, things in by_top.items():
        if not (here in own and top in own) and not (is_fleet and here and top):
            found += things
        if len(found) > MAX_NEAR:
            break
    return found


def _shared(one: str, other: str) -> int:
    """How many folders two paths share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one.split("/")[:-1], other.split("/")[:-1], strict=False)))


# ── variables ────────────────────────────────────────────────────────────────────────────────────


def _values(finding: Finding, definitions: Mapping[str, Mapping[str, list[Definition]]], projects: _Projects) -> None:
    for name in finding.refers:
        written = name.rpartition(".")[2].split("[")[0]
        if written.islower() and "_" not in written and "." not in name:
            continue  # a local name, not a variable of the environment
        for definition in _near(definitions.get(squeezed(written), {}), finding.path, projects):
            if (definition.path, definition.line) == (finding.path, finding.line) or not definition.value:
                continue
            entry = (definition.path, definition.line, definition.value)
            if entry not in finding.joined:
                finding.joined.append(entry)
            if len(finding.joined) >= MAX_JOINED:
                return


def _strings(findings: Iterable[Finding], projects: _Projects) -> None:
    """Code that connects by a variable's connection string: what the strings say about TLS, which counts before the code's own."""
    written: dict[str, dict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in findings:
        if finding.form and finding.name:
            written[squeezed(finding.name.rpartition(".")[2])][projects.top(finding.path)].append(finding)
    for finding in findings:
        for name in finding.reads:
            for other in _near(written.get(squeezed(name), {}), finding.path, projects)[:MAX_JOINED]:
                told = " ".join(f"{key}={value}" for key, value in other.settings.items()) or "nothing about TLS"
                if other is not finding and len(finding.joined) < MAX_JOINED:
                    finding.joined.append((other.path, other.line, told))
                    if other.settings and finding.driver in STRING_WINS:
                        finding.decidable, finding.refers = False, finding.reads


# ── trust stores ─────────────────────────────────────────────────────────────────────────────────


def _resolve(
    findings: Iterable[Finding], stores: dict[str, Store], copies: list[Copied], wanted: frozenset[str]
) -> dict[str, list[Finding]]:
    """Which stores are referred to, and by whom."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in stores:
        by_name[posixpath.basename(path)].append(path)
    sources: dict[str, list[Copied]] = defaultdict(list)
    for copy in copies:
        sources[posixpath.basename(copy.target)].append(copy)
    referred: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.roots or "://" in finding.roots or finding.roots == "system" or finding.kind == "infrastructure":
            continue
        held = _store_of(finding.roots, finding.path, stores, by_name, sources)
        for copy in sources.get(posixpath.basename(finding.roots), ()):
            if copy.target.endswith(finding.roots.lstrip("./~")) and (copy.path, copy.line) != (finding.path, finding.line):
                entry = (copy.path, copy.line, copy.source)
                if entry not in finding.joined and len(finding.joined) < MAX_JOINED:
                    finding.joined.append(entry)
                if finding.rule == "RR215" and re.search(r"bundle|combined|global", copy.source):
                    finding.rule = "RR212" if finding.driver == "pgjdbc" else finding.rule
        if held is not None:
            referred[held].append(finding)
            if wanted and stores[held].count:
                finding.holds_next = wanted <= set(stores[held].fingerprints)
            store = stores[held]
            names = ", ".join(dict.fromkeys(store.subjects[:3])) + (" …" if store.count > 3 else "")
            finding.joined.append(
                (held, max(store.line, 1), f"{store.count} certificate{'s' * (store.count != 1)}: {names}"[:160])
            )
    return referred


def _store_of(
    roots: str, path: str, stores: Mapping[str, Store], by_name: Mapping[str, list[str]], sources: Mapping[str, list[Copied]]
) -> str | None:
    wanted = roots.removeprefix("file:").removeprefix("classpath:").strip("'\"")
    wanted = re.sub(r"^\$\{[^}]*\}/?|^\$\w+/|^~/", "", wanted).lstrip("/") if not wanted.startswith(".") else wanted
    for folder in folders_around(path):
        candidate = posixpath.normpath(posixpath.join(folder, wanted))
        if candidate in stores:
            return candidate
    name = posixpath.basename(wanted)
    for copy in sources.get(name, ()):
        source = posixpath.basename(copy.source)
        found = by_name.get(source, [])
        if len(found) == 1:
            return found[0]
    found = by_name.get(name, [])
    return (
        found[0]
        if (len(found) == 1 and name not in ("ca.pem", "ca.crt", "root.crt", "cert.pem", "server.crt"))
        or (len(found) == 1 and len(stores) < 3)
        else None
    )


def _store_findings(
    stores: Iterable[Store], referred: Mapping[str, list[Finding]], findings: list[Finding], today: date, wanted: frozenset[str]
) -> list[Finding]:
    taken = {(f.path, f.line) for f in findings}
    found = []
    by_path: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_path[finding.path].append(finding)
    for store in stores:
        readers = referred.get(store.path, [])
        if store.vendored and not store.known:
            continue
        if not _stores.is_ours(store) and not readers and not _beside(store, by_path.get(store.path, ())):
            continue
        line = max(store.line, 1)
        finding = Finding(
            store.path,
            line,
            1,
            "trust-store-file",
            "",
            "",
            max(store.line_end, line),
            environment=_environment.of(store.path, [store.name]),
        )
        finding.name, finding.vendored = store.name if store.line > 1 else "", store.vendored
        expired = [s for s, end in zip(store.subjects, store.ends, strict=False) if end < today.isoformat()]
        finding.rule = _store_rule(store, readers, expired)
        if wanted and store.count and not wanted <= set(store.fingerprints) and finding.rule in ("RR203", "RR211"):
            finding.rule = "RR202"
        finding.text = _store_words(store, readers, expired)
        finding.settings = {"fingerprints": " ".join(f[:16] for f in store.fingerprints[:8])} if store.fingerprints else {}
        if (finding.path, finding.line) in taken and store.line > 1:
            continue
        found.append(finding)
    return found


def _beside(store: Store, findings: Iterable[Finding]) -> bool:
    """A certificate pasted in the lines of a PostgreSQL setting."""
    if store.line <= 1 or store.form != "pem":
        return False
    return any(f.kind == "setting" and f.line - 3 <= store.line <= f.line_end + 3 for f in findings)


def _store_rule(store: Store, readers: list[Finding], expired: list[str]) -> str:
    if store.failed == _stores.LOCKED:
        return "RR216"
    if store.vendored:
        return "RR210"
    if store.count and store.leafs == store.count and not store.known:
        return "RR208"
    if store.count and store.intermediates == store.count:
        return "RR209"
    if expired:
        return "RR203"
    if not readers and store.line <= 1:
        return "RR207" if not store.known else "RR211"
    return "RR211"


def _store_words(store: Store, readers: list[Finding], expired: list[str]) -> str:
    if store.failed and not store.count:
        return f"trust store that could not be read: {store.failed}"
    names = ", ".join(dict.fromkeys(store.subjects[:4])) + (" …" if store.count > 4 else "")
    parts = [f"{store.count} certificate{'s' * (store.count != 1)} ({store.form}): {names}"]
    if expired:
        parts.append(f"expired: {', '.join(expired[:3])}")
    if store.leafs and store.leafs == store.count:
        parts.append("no root among them")
    if store.intermediates:
        parts.append(f"{store.intermediates} intermediate{'s' * (store.intermediates != 1)}")
    if readers:
        parts.append(
            f"read by {readers[0].path}:{readers[0].line}" + (f" and {len(readers) - 1} more" if len(readers) > 1 else "")
        )
    elif store.line <= 1 and not store.vendored:
        parts.append("nothing seen refers to it")
    return "; ".join(parts)


def _once(findings: list[Finding]) -> list[Finding]:
    """Two readings of the same place are one finding: the one that says more stays."""
    best: dict[tuple[str, int, str], Finding] = {}
    for finding in findings:
        key = (finding.path, finding.line, finding.kind if finding.kind != "setting" else f"setting {finding.column}")
        other = best.get(key)
        if other is None or _weight(finding) > _weight(other):
            best[key] = finding
    return list(best.values())


def _weight(finding: Finding) -> int:
    return (
        4 * bool(finding.mode)
        + 2 * bool(finding.roots)
        + bool(finding.driver)
        + (3 if finding.rule in ("RR204", "RR105", "RR112", "RR115") else 0)
    )
