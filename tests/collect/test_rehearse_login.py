"""What a login may say through the stage: bytes in, bytes out."""

from __future__ import annotations

import struct

import pytest

from reroot import wire
from reroot.collect.rehearse._login import MAX_MESSAGE, Login, Refusal
from reroot.collect.rehearse._places import login_in


def request(kind, body=b""):
    return b"R" + struct.pack("!II", 8 + len(body), kind) + body


def sasl(*names):
    return request(10, b"".join(n.encode() + b"\0" for n in names) + b"\0")


def first(mechanism, flag):
    data = flag + b",,n=,r=abc"
    body = mechanism.encode() + b"\0" + struct.pack("!I", len(data)) + data
    return b"p" + struct.pack("!I", 4 + len(body)) + body


BOTH = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
OK = request(0)
AFTER = b"Z" + struct.pack("!I", 5) + b"I"


@pytest.mark.parametrize("step", [1, 3, 1000], ids=["byte by byte", "in threes", "at once"])
def test_the_mechanism_that_binds_is_taken_out_and_nothing_else(step):
    login, out = Login(server_is_known=False), b""
    data = sasl(*BOTH) + request(11, b"r=x") + request(12, b"v=x") + OK + AFTER + sasl(*BOTH)
    for at in range(0, len(data), step):
        out += login.server_says(data[at : at + step])
    assert out == sasl("SCRAM-SHA-256") + request(11, b"r=x") + request(12, b"v=x") + OK + AFTER + sasl(*BOTH)
    assert login.let_in
    assert login.offered == BOTH


@pytest.mark.parametrize(("flag", "offered", "binds"), [(b"y", BOTH, True), (b"n", BOTH, False), (b"y", BOTH[1:], False)])
def test_a_client_that_would_bind_is_recognised(flag, offered, binds):
    login = Login(server_is_known=True)
    login.server_says(sasl(*offered))
    said = first("SCRAM-SHA-256", flag)
    assert login.client_says(said[:7]) + login.client_says(said[7:]) == said
    assert login.binds is binds


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (request(3), "a password in clear"),
        (request(5, b"salt"), "an MD5 password"),
        (sasl("SCRAM-SHA-256-PLUS"), "nothing but SCRAM-SHA-256-PLUS"),
        (sasl("OAUTHBEARER"), "nothing but OAUTHBEARER"),
        (b"R" + struct.pack("!I", MAX_MESSAGE + 1), "no PostgreSQL message"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no PostgreSQL message"),
    ],
    ids=["password", "md5", "only plus", "bearer", "long", "http"],
)
def test_what_is_worth_stealing_goes_to_no_stranger(data, message):
    with pytest.raises(Refusal, match=message):
        Login(server_is_known=False).server_says(data)


@pytest.mark.parametrize("data", [request(3), request(5, b"salt"), sasl("OAUTHBEARER"), request(7), request(9)])
def test_a_known_server_may_ask_for_it(data):
    assert Login(server_is_known=True).server_says(data) == data


def test_a_refusal_is_passed_on_and_kept():
    login = Login(server_is_known=False)
    error = wire.error_response((("S", "FATAL"), ("C", "28P01"), ("M", "no")))
    assert login.server_says(error) == error
    assert (login.let_in, login.refused.sqlstate) == (False, "28P01")


@pytest.mark.parametrize(
    ("command", "env", "found"),
    [
        (["psql", "postgres://u:secret@h:5/d?x=y"], {}, ("u", "d")),
        (["psql", "host=h user=u dbname=d"], {}, ("u", "d")),
        (["psql", "-h", "h", "-U", "u", "-d", "d"], {}, ("u", "d")),
        (["psql", "-d", "host=h user=u dbname=d"], {}, ("u", "d")),
        (["psql", "-h", "h"], {"PGUSER": "u", "PGDATABASE": "d"}, ("u", "d")),
        (["java", "-jar", "a.jar"], {"URL": "jdbc:postgresql://h:5/d?user=u&password=x"}, ("u", "d")),
        (["app"], {"DATABASE_URL": "postgresql+asyncpg://u@h/d"}, ("u", "d")),
        (["app"], {}, ("", "")),
    ],
)  # fmt: skip
def test_the_login_is_seen_where_it_is_written(command, env, found):
    assert login_in(command, env) == found
