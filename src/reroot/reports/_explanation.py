"""One client explained: its settings, what they mean, what comes of it."""

from __future__ import annotations

from difflib import get_close_matches

from .. import drivers
from ..model import Ask, Check, Given, Outcome, RootsFrom
from ..rules import BY_CODE
from ..verdict import Answer, judge
from ._answer import MEANINGS, as_values
from ._report import Document
from .text import counted

ASKS = {
    Ask.NEVER: "never asks for TLS",
    Ask.IF_NEEDED: "uses TLS only when the server insists",
    Ask.IF_OFFERED: "uses TLS when the server offers it",
    Ask.ALWAYS: "insists on TLS",
}
CHECKS = {
    Check.NOTHING: "checks nothing",
    Check.CHAIN: "checks the chain, not the host name",
    Check.CHAIN_AND_HOST: "checks the chain and the host name",
}


def document(given: Given, today: Answer, then: Answer | None) -> Document:
    """The answer for today, and for after the rotation where that was asked."""
    values: dict[str, object] = {"driver": given.driver, "driver_version": given.version, **as_values(today)}
    if then is not None:
        values["then"] = as_values(then)
        values["verdict"] = judge(today.foreseen, then.foreseen).value
    return Document("explanation", values, lambda: _text(given, today, then))


def _text(given: Given, today: Answer, then: Answer | None) -> str:
    lines = [f"driver     {given.driver} {given.version or '(any version)'}"]
    if today.settings is not None:
        for name, setting in today.settings.values.items():
            place = f"  {setting.place}" if setting.place else ""
            lines.append(f"  {name}={setting.text}  ({setting.origin}){place}")
    if today.policy is not None:
        policy = today.policy
        lines.append(f"policy     {ASKS[policy.ask]}; {CHECKS[policy.check]}")
        if policy.roots.origin is not RootsFrom.NONE:
            count = "" if today.roots is None else f", {counted(len(today.roots.certificates), 'certificate')}"
            lines.append(f"roots      {policy.roots.path or policy.roots.origin.value} ({policy.roots.origin.value}{count})")
        lines.append(f"reads them {policy.reread.value}")
    lines += _outcome("now", today)
    if then is not None:
        lines += _outcome("then", then)
        lines.append(f"verdict    {judge(today.foreseen, then.foreseen).value}")
    elif today.foreseen.outcome is Outcome.UNKNOWN:
        lines.append(f"\nhint: {_hint(given, today)}")
    return "\n".join(lines)


def _hint(given: Given, today: Answer) -> str:
    if all(reason.code != "unknown-driver" for reason in today.foreseen.reasons):
        return "name what is missing with `--chain`, `--accepts` or `--driver-version`"
    near = get_close_matches(given.driver, drivers.names(), n=1)
    return f"{f'did you mean `{near[0]}`? ' if near else ''}`reroot drivers` lists those that have rules"


def _outcome(word: str, answer: Answer) -> list[str]:
    lines = [f"{word:<10} {answer.foreseen.outcome.value}: {MEANINGS[answer.foreseen.outcome]}"]
    for reason in answer.foreseen.reasons:
        rule = BY_CODE.get(reason.code)
        lines.append(f"  {f'{rule.id} ' if rule else ''}{reason.code}: {reason.text}")
        if reason.source:
            lines.append(f"    source: {reason.source}")
    return lines
