"""A baseline: the findings of today, accepted; only new ones count from then on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ...errors import InputError
from ._finding import Finding

SCHEMA = "reroot/baseline/1"


def read(path: Path) -> frozenset[str]:
    """The fingerprints that a baseline file accepts."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise KeyError("schema")
        return frozenset(str(entry["fingerprint"]) for entry in document["accepted"])
    except OSError as error:
        raise InputError(f"cannot read the baseline: {error.strerror}", where=str(path)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is no baseline", where=str(path), hint="write one with `reroot scan --write-baseline FILE`") from error


def text(findings: Iterable[Finding]) -> str:
    """A baseline file that accepts *findings*: sorted, one entry a line, so that a review can read its diff."""
    entries = sorted({(f.path, f.rule, f.name, f.fingerprint) for f in findings})
    rows = ",\n".join(
        "  " + json.dumps({"path": path, "rule": rule, "name": name, "fingerprint": mark}) for path, rule, name, mark in entries
    )
    return f'{{"schema": "{SCHEMA}", "accepted": [\n{rows}\n]}}\n'
