"""
One change of the CA of one RDS instance, from the call to what the server shows.

Nothing is called twice without a look in between. A call whose answer is not known is followed by describes and handshakes,
for as long as RDS's describes may lag behind; only then it is asked again, and in the end given back as ``Unsure``: whoever drives
the rotation looks once more. The API's word ends the wait, a handshake confirms it; whether that is enough is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..collect import aws
from ..collect._awsapi import LOCKED_OUT, Api, Refused, Unsure
from ..collect.probe import Target, probe
from ..errors import ProviderError, ReachError
from ..pki.certificate import Certificate
from ..pki.foreseen import leads_to
from ._provider import Notes, Site

BUSY = frozenset({"InvalidDBInstanceState", "InvalidDBClusterStateFault"})
TRIES = 4
GONE = frozenset({"DBInstanceNotFound", "DBClusterNotFoundFault"})


@dataclass(frozen=True)
class Wanted:
    """Which CA *instance* is to have, the root that its chain must then lead to, and how long may be waited, in seconds.

    ``cluster`` names a Multi-AZ DB cluster, whose members change together. ``flush`` agrees to other pending changes.
    """

    instance: str
    ca: str
    root: Certificate
    cluster: str = ""
    flush: bool = False
    wait: float = 1200.0
    settle: float = 60.0
    doubt: float = 90.0
    poll: float = 5.0


def change(rds: Api, site: Site, wanted: Wanted) -> Notes:
    """Bring the instance to the wanted CA, unless it is there already."""
    until = rds.clock.now() + wanted.wait
    one = _settled(rds, wanted, until)
    if one.ca == wanted.ca and not one.ca_pending and shows(site, wanted.root):
        return (f"`{wanted.instance}` has `{wanted.ca}` already",)
    if one.pending and not wanted.flush:
        raise ProviderError(
            f"other changes are pending and would be applied with it: {', '.join(f'`{p}`' for p in one.pending)}",
            where=site.name,
            hint="let them be applied first, or agree to it: `flush = true`",
        )
    begun = _ask(rds, site, wanted, one, until)
    flushed = (f"applied with it: {', '.join(f'`{p}`' for p in one.pending)}",) if one.pending else ()
    return (f"{begun}: `{one.ca}` → `{wanted.ca}`", *flushed, *_await(rds, site, wanted, until))


def request(wanted: Wanted) -> tuple[str, Mapping[str, object]]:
    """The one call that changes it. A restart is never declined: a certificate that waits for one comes with the next failover."""
    if wanted.cluster:
        return "ModifyDBCluster", {
            "DBClusterIdentifier": wanted.cluster,
            "CACertificateIdentifier": wanted.ca,
            "ApplyImmediately": True,
        }
    return "ModifyDBInstance", {
        "DBInstanceIdentifier": wanted.instance,
        "CACertificateIdentifier": wanted.ca,
        "ApplyImmediately": True,
    }


def by_hand(wanted: Wanted, region: str) -> str:
    """The same call for the AWS command line."""
    operation, _ = request(wanted)
    what = f"modify-db-cluster --db-cluster-identifier {wanted.cluster}" if operation == "ModifyDBCluster" else (
        f"modify-db-instance --db-instance-identifier {wanted.instance}"
    )  # fmt: skip
    return f"aws rds {what} --ca-certificate-identifier {wanted.ca} --apply-immediately --region {region}"


def look(rds: Api, id: str, cluster: str = "") -> aws.Instance:
    """The instance, as a describe of its own has it now; with that of the *cluster* that it is changed with."""
    about = None
    try:
        found = rds.look("DescribeDBInstances", DBInstanceIdentifier=id)["DBInstances"]
        if cluster:
            about = rds.look("DescribeDBClusters", DBClusterIdentifier=cluster)["DBClusters"][0]
    except Refused as refused:
        if refused.code in GONE:
            raise ProviderError(refused.message, where=refused.where, hint=refused.hint) from None
        raise
    return aws.instance(found[0], rds.region, about)


def shows(site: Site, root: Certificate) -> bool:
    """Whether a handshake with every address of the server shows a chain that leads to *root*."""
    answers = list(probe([Target(site.host, site.port, site.address)]))
    return bool(answers) and all(a.chain and leads_to(tuple(map(Certificate, a.chain)), root) for a in answers)


def _ask(rds: Api, site: Site, wanted: Wanted, before: aws.Instance, until: float, tries: int = TRIES) -> str:
    """Ask for the change; again only after looks have shown, for as long as they may lag behind, that nothing came of it."""
    operation, given = request(wanted)
    try:
        rds.change(operation, **given)
    except Unsure:
        if not _has_begun(rds, site, wanted, before):
            if tries == 1 or rds.clock.now() > until:
                raise
            return _ask(rds, site, wanted, before, until, tries - 1)
        return f"`{operation}` got no answer, but was done"
    except Refused as refused:
        if refused.code in BUSY and rds.clock.now() < until:  # a describe that was out of date said that it is available
            rds.clock.wait(wanted.poll)
            return _ask(rds, site, wanted, _settled(rds, wanted, until), until, tries)
        raise ProviderError(refused.message, where=site.name, hint=refused.hint, step=operation) from None
    return f"`{operation}` was taken"


def _has_begun(rds: Api, site: Site, wanted: Wanted, before: aws.Instance) -> bool:
    """Looks for a sign of a change whose answer was lost, until no describe can be that much out of date.

    What was said *before* the call is no sign of it: an API that was wrong then is wrong now.
    """
    said = (before.ca, before.ca_pending)

    def sign(one: aws.Instance) -> bool:
        is_news = (one.ca, one.ca_pending) != said and wanted.ca in (one.ca, one.ca_pending)
        return is_news or one.status != "available" or shows(site, wanted.root)

    return _after(rds, wanted, rds.clock.now() + wanted.doubt, sign) is not None


def _settled(rds: Api, wanted: Wanted, until: float) -> aws.Instance:
    """The instance, once it is available: nothing else can be asked of it before."""
    found = _until(rds, wanted, until, lambda one: one.status == "available" or aws.is_stuck(one))
    if found is None or aws.is_stuck(found):
        one = found or look(rds, wanted.instance)
        raise ProviderError(f"`{wanted.instance}` is `{one.status}`, and did not become available", where=wanted.instance)
    return found


def _await(rds: Api, site: Site, wanted: Wanted, until: float) -> Notes:
    """Wait for the API's word and for the handshake; when one of them has come, the other gets ``settle`` seconds more."""
    half: float | None = None
    said = shown = False

    def both(one: aws.Instance) -> bool:
        nonlocal half, said, shown
        said = one.ca == wanted.ca and not one.ca_pending and one.status == "available"
        shown = shows(site, wanted.root)
        if said != shown and half is None:
            half = rds.clock.now() + wanted.settle
        elif said == shown:
            half = None
        return (said and shown) or (half is not None and rds.clock.now() > half)

    if _after(rds, wanted, until, both) is None:
        raise Unsure(f"`{wanted.instance}` is not done after {wanted.wait:g} s")
    if not shown:
        return ("the API says that it is done, but a handshake still shows another root",)
    return () if said else ("a handshake shows the wanted root, although the API does not say so",)


def _after(rds: Api, wanted: Wanted, until: float, holds: Callable[[aws.Instance], bool]) -> aws.Instance | None:
    """The same once a change was asked for: when nobody can look any more, it may have happened."""
    try:
        return _until(rds, wanted, until, holds)
    except ReachError as error:
        raise Unsure(f"it was asked for, and cannot be looked at any more: {error.message}") from None


def _until(rds: Api, wanted: Wanted, until: float, holds: Callable[[aws.Instance], bool]) -> aws.Instance | None:
    """Describe again and again until *holds*; None when the time is over. A look that fails is no answer, unless it goes on failing."""
    failed: ReachError | None = None
    while True:
        try:
            one = look(rds, wanted.instance, wanted.cluster)
            failed = None
            if holds(one):
                return one
        except ReachError as error:
            if isinstance(error, Refused) and error.code in LOCKED_OUT:
                raise
            failed = error
        if rds.clock.now() > until:
            if failed is not None:
                raise failed
            return None
        rds.clock.wait(wanted.poll)
