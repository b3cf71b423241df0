"""
Steps that put roots in place or call a PostgreSQL program: downloads, copies, imports, ``update-ca-certificates``, ``psql``.

Read from command lines, wherever they stand, and from addresses in any text. Nothing is run and nothing fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import _dsn, _environment, _names
from ._commands import MESSAGE, assignments
from ._drivers import CODE, PROGRAM
from ._finding import Copied, Finding, Harvest, Spot
from ._interpolation import look
from ._reader import Page

FROZEN = re.compile(
    r"https?://(?:s3[\w.\-]*\.amazonaws\.com(?:\.cn)?/rds-downloads|rds-downloads\.s3[\w.\-]*\.amazonaws\.com(?:\.cn)?)/[\w./\-${}]*",
    re.IGNORECASE,
)
CURRENT = re.compile(
    r"(?:https?://)?(?:truststore\.pki\.(?:us-gov-[\w-]+\.)?rds\.amazonaws\.com(?:\.cn)?|rds-truststore\.s3\.cn-[\w-]+\.amazonaws\.com\.cn)"
    r"(?:/[\w./\-${}]*)?",
    re.IGNORECASE,
)
CLOUD = re.compile(
    r"https?://[\w.\-]{0,100}(?:digicert\.com|microsoft\.com|globalsign\.(?:com|net)|pki\.goog)/[\w./\-%]{0,200}?(?:DigiCertGlobalRoot\w{0,30}|BaltimoreCyberTrust\w{0,30}|Microsoft[\w%]{0,40}RSA[\w%]{0,60}|roots)"
    r"[\w.]{0,60}(?:pem|crt|cer|der|crt\.pem)",
    re.IGNORECASE,
)
_TARGET = re.compile(r"(?:\s-o\s*|\s-O\s*|--output(?:-document)?[= ]|\s>\s*|\bdest[=:]\s*|-OutFile\s+)[\"']?([^\s\"';&|]+)")
_COPY = re.compile(r"^\s*(?:RUN\s+.*?\b)?(COPY|ADD|cp|mv|install|ln)\b((?:\s+-[\w=:.,/-]+)*)\s+(\S.*)$", re.IGNORECASE)
_CERTIFICATE = re.compile(r"[\w./\-${}*~]{1,300}\.(?:pem|crt|cer|jks|p12|pfx|ca-bundle|der)\b", re.IGNORECASE)
_OURS = re.compile(
    r"rds|aurora|postgres|pgsql|(?<![a-z])pg(?![a-z])|(?<![a-z])db(?![a-z])|database|global-bundle|\.postgresql/|cloudsql|cloud-sql",
    re.IGNORECASE,
)
_HOME = re.compile(r"[^\s\"':,]{0,200}\.postgresql/root\.cr[tl]\b")
_KEYTOOL = re.compile(r"\bkeytool\b.*?-(?:import|importcert|trustcacerts)\b", re.IGNORECASE)
_SYSTEM = re.compile(r"\b(update-ca-certificates|update-ca-trust|trust\s+anchor)\b")
_PROGRAM = re.compile(
    r"(?:^|[\s;&|(\"'`/$])(psql|pg_dump|pg_dumpall|pg_restore|pg_basebackup|vacuumdb|pgbench|createdb|reindexdb|pg_receivewal|pgloader)(?=\s)(?!\s*[:=])"
)
_PACKAGE = re.compile(r"\b(apt(-get)?|apk|yum|dnf|brew|pip|microdnf|install|which|command|type|alias)\b")
_VOLUME = re.compile(r"([./~][^:\s]*|[A-Za-z]:[^:\s]+):(/[^:\s]+)(?::[a-z,]+)?")
_KEY = re.compile(r"server|client|key")
_MODIFY = re.compile(r"--(ca-certificate-identifier|certificate-identifier)[\s=]+[\"']?([^\s\"'\\]+)")


def take_apart(page: Page) -> None:
    """What command lines set, and the connection strings in them, become entries like all others."""
    if page.language in CODE:
        page.commands += [(e.start, e.value) for e in page.entries if not e.name and e.exact and PROGRAM.match(e.value)]
    covered = [(e.start, e.end) for e in page.entries if "\n" not in e.value]
    block = 0
    for at, command in page.commands:
        program = _PROGRAM.search(command)
        if program:
            block = page.block(program[1], kind="environment")
        elif not block or page.blocks[block].label:
            block = page.block("", kind="environment")
        if page.language not in ("shell", "dockerfile"):
            before = len(page.entries)
            _shifted(page, command, at, block)
            covered += [(e.start, e.end) for e in page.entries[before:]]
        if MESSAGE.match(command):
            continue
        for start, text in _candidates(command):
            for dsn in _dsn.find(text):
                a, b = at + start + dsn.start, at + start + dsn.end
                if any(x < b and a < y for x, y in covered[-400:]):
                    continue
                seen = look(text[dsn.start : dsn.end])
                page.entries.append(_entry(text[dsn.start : dsn.end], a, b, block, seen.plain, seen.refers))
                covered.append((a, b))


def _entry(value: str, a: int, b: int, block: int, plain: bool, refers: tuple[str, ...]):  # type: ignore[no-untyped-def]
    from ._reader import Entry

    return Entry("", value, a, b, a, block, plain, refers)


def _shifted(page: Page, command: str, at: int, block: int) -> None:
    """Assignments in a command of a text within the file: their offsets are the whole file's already."""
    before = len(page.entries)
    assignments(page, command, 0, block)
    for entry in page.entries[before:]:
        shift = at - page.text.at(0)
        entry.start += shift
        entry.end += shift
        entry.key_start += shift


