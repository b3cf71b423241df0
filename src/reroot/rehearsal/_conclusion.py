"""What the acts of one client mean together: a conclusion that says no more than they have shown, with its reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from ..model import Outcome, Reason
from ._acts import ABOUT_CERTIFICATES, PROMPT, Act, Ending, Proof, Reaction
from ._meaning import Family, Meaning, meaning
from ._words import by_own_words


class Trust(Enum):
    TRUSTS = "trusts"
    REJECTS = "rejects"
    VERIFIES_NOTHING = "verifies-nothing"
    NEVER_ASKS = "never-asks-for-tls"
    CANNOT_TELL = "cannot-tell"


class HostName(Enum):
    CHECKED = "checked"
    NOT_CHECKED = "not-checked"
    CANNOT_TELL = "cannot-tell"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the acts have shown of one client. ``falls_back`` says that it came again without TLS after a handshake had failed;
    ``now`` is what the act of today's chain has shown."""

    trust: Trust
    name: HostName = HostName.CANNOT_TELL
    falls_back: bool = False
    reasons: tuple[Reason, ...] = ()
    hint: str = ""
    now: Trust = Trust.CANNOT_TELL

    @property
    def is_by_words(self) -> bool:
        """Whether it rests on what the program printed, and not on what the stage has seen."""
        return any(r.code == OWN_WORDS for r in self.reasons)

    @property
    def outcome(self) -> Outcome:
        """What the client will get from a server that presents the next chain for this host."""
        return self._gets(self.trust)

    @property
    def outcome_now(self) -> Outcome:
        """What it gets from one that presents the chain of today."""
        return self._gets(self.now)

    def _gets(self, trust: Trust) -> Outcome:
        if trust is Trust.REJECTS:
            return Outcome.PLAINTEXT if self.falls_back else Outcome.REFUSED
        return {
            Trust.TRUSTS: Outcome.VERIFIED,
            Trust.VERIFIES_NOTHING: Outcome.UNVERIFIED,
            Trust.NEVER_ASKS: Outcome.PLAINTEXT,
        }.get(trust, Outcome.UNKNOWN)


SOURCE = "rehearsal"
OWN_WORDS = "own-words"
"""The code of a reason that the program itself gave."""
NOTHING_PRINTED: Mapping[Act, str] = MappingProxyType({})
UNSEEN = frozenset({"forged-unclear", "root-unclear", "judges-late", "indistinct"})
"""Why it cannot be told, where all that is missing is a sign that the stage can see."""
JUDGED_ACTS = (Act.NEXT, Act.ROOT, Act.FORGED)
"""The acts that stand for the next chain; the strongest that says anything decides, in this order."""


def conclude(family: Family, reactions: Sequence[Reaction], printed: Mapping[Act, str] = NOTHING_PRINTED) -> Conclusion:
    """Everything that *reactions* of one client, in the order in which they came, have shown; *printed* is its output, by act."""
    met = [r for r in reactions if r.ending not in (Ending.CANCEL, Ending.NOT_POSTGRESQL)]
    over_tls = [r for r in met if r.ending is not Ending.PLAINTEXT]
    falls_back = _falls_back(met)
    told = tuple(_told(r) for r in dict.fromkeys(_bare(r) for r in met))
    if not over_tls:
        return _untouched(met, told)
    differing = _differing(over_tls)
    if differing is not None:
        why = Reason(
            "reactions-differ",
            f"connections that met the act `{differing.value}` did not react alike: more than one client?",
            SOURCE,
        )
        return Conclusion(Trust.CANNOT_TELL, falls_back=falls_back, reasons=(why, *told), hint="rehearse one program at a time")
    by_act = {r.act: r for r in over_tls}
    trust, why, hint = _trust(family, by_act)
    if why.code in UNSEEN and Act.FORGED in by_act and Act.CONTROL in by_act:
        trust, why, hint = _by_words(family, by_act[Act.FORGED], printed.get(Act.FORGED, "")) or (trust, why, hint)
    name, about_name = _name(family, by_act, trust)
    notes = [why, *about_name]
    if falls_back:
        notes.append(
            Reason("falls-back", "came again without TLS after the handshake had failed, and would have sent its login", SOURCE)
        )
    return Conclusion(trust, name, falls_back, (*notes, *told), hint, _now(family, by_act, trust))


