"""SARIF 2.1.0 for code scanning: rules with their help, one result for each finding, fingerprints that survive moved lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..rules import RULES, Rule
from ._report import Document, Report
from .text import visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LIMIT = 25_000
"""GitHub refuses runs with more results."""


def render(document: Document) -> str:
    findings: list[Mapping[str, Any]] = list(document.data.get("findings", ()))  # type: ignore[call-overload]
    findings.sort(key=lambda f: ("error", "warning", "note").index(f["level"]))
    used = sorted({f["rule"] for f in findings if f["rule"]})
    index = {rule: number for number, rule in enumerate(used)}
    incomplete: list[Mapping[str, str]] = list(document.data.get("incomplete", ()))  # type: ignore[call-overload]
    run = {
        "tool": {
            "driver": {
                "name": "reroot",
                "version": __version__,
                "semanticVersion": __version__
                if __version__.count(".") == 2 and __version__.replace(".", "").isdigit()
                else "0.1.0-dev",
                "informationUri": "https://github.com/reroot/reroot",
                "rules": [_rule(RULES[rule]) for rule in used],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(f, index) for f in findings[:LIMIT]],
        "invocations": [
            {
                "executionSuccessful": not incomplete,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": visible(f"{limit['path']}: {limit['why']}")}}
                    for limit in incomplete[:1000]
                ],
            }
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=True) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    page = f"**What happens** {rule.what}\n\n**Why** {rule.why}\n\n**Who** {rule.who}\n\n**Fix** {rule.fix}\n\n**Silence** `{rule.silencing}`"
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": page.replace("**", ""), "markdown": page},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["security", "postgresql", "tls"], "precision": "high"},
    }


def _result(finding: Mapping[str, Any], index: Mapping[str, int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding["rule"],
        "ruleIndex": index[finding["rule"]],
        "level": finding["level"],
        "message": {"text": visible(finding["text"] or finding["rule"])},
        "locations": [_location(finding["path"], finding["line"], finding["line_end"], finding["column"])],
        "partialFingerprints": {"reroot/v1": finding["fingerprint"]},
    }
    if finding["joined"]:
        result["relatedLocations"] = [
            {**_location(j["path"], j["line"]), "message": {"text": visible(str(j["value"]))}} for j in finding["joined"]
        ]
    return result


def _location(path: str, line: int, line_end: int = 0, column: int = 0) -> dict[str, Any]:
    region: dict[str, int] = {"startLine": max(line, 1)}
    if line_end > line:
        region["endLine"] = line_end
    elif column > 0:
        region["startColumn"] = column
    return {
        "physicalLocation": {
            "artifactLocation": {
                "uri": quote(path.encode("utf-8", "surrogateescape"), safe="/!()+,;=@~"),
                "uriBaseId": "%SRCROOT%",
            },
            "region": region,
        }
    }


REPORT = Report(title="SARIF 2.1.0", render=render, documents=frozenset({"scan"}))
