"""Names are resolved in the background, and no answer is lost."""

from __future__ import annotations

import select
import socket

import pytest

from reroot.collect._names import Names, literal, resolve


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("db1.example.com", None),
        ("127.1", None),
        ("", None),
        ("01.2.3.4", None),
    ],
)
def test_an_address_is_told_from_a_name(host, address):
    assert literal(host) == address


def test_every_name_is_answered_and_the_asker_is_woken():
    asked = [f"{'x' * 64}{i}" for i in range(40)] + ["localhost"]
    found = {}
    with Names() as names:
        for name in asked:
            names.ask(name)
        while names.pending:
            assert select.select([names.wake], [], [], 30)[0]
            found.update(names.answers())
    assert set(found) == set(asked)
    assert "127.0.0.1" in found["localhost"]
    assert all(isinstance(found[name], UnicodeError | socket.gaierror) for name in asked[:-1])


def test_a_name_gives_each_of_its_addresses_once():
    found = resolve("localhost")
    assert isinstance(found, tuple)
    assert len(found) == len(set(found))