def _untouched(met: Sequence[Reaction], told: tuple[Reason, ...]) -> Conclusion:
    if met:
        why = Reason("never-asks", "logged in without asking for TLS", SOURCE)
        return Conclusion(Trust.NEVER_ASKS, reasons=(why, *told), now=Trust.NEVER_ASKS)
    why = Reason("never-came", "no connection came to the stage", SOURCE)
    return Conclusion(
        Trust.CANNOT_TELL, reasons=(why, *told), hint="does it connect at all? and to another name or port? then name that with `--server`"
    )


def _bare(reaction: Reaction) -> Reaction:
    return Reaction(
        reaction.act, reaction.ending, reaction.proof, reaction.alert, None if reaction.waited is None else 0.0, reaction.tls
    )


def _told(reaction: Reaction) -> Reason:
    tls = f" ({reaction.tls})" if reaction.tls else ""
    return Reason("reaction", f"{reaction.act.value}: {reaction.words}{tls}", SOURCE)


def _falls_back(met: Iterable[Reaction]) -> bool:
    """A login without TLS right after a handshake that failed, within one act. After a login over TLS it means nothing:
    libpq tries the other way when a server refuses a login."""
    before: Reaction | None = None
    for reaction in met:
        failed = before is not None and before.act is reaction.act and before.ending in _FAILED
        if failed and reaction.ending is Ending.PLAINTEXT:
            return True
        before = reaction
    return False


_FAILED = frozenset({Ending.ALERT, Ending.CLOSED, Ending.LEFT, Ending.FAILED})


def _differing(met: Iterable[Reaction]) -> Act | None:
    signs: dict[Act, set[object]] = {}
    for r in met:
        early = r.waited is not None and r.waited <= PROMPT
        signs.setdefault(r.act, set()).add((r.ending, r.alert, r.waited is None, early))
    return next((act for act, seen in signs.items() if len(seen) > 1), None)


def _trust(family: Family, acts: Mapping[Act, Reaction]) -> tuple[Trust, Reason, str]:
    control = acts.get(Act.CONTROL)
    if control is not None and control.ending is Ending.LOGIN:
        text = "logged in over a chain that nobody can trust: whoever stands between can read along"
        return Trust.VERIFIES_NOTHING, Reason("verifies-nothing", text, SOURCE), ""
    found: list[tuple[Trust, Reason, str]] = []
    for act in JUDGED_ACTS:
        if act in acts:
            found.append(_judged(family, acts[act], control))
    sure = [f for f in found if f[0] is not Trust.CANNOT_TELL]
    if len({trust for trust, _, _ in sure}) > 1:
        return Trust.CANNOT_TELL, Reason("acts-contradict", "the acts contradict each other", SOURCE), "rehearse again"
    if sure:
        return sure[0]
    if found:
        return found[0]
    return Trust.CANNOT_TELL, Reason("no-act", "no act stood for the next chain", SOURCE), "name one with `--next` or `--root`"


def _now(family: Family, acts: Mapping[Act, Reaction], trust: Trust) -> Trust:
    if trust is Trust.VERIFIES_NOTHING or Act.CURRENT not in acts:
        return trust if trust is Trust.VERIFIES_NOTHING else Trust.CANNOT_TELL
    return _judged(family, acts[Act.CURRENT], acts.get(Act.CONTROL))[0]


