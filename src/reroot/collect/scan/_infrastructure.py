"""Infrastructure as code: which certificate authority a database gets, and whether it insists on TLS."""

from __future__ import annotations

import re
from collections import defaultdict

from . import _environment
from ._finding import Finding, Harvest, Spot
from ._names import squeezed
from ._reader import Entry, Page

IDENTIFIER = re.compile(r"^rds-ca-(?:20\d\d|rsa\d{4}-g\d|ecc\d{3}-g\d)$")
_NAME = re.compile(
    r"^(.*)cacert(ificate)?identifier$|^cacertificate$|^cacertid(entifier)?$|^(rds|db)?ca(cert)?(ificate)?id(entifier)?$|^certificateidentifier$"
)
_CDK = re.compile(r"CaCertificate\.(?:RDS_CA_(\w+)|of\(\s*[\"']([\w-]+))")
_RESOURCE = re.compile(r"resource aws_(db_instance|rds_cluster_instance|rds_cluster)\b")
_CLUSTER = "AWS::RDS::DBCluster"
_FORMED = ("AWS::RDS::DBInstance", _CLUSTER)
"""CloudFormation's. Its cluster has no property for the CA (the schema of AWS::RDS::DBCluster), so that a Multi-AZ one, whose members are
nowhere else in the template, always gets the account's default; what names a CA there reaches no server (``RR507``)."""
_CDK_CLUSTER = re.compile(r"\bCfnDBCluster\b")
"""The CDK's class of the same schema."""
_STRANGER = re.compile(r"mysql|maria|oracle|sqlserver|docdb|neptune|db2", re.IGNORECASE)
_ENGINE = re.compile(r"Engine\.\w+$")
"""The CDK's own way to name one."""
_FORCED = frozenset({"rdsforcessl"})
_CLOUD_SQL = {
    "ALLOW_UNENCRYPTED_AND_ENCRYPTED": "RR505",
    "ENCRYPTED_ONLY": "RR504",
    "TRUSTED_CLIENT_CERTIFICATE_REQUIRED": "RR504",
}
_AZURE = frozenset({"sslenforcementenabled", "sslenforcement", "requiresecuretransport"})


def infrastructure(page: Page, path: str, harvest: Harvest) -> None:
    """Add what the entries of a file say about servers."""
    by_block: dict[int, list[Entry]] = defaultdict(list)
    for entry in page.entries:
        by_block[entry.block].append(entry)
    told: defaultdict[int, str] = defaultdict(str)
    for index, entries in by_block.items():
        told[index] = " ".join(e.value for e in entries if squeezed(e.name) in ("engine", "family", "databaseversion"))
    for call in page.blocks:
        if call.kind == "call" and _ENGINE.search(call.label):
            named = page.blocks[call.parent]
            told[named.parent if named.label == "engine" else named.index] += " " + call.label
    for entry in page.entries:
        word = squeezed(entry.name.rpartition(".")[2] if "force_ssl" not in entry.name else entry.name)
        labels = page.labels(entry.block)
        around = " ".join(labels[:6]) + " " + told[entry.block]
        if _STRANGER.search(around) or (_STRANGER.search(path) and "postgres" not in path):
            continue
        if IDENTIFIER.match(entry.value) or _NAME.match(word) or _CDK.search(entry.value):
            misplaced = bool(_CDK_CLUSTER.search(around)) or _within(page, entry.block, _CLUSTER, by_block)
            _identifier(page, path, harvest, entry, labels, word, misplaced)
        elif (word == "sslmode" and entry.value.strip() in _CLOUD_SQL) or (word in ("requiressl",) and "ip_configuration" in around) or word in _FORCED or (word in _AZURE and "postgres" in (around + path).lower()):
            _forced(page, path, harvest, entry, labels)
    for block in page.blocks:
        kind = _RESOURCE.match(block.label)
        if kind and (kind[1] != "rds_cluster" or any(_is_multi_az(e) for e in by_block.get(block.index, ()))):
            _absent(page, path, harvest, block.index, by_block)
    _cloudformation(page, path, harvest, by_block)
    _rules_of_logins(page, path, harvest)


def _rules_of_logins(page: Page, path: str, harvest: Harvest) -> None:
    """``pg_hba.conf``: one finding that says whether any login from elsewhere goes without TLS."""
    rules = [e for e in page.entries if page.blocks[e.block].label == "pg_hba" and e.name in ("host", "hostssl", "hostnossl")]
    rules = [e for e in rules if not e.value.split()[-1].startswith(("127.", "::1", "localhost", "samehost"))]
    lax = next((e for e in rules if e.name != "hostssl"), None)
    deciding = lax or next(iter(rules), None)
    if deciding is not None:
        finding = _finding(page, path, deciding, [], "RR505" if lax else "RR504")
        finding.mode, finding.spots = deciding.name, {}
        harvest.findings.append(finding)


def _within(page: Page, block: int, kind: str, by_block: dict[int, list[Entry]]) -> bool:
    """Whether *block* is, or is part of, a resource of CloudFormation's of this *kind*."""
    while block >= 0:
        told = next((e.value for e in by_block.get(block, ()) if e.name == "Type" and e.value.startswith("AWS::")), "")
        if told:
            return told == kind
        block = page.blocks[block].parent
    return False


