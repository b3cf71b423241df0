"""
RDS and Aurora: the CA of an instance, changed through AWS's API.

The CA is a property of each instance, of an Aurora cluster's members too; only a Multi-AZ DB cluster changes as a whole. AWS makes
the server's certificate at the change, so only its root is known beforehand. The API's "available" is a hint.

Options in the inventory:

    instance, region      the DB instance identifier and its region
    ca, old_ca            the CA ids of the next and the old root there (`rds-ca-rsa2048-g1`)
    cluster               for a member of a Multi-AZ DB cluster: the cluster, which is changed in its place
    profile, role         the AWS profile, and the role that is assumed with it
    endpoint_url          another door than AWS's own; a stand-in's, for practice
    restart, flush, one_way   agree to a restart, to other pending changes being applied too, to there being no way back
    log                   false: do without the instance's log, which names who refused the new certificate
    wait, settle, doubt, poll, watch   seconds: for the whole change; for the second of API and handshake; for a lost answer;
                          between looks; for the server's log after a cut-over
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, replace
from datetime import datetime

from ..collect import aws
from ..collect._awsapi import Api, Login, api
from ..collect.inventory import decode
from ..errors import ProviderError, ReachError, RerootError, RollbackFailed
from ..pki.certificate import Certificate
from . import _rdschange, _rdslogs, _rdsstage
from ._provider import Found, Notes, Provider, Site

FRESH = 10.0
"""Seconds for which one picture of a region serves: five hundred servers are discovered by a handful of calls."""
KNOWN = 300.0
"""Seconds for which a region's CAs and engine versions are taken as they were: an instance is described afresh before its turn."""


@dataclass(frozen=True)
class Options:
    instance: str
    region: str
    ca: str
    old_ca: str
    cluster: str = ""
    profile: str = ""
    role: str = ""
    endpoint_url: str = ""
    restart: bool = False
    flush: bool = False
    one_way: bool = False
    log: bool = True
    wait: float = 1200.0
    settle: float = 60.0
    doubt: float = 90.0
    poll: float = 5.0
    watch: float = 60.0

    @property
    def api(self) -> Api:
        return api(Login(self.profile, self.role, self.endpoint_url), self.region)

    def wanted(self, ca: str, root: Certificate) -> _rdschange.Wanted:
        return _rdschange.Wanted(
            self.instance, ca, root, self.cluster, self.flush, self.wait, self.settle, self.doubt, self.poll
        )  # fmt: skip


def discover(site: Site) -> Found:
    """What the API says of the instance. Its next certificate does not exist yet; its root does."""
    options = _options(site)
    region = picture(options.api)
    one = _instance(region, options.instance, site)
    case = _case(site, options, one, region, datetime.max.replace(tzinfo=site.next_root.not_after.tzinfo))
    siblings = {i.id: i.ca for i in region.instances if one.cluster and i.cluster == one.cluster}
    apart = _rdsstage.siblings_apart(case, siblings)
    return Found(
        configured=(),
        next=(),
        layout=one.ca,
        notes=tuple(filter(None, (*(f"`{p}` is pending" for p in one.pending), apart))),
        issued_by=site.next_root,
        was_issued_by=site.old_root,
        told_next=options.ca in (one.ca, one.ca_pending) and options.ca != options.old_ca,
        peers=tuple((i.id, i.host, i.port) for i in region.instances if i.id in siblings and i.id != one.id),
    )


def stage(site: Site, when: datetime) -> Notes:
    """Ask everything that can be asked beforehand, with a describe of the instance's own."""
    options = _options(site)
    region = picture(options.api, KNOWN)
    case = _case(site, options, _rdschange.look(options.api, options.instance, options.cluster), region, when)
    found = (*_rdsstage.against(case), *(_rdslogs.against(options.api, options.instance) if options.log else ()))
    if found:
        raise ProviderError("; ".join(found), where=site.name, step="stage", hint="nothing was changed")
    return _rdsstage.notes(case)


def cut_over(site: Site) -> Notes:
    options = _options(site)
    return _rdschange.change(options.api, site, options.wanted(options.ca, site.next_root))


def roll_back(site: Site) -> Notes:
    """Back to the old CA: whatever else is pending is not held against it, since somebody waits for this."""
    options = _options(site)
    wanted = replace(options.wanted(options.old_ca, site.old_root), flush=True)
    try:
        return _rdschange.change(options.api, site, wanted)
    except RerootError as error:
        raise RollbackFailed(
            f"the old CA could not be brought back: {error.message}; by hand: `{_rdschange.by_hand(wanted, options.region)}`",
            where=site.name,
            step="roll back",
            hint=error.hint,
        ) from None


def describe(site: Site) -> Notes:
    """The call that would be made, and what is known of its consequences."""
    options = _options(site)
    region = picture(options.api)
    case = _case(site, options, _instance(region, options.instance, site), region, datetime.now(site.next_root.not_after.tzinfo))
    wanted = options.wanted(options.ca, site.next_root)
    return (_rdschange.by_hand(wanted, options.region), *_rdsstage.against(case), *_rdsstage.notes(case))


def refused(site: Site, since: datetime) -> Notes:
    """Whom the server's own log names as having refused its certificate since then; waits ``watch`` seconds for them."""
    options = _options(site)
    if not options.log:
        return ()
    return _rdslogs.refused(options.api, options.instance, since, options.watch, options.poll, _our_address(site))


PROVIDER = Provider(
    title="Amazon RDS and Aurora",
    discover=discover,
    stage=stage,
    cut_over=cut_over,
    roll_back=roll_back,
    describe=describe,
    refused=refused,
    issues=True,
)


# ── inside ───────────────────────────────────────────────────────────────────────────────────────

_pictures: dict[Api, tuple[float, aws.Region]] = {}
_taking = threading.Lock()


def picture(rds: Api, age: float | None = None) -> aws.Region:
    """The region as it was at most *age* (``FRESH``) seconds ago. ``ReachError`` where a part of it cannot be read."""
    with _taking:
        taken, region = _pictures.get(rds, (0.0, None))
        if region is None or rds.clock.now() - taken > (FRESH if age is None else age):
            region = aws.survey(rds, {}, around=False)
            if region.unread:
                where, why = region.unread[0]
                raise ReachError(why, where=where, hint="`reroot emit iam` prints the rights that are needed")
            _pictures[rds] = (rds.clock.now(), region)
        return region


def _our_address(site: Site) -> str:
    """The address that a server sees us come from, as far as this machine knows; nothing is sent."""
    try:
        family, _, _, _, where = socket.getaddrinfo(site.address or site.host, site.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as towards:
            towards.connect(where)
            return str(towards.getsockname()[0])
    except OSError:
        return ""


def _options(site: Site) -> Options:
    return decode(site.options, Options, f"server `{site.name}`: provider")


def _instance(region: aws.Region, id: str, site: Site) -> aws.Instance:
    found = next((i for i in region.instances if i.id == id), None)
    if found is None:
        raise ReachError(
            f"there is no instance `{id}` in {region.name}", where=site.name, hint="it is gone, or in another region or account"
        )
    return found


def _case(site: Site, options: Options, one: aws.Instance, region: aws.Region, when: datetime) -> _rdsstage.Case:
    # A describe of one instance does not know its cluster's engine, and need not: its own tells.
    return _rdsstage.Case(
        one, region, options.ca, options.old_ca, site.old_root, site.next_root, options.cluster,
        options.restart, options.flush, options.one_way, when, site.base,
    )  # fmt: skip
