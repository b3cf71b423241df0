"""
The CA that new instances of a region are born on: AWS's own choice, or what the account set in its place.

It holds for every instance that is created without a CA, of every engine, and for all restores of clusters, which cannot name one.
Asking twice does no harm, so a lost answer is asked again; whether it worked is told by another look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..collect import aws
from ..collect._awsapi import Api, Refused, Unsure
from ..errors import ProviderError, RerootError

TRIES = 5


@dataclass(frozen=True, slots=True)
class Default:
    """``ca`` is what an instance without one gets; ``overridden`` when the account said so, ``until`` how long that holds."""

    region: str
    ca: str
    overridden: bool = False
    until: datetime | None = None
    offered: tuple[str, ...] = ()


def look(rds: Api) -> Default:
    """As it is now. ``ReachError`` where it cannot be read."""
    authorities, ca = aws.authorities(rds)
    ours = next((a for a in authorities if a.override), None)
    return Default(rds.region, ca, ours is not None, ours.override_until if ours else None, tuple(a.id for a in authorities))


def against(now: Default, ca: str) -> str:
    """What speaks against setting it to *ca*; ``""`` when nothing does."""
    if not ca or ca in now.offered:
        return ""
    return f"`{ca}` is no CA of {now.region}: it offers {', '.join(f'`{id}`' for id in now.offered) or 'none'}"


def is_so(now: Default, ca: str) -> bool:
    """Whether it is *ca* already; an empty *ca* is AWS's own choice."""
    return now.ca == ca if ca else not now.overridden


def change(rds: Api, ca: str) -> Default:
    """Set it to *ca*, or with an empty one leave it to AWS again, and look; raises when it is not seen to have become so."""
    given: dict[str, object] = {"CertificateIdentifier": ca} if ca else {"RemoveCustomerOverride": True}
    last = ""
    for _ in range(TRIES):
        try:
            rds.change("ModifyCertificates", **given)
        except Unsure as lost:
            last = str(lost)
        except Refused as refused:
            raise ProviderError(refused.message, where=rds.region, hint=refused.hint, step="ModifyCertificates") from None
        try:
            now = look(rds)
        except RerootError as error:
            last = error.message
            continue
        if is_so(now, ca):
            return now
        last = f"it is still `{now.ca}`"
    raise Unsure(last)
