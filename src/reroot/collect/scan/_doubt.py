"""
What may be said of a client when the drivers, or the versions, that it may be differ: nothing stronger than all of them bear out.

A rule is named after the likeliest of them. Where another fares better, its words say so; where another may break or lose its TLS,
a rule that says "survives" is not believed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...model import Ask, OnDistrust, TrustPolicy

FATES: dict[str, str] = {
    "RR101": "breaks",
    "RR102": "breaks",
    "RR103": "breaks",
    "RR104": "loses-tls",
    "RR106": "breaks",
    "RR110": "unchecked",
    "RR111": "unchecked",
    "RR113": "plaintext",
    "RR114": "unchecked",
}
"""What each rule says of the client when its roots are changed."""
HURT = frozenset({"breaks", "loses-tls"})
_DOES = {
    "breaks": "verifies",
    "loses-tls": "goes on in plaintext when it distrusts",
    "unchecked": "checks nothing",
    "plaintext": "does no TLS",
}


def fate(policy: TrustPolicy) -> str:
    """What a client with this policy suffers when it does not trust what it is shown."""
    if policy.ask is Ask.NEVER:
        return "plaintext"
    if not policy.chain:
        return "unchecked"
    return "loses-tls" if policy.on_distrust is OnDistrust.PLAINTEXT else "breaks"


def fates(policies: Sequence[TrustPolicy], labels: Sequence[str]) -> dict[str, str]:
    """Every fate with the likeliest who has it, of those that connect at all."""
    found: dict[str, str] = {}
    for policy, label in zip(policies, labels, strict=True):
        if policy.refused is None:
            found.setdefault(fate(policy), label)
    return found


def unbelieved(rule: str, seen: dict[str, str], is_whole: bool) -> bool:
    """Does *rule* say that the client survives, while one that it may be does not, or could not be asked?"""
    return FATES.get(rule, "breaks") not in HURT and bool(seen) and (not is_whole or bool(HURT & seen.keys()))


def words(rule: str, outcome: str, seen: dict[str, str], is_whole: bool, decider: str) -> str:
    """The outcome of *rule*, no stronger than the *seen* fates bear out; *decider* is what decides among them."""
    said = FATES.get(rule)
    others = {one: label for one, label in seen.items() if one != said}
    if said is None or not seen or (not others and is_whole):
        return outcome
    if unbelieved(rule, seen, is_whole) or (said == "loses-tls" and others):
        who = [f"{label} {_DOES[one]}" for one, label in seen.items()] + ([] if is_whole else ["others could not be asked"])
        return f"unknown, since the {decider} decides ({', '.join(who)})"
    if said in HURT or said == "plaintext":
        return outcome + "".join(f"; {label} {_DOES[one]}" for one, label in others.items() if one != "breaks")
    return outcome
