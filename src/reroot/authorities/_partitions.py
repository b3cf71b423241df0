"""
AWS's partitions: groups of regions that share nothing, each with ARNs, host names and published roots of its own.

Ids, the regions' names and the endings of host names are those of botocore's ``partitions.json``, and a test compares them with it.
The addresses of roots are AWS's and GovCloud's by the RDS user guide ("Using SSL/TLS"); China's by Teleport's database service
(``lib/srv/db/ca.go``), which cites China's edition of it. Where nothing that we could read names an address there is none here: a guess
would be an address that nobody watches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partition:
    """``begins`` is what the names of its regions begin with, and ``suffix`` what its host names end with.

    ``first`` is a region that is on in every account of it. ``roots`` is where its RDS roots are published, ``""`` where we do not
    know.
    """

    id: str
    title: str
    begins: str
    suffix: str
    first: str
    roots: str = ""

    def bundle(self, region: str = "") -> str:
        """The address of the roots of *region*, or of all its regions; ``""`` where we do not know it."""
        return f"{self.roots}/{region or 'global'}/{region or 'global'}-bundle.pem" if self.roots else ""


PARTITIONS = (
    Partition(
        "aws-cn", "AWS China", "cn-", "amazonaws.com.cn", "cn-northwest-1", "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn"
    ),
    Partition(
        "aws-us-gov", "AWS GovCloud (US)", "us-gov-", "amazonaws.com", "us-gov-west-1",
        "https://truststore.pki.us-gov-west-1.rds.amazonaws.com",
    ),
    Partition("aws-eusc", "AWS European Sovereign Cloud", "eusc-", "amazonaws.eu", "eusc-de-east-1"),
    Partition("aws-iso", "AWS ISO (US)", "us-iso-", "c2s.ic.gov", "us-iso-east-1"),
    Partition("aws-iso-b", "AWS ISOB (US)", "us-isob-", "sc2s.sgov.gov", "us-isob-east-1"),
    Partition("aws-iso-e", "AWS ISOE (Europe)", "eu-isoe-", "cloud.adc-e.uk", "eu-isoe-west-1"),
    Partition("aws-iso-f", "AWS ISOF", "us-isof-", "csp.hci.ic.gov", "us-isof-south-1"),
    Partition("aws", "AWS", "", "amazonaws.com", "us-east-1", "https://truststore.pki.rds.amazonaws.com"),
)  # fmt: skip
"""The most particular first: what is of no other is AWS's own."""

COMMERCIAL = PARTITIONS[-1]


def of(region: str) -> Partition:
    """The partition of a region, by its name."""
    return next(p for p in PARTITIONS if region.startswith(p.begins))


def of_address(text: str) -> Partition:
    """The partition that an address is of, by its host and by the region in it."""
    host = re.sub(r"^\w+://", "", text).partition("/")[0].lower()
    named = (p for p in PARTITIONS if p.begins and re.search(rf"(?<![a-z0-9]){re.escape(p.begins)}[a-z-]+\d", host))
    by_end = (p for p in PARTITIONS if p.suffix != COMMERCIAL.suffix and re.search(rf"(?:^|\.){re.escape(p.suffix)}$", host))
    return next(named, None) or next(by_end, COMMERCIAL)


def in_arn(region: str) -> str:
    """What stands for the partition in an ARN of *region*, which may be a pattern of IAM's: ``*`` where it may be of several.

    IAM takes a wildcard in every segment of an ARN but the service's, and an account is in one partition: a ``*`` gives no right more.
    """
    head = re.split(r"[*?]", region, maxsplit=1)[0]
    found = next((p for p in PARTITIONS if p.begins and head.startswith(p.begins)), None)
    if found is not None:
        return found.id
    return "*" if head != region else COMMERCIAL.id
