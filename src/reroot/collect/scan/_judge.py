"""
Finding → rule, policy and words. What a setting makes its driver check is asked of the driver's own table; where there is no
table, or the driver is not known, the words of the setting decide what can be said at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from ... import drivers
from ...errors import RerootError, SettingsError
from ...model import Ask, File, Files, FileState, OnDistrust, Reason, RootsFrom, TrustPolicy
from ...rules import RULES
from . import _doubt, _names
from ._finding import Finding
from ._given import LIBPQ, given_of


def judge(finding: Finding, files: Files, when: datetime) -> TrustPolicy | None:
    """Fill in rule, level, policy and text of a *setting*; the driver's policy, where it is known."""
    told = finding.kind == "setting" and finding.decidable and finding.rule in ("", "RR301")
    answer = _answer(finding, files) if told else Answer()
    if answer.in_code and finding.driver is not None and finding.mode:
        finding.decidable = False  # of a default, nothing is hidden in the code
    finding.policy, finding.verdict = _shown(answer), _verdict(answer)
    policies = answer.working or answer.policies
    policy = policies[-1] if answer.is_whole and len({_essence(p) for p in policies}) == 1 else None
    if not finding.rule:
        agreed = {_rule_of_policy(finding, p) for p in policies} if answer.is_whole and policies else set()
        finding.rule = agreed.pop() if policy is None and len(agreed) == 1 and finding.driver and finding.decidable and finding.kind == "setting" else _rule(finding, policy)
    if finding.rule == "RR111" and finding.policy is None and finding.driver is not None:
        finding.policy = {"ask": None, "check": "nothing", "on_distrust": None, "roots": None, "as": finding.driver, "sure": False}
    if finding.holds_next is False and finding.rule in ("RR101", "RR103", "RR104"):
        finding.verdict = "loses-tls" if finding.rule == "RR104" else "breaks"
    rule = RULES[finding.rule]
    seen = _doubt.fates(answer.policies, answer.labels)
    finding.unbelieved = _doubt.unbelieved(finding.rule, seen, answer.is_whole)
    finding.level = _level(finding, rule.level)
    if not finding.text:
        decider = "version" if finding.driver else "driver"
        finding.text = _words(finding, policy, _doubt.words(finding.rule, rule.outcome, seen, answer.is_whole, decider))
    return policy


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tables of the drivers say: one policy for each driver and version it may be, the likeliest first."""

    policies: tuple[TrustPolicy, ...] = ()
    labels: tuple[str, ...] = ()
    is_whole: bool = True
    """False when a driver that it may be could not be asked."""
    in_code: bool = False
    """Only the program's own code decides."""

    @property
    def working(self) -> tuple[TrustPolicy, ...]:
        """Those of clients that connect at all: one that refuses its own settings is not deployed."""
        return tuple(p for p in self.policies if p.refused is None)


def _shown(answer: Answer) -> dict[str, object] | None:
    """The policy for a report. Where versions or drivers differ it is that of the likeliest, and ``sure`` is false."""
    if not answer.working:
        return None
    likeliest = answer.working[0]
    return {
        "ask": likeliest.ask.value,
        "check": likeliest.check.value,
        "on_distrust": likeliest.on_distrust.value,
        "roots": {"from": likeliest.roots.origin.value, "path": likeliest.roots.path or None},
        "as": answer.labels[answer.policies.index(likeliest)],
        "sure": answer.is_whole and len({_essence(p)[:3] for p in answer.working}) == 1,
    }


def _verdict(answer: Answer) -> str | None:
    """What no rotation changes: a client that asks for no TLS, and one that checks nothing, whatever version it is."""
    if not answer.working or not answer.is_whole or any(p.chain for p in answer.working):
        return None
    never = {p.ask is Ask.NEVER for p in answer.working}
    return "plaintext" if never == {True} else "not-verifying" if never == {False} else None


DROPS = frozenset({"doctrine"})
"""Who is given a root beside the mode and hands it on to nobody: what it verifies with is the default file."""


