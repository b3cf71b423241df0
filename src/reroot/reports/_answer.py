"""An answer as plain values, and in plain words."""

from __future__ import annotations

from ..model import Outcome, Reason, TrustPolicy
from ..rules import BY_CODE
from ..verdict import Answer

MEANINGS = {
    Outcome.VERIFIED: "connects over TLS and checks the server",
    Outcome.UNVERIFIED: "connects over TLS and checks nothing",
    Outcome.PLAINTEXT: "connects without TLS",
    Outcome.REFUSED: "does not connect",
    Outcome.UNKNOWN: "cannot be told",
}


def as_values(answer: Answer) -> dict[str, object]:
    """``settings``, ``policy``, ``outcome`` and ``reasons``, as ``explain`` gives them. No secret is among them."""
    settings = answer.settings
    return {
        "settings": None if settings is None else {name: setting.text for name, setting in settings.values.items()},
        "policy": None if answer.policy is None else policy_values(answer.policy, answer),
        "outcome": answer.foreseen.outcome.value,
        "reasons": [reason_values(reason) for reason in answer.foreseen.reasons],
    }


def policy_values(policy: TrustPolicy, answer: Answer) -> dict[str, object]:
    return {
        "ask": policy.ask.value,
        "check": policy.check.value,
        "on_distrust": policy.on_distrust.value,
        "roots": {
            "from": policy.roots.origin.value,
            "path": policy.roots.path or None,
            "count": None if answer.roots is None or not policy.chain else len(answer.roots.certificates),
        },
    }


def reason_values(reason: Reason) -> dict[str, str]:
    rule = BY_CODE.get(reason.code)
    found = {"code": reason.code, "text": reason.text, "source": reason.source}
    return found if rule is None else {**found, "rule": rule.id}
