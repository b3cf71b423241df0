"""Host names: each family's matcher, Node's beside the real ``tls.checkServerIdentity``."""

from __future__ import annotations

import ipaddress
import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reroot.lab import ca
from reroot.lab.postgres import clean_environment
from reroot.pki import Certificate
from reroot.pki.judge import check_name

ROOT = ca.root("corp-root")


def leaf(*dns: str, ips: tuple[str, ...] = (), subject: str = "nobody") -> Certificate:
    return Certificate(ca.issue(subject, ROOT, dns=dns, ips=ips, ca=None).der)


def matches(rules: str, certificate: Certificate, host: str) -> bool:
    return not check_name(rules, certificate, host)


# certificate, host, then what Go, Node, webpki and OpenSSL say.
# Go: run with pgx and lib/pq. Node: run with node-postgres and below. webpki and OpenSSL: run with sqlx.
ROWS = [
    (leaf("db.corp.test"), "db.corp.test", True, True, True, True),
    (leaf("db.corp.test"), "DB.Corp.Test", True, True, True, True),
    (leaf("db.corp.test"), "db.corp.test.", True, True, True, False),
    (leaf("db.corp.test."), "db.corp.test.", True, True, False, True),
    (leaf("db.corp.test"), "other.corp.test", False, False, False, False),
    (leaf("*.corp.test"), "db.corp.test", True, True, True, True),
    (leaf("*.corp.test"), "a.db.corp.test", False, False, False, False),
    (leaf("*.corp.test"), "corp.test", False, False, False, False),
    (leaf("*"), "localhost", False, False, False, False),
    (leaf("d*.corp.test"), "db.corp.test", False, True, False, False),
    (leaf("a.*.test"), "a.corp.test", False, False, False, False),
    (leaf(subject="db.corp.test"), "db.corp.test", False, True, False, True),
    (leaf("other.test", subject="db.corp.test"), "db.corp.test", False, False, False, False),
    (leaf(ips=("10.0.0.1",), subject="db.corp.test"), "db.corp.test", False, True, False, True),
    (leaf(ips=("10.0.0.1",)), "10.0.0.1", True, True, True, True),
    (leaf(ips=("10.0.0.1",)), "10.0.0.2", False, False, False, False),
    (leaf("10.0.0.1"), "10.0.0.1", False, False, False, False),
    (leaf(subject="10.0.0.1"), "10.0.0.1", False, False, False, False),
    (leaf(ips=("fe80::1",)), "fe80::1", True, True, True, True),
]


@pytest.mark.parametrize(("certificate", "host", "go", "node", "webpki", "openssl"), ROWS)
def test_the_matchers_differ(certificate, host, go, node, webpki, openssl):
    found = tuple(matches(rules, certificate, host) for rules in ("go", "node", "webpki", "openssl"))
    assert found == (go, node, webpki, openssl)


# ── the real Node ────────────────────────────────────────────────────────────────────────────────

ASK = """
const tls = require('tls');
for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean)) {
  const { host, cn, dns, ips } = JSON.parse(line);
  const names = [...dns.map((n) => 'DNS:' + n), ...ips.map((n) => 'IP Address:' + n)];
  const cert = { subject: { CN: cn }, subjectaltname: names.length ? names.join(', ') : undefined };
  console.log(JSON.stringify(tls.checkServerIdentity(host, cert) === undefined));
}
"""
LABELS = st.sampled_from(["db", "corp", "test", "a", "*", "d*", "*b", "d*b", "xn--db", "DB", "", "**"])
HOSTS = st.lists(st.sampled_from(["db", "corp", "test", "a", "xn--db", "DB"]), min_size=1, max_size=4).map(".".join)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
CASES = st.lists(
    st.tuples(
        st.one_of(HOSTS, HOSTS.map(lambda h: f"{h}."), st.sampled_from(["10.0.0.1", "::1"])),
        NAMES,
        st.lists(NAMES.filter(lambda n: n and not n.startswith(".") and ".." not in n), max_size=3),
        st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2"]), max_size=2),
    ),
    min_size=40,
    max_size=40,
)


@settings(max_examples=12, deadline=None)
@given(CASES)
def test_node_is_asked_and_says_the_same(cases):
    node = shutil.which("node")
    if node is None:
        pytest.skip("not exercised: Node.js (not installed)")
    usable = [(h, cn, dns, ips) for h, cn, dns, ips in cases if cn]
    lines = "".join(json.dumps({"host": h, "cn": cn, "dns": dns, "ips": ips}) + "\n" for h, cn, dns, ips in usable)
    done = subprocess.run([node, "-e", ASK], input=lines, capture_output=True, text=True, env=clean_environment(), timeout=30)
    assert done.returncode == 0, done.stderr
    real = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(real) == len(usable)
    for (host, cn, dns, ips), expected in zip(usable, real, strict=True):
        assert matches("node", leaf(*dns, ips=tuple(ips), subject=cn), host) is expected, (host, cn, dns, ips)


@pytest.mark.parametrize("rules", ["go", "node", "webpki", "openssl", "libpq", "pgjdbc"])
@settings(max_examples=60, deadline=None)
@given(host=st.text(max_size=40))
def test_no_host_name_crashes_a_matcher(rules, host):
    matches(rules, leaf("db.corp.test", "*.corp.test", ips=("10.0.0.1",)), host)


def test_a_mismatch_says_what_the_certificate_is_for():
    (reason,) = check_name("go", leaf("a.test", ips=("10.0.0.1",)), "b.test")
    assert "`a.test`" in reason.text
    assert str(ipaddress.ip_address("10.0.0.1")) in reason.text
    assert reason.source


@pytest.mark.parametrize(("host", "then", "today"), [("localhost", True, False), ("db.corp.test", False, False), ("127.0.0.1", False, False)])
def test_a_bare_star_stood_for_one_label_up_to_go_1_19(host, then, today):
    certificate = leaf("*")
    assert (matches("go-1.22", certificate, host), matches("go", certificate, host)) == (then, today)