def assumed(finding: Finding) -> Files:
    """The client's machine, as far as a text tells: the roots that are named exist, and nothing else does."""

    def look(path: str) -> File:
        named = (finding.roots or "").strip("'\"")
        if path in finding.settings.values():
            named = path
        if path.endswith("root.crt") and "verify" in (finding.mode or "").lower() and (not named or finding.driver in DROPS):
            return File(path, FileState.FOUND, _any_root())  # else such a client would not connect today
        there = bool(named) and (path == named or path.endswith("/" + named.lstrip("./~")))
        return File(path, FileState.FOUND if there else FileState.MISSING, _any_root() if there else None)

    return look


def fingerprint(finding: Finding) -> str:
    """What stays the same when lines move: rule, file, name, mode and roots."""
    parts = (
        finding.rule,
        finding.kind,
        finding.path,
        finding.name,
        finding.mode or "",
        finding.roots or "",
        finding.driver or "",
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:20]


_ANSWERS: dict[tuple[object, ...], Answer] = {}


def _answer(finding: Finding, files: Files) -> Answer:
    """What is known of the client; the same settings are asked about once."""
    key = (
        finding.driver,
        finding.candidates,
        finding.wrapper,
        finding.version,
        finding.form,
        finding.in_dsn,
        tuple(finding.settings.items()),
        finding.mode,
        finding.roots,
    )
    if key not in _ANSWERS:
        _ANSWERS[key] = _anyone(finding, files) if finding.driver is None else _asked(finding, files)
    return _ANSWERS[key]


ANYONE = ("libpq", "asyncpg", "node-postgres", "postgres-js", "pgx", "lib-pq", "sqlx", "prisma")
"""Who may read a connection URL, or an option called ``sslmode``, of whom nothing is known: the likeliest first."""
OPTIONS = frozenset({"sslmode", "ssl_mode", "sslMode", "sslrootcert", "sslRootCert"})


def _anyone(finding: Finding, files: Files) -> Answer:
    names = finding.candidates
    if not names and (
        finding.form in ("postgres", "postgresql", "hung") or (not finding.form and finding.mode and set(finding.settings) <= OPTIONS)
    ):
        names = ANYONE if "no-verify" not in (finding.mode or "") else ("node-postgres", *ANYONE)
    elif not names and finding.form == "keywords":
        names = ("libpq", "pgx", "lib-pq")
    answers = [_asked(replace(finding, driver=name), files) for name in names]
    return Answer(
        tuple(p for answer in answers for p in answer.policies),
        tuple(label for answer in answers for label in answer.labels),
        all(answer.policies and answer.is_whole for answer in answers),
        bool(answers) and all(answer.in_code for answer in answers),
    )


def _essence(policy: TrustPolicy) -> tuple[object, ...]:
    return policy.ask, policy.check, policy.on_distrust, policy.roots.origin


def _asked(finding: Finding, files: Files) -> Answer:
    """What the driver's own table says of every version it may be; empty where that cannot be told."""
    name = finding.wrapper if finding.wrapper in WRAPPERS and finding.wrapper in drivers.names() else finding.driver
    driver = drivers.find(name or "")
    given = None if driver is None else given_of(finding, driver.name, files)
    if driver is None or given is None:
        return Answer(is_whole=False)
    policies: list[TrustPolicy] = []
    labels: list[str] = []
    for candidate in driver.possible(given):
        try:
            policy = driver.policy(candidate, driver.read(candidate))
        except SettingsError as error:
            policy = TrustPolicy(Ask.NEVER, refused=Reason("settings-error", error.message, driver.source))
        except (RerootError, ValueError, KeyError, TypeError, AttributeError):
            return Answer(is_whole=False)
        if policy.undecidable is not None:
            return Answer(is_whole=False, in_code=True)
        policies.append(policy)
        labels.append(f"{driver.name} {candidate.version}" if candidate.version else driver.name)
    return Answer(tuple(policies), tuple(labels))


@lru_cache
def _any_root() -> bytes:
    """A file with a root in it, for drivers that look into the one that is named: the first that we carry with us."""
    with (Path(__file__).parents[2] / "authorities" / "data" / "aws-rds.pem").open("rb") as pem:
        return pem.read(1 << 14).partition(_END)[0] + _END + b"\n"


_END = b"-----END CERTIFICATE-----"


