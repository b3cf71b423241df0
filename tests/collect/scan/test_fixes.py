"""Fixes: every other byte stays, and what is written reads back as meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from reroot import truststores
from reroot.collect.scan._fixes import patches, write
from reroot.collect.scan._scan import scan

from ._corpus import certificate


def mended(root: Path, *, unsafe: bool = True, roots: tuple[str, ...] = (), identifier: str | None = None) -> list[str]:
    found = scan([str(root)], processes=1).findings
    certificates = tuple(truststores.read(certificate(name).encode()).certificates[0] for name in roots)
    made, refused = patches(root, found, unsafe=unsafe, roots=certificates, identifier=identifier)
    for patch in made:
        write(root, patch)
    return refused


SPLICES = [
    (
        "app.env",
        "# mine\r\nPGSSLMODE=require # ä\r\nPGSSLROOTCERT=/x.pem\r\n",
        "# mine\r\nPGSSLMODE=verify-full # ä\r\nPGSSLROOTCERT=/x.pem\r\n",
    ),
    (
        "a.env",
        "U=postgres://u:p@h/d?sslmode=prefer&sslrootcert=/x.pem&a=b\n",
        "U=postgres://u:p@h/d?sslmode=verify-full&sslrootcert=/x.pem&a=b\n",
    ),
    (
        "a.yaml",
        "é:\n  db:\n    sslmode:   'require'   # why\n    sslrootcert: /x\n",
        "é:\n  db:\n    sslmode:   'verify-full'   # why\n    sslrootcert: /x\n",
    ),
    (
        "a.py",
        "é = 1\npsycopg2.connect(host=h, sslmode=\"require\", sslrootcert='/x')\n",
        "é = 1\npsycopg2.connect(host=h, sslmode=\"verify-full\", sslrootcert='/x')\n",
    ),
    (
        "Dockerfile",
        "ADD https://s3.amazonaws.com/rds-downloads/rds-combined-ca-bundle.pem /x\n",
        "ADD https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /x\n",
    ),
    (
        "govcloud/Dockerfile",
        "ADD https://s3.us-gov-west-1.amazonaws.com/rds-downloads/rds-combined-ca-us-gov-bundle.pem /x\n",
        "ADD https://truststore.pki.us-gov-west-1.rds.amazonaws.com/global/global-bundle.pem /x\n",
    ),
    (
        "china/Dockerfile",
        "ADD https://s3.cn-north-1.amazonaws.com.cn/rds-downloads/rds-combined-ca-cn-bundle.pem /x\n",
        "ADD https://rds-truststore.s3.cn-north-1.amazonaws.com.cn/global/global-bundle.pem /x\n",
    ),
    (
        "a.tf",
        'resource "aws_db_instance" "a" {\n  ca_cert_identifier = "rds-ca-2019" # old\n}\n',
        'resource "aws_db_instance" "a" {\n  ca_cert_identifier = "rds-ca-rsa2048-g1" # old\n}\n',
    ),
]


@pytest.mark.parametrize(("path", "before", "after"), SPLICES, ids=[s[0] for s in SPLICES])
def test_a_splice_changes_what_it_means_and_nothing_else(path: str, before: str, after: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(before.encode())
    assert mended(tmp_path, identifier="rds-ca-rsa2048-g1") == []
    assert (tmp_path / path).read_bytes().decode() == after


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(
            "schema.prisma",
            'datasource db {\n  provider = "postgresql"\n  url = "postgresql://u@db.example.com/o?sslmode=require&sslcert=./rds.pem"\n}\n',
            id="prisma-knows-no-verify-full",
        ),
        ("a.env", "PGSSLMODE=require\n"),
        ("a.env", "PGSSLMODE=verify-full\nPGSSLROOTCERT=/x\n"),
        ("a.env", "PGSSLMODE=${M:-require}\nPGSSLROOTCERT=/x\n"),
        ("tests/a.env", "PGSSLMODE=require\nPGSSLROOTCERT=/x\n"),
    ],
)
def test_what_cannot_be_mended_without_guessing_is_left_alone(path: str, body: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(body)
    mended(tmp_path)
    assert (tmp_path / path).read_text() == body


def test_a_safe_fix_adds_the_root_and_keeps_the_old_ones(tmp_path: Path) -> None:
    (tmp_path / "rds.pem").write_text("# ours\n" + certificate("rds") + "\n")
    (tmp_path / "rds.pem").chmod(0o640)
    (tmp_path / "a.env").write_text("PGSSLMODE=require\nPGSSLROOTCERT=rds.pem\n")
    mended(tmp_path, unsafe=False, roots=("corp",))
    store = (tmp_path / "rds.pem").read_bytes()
    assert store.startswith(b"# ours\n" + certificate("rds").encode())
    assert [c.title for c in truststores.read(store).certificates] == [
        "Amazon RDS eu-west-1 Root CA RSA2048 G1",
        "Corp Root 2019",
    ]
    assert (tmp_path / "rds.pem").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "a.env").read_text().startswith("PGSSLMODE=require")


def test_mending_twice_changes_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "rds.pem").write_text(certificate("rds") + "\n")
    (tmp_path / "a.env").write_text("PGSSLMODE=require\nPGSSLROOTCERT=rds.pem\n")
    mended(tmp_path, roots=("corp",))
    once = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    mended(tmp_path, roots=("corp",))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == once


def test_a_patch_applies_with_the_tools_people_have(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "a.env").write_text("X=1\nPGSSLMODE=require\nPGSSLROOTCERT=/x")
    before = (tmp_path / "a.env").read_bytes()
    made, _ = patches(tmp_path, scan([str(tmp_path)], processes=1).findings, unsafe=True)
    (tmp_path / "p.diff").write_text(made[0].diff)
    done = subprocess.run(
        ["git", "apply", "p.diff"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.env").read_bytes() == made[0].after != before


def test_each_repository_gets_one_patch_that_applies(tmp_path: Path) -> None:
    import subprocess

    from reroot.collect.scan._patches import emit

    root = tmp_path / "all"
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)
        subprocess.run(["git", "init", "-q"], cwd=root / name, check=True, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
        (root / name / "a.env").write_text("PGSSLMODE=require\nPGSSLROOTCERT=/x.pem\n")
    written, refused = emit(root, scan([str(root)], processes=1).findings, tmp_path / "out", unsafe=True)
    assert ([file.name for file in written], refused) == (["one.patch", "two.patch"], [])
    assert "RR103" in written[0].read_text()
    done = subprocess.run(
        ["git", "apply", str(written[0])],
        cwd=root / "one",
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert (root / "one" / "a.env").read_text() == "PGSSLMODE=verify-full\nPGSSLROOTCERT=/x.pem\n"
    assert (root / "two" / "a.env").read_text().startswith("PGSSLMODE=require")


def test_a_root_is_added_to_certificates_inside_a_config_map(tmp_path: Path) -> None:
    pem = "".join(f"    {line}\n" for line in certificate("rds").splitlines())
    body = f"kind: ConfigMap\ndata:\n  rds.pem: |\n{pem}  other: x\n"
    (tmp_path / "map.yaml").write_text(body)
    assert mended(tmp_path, unsafe=False, roots=("corp",)) == []
    added = "".join(f"    {line}\n" for line in certificate("corp").splitlines())
    assert (tmp_path / "map.yaml").read_text() == body.replace(pem, pem + added)
    mended(tmp_path, unsafe=False, roots=("corp",))
    assert (tmp_path / "map.yaml").read_text() == body.replace(pem, pem + added)


def test_certificates_inside_code_are_named_and_left_alone(tmp_path: Path) -> None:
    body = f"const pg = require('pg'); const RDS_CA = `{certificate('rds')}`\nnew pg.Pool({{ ssl: {{ ca: RDS_CA }} }})\n"
    (tmp_path / "a.js").write_text(body)
    assert any("by hand" in reason for reason in mended(tmp_path, unsafe=False, roots=("corp",)))
    assert (tmp_path / "a.js").read_text() == body


ODD = [("my file.env", b"PGSSLMODE=require\nPGSSLROOTCERT=/x\n"), ("l\xe9.env", "# é\x0b\x85\nPGSSLMODE=require\r\nPGSSLROOTCERT=/x".encode("latin-1"))]


def _git(where: Path, *words: str, home: Path) -> None:
    import subprocess

    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": str(home)}
    done = subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], cwd=where, capture_output=True, text=True, check=False, env=env)  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "body"), ODD, ids=["a name with blanks", "bytes that are no text"])
def test_emit_patches_writes_what_git_am_commits(name: str, body: bytes, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from reroot.cli import reroot

    tree = tmp_path / "repo"
    tree.mkdir()
    (tree / name).write_bytes(body)
    _git(tree, "init", "-q", home=tmp_path)
    _git(tree, "add", "-A", home=tmp_path)
    _git(tree, "commit", "-qm", "x", home=tmp_path)
    done = CliRunner().invoke(reroot, ["emit", "patches", str(tree), "--out", str(tmp_path / "out"), "--unsafe-fixes"])
    assert done.exit_code == 0, done.output
    _git(tree, "am", "--keep-cr", str(tmp_path / "out" / "repo.patch"), home=tmp_path)
    assert (tree / name).read_bytes() == body.replace(b"=require", b"=verify-full")


def test_emit_patches_asks_what_to_change(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from reroot.cli import reroot

    done = CliRunner().invoke(reroot, ["emit", "patches", str(tmp_path), "--out", str(tmp_path / "out")], standalone_mode=False)
    assert "no change is asked for" in str(done.exception)
    assert not (tmp_path / "out").exists()
