"""RR0xx: what could not be read, or does not hold."""

from __future__ import annotations

from ._rule import Rule

FAMILY = (
    Rule(
        "RR001",
        "bad-ignore",
        "warning",
        "nothing is hidden",
        "An inline ignore does not hold, so the finding is shown.",
        "An ignore needs a reason and an end date, or nobody will ever look at it again.",
        fix="Write `reroot: ignore RRnnn until DATE reason=…`.",
    ),
    Rule(
        "RR002",
        "not-read",
        "warning",
        "unknown",
        "A file could not be read in full.",
        "What was not read may hold a setting that breaks.",
        fix="Make the file readable, or exclude it knowingly with `--exclude`.",
    ),
)
