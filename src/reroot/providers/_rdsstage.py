"""
Everything that can speak against changing the CA of an RDS instance, known before anything is changed.

There is nothing to put beside a running instance, so staging is asking: does the region offer the CA, is it the root that the
clients were given, does the engine version take it, would it restart, what else would be applied, and is there a way back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..collect import aws
from ..pki.certificate import Certificate

SOON = timedelta(days=30)


@dataclass(frozen=True)
class Case:
    """One instance in its region, and what is wanted of it."""

    instance: aws.Instance
    region: aws.Region
    ca: str
    old_ca: str
    old_root: Certificate
    next_root: Certificate
    cluster: str
    restart: bool
    flush: bool
    one_way: bool
    when: datetime
    base: Path = Path()


def thumbprint(root: Certificate) -> str:
    """SHA-1 of its DER, as ``DescribeCertificates`` has it."""
    return hashlib.sha1(root.der, usedforsecurity=False).hexdigest()


def against(case: Case) -> tuple[str, ...]:
    """What speaks against it, all at once; empty when nothing does."""
    return tuple(text for look in AGAINST for text in (look(case),) if text)


def _offered(case: Case) -> str:
    if case.region.authority(case.ca) is not None:
        return ""
    known = ", ".join(f"`{a.id}`" for a in case.region.authorities)
    return f"`{case.ca}` is no CA of {case.region.name}: it offers {known or 'none'}"


def _same_root(case: Case) -> str:
    """Every region has a root of its own under the same id."""
    found = case.region.authority(case.ca)
    if found is None or not found.thumbprint or found.thumbprint == thumbprint(case.next_root):
        return ""
    return (
        f"`{case.ca}` of {case.region.name} is not the inventory's next root `{case.next_root.title}`: every region has a root of"
        f" its own (SHA-1 {found.thumbprint[:16]}, not {thumbprint(case.next_root)[:16]})"
    )


def _in_time(case: Case) -> str:
    found = case.region.authority(case.ca)
    return "" if found is None or found.ends > case.when + SOON else f"`{case.ca}` ends at {found.ends:%Y-%m-%d}"


def _supported(case: Case) -> str:
    version = case.region.version(case.instance)
    if not version.authorities or case.ca in version.authorities:
        return ""
    return f"{case.instance.engine} {case.instance.version} does not take `{case.ca}`, only {', '.join(version.authorities)}"


def _restarts(case: Case) -> str:
    free = case.region.version(case.instance).restart_free
    if free or case.restart or case.instance.ca == case.ca:
        return ""
    told = "needs a restart" if free is False else "may need a restart, the API does not say"
    return f"{case.instance.engine} {case.instance.version} {told}: agree to it with `restart = true`"


def _stands_still(case: Case) -> str:
    if not aws.is_stuck(case.instance):
        return ""
    return f"it is `{case.instance.status}`, which does not become `available` by itself"


def _others_pending(case: Case) -> str:
    if not case.instance.pending or case.flush:
        return ""
    named = ", ".join(f"`{p}`" for p in case.instance.pending)
    return f"other changes are pending and would be applied with it: {named}; agree to that with `flush = true`"


def _other_ca_waits(case: Case) -> str:
    waits = case.instance.ca_pending
    return f"`{waits}` waits for its window already" if waits not in ("", case.ca) else ""


def _is_singly(case: Case) -> str:
    if case.instance.multi_az and not case.cluster:
        return f"it is a member of the Multi-AZ DB cluster `{case.instance.cluster}`, which changes as a whole: give `cluster`"
    if case.cluster and not case.instance.multi_az:
        return "an Aurora cluster has no CA of its own, its instances have: leave `cluster` out"
    return ""


def _there_is_a_way_back(case: Case) -> str:
    """Decided before the start: an old CA that is not offered any more, or has ended, cannot be gone back to."""
    if case.one_way or case.instance.ca == case.ca:
        return ""
    found = case.region.authority(case.old_ca)
    if found is None:
        return f"there is no way back: {case.region.name} offers `{case.old_ca}` no more; agree to that with `one_way = true`"
    if found.ends <= case.when:
        return f"there is no way back: `{case.old_ca}` ended at {found.ends:%Y-%m-%d}; agree to that with `one_way = true`"
    return ""


AGAINST: tuple[Callable[[Case], str], ...] = (
    _offered, _same_root, _in_time, _supported, _stands_still, _restarts, _others_pending, _other_ca_waits, _is_singly, _there_is_a_way_back,
)  # fmt: skip


def notes(case: Case) -> tuple[str, ...]:
    """What is worth knowing of an instance, and stops nobody."""
    one, version = case.instance, case.region.version(case.instance)
    found = []
    old = case.region.authority(case.old_ca)
    if old is not None and old.ends > case.when:
        found.append(f"a way back to `{old.id}` exists until {old.ends:%Y-%m-%d}")
    if version.restart_free:
        found.append(f"{one.engine} {one.version} changes its certificate without a restart")
    if one.ca_pending:
        found.append(f"`{one.ca_pending}` waits for the window {one.window}")
    if one.status != "available":
        found.append(f"it is `{one.status}`, not `available`")
    found += [f"AWS will do `{action}` by itself{f' at {date}' if date else ''}" for action, date in one.maintenance]
    return tuple(found)


def siblings_apart(case: Case, siblings: Mapping[str, str]) -> str:
    """Members of the cluster that have another CA: a failover then changes the root under the clients."""
    others = {id: ca for id, ca in siblings.items() if id != case.instance.id and ca != case.instance.ca}
    if not others:
        return ""
    named = ", ".join(f"`{id}` has `{ca}`" for id, ca in sorted(others.items()))
    return f"until all members have one CA, a failover of `{case.instance.cluster}` changes it: {named}"
