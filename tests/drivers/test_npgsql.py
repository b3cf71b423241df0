"""Npgsql: each row of its table, from its source: tags v4.0 to v10.0."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.errors import SettingsError
from reroot.model import Given
from tests.drivers.tables import client, rows_have_sources, said

# connection string, then with 5, 7, 9 and 10; "db" stands for the host
ROWS = [
    ("", "plain", "prefer plain-ok", "prefer plain-ok", "prefer plain-ok"),
    ("SSL Mode=Disable", "plain", "plain", "plain", "plain"),
    ("SSL Mode=Allow", "error", "allow plain-ok", "allow plain-ok", "allow plain-ok"),
    ("SSL Mode=Prefer", "prefer full system plain-ok", "prefer plain-ok", "prefer plain-ok", "prefer plain-ok"),
    ("SSL Mode=Require", "tls full system", "error", "tls", "tls"),
    ("SslMode=require;Trust Server Certificate=true", "tls", "tls", "tls", "tls"),
    ("SSL Mode=VerifyCA", "error", "tls chain system", "tls chain system", "tls chain system"),
    ("ssl mode=verifyfull", "error", "tls full system", "tls full system", "tls full system"),
    ("SSL Mode=verify-full", "error", "error", "error", "error"),
    ("SSL Mode=VerifyFull;Root Certificate=/r.pem", "error", "tls full setting+system", "tls full setting+system", "tls full setting"),
    ("SSL Mode=Require;Root Certificate=/r.pem", "tls full setting+system", "error", "tls", "tls"),
    ("sslrootcert=/r.pem", "error", "error", "error", "error"),
    ("SSL Mode=VerifyFull;Odd Word=1", "error", "undecidable", "undecidable", "undecidable"),
    ("SSL Mode=VerifyFull;SSL Mode=Disable", "plain", "plain", "plain", "plain"),
]


@pytest.mark.parametrize(("text", "five", "seven", "nine", "ten"), ROWS, ids=[r[0] or "nothing" for r in ROWS])
def test_a_mode_means_something_else_in_each_generation(text, five, seven, nine, ten):
    found = [said(client("npgsql", version, f"Host=db;{text}")) for version in ("5.0.18", "7.0.10", "9.0.3", "10.0.0")]
    assert found == [five, seven, nine, ten]


def test_the_default_root_file_and_the_environment_count_from_6_and_5_on():
    verify = "Host=db;SSL Mode=VerifyFull"
    assert said(client("npgsql", "10.0.0", verify, home="/home")) == "tls full default"
    assert said(client("npgsql", "10.0.0", verify, home="/home", env={"PGSSLROOTCERT": "/r.pem"})) == "tls full env"
    assert said(client("npgsql", "9.0.0", "Host=db", env={"PGSSLMODE": "verify-full"})) == "prefer plain-ok"


STRINGS = [
    ("Host=a;Port=1", {"Host": "a", "Port": "1"}),
    (" Host = a ; ", {"Host": "a"}),
    ("Password='a;b''c'", {"Password": "a;b'c"}),
    ('Password="a;b""c"', {"Password": 'a;b"c'}),
    ("a==b=c", {"a=b": "c"}),
    ("A=1;A=2", {"A": "2"}),
    ("", {}),
    (";;", {}),
]


@pytest.mark.parametrize(("text", "expected"), STRINGS)
def test_a_connection_string_is_read_as_dotnet_reads_it(text, expected):
    from reroot.drivers.npgsql import parse

    assert parse(text) == expected


@pytest.mark.parametrize("text", ["Host", "=a", "Host='a", 'Host="a', "x" * 100_000, "'" * 50_001, "a" + " " * 200_000 + "b", "=" * 200_000, "x" * 2_000_000])
def test_a_damaged_string_is_an_error_without_its_text(text):
    from reroot.drivers.npgsql import parse

    with pytest.raises(SettingsError) as caught:
        parse(f"Password=hunter2;{text}")
    assert "hunter2" not in caught.value.message


def test_passwords_are_hidden_and_sources_named():
    given = client("npgsql", "10.0.0", "Host=db;Password=hunter2")
    assert "hunter2" not in repr(drivers.find("npgsql").read(given))
    assert rows_have_sources("npgsql", given)


def test_versions_outside_the_rules_are_none():
    assert drivers.find("npgsql").possible(Given("npgsql", "3.2.7")) == ()
    assert drivers.find("npgsql").possible(Given("npgsql", "11.0.0")) == ()


@pytest.mark.parametrize(("runtime", "family"), [({"os": "linux"}, "dotnet-linux"), ({}, "dotnet"), ({"os": "windows"}, "dotnet")])
def test_what_was_run_on_linux_is_said_of_linux_alone(runtime, family):
    driver = drivers.find("npgsql")
    assert driver is not None
    given = Given("npgsql", "9.0.0", runtime, "Host=db;SSL Mode=VerifyFull")
    assert driver.policy(given, driver.read(given)).stack.family == family
