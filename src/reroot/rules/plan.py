"""RR6xx: what holds a gate of a rotation."""

from __future__ import annotations

from ._rule import Rule

FAMILY = (
    Rule(
        "RR601",
        "one-way",
        "error",
        "no way back",
        "There is no way back from this cut-over.",
        "The old root, or the previous pair, cannot be served again.",
        fix="Take the risk knowingly, with a waiver, or wait.",
    ),
    Rule(
        "RR602",
        "no-next-chain",
        "error",
        "the gate is closed",
        "What the server will present after the cut-over is not known.",
        "No client can be judged against a chain nobody has seen.",
        fix="Name the next certificate and its key in the inventory.",
        codes=("next-root-expired",),
    ),
    Rule(
        "RR603",
        "no-client-known",
        "error",
        "the gate is closed",
        "Nobody is known to connect to this server.",
        "An empty set of clients is not a ready one: somebody connects, and was not found.",
        fix="`reroot observe` and the logs show who; declare them.",
        codes=("no-reason",),
    ),
    Rule(
        "RR604",
        "not-cut-over",
        "note",
        "the gate is closed",
        "A server still serves the old chain.",
        "The old root goes only when nothing chains to it any more.",
        fix="Finish the waves.",
        codes=("soaking",),
    ),
    Rule(
        "RR605",
        "restart-not-seen",
        "warning",
        "unknown",
        "The client has not been seen to start since its trust store changed.",
        "It reads its trust store once, at start: what is on disk is not what it trusts.",
        fix="Restart it, and say so with `--restarted NAME` or `started = …` in the inventory.",
    ),
)
