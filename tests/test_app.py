"""A rotation is journaled before and after each step; killed anywhere it goes on; it never acts on what it does not see."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reroot.app import Fleet, perform, take_back, try_out
from reroot.app.perform import cut_over_since, runs
from reroot.errors import GateClosed, ProviderError, ReachError, RollbackFailed
from reroot.ledger import Ledger, open_ledger
from reroot.model import Foreseen, Judgement, Outcome, Verdict
from reroot.plan import Phase, Plan, PlannedClient, PlannedServer, PlannedStore, Waiver, breaches
from reroot.rotation import Act, Answer, Sees, State

DAY = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = ("canary", "east", "west")
SAW = Foreseen(Outcome.VERIFIED)


def judged(client, server, verdict):
    return Judgement(client, server, verdict, SAW, SAW)


PLAN = Plan(
    rotation="toy",
    made_at=DAY,
    old="old",
    next="next",
    old_ends=DAY + timedelta(days=30),
    next_ends=DAY + timedelta(days=3000),
    servers=tuple(
        PlannedServer(n, f"{n}:5432", "postgres", w, "", (f"{n}-old",), (f"{n}-next",))
        for n, w in zip(NAMES, (0, 1, 1), strict=True)
    ),
    clients=(PlannedClient("orders", "libpq", NAMES, ("o.pem",)),),
    stores=(PlannedStore("o.pem", ("old",)),),
    waves=(("canary",), ("east", "west")),
    judgements=(),
    soak=0.0,
)


class Killed(BaseException):
    """What SIGKILL looks like from inside a test: nobody catches it."""


class Toy:
    """A fleet in memory, with things to break: *broken* maps words of a step to what happens in its place."""

    def __init__(self, broken=None, plan=PLAN, verdict=None):
        self.plan, self.broken, self.verdict = plan, dict(broken or {}), verdict
        self.serves = dict.fromkeys(NAMES, "old")
        self.holds = {"old"}
        self.done, self.now, self.countdown = [], DAY, None

    def fleet(self):
        return Fleet(self.look, self.act, self.sees, self.clock)

    def clock(self):
        self.now += timedelta(seconds=1)
        return self.now

    def tick(self):
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                raise Killed

    def look(self):
        ready = Verdict.READY if "next" in self.holds else Verdict.BREAKS
        servers = tuple(replace(s, serves=(f"{s.name}-{self.serves[s.name]}",)) for s in self.plan.servers)
        judgements = tuple(judged("orders", n, self.verdict or ready) for n in NAMES)
        stores = (PlannedStore("o.pem", tuple(sorted(self.holds))),)
        return replace(self.plan, servers=servers, stores=stores, judgements=judgements, retirement=judgements)

    def act(self, step):
        self.tick()
        happens = self.broken.get(str(step))
        if isinstance(happens, BaseException):
            raise happens
        self.done.append(str(step))
        match step.act:
            case Act.ADD_TRUST:
                self.holds = {"old", "next"}
            case Act.REMOVE_TRUST:
                self.holds = {"next"}
            case Act.CUT_OVER:
                self.serves[step.subject] = happens or "next"
            case Act.ROLL_BACK:
                self.serves[step.subject] = "old"
        assert not breaches({"orders": self.holds}, self.serves, {"orders": NAMES})
        self.tick()
        return ()

    def sees(self, step):
        self.tick()
        happens = self.broken.get(str(step))
        if happens is not None:
            return happens, "broken"
        match step.sees:
            case Sees.OLD | Sees.NEXT:
                good = self.serves[step.subject] == step.sees.name.lower()
            case Sees.BOTH:
                good = self.holds == {"old", "next"}
            case Sees.NEXT_ONLY:
                good = self.holds == {"next"}
            case _:
                good = True
        return (Answer.OK if good else Answer.FAILED), ""


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A ledger with its tables, made once."""
    made = tmp_path_factory.mktemp("ledger") / "reroot.sqlite"
    open_ledger(made).close()
    return made


