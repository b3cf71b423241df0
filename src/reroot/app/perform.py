"""
A rotation performed: each step is written in the journal before it is done, its answer after. No journal, no act.

Killed anywhere, it goes on where it was: a fresh generator is fed the recorded answers; a step that was begun and has no
answer gets UNSURE, upon which the generator looks. Before anything is done, what the journal says is compared with what the
servers serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ..errors import GateClosed, ReachError, RerootError
from ..ledger import Entry, Ledger
from ..ledger.ledger import Lease
from ..model import Judgement
from ..plan import ORDER, PASSES, Look, Obstacle, Phase, Plan, digest, is_open, obstacles
from ..rotation import PROOF, Act, Answer, State, Step, Steps, replay, roll_back, rotate, trial
from .fleet import Fleet


@dataclass(frozen=True, slots=True)
class Event:
    """Something to show while it happens: a step with its answer, a gate with what stands before it."""

    step: Step
    answer: Answer | None = None
    note: str = ""
    obstacles: tuple[Obstacle, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended; ``state`` is None when the rotation rests before *rests_before*. ``failures`` say what went wrong."""

    state: State | None
    rests_before: Phase | None = None
    failures: tuple[str, ...] = ()


Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the journal has it. ``pending`` is the step that was begun and has no answer."""

    number: int
    begun: Mapping[str, object]
    answered: tuple[tuple[Step, Answer, datetime], ...] = ()
    pending: Step | None = None
    ended: State | None = None
    superseded: bool = False

    @property
    def is_over(self) -> bool:
        return self.ended is not None or self.superseded


def runs(entries: Sequence[Entry]) -> tuple[Run, ...]:
    """The runs of one rotation, oldest first."""
    found: dict[int, Run] = {}
    for entry in entries:
        body = entry.body
        run = found.get(entry.run)
        if entry.event == "begin":
            found[entry.run] = Run(entry.run, body)
        elif run is None:
            continue
        elif entry.event == "intent":
            found[entry.run] = Run(run.number, run.begun, run.answered, msgspec.convert(body["step"], Step))
        elif entry.event == "answer":
            step = msgspec.convert(body["step"], Step)
            answered = (*run.answered, (step, Answer(body["answer"]), entry.at))
            found[entry.run] = Run(run.number, run.begun, answered)
        elif entry.event == "end":
            state = body.get("state")
            over = State(state) if state in {s.value for s in State} else None
            found[entry.run] = Run(run.number, run.begun, run.answered, run.pending, over, over is None)
    return tuple(found[n] for n in sorted(found))


def cut_over_since(entries: Sequence[Entry]) -> datetime | None:
    """When the last server was cut over for good; None when none was, or when one was taken back since."""
    since: datetime | None = None
    for run in runs(entries):
        for step, answer, at in run.answered:
            if step.act is Act.ROLL_BACK:
                since = None
            elif step.sees is PROOF[Act.CUT_OVER] and answer is Answer.OK and step.subject not in _already(run):
                since = at
    return since


# ── the three things that are performed ──────────────────────────────────────────────────────────


def perform(plan: Plan, fleet: Fleet, ledger: Ledger, lease: Lease, *, through: Phase = Phase.SOAK, tell: Tell) -> Result:
    """Go on with *plan* until a gate is closed, the phase *through* is over, or the rotation has ended.

    A closed gate raises ``GateClosed`` with what holds it; nothing is undone for it.
    """
    entries = ledger.entries(plan.rotation)
    known = runs(entries)
    last = known[-1] if known else None
    if last is not None and last.ended is State.DONE and last.begun.get("kind") == "rotate":
        return Result(State.DONE)
    desk = _Desk(fleet, ledger, lease, tell, last.number if last else 0)
    if last is None or last.is_over or last.begun.get("plan") != digest(plan):
        if last is not None and not last.is_over:
            _may_be_superseded(last)
            desk.write("end", {"state": "superseded"})
        already = sorted(s.name for s in fleet.look().servers if s.is_cut_over)
        desk.begin({"kind": "rotate", "plan": digest(plan), "already": already})
        steps = rotate(plan, already=frozenset(already))
        return _go_on(desk, steps, replay(steps, ()), plan, through)
    steps = rotate(plan, already=_already(last))
    step = replay(steps, [(s, a) for s, a, _ in last.answered])
    _agrees_with_reality(last, fleet)
    if last.pending is not None and last.pending.act is not Act.PROBE:
        step = desk.answer(steps, last.pending, Answer.UNSURE, "the program ended before it knew")
    return _go_on(desk, steps, step, plan, through)


def take_back(
    rotation: str,
    names: Sequence[str],
    fleet: Fleet,
    ledger: Ledger,
    lease: Lease,
    *,
    judged: Sequence[Judgement] = (),
    tell: Tell,
) -> Result:
    """Take servers back to what they served before; needs no plan. ``GateClosed`` when clients would be hurt by that."""
    hurt = [j for j in judged if j.verdict not in PASSES]
    if hurt:
        raise GateClosed(
            f"going back would hurt {len({j.client for j in hurt})} of the clients",
            judgements=hurt,
            hint="give them the old root back with `reroot trust add`, or use `--force`",
        )
    known = runs(ledger.entries(rotation))
    desk = _Desk(fleet, ledger, lease, tell, known[-1].number if known else 0)
    if known and not known[-1].is_over:
        desk.write("end", {"state": "superseded"})
    desk.begin({"kind": "roll back", "servers": list(names)})
    steps = roll_back(names)
    return _go_on(desk, steps, replay(steps, ()))


def try_out(rotation: str, name: str, fleet: Fleet, ledger: Ledger, lease: Lease, *, tell: Tell) -> Result:
    """Cut one server over, watch its clients, take it back. It asks no gate: it is there to see what breaks."""
    known = runs(ledger.entries(rotation))
    if known and not known[-1].is_over:
        raise GateClosed("a rotation is under way", hint="finish it, or `reroot rollback` first")
    desk = _Desk(fleet, ledger, lease, tell, known[-1].number if known else 0)
    desk.begin({"kind": "trial", "server": name})
    steps = trial(name)
    return _go_on(desk, steps, replay(steps, ()))


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


class _Desk:
    """Where one run is written down while it is done."""

    def __init__(self, fleet: Fleet, ledger: Ledger, lease: Lease, tell: Tell, run: int) -> None:
        self.fleet, self.ledger, self.lease, self.tell, self.run = fleet, ledger, lease, tell, run
        self.failures: list[str] = []

    def write(self, event: str, body: Mapping[str, object]) -> None:
        self.ledger.append(self.lease, self.run, event, body, self.fleet.clock())

    def begin(self, body: Mapping[str, object]) -> None:
        self.run += 1
        self.write("begin", body)

    def do(self, step: Step) -> tuple[Answer, str]:
        """Write the intent, which also makes sure of the lease, then act or look."""
        self.write("intent", {"step": msgspec.to_builtins(step)})
        if step.act is Act.PROBE:
            answer, note = self.fleet.sees(step)
        else:
            answer, note = self._act(step)
        if answer is not Answer.OK:
            self.failures.append(f"{step}: {note}")
        return answer, note

    def _act(self, step: Step) -> tuple[Answer, str]:
        try:
            return Answer.OK, "; ".join(self.fleet.act(step))
        except RerootError as error:
            return Answer.FAILED, f"{error.where}: {error.message}" if error.where else error.message
        except Exception as error:  # whatever it was: it may have happened, so the next step looks
            return Answer.UNSURE, f"{type(error).__name__}: {error}"

    def answer(self, steps: Steps, step: Step, answer: Answer, note: str = "") -> Step | State:
        """Write the answer, send it on; the next step, or how it ended."""
        self.write("answer", {"step": msgspec.to_builtins(step), "answer": answer.value, "note": note})
        self.tell(Event(step, answer, note))
        try:
            return steps.send(answer)
        except StopIteration as stop:
            state: State = stop.value
            return state


def _go_on(desk: _Desk, steps: Steps, step: Step | State, plan: Plan | None = None, through: Phase = Phase.RETIRE) -> Result:
    while isinstance(step, Step):
        if step.act is Act.GATE and plan is not None:
            if ORDER.index(step.phase) > ORDER.index(through):
                return Result(None, step.phase, tuple(desk.failures))
            step = desk.answer(steps, step, Answer.OK, _pass(desk, plan, step))
        else:
            desk.tell(Event(step))
            answer, note = desk.do(step)
            step = desk.answer(steps, step, answer, note)
    desk.write("end", {"state": step.value})
    return Result(step, None, tuple(desk.failures))


def _pass(desk: _Desk, plan: Plan, step: Step) -> str:
    """The note of an open gate; ``GateClosed`` at a closed one."""
    since = cut_over_since(desk.ledger.entries(plan.rotation))
    found = obstacles(step.phase, Look(plan, desk.fleet.look(), desk.fleet.clock(), max(step.wave, 0), since))
    desk.tell(Event(step, obstacles=found))
    if not is_open(found):
        held = [o for o in found if o.waiver is None]
        desk.write("held", {"step": msgspec.to_builtins(step), "by": [[o.subject, o.reason.code] for o in held]})
        lines = "\n".join(f"  {o.subject}: {o.reason.text}" for o in held)
        raise GateClosed(
            f"the {step} is closed by {len(held)}:\n{lines}",
            judgements=[o.judgement for o in held if o.judgement is not None],
            hint="`reroot plan` shows what each needs; nothing was undone, and the rotation goes on from here",
        )
    return "; ".join(f"{o.subject} waived by {o.waiver.by}: {o.waiver.reason}" for o in found if o.waiver is not None)


def _already(run: Run) -> frozenset[str]:
    names = run.begun.get("already", ())
    return frozenset(str(n) for n in names) if isinstance(names, list | tuple) else frozenset()


def _may_be_superseded(run: Run) -> None:
    """Another plan may take over from a run that rests, not from one that ended in the middle of an act."""
    if run.pending is not None and run.pending.act is not Act.PROBE:
        raise GateClosed(
            f"the run before ended in the middle of `{run.pending}`, under another plan",
            hint=f"go on with the plan whose sha256 begins with `{str(run.begun.get('plan', ''))[:16]}`, or `reroot rollback`",
        )


def _agrees_with_reality(run: Run, fleet: Fleet) -> None:
    """What the journal saw last of each server is what the server shows; else somebody else was at work."""
    last: dict[str, tuple[Step, Answer]] = {}
    for step, answer, _ in run.answered:
        if step.act in (Act.CUT_OVER, Act.ROLL_BACK):
            last.pop(step.subject, None)  # changed, and not looked at since: the probe comes next
        elif step.sees in (PROOF[Act.CUT_OVER], PROOF[Act.ROLL_BACK]):
            last[step.subject] = (step, answer)
    if run.pending is not None:
        last.pop(run.pending.subject, None)
    for name, (step, answer) in last.items():
        if answer is not Answer.OK:
            continue
        seen, note = fleet.sees(step)
        if seen is Answer.UNSURE:
            raise ReachError(f"`{name}` cannot be looked at: {note}", hint="nothing was done; try again when it answers")
        if seen is Answer.FAILED:
            raise GateClosed(
                f"the journal says that `{name}` {step.sees.value if step.sees else ''}, but it does not ({note})",
                hint="somebody else changed it: make a new plan with `reroot plan`, or `reroot rollback`",
            )
