"""What a rehearsal shows: beside what the rules foresaw, as text, as JSON, and as evidence for the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..collect.rehearse._scenes import Scene
    from ..collect.rehearse.command import Place, Rehearsed
    from ..collect.rehearse.listen import Watch
    from ..model import Evidence, Reason
    from ..rehearsal import Conclusion


def by_the_hook(rehearsed: Rehearsed) -> list[Reason]:
    """What a Node program's own options say of the next chain, where the stage cannot see its judgement."""
    from ..collect.rehearse._node import work_out
    from ..rehearsal import Act

    chain = next((r.scene.chain for r in rehearsed.runs if r.scene.act is Act.NEXT), None)
    return list(work_out(rehearsed.reports, chain, datetime.now(UTC))) if chain and rehearsed.reports else []


def gone_through(rehearsed: Rehearsed) -> list[Reason]:
    """What the real server behind the stage made of the sessions that went on to it, and how the program ended."""
    from collections import Counter

    from ..model import Reason

    found: list[Reason] = []
    for run in rehearsed.runs:
        if run.scene.through is None:
            continue
        passed = [m.passed for m in run.met if m.passed is not None]
        let_in = sum(p.let_in for p in passed)
        if let_in:
            ended = "" if run.exit_code is None else f"; the program ended with exit code {run.exit_code}"
            text = f"{run.scene.through} let {let_in} session{'s' * (let_in != 1)} in{ended}"
            found.append(Reason("through-let-in", text, str(run.scene.through)))
        for (why, sqlstate), n in Counter((p.why, p.sqlstate) for p in passed if p.why).items():
            code = f" ({sqlstate})" if sqlstate else ""
            found.append(Reason("through-refused", f"{run.scene.through} did not let it in{f' {n} times' * (n > 1)}: {why}{code}",
                                str(run.scene.through)))  # fmt: skip
        if not passed:
            found.append(Reason("through-nobody", f"no session went on to {run.scene.through}", str(run.scene.through)))
    return found


def beside_the_rules(rehearsed: Rehearsed, driver: str, dsn: str | None) -> list[Reason]:
    """What the rules foresee for the next chain on this machine, and whether the rehearsal bears it out."""
    import os

    from ..collect.machine import machine
    from ..model import Accepts, Given, Outcome, Reason, Server
    from ..pki import Certificate
    from ..rehearsal import Act, contradiction
    from ..verdict import answer

    chain = next((r.scene.chain for r in rehearsed.runs if r.scene.act is Act.NEXT), None)
    if chain is None:
        return [Reason("not-foreseen", "without a next chain the rules have nothing to foresee")]
    given = Given(
        driver, dsn=dsn, env=dict(os.environ), home=os.path.expanduser("~"), host=rehearsed.places[0].host, files=machine()
    )
    foreseen = answer(given, Server(Accepts.HOST), tuple(Certificate(d) for d in chain), datetime.now(UTC)).foreseen
    against = contradiction(foreseen.outcome, rehearsed.conclusion)
    if against is not None:
        return [against, *foreseen.reasons]
    if Outcome.UNKNOWN in (foreseen.outcome, rehearsed.conclusion.outcome):
        return [Reason("not-compared", f"the rules foresaw `{foreseen.outcome.value}`: nothing to compare", "rules")]
    return [Reason("foreseen", f"as the rules for `{driver}` foresaw: `{foreseen.outcome.value}`", "rules")]


CONTRADICTED = "rules-contradicted"


def data(rehearsed: Rehearsed, beside: Sequence[Reason] = ()) -> dict[str, object]:
    """``complete`` is false where it cannot be told."""
    from ..collect.rehearse._ways import privilege

    c = rehearsed.conclusion
    return {
        "complete": c.trust.value != "cannot-tell",
        "program": rehearsed.command[0].rsplit("/", 1)[-1],
        "servers": [str(p) for p in rehearsed.places],
        "led_by": {"way": rehearsed.way.name, "privilege": privilege(rehearsed.way)},
        "process": {
            "program": rehearsed.process.program,
            "family": rehearsed.process.family.value,
            "libraries": dict(rehearsed.process.libraries),
        },
        "conclusion": concluded(c),
        "beside": [{"code": r.code, "text": r.text, "source": r.source} for r in beside],
        "acts": [
            {
                "act": run.scene.act.value,
                "proof": run.scene.proof.value,
                "presented": _fingerprints(run.scene),
                "exit_code": run.exit_code,
                "seconds": round(run.seconds, 3),
                "reactions": [
                    {
                        "ending": m.reaction.ending.value,
                        "alert": m.reaction.alert,
                        "waited": m.reaction.waited,
                        "tls": m.reaction.tls,
                        "at": m.at.isoformat(),
                        "facts": dict(m.reaction.facts),
                    }
                    for m in run.met
                ],
            }
            for run in rehearsed.runs
        ],
    }