def _candidates(command: str) -> Iterator[tuple[int, str]]:
    found = False
    for match in re.finditer(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'", command):
        group = 1 if match[1] is not None else 2
        if "=" in match[group] or "://" in match[group]:
            found = True
            yield match.start(group), match[group]
    if not found and "://" in command:
        yield 0, command
    elif "://" in command:
        for match in re.finditer(r"(?<![\"'=])\bpostgres(?:ql)?://[^\s\"']+", command):
            yield match.start(), match[0]


def steps(page: Page, path: str, harvest: Harvest) -> None:
    """Add what the steps of a file say to *harvest*."""
    body = page.text.text[:2_000_000]
    ours = _names.speaks(body)[0] or "rds" in path.lower()
    theirs = _names.leaning(path) < 0 or (
        re.search(r"mysql|maria|docdb|documentdb", body, re.IGNORECASE) is not None and not ours
    )
    _addresses(page, path, harvest, body, theirs, ours)
    _mounts(page, path, harvest)
    _volumes(page, path, harvest)
    for at, command in page.commands:
        _command(page, path, harvest, at, command, ours, theirs)
    for match in _HOME.finditer(body) if ".postgresql/root.c" in body else ():
        if not _in_prose(page, match.start()) and not any(
            page.text.place(page.text.at(match.start()))[0] == f.line for f in harvest.findings
        ):
            if re.search(
                r"exist|default|looks?|falls? back", _line(page, match.start()), re.IGNORECASE
            ) and page.language not in ("dockerfile",):
                continue
            _add(page, path, harvest, match.start(), match.end(), "trust-store-reference", "RR105", match[0], "libpq")


def _volumes(page: Page, path: str, harvest: Harvest) -> None:
    """``./roots/db.pem:/roots/db.pem:ro``: a trust store that is mounted into a container of a compose file."""
    for entry in page.entries:
        if entry.name or page.blocks[entry.block].label != "volumes" or (volume := _VOLUME.fullmatch(entry.value)) is None:
            continue
        source, target = volume[1], volume[2]
        line, _ = page.text.place(entry.start)
        harvest.copies.append(Copied(source, target, path, line))
        if _HOME.search(target):
            finding = _add(
                page, path, harvest, entry.start, entry.end, "trust-store-reference", "RR105", target, "libpq", inside=True
            )
        elif (
            _CERTIFICATE.search(target)
            and _OURS.search(f"{source} {target}")
            and _names.leaning(source) >= 0
            and not _KEY.search(source)
        ):
            finding = _add(page, path, harvest, entry.start, entry.end, "trust-store-reference", "RR215", source, inside=True)
        else:
            continue
        finding.spots = {}


def _mounts(page: Page, path: str, harvest: Harvest) -> None:
    """A trust store mounted by ``subPath``: Kubernetes never updates it in a running pod."""
    by_block = {e.block: e for e in page.entries if e.name == "mountPath"}
    for entry in page.entries:
        mount = by_block.get(entry.block)
        if entry.name != "subPath" or mount is None or not _CERTIFICATE.search(mount.value) or _names.leaning(mount.value) < 0:
            continue
        if _OURS.search(f"{entry.value} {mount.value}"):
            finding = _add(
                page, path, harvest, entry.key_start, entry.end, "trust-store-reference", "RR206", mount.value, inside=True
            )
            finding.spots = {}
            harvest.copies.append(Copied(entry.value, mount.value, path, finding.line))


def _addresses(page: Page, path: str, harvest: Harvest, body: str, theirs: bool, ours: bool) -> None:
    seen: set[int] = set()
    lowered = body.lower()
    for pattern, rule, word in (
        (FROZEN, "RR204", "rds-downloads"),
        (CURRENT, "RR205", "truststore"),
        (CLOUD, "RR205", "root"),
    ):
        if word not in lowered or (pattern is CLOUD and "http" not in lowered):
            continue
        for match in pattern.finditer(body):
            line, _ = page.text.place(page.text.at(match.start()))
            if (
                theirs
                or line in seen
                or _in_prose(page, match.start())
                or (pattern is CLOUD and not ours and not _OURS.search(path))
            ):
                continue
            if (
                pattern is CURRENT
                and re.search(r"NO_PROXY|allow|egress|whitelist|firewall", _line(page, match.start()), re.IGNORECASE)
                and match[0].endswith(".com")
            ):
                continue
            seen.add(line)
            finding = _add(page, path, harvest, match.start(), match.end(), "trust-store-reference", rule, match[0])
            target = _TARGET.search(_line(page, match.start()) + " ")
            if target is None:
                command = next((c for a, c in page.commands if a <= page.text.at(match.start()) < a + len(c)), "")
                target = _TARGET.search(command)
                added = re.match(r"\s*ADD\s+\S+\s+(\S+)", command)
                target = target or added
            if target is not None:
                harvest.copies.append(Copied(match[0], target[1], path, finding.line))


def _command(page: Page, path: str, harvest: Harvest, at: int, command: str, ours: bool, theirs: bool) -> None:
    if MESSAGE.match(command):
        return
    if (keytool := _KEYTOOL.search(command)) and not theirs:
        source = re.search(r"-file\s+[\"']?(\S+?)[\"']?(?=\s|$)", command)
        store = re.search(r"-keystore\s+[\"']?(\S+?)[\"']?(?=\s|$)", command)
        if _OURS.search(" ".join(re.findall(r"-(?:file|alias|keystore)\s+\S+", command))) or (
            ours and "kafka" not in command.lower()
        ):
            name = source[1] if source else store[1] if store else None
            many = name is not None and re.search(r"bundle|combined|global", name, re.IGNORECASE)
            _add(
                page,
                path,
                harvest,
                at + keytool.start(),
                at + keytool.end(),
                "trust-store-reference",
                "RR212" if many else "RR215",
                name,
                "pgjdbc",
                inside=True,
            )
            if source and store:
                harvest.copies.append(Copied(source[1], store[1], path, harvest.findings[-1].line))
    if (
        (system := _SYSTEM.search(command))
        and re.search(r"rds|postgres|aurora|(?<![a-z])db[-_]?(root|ca)|pg[-_]?(root|ca)", page.text.text, re.IGNORECASE)
        and not _PACKAGE.match(command)
    ) and not re.search(r"\b(apt|apk|yum|install)\b[^;&|]*" + system[1], command):
        _add(page, path, harvest, at + system.start(), at + system.end(), "trust-store-reference", "RR213", None, inside=True)
    copy = _COPY.match(command)
    if copy:
        _copied(page, path, harvest, at, command, copy, ours)
    for modify in _MODIFY.finditer(command):
        if "modify" in command or "create" in command or "restore" in command:
            _literal(page, path, harvest, at, modify)
    program = _PROGRAM.search(command)
    if (
        program
        and not _PACKAGE.search(command[: program.start() + 1])
        and not any(f.line == page.text.place(at)[0] for f in harvest.findings)
    ):
        if re.search(r"\s-h\s*/|host=/|\bgosu\s+postgres|\bsu\s+(-\s+)?postgres|--version|localhost\b|127\.0\.0\.1", command):
            return
        if any(page.text.place(at)[0] <= f.line <= page.text.place(at + len(command))[0] for f in harvest.findings):
            return
        _add(
            page,
            path,
            harvest,
            at + program.start(1),
            at + program.end(1),
            "setting",
            "RR301",
            None,
            "libpq" if program[1] != "psql" else "psql",
            inside=True,
        )


def _copied(page: Page, path: str, harvest: Harvest, at: int, command: str, copy: re.Match[str], ours: bool) -> None:
    words = [w.strip("\"',[]") for w in copy[3].split("&&")[0].split(";")[0].split()]
    words = [w for w in words if w and not w.startswith("-")]
    if len(words) < 2:
        return
    target = words[-1]
    line, _ = page.text.place(at)
    for source in words[:-1]:
        if "://" in source:
            continue
        full = target + source.rpartition("/")[2] if target.endswith("/") else target
        harvest.copies.append(Copied(source, full, path, line))
        if _HOME.search(full):
            _add(page, path, harvest, at, at + len(command), "trust-store-reference", "RR105", full, "libpq", inside=True)
            return
        if (
            _CERTIFICATE.search(source)
            and _OURS.search(source.rpartition("/")[2] + " " + full)
            and _names.leaning(source) >= 0
            and not re.search(r"server|client|key", source)
        ):
            _add(page, path, harvest, at, at + len(command), "trust-store-reference", "RR215", full, inside=True)
            return


def _literal(page: Page, path: str, harvest: Harvest, at: int, modify: re.Match[str]) -> None:
    value = modify[2]
    finding = _add(page, path, harvest, at + modify.start(2), at + modify.end(2), "infrastructure", "RR501", value, inside=True)
    finding.name, finding.mode, finding.roots = modify[1], None, value
    seen = look(value)
    if not seen.plain:
        finding.decidable, finding.refers, finding.rule = False, seen.refers, "RR502"
    if modify[1] == "certificate-identifier":
        finding.rule = "RR506"


def _add(
    page: Page,
    path: str,
    harvest: Harvest,
    start: int,
    end: int,
    kind: str,
    rule: str,
    roots: str | None,
    driver: str | None = None,
    *,
    inside: bool = False,
) -> Finding:
    """*inside* says that the offsets are the whole file's already."""
    a, b = (start, end) if inside else (page.text.at(start), page.text.at(end))
    line, column = page.text.place(a)
    last, _ = page.text.place(max(a, b - 1))
    seen = look(roots or "")
    finding = Finding(
        path, line, column, kind, rule, "", max(line, last) if not inside else line, environment=_environment.of(path, ())
    )
    finding.roots, finding.driver = roots, driver
    if not seen.plain and rule in ("RR215", "RR212"):
        finding.refers = seen.refers
    finding.spots["roots"] = Spot(a, b, line)
    harvest.findings.append(finding)
    return finding


def _line(page: Page, offset: int) -> str:
    return page.text.line_at(page.text.place(page.text.at(offset))[0])


def _in_prose(page: Page, offset: int) -> bool:
    if any(a <= offset < b for a, b in page.prose[:20_000]):
        return True
    line = _line(page, offset).lstrip()
    return line.startswith(("#", "//", "*", "/*", "<!--", "--", ";")) and not line.startswith("#!")
