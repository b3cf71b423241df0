"""reroot reads a connection string as the real libpq does, errors included."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot.drivers import _conninfo, _libpq
from reroot.errors import SettingsError
from reroot.model import Secret, Setting
from tests.real import libpq_parser

VERSIONS = sorted(libpq_parser.libraries())

PICKED = [
    "",
    " ",
    "host=db",
    "host = db  port = 5432",
    "sslmode= host=x",
    "sslmode=",
    "host='a'port=1",
    "host='a b' sslmode='verify-full'",
    "host='it''s'",
    "host='it\\'s' port=1",
    "host=a\\ b",
    "host=a\\",
    "host='a\\",
    "host='a",
    "host",
    "host port=1",
    "=x",
    "host==x",
    "host=x=y",
    "\thost\n=\r\nx\v\f",
    "requiressl=1",
    "requiressl=1x",
    "requiressl=0",
    "requiressl=",
    "sslmode=disable sslmode=require",
    "sslmode=require requiressl=0",
    "SSLMODE=require",
    "ssl=true",
    "password=a=b host=c",
    "password='a b' x=1",
    "sslnegotiation=direct",
    "sslcertmode=require",
    "sslcrldir=/x sslsni=0",
    "oauth_scope=x",
    "authtype=x",
    "postgresql://",
    "postgres://",
    "postgresql:/",
    "postgresql:///",
    "postgresql:///db",
    "postgresql://h",
    "postgresql://h/",
    "postgresql://h/db",
    "postgresql://h:1/db",
    "postgresql://:1/db",
    "postgresql://u@h/db",
    "postgresql://u:p@h/db",
    "postgresql://:p@h/db",
    "postgresql://@h/db",
    "postgresql://u:@h/db",
    "postgresql://u@x@h/db",
    "postgresql://u:p:q@h/db",
    "postgresql://u/x@h/db",
    "postgresql://h?sslmode=require",
    "postgresql://h/?sslmode=require",
    "postgresql://h/db?sslmode=require&sslmode=disable",
    "postgresql://h/db?sslmode=verify%2Dfull",
    "postgresql://h/db?ssl%6Dode=require",
    "postgresql://h/db?ssl=true",
    "postgresql://h/db?ssl=false",
    "postgresql://h/db?ssl=TRUE",
    "postgresql://h/db?sslmode",
    "postgresql://h/db?sslmode=",
    "postgresql://h/db?sslmode=a=b",
    "postgresql://h/db?=a",
    "postgresql://h/db?&",
    "postgresql://h/db?a&b",
    "postgresql://h/db?sslmode=require&",
    "postgresql://h/db?sslmode=require&&",
    "postgresql://h/db??sslmode=require",
    "postgresql://h/db?host=/tmp",
    "postgresql://h/a/b?port=1",
    "postgresql://[::1]/db",
    "postgresql://[::1]:1/db",
    "postgresql://[::1/db",
    "postgresql://[]/db",
    "postgresql://[::1]x/db",
    "postgresql://[::1],[::2]:3/db",
    "postgresql://a,b/db",
    "postgresql://a:1,b:2/db",
    "postgresql://a:1,b/db",
    "postgresql://a,/db",
    "postgresql://,/db",
    "postgresql://%2Ftmp/db",
    "postgresql://h%",
    "postgresql://h%zz",
    "postgresql://h%0",
    "postgresql://h%00",
    "postgresql://u%40x:p%3A@h/db",
    "postgresql://h /db",
    "postgresql:// h/db",
    "postgresql://h/d b",
    "postgresql://h/db?sslmode= require",
    "postgresql://h/db? sslmode=require",
    "postgresql://h/db?sslmode=require%20",
    "postgresql://hö/dü?application_name=ß",
    "POSTGRESQL://h/db",
    "postgres://h/db?requiressl=1",
    "postgresql://h/db?service=x",
]
PIECES = [
    "host", "port", "sslmode", "sslrootcert", "=", "==", " ", "  ", "'", "''", "\\", "\\'", "/tmp/x y", "require", "verify-full",
    "prefer", "a,b", "postgresql://", "postgres://", "@", ":", "/", "?", "&", "%2F", "%", "%zz", "%20", "[", "]", "::1", ",", "ssl=true",
    "user", "password", "\t", "\n", "ö", "requiressl", "1", "0", "db",
]  # fmt: skip


def ours(version: int, text: str) -> dict[str, str] | None:
    """What reroot makes of *text*; None for an error."""
    try:
        pairs = _conninfo.pairs(text, trims_blanks=version >= 18)
        return {name: plain(setting) for name, setting in _libpq._written(pairs, version, "dsn", True).items()}
    except SettingsError:
        return None


def plain(setting: Setting) -> str:
    return setting.value.reveal() if isinstance(setting.value, Secret) else setting.value


def check(version: int, text: str) -> None:
    theirs = libpq_parser.parse(version, text)
    assert ours(version, text) == (theirs if isinstance(theirs, dict) else None), (text, theirs)


def test_a_real_libpq_is_at_hand():
    assert VERSIONS, "no libpq was found, so nothing was compared"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", PICKED)
def test_picked_strings_are_read_as_libpq_reads_them(version, text):
    check(version, text)


@pytest.mark.parametrize("version", VERSIONS)
def test_shuffled_pieces_are_read_as_libpq_reads_them(version):
    chance = random.Random(20271123)
    heads = itertools.cycle(["", "", "postgresql://", "postgres://h/d?", "host="])
    for _, head in zip(range(4000), heads, strict=False):
        check(version, head + "".join(chance.choices(PIECES, k=chance.randint(1, 9))))


@pytest.mark.parametrize("version", VERSIONS)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_as_libpq_reads_it(version, text):
    check(version, text)
    check(version, "postgresql://" + text)
    check(version, "host=" + text)


@pytest.mark.parametrize("text", ["postgresql://u:hunter2@@h%zz/db", "password=hunter2 hunter2", "password='hunter2", "hunter2"])
def test_an_error_never_quotes_what_may_be_a_password(text):
    with pytest.raises(SettingsError) as caught:
        _libpq._written(_conninfo.pairs(text), 17, "dsn", True)
    assert "hunter2" not in caught.value.message
