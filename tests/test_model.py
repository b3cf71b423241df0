"""The nouns keep their promises: a secret is never shown."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reroot.model import Endpoint, Place, Secret, Setting

WAYS = {
    "str": str,
    "repr": repr,
    "format": lambda s: f"{s:>12}",
    "percent": lambda s: "%s %r" % (s, s),  # noqa: UP031
    "pickle": lambda s: pickle.dumps(s).decode("latin-1"),
    "deepcopy": lambda s: repr(copy.deepcopy(s)),
    "json": lambda s: json.dumps(s, default=str),
    "msgspec": lambda s: msgspec.json.encode(s, enc_hook=str).decode(),
    "in-a-setting": lambda s: repr(Setting(s, "dsn")) + Setting(s, "dsn").text,
    "vars": lambda s: repr(getattr(s, "__dict__", "")),
}


@pytest.mark.parametrize("way", WAYS)
@given(value=st.text(min_size=4))
def test_a_secret_is_stars_in_every_form(way, value):
    assert WAYS[way](Secret(value)) == WAYS[way](Secret("another"))


def test_a_secret_does_not_change_and_can_be_compared():
    secret = Secret("a")
    assert secret == Secret("a")
    assert secret != Secret("b")
    with pytest.raises(AttributeError):
        secret._value = "b"


def test_a_secret_is_not_told_by_a_traceback():
    word = "".join(("hunt", "er2"))
    try:
        raise ValueError(Secret(word))
    except ValueError:
        assert word not in traceback.format_exc()


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        pytest.param(Endpoint("/tmp"), True, id="path"),
        pytest.param(Endpoint("@x"), True, id="abstract"),
        pytest.param(Endpoint(), True, id="nothing"),
        pytest.param(Endpoint("db"), False, id="name"),
        pytest.param(Endpoint("", "127.0.0.1"), False, id="address"),
        pytest.param(Endpoint("/tmp", "127.0.0.1"), False, id="an-address-wins"),
    ],
)
def test_a_socket_is_told_from_a_host(endpoint, expected):
    assert endpoint.is_unix_socket is expected


def test_a_place_reads_like_a_compilers():
    assert str(Place("/etc/db.env", 14)) == "/etc/db.env:14"
    assert str(Place("/etc/db.env")) == "/etc/db.env"
