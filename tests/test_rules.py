"""Rules: stable numbers, one text each, and a page for every reason that a verdict gives."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from reroot.rules import BY_CODE, BY_NAME, RULES

HOUSE = Path(__file__).parent.parent / "src" / "reroot"
GIVEN = re.compile(r'Reason\(\s*"([a-z0-9-]+)"')


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda r: r.id)
def test_a_rule_says_what_why_and_how_bad(rule):
    assert re.fullmatch(r"RR\d{3}", rule.id)
    assert re.fullmatch(r"[a-z0-9-]+", rule.name)
    assert rule.level in {"error", "warning", "note"}
    assert rule.what
    assert rule.why
    assert rule.outcome


def test_no_number_name_or_code_stands_twice():
    assert len(BY_NAME) == len(RULES)
    codes = Counter(code for rule in RULES.values() for code in (rule.name, *rule.codes))
    assert {code: n for code, n in codes.items() if n > 1} == {}


@pytest.mark.parametrize("room", ["drivers", "pki", "verdict.py", "roots.py", "plan.py"])
def test_every_reason_of_a_verdict_has_a_page(room):
    files = [HOUSE / room] if room.endswith(".py") else (HOUSE / room).glob("*.py")
    given = {code for file in files for code in GIVEN.findall(file.read_text(encoding="utf-8"))}
    assert given <= set(BY_CODE)
