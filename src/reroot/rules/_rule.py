"""What one rule says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``level`` is ``error``, ``warning`` or ``note``; ``outcome`` what a rotation does where it holds, in words.

    ``codes`` are further codes of reasons that this page explains, beside the rule's own name.
    """

    id: str
    name: str
    level: str
    outcome: str
    what: str
    why: str
    who: str = "every driver"
    fix: str = ""
    silence: str = ""
    codes: tuple[str, ...] = ()

    @property
    def silencing(self) -> str:
        """The comment that hides this rule at one line; a gate still counts it."""
        return self.silence or f"reroot: ignore {self.id} until 2027-01-31 reason=…"
