"""
A PostgreSQL server's log as evidence: who connected how, who was refused, who gave up over the certificate. Pure.

    rollup(chunk, layout) -> Rollup      whole lines in, sums out
    Rollup + Rollup                      associative and commutative: any split at line ends, any order of merging, one answer

The lines that count are found by a literal search over whole blocks, and a pattern is applied to what was found and to nothing
else; equal lines are parsed once. Where a line does not tell the address, it is tied by process id to the ``connection received``
before it, also across chunks and files. What cannot be read is counted, never guessed.

A log tells what the client says of itself: before the words ``SSL enabled (…)`` stands the ``application_name``, which the client
chooses. So a client can lie about its own session, and about nobody else's; ``pg_stat_ssl`` cannot be lied to.
"""

from __future__ import annotations

from ._causes import LEFT_WITHOUT_A_WORD, Bearing, bearing
from ._clock import NO_ZONE, Clock
from ._layout import CSV, JSON, RDS, Layout, begins_a_record, layout, sniff
from ._rollup import Event, Head, Notes, Rollup, Row, Tail, Tally, total
from ._scan import PLAIN, rollup, scanner
from ._scanner import Scanner

__all__ = [
    "CSV", "JSON", "LEFT_WITHOUT_A_WORD", "NO_ZONE", "PLAIN", "RDS", "Bearing", "Clock", "Event", "Head", "Layout", "Notes", "Rollup", "Row", "Scanner", "Tail", "Tally", "bearing", "begins_a_record", "layout", "rollup", "scanner",
    "sniff", "total",
]  # fmt: skip
