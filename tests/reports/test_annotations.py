"""GitHub annotations and JUnit: each finding once, nothing in a name or a value can forge another."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from reroot.collect.scan._document import document
from reroot.collect.scan._scan import Scan, scan
from reroot.reports import find


@pytest.fixture
def result(tmp_path: Path) -> Scan:
    (tmp_path / "a,b:c.env").write_text("PGSSLMODE=verify-full\nPGSSLROOTCERT=/x%0A::error::y.pem\n")
    (tmp_path / "test.env").write_text("PGSSLMODE=require\n")
    return scan([str(tmp_path)], processes=1)


def test_annotations_are_one_line_each_and_escaped(result: Scan) -> None:
    lines = find("github").render(document(result, ["."])).splitlines()
    assert len(lines) == len(result.findings) == 2
    assert lines[0].startswith("::error file=a%2Cb%3Ac.env,line=1,endLine=2,title=RR101 verifies-named-roots::")
    assert "%250A" in lines[0]
    assert lines[1].startswith("::notice file=test.env")


def test_junit_counts_errors_as_failures(result: Scan) -> None:
    suite = ElementTree.fromstring(find("junit").render(document(result, ["."])))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    assert [case.get("classname") for case in suite] == ["a,b:c.env", "test.env"]