@pytest.fixture
def folder():
    """In memory where there is such a place: what a disk is slow at is no part of these tests."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
def place(empty, folder):
    return Path(shutil.copy(empty, folder / "reroot.sqlite"))


def go(toy, place, through=Phase.RETIRE, plan=None, how=perform, **words):
    told = []
    with open_ledger(place) as ledger:
        lease = ledger.acquire("toy", "ana@here pid 1 start 1", toy.now)
        if how is perform:
            return perform(plan or toy.plan, toy.fleet(), ledger, lease, through=through, tell=told.append)
        return how("toy", *words.values(), toy.fleet(), ledger, lease, tell=told.append)


def journal(place):
    with open_ledger(place) as ledger:
        return ledger.entries("toy")


def test_a_rotation_is_done(place):
    toy = Toy()

    assert go(toy, place).state is State.DONE
    assert set(toy.serves.values()) == {"next"}
    assert toy.holds == {"next"}


def test_every_act_is_written_before_it_is_done_and_after(place):
    go(Toy(), place)
    events = [
        (e.event, e.body["step"]["act"])
        for e in journal(place)
        if e.event in ("intent", "answer") and e.body["step"]["act"] != "gate"
    ]

    assert [e for e, _ in events] == ["intent", "answer"] * (len(events) // 2)
    assert [a for _, a in events[::2]] == [a for _, a in events[1::2]]


@pytest.mark.parametrize(("where", "last"), [("fleet", 27), ("journal", 92)])
@pytest.mark.parametrize("part", range(4))
def test_killed_anywhere_it_goes_on_to_the_end_and_does_nothing_twice_for_nothing(empty, folder, monkeypatch, where, last, part):
    """Around each act and probe, and around each entry of the journal."""
    killed = 0
    for at in range(part, last + 1, 4):
        place = Path(shutil.copy(empty, folder / f"{at}.sqlite"))
        toy = Toy()
        if where == "fleet":
            toy.countdown = at
        else:
            monkeypatch.setattr(Ledger, "append", killing(at))
        try:
            ended = go(toy, place)
        except Killed:
            killed += 1
            toy.countdown = None
            monkeypatch.undo()
            ended = go(toy, place)
        assert ended.state is State.DONE
        assert set(toy.serves.values()) == {"next"}
        assert [toy.done.count(f"cut over {name}") for name in NAMES] == [1, 1, 1]
        assert len(runs(journal(place))) == 1
    assert killed > 5


def killing(at):
    """The ledger's own append that ends in the middle: before or after the entry was written."""
    append, count = Ledger.append, [0]

    def counted(*arguments, **named):
        count[0] += 1
        if count[0] == at:
            raise Killed
        number = append(*arguments, **named)
        count[0] += 1
        if count[0] == at:
            raise Killed
        return number

    return counted


@pytest.mark.parametrize("at", [3, 10, 17, 24])
@pytest.mark.parametrize("second", [1, 5, 9])
def test_killed_twice_it_still_goes_on(place, at, second):
    toy = Toy()
    for countdown in (at, second, None):
        toy.countdown = countdown
        try:
            ended = go(toy, place)
        except Killed:
            continue
        break

    assert ended.state is State.DONE


@pytest.mark.parametrize("at", range(0, 12))
def test_killed_in_the_middle_of_going_back_it_goes_on_going_back(place, at):
    toy = Toy({"probe west (clients still connect as before)": Answer.FAILED})
    toy.countdown = 18 + at
    try:
        ended = go(toy, place)
    except Killed:
        toy.countdown = None
        ended = go(toy, place)

    assert ended.state is State.ROLLED_BACK
    assert toy.serves == {"canary": "next", "east": "old", "west": "old"}


