"""AWS's partitions: the table is botocore's, and what is made of it is right in each of them."""

from __future__ import annotations

import pytest

from reroot.authorities._partitions import PARTITIONS, in_arn, of, of_address
from reroot.collect.scan._steps import CURRENT, FROZEN

BY_ID = {p.id: p for p in PARTITIONS}
COMMERCIAL = "https://truststore.pki.rds.amazonaws.com"
GOVCLOUD = "https://truststore.pki.us-gov-west-1.rds.amazonaws.com"
CHINA = "https://rds-truststore.s3.cn-north-1.amazonaws.com.cn"


def test_the_table_is_botocores() -> None:
    loaders = pytest.importorskip("botocore.loaders", reason="not exercised: botocore is not installed")
    said = loaders.create_loader().load_data("partitions")["partitions"]
    told = {p["id"]: (p["outputs"]["dnsSuffix"], {r for r in p["regions"] if not r.endswith("-global")}) for p in said}
    assert {p.id: p.suffix for p in PARTITIONS} == {id: suffix for id, (suffix, _) in told.items()}
    assert {(of(r).id, r) for _, names in told.values() for r in names} == {(id, r) for id, (_, names) in told.items() for r in names}
    assert {p.id: p.first in told[p.id][1] for p in PARTITIONS} == dict.fromkeys(told, True)


@pytest.mark.parametrize(
    ("region", "id", "bundle"),
    [
        ("eu-west-1", "aws", f"{COMMERCIAL}/eu-west-1/eu-west-1-bundle.pem"),
        ("us-east-1", "aws", f"{COMMERCIAL}/us-east-1/us-east-1-bundle.pem"),
        ("", "aws", f"{COMMERCIAL}/global/global-bundle.pem"),
        ("us-gov-west-1", "aws-us-gov", f"{GOVCLOUD}/us-gov-west-1/us-gov-west-1-bundle.pem"),
        ("us-gov-east-1", "aws-us-gov", f"{GOVCLOUD}/us-gov-east-1/us-gov-east-1-bundle.pem"),
        ("cn-north-1", "aws-cn", f"{CHINA}/cn-north-1/cn-north-1-bundle.pem"),
        ("cn-northwest-1", "aws-cn", f"{CHINA}/cn-northwest-1/cn-northwest-1-bundle.pem"),
        ("us-iso-east-1", "aws-iso", ""),
        ("us-isob-east-1", "aws-iso-b", ""),
        ("eusc-de-east-1", "aws-eusc", ""),
    ],
    ids=str,
)
def test_a_region_tells_its_partition_and_where_its_roots_are_published(region: str, id: str, bundle: str) -> None:
    assert of(region).id == id
    assert of(region).bundle(region) == bundle


@pytest.mark.parametrize(
    ("region", "word"),
    [
        ("eu-west-1", "aws"),
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-north-1", "aws-cn"),
        ("*", "*"),
        ("us-*", "*"),
        ("us-g?v-west-1", "*"),
        ("us-gov-*", "aws-us-gov"),
        ("cn-*", "aws-cn"),
    ],
    ids=str,
)
def test_an_arn_is_of_one_partition_or_where_several_may_be_meant_of_any(region: str, word: str) -> None:
    assert in_arn(region) == word


@pytest.mark.parametrize(
    ("address", "id"),
    [
        ("https://s3.amazonaws.com/rds-downloads/rds-combined-ca-bundle.pem", "aws"),
        ("https://s3.eu-west-1.amazonaws.com/rds-downloads/us-gov-west-1.pem", "aws"),
        ("https://s3.us-gov-west-1.amazonaws.com/rds-downloads/rds-combined-ca-us-gov-bundle.pem", "aws-us-gov"),
        ("https://s3-us-gov-west-1.amazonaws.com/rds-downloads/rds-combined-ca-us-gov-bundle.pem", "aws-us-gov"),
        ("https://s3.cn-north-1.amazonaws.com.cn/rds-downloads/rds-combined-ca-cn-bundle.pem", "aws-cn"),
        ("https://rds-downloads.s3.amazonaws.com.cn/rds-cn-ca-2019-root.pem", "aws-cn"),
        ("https://rds-downloads.s3.eusc-de-east-1.amazonaws.eu/x.pem", "aws-eusc"),
    ],
    ids=str,
)
def test_an_address_tells_its_partition_by_its_host(address: str, id: str) -> None:
    assert of_address(address).id == id


@pytest.mark.parametrize("id", ["aws", "aws-us-gov", "aws-cn"])
def test_the_scanner_knows_the_addresses_that_are_named_in_place_of_frozen_ones(id: str) -> None:
    address = BY_ID[id].bundle()
    assert CURRENT.fullmatch(address)
    assert not FROZEN.search(address)