def _judged(family: Family, reaction: Reaction, control: Reaction | None) -> tuple[Trust, Reason, str]:
    """One act that stands for the next chain, read beside the control act."""
    means = meaning(family, reaction)
    what = {Act.FORGED: "a root of this name and key", Act.ROOT: "this root"}.get(reaction.act, "the next chain")
    if means is Meaning.REJECTS:
        if control is not None and _may_be_its_way(family, reaction, control):
            return _unsure("indistinct", f"{reaction.words}, as it did with the chain that nobody can trust, and no word of why")
        return Trust.REJECTS, Reason("rejects", f"does not accept {what}: {reaction.words}", SOURCE), ""
    if reaction.act is Act.FORGED and reaction.ending is Ending.LOGIN:
        return Trust.VERIFIES_NOTHING, Reason("verifies-nothing", "logged in over a forged certificate", SOURCE), ""
    if means is Meaning.TRUSTS:
        return Trust.TRUSTS, Reason("trusts", f"trusts {what}: {reaction.words}", SOURCE), ""
    if means is Meaning.NOTHING and family is Family.UNKNOWN and control is not None and _stayed_unlike(reaction, control):
        means = Meaning.ACCEPTS
    if means is Meaning.ACCEPTS:
        return _accepted(reaction, control, what)
    if reaction.waited is not None and reaction.waited > PROMPT:
        return _unsure(
            "impatient", "left while the proof was withheld, but late: its own time-out may be shorter", "`--hold 0.1`"
        )
    return _NOT_SEEN.get(reaction.ending) or _why_nothing(family, reaction)


def _accepted(reaction: Reaction, control: Reaction | None, what: str) -> tuple[Trust, Reason, str]:
    """Content with the chain, or blind: the control act decides which."""
    if control is None:
        return _unsure("no-control", f"trusts {what} or verifies nothing: the control act was not seen", "rehearse once more")
    if reaction.ending is Ending.LOGIN:
        judged = control.ending in (Ending.CLOSED, Ending.LEFT) or _complained(control)
    else:
        judged = _judges_within(control)
    if not judged:
        if control.ending is Ending.LEFT or control.ending is Ending.CLOSED:
            return _unsure("judges-late", "judges the chain after the handshake, which ends earlier without the key", _WITH_KEY)
        return _unsure("control-unclear", f"the control act told nothing: it {control.words}", "rehearse once more")
    if reaction.ending is Ending.LOGIN:
        text = f"logged in over {what}, and not over a chain that nobody can trust"
    else:
        text = f"accepts {what}: only the missing proof of the key stopped it ({reaction.words})"
    return Trust.TRUSTS, Reason("trusts", text, SOURCE), ""


def _by_words(family: Family, reaction: Reaction, printed: str) -> tuple[Trust, Reason, str] | None:
    """The program's own complaint about the forged leaf: less than what the stage sees, and asked only when that is nothing."""
    means, said = by_own_words(family, reaction, printed)
    if means is Meaning.NOTHING:
        return None
    words = said if len(said) <= 120 else f"{said[:117]}..."
    if means is Meaning.TRUSTS:
        text = f"by its own words, not by what the stage could see, it found a root of this name and key in its trust store: `{words}`"
        return Trust.TRUSTS, Reason(OWN_WORDS, text, SOURCE), ""
    text = f"by its own words, not by what the stage could see, it knows no such root: `{words}`"
    return Trust.REJECTS, Reason(OWN_WORDS, text, SOURCE), ""


def _complained(reaction: Reaction) -> bool:
    return reaction.ending is Ending.ALERT and reaction.alert in ABOUT_CERTIFICATES


def _judges_within(control: Reaction) -> bool:
    """Whether the control act shows that the chain is judged before the key is proven."""
    if _complained(control):
        return True
    return control.ending is Ending.CLOSED and control.waited is not None and control.waited <= PROMPT


def _stayed_unlike(reaction: Reaction, control: Reaction) -> bool:
    """A client that left the control act at once, or by an alert about its certificate, and now stayed until the wrong proof."""
    if reaction.act is not Act.NEXT or reaction.proof is not Proof.WITHHELD or reaction.waited is not None:
        return False
    if reaction.ending not in (Ending.ALERT, Ending.CLOSED) or reaction.alert in ABOUT_CERTIFICATES:
        return False
    return _judges_within(control)