BROKEN = {
    "the provider fails": {"cut over west": ProviderError("no")},
    "the provider crashes": {"cut over west": RuntimeError("oops")},
    "the server serves something else": {"cut over west": "elsewhere-old"},
    "the probe sees the old chain": {"probe west (serves the next chain)": Answer.FAILED},
    "the probe cannot see": {"probe west (serves the next chain)": Answer.UNSURE},
    "clients fail": {"probe west (clients still connect as before)": Answer.FAILED},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_in_a_wave_rolls_the_wave_back_and_leaves_the_others(place, fault):
    broken = BROKEN[fault]
    toy = Toy(broken if fault != "the server serves something else" else {"probe west (serves the next chain)": Answer.FAILED})
    result = go(toy, place)

    assert result.state is State.ROLLED_BACK
    assert toy.serves == {"canary": "next", "east": "old", "west": "old"}
    assert result.failures


def test_after_a_rollback_the_same_command_begins_anew_and_leaves_what_is_done(place):
    toy = Toy({"cut over west": ProviderError("no")})
    go(toy, place)
    toy.broken.clear()

    assert go(toy, place).state is State.DONE
    assert toy.done.count("cut over canary") == 1
    assert [r.ended for r in runs(journal(place))] == [State.ROLLED_BACK, State.DONE]


def test_a_rollback_that_fails_calls_a_person(place):
    toy = Toy({"cut over west": ProviderError("no"), "roll back east": RollbackFailed("stuck")})
    result = go(toy, place)

    assert result.state is State.NEEDS_HUMAN
    assert len([f for f in result.failures if f.startswith("roll back east")]) == 3


def test_a_staging_that_fails_changes_no_server(place):
    toy = Toy({"stage west": ProviderError("the key is another's")})

    assert go(toy, place).state is State.ROLLED_BACK
    assert toy.serves == {"canary": "next", "east": "old", "west": "old"}
    assert not [d for d in toy.done if d.startswith(("cut over east", "roll back"))]


@pytest.mark.parametrize("verdict", [Verdict.BREAKS, Verdict.LOSES_TLS, Verdict.UNKNOWN], ids=lambda v: v.value)
def test_a_closed_gate_stops_before_the_first_cut_over_and_says_whom_it_waits_for(place, verdict):
    toy = Toy(verdict=verdict)

    with pytest.raises(GateClosed) as raised:
        go(toy, place)

    assert {(j.client, j.server, j.verdict) for j in raised.value.judgements} == {("orders", "canary", verdict)}
    assert set(toy.serves.values()) == {"old"}
    assert journal(place)[-1].event == "held"
    toy.verdict = None
    assert go(toy, place).state is State.DONE


def test_a_waiver_is_written_down_when_it_opens_a_gate(place):
    waiver = Waiver("orders", "*", "ana", "it is switched off", DAY + timedelta(days=9))
    toy = Toy(plan=replace(PLAN, waivers=(waiver,)), verdict=Verdict.BREAKS)

    go(toy, place, through=Phase.CANARY)

    notes = [e.body["note"] for e in journal(place) if e.event == "answer" and e.body["step"]["act"] == "gate"]
    assert any("waived by ana: it is switched off" in n for n in notes)


@pytest.mark.parametrize("through", [p for p in Phase if p not in (Phase.SURVEY, Phase.RETIRE)], ids=lambda p: p.value)
def test_it_rests_after_the_phase_that_was_asked_for_and_goes_on_later(place, through):
    toy = Toy()
    result = go(toy, place, through=through)

    assert result.state is None
    assert toy.holds == {"old", "next"}
    assert (toy.serves["east"] == "next") is (through in (Phase.WAVES, Phase.SOAK))
    assert go(toy, place).state is State.DONE


def test_the_soak_is_waited_for(place):
    toy = Toy(plan=replace(PLAN, soak=3600.0))

    with pytest.raises(GateClosed, match="the soak ends at"):
        go(toy, place)
    assert cut_over_since(journal(place)) is not None
    toy.now += timedelta(hours=2)
    assert go(toy, place).state is State.DONE


def test_what_somebody_else_changed_meanwhile_stops_it(place):
    toy = Toy()
    go(toy, place, through=Phase.CANARY)
    toy.serves["canary"] = "old"

    with pytest.raises(GateClosed, match="the journal says that `canary` serves the next chain, but it does not"):
        go(toy, place)
    assert "cut over east" not in toy.done


def test_a_server_that_cannot_be_seen_stops_it_before_it_acts(place):
    toy = Toy()
    go(toy, place, through=Phase.CANARY)
    toy.broken["probe canary (serves the next chain)"] = Answer.UNSURE

    with pytest.raises(ReachError, match="`canary` cannot be looked at"):
        go(toy, place)


def test_a_new_plan_takes_over_from_one_that_rests(place):
    toy = Toy()
    go(toy, place, through=Phase.CANARY)
    toy.plan = replace(PLAN, made_at=DAY + timedelta(hours=1))

    assert go(toy, place).state is State.DONE
    assert toy.done.count("cut over canary") == 1


def test_a_new_plan_does_not_take_over_in_the_middle_of_an_act(place):
    toy = Toy()
    toy.broken["cut over canary"] = Killed()
    with pytest.raises(Killed):
        go(toy, place)
    toy.broken.clear()

    with pytest.raises(GateClosed, match="in the middle of `cut over canary`, under another plan"):
        go(toy, place, plan=replace(PLAN, made_at=DAY + timedelta(hours=1)))
    assert go(toy, place).state is State.DONE


def test_nothing_is_done_without_a_journal(place, monkeypatch):
    toy = Toy()
    append = Ledger.append

    def full(self, lease, run, event, body, now):
        if event == "intent" and body["step"]["act"] == "cut over":
            raise ReachError("the ledger cannot be used: database or disk is full")
        return append(self, lease, run, event, body, now)

    monkeypatch.setattr(Ledger, "append", full)

    with pytest.raises(ReachError, match="disk is full"):
        go(toy, place)
    assert set(toy.serves.values()) == {"old"}


def test_an_operator_whose_lease_was_taken_does_nothing_more(place):
    toy = Toy()
    act = toy.act

    def robbed(step):
        if step.act is Act.STAGE:
            with open_ledger(place) as other:
                other.acquire("toy", "ben@there pid 2 start 2", toy.now + timedelta(hours=1), take_over=True)
        return act(step)

    toy.act = robbed

    with pytest.raises(GateClosed, match="passed to another operator"):
        go(toy, place)
    assert set(toy.serves.values()) == {"old"}


def test_servers_are_taken_back_without_a_plan(place):
    toy = Toy()
    go(toy, place, through=Phase.SOAK)
    place.unlink()

    assert go(toy, place, how=take_back, names=NAMES).state is State.ROLLED_BACK
    assert set(toy.serves.values()) == {"old"}


def test_going_back_is_refused_when_it_hurts(place):
    toy = Toy()
    go(toy, place)

    hurt = [judged("orders", "east", Verdict.BREAKS)]
    with open_ledger(place) as ledger:
        lease = ledger.acquire("toy", "ana@here pid 1 start 1", toy.now)
        with pytest.raises(GateClosed) as raised:
            take_back("toy", NAMES, toy.fleet(), ledger, lease, judged=hurt, tell=lambda _: None)
    assert raised.value.judgements == tuple(hurt)
    assert set(toy.serves.values()) == {"next"}


def test_a_trial_shows_and_takes_back(place):
    toy = Toy({"probe canary (clients still connect as before)": Answer.FAILED})
    toy.holds = {"old", "next"}
    result = go(toy, place, how=try_out, name="canary")

    assert result.state is State.ROLLED_BACK
    assert toy.done == ["stage canary", "cut over canary", "roll back canary"]
    assert toy.serves["canary"] == "old"


def test_no_trial_in_the_middle_of_a_rotation(place):
    toy = Toy()
    go(toy, place, through=Phase.CANARY)

    with pytest.raises(GateClosed, match="a rotation is under way"):
        go(toy, place, how=try_out, name="east")
