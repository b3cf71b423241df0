"""Ecto: Postgrex beneath. What it hands over is proven with Postgrex."""

from __future__ import annotations

from reroot import drivers
from reroot.model import Given
from tests.drivers.tables import client, said


def test_ecto_is_postgrex_and_its_url_wins():
    options = {"url": "ecto://u:hunter2@db/x?ssl=true", "ssl": False}
    assert said(client("ecto", "3.12.0", options=options, runtime={"postgrex": "0.20.0", "otp": "27"})) == "tls"


def test_versions_outside_the_rules_are_none():
    assert drivers.find("ecto").possible(Given("ecto", "2.2.0")) == ()
    assert drivers.find("ecto").possible(Given("ecto", "3.12.0", runtime={"postgrex": "1.0.0"})) == ()
