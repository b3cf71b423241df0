"""The command: exit codes, outputs, fixes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from reroot.cli import reroot
from reroot.cli.scan import COMMAND
from reroot.lab import ca

VERIFIES = "PGSSLMODE=verify-full\nPGSSLROOTCERT=/x.pem\n"


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(COMMAND, [*words, "--no-cache"], input=stdin)


@pytest.mark.parametrize(
    ("body", "options", "code"),
    [
        (VERIFIES, (), 1),
        (VERIFIES, ("--exit-zero",), 0),
        (VERIFIES, ("--fail-on", "plaintext"), 0),
        ("PGSSLMODE=disable\n", (), 0),
        ("PGSSLMODE=disable\n", ("--fail-on", "plaintext"), 1),
        ("PGSSLMODE=require\n", ("--fail-on", "not-verifying"), 1),
        ("PGSSLMODE=$M\n", (), 1),
        ("X=1\n", (), 0),
    ],
)
def test_the_exit_code_says_whether_something_stands_in_the_way(
    body: str, options: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    (tmp_path / "a.env").write_text(body)
    assert run(str(tmp_path), *options).exit_code == code


def test_what_could_not_be_read_makes_the_scan_incomplete(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"sslmode": ' + "[" * 500)
    assert run(str(tmp_path)).exit_code == 4
    assert run(str(tmp_path), "--allow-incomplete").exit_code == 0


def test_the_json_keeps_its_contract(tmp_path: Path) -> None:
    (tmp_path / "prod.env").write_text(VERIFIES)
    answer = json.loads(run(str(tmp_path), "--json").stdout)
    assert answer["schema"] == "reroot/scan/1"
    assert answer.keys() >= {"findings", "incomplete", "counts"}
    finding = answer["findings"][0]
    wanted = {
        "path": "prod.env",
        "line": 1,
        "line_end": 2,
        "column": 1,
        "kind": "setting",
        "driver": "libpq",
        "mode": "verify-full",
    }
    wanted |= {"roots": "/x.pem", "decidable": True, "environment": "prod", "rule": "RR101", "verdict": None}
    assert wanted.items() <= finding.items()
    assert finding["policy"] == {
        "ask": "always",
        "check": "chain-and-host",
        "on_distrust": "fail",
        "roots": {"from": "environment", "path": "/x.pem"},
        "as": "libpq",
        "sure": True,
    }


def test_standard_input_takes_what_kubectl_prints() -> None:
    listed = {"kind": "List", "items": [{"kind": "ConfigMap", "data": {"PGSSLMODE": "verify-ca"}}]}
    answer = json.loads(run("-", "--json", stdin=json.dumps(listed)).stdout)
    assert [(f["path"], f["mode"]) for f in answer["findings"]] == [("stdin.json", "verify-ca")]


def test_the_last_line_counts_and_names_the_next_command(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text(VERIFIES)
    assert (
        run(str(tmp_path)).stdout.splitlines()[-1]
        == "1 finding in 1 file: 1 error, 0 warnings, 0 notes. next: `reroot explain RR101`"
    )


def test_a_diff_changes_nothing_and_a_fix_does(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text("PGSSLMODE=require\nPGSSLROOTCERT=/x.pem\n")
    shown = run(str(tmp_path), "--unsafe-fixes", "--diff")
    assert "+PGSSLMODE=verify-full" in shown.stdout
    assert file.read_text().startswith("PGSSLMODE=require")
    run(str(tmp_path), "--unsafe-fixes")
    assert file.read_text().startswith("PGSSLMODE=verify-full")


@pytest.mark.parametrize(
    "words", [("/nowhere/at/all",), ("--fail-on", "x", "."), ("-", "--fix"), (".", "--root", "/nowhere.pem")]
)
def test_bad_input_is_said_and_changes_nothing(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(reroot, ["scan", *words], input="")
    assert result.exit_code != 0
    assert result.exception is not None


def test_the_hook_brings_every_grammar() -> None:
    import tomllib

    import yaml

    root = Path(__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    [hook] = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["additional_dependencies"] == extras["source"]


@pytest.mark.parametrize(
    ("targets", "fail_on", "code", "paths"),
    [
        (".", "breaks", 1, {"a b/.env", "c/.env"}),
        ("a b\n\nc\n", "breaks", 1, {"a b/.env", "c/.env"}),
        ("c", "loses-tls", 0, {".env"}),
        ("", "breaks", 1, {"a b/.env", "c/.env"}),
    ],
    ids=["the workspace", "one a line, with blanks", "one of them", "nothing said"],
)
def test_the_scan_of_the_github_action_does_what_its_inputs_say(
    tmp_path: Path, targets: str, fail_on: str, code: int, paths: set[str]
) -> None:
    action = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text())
    step = next(step for step in action["runs"]["steps"] if step["name"] == "Scan")
    work, installed = tmp_path / "work", tmp_path / "runner" / "reroot" / "bin"
    installed.mkdir(parents=True)
    (installed / "reroot").symlink_to(Path(sys.executable).with_name("reroot"))
    for folder in ("a b", "c"):
        (work / folder).mkdir(parents=True)
        (work / folder / ".env").write_text("DATABASE_URL=postgres://u@db/x?sslmode=verify-full&sslrootcert=/r.pem\n")
    given = {"TARGETS": targets, "FAIL_ON": fail_on, "SARIF": "found.sarif"}
    assert step["env"].keys() == given.keys()
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=work,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RUNNER_TEMP": str(tmp_path / "runner"), **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.count("::error ") == len(paths)
    (run,) = json.loads((work / "found.sarif").read_text())["runs"]
    assert {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]} == {
        path.replace(" ", "%20") for path in paths
    }


def test_a_trust_store_is_named_as_itself_where_it_is_referred_to(tmp_path: Path) -> None:
    for name in ("first", "middle", "old"):
        (tmp_path / f"{name}.pem").write_bytes(ca.root(f"{name} root").cert_pem)
    (tmp_path / "app.env").write_text("PGSSLMODE=verify-full\nPGSSLROOTCERT=middle.pem\n")
    (finding,) = [f for f in json.loads(run(str(tmp_path), "-o", "json").stdout)["findings"] if f["path"] == "app.env"]
    assert finding["joined"] == [{"path": "middle.pem", "line": 1, "value": "1 certificate: middle root"}]