def _identifier(page: Page, path: str, harvest: Harvest, entry: Entry, labels: list[str], word: str, misplaced: bool) -> None:
    value = entry.value.strip()
    cdk = _CDK.search(value)
    literal = bool(IDENTIFIER.match(value)) or (cdk is not None)
    if not literal and (
        (entry.plain and value not in ("", "null")) or word in ("certificateidentifier", "cacertificate") or value == "null"
    ):
        return
    if not literal and not entry.refers and value:
        return
    if (
        literal
        and not _NAME.match(word)
        and not re.search(r"default|ca|cert", entry.name + " " + " ".join(labels[:3]), re.IGNORECASE)
    ):
        return
    rule = "RR506" if any("aws_rds_certificate" in label for label in labels) else "RR501" if literal else "RR502"
    finding = _finding(page, path, entry, labels, "RR507" if misplaced else rule)
    finding.roots = cdk[0] if cdk else value or None
    if misplaced:  # another CA's name would reach no server either: there is nothing to mend
        finding.spots = {}
    finding.decidable = (literal and entry.plain) or cdk is not None
    finding.refers = () if finding.decidable else entry.refers
    harvest.findings.append(finding)


def _forced(page: Page, path: str, harvest: Harvest, entry: Entry, labels: list[str]) -> None:
    value = entry.value.strip().strip("'\"").lower()
    rule = (
        "RR504" if value in ("1", "on", "true", "enabled") else "RR505" if value in ("0", "off", "false", "disabled") else "RR502"
    )
    rule = _CLOUD_SQL.get(entry.value.strip(), rule)
    finding = _finding(page, path, entry, labels, rule)
    finding.mode = f"{entry.name}={entry.value.strip()}"
    finding.decidable = rule != "RR502"
    finding.refers = entry.refers
    harvest.findings.append(finding)


def _is_multi_az(entry: Entry) -> bool:
    """The engine of a Multi-AZ DB cluster, which has the CA for its members; Aurora's members have their own."""
    return squeezed(entry.name) == "engine" and entry.value == "postgres"


def _absent(page: Page, path: str, harvest: Harvest, block: int, by_block: dict[int, list[Entry]]) -> None:
    entries = by_block.get(block, [])
    engine = next((e.value for e in entries if e.name == "engine"), "")
    if any(_NAME.match(squeezed(e.name)) for e in entries) or "postgres" not in engine:
        return
    here = page.blocks[block]
    line, column = page.text.place(here.start)
    finding = Finding(
        path,
        line,
        column,
        "infrastructure",
        "RR503",
        "",
        line,
        level="note",
        environment=_environment.of(path, page.labels(block)),
        name=here.label[:80],
    )
    harvest.findings.append(finding)


def _cloudformation(page: Page, path: str, harvest: Harvest, by_block: dict[int, list[Entry]]) -> None:
    for block in page.blocks:
        kind = next((e for e in by_block.get(block.index, ()) if e.name == "Type" and e.value in _FORMED), None)
        if kind is None:
            continue
        inside = [e for e in page.entries if e.block != block.index and block.start <= e.start <= (block.end or 1 << 60)]
        engine = next((e.value for e in inside if e.name == "Engine"), "")
        taken = next(
            (b for b in page.blocks if block.start <= b.start <= (block.end or 1 << 60) and _NAME.match(squeezed(b.label))), None
        )
        if taken is not None and "postgres" in engine:
            line, column = page.text.place(taken.start)
            refers = tuple(e.value for e in by_block.get(taken.index, ()) if e.value)
            harvest.findings.append(
                Finding(
                    path,
                    line,
                    column,
                    "infrastructure",
                    "RR507" if kind.value == _CLUSTER else "RR502",
                    "",
                    line,
                    decidable=False,
                    refers=refers,
                    name=taken.label,
                    environment=_environment.of(path, ()),
                )
            )
        elif kind.value == _CLUSTER and not any(_is_multi_az(e) for e in inside):
            continue  # Aurora's members have it
        elif "postgres" in engine and not any(_NAME.match(squeezed(e.name)) for e in inside):
            line, column = page.text.place(kind.key_start)
            harvest.findings.append(
                Finding(
                    path,
                    line,
                    column,
                    "infrastructure",
                    "RR503",
                    "",
                    line,
                    level="note",
                    environment=_environment.of(path, page.labels(block.index)),
                    name=block.label[:80],
                )
            )


def _finding(page: Page, path: str, entry: Entry, labels: list[str], rule: str) -> Finding:
    line, column = page.text.place(entry.key_start if entry.name else entry.start)
    end, _ = page.text.place(entry.start)
    name = entry.name
    finding = Finding(
        path,
        line,
        column,
        "infrastructure",
        rule,
        "",
        max(line, end),
        environment=_environment.of(path, [name, *labels]),
        name=name,
    )
    if entry.exact:
        finding.spots["roots"] = Spot(entry.start, entry.end, end)
    return finding
