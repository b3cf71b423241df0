"""What libpq has against a combination of settings, before it opens a connection, reroot has against it too."""

from __future__ import annotations

import itertools
import os
import random

import pytest

from reroot.drivers import libpq
from reroot.errors import SettingsError
from reroot.model import Given
from tests.real import libpq_parser

VERSIONS = sorted(libpq_parser.libraries())
NOWHERE = "host=127.0.0.1 port=1 user=nobody dbname=none"

VALUES = {
    "sslmode": ["", "disable", "prefer", "require", "verify-full", "VERIFY-FULL", "verify_full", "maybe", " require"],
    "sslrootcert": ["", "system", "/none.pem"],
    "sslnegotiation": ["", "postgres", "direct", "DIRECT", "x"],
    "gssencmode": ["", "disable", "prefer", "x"],
    "channel_binding": ["", "disable", "prefer", "require", "x"],
    "ssl_min_protocol_version": ["", "TLSv1", "TLSv1.3", "tlsv1.2", "TLSv9", "1.2"],
    "ssl_max_protocol_version": ["", "TLSv1", "TLSv1.1", "TLSv1.3", "x"],
    "sslcertmode": ["", "disable", "allow", "require", "x"],
    "target_session_attrs": ["", "any", "read-write", "primary", "x"],
    "load_balance_hosts": ["", "disable", "random", "x"],
    "sslsni": ["", "0", "1", "2"],
    "sslcompression": ["0", "1", "x"],
    "keepalives_idle": ["10", "x"],
    "port": ["", "1", "0", "65536", "x", "1,2", " 1 ", "1x"],
    "hostaddr": ["127.0.0.1", "127.0.0.1,127.0.0.1", "x", ""],
    "host": ["127.0.0.1,127.0.0.1", "127.0.0.1,127.0.0.1,127.0.0.1"],
    "requirepeer": ["", "x"],
    "require_auth": ["", "none", "md5", "!md5", "md5,!none", "md5,md5", "!md5,!none", "oauth", "x"],
}
ENVIRONMENT = {
    "PGSSLMODE": VALUES["sslmode"],
    "PGSSLROOTCERT": VALUES["sslrootcert"],
    "PGREQUIRESSL": ["", "0", "1", "11"],
    "PGSSLNEGOTIATION": VALUES["sslnegotiation"],
    "PGGSSENCMODE": VALUES["gssencmode"],
    "PGCHANNELBINDING": VALUES["channel_binding"],
    "PGSSLMINPROTOCOLVERSION": VALUES["ssl_min_protocol_version"],
    "PGPORT": VALUES["port"],
    "PGHOSTADDR": VALUES["hostaddr"],
}


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def strings() -> list[tuple[str, dict[str, str]]]:
    """Every value alone, then combinations."""
    found = [(f"{NOWHERE} {name}={quoted(value)}", {}) for name, values in VALUES.items() for value in values]
    found += [(NOWHERE.replace("port=1 ", "") + " port=1", {name: value}) for name, values in ENVIRONMENT.items() for value in values]
    chance = random.Random(20271123)
    names = list(VALUES)
    for _ in range(600):
        chosen = chance.sample(names, chance.randint(2, 4))
        text = " ".join(f"{name}={quoted(chance.choice(VALUES[name]))}" for name in chosen)
        env = {name: chance.choice(ENVIRONMENT[name]) for name in chance.sample(list(ENVIRONMENT), chance.randint(0, 2))}
        found.append((f"{NOWHERE} {text}", env))
    return found


def ours(version: int, text: str, env: dict[str, str]) -> str:
    try:
        libpq.DRIVER.read(Given("libpq", str(version), dsn=text, env=env, home="/nowhere"))
    except SettingsError as error:
        return error.message
    return ""


@pytest.mark.parametrize("version", VERSIONS)
def test_settings_are_refused_where_libpq_refuses_them(version, monkeypatch):
    wrong = []
    for text, env in strings():
        with monkeypatch.context() as scene:
            for name in [n for n in os.environ if n.startswith("PG")]:
                scene.delenv(name)
            for name, value in env.items():
                scene.setenv(name, value)
            theirs = libpq_parser.refusal(version, text)
        mine = ours(version, text, env)
        if bool(theirs) != bool(mine):
            wrong.append((text.removeprefix(NOWHERE), env, theirs, mine))
    assert not wrong, "\n".join(map(str, itertools.islice(wrong, 20)))
