"""
A program's rehearsal: the user's own command, run once for each act, led to the stage without being changed.

A way that leads nobody gives way to the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import InputError, ReachError
from ...model import Reason
from ...rehearsal import SOURCE, Conclusion, Ending, Trust, conclude
from ._peer import NOBODY, Process
from ._performance import PATIENCE, SETTLE, Performance, Run
from ._places import Place, addresses_in, is_address, places_in
from ._ways import WAYS, Way, kind_of, leaves_alone, privilege

if TYPE_CHECKING:
    from ._scenes import Scene


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """All runs of one program, who it was at the other end, and what that shows. ``reports`` is what a Node hook saw."""

    command: tuple[str, ...]
    places: tuple[Place, ...]
    runs: tuple[Run, ...]
    process: Process
    conclusion: Conclusion
    reports: tuple[bytes, ...] = ()

    @property
    def way(self) -> Way:
        return self.runs[-1].way


def rehearse(
    command: Sequence[str],
    places: Sequence[Place],
    scenes: Sequence[Scene],
    *,
    env: Mapping[str, str] | None = None,
    way: str = "",
    patience: float = PATIENCE,
    settle: float = SETTLE,
    show: int | None = None,
    lasting: float | None = None,
) -> Rehearsed:
    """Run *command* once for each of *scenes*. *show* is a descriptor that its output is copied to.

    *settle* is how many seconds without a new connection end a program that goes on running.
    Where it goes through to a real server it is left alone until it ends, or for *lasting* seconds.
    """
    own = dict(os.environ if env is None else env)
    if shutil.which(command[0], path=own.get("PATH")) is None:
        raise InputError(f"there is no program `{command[0]}`", hint="write the command as you would in a shell, after `--`")
    candidates = ways_for(command, places, wanted=way)
    runs: list[Run] = []
    reports: list[bytes] = []
    process = NOBODY
    for scene in scenes:
        while True:
            run, who, seen = Performance(command, places, scene, candidates[0], own, patience, settle, show, lasting).play()
            process = who if who is not NOBODY else process
            reports += seen
            if _came(run) or runs or len(candidates) == 1:
                break
            candidates = candidates[1:]
        runs.append(run)
        if not _came(run) and len(runs) == 1:
            break  # what led nobody to the first act leads nobody to the others
    conclusion = conclude(process.family, [m.reaction for r in runs for m in r.met], {r.scene.act: r.words for r in runs})
    conclusion = _as_far_as_watched(conclusion, runs, settle)
    return Rehearsed(tuple(command), tuple(places), tuple(runs), process, conclusion, tuple(dict.fromkeys(reports)))


def _as_far_as_watched(conclusion: Conclusion, runs: Sequence[Run], settle: float) -> Conclusion:
    """A program that still ran when it was ended may have been about to come again, without TLS: that was not waited for."""
    ended = any(_came(run) and run.exit_code is None for run in runs)
    if not ended or conclusion.trust is not Trust.REJECTS or conclusion.falls_back:
        return conclusion
    text = f"it still ran when it was ended, {settle:g} s after it had left: whether it comes again later, without TLS, was not waited for"
    hint = conclusion.hint or "`--settle 10` waits longer"
    return replace(conclusion, reasons=(*conclusion.reasons, Reason("watched-briefly", text, SOURCE)), hint=hint)


def ways_for(command: Sequence[str], places: Sequence[Place], *, wanted: str = "") -> tuple[Way, ...]:
    """The ways that lead this kind of program, in the order in which they are tried."""
    if wanted:
        named = [w for w in WAYS if w.name == wanted]
        if not named:
            raise InputError(
                f"`{wanted}` is no way to lead a program", hint=f"there are {', '.join(f'`{w.name}`' for w in WAYS)}"
            )
        return tuple(named)
    beyond = [a for a in addresses_in(command) if a not in {p.host for p in places}]
    if beyond:
        raise InputError(
            f"the command goes to `{beyond[0]}` whatever the name of its host means",
            hint=f"`--server {beyond[0]}:{places[0].port}`, which takes a network of its own",
        )
    kind = kind_of(command)
    addresses = any(is_address(p.host) for p in places)
    found = tuple(
        w
        for w in WAYS
        if w.leads(kind)
        and leaves_alone(w, command)
        and (w.leads_addresses or not addresses)
        and (w.several_hosts or len({p.host for p in places}) == 1)
        and w.is_here()
    )
    if found:
        return found
    if addresses:
        raise ReachError(
            "the program connects to an address, and only a network of its own could lead that",
            hint="let it connect by name, or use `--listen`",
        )
    raise ReachError(
        f"no way is known to lead `{command[0]}` here: this machine allows no namespaces",
        hint="`apt-get install libnss-wrapper`, run it as root, or use `--listen` and point the program there",
    )


def _came(run: Run) -> bool:
    return any(m.reaction.ending not in (Ending.NOT_POSTGRESQL, Ending.CANCEL) for m in run.met)


def described(way: Way) -> str:
    return f"{way.title} (privilege: {privilege(way)})"


__all__ = ["Place", "Rehearsed", "Run", "described", "places_in", "rehearse", "ways_for"]
