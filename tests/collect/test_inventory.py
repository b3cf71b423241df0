"""reroot.toml is read as its people mean it, or refused with the place and the right word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reroot.collect.inventory import read
from reroot.collect.machine import machine
from reroot.errors import InputError
from reroot.lab import ca
from reroot.model import Accepts, FileState

OLD, NEXT = ca.root("old root"), ca.root("next root")
WHOLE = """
[rotation]
name = "corp"
old_root = "old.pem"
next_root = "next.pem"
soak = "30m"

[[server]]
name = "east"
host = "east.example"
address = "10.0.0.7"
port = 6432
accepts = "hostssl"
wave = 0
provider = { kind = "postgres", certificate = "c" }

[[client]]
name = "orders"
owner = "pay"
driver = "libpq"
version = "17.2"
runtime = { openssl = "3.0.19" }
dsn = "host={host} hostaddr={address} port={port} password=hunter2"
env_file = "orders.env"
env = { PGUSER = "over" }
home = "homes/orders"
reaches = ["east"]
trust_stores = ["orders.pem"]
started = 2027-01-05T08:00:00Z

[[waiver]]
client = "orders"
server = "*"
by = "ana"
reason = "Friday"
until = 2027-02-01T00:00:00Z
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "old.pem").write_bytes(OLD.cert_pem)
    (tmp_path / "next.pem").write_bytes(NEXT.cert_pem)
    (tmp_path / "orders.env").write_text("# comment\nexport PGSSLMODE='verify-full'\nPGUSER=orders\n\nnonsense\n")
    (tmp_path / "orders.pem").write_bytes(OLD.cert_pem)
    (tmp_path / "reroot.toml").write_text(WHOLE)
    return tmp_path


def test_everything_declared_is_read(folder):
    inventory = read(folder / "reroot.toml")
    (server,), (client,), (waiver,) = inventory.servers, inventory.clients, inventory.waivers

    assert (inventory.name, inventory.soak) == ("corp", timedelta(minutes=30))
    assert (inventory.old_root.der, inventory.next_root.der) == (OLD.der, NEXT.der)
    assert (server.accepts, server.wave, server.port) == (Accepts.HOSTSSL, 0, 6432)
    assert client.started == datetime(2027, 1, 5, 8, tzinfo=UTC)
    assert waiver.by == "ana"


def test_a_client_is_given_what_was_written_for_it(folder):
    inventory = read(folder / "reroot.toml")
    given = inventory.given(inventory.clients[0], inventory.servers[0], machine())

    assert given.dsn == "host=east.example hostaddr=10.0.0.7 port=6432 password=hunter2"
    assert given.env == {"PGSSLMODE": "verify-full", "PGUSER": "over"}
    assert given.home == str(folder / "homes/orders")
    assert given.files("orders.pem").content == OLD.cert_pem
    assert given.files("none.pem").state is FileState.MISSING


def test_no_secret_is_shown(folder):
    assert "hunter2" not in repr(read(folder / "reroot.toml"))


FAULTS = {
    "an unknown key": (
        'name = "corp"',
        'name = "corp"\nnext_rot = 1',
        "unknown key `rotation.next_rot`",
        "did you mean `next_root`?",
    ),
    "an unknown key of a server": ("port = 6432", "prot = 6432", "unknown key `server[1].prot`", "did you mean `port`?"),
    "an unknown table": ("[[waiver]]", "[[wavier]]", "unknown key `wavier`", "did you mean `waiver`?"),
    "a missing key": ('host = "east.example"\n', "", "`server[1].host` is missing", "`server[1]` needs `name`, `host`"),
    "a wrong type": ("port = 6432", 'port = "6432"', "`server[1].port`: expected `int`, got `str`", ""),
    "a wrong word": ('accepts = "hostssl"', 'accepts = "ssl"', "`server[1].accepts`: invalid enum value 'ssl'", ""),
    "an unknown server": (
        'reaches = ["east"]',
        'reaches = ["eats"]',
        "reaches `eats`, which is no server here",
        "did you mean `east`?",
    ),
    "a duration": ('soak = "30m"', 'soak = "a day"', "`a day` is not a duration", "write `30s`, `15m`, `24h` or `7d`"),
    "a root that is not there": ('old_root = "old.pem"', 'old_root = "none.pem"', "No such file", ""),
    "no root": ('old_root = "old.pem"', 'old_root = "orders.env"', "holds no readable PEM certificate", ""),
    "no TOML": ("[rotation]", "[rotation", "this is not TOML", ""),
    "a secret of the wrong type": (
        'dsn = "host={host} hostaddr={address} port={port} password=hunter2"',
        "dsn = 5",
        "expected a text",
        "",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_place_and_the_right_word(folder, fault):
    good, bad, message, hint = FAULTS[fault]
    assert good in WHOLE
    (folder / "reroot.toml").write_text(WHOLE.replace(good, bad))

    with pytest.raises(InputError) as raised:
        read(folder / "reroot.toml")

    assert message in raised.value.message
    assert hint in raised.value.hint
    assert "reroot.toml" in raised.value.where
    assert "hunter2" not in f"{raised.value.message} {raised.value.hint}"


def test_a_leaf_is_no_root(folder):
    (folder / "old.pem").write_bytes(ca.leaf(OLD, "x.example").cert_pem)

    with pytest.raises(InputError, match="is no root"):
        read(folder / "reroot.toml")


def test_a_waiver_until_a_day_is_told_how_a_time_is_written(folder):
    waiver = '[[waiver]]\nclient = "c"\nserver = "*"\nby = "me"\nreason = "x"\nuntil = 2027-01-01\n'
    (folder / "reroot.toml").write_text(f"{WHOLE.partition('[[waiver]]')[0]}\n{waiver}")

    with pytest.raises(InputError, match="expected a date with its time, got a date alone") as raised:
        read(folder / "reroot.toml")
    assert raised.value.hint == "write `2027-01-31T00:00:00Z`"


def test_two_of_one_name_are_refused(folder):
    (folder / "reroot.toml").write_text(WHOLE + '\n[[server]]\nname = "east"\nhost = "h"\n')

    with pytest.raises(InputError, match="there are two servers named `east`"):
        read(folder / "reroot.toml")


def test_an_inventory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no"):
        read(tmp_path / "reroot.toml")
