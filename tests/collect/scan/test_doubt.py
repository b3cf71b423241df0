"""What is said of a client whose driver nobody named: nothing stronger than all that it may be bear out."""

from __future__ import annotations

from pathlib import Path

import pytest

from reroot.collect.scan._doubt import fates
from reroot.collect.scan._finding import Finding
from reroot.collect.scan._judge import holds
from reroot.collect.scan._scan import scan
from reroot.model import Ask, Check, OnDistrust, Reason, RootsFrom, RootSource, TrustPolicy

ADDRESS = "DATABASE_URL=postgres://app@db.example.com/app"


def found(tmp_path: Path, name: str, body: str) -> list[Finding]:
    (tmp_path / name).write_text(body)
    return scan([str(tmp_path)], processes=1).findings


@pytest.mark.parametrize(
    ("options", "rule", "held", "said"),
    [
        ("sslmode=disable", "RR113", "plaintext", "survives; there is no TLS to lose"),
        ("sslmode=prefer", "RR114", "unknown", "unknown, since the driver decides"),
        ("sslmode=allow", "RR114", "unknown", "unknown, since the driver decides"),
        ("sslmode=require", "RR110", "unknown", "unknown, since the driver decides"),
        ("sslmode=no-verify", "RR111", "unknown", "unknown, since the driver decides"),
        ("ssl=false", "RR113", "unknown", "unknown, since the driver decides"),
        ("sslmode=verify-full", "RR102", "breaks", "; prisma 6.0.0 checks nothing"),
        ("sslmode=verify-full&sslrootcert=/r.pem", "RR101", "breaks", "; prisma 6.0.0 checks nothing"),
        ("sslmode=require&sslrootcert=/r.pem", "RR103", "breaks", "; asyncpg 0.24 checks nothing"),
        ("sslmode=prefer&sslrootcert=/r.pem", "RR104", "loses-tls", "unknown, since the driver decides"),
    ],
)
def test_an_address_that_any_driver_may_read(tmp_path: Path, options: str, rule: str, held: str, said: str) -> None:
    (one,) = found(tmp_path, ".env", f"{ADDRESS}?{options}\n")
    assert (one.rule, holds(one)) == (rule, held)
    assert said in one.text


@pytest.mark.parametrize(
    ("manifest", "options", "held", "said"),
    [
        ("psycopg2==2.9.9", "sslmode=prefer", "", "survives"),
        ("psycopg2==2.9.9", "sslmode=require", "not-verifying", "survives, because it checks nothing"),
        ("psycopg2==2.9.9", "sslmode=verify-full&sslrootcert=/r.pem", "breaks", "hold the next root"),
    ],
)
def test_a_driver_that_is_known_leaves_no_doubt(tmp_path: Path, manifest: str, options: str, held: str, said: str) -> None:
    (tmp_path / "requirements.txt").write_text(manifest + "\n")
    (one,) = found(tmp_path, ".env", f"{ADDRESS}?{options}\n")
    assert (one.driver, holds(one)) == ("psycopg2", held)
    assert one.text.endswith(said)


def test_fates_are_named_after_the_likeliest_that_connects() -> None:

    roots = RootSource(RootsFrom.SETTING, "/r.pem")
    policies = [
        TrustPolicy(Ask.NEVER, refused=Reason("settings-error", "refused")),
        TrustPolicy(Ask.IF_OFFERED, Check.CHAIN, on_distrust=OnDistrust.PLAINTEXT, roots=roots),
        TrustPolicy(Ask.ALWAYS, Check.CHAIN_AND_HOST, roots=roots),
        TrustPolicy(Ask.ALWAYS, Check.CHAIN, roots=roots),
        TrustPolicy(Ask.ALWAYS),
        TrustPolicy(Ask.NEVER),
    ]
    assert fates(policies, list("abcdef")) == {"loses-tls": "b", "breaks": "c", "unchecked": "e", "plaintext": "f"}


HASURA = "- kind: {kind}\n  configuration:\n    connection_info:\n      database_url: {{from_env: {name}}}\n{more}"
TLS = "      ssl_configuration:\n        sslmode: verify-ca\n"
POD = "kind: Pod\nspec:\n  containers:\n  - env:\n    - name: {name}\n      valueFrom: {{secretKeyRef: {{name: orders, key: database_url}}}}\n"


@pytest.mark.parametrize(
    ("name", "body", "refers"),
    [
        ("databases.yaml", HASURA.format(kind="postgres", name="ORDERS", more=""), [("ORDERS",)]),
        ("databases.yaml", HASURA.format(kind="mssql", name="ORDERS", more=""), []),
        ("databases.yaml", HASURA.format(kind="postgres", name="ORDERS", more=TLS), []),
        (
            "task.json",
            '{"secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:aws:ssm:x:1:parameter/a"}]}',
            [("arn:aws:ssm:x:1:parameter/a",)],
        ),
        ("task.json", '{"secrets": [{"name": "SESSION_KEY", "valueFrom": "arn:aws:ssm:x:1:parameter/database_url"}]}', []),
        ("task.json", '{"secrets": [{"name": "MYSQL_DATABASE_URL", "valueFrom": "arn:aws:ssm:x:1:parameter/a"}]}', []),
        ("pod.yaml", POD.format(name="DATABASE_URL"), [("database_url",)]),
        ("pod.yaml", POD.format(name="REDIS_URL"), []),
    ],
)
def test_an_address_from_elsewhere_names_what_would_decide(
    tmp_path: Path, name: str, body: str, refers: list[tuple[str, ...]]
) -> None:
    handed = [f for f in found(tmp_path, name, body) if f.rule == "RR121"]
    assert [f.refers for f in handed] == refers
    assert all(f.kind == "setting" and not f.decidable and f.level == "note" and f.refers[0] in f.text for f in handed)
