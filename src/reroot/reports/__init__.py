"""
Results → text, JSON and other formats: one file per report.

To add a report, add a file here which defines ``REPORT``. Nothing else.
"""

from __future__ import annotations

from .. import registry
from ._report import Document, Report

__all__ = ["Document", "Report", "find", "names"]


def names() -> tuple[str, ...]:
    """Every format, by the word that ``-o`` takes."""
    return registry.names(__path__)


def find(name: str) -> Report:
    """The report of one format; only its own file is imported."""
    return registry.load(__name__, name, "REPORT", Report)
