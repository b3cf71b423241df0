"""
What would put a fleet back on an old root, or keep it there: a table of looks at what AWS tells, each with its reason.

It is asked before a rotation (what has to be known), and after it (what drifts): instances, replicas and restores that are born
on another CA, a default that is still the old one, changes that wait for a window, leaves that AWS renews by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ._awsinventory import from_ca
from .aws import MANAGED_ROTATION, Fleet, Instance, Region

RENEWED = "-g1"
"""CAs of the first generation and later, beneath which RDS renews servers' certificates by itself; beneath rds-ca-2019 it does not."""
HALF_LIFE = timedelta(days=183)
NEAR = timedelta(days=90)
YOUNG = timedelta(days=30)
RESTARTS: Mapping[bool | None, str] = {True: "without a restart", False: "with a restart", None: "perhaps with a restart"}
LITERAL = "RR501"
"""The rule of `reroot scan` for a CA id that is written down in infrastructure code."""
_CA_ID = re.compile(r"rds[-_]ca[-_][\w-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """``blocks`` says that it stands in the way of calling the fleet rotated; the others are worth knowing."""

    code: str
    subject: str
    text: str
    hint: str = ""
    blocks: bool = True


Look = Callable[[Region, str, datetime], Iterator[Finding]]


def findings(fleet: Fleet, to: str, now: datetime, *, scanned: Sequence[Mapping[str, object]] = ()) -> tuple[Finding, ...]:
    """Everything that speaks against every instance being, and staying, on the CA *to*. *scanned* are findings of ``reroot scan``."""
    found = [f for region in fleet.regions for look in LOOKS for f in look(region, to, now)]
    return tuple(found) + tuple(_written_down(scanned, to))


def _on_another_ca(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for one in region.instances:
        if one.ca != to:
            version = region.version(one)
            restart = RESTARTS[version.restart_free]
            yield Finding("other-ca", _named(one), f"has `{one.ca}`; {one.engine} {one.version} changes {restart}")


def _born_elsewhere(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    """Replicas and restores do not inherit a CA: who makes one must name it, or gets the default of that day."""
    by_id = {i.id: i for i in region.instances}
    for one in region.instances:
        source = by_id.get(one.source.rpartition(":")[2]) if one.source else None
        if source is not None and source.ca != one.ca:
            text = f"a replica of `{source.id}`, which has `{source.ca}`, has `{one.ca}`: a promotion changes the root under its clients"
            yield Finding("replica-apart", _named(one), text, NAMING.format(to))
        elif one.ca != to and one.restored:
            yield Finding("restored-apart", _named(one), f"was born on `{one.ca}`: {one.restored}", NAMING.format(to))
        elif one.ca != to and one.created is not None and one.created > now - YOUNG and _is_later(one, region, to):
            text = f"was born on `{one.ca}` at {one.created:%Y-%m-%d}, when older ones had `{to}` already or have it since"
            yield Finding("born-apart", _named(one), text, NAMING.format(to))


def _is_later(one: Instance, region: Region, to: str) -> bool:
    """Whether an older instance has *to*: else a rotation has not begun, and there is nothing that it is apart from."""
    assert one.created is not None
    return any(i.ca == to and i.created is not None and i.created < one.created for i in region.instances)


NAMING = "create and restore with `--ca-certificate-identifier {}`; a restored cluster's instances one by one"


def _not_supported(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    if region.authorities and region.authority(to) is None:
        return  # of the region, not of its versions
    for one in region.instances:
        known = region.version(one).authorities
        if known and to not in known:
            yield Finding(
                "ca-not-supported", _named(one), f"{one.engine} {one.version} does not take `{to}`", "upgrade the engine"
            )


def _not_offered(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    if region.instances and region.authorities and region.authority(to) is None:
        offered = ", ".join(f"`{a.id}`" for a in region.authorities)
        yield Finding("ca-not-offered", region.name, f"offers {offered}, not `{to}`", "`--to` names one that it offers")


def _mixed_clusters(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for cluster, members in _clusters(region.instances).items():
        kinds = {m.ca for m in members}
        if len(kinds) > 1:
            named = ", ".join(f"`{m.id}` has `{m.ca}`" for m in members)
            yield Finding("mixed-cluster", f"{region.name}: {cluster}", f"a failover changes the root under its clients: {named}")


def _waiting(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for one in region.instances:
        if one.ca_pending:
            text = f"`{one.ca_pending}` waits for the window {one.window}, or for the next restart, planned or not"
            yield Finding("ca-waits", _named(one), text, "do it in a wave, or take it back")
        if one.pending:
            named = ", ".join(f"`{p}`" for p in one.pending)
            yield Finding("others-wait", _named(one), f"a change that is applied at once applies these too: {named}")


def _default(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    if region.default and region.default != to and region.authority(to) is not None:
        text = (
            f"new instances, replicas and restores are born on `{region.default}`; a restored cluster cannot be asked for another"
        )
        yield Finding("old-default", region.name, text, f"reroot default-ca --to {to} --region {region.name}")
    for one in region.authorities:
        if one.override and one.override_until is not None and one.override_until < now + NEAR:
            yield Finding(
                "override-ends", region.name, f"the default `{one.id}` ends at {one.override_until:%Y-%m-%d}", blocks=False
            )


def _by_aws_itself(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for one in region.instances:
        for action, date in one.maintenance:
            if action == MANAGED_ROTATION:
                yield Finding(
                    "aws-will-rotate", _named(one), f"AWS changes its CA by itself{f' at {date}' if date else ''}", "be first"
                )


def _leaves(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for one in region.instances:
        if one.leaf_ends is None:
            continue
        if one.ca.endswith(RENEWED):
            if one.leaf_ends < now + HALF_LIFE:
                text = f"its certificate ends at {one.leaf_ends:%Y-%m-%d} and is renewed before: who pins a leaf or an intermediate breaks"
                yield Finding("leaf-is-renewed", _named(one), text, blocks=False)
        elif one.leaf_ends < now + NEAR:
            yield Finding("leaf-ends", _named(one), f"its certificate ends at {one.leaf_ends:%Y-%m-%d}, and nobody renews it")


def _way_back(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    old = from_ca(region, to)
    found = region.authority(old)
    if old and region.authorities and (found is None or found.ends <= now):
        why = "is offered no more" if found is None else f"ended at {found.ends:%Y-%m-%d}"
        yield Finding("one-way", region.name, f"`{old}` {why}: there is no way back to it", blocks=False)


def _other_roots(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for name, host in region.proxies:
        text = "a proxy's certificate is of Amazon Trust Services, not of an RDS CA: its clients need those roots"
        yield Finding("proxy", f"{region.name}: {name}", f"{text} ({host})", "reroot trust bundle --for aws-proxy", blocks=False)
    for name, host in region.serverless:
        text = "Aurora Serverless v1 has a certificate of Amazon Trust Services, not of an RDS CA: its clients need those roots"
        yield Finding(
            "serverless-v1", f"{region.name}: {name}", f"{text} ({host})", "reroot trust bundle --for aws-proxy", blocks=False
        )
    for name, members in region.global_clusters:
        regions = sorted({arn.split(":")[3] for arn in members if arn.count(":") > 5})
        if len(regions) > 1:
            text = f"a failover between {', '.join(regions)} changes the root: its clients need the roots of all of them"
            yield Finding("global-cluster", name, text, blocks=False)
    for source, target in region.deployments:
        text = f"takes the place of `{source}` with the CA that it was born with: check it before the switch-over"
        yield Finding("blue-green", f"{region.name}: {target}", text, blocks=False)


def _not_enforced(region: Region, to: str, now: datetime) -> Iterator[Finding]:
    for one in region.instances:
        if one.force_ssl == "0":
            yield Finding(
                "tls-not-forced", _named(one), "`rds.force_ssl` is 0: a client that loses TLS goes on in plaintext", blocks=False
            )


LOOKS: tuple[Look, ...] = (
    _on_another_ca, _born_elsewhere, _not_offered, _not_supported, _mixed_clusters, _waiting, _default, _by_aws_itself, _leaves, _way_back,
    _other_roots, _not_enforced,
)  # fmt: skip


def _written_down(scanned: Sequence[Mapping[str, object]], to: str) -> Iterator[Finding]:
    """Infrastructure code that names another CA: its next run takes the rotation back."""
    for one in scanned:
        if one.get("rule") == LITERAL and _identifier(str(one.get("roots"))) != to:
            text = f"names `{one.get('roots')}`: its next run takes the rotation back"
            yield Finding(
                "code-reverts", f"{one.get('path')}:{one.get('line')}", text, "`reroot emit terraform` says what it must say"
            )


def _identifier(written: str) -> str:
    """The CA's id, as the API has it, of what code calls it: CDK says ``CaCertificate.RDS_CA_RSA2048_G1``."""
    found = _CA_ID.search(written)
    return found[0].lower().replace("_", "-") if found else written


def _named(one: Instance) -> str:
    return f"{one.region}: {one.id}"


def _clusters(instances: Iterable[Instance]) -> dict[str, list[Instance]]:
    found: dict[str, list[Instance]] = {}
    for one in instances:
        if one.cluster:
            found.setdefault(one.cluster, []).append(one)
    return found
