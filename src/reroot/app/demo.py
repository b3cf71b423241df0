"""
The whole of a rotation on the practice fleet, with the clients running, and every prediction held against what happens.

Each part says what it does, does it through the same rooms as the commands, and checks the outcome. A prediction that turns
out wrong, or a ready client that fails once, ends the demo with an error.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..collect.inventory import Inventory, read
from ..errors import GateClosed, RerootError
from ..lab.clients import Attempt
from ..lab.practice import SERVERS, WAIVER, Practice
from ..ledger import open_ledger
from ..ledger.ledger import holder_name
from ..model import Judgement, Verdict
from ..plan import Phase, Plan
from ..reports.text import MARKS, table
from ..rotation import Act, Answer, Sees, State
from . import fleet_of, look, perform, try_out
from .perform import Event

EXPECTED = {
    Verdict.READY: "tls",
    Verdict.NOT_VERIFYING: "tls",
    Verdict.BREAKS: "refused",
    Verdict.LOSES_TLS: "plaintext",
    Verdict.PLAINTEXT: "plaintext",
}
"""What a connection to a server that was cut over looks like, by verdict; UNKNOWN foretells nothing."""

Say = Callable[[str], None]


class Surprise(RerootError):
    """What happened is not what was predicted."""

    exit_code = 1


@dataclass
class Tale:
    """What the demo has done, for its report."""

    say: Say
    lines: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def tell(self, text: str = "") -> None:
        self.lines.append(text)
        self.say(text)


def trial(fleet: Practice, tale: Tale) -> None:
    """Cut the canary over before anything is fixed, see the predicted failures happen, and be taken back."""
    inventory = read(fleet.inventory)
    predicted = {j.client: j for j in look(inventory, datetime.now(UTC)).plan.judgements if j.server == SERVERS[0]}
    seen: list[Attempt] = []

    def watch(server: str) -> tuple[Answer, str]:
        seen.extend(fleet.crowd.round([server]))
        bad = [a for a in seen if a.outcome != "tls"]
        return (Answer.FAILED if bad else Answer.OK), f"{len(bad)} of {len(seen)} connections refused or in plaintext"

    _performed(
        inventory,
        tale,
        lambda ledger, lease, real: try_out(inventory.name, SERVERS[0], real, ledger, lease, tell=_teller(tale)),
        watch,
    )
    _compare(predicted, seen, tale)
    fleet.crowd.round(SERVERS)
    back = fleet.crowd.round(SERVERS)
    _all_tls(back, "after the way back")
    tale.tell(f"  the server is back on the old root, and all {len(back)} connections of the next round use TLS")


def refuse(fleet: Practice, tale: Tale) -> None:
    """The gate holds as long as one client is unknown; a named person may take the risk."""
    inventory = read(fleet.inventory)
    try:
        _rotate(inventory, look(inventory, datetime.now(UTC)).plan, tale, Phase.SOAK, _nobody)
    except GateClosed as closed:
        tale.tell("  " + closed.message.replace("\n", "\n  "))
    else:
        raise Surprise("the gate did not hold although a client is unknown")
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with fleet.inventory.open("a", encoding="utf-8") as file:
        file.write(WAIVER.format(until=until))
    tale.tell("  a person who read old-crm's code takes the risk, with a reason and an end date: [[waiver]] in reroot.toml")


def rotate(fleet: Practice, tale: Tale) -> tuple[Plan, float]:
    """All servers, wave by wave, with the clients running; the plan, and when it began."""
    began = time.time()
    inventory = read(fleet.inventory)
    plan = look(inventory, datetime.now(UTC)).plan

    def watch(server: str) -> tuple[Answer, str]:
        found = fleet.crowd.round([server])
        bad = sorted({a.client for a in found if a.outcome != "tls"})
        return (
            Answer.FAILED if bad else Answer.OK
        ), f"{', '.join(bad)} failed" if bad else f"{len(found)} clients connected anew, all by TLS"

    result = _rotate(inventory, plan, tale, Phase.SOAK, watch)
    if result is not None:
        raise Surprise(f"the rotation ended as {result.value} before its soak")
    _no_failures(fleet, inventory, began, tale)
    return plan, began


def retire(fleet: Practice, tale: Tale, plan: Plan, began: float) -> None:
    """After the soak, go on with the same plan: the old root leaves every trust store, and the clients go on."""
    inventory = read(fleet.inventory)
    time.sleep(inventory.soak.total_seconds())
    result = _rotate(inventory, plan, tale, Phase.RETIRE, _nobody)
    if result is not State.DONE:
        raise Surprise(f"the old root was not retired: {result}")
    fleet.crowd.round(SERVERS)
    _no_failures(fleet, inventory, began, tale)
    tale.facts["retired"] = inventory.old_root.title


def matrix(inventory: Inventory) -> str:
    """The readiness of every client with every server, as it is now."""
    plan = look(inventory, datetime.now(UTC)).plan
    cells = {(j.client, j.server): f"{MARKS[j.verdict.value]} {j.verdict.value}" for j in plan.judgements}
    rows = [(c.name, c.driver, *(cells.get((c.name, s), "") for s in SERVERS)) for c in plan.clients]
    return table(("client", "driver", *SERVERS), rows, indent="  ")


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _nobody(server: str) -> tuple[Answer, str]:
    return Answer.OK, ""


def _performed(inventory: Inventory, tale: Tale, do: Callable[..., object], watch: Callable[[str], tuple[Answer, str]]) -> object:
    place = str(inventory.base / inventory.ledger)
    with open_ledger(place) as ledger:
        lease = ledger.acquire(inventory.name, holder_name(), datetime.now(UTC))
        try:
            return do(ledger, lease, fleet_of(inventory, watch=watch))
        finally:
            ledger.release(lease)


def _rotate(
    inventory: Inventory, plan: Plan, tale: Tale, through: Phase, watch: Callable[[str], tuple[Answer, str]]
) -> State | None:
    done = _performed(
        inventory,
        tale,
        lambda ledger, lease, real: perform(plan, real, ledger, lease, through=through, tell=_teller(tale)).state,
        watch,
    )
    assert done is None or isinstance(done, State)
    return done


def _teller(tale: Tale) -> Callable[[Event], None]:
    """Tells each step once: a probe of a trust store says nothing new, and adding what is there already is no news."""
    told = set(tale.lines)

    def tell(event: Event) -> None:
        step, answer = event.step, event.answer
        quiet = step.act is Act.GATE or step.sees in (Sees.BOTH, Sees.NEXT_ONLY)
        known = step.act is Act.ADD_TRUST and f"  ok      {step}" in told
        if answer is None or (answer is Answer.OK and (quiet or known)):
            return
        tale.tell(f"  {answer.value:<7} {step}{f': {event.note}' if event.note else ''}")

    return tell


def _compare(predicted: dict[str, Judgement], seen: Sequence[Attempt], tale: Tale) -> None:
    last = {a.client: a for a in seen}
    rows, wrong = [], []
    for client, judgement in predicted.items():
        attempt = last[client]
        expected = EXPECTED.get(judgement.verdict)
        agrees = expected is None or attempt.outcome == expected
        if not agrees:
            wrong.append(client)
        error = attempt.error.rpartition("failed: ")[2][:60]
        rows.append(
            (
                client,
                f"{MARKS[judgement.verdict.value]} {judgement.verdict.value}",
                attempt.outcome,
                error if agrees else "NOT AS PREDICTED",
            )
        )
    tale.tell(table(("client", "predicted", "happened", ""), rows, indent="  "))
    tale.facts["trial"] = {c: {"predicted": j.verdict.value, "happened": last[c].outcome} for c, j in predicted.items()}
    if wrong:
        raise Surprise(f"not as predicted: {', '.join(wrong)}")


def _all_tls(attempts: Sequence[Attempt], when: str) -> None:
    bad = [a for a in attempts if a.outcome != "tls"]
    if bad:
        raise Surprise(f"{bad[0].client} was {bad[0].outcome} at {bad[0].server} {when}: {bad[0].error}")


def _no_failures(fleet: Practice, inventory: Inventory, began: float, tale: Tale) -> None:
    """Every connection since *began* that a client called ready made must have been TLS; says how many there were."""
    judged = look(inventory, datetime.now(UTC)).plan.judgements
    ready = {(j.client, j.server) for j in judged if j.verdict is Verdict.READY}
    attempts = [a for a in fleet.crowd.attempts(since=began) if (a.client, a.server) in ready]
    _all_tls(attempts, "during the rotation")
    outcomes = Counter(a.outcome for a in fleet.crowd.attempts(since=began))
    counted = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()))
    tale.facts |= {"connections_of_ready_clients": len(attempts), "failed_connections_of_ready_clients": 0}
    tale.tell(f"  {len(attempts)} connections of ready clients since the rotation began: 0 failed (all clients: {counted})")
