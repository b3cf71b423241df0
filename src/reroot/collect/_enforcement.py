"""
Does a server insist on TLS? From ``rds.force_ssl`` where there is such a setting, else from its ``pg_hba.conf``, rule by rule.

``pg_hba_file_rules`` shows the file as it is now; a change that was not reloaded counts there already.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import ReachError
from ..model import Accepts
from ._backend import Backend
from ._fold import LOCAL, Identity
from ._hba import Decision, Login, Rule, accepts

MEMBERS = """
select m.rolname, r.rolname from pg_auth_members a join pg_roles m on m.oid = a.member join pg_roles r on r.oid = a.roleid
"""


@dataclass(frozen=True, slots=True)
class Enforcement:
    """How one server treats logins without TLS.

    ``everyone`` holds for all logins, None where it depends on who logs in (see ``takes``) or is not known: ``why`` says which
    fact is missing. ``source`` names where it was read. ``patterns`` holds the answers of the server's regular expressions.
    """

    server: str
    source: str
    everyone: Accepts | None = None
    rules: tuple[Rule, ...] = ()
    members: frozenset[tuple[str, str]] = frozenset()
    why: str = ""
    patterns: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False)

    @property
    def plaintext_rules(self) -> tuple[str, ...]:
        """The rules that let somebody in over the network without TLS, where rules decide. One above may still catch them all."""
        return tuple(str(r) for r in self.rules if r.kind in ("host", "hostnossl", "hostnogssenc") and r.method != "reject")

    def takes(self, identity: Identity) -> tuple[Accepts | None, str]:
        """Which logins the server takes from *identity*, and the rule or the missing fact that says so."""
        if self.everyone is not None or not self.rules:
            return self.everyone, self.why or self.source
        if identity.address == LOCAL:
            return None, "a unix socket has no TLS"
        physical = identity.kind == "walsender" and not identity.database
        login = Login(identity.database, identity.user, identity.address, is_replication=physical)
        found, (tls, plain) = accepts(
            self.rules, login, lambda p, text: self.patterns.get((p, text)), lambda user, role: (user, role) in self.members
        )
        return found, f"with TLS: {_told(tls)}; without: {_told(plain)}"


def _told(decision: Decision) -> str:
    return "; ".join(str(part) for part in (decision.rule, decision.why) if part)


def enforcement(backend: Backend) -> Enforcement:
    """Ask one server. A missing right is a missing fact, not an error."""
    name = backend.source.name
    tls, forced = backend.ask("select current_setting('ssl'), current_setting('rds.force_ssl', true)")[0]
    if tls != "on":
        return Enforcement(name, "ssl", Accepts.NO_TLS)
    if forced is not None:
        return Enforcement(name, "rds.force_ssl", Accepts.HOSTSSL if forced in ("1", "on") else Accepts.HOST)
    try:
        rows = backend.ask("select to_jsonb(r) from pg_hba_file_rules r")
        members = _closure(backend.ask(MEMBERS))
    except ReachError as error:
        if backend.connection.closed:
            raise
        why = f"`pg_hba_file_rules` cannot be read: {error.message}"
        return Enforcement(name, "pg_hba_file_rules", why=why)
    return Enforcement(name, "pg_hba_file_rules", None, tuple(_rule(row) for (row,) in rows), members)


def learn_patterns(backend: Backend, known: Enforcement, identities: tuple[Identity, ...]) -> None:
    """Let the server itself say which of its regular expressions match these databases and users."""
    if backend.version < 160000:
        return
    patterns = {word[1:] for rule in known.rules for word in (*rule.databases, *rule.users) if word.startswith("/")}
    texts = {text for who in identities for text in (who.database, who.user) if text}
    for pattern in patterns:
        for text in texts:
            if (pattern, text) not in known.patterns:
                try:
                    known.patterns[pattern, text] = backend.ask("select %s::text ~ %s::text", (text, pattern))[0][0]
                except ReachError:
                    if backend.connection.closed:
                        raise


def _rule(row: dict[str, object]) -> Rule:
    def words(key: str) -> tuple[str, ...]:
        found = row.get(key)
        return tuple(map(str, found)) if isinstance(found, list) else ()

    def word(key: str) -> str:
        return str(row.get(key) or "")

    line = row.get("line_number")
    return Rule(
        line if isinstance(line, int) else 0,
        word("type"),
        words("database"),
        words("user_name"),
        word("address"),
        word("netmask"),
        word("auth_method"),
        word("error"),
        word("file_name").rpartition("/")[2],
    )


def _closure(pairs: list[tuple[str, ...]]) -> frozenset[tuple[str, str]]:
    """(member, role) for every membership, direct or through other roles."""
    above: dict[str, set[str]] = {}
    for member, role in pairs:
        above.setdefault(member, set()).add(role)
    found = set()
    for member in above:
        reached, todo = set[str](), [member]
        while todo:
            for role in above.get(todo.pop(), ()):
                if role not in reached:
                    reached.add(role)
                    todo.append(role)
        found |= {(member, role) for role in reached}
    return frozenset(found)
