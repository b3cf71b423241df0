"""Lines of PostgreSQL 11 to 18 and what is told from them."""

from __future__ import annotations

import pytest

from reroot.logs import RDS, Bearing, bearing, rollup
from tests.logs.lines import TLS12_11, TLS13, one, rds

AUTHORIZED = [
    ("user=app database=orders", ("plaintext", "", "", "")),
    (f"user=app database=orders {TLS12_11}", ("tls", "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", "")),
    (f"user=app database=orders application_name=web {TLS13}", ("tls", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "web")),
    ("user=app database=orders application_name=sidekiq 6.5 [4 of 10]", ("plaintext", "", "", "sidekiq 6.5 [4 of 10]")),
    ("user=app database=orders GSS (authenticated=yes, encrypted=yes, principal=app@EXAMPLE)", ("gss", "", "", "")),
    ("user=app database=orders GSS (authenticated=yes, encrypted=no, deleg_credentials=no, principal=app@EXAMPLE)", ("plaintext", "", "", "")),
    (f"user=app database=orders {TLS13} GSS (authenticated=yes, encrypted=no, principal=a@E)", ("tls", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), AUTHORIZED, ids=[w[:60] for w, _ in AUTHORIZED])
def test_a_login_is_read_as_every_version_writes_it(words, expected):
    encryption, protocol, cipher, application = expected
    row = one(rds(f"connection authorized: {words}", who="app@orders"))
    assert row == ("10.0.0.7", "app", "orders", application, "session", encryption, protocol, cipher, "")


def test_a_standby_is_a_client_too():
    row = one(rds(f"replication connection authorized: user=repl application_name=standby1 {TLS13}", who="repl@[unknown]"))
    assert row[:4] == ("10.0.0.7", "repl", "", "standby1")
    assert row[5] == "tls"


def test_over_a_unix_socket_there_is_no_plaintext_to_worry_about():
    row = one(rds("connection authorized: user=app database=orders", host="[local]", who="app@orders"))
    assert (row[0], row[5]) == ("local", "local")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("tlsv1 alert unknown ca", Bearing.DISTRUST),
        ("sslv3 alert certificate unknown", Bearing.DISTRUST),
        ("ssl/tls alert certificate unknown", Bearing.DISTRUST),
        ("sslv3 alert bad certificate", Bearing.DISTRUST),
        ("ssl/tls alert bad certificate", Bearing.DISTRUST),
        ("sslv3 alert certificate expired", Bearing.DISTRUST),
        ("EOF detected", Bearing.UNDECIDABLE),
        ("Connection reset by peer", Bearing.UNDECIDABLE),
        ("wrong version number", Bearing.OTHER),
        ("no shared cipher", Bearing.OTHER),
        ("tlsv1 alert protocol version", Bearing.OTHER),
    ],
)
def test_a_failed_handshake_keeps_its_words_and_their_meaning(reason, expected):
    row = one(rds("connection received: host=10.0.0.7 port=51000") + rds(f"could not accept SSL connection: {reason}"))
    assert (row[0], row[4], row[-1]) == ("10.0.0.7", "failed", reason)
    assert bearing(reason) is expected


def test_a_reset_counts_before_the_login_only():
    words = "could not receive data from client: Connection reset by peer"
    assert one(rds(words))[-1] == "Connection reset by peer"
    assert not rollup(rds(words, who="app@orders"), RDS).rows


@pytest.mark.parametrize(
    ("message", "encryption", "meaning"),
    [
        (
            'no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", no encryption',
            "plaintext",
            Bearing.PLAINTEXT,
        ),
        ('no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", SSL off', "plaintext", Bearing.PLAINTEXT),
        (
            'pg_hba.conf rejects connection for host "10.0.0.7", user "app", database "orders", SSL encryption',
            "tls",
            Bearing.OTHER,
        ),
        ('no pg_hba.conf entry for host "10.0.0.7", user "app", database "orders", SSL on', "tls", Bearing.OTHER),
    ],
)
def test_a_refused_login_says_how_it_came(message, encryption, meaning):
    row = one(rds(message, "FATAL", who="app@orders"))
    assert row[:6] == ("10.0.0.7", "app", "orders", "", "refused", encryption)
    assert bearing(row[-1]) is meaning
    assert "app" not in row[-1]


def test_an_end_that_came_after_the_login_is_no_refusal():
    chunk = rds("terminating connection due to administrator command", "FATAL", who="app@orders")
    chunk += rds('role "x" cannot be dropped because some objects depend on it', "FATAL", who="app@orders")
    assert not rollup(chunk, RDS).rows


def test_whoever_comes_and_leaves_without_a_word_is_named_undecidable():
    chunk = rds("connection received: host=10.0.0.7 port=1") * 3 + rds(f"connection authorized: user=app database=orders {TLS13}")
    ((row, tally),) = rollup(chunk, RDS).settled().silent()
    assert (row.address, tally.number, bearing(row.cause)) == ("10.0.0.7", 2, Bearing.UNDECIDABLE)
