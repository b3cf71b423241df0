"""
Which rule of ``pg_hba.conf`` takes a login, with TLS and without: first match wins, as in ``src/backend/libpq/hba.c``.

Pure. What only the server can tell (does a regular expression match, who is a member of a role) is asked through functions that
may answer None for "not known"; a rule that cannot be decided makes the answer unknown, never a guess. One thing cannot be seen
from outside: ``pg_hba_file_rules`` shows words without their quotes, so a database named ``all`` in quotes reads as the keyword.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..model import Accepts

Matches = Callable[[str, str], bool | None]
"""(pattern, text): does PostgreSQL's regular expression match anywhere in the text?"""
Member = Callable[[str, str], bool | None]
"""(user, role): is the user a member of the role, directly or not? Being superuser does not count."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of ``pg_hba_file_rules``. ``error`` is set for a line that the server could not read."""

    line: int
    kind: str = ""
    databases: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    address: str = ""
    netmask: str = ""
    method: str = ""
    error: str = ""
    file: str = ""

    def __str__(self) -> str:
        where = f"{self.file or 'pg_hba.conf'}:{self.line}"
        words = f"{self.kind} {','.join(self.databases)} {','.join(self.users)} {self._network} {self.method}"
        return f"{where}: {' '.join(words.split())}"

    @property
    def _network(self) -> str:
        """As people write it, ``10.0.0.0/8``; the server gives the mask beside the address."""
        if not self.netmask:
            return self.address
        try:
            bits = f"{int(ipaddress.ip_address(self.netmask)):b}".rstrip("0")
            width = ipaddress.ip_address(self.netmask).max_prefixlen
            is_prefix = "0" not in bits and (not bits or int(ipaddress.ip_address(self.netmask)).bit_length() == width)
        except ValueError:
            is_prefix = False
        return f"{self.address}/{len(bits)}" if is_prefix else f"{self.address} {self.netmask}"


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, from where: ``address`` is numeric, ``""`` is a unix socket."""

    database: str
    user: str
    address: str = ""
    tls: bool = False
    gss: bool = False
    is_replication: bool = False
    """A physical replication connection, which names no database."""


@dataclass(frozen=True, slots=True)
class Decision:
    """``taken`` is None when it cannot be told; ``rule`` is the one that decided, None for "no rule matches"."""

    taken: bool | None
    rule: Rule | None = None
    why: str = ""


def _nobody_knows(_first: str, _second: str) -> bool | None:
    return None


def decide(rules: Sequence[Rule], login: Login, matches: Matches = _nobody_knows, member: Member = _nobody_knows) -> Decision:
    """Whether the server lets *login* try its password, and by which rule."""
    broken = next((rule for rule in rules if rule.error), None)
    if broken is not None:
        return Decision(None, broken, f"the file has an error, so the server still follows an earlier one: {broken.error}")
    for rule in rules:
        if rule.kind != "local" and rule.kind not in _NEEDS:
            return Decision(None, rule, f"`{rule.kind}` is a kind of rule that is not known here")
        if not _fits_connection(rule, login):
            continue
        found = (_address(rule, login), _database(rule, login, matches, member), _user(rule, login, matches, member))
        if False in found:
            continue
        if None in found:
            return Decision(None, rule, "only the server can tell whether this rule matches")
        return Decision(rule.method != "reject", rule)
    return Decision(False, None, "no rule matches")


def accepts(
    rules: Sequence[Rule], login: Login, matches: Matches = _nobody_knows, member: Member = _nobody_knows
) -> tuple[Accepts | None, tuple[Decision, Decision]]:
    """Which logins the server takes from this user, with the decisions on TLS and on plaintext.

    None when one of the two is not known, and when neither is taken.
    """
    tls, plain = (
        decide(rules, Login(login.database, login.user, login.address, way, False, login.is_replication), matches, member)
        for way in (True, False)
    )
    return _BOTH.get((tls.taken, plain.taken)), (tls, plain)


_BOTH: dict[tuple[bool | None, bool | None], Accepts] = {
    (True, True): Accepts.HOST,
    (True, False): Accepts.HOSTSSL,
    (False, True): Accepts.HOSTNOSSL,
}

_NEEDS: dict[str, tuple[bool | None, bool | None]] = {
    "host": (None, None),
    "hostssl": (True, None),
    "hostnossl": (False, None),
    "hostgssenc": (None, True),
    "hostnogssenc": (None, False),
}
"""What a kind of rule wants of TLS and of GSS encryption; None is "no matter"."""


def _fits_connection(rule: Rule, login: Login) -> bool:
    if rule.kind == "local" or not login.address:
        return rule.kind == "local" and not login.address
    tls, gss = _NEEDS[rule.kind]
    return tls in (None, login.tls) and gss in (None, login.gss)


def _address(rule: Rule, login: Login) -> bool | None:
    if rule.kind == "local" or rule.address == "all":
        return True
    if rule.address in ("samehost", "samenet"):
        return None
    try:
        mine = ipaddress.ip_address(login.address.partition("%")[0])
        network = ipaddress.ip_address(rule.address)
        mask = ipaddress.ip_address(rule.netmask)
    except ValueError:
        return None  # a host name: the server asks its own resolver, both ways
    return mine.version == network.version and int(mine) & int(mask) == int(network) & int(mask)


def _database(rule: Rule, login: Login, matches: Matches, member: Member) -> bool | None:
    answers: list[bool | None] = []
    for word in rule.databases:
        if login.is_replication or word == "replication":
            answers.append(login.is_replication and word == "replication")
        elif word == "sameuser":
            answers.append(login.database == login.user)
        elif word in ("samerole", "samegroup"):
            answers.append(login.database == login.user or member(login.user, login.database))
        else:
            answers.append(_word(word, login.database, matches))
    return _any(answers)


def _user(rule: Rule, login: Login, matches: Matches, member: Member) -> bool | None:
    return _any(
        login.user == word[1:] or member(login.user, word[1:]) if word.startswith("+") else _word(word, login.user, matches)
        for word in rule.users
    )


def _word(word: str, text: str, matches: Matches) -> bool | None:
    if word == "all":
        return True
    if word.startswith("/"):
        # PostgreSQL 16 and later; an older server would take the word as it is, and nobody is called so.
        return matches(word[1:], text)
    return word == text


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False