def _rule(finding: Finding, policy: TrustPolicy | None) -> str:
    if not finding.decidable:
        return "RR130"
    if finding.kind == "trust-store-reference":
        return "RR106" if finding.roots == "system" else "RR214"
    if policy is not None:
        return _rule_of_policy(finding, policy)
    mode, roots = (finding.mode or "").lower(), finding.roots
    name, _, value = mode.partition("=")
    if "nonvalidating" in mode or "trustall" in mode or _names.role(name) == "off":
        return _off(name, value)
    if "singlecert" in mode:
        return "RR116"
    mode = value if _names.role(name) in ("switch", "mode") and value else mode
    return _rule_of_words(mode.replace("_", "-"), roots, finding.driver)


def _off(name: str, value: str) -> str:
    """A switch that turns verification off, or on, depending on which way it speaks."""
    if _names.squeezed(name) == "checkhostname":
        return "RR102"  # the chain is checked either way
    speaks_of_rejecting = any(w in _names.squeezed(name) for w in ("reject", "verify", "validate", "verification"))
    off = value.strip("'\"") in (_names.NO if speaks_of_rejecting else _names.YES | {"accept_invalid_certs"})
    if "skip" in name or "noverify" in name or "insecure" in name:
        off = value.strip("'\"") in _names.YES
    if not off:
        return "RR102"
    return "RR111"


def _rule_of_words(mode: str, roots: str | None, driver: str | None) -> str:
    if mode in ("verify-full", "verify-ca", "verifyfull", "verifyca"):
        return "RR106" if roots == "system" else "RR101" if roots else "RR102"
    if mode in ("no-verify", "noverify", ":verify-none", "verify-none"):
        return "RR111"
    if mode == "disable" or mode in _names.NO - {""}:
        return "RR113"
    if mode == "require" or mode in _names.YES:
        if driver == "node-postgres":
            return "RR101" if roots else "RR102"
        if driver == "pgjdbc" and mode in _names.YES:
            return "RR101" if roots else "RR102"
        return "RR103" if roots and driver not in ("sqlx", "npgsql", "pgjdbc", "r2dbc") else "RR110"
    if mode in ("prefer", "allow", ""):
        if roots:
            return "RR104" if driver is None or driver in LIBPQ else "RR101" if driver == "node-postgres" else "RR114"
        return "RR114" if mode else "RR120"
    return "RR107"


def _rule_of_policy(finding: Finding, policy: TrustPolicy) -> str:
    if policy.refused is not None:
        return "RR107"
    if policy.ask is Ask.NEVER:
        return "RR113" if finding.mode else "RR120"
    if not policy.chain:
        if not finding.mode and not finding.roots:
            return "RR120"
        mode = (finding.mode or "").lower()
        mode += finding.settings.get("sslfactory", "").lower()
        if "nonvalid" in mode or "no-verify" in mode or "reject" in mode or "trust" in mode:
            return "RR111"
        return "RR114" if policy.ask in (Ask.IF_OFFERED, Ask.IF_NEEDED) and policy.on_no_tls is OnDistrust.PLAINTEXT else "RR110"
    if policy.on_distrust is OnDistrust.PLAINTEXT:
        return "RR104"
    if finding.roots == "system":
        return "RR106"
    if not finding.mode and not finding.roots:
        return "RR120"
    if policy.roots.origin in (RootsFrom.SETTING, RootsFrom.ENVIRONMENT):
        return "RR103" if (finding.mode or "").lower() == "require" else "RR101"
    return "RR102"


_HOLDS = {
    "breaks": "RR101 RR102 RR103 RR106 RR107 RR115 RR116 RR202 RR204 RR208 RR209 RR212 RR214 RR501",
    "loses-tls": "RR104 RR105",
    "unknown": "RR130 RR201 RR216 RR502",
    "not-verifying": "RR110 RR111 RR112",
    "plaintext": "RR113",
}
_HELD_BY = {rule: word for word, rules in _HOLDS.items() for rule in rules.split()}


def holds(finding: Finding) -> str:
    """What a finding means for a rotation, in the words of ``--fail-on``; empty when it stands in nobody's way."""
    return "unknown" if finding.unbelieved else _HELD_BY.get(finding.rule, "")


