"""The shipped families: data that is what its pinned fingerprints say, and the smallest bundle that serves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reroot import authorities
from reroot.errors import InputError

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FAMILIES = authorities.families()


@pytest.mark.parametrize("word", sorted(FAMILIES))
def test_every_shipped_certificate_is_pinned_and_every_pin_is_shipped(word: str) -> None:
    family = FAMILIES[word]
    assert {root.certificate.fingerprint for root in family.roots} == family.pinned
    assert family.source


@pytest.mark.parametrize("word", sorted(FAMILIES))
def test_a_family_has_roots_or_says_how_to_get_them(word: str) -> None:
    assert FAMILIES[word].roots or FAMILIES[word].hint


def test_every_rds_certificate_is_understood() -> None:
    roots = FAMILIES["aws"].roots
    assert len(roots) == 115
    assert [root.certificate.title for root in roots if not root.id] == []
    assert sum(bool(root.stage) for root in roots) == 10
    assert {root.id for root in roots} == {"rds-ca-2019", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"}


@pytest.mark.parametrize("region", FAMILIES["aws"].regions)
def test_a_region_needs_three_of_the_115(region: str) -> None:
    chosen = FAMILIES["aws"].select(region, NOW)
    assert sorted(root.id for root in chosen) == ["rds-ca-ecc384-g1", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"]
    assert all(root.certificate.is_valid_at(NOW) and not root.stage and root.certificate.is_self_signed for root in chosen)
    assert all(region in root.certificate.title for root in chosen)


def test_before_it_expired_the_2019_root_was_needed_too() -> None:
    chosen = FAMILIES["aws"].select("eu-west-1", datetime(2024, 1, 1, tzinfo=UTC))
    assert {root.id for root in chosen} >= {"rds-ca-2019", "rds-ca-rsa2048-g1"}


@pytest.mark.parametrize("text", ["aws:eu-west-9", "aws:mars", "nobody"])
def test_an_unknown_place_is_an_error_with_a_hint(text: str) -> None:
    def ask() -> object:
        family, region = authorities.find(text)
        return family.select(region, NOW)

    with pytest.raises(InputError) as error:
        ask()
    assert error.value.hint


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("us-gov-west-1", "truststore.pki.us-gov-west-1.rds.amazonaws.com/us-gov-west-1/us-gov-west-1-bundle.pem"),
        ("cn-northwest-1", "rds-truststore.s3.cn-north-1.amazonaws.com.cn/cn-northwest-1/cn-northwest-1-bundle.pem"),
        ("us-iso-east-1", "the file that its RDS guide names"),
        ("eu-west-9", "did you mean"),
    ],
    ids=str,
)
def test_a_region_whose_roots_are_published_apart_is_an_error_that_says_where(region: str, says: str) -> None:
    with pytest.raises(InputError, match=f"`{region}` is no region") as error:
        FAMILIES["aws"].select(region, NOW)
    assert says in error.value.hint


def test_an_unknown_root_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(InputError, match="rds-ca-2030") as error:
        FAMILIES["aws"].select("eu-west-1", NOW, ids=("rds-ca-2030",))
    assert "`rds-ca-rsa2048-g1`" in error.value.hint
