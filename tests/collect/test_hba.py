"""First match wins, as in the server; what only the server can tell is unknown, never guessed."""

from __future__ import annotations

import psycopg
import pytest

from reroot.collect._backend import Backend
from reroot.collect._enforcement import enforcement, learn_patterns
from reroot.collect._fold import Identity
from reroot.collect._hba import Login, Rule, accepts, decide
from reroot.collect._source import Source
from reroot.lab import ca
from reroot.lab.postgres import Postgres, installations
from reroot.model import Accepts


def rule(kind: str, databases: str = "all", users: str = "all", address: str = "all", method: str = "trust", mask: str = "") -> Rule:
    return Rule(1, kind, tuple(databases.split(",")), tuple(users.split(",")), address, mask, method)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([rule("host")], Accepts.HOST, id="host-takes-both"),
        pytest.param([rule("hostssl")], Accepts.HOSTSSL, id="hostssl-wants-tls"),
        pytest.param([rule("hostnossl")], Accepts.HOSTNOSSL, id="hostnossl-wants-none"),
        pytest.param([rule("hostnossl", method="reject"), rule("host")], Accepts.HOSTSSL, id="a-reject-before-it"),
        pytest.param([rule("host"), rule("hostnossl", method="reject")], Accepts.HOST, id="a-reject-after-it-is-too-late"),
        pytest.param([], None, id="no-rule-takes-nobody"),
        pytest.param([rule("host", method="reject")], None, id="rejected-either-way"),
        pytest.param([rule("local")], None, id="a-socket-rule-is-not-for-tcp"),
        pytest.param([rule("hostgssenc"), rule("hostssl")], Accepts.HOSTSSL, id="gss-encryption-is-another-connection"),
        pytest.param([rule("hostnogssenc")], Accepts.HOST, id="no-gss-is-ours"),
        pytest.param([rule("host", databases="other")], None, id="another-database"),
        pytest.param([rule("host", databases="other,app")], Accepts.HOST, id="one-of-several-databases"),
        pytest.param([rule("host", databases="replication")], None, id="replication-is-no-database"),
        pytest.param([rule("host", databases="sameuser")], None, id="not-the-same-user"),
        pytest.param([rule("host", databases="samerole")], Accepts.HOST, id="a-member-of-the-role-of-the-database"),
        pytest.param([rule("host", users="+app")], Accepts.HOST, id="a-member"),
        pytest.param([rule("host", users="+ann")], Accepts.HOST, id="everyone-is-a-member-of-oneself"),
        pytest.param([rule("host", users="+other")], None, id="no-member"),
        pytest.param([rule("host", address="10.1.2.0", mask="255.255.255.0")], Accepts.HOST, id="in-the-network"),
        pytest.param([rule("host", address="10.1.3.0", mask="255.255.255.0")], None, id="outside-the-network"),
        pytest.param([rule("host", address="::", mask="::")], None, id="all-of-ipv6-is-none-of-ipv4"),
    ],
)
def test_the_first_rule_that_matches_decides(rules, expected):
    login = Login("app", "ann", "10.1.2.3")
    found, _ = accepts(rules, login, member=lambda user, role: (user, role) == ("ann", "app"))
    assert found is expected


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(rule("host", address="samenet"), id="samenet"),
        pytest.param(rule("host", address=".example.com"), id="host-name"),
        pytest.param(rule("host", users="/^a"), id="regular-expression"),
        pytest.param(rule("host", users="+role"), id="membership"),
        pytest.param(rule("hostquic"), id="a-kind-of-the-future"),
    ],
)
def test_a_rule_that_only_the_server_can_decide_makes_the_answer_unknown(unknown):
    login = Login("app", "ann", "10.1.2.3")
    assert decide([unknown, rule("host")], login).taken is None
    assert accepts([unknown, rule("host")], login)[0] is None
    assert decide([rule("host"), unknown], login).taken is True or unknown.kind == "hostquic"


def test_a_file_with_an_error_says_nothing_about_the_running_server():
    decision = decide([rule("host"), Rule(7, error="invalid connection type")], Login("app", "ann", "10.1.2.3"))
    assert decision.taken is None
    assert "invalid connection type" in decision.why


def test_physical_replication_matches_only_its_own_word():
    standby = Login("", "rep", "10.1.2.3", is_replication=True)
    assert decide([rule("host")], standby).taken is False
    assert decide([rule("host"), rule("hostssl", databases="replication")], Login("", "rep", "10.1.2.3", True, False, True)).taken


RULES = """\
local all postgres trust
host all postgres 127.0.0.1/32 trust
hostssl app +staff 127.0.0.1/32 trust
hostnossl all lonely all trust
host sameuser all 127.0.0.0/8 trust
host app visitor 127.0.0.1/32 reject
hostssl all visitor 127.0.0.1/32 trust
host app,lonely walker 127.0.0.1/32 trust
"""
REGEX_RULES = "hostssl /^ap+$ /^reg 127.0.0.1/32 trust\nhost all regent 127.0.0.1/32 trust\n"
USERS = ("lonely", "visitor", "walker", "ann", "bob", "regent")


@pytest.mark.parametrize("installation", installations(), ids=lambda i: f"postgresql-{i.major}")
def test_the_decision_is_the_one_that_the_real_server_takes(installation):
    root = ca.root()
    leaf = ca.leaf(root, "127.0.0.1")
    rules = RULES + (REGEX_RULES if installation.major >= 16 else "")
    with Postgres((ca.bundle(leaf, root), leaf.key_pem), rules, installation=installation) as server:
        base = f"host=127.0.0.1 port={server.port} gssencmode=disable"
        with psycopg.connect(f"{base} user=postgres dbname=postgres", autocommit=True) as admin:
            for user in USERS:
                admin.execute(f'create role "{user}" login')
            admin.execute("create role staff; create role leads in role staff; grant leads to ann")
            for database in ("app", "lonely"):
                admin.execute(f"create database {database}")
        backend = Backend(Source(f"{base} user=postgres dbname=postgres"))
        known = enforcement(backend)
        everyone = tuple(Identity("s", d, u, "", "127.0.0.1") for d in ("app", "lonely", "postgres") for u in USERS)
        learn_patterns(backend, known, everyone)
        backend.close()
        for who in everyone:
            foreseen, why = known.takes(who)
            found = {mode: _gets_in(f"{base} user={who.user} dbname={who.database} sslmode={mode}") for mode in ("require", "disable")}
            real = {(True, True): Accepts.HOST, (True, False): Accepts.HOSTSSL, (False, True): Accepts.HOSTNOSSL}
            assert foreseen is real.get((found["require"], found["disable"])), (who, why)


def _gets_in(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return "pg_hba.conf" not in str(error)
    return True


@pytest.mark.parametrize(
    ("address", "mask", "said"),
    [
        ("10.1.2.0", "255.255.255.0", "10.1.2.0/24"),
        ("127.0.0.1", "255.255.255.255", "127.0.0.1/32"),
        ("0.0.0.0", "0.0.0.0", "0.0.0.0/0"),
        ("fd00::", "ffff::", "fd00::/16"),
        ("10.0.0.1", "255.0.0.255", "10.0.0.1 255.0.0.255"),
        ("10.0.0.1", "0.0.0.255", "10.0.0.1 0.0.0.255"),
        ("samenet", "", "samenet"),
    ],
)
def test_a_rule_is_shown_as_people_write_it(address, mask, said):
    assert str(rule("host", address=address, mask=mask)) == f"pg_hba.conf:1: host all all {said} trust"
