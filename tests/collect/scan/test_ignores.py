"""Accepted findings: inline with a reason and an end, or in a baseline."""

from __future__ import annotations

from pathlib import Path

import pytest

from reroot.collect.scan import _baseline
from reroot.collect.scan._scan import scan
from reroot.errors import InputError


@pytest.mark.parametrize(
    ("comment", "rules"),
    [
        ("# reroot: ignore RR110 until 2999-01-31 reason=behind a tunnel", []),
        ("# reroot: ignore all until 2999-01-31 reason=behind a tunnel", []),
        ("# reroot: ignore RR101 until 2999-01-31 reason=another rule", ["RR110"]),
        ("# reroot: ignore RR110 reason=no end", ["RR001", "RR110"]),
        ("# reroot: ignore RR110 until 2999-01-31", ["RR001", "RR110"]),
        ("# reroot: ignore RR110 until 2001-01-31 reason=long ago", ["RR001", "RR110"]),
        ("# reroot: ignore RR110 until someday reason=x", ["RR001", "RR110"]),
        ("# reroot: ignore RR110 until 2999-02-31 reason=no such day", ["RR001", "RR110"]),
    ],
)
def test_an_ignore_needs_a_reason_and_a_day_that_is_to_come(comment: str, rules: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text(f"{comment}\nPGSSLMODE=require\n")
    assert sorted(f.rule for f in scan([str(tmp_path)], processes=1).findings) == rules


def test_a_baseline_hides_today_and_not_tomorrow(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("PGSSLMODE=require\n")
    (tmp_path / "b.json").write_text(_baseline.text(scan([str(tmp_path)], processes=1).findings))
    (tmp_path / "a.env").write_text("X=1\n\nPGSSLMODE=require\n")
    (tmp_path / "c.env").write_text("PGSSLMODE=disable\n")
    result = scan([str(tmp_path)], processes=1, accepted=_baseline.read(tmp_path / "b.json"))
    assert [f.path for f in result.findings] == ["c.env"]
    assert result.accepted == 1


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"schema": "other"}', '{"schema": "reroot/baseline/1", "accepted": [1]}'])
def test_a_file_that_is_no_baseline_is_refused(body: str, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(body)
    with pytest.raises(InputError, match="is no baseline"):
        _baseline.read(tmp_path / "b.json")
