"""
A rotation as a generator: it yields steps and is sent their answers.

It opens nothing and waits for nothing. ``app`` performs the steps, writing each in the journal before it acts and its
answer after. Nobody is believed: whatever an act answers, the next step is the probe that sees what came of it.

An act that answers UNSURE may or may not have happened (the program was killed, a reply was lost), so every act can be
done twice. A gate has one answer, OK; while it is closed the rotation stays where it is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from .errors import InputError
from .plan import Phase, Plan, gate_of


class Act(Enum):
    GATE = "gate"
    ADD_TRUST = "add trust"
    STAGE = "stage"
    CUT_OVER = "cut over"
    ROLL_BACK = "roll back"
    REMOVE_TRUST = "remove trust"
    PROBE = "probe"


class Answer(Enum):
    OK = "ok"
    FAILED = "failed"
    UNSURE = "unsure"


class State(Enum):
    """How a rotation ends. ROLLED_BACK: the wave that failed serves what it served before; earlier waves stay."""

    DONE = "done"
    ROLLED_BACK = "rolled back"
    NEEDS_HUMAN = "needs a human"


class Sees(Enum):
    """What a probe is to see for the answer OK."""

    OLD = "serves the old chain"
    NEXT = "serves the next chain"
    BOTH = "holds both roots"
    NEXT_ONLY = "holds the next root, not the old one"
    CLIENTS = "clients still connect as before"


PROOF: Mapping[Act, Sees] = MappingProxyType(
    {
        Act.ADD_TRUST: Sees.BOTH,
        Act.STAGE: Sees.OLD,
        Act.CUT_OVER: Sees.NEXT,
        Act.ROLL_BACK: Sees.OLD,
        Act.REMOVE_TRUST: Sees.NEXT_ONLY,
    }
)
"""What must be seen after an act: staging, too, must be seen to have changed nothing."""

TRIES = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One act in the journal. ``subject`` is a server, a trust store's path, or, for a gate, a phase.

    ``sees`` is set for probes only; ``wave`` counts from 0, -1 where there is none.
    """

    act: Act
    subject: str
    phase: Phase
    wave: int = -1
    sees: Sees | None = None

    def __str__(self) -> str:
        if self.act is Act.GATE:
            return f"gate to {self.subject}" + (f" {self.wave}" if self.phase is Phase.WAVES else "")
        return f"{self.act.value} {self.subject}" + (f" ({self.sees.value})" if self.sees else "")


Steps = Generator[Step, Answer, State]


def rotate(plan: Plan, *, already: AbstractSet[str] = frozenset()) -> Steps:
    """The steps of *plan*; *already* names servers that were seen to serve the next chain when this run began."""
    yield _gate(Phase.TRUST)
    for store in plan.stores:
        # One trust store that cannot be changed holds up nobody but its clients: the canary's gate judges them.
        yield from _change(Step(Act.ADD_TRUST, store.path, Phase.TRUST))
    yield _gate(Phase.PROVE)
    for number in range(len(plan.waves)):
        ended = yield from _wave(plan, number, already)
        if ended is not None:
            return ended
    yield _gate(Phase.SOAK)
    yield _gate(Phase.RETIRE)
    left = False
    for store in plan.stores:
        left |= (yield from _change(Step(Act.REMOVE_TRUST, store.path, Phase.RETIRE))) is not Answer.OK
    return State.NEEDS_HUMAN if left else State.DONE


def roll_back(servers: Iterable[str]) -> Steps:
    """Take *servers* back to what they served before, last one first."""
    return _back([Step(Act.ROLL_BACK, name, Phase.WAVES) for name in servers])


def trial(server: str) -> Steps:
    """Cut one server over, see what becomes of its clients, and take it back whatever was seen. No gate is asked."""
    phase = Phase.CANARY
    if (yield from _change(Step(Act.STAGE, server, phase))) is not Answer.OK:
        return State.ROLLED_BACK
    step = Step(Act.CUT_OVER, server, phase)
    if (yield from _change(step)) is Answer.OK:
        yield from _look(step, Sees.CLIENTS)
    return (yield from _back([Step(Act.ROLL_BACK, server, phase)]))


def _wave(plan: Plan, number: int, already: AbstractSet[str]) -> Generator[Step, Answer, State | None]:
    phase = gate_of(number)
    yield Step(Act.GATE, phase.value, phase, number)
    names = plan.waves[number]
    for name in names:
        if name not in already and (yield from _change(Step(Act.STAGE, name, phase, number))) is not Answer.OK:
            return State.ROLLED_BACK
    touched: list[Step] = []
    for name in names:
        touched.append(Step(Act.ROLL_BACK, name, phase, number))
        step = Step(Act.CUT_OVER, name, phase, number)
        if (yield from (_look(step) if name in already else _change(step))) is not Answer.OK:
            return (yield from _back(touched))
        if name not in already and (yield from _look(step, Sees.CLIENTS)) is not Answer.OK:
            return (yield from _back(touched))
    return None


def _back(steps: list[Step]) -> Steps:
    """Roll back one server after the other, whatever happens to the others."""
    stuck = False
    for step in reversed(steps):
        for _ in range(TRIES):
            if (yield from _change(step)) is Answer.OK:
                break
        else:
            stuck = True
    return State.NEEDS_HUMAN if stuck else State.ROLLED_BACK


def _change(step: Step) -> Generator[Step, Answer, Answer]:
    """Act, then look; again when the act may not have happened and was seen not to have."""
    for _ in range(TRIES):
        did = yield step
        if did is Answer.FAILED:
            return Answer.FAILED
        seen = yield from _look(step)
        if did is Answer.OK or seen is not Answer.FAILED:
            # Staging leaves nothing to see from outside, so only its own OK says that it was done.
            if step.act is Act.STAGE and did is Answer.UNSURE and seen is Answer.OK:
                continue
            return seen
    return Answer.FAILED


def _look(step: Step, sees: Sees | None = None) -> Generator[Step, Answer, Answer]:
    seen = Answer.UNSURE
    for _ in range(TRIES):
        seen = yield Step(Act.PROBE, step.subject, step.phase, step.wave, sees or PROOF[step.act])
        if seen is not Answer.UNSURE:
            break
    return seen


def _gate(phase: Phase) -> Step:
    return Step(Act.GATE, phase.value, phase)


def replay(steps: Steps, recorded: Iterable[tuple[Step, Answer]]) -> Step | State:
    """Feed a fresh generator the recorded answers; the step that comes next, or how it ended."""
    try:
        step = next(steps)
        for was, answer in recorded:
            if was != step:
                raise InputError(
                    f"the journal says `{was}` where the plan says `{step}`",
                    hint="give the plan that this rotation was begun with",
                )
            step = steps.send(answer)
    except StopIteration as stop:
        ended: State = stop.value
        return ended
    return step