def concluded(c: Conclusion) -> dict[str, object]:
    return {
        "trust": c.trust.value,
        "host_name": c.name.value,
        "falls_back_to_plaintext": c.falls_back,
        "outcome": c.outcome.value,
        "outcome_now": c.outcome_now.value,
        "shown_by": "the program's own words" if c.is_by_words else "the acts",
        "reasons": [{"code": r.code, "text": r.text} for r in c.reasons],
        "hint": c.hint,
    }


def _fingerprints(scene: Scene) -> list[str]:
    from ..pki import Certificate

    return [Certificate(der).fingerprint for der in scene.chain]


def to_evidence(rehearsed: Rehearsed, beside: Sequence[Reason], now: datetime, client: str = "") -> Evidence:
    """*client* is the name that the inventory has for the program; without one it is kept under its own."""
    from .. import __version__
    from ..model import Evidence, Strength

    facts = {
        **data(rehearsed, beside),
        "presented": {r.scene.act.value: [der.hex() for der in r.scene.chain] for r in rehearsed.runs},
        "reroot": __version__,
    }
    return Evidence("rehearsal", client or rehearsed.command[0].rsplit("/", 1)[-1], "rehearse", now, Strength.REHEARSED, facts)


def of_the_one(watch: Watch, client: str, places: Sequence[Place]) -> tuple[list[Evidence], str]:
    """What a listening stage keeps of the inventory's *client*, and why no verdict will count it, if so.

    Only where nobody else came, or one program's trust would be taken for another's; and only for the server whose name it asked for
    in its hello, or a chain could pass for the wrong host's.
    """
    from dataclasses import replace

    came = watch.conclusions()
    if len(came) != 1:
        return watch.evidence(), f"{len(came)} clients came where `{client}` alone was to come: no verdict counts them"
    (who, conclusion), (kept,) = came[0], watch.evidence()
    led = [str(p) for p in places if p.host == who.name]
    facts = {**kept.facts, "conclusion": concluded(conclusion), "servers": led, "acts": watch.acts(who)}
    asked = f"asked for `{who.name}`" if who.name else "asked for no server by name"
    return [replace(kept, subject=client, facts=facts)], "" if led else f"`{client}` {asked}: no verdict counts it"


SAYS = {
    "trusts": "● trusts the next chain",
    "rejects": "✕ does not accept the next chain",
    "verifies-nothing": "○ verifies nothing",
    "never-asks-for-tls": "– never asks for TLS",
    "cannot-tell": "? cannot be told",
}


def text(rehearsed: Rehearsed, beside: Sequence[Reason] = ()) -> str:
    """The conclusion first, then what the acts have shown, then who was at the other end."""
    from ..collect.rehearse.command import described
    from ..reports.text import counted, table

    c = rehearsed.conclusion
    head = f"{SAYS[c.trust.value]}: `{rehearsed.command[0].rsplit('/', 1)[-1]}` at {', '.join(map(str, rehearsed.places))}"
    parts = [head + "\n\n" + "\n".join(f"  {r.text}" for r in c.reasons if r.code != "reaction")]
    rows = [
        (
            run.scene.act.value,
            "ours" if run.scene.proof.value == "given" else "withheld, then wrong",
            *_met(run.met),
            f"{run.seconds:.1f} s",
        )
        for run in rehearsed.runs
    ]
    parts.append(table(("act", "key", "TLS", "the program", "took"), rows))
    who = rehearsed.process
    if who.program:
        parts.append(
            f"at the other end: {who.program} {' '.join(f'({name}: {file})' for name, file in who.libraries.items())}".rstrip()
        )
    if any(r.code == CONTRADICTED for r in beside):
        parts.insert(0, "✕ the rules and the rehearsal contradict each other: please report this")
    parts += [f"beside the acts: {r.text}" for r in beside]
    if c.hint:
        parts.append(f"hint: {c.hint}")
    came = sum(len(run.met) for run in rehearsed.runs)
    told = f"{counted(len(rehearsed.runs), 'act')}, {counted(came, 'connection')}, led by {described(rehearsed.way)}"
    return "\n\n".join([*parts, f"{told}; {NEXT[c.trust.value]}"])


NEXT = {
    "trusts": "next: `reroot plan`",
    "rejects": "next: `reroot trust add` the next root, then rehearse again",
    "verifies-nothing": "next: let it verify (`sslmode=verify-full`), then rehearse again",
    "never-asks-for-tls": "next: let it ask for TLS and verify",
    "cannot-tell": "incomplete: see the hint, and rehearse again",
}


def _met(met: Sequence[object]) -> tuple[str, str]:
    from ..collect.rehearse.stage import Met

    seen = [m.reaction for m in met if isinstance(m, Met)]
    if not seen:
        return "–", "did not come"
    words = list(dict.fromkeys(r.words for r in seen))
    return next((r.tls for r in seen if r.tls), "–"), ", then ".join(words[:3])