def _may_be_its_way(family: Family, reaction: Reaction, control: Reaction) -> bool:
    """A program nobody knows that always leaves after the handshake may be a health check, not a judge."""
    return family is Family.UNKNOWN and reaction.ending is Ending.LEFT and control.ending is Ending.LEFT


_WITH_KEY = "rehearse with the key of the next chain (`--next-key`), or see what its own settings foresee: `reroot explain`"


def _unsure(code: str, text: str, hint: str = _WITH_KEY) -> tuple[Trust, Reason, str]:
    return Trust.CANNOT_TELL, Reason(code, text, SOURCE), hint


_NOT_SEEN = {
    Ending.SILENT: _unsure(
        "silent", "connected and then fell silent until the stage gave up", "is its start-up slow? `--patience 60`"
    ),
    Ending.FAILED: _unsure("no-handshake", "no handshake was possible, whatever the chain", "which TLS versions does it speak?"),
}


JUDGES_LATE = {Family.NODE: "Node", Family.DOTNET: "Npgsql"}


def _why_nothing(family: Family, reaction: Reaction) -> tuple[Trust, Reason, str]:
    if family in JUDGES_LATE and reaction.proof is Proof.WITHHELD:
        text = f"{JUDGES_LATE[family]} judges the chain after the handshake: without the key both answers look alike"
        return _unsure("judges-late", text)
    if reaction.act is Act.FORGED:
        return _unsure(
            "forged-unclear", f"a forged leaf does not divide this client: {reaction.words}", "rehearse with the next leaf itself"
        )
    if reaction.act is Act.ROOT:
        return _unsure(
            "root-unclear", f"the bare root does not divide this client: {reaction.words}", "rehearse with the next leaf itself"
        )
    if reaction.ending is Ending.ALERT and reaction.proof is Proof.GIVEN:
        return _unsure(
            "other-alert", f"failed for a reason that is not the certificate: {reaction.words}", "see the program's own words"
        )
    return _unsure("indistinct", f"a client that trusts the chain and one that does not look alike here: {reaction.words}")


# ── the host name ────────────────────────────────────────────────────────────────────────────────

CHECKS_NAME_WITHIN = frozenset({Family.ASYNCIO, Family.GO})
"""Families that check the name, where they check it, before the key is proven. libpq and pgJDBC do so after the handshake."""


def _name(family: Family, acts: Mapping[Act, Reaction], trust: Trust) -> tuple[HostName, tuple[Reason, ...]]:
    wrong, right = acts.get(Act.WRONG_NAME), acts.get(Act.NEXT)
    if trust is Trust.VERIFIES_NOTHING:
        return HostName.NOT_CHECKED, ()
    if wrong is None or right is None or trust is not Trust.TRUSTS:
        return HostName.CANNOT_TELL, ()
    if wrong.ending is Ending.LOGIN:
        text = "logged in although the certificate is for another host"
        return HostName.NOT_CHECKED, (Reason("name-not-checked", text, SOURCE),)
    means = meaning(family, wrong)
    if means is Meaning.REJECTS:
        return HostName.CHECKED, (Reason("name-checked", f"refused a certificate for another host: {wrong.words}", SOURCE),)
    if means is Meaning.ACCEPTS and family in CHECKS_NAME_WITHIN:
        return HostName.NOT_CHECKED, (Reason("name-not-checked", "accepted a certificate for another host", SOURCE),)
    text = "whether it checks the host name shows after the handshake only, which ends earlier without the key"
    return HostName.CANNOT_TELL, (Reason("name-unclear", text, SOURCE),)


# ── beside a prediction ──────────────────────────────────────────────────────────────────────────


def contradiction(foreseen: Outcome, conclusion: Conclusion) -> Reason | None:
    """Why *conclusion* cannot stand beside what the rules foresaw: a bug in the rules, or in what was known of the client."""
    shown = conclusion.outcome
    if Outcome.UNKNOWN in (foreseen, shown) or foreseen is shown:
        return None
    text = (
        f"the rules foresaw `{foreseen.value}`, the rehearsal shows `{shown.value}`: the rules or what they were told are wrong"
    )
    return Reason("rules-contradicted", text, SOURCE)
