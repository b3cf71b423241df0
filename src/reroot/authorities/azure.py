"""
Azure Database for PostgreSQL: public roots that Microsoft names for it.

DigiCert Global Root CA is the one being left, DigiCert Global Root G2 and Microsoft RSA Root Certificate Authority 2017 are the
two to trust. All three are in Mozilla's list; these copies come from Debian's ca-certificates 20230311.
"""

from __future__ import annotations

from ..pki.certificate import Certificate
from ._family import Family, Root


def describe(certificate: Certificate) -> Root:
    return Root(certificate, certificate.title.lower().replace(" ", "-"), is_root=certificate.is_self_issued)


FAMILY = Family(
    word="azure",
    title="Azure Database for PostgreSQL",
    source="Mozilla's CA list by way of Debian ca-certificates 20230311; Microsoft Learn, root certificate rotation",
    file="azure",
    addresses=("https://cacerts.digicert.com/DigiCertGlobalRootG2.crt.pem",),
    describe=describe,
)
