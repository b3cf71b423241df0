"""Which entries of a page settle one connection together: a mapping with the mappings about TLS in it, or variables with one stem."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from . import _dsn, _names
from ._reader import Entry, Page

_INSIDE = re.compile(
    r"^(ssl|tls|options|dialectoptions|connectargs|extra|connectionparameters|properties|datasourceproperties|additionaljdbcproperties|trustcertificatepem|hikari|sslconfiguration|ssloptions|sslconfig"
    r"|engineoptions|driveroptions|poolconfig|config|xadatasourceproperties|connectionproperties|jdbc|connection|connectionoptions|pg|database_options|init_args|"
    r"sslrootcert|tlsoptions|enginekwargs|kwargs|handlers|postgressl|postgre_ssl|jsondata|authentication|sslsettings|params|parameters|query)$"
)
_HEAD = re.compile(
    r"\.(hikari|data-?source-?properties|properties|options|ssl|xa|tomcat|dbcp2|connection-?properties|connectionProperties|additional-jdbc-properties|postgresql|trust-certificate-pem)(?=\.|$)",
    re.IGNORECASE,
)
_TRUST = re.compile(r"(?:TrustOptions|SSLOptions|SslOptions|addCertPath)$")
"""Calls that only make what a connection is given to trust."""


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


def dsns_in(entry: Entry) -> list[_dsn.Dsn]:
    value = entry.value
    if len(value) < 8 or (":" not in value and "=" not in value):
        return []
    if len(value) > 2000 and "\n" in value:
        return []
    return list(_dsn.find(value))


def key_of(page: Page, entry: Entry, is_dsn: bool) -> tuple[int, str]:
    block = entry.block
    blocks = page.blocks
    steps = 0
    while block > 0 and steps < 6 and opens_into(page, block):
        block, steps = blocks[block].parent, steps + 1
    block = max(block, 0)
    head, dot, last = entry.name.rpartition(".")
    prefix = _HEAD.sub("", head.lower()) if dot else ""
    if blocks[block].kind in ("environment", "file") or ("_" in entry.name and entry.name.isupper()):
        return block, prefix + "|" + ("" if dot and (is_dsn or not _names.role(last)) else _names.stem(entry.name).rpartition(".")[2])
    return block, prefix


def opens_into(page: Page, block: int) -> bool:
    """Does a block only hold options of the connection around it?"""
    here = page.blocks[block]
    if here.kind == "call" and _TRUST.search(here.label):
        return True
    if not here.label and here.kind == "object":
        return here.parent > 0 and page.blocks[here.parent].kind == "call"
    return bool(_INSIDE.match(_names.squeezed(here.label.rpartition(" ")[2])))


def merged(groups: dict[tuple[int, str], Group]) -> dict[tuple[int, str], Group]:
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
