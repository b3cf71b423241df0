"""Every driver meets hostile settings with its own error or with settings, never with a crash."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.errors import SettingsError
from reroot.model import Given
from tests.drivers.tables import LOOK

HEADS = (
    "", "postgresql://", "postgres://u:hunter2@h/db?", "jdbc:postgresql://", "r2dbc:postgresql://", "pgsql:", "dbi:Pg:", "asyncpg://",
    "postgresql+asyncpg://", "service=", "Driver=", "host=",
)  # fmt: skip
TAILS = (
    "\0", "\ud800", "x" * 1_000_001, "[" * 300, "]" * 300, "{" * 300, "}" * 300, "%" * 300, "=" * 300, "&" * 300, ";" * 300,
    "'" * 300, "\\" * 300, "@" * 300, ":" * 300, "," * 300, "/" * 300, "?a=1" * 300, "(" * 300, "ﷺ" * 100, "\u2100", "\u202e",
    "h:99999999999999999999", "h:٣", "[::1%25eth0]", "%zz%00", "sslmode=\n", "ssl=true&ssl=false", "host=/x&port=-1",
)  # fmt: skip
WORDS = ("host", "port", "ssl", "sslmode", "sslrootcert", "ssl_context", "database.hostname", "connection.url", "url", "config", "OPTIONS", "server_tls_sslmode")
VALUES = (None, True, -1, 1e308, "", "\0", "\ud800", "x" * 10_000, [], ["a", "b"], {}, {"a": {"b": {}}}, b"bytes")


def tried(given: Given) -> None:
    driver = drivers.find(given.driver)
    for one in driver.possible(given):
        try:
            settings = driver.read(one)
        except SettingsError as error:
            assert "hunter2" not in error.message  # noqa: PT017 -- an error is one of two good ends
            continue
        driver.policy(one, settings)
        assert "hunter2" not in repr(settings)


# Another driver's URL, given to Npgsql, is kept as an unknown key with the password in it.
NAMES = drivers.names()


@pytest.mark.parametrize("name", NAMES)
def test_hostile_strings_are_errors_or_settings(name):
    for head in HEADS:
        for tail in TAILS:
            tried(Given(name, dsn=head + tail, home="/home", files=LOOK))


@pytest.mark.parametrize("name", drivers.names())
def test_hostile_options_are_errors_or_settings(name):
    for word in WORDS:
        for value in VALUES:
            tried(Given(name, options={word: value}, home="/home", files=LOOK))
