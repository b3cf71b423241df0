"""What must hold before each phase, and what makes a saved plan worthless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot import plan as rules
from reroot.errors import InputError
from reroot.model import Foreseen, Judgement, Outcome, Reason, Reread, Verdict
from reroot.plan import Look, Phase, Plan, PlannedClient, PlannedServer, PlannedStore, Waiver, as_read, breaches, obstacles, waves

DAY = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL = tuple(Verdict)


def judgement(verdict, client="orders", server="east"):
    outcome = Foreseen(Outcome.VERIFIED)
    return Judgement(client, server, verdict, outcome, outcome, (Reason("why", "because"),))


def server(name, wave=0, cluster="", serves="old-leaf"):
    return PlannedServer(name, f"{name}:5432", "postgres", wave, cluster, (f"{name}-{serves}",), (f"{name}-next",))


PLAN = Plan(
    rotation="toy",
    made_at=DAY,
    old="old",
    next="next",
    old_ends=DAY + 100 * HOUR,
    next_ends=DAY + 1000 * HOUR,
    servers=(server("canary"), server("east", 1)),
    clients=(PlannedClient("orders", "libpq", ("canary", "east"), ("/o.pem",), "pay", "abc"),),
    stores=(PlannedStore("/o.pem", ("old", "other")),),
    waves=(("canary",), ("east",)),
    judgements=(judgement(Verdict.READY, server="canary"), judgement(Verdict.READY)),
    retirement=(judgement(Verdict.READY, server="canary"), judgement(Verdict.READY)),
    soak=3600.0,
)
SERVING = replace(PLAN, servers=tuple(replace(s, serves=s.next) for s in PLAN.servers))


def codes(phase, *, plan=PLAN, fresh=None, now=DAY, wave=0, since=None):
    found = obstacles(phase, Look(plan, fresh or plan, now, wave, since))
    return {o.reason.code for o in found}, rules.is_open(found)


@pytest.mark.parametrize("verdict", ALL, ids=lambda v: v.value)
def test_only_what_the_rotation_does_not_hurt_passes_the_gate(verdict):
    fresh = replace(PLAN, judgements=(judgement(verdict, server="canary"), judgement(Verdict.READY)))
    found = obstacles(Phase.CANARY, Look(PLAN, fresh, DAY))

    assert rules.is_open(found) is (verdict in {Verdict.READY, Verdict.NOT_VERIFYING, Verdict.PLAINTEXT})


def test_the_gate_of_a_wave_asks_for_the_clients_of_that_wave():
    fresh = replace(SERVING, judgements=(judgement(Verdict.READY, server="canary"), judgement(Verdict.BREAKS)))

    assert codes(Phase.CANARY, fresh=fresh)[1]
    assert not codes(Phase.WAVES, fresh=fresh, wave=1)[1]


def test_the_gate_of_a_wave_asks_for_the_clients_that_a_failover_would_bring():
    plan = replace(PLAN, servers=(server("canary", cluster="c"), server("east", cluster="c")))
    fresh = replace(plan, judgements=(judgement(Verdict.READY, server="canary"), judgement(Verdict.BREAKS)))

    assert not codes(Phase.CANARY, plan=plan, fresh=fresh)[1]


def test_a_server_that_nobody_is_known_to_reach_is_not_ready():
    fresh = replace(PLAN, judgements=(judgement(Verdict.READY),))

    assert codes(Phase.CANARY, fresh=fresh) == ({"no-client-known"}, False)


@given(st.lists(st.sampled_from(ALL), min_size=2, max_size=2), st.integers(0, 1))
def test_taking_evidence_away_never_opens_a_gate(verdicts, gone):
    """Evidence taken away makes a verdict UNKNOWN, or a client unheard of."""
    whole = replace(PLAN, judgements=tuple(judgement(v, server=s) for v, s in zip(verdicts, ("canary", "east"), strict=True)))
    forgotten = replace(whole, judgements=tuple(j for i, j in enumerate(whole.judgements) if i != gone))
    unknown = replace(whole, judgements=(judgement(Verdict.UNKNOWN, server="canary"), whole.judgements[1]))

    for less in (forgotten, unknown):
        assert codes(Phase.CANARY, fresh=less)[1] <= codes(Phase.CANARY, fresh=whole)[1]


WAIVER = Waiver("orders", "*", "ana", "switched off on Friday", DAY + HOUR)


@pytest.mark.parametrize("verdict", [Verdict.BREAKS, Verdict.LOSES_TLS, Verdict.UNKNOWN], ids=lambda v: v.value)
def test_a_waiver_lets_pass_and_is_shown_and_makes_nothing_ready(verdict):
    plan = replace(PLAN, waivers=(WAIVER,))
    fresh = replace(plan, judgements=(judgement(verdict, server="canary"), judgement(Verdict.READY)))
    found = obstacles(Phase.CANARY, Look(plan, fresh, DAY))

    assert rules.is_open(found)
    assert [(o.judgement.verdict, o.waiver.by) for o in found] == [(verdict, "ana")]


@pytest.mark.parametrize(
    "waiver",
    [replace(WAIVER, until=DAY), replace(WAIVER, client="billing"), replace(WAIVER, server="east")],
    ids=["that ended", "for another client", "for another server"],
)
def test_a_waiver_does_not_hold(waiver):
    plan = replace(PLAN, waivers=(waiver,))
    fresh = replace(plan, judgements=(judgement(Verdict.BREAKS, server="canary"), judgement(Verdict.READY)))

    assert not codes(Phase.CANARY, plan=plan, fresh=fresh)[1]


def test_a_rotation_without_a_way_back_needs_a_waiver_for_everything():
    after = DAY + 200 * HOUR
    plan = replace(PLAN, waivers=(Waiver("*", "*", "ana", "it is late", after + HOUR),))

    assert codes(Phase.CANARY, now=after) == ({"one-way"}, False)
    assert codes(Phase.CANARY, plan=plan, now=after) == ({"one-way"}, True)


def test_an_expired_next_root_cannot_be_waived():
    after = DAY + 2000 * HOUR
    plan = replace(PLAN, waivers=(Waiver("*", "*", "ana", "never mind", after + HOUR),))

    assert not codes(Phase.TRUST, plan=plan, now=after)[1]


def test_a_wave_waits_for_the_one_before():
    assert "not-cut-over" in codes(Phase.WAVES, wave=1)[0]
    assert codes(Phase.WAVES, fresh=SERVING, wave=1)[1]


RETIRE = {
    "before the soak is over": ({"fresh": SERVING, "since": DAY, "now": DAY + HOUR / 2}, {"soaking"}),
    "when it is not known since when": ({"fresh": SERVING}, {"soaking"}),
    "while a server serves the old chain": ({"since": DAY, "now": DAY + 2 * HOUR}, {"not-cut-over"}),
    "while a client needs the old root": (
        {
            "fresh": replace(SERVING, retirement=(judgement(Verdict.BREAKS),)),
            "since": DAY,
            "now": DAY + 2 * HOUR,
        },
        {"why"},
    ),
}


@pytest.mark.parametrize("case", RETIRE)
def test_the_old_root_is_not_retired(case):
    given_, expected = RETIRE[case]

    assert codes(Phase.RETIRE, **given_) == (expected, False)


def test_the_old_root_is_retired_when_nobody_needs_it():
    assert codes(Phase.RETIRE, fresh=SERVING, since=DAY, now=DAY + HOUR) == (set(), True)


CHANGES = {
    "another next root": (lambda p: replace(p, next="third"), "root-changed"),
    "a server more": (lambda p: replace(p, servers=(*p.servers, server("west"))), "server-changed"),
    "a server less": (lambda p: replace(p, servers=p.servers[:1]), "server-changed"),
    "another port": (lambda p: replace(p, servers=(replace(p.servers[0], endpoint="x:1"), p.servers[1])), "server-changed"),
    "another pair to come": (lambda p: replace(p, servers=(replace(p.servers[0], next=("z",)), p.servers[1])), "next-pair-changed"),
    "a strange certificate": (lambda p: replace(p, servers=(replace(p.servers[0], serves=("z",)), p.servers[1])), "serves-changed"),
    "a client more": (lambda p: replace(p, clients=(*p.clients, PlannedClient("b", "libpq", ("east",)))), "client-changed"),
    "other settings": (lambda p: replace(p, clients=(replace(p.clients[0], settings="z"),)), "client-changed"),
    "a lost root": (lambda p: replace(p, stores=(PlannedStore("/o.pem", ("old", "next")),)), "roots-lost"),
    "a lost trust store": (lambda p: replace(p, stores=()), "roots-lost"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_is_refused_when_the_fleet_has_changed(change):
    make, code = CHANGES[change]
    fresh = make(PLAN)

    assert code in {r.code for r in rules.changes(PLAN, fresh)}
    for phase in (Phase.TRUST, Phase.CANARY, Phase.RETIRE):
        assert not codes(phase, fresh=fresh)[1]


PROGRESS = {
    "a look that sees the same": lambda p: p,
    "servers cut over": lambda p: SERVING,
    "the next root added": lambda p: replace(p, stores=(PlannedStore("/o.pem", ("old", "other", "next")),)),
    "the old root gone": lambda p: replace(p, stores=(PlannedStore("/o.pem", ("next", "other")),)),
    "other verdicts": lambda p: replace(p, judgements=(judgement(Verdict.BREAKS),)),
    "a later look": lambda p: replace(p, made_at=DAY + HOUR),
}


@pytest.mark.parametrize("progress", PROGRESS)
def test_the_rotations_own_progress_is_no_change(progress):
    assert rules.changes(PLAN, PROGRESS[progress](PLAN)) == ()


def saved(plan=PLAN):
    import msgspec

    return msgspec.json.encode({"schema": "reroot/plan/1", **rules.to_data(plan)}).decode()


def test_a_saved_plan_comes_back_as_it_was():
    assert rules.load(saved()) == PLAN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (saved().replace('"east:5432"', '"evil:5432"'), "the plan was changed after it was saved"),
        (saved().replace("ready", "reddy"), "this is no plan"),
        ("{}", "this is no plan"),
        ("[1]", "this is no plan"),
        ("not JSON", "this is no plan"),
        (saved()[:-40], "this is no plan"),
    ],
    ids=["edited", "damaged", "empty", "a list", "no JSON", "cut off"],
)
def test_a_plan_that_was_touched_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        rules.load(text, where="plan.json")


WAVES = {
    "by number": ([("b", 2, ""), ("a", 1, ""), ("c", 2, "")], (("a",), ("b", "c"))),
    "the first is the canary when none was declared": ([("a", 1, ""), ("b", 1, ""), ("c", 1, "")], (("a",), ("b", "c"))),
    "a canary brings its cluster": ([("a", 1, "x"), ("b", 1, ""), ("c", 1, "x")], (("a", "c"), ("b",))),
    "one server": ([("a", 1, "")], (("a",),)),
    "none": ([], ()),
}


@pytest.mark.parametrize("case", WAVES)
def test_servers_are_cut_over_in_waves(case):
    servers, expected = WAVES[case]

    assert waves([server(n, w, c) for n, w, c in servers]) == expected


def test_a_cluster_in_two_waves_is_refused():
    with pytest.raises(InputError, match="the members of cluster `x` are in waves `0`, `1`"):
        waves([server("a", 0, "x"), server("b", 1, "x")])


READS = {
    "each connection": (Reread.EACH_CONNECTION, DAY, None, Verdict.READY),
    "started after the change": (Reread.AT_START, DAY, DAY + HOUR, Verdict.READY),
    "started before the change": (Reread.AT_START, DAY, DAY - HOUR, Verdict.UNKNOWN),
    "start not known": (Reread.AT_START, DAY, None, Verdict.UNKNOWN),
    "reads no file": (Reread.AT_START, None, None, Verdict.READY),
}


@pytest.mark.parametrize("case", READS)
def test_trusts_means_has_read_not_has_on_disk(case):
    reread, changed, started, expected = READS[case]

    assert as_read(judgement(Verdict.READY), reread, changed, started).verdict is expected


@pytest.mark.parametrize("verdict", [v for v in ALL if v is not Verdict.READY], ids=lambda v: v.value)
def test_a_start_never_raises_a_verdict(verdict):
    assert as_read(judgement(verdict), Reread.AT_START, DAY, DAY + HOUR).verdict is verdict


def test_the_invariant_names_every_client_that_is_cut_off():
    trusts = {"orders": {"old"}, "billing": {"old", "next"}}
    presents = {"east": "next", "west": "old"}
    reaches = {"orders": ["east", "west"], "billing": ["east", "west"]}

    assert breaches(trusts, presents, reaches) == (("orders", "east"),)