def _level(finding: Finding, level: str) -> str:
    """Tests, examples and CI cannot hurt a user: what is an error in production is a note there."""
    if finding.environment in ("test", "example", "ci") and level != "note":
        return "note"
    if finding.environment == "dev" and level == "error":
        return "warning"
    return level


WRAPPERS = frozenset({"sqlalchemy", "sequelize", "typeorm", "knex", "gorm"})
"""What reads settings in its own way before its driver does."""
_DEFAULTS: dict[str, str] = {
    "libpq": "`prefer`: TLS if offered, unchecked; with `~/.postgresql/root.crt` present it is checked, and plaintext follows distrust",
    "pgjdbc": "`prefer`: TLS if offered, unchecked (no TLS before 42.2.5)",
    "asyncpg": "`prefer`: TLS if offered, unchecked",
    "pg8000": "TLS if offered, unchecked (no TLS before 1.31)",
    "node-postgres": "no TLS",
    "postgres-js": "no TLS",
    "r2dbc": "no TLS",
    "vertx": "no TLS",
    "prisma": "`prefer`: TLS if offered, unchecked (Prisma 7: no TLS, as node-postgres)",
    "pgx": "`prefer`: TLS if offered, unchecked",
    "lib-pq": "`require`: TLS, unchecked",
    "tokio-postgres": "`prefer`, as far as its connector does TLS at all",
    "sqlx": "`prefer`: TLS if offered and compiled in, unchecked",
    "npgsql": "`Prefer`: TLS if offered, unchecked (no TLS before 6)",
    "postgrex": "no TLS",
    "pgbouncer": "`prefer`: TLS if offered, unchecked (no TLS before 1.20)",
    "psqlodbc": "`disable`: no TLS, whatever PGSSLMODE says",
    "pgpool": "no TLS",
}


def default_of(driver: str | None) -> str:
    """What a driver does when nothing is written."""
    if driver in LIBPQ - {"lib-pq", "pgx", "gorm"}:
        driver = "libpq"
    return _DEFAULTS.get(driver or "", "the driver's default decides, and the driver is not known")


def _plainly(policy: TrustPolicy) -> str:
    """What a policy comes to, in a few words."""
    if policy.ask is Ask.NEVER:
        return "no TLS"
    checked = {"nothing": "unchecked", "chain": "its chain checked", "chain-and-host": "its chain and name checked"}[
        policy.check.value
    ]
    if policy.ask is Ask.ALWAYS:
        return f"TLS, {checked}"
    also = (
        "; with `~/.postgresql/root.crt` present it is checked, and plaintext follows distrust"
        if policy.roots.path.endswith("root.crt")
        else ""
    )
    return f"TLS if offered, {checked}{also}"


def _words(finding: Finding, policy: TrustPolicy | None, outcome: str) -> str:
    who = finding.driver or "a client"
    if finding.wrapper:
        who += f" ({finding.wrapper})"
    parts = [f"{finding.name}: " if finding.name and len(finding.name) < 50 else ""]
    if finding.rule == "RR120":
        parts.append(f"no TLS option; {who}: {_plainly(policy) if policy is not None else default_of(finding.driver)}")
        return "".join(parts)
    shown = " ".join(x for x in (finding.mode, f"roots {finding.roots}" if finding.roots else "") if x)
    parts.append(f"{shown} · " if shown else "")
    parts.append(f"{who}: {outcome}" if finding.kind == "setting" else outcome)
    if finding.rule in ("RR121", "RR130"):
        parts.append(f" (decided by {', '.join(f'`{r}`' for r in finding.refers[:4])})" if finding.refers else " (code decides)")
    if finding.rule == "RR121" and any(r.startswith("arn:aws") for r in finding.refers):
        parts.append("; `reroot scan aws` reads it")
    if finding.rule == "RR107" and policy is not None and policy.refused is not None:
        parts.append(f" ({policy.refused.text})")
    if finding.holds_next is not None:
        parts.append("; that trust store holds the next root" if finding.holds_next else "; that trust store lacks the next root")
    if finding.joined:
        parts.append("; " + "; ".join(f"{path}:{line} says `{value}`" for path, line, value in finding.joined[:3]))
    return "".join(parts)


Judge = Callable[[Finding], TrustPolicy | None]
