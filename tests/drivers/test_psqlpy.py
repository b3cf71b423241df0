"""psqlpy: a ca_file decides, not the mode (run with 0.13.1 over 922 scenarios: tests/real)."""

from __future__ import annotations

import pytest

from reroot import drivers
from reroot.lab import ca
from reroot.model import Accepts, Given, Outcome, Server
from reroot.verdict import answer
from tests.machine import NOW, machine, served

OLD, NEXT = ca.root("corp-2019"), ca.root("corp-2027")
LEAF = ca.leaf(OLD, "db.corp.test")
FILES = {"/old.pem": OLD.cert_pem, "/next.pem": NEXT.cert_pem, "/empty.pem": b""}
V, U, P, R = Outcome.VERIFIED, Outcome.UNVERIFIED, Outcome.PLAINTEXT, Outcome.REFUSED


def outcome(mode: str | None, file: str | None, accepts: Accepts, host: str = "db.corp.test") -> Outcome:
    options = {"host": host, "username": "app", "ssl_mode": mode, "ca_file": file}
    given = Given("psqlpy", "0.13.1", options=options, home="/nowhere", files=machine(FILES))
    return answer(given, Server(accepts), served(LEAF), NOW).foreseen.outcome


@pytest.mark.parametrize(
    ("mode", "file", "expected"),
    [
        pytest.param("disable", None, (R, P), id="disable"),
        pytest.param(None, None, (R, P), id="nothing-set-has-no-tls-at-all"),
        pytest.param("prefer", None, (R, P), id="prefer-without-a-file-has-none-either"),
        pytest.param("require", None, (U, U), id="require-checks-nothing"),
        pytest.param("require", "/old.pem", (V, V), id="with-a-file-even-require-checks"),
        pytest.param("prefer", "/next.pem", (R, R), id="and-prefer-does-not-fall-back"),
        pytest.param("verify-full", None, (R, R), id="verify-full-without-a-file-fails"),
        pytest.param("disable", "/empty.pem", (R, R), id="a-file-must-load-even-for-disable"),
    ],
)
def test_the_file_decides(mode, file, expected):
    assert tuple(outcome(mode, file, accepts) for accepts in (Accepts.HOSTSSL, Accepts.HOST)) == expected


def test_the_name_is_checked_in_verify_ca_too():
    assert outcome("verify-ca", "/old.pem", Accepts.HOST, "other.corp.test") is R


def test_a_server_without_tls_gets_the_login_even_from_verify_full():
    assert outcome("verify-full", "/old.pem", Accepts.NO_TLS) is P
    assert outcome("require", "/old.pem", Accepts.NO_TLS) is R


def test_other_versions_are_not_guessed():
    assert drivers.find("psqlpy").possible(Given("psqlpy", "0.12.0")) == ()
