"""Stop a rotation anywhere, break it anywhere: nobody is ever cut off."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot.errors import InputError
from reroot.plan import Phase, Plan, PlannedClient, PlannedServer, PlannedStore, breaches
from reroot.rotation import Act, Answer, Sees, State, Step, replay, roll_back, rotate, trial

OK, FAILED, UNSURE = Answer.OK, Answer.FAILED, Answer.UNSURE
DAY = datetime(2027, 1, 1, tzinfo=UTC)
PLAN = Plan(
    rotation="toy",
    made_at=DAY,
    old="old",
    next="next",
    old_ends=DAY,
    next_ends=DAY,
    servers=tuple(PlannedServer(n, f"{n}:5432", "postgres", w) for n, w in (("canary", 0), ("east", 1), ("west", 1))),
    clients=(
        PlannedClient("orders", "libpq", ("canary", "east"), ("/orders.pem",)),
        PlannedClient("billing", "pgjdbc", ("east", "west"), ("/billing.jks",)),
    ),
    stores=(PlannedStore("/orders.pem", ("old",)), PlannedStore("/billing.jks", ("old",))),
    waves=(("canary",), ("east", "west")),
    judgements=(),
)
NAMES = [s.name for s in PLAN.servers]
EFFECTS = {Act.ADD_TRUST: {"old", "next"}, Act.REMOVE_TRUST: {"next"}, Act.CUT_OVER: "next", Act.ROLL_BACK: "old"}


class Fleet:
    """A toy fleet that an act changes, or half changes, or leaves; gates look at it as the real ones look at a real one."""

    def __init__(self):
        self.trusts = {s.path: {"old"} for s in PLAN.stores}
        self.presents = dict.fromkeys(NAMES, "old")

    def gate_is_open(self, step):
        wave = PLAN.waves[step.wave] if step.wave >= 0 else ()
        if step.phase in (Phase.CANARY, Phase.WAVES):
            return all("next" in self.trusts[s] for c in PLAN.clients for s in c.trust_stores if {*c.reaches} & {*wave})
        if step.phase in (Phase.SOAK, Phase.RETIRE):
            return set(self.presents.values()) == {"next"} and all("next" in t for t in self.trusts.values())
        return True

    def sees(self, step):
        match step.sees:
            case Sees.OLD | Sees.NEXT:
                return self.presents[step.subject] == step.sees.name.lower()
            case Sees.BOTH:
                return self.trusts[step.subject] == {"old", "next"}
            case Sees.NEXT_ONLY:
                return self.trusts[step.subject] == {"next"}
        return True

    def act(self, step, how):
        """Perform *step*; *how* is an answer and whether an unsure act took effect. A probe tells the truth or cannot see."""
        answer, effect = how
        if step.act is Act.PROBE:
            return UNSURE if answer is UNSURE else OK if self.sees(step) and answer is OK else FAILED
        if (answer is OK or (answer is UNSURE and effect)) and step.act in EFFECTS:
            (self.trusts if step.subject in self.trusts else self.presents)[step.subject] = EFFECTS[step.act]
        self.check(step)
        return answer

    def check(self, step):
        trusts = {c.name: set.intersection(*(set(self.trusts[s]) for s in c.trust_stores)) for c in PLAN.clients}
        assert not breaches(trusts, self.presents, {c.name: c.reaches for c in PLAN.clients}), step


def play(hows, *, fleet=None, plan=PLAN):
    """Perform a rotation: the history of steps and answers, and how it ended (None: a gate holds it)."""
    fleet = fleet or Fleet()
    steps, history, answer = rotate(plan), [], None
    for how in [*hows, *[(OK, True)] * 500]:
        try:
            step = next(steps) if answer is None else steps.send(answer)
        except StopIteration as stop:
            return history, stop.value
        if step.act is Act.GATE:
            if not fleet.gate_is_open(step):
                return history, None
            answer = OK
        else:
            answer = fleet.act(step, how)
        history.append((step, answer))
    raise AssertionError("never ended")


def after_unsure_comes_a_probe(history):
    """A probe that cannot see is asked twice more; only then is it given up."""
    unsure = [b for a, b in pairwise(history) if a[1] is UNSURE and a[0].act is not Act.PROBE]
    return all(step.act is Act.PROBE for step, _ in unsure)


def drive(steps, answer_to):
    """Answer each step by a function; the steps, and how it ended."""
    history, ended = [], None

    step = replay(steps, ())
    while not isinstance(step, State):
        history.append(step)
        try:
            step = steps.send(answer_to(step))
        except StopIteration as stop:
            ended = step = stop.value
    return history, ended


HOWS = [(OK, True), (FAILED, False), (UNSURE, True), (UNSURE, False)]
CLEAN = play([])[0]


def test_a_clean_rotation_ends_with_the_old_root_gone():
    fleet = Fleet()
    history, ended = play([], fleet=fleet)

    assert ended is State.DONE
    assert set(fleet.presents.values()) == {"next"}
    assert all(t == {"next"} for t in fleet.trusts.values())
    assert [s.subject for s, _ in history if s.act is Act.CUT_OVER] == ["canary", "east", "west"]


@pytest.mark.parametrize("first", range(len(CLEAN)))
def test_nobody_is_cut_off_whichever_three_steps_in_a_row_break(first):
    for hows in product(HOWS, repeat=3):
        fleet = Fleet()
        history, ended = play([(OK, True)] * first + list(hows), fleet=fleet)
        assert after_unsure_comes_a_probe(history), history
        assert ended in (State.DONE, State.ROLLED_BACK, State.NEEDS_HUMAN, None)
        if ended is State.ROLLED_BACK:
            wave = next(w for w in reversed(PLAN.waves) if any(s.subject in w for s, _ in history))
            assert {fleet.presents[n] for n in wave} == {"old"}


@pytest.mark.matrix
@pytest.mark.parametrize("first", range(len(CLEAN)))
def test_nobody_is_cut_off_whichever_six_steps_in_a_row_break(first):
    for hows in product(HOWS, repeat=6):
        history, _ = play([(OK, True)] * first + list(hows))
        assert after_unsure_comes_a_probe(history)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(HOWS), max_size=120))
def test_nobody_is_cut_off_whatever_breaks(hows):
    history, ended = play(hows)

    assert after_unsure_comes_a_probe(history)
    assert ended in (State.DONE, State.ROLLED_BACK, State.NEEDS_HUMAN, None)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(HOWS), max_size=80), st.data())
def test_a_rotation_killed_anywhere_and_fed_its_journal_goes_on_where_it_was(hows, data):
    history, _ = play(hows)
    cut = data.draw(st.integers(0, len(history)))

    pending = replay(rotate(PLAN), history[:cut])

    if cut < len(history):
        assert pending == history[cut][0]
    else:
        assert isinstance(pending, State) or pending.act is Act.GATE


def test_a_failed_verification_rolls_the_whole_wave_back():
    at = next(i for i, (s, _) in enumerate(CLEAN) if s.subject == "west" and s.sees is Sees.NEXT)
    history, ended = play([(OK, True)] * at + [(FAILED, False)])

    assert ended is State.ROLLED_BACK
    assert [str(s) for s, _ in history[at:]] == [
        "probe west (serves the next chain)",
        "roll back west",
        "probe west (serves the old chain)",
        "roll back east",
        "probe east (serves the old chain)",
    ]


def test_clients_that_fail_after_the_cut_over_roll_the_wave_back():
    at = next(i for i, (s, _) in enumerate(CLEAN) if s.sees is Sees.CLIENTS)

    assert play([(OK, True)] * at + [(FAILED, False)])[1] is State.ROLLED_BACK


def test_an_unsure_cut_over_that_did_not_happen_is_done_again():
    at = next(i for i, (s, _) in enumerate(CLEAN) if s.act is Act.CUT_OVER)
    history, ended = play([(OK, True)] * at + [(UNSURE, False)])

    assert ended is State.DONE
    assert [s.act for s, _ in history[at : at + 3]] == [Act.CUT_OVER, Act.PROBE, Act.CUT_OVER]


def test_an_unsure_cut_over_that_did_happen_is_not_done_twice():
    at = next(i for i, (s, _) in enumerate(CLEAN) if s.act is Act.CUT_OVER)
    history, ended = play([(OK, True)] * at + [(UNSURE, True)])

    assert ended is State.DONE
    assert len([s for s, _ in history if s.act is Act.CUT_OVER]) == 3


def test_a_rollback_that_fails_calls_a_person_and_still_takes_the_others_back():
    history, ended = drive(roll_back(["east", "west"]), lambda s: FAILED if str(s) == "roll back west" else OK)

    assert ended is State.NEEDS_HUMAN
    assert [s.subject for s in history] == ["west", "west", "west", "east", "east"]


def test_a_trust_store_that_cannot_be_changed_holds_the_gate_of_its_clients():
    history, ended = play([(OK, True), (FAILED, False)])

    assert ended is None
    assert not [s for s, _ in history if s.act is Act.CUT_OVER]


@pytest.mark.parametrize("watched", [OK, FAILED, UNSURE])
def test_a_trial_takes_the_server_back_whatever_was_seen(watched):
    history, ended = drive(trial("canary"), lambda s: watched if s.sees is Sees.CLIENTS else OK)

    assert ended is State.ROLLED_BACK
    assert [s.act for s in history[-2:]] == [Act.ROLL_BACK, Act.PROBE]


def test_servers_that_serve_next_already_are_looked_at_and_not_changed():
    history, ended = drive(rotate(PLAN, already={"canary"}), lambda _: OK)

    assert ended is State.DONE
    assert [s.act for s in history if s.subject == "canary" and s.act is not Act.GATE] == [Act.PROBE]


def test_a_journal_of_another_plan_is_refused():
    with pytest.raises(InputError, match="the journal says `stage elsewhere`"):
        replay(rotate(PLAN), [(Step(Act.STAGE, "elsewhere", Phase.CANARY), OK)])
