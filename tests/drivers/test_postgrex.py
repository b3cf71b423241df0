"""Postgrex: each row of its table, from its source and changelog."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said

ROWS = [
    ("0.20.0", "27", {}, "plain"),
    ("0.20.0", "27", {"ssl": False}, "plain"),
    ("0.20.0", "27", {"ssl": True}, "tls"),
    ("0.20.0", "27", {"ssl": {"cacertfile": "/r.pem"}}, "tls full setting"),
    ("0.20.0", "27", {"ssl": {"verify": ":verify_none"}}, "tls"),
    ("0.20.0", "27", {"ssl": {"cacertfile": "/r.pem", "verify_fun": "f"}}, "undecidable"),
    ("0.17.5", "25", {"ssl": True}, "tls"),
    ("0.17.5", "27", {"ssl": True}, "undecidable"),
    ("0.17.5", "25", {"ssl": True, "ssl_opts": {"cacertfile": "/r.pem"}}, "tls"),
    ("0.17.5", "25", {"ssl": True, "ssl_opts": {"verify": ":verify_peer", "cacertfile": "/r.pem"}}, "undecidable"),
    ("0.20.0", "27", {"url": "ecto://u@db/x?ssl=true"}, "tls"),
    ("0.20.0", "27", {"url": "ecto://u@db/x?ssl=odd"}, "error"),
    ("0.20.0", "27", {"url": "ecto://u@db/x?ssl=false", "ssl": True}, "plain"),
    ("0.20.0", "27", {"socket_dir": "/tmp", "ssl": True}, "tls"),
]


@pytest.mark.parametrize(("version", "otp", "options", "expected"), ROWS)
def test_only_a_list_of_options_verifies(version, otp, options, expected):
    assert said(client("postgrex", version, options={"hostname": "db", **options}, runtime={"otp": otp})) == expected


def test_versions_outside_the_rules_are_none():
    assert drivers.find("postgrex").possible(Given("postgrex", "0.15.0")) == ()
