"""Switches and trust stores for a whole process: Node's variables, Java's system properties, OpenSSL's ``SSL_CERT_FILE``."""

from __future__ import annotations

import re

from . import _environment, _names
from ._finding import Finding, Harvest, Spot
from ._reader import Page

_STORES = {"NODE_EXTRA_CA_CERTS": "node-postgres", "SSL_CERT_FILE": None, "SSL_CERT_DIR": None}
_JAVA = re.compile(r"javax\.net\.ssl\.trustStore(?:[\"']?\s*[=,:]\s*[\"']?)([^\s\"',;)]+)")
_ACCEPTS = re.compile(
    r"\b(?:Use)?((?:User|Remote)CertificateValidationCallback)\s*(?:\(|\+?=)\s*(?:delegate\s*)?(?:\([^()]{0,120}\)|\w{1,30})\s*(?:=>\s*true\b|\{\s*return\s+true)"
)
_OURS = re.compile(
    r"rds|aurora|postgres|pgsql|(?<![a-z])pg(?![a-z])|(?<![a-z])db(?![a-z])|database|jdbc|hikari|datasource|global-bundle",
    re.IGNORECASE,
)


def process_wide(page: Page, path: str, harvest: Harvest) -> None:
    taken = {f.line for f in harvest.findings}
    for entry in page.entries:
        name = entry.name.rpartition(".")[2]
        if name == "NODE_TLS_REJECT_UNAUTHORIZED" and entry.value.strip().strip("'\"") in ("0", "false"):
            finding = _add(page, path, harvest, entry.key_start, entry.start, entry.end, "setting", "RR112", "node-postgres")
            finding.mode, finding.name = f"{name}={entry.value.strip()}", name
        elif name in _STORES and entry.value and (name == "NODE_EXTRA_CA_CERTS" or _OURS.search(entry.value)):
            finding = _add(
                page, path, harvest, entry.key_start, entry.start, entry.end, "trust-store-reference", "RR115", _STORES[name]
            )
            finding.roots, finding.decidable, finding.refers, finding.name = entry.value.strip(), entry.plain, entry.refers, name
    if "javax.net.ssl.trustStore" not in page.text.text:
        return
    for match in _JAVA.finditer(page.text.text):
        at = page.text.at(match.start())
        line, _ = page.text.place(at)
        if (
            line in taken
            or any(a <= match.start() < b for a, b in page.prose)
            or page.text.line_at(line).lstrip().startswith(("#", "//", "*"))
        ):
            continue
        if _names.leaning(path) < 0 or not (_OURS.search(match[1]) or _OURS.search(page.text.text)):
            continue
        finding = _add(
            page,
            path,
            harvest,
            at,
            page.text.at(match.start(1)),
            page.text.at(match.end(1)),
            "trust-store-reference",
            "RR115",
            "pgjdbc",
        )
        finding.roots, finding.name = match[1], "javax.net.ssl.trustStore"
        finding.decidable = "$" not in match[1]


def accepting(page: Page, path: str, harvest: Harvest) -> None:
    """Npgsql's callback that says yes to every certificate."""
    if page.language != "csharp" or "CertificateValidationCallback" not in page.text.text or "Npgsql" not in page.text.text:
        return
    for match in _ACCEPTS.finditer(page.text.text):
        line = page.text.line_at(page.text.place(page.text.at(match.start()))[0]).lstrip()
        if not line.startswith(("//", "*", "/*")):
            at, end = page.text.at(match.start()), page.text.at(match.end())
            finding = _add(page, path, harvest, at, at, end, "setting", "RR111", "npgsql")
            finding.mode, finding.name, finding.spots = f"{match[1]}=true", match[1], {}


def _add(
    page: Page, path: str, harvest: Harvest, at: int, start: int, end: int, kind: str, rule: str, driver: str | None
) -> Finding:
    line, column = page.text.place(at)
    finding = Finding(path, line, column, kind, rule, "", line, driver=driver, environment=_environment.of(path, ()))
    finding.spots["roots"] = Spot(start, end, line)
    harvest.findings.append(finding)
    return finding
